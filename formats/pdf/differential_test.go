package pdf

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"sigillo/formats/pdf/pdftest"
)

// seen is what qpdf sees in a file.
type seen struct {
	warned  string // what it had to repair
	mute    bool   // it read the file, but its JSON cannot be read: it copies odd numbers and names as they are
	pages   int
	objects map[Ref]json.RawMessage
}

// harmless are warnings of qpdf about what changes nothing.
var harmless = []string{
	"is not one plus the highest object number", // /Size, see checkSize
	"object has offset 0",                       // see nowhere
	"linearization", "hint table", "operation succeeded with warnings",
}

// askQPDF reads a file with qpdf. ok is false if qpdf cannot.
func askQPDF(t testing.TB, qpdf string, data []byte) (s seen, ok bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ask.pdf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(qpdf, "--json=2", "--json-key=qpdf", "--json-key=pages", "--json-stream-data=inline", "--decode-level=none", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, status := cmd.Output()
	for _, line := range strings.Split(stderr.String(), "\n") {
		known := line == ""
		for _, h := range harmless {
			known = known || strings.Contains(line, h)
		}
		if !known {
			s.warned += line + "\n"
		}
	}
	var top struct {
		Pages []any                        `json:"pages"`
		QPDF  []map[string]json.RawMessage `json:"qpdf"`
	}
	if err := json.Unmarshal(out, &top); err != nil || len(top.QPDF) != 2 {
		s.mute = status == nil
		return s, false
	}
	s.pages, s.objects = len(top.Pages), map[Ref]json.RawMessage{}
	for key, raw := range top.QPDF[1] {
		var ref Ref
		if n, _ := fmt.Sscanf(key, "obj:%d %d R", &ref.Num, &ref.Gen); n == 2 {
			s.objects[ref] = raw
		}
	}
	return s, true
}

// compare tells where f and qpdf differ.
func (s seen) compare(f *File) error {
	ours := map[Ref]bool{}
	for ref := range f.Objects() {
		ours[ref] = true
		o, err := f.Get(ref)
		if err != nil {
			return err
		}
		raw, ok := s.objects[ref]
		if _, null := o.(Null); !ok && !null {
			return fmt.Errorf("qpdf has no object %s", ref)
		} else if !ok {
			continue
		}
		var theirs struct {
			Value  any `json:"value"`
			Stream *struct {
				Data string `json:"data"`
				Dict any    `json:"dict"`
			} `json:"stream"`
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&theirs); err != nil {
			return err
		}
		stream, isStream := o.(*Stream)
		if isStream != (theirs.Stream != nil) {
			return fmt.Errorf("object %s is a stream to one only", ref)
		}
		if !isStream {
			if err := sameValue(f, o, theirs.Value); err != nil {
				return fmt.Errorf("object %s: %w", ref, err)
			}
			continue
		}
		dict := stream.Dict.Clone()
		delete(dict, "Length")
		if err := sameValue(f, dict, theirs.Stream.Dict); err != nil {
			return fmt.Errorf("stream %s: %w", ref, err)
		}
		data, err := io.ReadAll(f.Raw(stream))
		if err != nil || base64.StdEncoding.EncodeToString(data) != theirs.Stream.Data {
			return fmt.Errorf("stream %s has other data", ref)
		}
	}
	for ref, raw := range s.objects {
		if !ours[ref] && !bytes.Contains(raw, []byte(`"value": null`)) {
			return fmt.Errorf("qpdf has object %s too: %s", ref, raw)
		}
	}
	return nil
}

// sameValue compares with qpdf's JSON, version 2 (qpdf manual, "qpdf JSON Format").
func sameValue(f *File, o Object, theirs any) error {
	differ := fmt.Errorf("%#v is %#v", o, theirs)
	switch o := o.(type) {
	case Null:
		if theirs != nil {
			return differ
		}
	case Bool:
		if theirs != bool(o) {
			return differ
		}
	case Integer, Real:
		n, ok := theirs.(json.Number)
		v, err := strconv.ParseFloat(string(n), 64)
		if i, isInt := o.(Integer); !ok || err != nil || isInt && v != float64(i) || !isInt && v != float64(o.(Real)) {
			return differ
		}
	case String:
		s, _ := theirs.(string)
		text, isText := strings.CutPrefix(s, "u:")
		binary, isBinary := strings.CutPrefix(s, "b:")
		if !(isText && o.Text() == text || isBinary && hex.EncodeToString(o) == binary) {
			return differ
		}
	case Name:
		if theirs != "/"+decoded(o) {
			return differ
		}
	case Ref:
		if theirs != o.String() {
			return differ
		}
	case Array:
		a, ok := theirs.([]any)
		if !ok || len(a) != len(o) {
			return differ
		}
		for i := range o {
			if err := sameValue(f, o[i], a[i]); err != nil {
				return err
			}
		}
	case Dict:
		d, ok := theirs.(map[string]any)
		if !ok || len(d) > len(o) {
			return differ
		}
		for k, v := range o {
			if ref, isRef := v.(Ref); isRef && d["/"+decoded(k)] == nil && f.missing(ref) {
				continue // qpdf leaves it out
			}
			if err := sameValue(f, v, d["/"+decoded(k)]); err != nil {
				return fmt.Errorf("/%s: %w", k, err)
			}
		}
	}
	return nil
}

func (f *File) missing(ref Ref) bool {
	o, err := f.Get(ref)
	return err == nil && o == Object(Null{})
}

// decoded is a name as encoding/json gives it: what is no UTF-8 is replaced.
func decoded(n Name) string { return string([]rune(string(n))) }

// mutate damages data in one to three places.
func mutate(r *rand.Rand, data []byte) []byte {
	data = bytes.Clone(data)
	tokens := []string{"\n", " ", "%", "0", "9", "/", "(", ")", "<<", ">>", "[", "]", "null", "endobj", "R", "obj", "stream\n", "1 0 R", "/Size 3", "/Prev 9", "#", "\x00", "\r", "-", "."}
	for range 1 + r.IntN(3) {
		at := r.IntN(len(data))
		switch r.IntN(10) {
		default: // keep the length, so that offsets stay right
			copy(data[at:], tokens[r.IntN(len(tokens))])
		case 0:
			data[at] = byte(r.IntN(256))
		case 1:
			data[at] ^= 1 << r.IntN(8)
		case 2:
			n := min(1+r.IntN(4), len(data)-at)
			data = append(data[:at], data[at+n:]...)
		case 3:
			data = append(data[:at], append([]byte(tokens[r.IntN(len(tokens))]), data[at:]...)...)
		case 4:
			from := r.IntN(len(data))
			copy(data[at:], data[from:min(from+1+r.IntN(20), len(data))])
		}
	}
	return data
}

// TestDifferential: where this reader accepts, qpdf sees the same objects and repairs nothing; where both read, pdfcpu
// counts the same pages.
func TestDifferential(t *testing.T) {
	t.Parallel()
	qpdf := tool(t, "qpdf", "qpdf")
	rounds := 200
	if n, err := strconv.Atoi(os.Getenv("SIGILLO_ROUNDS")); err == nil {
		rounds = n
	}
	for name, data := range differentialInputs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := openFile(t, data)
			agree(t, qpdf, f, data)
			if pages, err := askPDFCPU(t, data, ""); err != nil {
				t.Errorf("pdfcpu: %v", err)
			} else if n, _ := f.PageCount(); n != pages {
				t.Errorf("%d pages, and %d in pdfcpu", n, pages)
			}
			if len(data) > 20_000 {
				return
			}
			r := rand.New(rand.NewPCG(7, uint64(len(data))))
			accepted := 0
			for range rounds {
				damaged := mutate(r, data)
				f, err := Open(bytes.NewReader(damaged), int64(len(damaged)), Limits{})
				if err != nil || readAll(f) != nil {
					continue
				}
				accepted++
				agree(t, qpdf, f, damaged)
			}
			t.Logf("%d of %d damaged files were accepted", accepted, rounds)
		})
	}
}

func agree(t *testing.T, qpdf string, f *File, data []byte) {
	t.Helper()
	if f.Encrypted() {
		return
	}
	theirs, ok := askQPDF(t, qpdf, data)
	err := theirs.compare(f)
	pages, pagesErr := f.PageCount()
	switch {
	case theirs.mute:
		return
	case !ok:
		err = fmt.Errorf("qpdf cannot read it: %s", theirs.warned)
	case theirs.warned != "":
		err = fmt.Errorf("qpdf repaired it: %s", theirs.warned)
	case err == nil && (pagesErr != nil || pages != theirs.pages):
		err = fmt.Errorf("%d pages, and %d in qpdf (%v)", pages, theirs.pages, pagesErr)
	}
	if err == nil {
		return
	}
	t.Error(err)
	if keep := os.Getenv("SIGILLO_KEEP"); keep != "" {
		_ = os.WriteFile(filepath.Join(keep, fmt.Sprintf("differ-%x.pdf", data[len(data)/2:len(data)/2+4])), data, 0o600)
	}
}

func differentialInputs(t *testing.T) map[string][]byte {
	in := forms()
	for name, data := range forms() {
		in[name+" updated"], _ = update(t, data, "nuovo")
	}
	in["rich"] = pdftest.Table(pdftest.Minimal().With(pdftest.Objects{
		4: "<</A[1 -2 .5 -.25 3.0 +7 true false null(x)<41>]/B#20c/x/D<</E<</F 3 0 R>>>>/S(a\\(b\\)\\n\\101)/N null>>",
		5: "<</Length 6 0 R>>\nstream\nabc\nendstream",
		6: "3",
		7: "(\xfe\xff\x00\xe8)",
	}), "/Info 4 0 R")
	for _, name := range []string{"contratto.pdf", "contratto-javascript.pdf"} {
		in[name] = readFile(t, documents+name)
	}
	return in
}
