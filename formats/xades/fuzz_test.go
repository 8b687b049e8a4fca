package xades

import (
	"bytes"
	"crypto"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/formats/ades"
)

const fuzzed = "<a>testo</a>" // all that the seeds sign

// fuzzFiles are the files beside the seeds.
func fuzzFiles(string) (io.ReaderAt, int64, bool) {
	return strings.NewReader(fuzzed), int64(len(fuzzed)), true
}

// seeds are signatures of every packaging over the same content.
func seeds(t testing.TB, w world) map[string][]byte {
	by := w.Signer(t, "p256")
	all := map[string][]byte{}
	for name, change := range map[string]func(*Options){
		"enveloped":      nil,
		"parallel":       func(o *Options) { o.Parallel = true },
		"enveloping":     func(o *Options) { o.Packaging = Enveloping },
		"enveloping-xml": func(o *Options) { o.Packaging = EnvelopingXML },
		"detached":       func(o *Options) { o.Packaging, o.Name = Detached, "a.xml" },
	} {
		all[name] = w.sign(t, []byte(fuzzed), by, change)
	}
	all["archived"] = w.raise(t, all["parallel"], ades.BLTA, w.extension(t))
	p, err := PrepareCounter(bytes.NewReader(all["enveloped"]), int64(len(all["enveloped"])), 0, w.options(by))
	if err != nil {
		t.Fatal(err)
	}
	all["counter-signed"] = finish(t, p, by, all["enveloped"])
	return all
}

// TestWriteSeeds writes the committed seeds anew: SEEDS=yes go test -run WriteSeeds.
func TestWriteSeeds(t *testing.T) {
	if os.Getenv("SEEDS") == "" {
		t.Skip("SEEDS is not set: the committed seeds stay")
	}
	for name, doc := range seeds(t, newWorld(t)) {
		for _, target := range []string{"FuzzSignatures", "FuzzExtend"} {
			file := filepath.Join("testdata", "fuzz", target, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, fmt.Appendf(nil, "go test fuzz v1\n[]byte(%q)\n", doc), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// FuzzSignatures: no document may make the reader panic, and nothing verifies
// but over the content that the seeds sign.
func FuzzSignatures(f *testing.F) {
	for _, doc := range seeds(f, newWorld(f)) {
		f.Add(doc)
	}
	f.Add([]byte(documents["namespaces"]))
	f.Fuzz(func(t *testing.T, doc []byte) {
		sigs, err := Read(doc, fuzzFiles)
		if err != nil {
			return
		}
		var look func([]Signature)
		look = func(all []Signature) {
			for i := range all {
				s := &all[i]
				look(s.Countersignatures)
				for _, stamp := range s.Stamps {
					_, _ = stamp.Imprint(crypto.SHA256)
				}
				if s.Verify() != nil || s.Coverage == CoversSignature {
					continue
				}
				for _, c := range s.Covers {
					var b bytes.Buffer
					if _, err := c.WriteTo(&b); err != nil || !strings.Contains(b.String(), fuzzed) || len(b.String()) > len(fuzzed)+150 {
						t.Fatalf("%q verifies as %q, %v", doc, b.String(), err)
					}
				}
			}
		}
		look(sigs)
	})
}

// FuzzPrepare: what can be prepared can be assembled, and verifies.
func FuzzPrepare(f *testing.F) {
	w := newWorld(f)
	by := w.Signer(f, "p256")
	for _, doc := range documents {
		f.Add([]byte(doc), uint8(0))
		f.Add([]byte(doc), uint8(1))
	}
	f.Add(w.sign(f, []byte(fuzzed), by, func(o *Options) { o.Parallel = true }), uint8(1))
	f.Add([]byte("\xfe\xff\x00<\x00\xe8\x00/\x00>"), uint8(2))
	f.Fuzz(func(t *testing.T, doc []byte, how uint8) {
		o := w.options(by)
		switch how % 4 {
		case 1:
			o.Parallel = true
		case 2:
			o.Packaging = EnvelopingXML
		case 3:
			o.Packaging = Enveloping
		}
		p, err := Prepare(bytes.NewReader(doc), int64(len(doc)), o)
		if err != nil {
			return
		}
		out := finish(t, p, by, doc)
		sigs, err := Signatures(out)
		if err != nil || len(sigs) == 0 {
			t.Fatalf("%q became %q: %v", doc, out, err)
		}
		if err := find(sigs, p.ID).Verify(); err != nil {
			t.Fatalf("%q became %q: %v", doc, out, err)
		}
	})
}

func find(all []Signature, id string) *Signature {
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return &Signature{}
}

// FuzzExtend: raising leaves every signature as good as it was.
func FuzzExtend(f *testing.F) {
	w := newWorld(f)
	for _, doc := range seeds(f, w) {
		f.Add(doc)
	}
	e := w.extension(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		e := e
		e.Content, e.ContentSize, _ = fuzzFiles("")
		for _, prepare := range []func(io.ReaderAt, int64, ades.Extension) (*Stamping, error){PrepareTimestamp, PrepareArchive} {
			s, err := prepare(bytes.NewReader(doc), int64(len(doc)), e)
			if err != nil {
				continue
			}
			after := w.stamped(t, s, nil, doc)
			before, err := Read(doc, fuzzFiles)
			if err != nil {
				t.Fatal(err)
			}
			now, err := Read(after, fuzzFiles)
			if err != nil || len(now) != len(before) {
				t.Fatalf("%q became %q: %v", doc, after, err)
			}
			for i := range now {
				if was, is := before[i].Verify(), now[i].Verify(); KindOf(was) != KindOf(is) {
					t.Fatalf("%q became %q: %v, was %v", doc, after, is, was)
				}
			}
		}
	})
}
