package pdf

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"

	"sigillo/formats/pdf/pdftest"
)

// tool skips the test when a program is missing.
func tool(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian package %s)", name, pkg)
	}
	return path
}

// qpdfCheck asks qpdf for a second opinion; a warning counts as an error.
func qpdfCheck(t testing.TB, qpdf string, data []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "check.pdf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(qpdf, "--check", path).CombinedOutput(); err != nil {
		t.Errorf("qpdf: %v\n%s", err, out)
	}
}

// update changes object 4, adds one and returns the new file.
func update(t testing.TB, data []byte, text string) ([]byte, Ref) {
	t.Helper()
	u, err := NewUpdate(openFile(t, data))
	if err != nil {
		t.Fatal(err)
	}
	ref := u.Add(&NewStream{Dict: Dict{"Kind": Name("new")}, Data: []byte(text)})
	u.Set(Ref{4, 0}, Array{String(text), ref})
	tail, err := u.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := u.Bytes()
	if err != nil || !bytes.Equal(tail, again) {
		t.Errorf("encoding twice gives other bytes (%v)", err)
	}
	return append(bytes.Clone(data), tail...), ref
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	for name, data := range forms() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := openFile(t, data)
			one, ref1 := update(t, data, "uno")
			two, ref2 := update(t, one, "due")
			if !bytes.HasPrefix(two, one) || !bytes.HasPrefix(one, data) {
				t.Fatal("earlier bytes have changed")
			}
			f := openFile(t, two)
			if err := readAll(f); err != nil {
				t.Fatal(err)
			}
			checkTrailer(t, first, f)
			if ref1 == ref2 {
				t.Errorf("the number of %v is used twice", ref1)
			}
			if n := len(f.Revisions()); n != 3 {
				t.Fatalf("%d revisions, want 3", n)
			}
			for i, want := range []Object{String("text"), Array{String("uno"), ref1}, Array{String("due"), ref2}} {
				at, err := f.At(i)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := at.Get(Ref{4, 0}); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("revision %d: object 4 is %v, %v; want %v", i, got, err, want)
				}
			}
			if kind := f.Revisions()[2].Kind; (kind == XRefStream) != (first.Revisions()[0].Kind == XRefStream) {
				t.Errorf("the section is a %s after a %s", kind, first.Revisions()[0].Kind)
			}
			if qpdf, err := exec.LookPath("qpdf"); err == nil {
				qpdfCheck(t, qpdf, two)
			}
		})
	}
}

// checkTrailer: the entries stay, the second part of /ID changes (ISO 32000-1 §7.5.6, §14.4).
func checkTrailer(t *testing.T, before, after *File) {
	t.Helper()
	if !reflect.DeepEqual(before.Trailer()["Root"], after.Trailer()["Root"]) {
		t.Error("/Root has changed")
	}
	was, is := before.Trailer()["ID"].(Array), after.Trailer()["ID"].(Array)
	if !reflect.DeepEqual(was[0], is[0]) || reflect.DeepEqual(was[1], is[1]) {
		t.Errorf("/ID was %x and is %x", was, is)
	}
}

func TestUpdateOfFileWithoutLineEnd(t *testing.T) {
	t.Parallel()
	data := bytes.TrimRight(forms()["table"], "\n")
	out, _ := update(t, data, "x")
	if err := readAll(openFile(t, out)); err != nil {
		t.Error(err)
	}
}

func TestUpdateKeepsGenerations(t *testing.T) {
	t.Parallel()
	data := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{4: "(old)"}), "")
	data = bytes.Replace(data, []byte("4 0 obj"), []byte("4 3 obj"), 1)
	at := bytes.LastIndex(data, []byte("00000 n"))
	copy(data[at:], "00003 n")
	u, err := NewUpdate(openFile(t, data))
	if err != nil {
		t.Fatal(err)
	}
	u.Set(Ref{4, 3}, String("new"))
	tail, err := u.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	f := openFile(t, append(data, tail...))
	if o, err := f.Get(Ref{4, 3}); err != nil || string(o.(String)) != "new" {
		t.Errorf("object 4 3 is %v, %v", o, err)
	}
	u.Set(Ref{4, 4}, Null{})
	if _, err := u.Bytes(); KindOf(err) != Malformed {
		t.Errorf("one number with two generations: %v", err)
	}
}

func TestVerbatimOffsets(t *testing.T) {
	t.Parallel()
	data := pdftest.Table(pdftest.Minimal(), "")
	u, err := NewUpdate(openFile(t, data))
	if err != nil {
		t.Fatal(err)
	}
	var at int64
	ref := u.Add(Dict{"A": Array{Verbatim{[]byte("<0000>"), &at}}})
	var tail bytes.Buffer
	if _, err := u.WriteTo(&tail); err != nil {
		t.Fatal(err)
	}
	data = append(data, tail.Bytes()...)
	if string(data[at:at+6]) != "<0000>" {
		t.Errorf("offset %d holds %q", at, data[at:at+6])
	}
	if o, err := openFile(t, data).Get(ref); err != nil || !reflect.DeepEqual(o, Dict{"A": Array{String{0, 0}}}) {
		t.Errorf("read %v, %v", o, err)
	}
}

// huge is a file with a stream of many zero bytes between two written parts.
type huge struct {
	head, tail []byte
	gap        int64
}

func (h huge) size() int64 { return int64(len(h.head)) + h.gap + int64(len(h.tail)) }

func (h huge) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off < h.size() {
		switch {
		case off < int64(len(h.head)):
			p[n] = h.head[off]
		case off < int64(len(h.head))+h.gap:
			p[n] = 0
		default:
			p[n] = h.tail[off-int64(len(h.head))-h.gap]
		}
		n++
		off++
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// hugeFile has a stream of gap bytes and then its other objects and a cross-reference stream.
func hugeFile(gap int64) huge {
	h := huge{gap: gap, head: []byte(fmt.Sprintf("%%PDF-1.7\n4 0 obj\n<</Length %d>>\nstream\n", gap))}
	base := int64(len(h.head)) + gap
	rows := make([]byte, 11)
	row := func(off int64) {
		rows = append(rows, 1)
		for i := 7; i >= 0; i-- {
			rows = append(rows, byte(off>>(8*i)))
		}
		rows = append(rows, 0, 0)
	}
	h.tail = []byte("\nendstream\nendobj\n")
	for n := 1; n <= 3; n++ {
		row(base + int64(len(h.tail)))
		h.tail = fmt.Appendf(h.tail, "%d 0 obj\n%s\nendobj\n", n, pdftest.Minimal()[n])
	}
	row(int64(bytes.Index(h.head, []byte("4 0 obj"))))
	at := base + int64(len(h.tail))
	row(at)
	h.tail = fmt.Appendf(h.tail, "5 0 obj\n%s\nendobj\n", pdftest.Stream("/Type/XRef/W[1 8 2]/Size 6/Root 1 0 R", rows))
	h.tail = fmt.Appendf(h.tail, "startxref\n%d\n%%%%EOF\n", at)
	return h
}

// TestBeyondFourGiB: offsets above 2^32 are read and written.
func TestBeyondFourGiB(t *testing.T) {
	t.Parallel()
	h := hugeFile(5 << 30)
	f, err := Open(h, h.size(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if o, err := f.Get(Ref{4, 0}); err != nil || o.(*Stream).Length != 5<<30 {
		t.Fatalf("the stream is %v, %v", o, err)
	}
	u, err := NewUpdate(f)
	if err != nil {
		t.Fatal(err)
	}
	ref := u.Add(String("far away"))
	tail, err := u.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	h.tail = append(h.tail, tail...)
	if f, err = Open(h, h.size(), Limits{}); err != nil {
		t.Fatal(err)
	}
	if o, err := f.Get(ref); err != nil || string(o.(String)) != "far away" {
		t.Errorf("read %v, %v", o, err)
	}
	if n, err := f.PageCount(); n != 1 || err != nil {
		t.Errorf("%d pages, %v", n, err)
	}
}
