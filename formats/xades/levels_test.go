package xades

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// world is the certificates of one test, and a time-stamping unit.
type world struct {
	*cmstest.PKI
	tsu *cmstest.Identity
	now time.Time
}

func newWorld(t testing.TB) world {
	p := cmstest.New(t)
	return world{p, p.TSU(t, "p256"), time.Now().UTC().Truncate(time.Second)}
}

// options are those of a signer.
func (w world) options(by *cmstest.Identity) Options {
	return Options{Certificate: by.Certificate, Chain: by.Chain, PSS: by.PSS, SigningTime: w.now.Add(-time.Minute)}
}

// evidence is of now, so that it is fresh for all that was stamped before.
func (w world) extension(t testing.TB) ades.Extension {
	return ades.Extension{Evidence: w.Evidence(t, w.now), TokenSize: 10_000}
}

// finish signs what was prepared, after it went through JSON.
func finish(t testing.TB, p *Prepared, by *cmstest.Identity, doc []byte) []byte {
	t.Helper()
	p = stored(t, p)
	var out bytes.Buffer
	var at io.ReaderAt
	if doc != nil {
		at = bytes.NewReader(doc)
	}
	if err := p.Assemble(&out, at, int64(len(doc)), by.Sign(t, p), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func stored[T any](t testing.TB, v *T) *T {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out := new(T)
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w world) sign(t testing.TB, doc []byte, by *cmstest.Identity, change func(*Options)) []byte {
	t.Helper()
	o := w.options(by)
	if change != nil {
		change(&o)
	}
	p, err := Prepare(bytes.NewReader(doc), int64(len(doc)), o)
	if err != nil {
		t.Fatal(err)
	}
	return finish(t, p, by, doc)
}

// stamped assembles an extension with tokens of the unit.
func (w world) stamped(t testing.TB, s *Stamping, err error, doc []byte) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	s = stored(t, s)
	var tokens [][]byte
	for _, imprint := range s.Imprints() {
		tokens = append(tokens, w.tsu.Stamp(t, hashNames[s.Hash], imprint, w.now))
	}
	var out bytes.Buffer
	if err := s.Assemble(&out, bytes.NewReader(doc), int64(len(doc)), tokens); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// raise brings a document to a level; the input is at B-B.
func (w world) raise(t testing.TB, doc []byte, level ades.Level, e ades.Extension) []byte {
	t.Helper()
	if !level.AtLeast(ades.BT) {
		return doc
	}
	s, err := PrepareTimestamp(bytes.NewReader(doc), int64(len(doc)), e)
	doc = w.stamped(t, s, err, doc)
	if level == ades.BLT {
		var out bytes.Buffer
		if err := AddEvidence(&out, bytes.NewReader(doc), int64(len(doc)), e); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	if level == ades.BLTA {
		s, err := PrepareArchive(bytes.NewReader(doc), int64(len(doc)), e)
		doc = w.stamped(t, s, err, doc)
	}
	return doc
}

// good checks everything that can be checked of all signatures of a document.
func good(t testing.TB, doc []byte, files Files) []Signature {
	t.Helper()
	sigs, err := Read(doc, files)
	if err != nil {
		t.Fatalf("%v\n%s", err, doc)
	}
	if len(sigs) == 0 {
		t.Fatal("no signature")
	}
	var look func([]Signature)
	look = func(all []Signature) {
		for i := range all {
			s := &all[i]
			if err := s.Verify(); err != nil {
				t.Fatalf("signature %d: %v\n%s", i, err, doc)
			}
			if len(s.missing) > 0 {
				t.Errorf("missing %q", s.missing)
			}
			for j, stamp := range s.Stamps {
				token, err := cms.ParseToken(stamp.DER)
				if err != nil {
					t.Fatal(err)
				}
				imprint, err := stamp.Imprint(token.Info.Hash)
				if err != nil || !bytes.Equal(imprint, token.Info.Imprint) {
					t.Errorf("stamp %d (%s) is of something else: %v", j, stamp.Kind, err)
				}
			}
			look(s.Countersignatures)
		}
	}
	look(sigs)
	return sigs
}

// keep writes a file for judges that are started by hand: KEEP=folder go test.
func keep(t testing.TB, w world, name string, doc []byte) {
	dir := os.Getenv("KEEP")
	if dir == "" {
		return
	}
	dir = filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "_"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	e := w.Evidence(t, w.now)
	for name, data := range map[string][]byte{name: doc, "root.pem": cmstest.PEM(w.Root), "0.crl": e.CRLs[0], "1.crl": e.CRLs[1]} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var keyTypes = []string{"p256", "p384", "p521", "ed25519", "rsa2048", "rsa2048-pss"}

// packagings are ways to sign one document.
var packagings = []struct {
	name   string
	doc    string
	change func(*Options)
	covers Coverage
}{
	{"enveloped", "<a>testo</a>", func(*Options) {}, CoversWhole},
	{"enveloped-element", `<a><b Id="x" xml:lang="it">testo</b><c/></a>`, func(o *Options) { o.Element = "x" }, CoversElements},
	{"parallel", "<a>testo<b/></a>", func(o *Options) { o.Parallel = true }, CoversAllButSignatures},
	{"parallel-element", `<a xmlns:u="urn:u"><b Id="x">testo</b><c/></a>`, func(o *Options) { o.Parallel, o.Element = true, "x" }, CoversElements},
	{"enveloping", "\x00\xff<not XML>", func(o *Options) { o.Packaging = Enveloping }, CoversContent},
	{"enveloping-xml", "<?xml version='1.0'?><f:a xmlns:f='urn:f' xmlns:ds='urn:other'><ds:b>testo<!-- c --></ds:b></f:a><!-- d -->",
		func(o *Options) { o.Packaging = EnvelopingXML }, CoversContent},
	{"detached", "any content", func(o *Options) { o.Packaging, o.Name = Detached, "città & co b.txt" }, CoversFiles},
	{"internally-detached", `<a><b Id="x">testo</b></a>`, func(o *Options) { o.Packaging, o.Element = InternallyDetached, "x" }, CoversElements},
}

// Every packaging comes to every level and is read back; what it covers is told.
func TestPackagingsAndLevels(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, p := range packagings {
		for j, level := range []ades.Level{ades.BB, ades.BT, ades.BLT, ades.BLTA} {
			keyType := keyTypes[(i+j)%len(keyTypes)]
			t.Run(p.name+"/"+string(level)+"/"+keyType, func(t *testing.T) {
				t.Parallel()
				by := w.Signer(t, keyType)
				signed := w.sign(t, []byte(p.doc), by, p.change)
				e := w.extension(t)
				var files Files
				if p.covers == CoversFiles {
					e.Content, e.ContentSize = strings.NewReader(p.doc), int64(len(p.doc))
					files = OneFile(e.Content, e.ContentSize)
				}
				doc := w.raise(t, signed, level, e)
				keep(t, w, "doc.xml", doc)
				if p.covers == CoversFiles {
					keep(t, w, "città & co b.txt", []byte(p.doc))
				}
				sigs, err := Read(doc, files)
				if err != nil || len(sigs) != 1 {
					t.Fatalf("%d signatures, %v", len(sigs), err)
				}
				s := &sigs[0]
				if p.covers == CoversElements {
					if err := s.Verify(); KindOf(err) != NotCovering {
						t.Fatalf("got %v\n%s", err, doc)
					}
				} else {
					good(t, doc, files)
				}
				if s.Coverage != p.covers || len(s.Covers) != 1 {
					t.Errorf("covers %s, %+v", s.Coverage, s.Covers)
				}
				levels(t, s, level)
				contentOf(t, s, p.name, p.doc)
			})
		}
	}
}

// levels checks that what makes the level is there.
func levels(t *testing.T, s *Signature, level ades.Level) {
	t.Helper()
	var kinds []ades.StampKind
	for _, stamp := range s.Stamps {
		kinds = append(kinds, stamp.Kind)
	}
	want := map[ades.Level][]ades.StampKind{ades.BT: {ades.SignatureStamp}, ades.BLT: {ades.SignatureStamp}, ades.BLTA: {ades.SignatureStamp, ades.ArchiveStamp}}[level]
	if !slices.Equal(kinds, want) {
		t.Errorf("stamps %v, want %v", kinds, want)
	}
	if crls := len(s.Evidence().CRLs); (crls == 2) != level.AtLeast(ades.BLT) {
		t.Errorf("%d revocation lists at %s", crls, level)
	}
	if level == ades.BLTA {
		archive := s.Stamps[1]
		for _, der := range slices.Concat(s.Evidence().CRLs, [][]byte{s.Stamps[0].DER, s.Certificate.Raw}) {
			if !slices.ContainsFunc(archive.Covers, func(b []byte) bool { return bytes.Equal(b, der) }) {
				t.Error("the archive time-stamp does not cover all")
			}
		}
	}
}

// contentOf checks that what is covered can be had.
func contentOf(t *testing.T, s *Signature, packaging, doc string) {
	t.Helper()
	var b bytes.Buffer
	if _, err := s.Covers[0].WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	switch packaging {
	case "enveloping", "detached", "enveloped":
		if b.String() != doc {
			t.Errorf("covers %q", b.String())
		}
	case "internally-detached":
		if b.String() != `<b Id="x">testo</b>` || s.Covers[0].Path != "/a/b" {
			t.Errorf("covers %q at %s", b.String(), s.Covers[0].Path)
		}
	}
}

// An archive time-stamp can be renewed, and older ones stay good.
func TestRenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := w.raise(t, w.sign(t, []byte("<a/>"), w.Signer(t, "rsa2048"), nil), ades.BLTA, w.extension(t))
	for range 2 {
		e := w.extension(t) // new lists
		e.Hash = crypto.SHA512
		e.Evidence = w.Evidence(t, w.now.Add(time.Duration(len(doc))*time.Second))
		s, err := PrepareArchive(bytes.NewReader(doc), int64(len(doc)), e)
		doc = w.stamped(t, s, err, doc)
	}
	keep(t, w, "doc.xml", doc)
	s := good(t, doc, nil)[0]
	if len(s.Stamps) != 4 || len(s.Evidence().CRLs) != 6 {
		t.Errorf("%d stamps, %d lists", len(s.Stamps), len(s.Evidence().CRLs))
	}
}

// Several files under one signature, by content or by digest alone.
func TestDetachedFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	by := w.Signer(t, "p256")
	files := map[string]string{"a.txt": "uno", "dir/è b.bin": "due\x00"}
	for name, content := range files {
		keep(t, w, filepath.Base(name), []byte(content))
	}
	find := func(name string) (io.ReaderAt, int64, bool) {
		s, ok := files[name]
		return strings.NewReader(s), int64(len(s)), ok
	}
	for _, asic := range []bool{false, true} {
		o := w.options(by)
		o.ASiC = asic
		p, err := PrepareDetached([]Object{
			{Name: "a.txt", MediaType: "text/plain", Content: strings.NewReader("uno"), Size: 3},
			{Name: "dir/è b.bin", Digest: digestOf(crypto.SHA256, []byte("due\x00"))},
		}, o)
		if err != nil {
			t.Fatal(err)
		}
		doc := finish(t, p, by, nil)
		s := good(t, doc, find)[0]
		if s.Coverage != CoversFiles || s.Covers[1].File != "dir/è b.bin" || s.Covers[0].MediaType != "text/plain" {
			t.Errorf("covers %+v", s.Covers)
		}
		st, err := PrepareTimestamp(bytes.NewReader(doc), int64(len(doc)), w.extension(t))
		doc = w.stamped(t, st, err, doc)
		st, err = PrepareArchiveFiles(bytes.NewReader(doc), int64(len(doc)), w.extension(t), find)
		doc = w.stamped(t, st, err, doc)
		keep(t, w, fmt.Sprintf("asic-%t.xml", asic), doc)
		good(t, doc, find)
		if _, err := PrepareArchive(bytes.NewReader(doc), int64(len(doc)), w.extension(t)); KindOf(err) != ContentMissing {
			t.Errorf("an archive time-stamp without the files: %v", err)
		}
		if got := only(t, doc).Verify(); KindOf(got) != ContentMissing {
			t.Errorf("without files: %v", got)
		}
		one := "uno"
		sigs, _ := Read(doc, OneFile(strings.NewReader(one), 3))
		if got := sigs[0].Verify(); KindOf(got) != ContentMissing {
			t.Errorf("one file for two names: %v", got)
		}
		sigs, _ = Read(doc, func(name string) (io.ReaderAt, int64, bool) { return strings.NewReader("tre"), 3, true })
		if got := sigs[0].Verify(); KindOf(got) != HashFailure {
			t.Errorf("other files: %v", got)
		}
	}
}

// Every kind of key signs with every digest.
func TestKeysAndDigests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, keyType := range append(keyTypes, "rsa3072") {
		for _, h := range []crypto.Hash{0, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			t.Run(fmt.Sprintf("%s/%d", keyType, uint(h)), func(t *testing.T) {
				t.Parallel()
				doc := w.sign(t, []byte("<a/>"), w.Signer(t, keyType), func(o *Options) { o.Hash = h })
				keep(t, w, "doc.xml", doc)
				s := good(t, doc, nil)[0]
				if h != 0 && (s.Digests[0] != h || keyType != "ed25519" && s.Algorithm.Hash != h) {
					t.Errorf("%v, %v", s.Digests, s.Algorithm)
				}
			})
		}
	}
}
