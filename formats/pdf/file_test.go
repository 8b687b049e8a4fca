package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"sigillo/formats/pdf/pdftest"
)

func openFile(t testing.TB, data []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(data), int64(len(data)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readAll reads every object and stream and walks the pages.
func readAll(f *File) error {
	for ref := range f.Objects() {
		o, err := f.Get(ref)
		if err != nil {
			return err
		}
		s, ok := o.(*Stream)
		if !ok {
			continue
		}
		r, err := f.Decode(s)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil && KindOf(err) != Unsupported {
			return err
		}
	}
	_, err := f.PageCount()
	return err
}

func forms() map[string][]byte {
	doc := pdftest.Minimal().With(pdftest.Objects{4: "(text)", 5: pdftest.Stream("/Filter/FlateDecode", pdftest.Deflate([]byte("BT ET")))})
	return map[string][]byte{
		"table":          pdftest.Table(doc, ""),
		"stream":         pdftest.Streams(doc, ""),
		"object streams": pdftest.Streams(doc, "", 1, 2, 3, 4),
		"hybrid":         pdftest.Hybrid(doc, "", 2, 4),
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	for name, data := range forms() {
		f := openFile(t, data)
		if err := readAll(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if o, err := f.Get(Ref{4, 0}); err != nil || string(o.(String)) != "text" {
			t.Errorf("%s: object 4 is %v, %v", name, o, err)
		}
		if o, err := f.Get(Ref{5, 0}); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if b, err := f.Decoded(o.(*Stream), 100); err != nil || string(b) != "BT ET" {
			t.Errorf("%s: stream is %q, %v", name, b, err)
		}
		for _, missing := range []Ref{{4, 1}, {99, 0}} {
			if o, err := f.Get(missing); err != nil || o != (Null{}) {
				t.Errorf("%s: %v is %v, %v; want null", name, missing, o, err)
			}
		}
		if n := len(f.Revisions()); n != 1 {
			t.Errorf("%s: %d revisions, want 1", name, n)
		}
	}
}

// TestHybridThatAddsIsARevision: the empty table of a hybrid file belongs to the revision before it only if it comes at once.
func TestHybridThatAddsIsARevision(t *testing.T) {
	t.Parallel()
	data := pdftest.Hybrid(pdftest.Minimal().With(pdftest.Objects{4: "(text)"}), "", 4)
	at := bytes.LastIndex(data, []byte("xref\n0 0"))
	with := append(bytes.Clone(data[:at]), "% a later remark\n"...)
	with = append(with, data[at:]...)
	last := bytes.LastIndex(with, []byte("startxref"))
	with = append(with[:last], fmt.Sprintf("startxref\n%d\n%%%%EOF\n", bytes.LastIndex(with, []byte("xref\n0 0")))...)
	if n := len(openFile(t, with).Revisions()); n != 2 {
		t.Errorf("%d revisions, want 2", n)
	}
}

// TestRefusals: each file departs from the standard in one place and is refused with a reason.
func TestRefusals(t *testing.T) {
	t.Parallel()
	minimal := pdftest.Minimal()
	table := string(pdftest.Table(minimal, ""))
	edit := func(s, old, new string) string {
		if strings.Count(s, old) == 0 || len(old) != len(new) {
			t.Fatalf("edit %q: not there, or it moves the rest", old)
		}
		return strings.Replace(s, old, new, 1)
	}
	with := func(n int, text string) string {
		return string(pdftest.Table(minimal.With(pdftest.Objects{n: text}), ""))
	}
	stream := func(dict string) string { return with(4, pdftest.Stream(dict, []byte("data"))) }
	tests := []struct {
		name, data string
		kind       Kind
		say        string
	}{
		{"empty", "", NotPDF, ""},
		{"other format", "PK\x03\x04 and so on", NotPDF, ""},
		{"header later", "\n" + table, Malformed, "offset 1"},
		{"version", edit(table, "PDF-1.7", "PDF-3.7"), Malformed, "version"},
		{"cut off", table[:len(table)/2], Truncated, ""},
		{"cut before the mark", table[:len(table)-7], Truncated, ""},
		{"data after the end", table + "x", Malformed, "after the last"},
		{"white space after the end", table + " \r\n\x00\x00\n", "", ""},
		{"padded", table + strings.Repeat("\x00", maxPadding-1), "", ""},
		{"padded too far", table + strings.Repeat("\x00", maxPadding), Malformed, "after the last"},
		{"padded, then something", table + "\x00\x1a", Malformed, "after the last"},
		{"spaces after the version", edit(table, "%PDF-1.7\n%", "%PDF-1.7 \n"), "", ""},
		{"text after the version", edit(table, "%PDF-1.7\n", "%PDF-1.7x"), Malformed, "end of line"},
		{"in use nowhere", strings.Replace(with(9, "null"), "0000000000 00000 f", "0000000000 00000 n", 1), "", ""},
		{"startxref beyond", strings.Replace(table, "startxref\n", "startxref\n9", 1), Malformed, "outside"},
		{"startxref off by one", strings.Replace(table, "xref\n0 4", " xref\n0 4", 1), Malformed, "expected"},
		{"entry of 19 bytes", strings.Replace(table, "00000 n \n", "00000 n\n", 1), Malformed, "20 bytes"},
		{"object number", edit(table, "2 0 obj", "7 0 obj"), Malformed, "should hold object 2 0"},
		{"no endobj", edit(table, "endobj", "endoby"), Malformed, "endobj"},
		{"no catalog", edit(table, "/Type/Catalog", "/Type/Katalog"), Malformed, "Catalog"},
		{"no root", edit(table, "/Root 1 0 R", "/Ruut 1 0 R"), Malformed, "Root"},
		{"size", edit(table, "/Size 4", "/Size 3"), Malformed, "/Size"},
		{"size, catalog beyond", sizeBelowCatalog(""), "", ""},
		{"size, catalog beyond, older section", sizeBelowCatalog("/Prev 9"), Malformed, "/Size"},
		{"size, catalog beyond, hybrid", sizeBelowCatalog("/XRefStm 9"), Malformed, "/Size"},
		{"size too large", edit(table, "/Size 4", "/Size 9"), "", ""},
		{"forged count", edit(table, "0 4\n", "0 9\n"), Malformed, ""},
		{"forged number", strings.Replace(table, "xref\n0 4", "xref\n99999990 4", 1), Limit, ""},
		{"prev loop", prevLoop(table), Malformed, "comes back"},
		{"prev forward", strings.Replace(table, "/Size 4", fmt.Sprintf("/Size 4/Prev %d", len(table)), 1), Malformed, ""},
		{"page count", edit(table, "/Count 1", "/Count 2"), Malformed, "/Count"},
		{"page loop", edit(table, "/Kids[3 0 R]", "/Kids[2 0 R]"), Malformed, "twice"},
		{"length too short", strings.Replace(stream(""), "/Length 4", "/Length 3", 1), Malformed, "/Length"},
		{"length too long", strings.Replace(stream(""), "/Length 4", "/Length 8", 1), Malformed, "/Length"},
		{"lines before endstream", with(4, "<</Length 1>>\nstream\nx\r\n\r\nendstream"), "", ""},
		{"length beyond", with(4, "<</Length 99999999>>\nstream\nx\nendstream"), Malformed, "beyond"},
		{"length of itself", with(4, "<</Length 4 0 R>>\nstream\nx\nendstream"), Malformed, "itself"},
		{"length missing", with(4, "<<>>\nstream\nx\nendstream"), Malformed, "/Length"},
		{"no line feed", with(4, "<</Length 1>>\nstream\rx\nendstream"), Malformed, "line feed"},
		{"unknown filter", stream("/Filter/Fl"), Malformed, "does not exist"},
		{"filter type", stream("/Filter 5"), Malformed, "not a name"},
		{"broken flate", stream("/Filter/FlateDecode"), Malformed, "damaged"},
		{"nine filters", stream("/Filter[" + strings.Repeat("/ASCIIHexDecode", 9) + "]"), Limit, "filters"},
		{"file elsewhere", stream("/F(other)"), "", ""},
		{"missing object stream", strings.Replace(string(pdftest.Streams(minimal, "", 3)), "/ObjStm", "/ObjStx", 1), Malformed, "object stream"},
	}
	for _, test := range tests {
		err := func() error {
			f, err := Open(strings.NewReader(test.data), int64(len(test.data)), Limits{})
			if err != nil {
				return err
			}
			return readAll(f)
		}()
		if KindOf(err) != test.kind || err != nil && !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s: error %v (%s); want %s with %q", test.name, err, KindOf(err), test.kind, test.say)
		}
	}
}

func TestNowhere(t *testing.T) {
	t.Parallel()
	data := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{9: "null"}), "")
	f := openFile(t, bytes.ReplaceAll(data, []byte("0000000000 00000 f"), []byte("0000000000 00000 n")))
	if err := readAll(f); err != nil {
		t.Error(err)
	}
	if o, err := f.Get(Ref{8, 0}); KindOf(err) != Malformed {
		t.Errorf("object 8 is %v, %v", o, err)
	}
}

// sizeBelowCatalog is a file whose catalog has the highest number, and whose /Size is too small, as pdfunite writes it.
func sizeBelowCatalog(trailer string) string {
	o := pdftest.Minimal()
	o[9], o[1] = o[1], "null"
	s := string(pdftest.Table(o, trailer))
	return strings.NewReplacer("/Root 1 0 R", "/Root 9 0 R", "/Size 10", "/Size 7").Replace(s)
}

// prevLoop makes the section of a file its own predecessor, at a place that does not move it.
func prevLoop(table string) string {
	at := strings.LastIndex(table, "xref\n0 ")
	return strings.Replace(table, "/Size 4", fmt.Sprintf("/Size 4/Prev %d", at), 1)
}

func TestForgedStreams(t *testing.T) {
	t.Parallel()
	minimal := pdftest.Minimal()
	section := func(dict string, rows []byte) []byte {
		data := pdftest.Table(minimal, "")
		at := bytes.LastIndex(data, []byte("xref\n0 "))
		out := append(bytes.Clone(data[:at]), fmt.Sprintf("9 0 obj\n%s\nendobj\n", pdftest.Stream("/Type/XRef/Root 1 0 R"+dict, rows))...)
		return append(out, fmt.Sprintf("startxref\n%d\n%%%%EOF\n", at)...)
	}
	tests := []struct {
		name string
		data []byte
		kind Kind
	}{
		{"W too wide", section("/W[1 9 1]/Size 4", nil), Malformed},
		{"W negative", section("/W[1 -1 1]/Size 4", nil), Malformed},
		{"W empty", section("/W[0 0 0]/Size 4", nil), Malformed},
		{"Size without rows", section("/W[1 4 1]/Size 900000", nil), Malformed},
		{"Size huge", section("/W[1 4 1]/Size 8000000", nil), Limit},
		{"Size overflow", section("/W[1 4 1]/Size 9223372036854775807", nil), Malformed},
		{"Index odd", section("/W[1 4 1]/Size 4/Index[0]", nil), Malformed},
		{"Index overflow", section("/W[1 4 1]/Size 4/Index[4 9223372036854775807]", nil), Malformed},
		{"object twice", section("/W[1 4 1]/Size 4/Index[1 1 1 1]", make([]byte, 12)), Malformed},
		{"rows left", section("/W[1 4 1]/Size 1", make([]byte, 12)), Malformed},
		{"offset zero", section("/W[1 4 1]/Size 2", append(make([]byte, 6), 1, 0, 0, 0, 0, 0)), Malformed},
		{"offset 2^64-1", section("/W[1 8 1]/Size 2", append(make([]byte, 10), 1, 255, 255, 255, 255, 255, 255, 255, 255, 0)), Malformed},
		{"prev reference", section("/W[1 4 1]/Size 1/Prev 1 0 R", make([]byte, 6)), Malformed},
		{"length reference", bytes.Replace(section("/W[1 4 1]/Size 1", nil), []byte("/Length 0"), []byte("/Length 1 0 R"), 1), Malformed},
	}
	for _, test := range tests {
		f, err := Open(bytes.NewReader(test.data), int64(len(test.data)), Limits{})
		if err == nil {
			err = readAll(f)
		}
		if KindOf(err) != test.kind {
			t.Errorf("%s: error %v (%s), want %s", test.name, err, KindOf(err), test.kind)
		}
	}
}

func TestObjectStreamIndex(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		data     string
		n, first int64
		ok       bool
	}{
		{"5 0 6 2 1 2", 2, 8, true},
		{"5 0 6 2 1 2", 3, 8, false},
		{"5 0 6 2 1 2", 1, 8, false},
		{"5 0 6 0 1 2", 2, 8, false},
		{"5 2 6 0 1 2", 2, 8, false},
		{"5 0 6 9 1 2", 2, 8, false},
		{"5 0 6 2 1 2", 900_000_000, 8, false},
		{"5 0 6 2 1 2", 2, 900_000_000, false},
		{"0 0 6 2 1 2", 2, 8, false},
		{"", 0, 0, true},
	} {
		s := &objectStream{num: 7, data: []byte(test.data)}
		if err := s.index(test.n, test.first); (err == nil) != test.ok {
			t.Errorf("%q with N %d, First %d: %v", test.data, test.n, test.first, err)
		}
	}
}

func TestBombs(t *testing.T) {
	t.Parallel()
	zeros := make([]byte, 2<<20)
	once := pdftest.Deflate(zeros)
	bomb := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{
		4: pdftest.Stream("/Filter/FlateDecode", once),
		5: pdftest.Stream("/Filter[/FlateDecode/FlateDecode]", pdftest.Deflate(once)),
	}), "")
	f, err := Open(bytes.NewReader(bomb), int64(len(bomb)), Limits{Inflated: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	o, err := f.Get(Ref{4, 0})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Decoded(o.(*Stream), 1<<20); KindOf(err) != Limit {
		t.Errorf("more than asked for: %v", err)
	}
	if o, err = f.Get(Ref{5, 0}); err != nil {
		t.Fatal(err)
	}
	r, err := f.Decode(o.(*Stream))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatalf("within the account: %v", err)
	}
	if r, err = f.Decode(o.(*Stream)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); KindOf(err) != Limit {
		t.Errorf("beyond the account of the file: %v", err)
	}
}

// failing fails at a given offset, as a broken disk does.
type failing struct {
	io.ReaderAt
	at int64
}

var errDisk = errors.New("disk failure")

func (r failing) ReadAt(p []byte, off int64) (int, error) {
	if off <= r.at && r.at < off+int64(len(p)) {
		return 0, errDisk
	}
	return r.ReaderAt.ReadAt(p, off)
}

func TestReaderFailures(t *testing.T) {
	t.Parallel()
	data := pdftest.Table(pdftest.Minimal(), "")
	for at := range int64(len(data)) {
		_, err := Open(failing{bytes.NewReader(data), at}, int64(len(data)), Limits{})
		if KindOf(err) != Unreadable || !errors.Is(err, errDisk) {
			t.Fatalf("failure at %d: %v", at, err)
		}
	}
	_, err := Open(bytes.NewReader(data), int64(len(data))+5, Limits{})
	if KindOf(err) != Truncated {
		t.Errorf("a reader that is shorter than it says: %v", err)
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	data := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{4: "<</A[<</V 1>>]/V <</Contents <AB CD>>>/B 2>>"}), "")
	f := openFile(t, data)
	s, err := f.Span(Ref{4, 0}, "V", "Contents")
	if err != nil || string(data[s.From:s.To]) != "<AB CD>" {
		t.Errorf("span %v is %q, %v", s, data[s.From:s.To], err)
	}
	if _, err := f.Span(Ref{4, 0}, "Contents"); KindOf(err) != Malformed {
		t.Errorf("an entry that is not there: %v", err)
	}
	packed := openFile(t, pdftest.Streams(pdftest.Minimal(), "", 2, 3))
	if _, err := packed.Span(Ref{3, 0}, "Type"); KindOf(err) != Malformed {
		t.Errorf("an object in an object stream: %v", err)
	}
}

func TestPublicKeyHandler(t *testing.T) {
	t.Parallel()
	data := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{4: pdftest.Stream("", []byte("x"))}), "/Encrypt<</Filter/Adobe.PubSec/V 4>>")
	f := openFile(t, data)
	if !f.Encrypted() || KindOf(f.Locked()) != Unsupported {
		t.Fatalf("not recognised: %v", f.Locked())
	}
	o, err := f.Get(Ref{4, 0})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Decoded(o.(*Stream), 10); KindOf(err) != Unsupported {
		t.Errorf("a stream was decoded: %v", err)
	}
	if _, err := NewUpdate(f); KindOf(err) != Unsupported {
		t.Errorf("an update was begun: %v", err)
	}
	if _, err := OpenWith(bytes.NewReader(data), int64(len(data)), Limits{}, "x"); KindOf(err) != Unsupported {
		t.Errorf("opened with a password: %v", err)
	}
}

func TestInheritedPageAttributes(t *testing.T) {
	t.Parallel()
	f := openFile(t, pdftest.Table(pdftest.Objects{
		1: "<</Type/Catalog/Pages 2 0 R>>",
		2: "<</Type/Pages/Kids[3 0 R 5 0 R]/Count 2/Rotate 90/MediaBox[0 0 1 1]>>",
		3: "<</Type/Pages/Kids[4 0 R]/Count 1/Rotate 180>>",
		4: "<</Type/Page/Parent 3 0 R/MediaBox[0 0 2 2]>>",
		5: "<</Type/Page/Parent 2 0 R>>",
	}, ""))
	var got []string
	for p, err := range f.Pages() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(p.Ref, p.Inherited["Rotate"], p.Inherited["MediaBox"]))
	}
	want := "[4 0 R 180 [0 0 2 2] 5 0 R 90 [0 0 1 1]]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	for range f.Pages() {
		break // stopping early must not call back again
	}
}

// TestTrailersTogether: trailers that are small enough one by one are refused when there are too many of them.
func TestTrailersTogether(t *testing.T) {
	t.Parallel()
	more := "/X(" + strings.Repeat("a", maxTrailers/2) + ")"
	doc := pdftest.Table(pdftest.Minimal(), more)
	openFile(t, doc)
	prev, at := bytes.LastIndex(doc, []byte("xref\n0 4")), len(doc)
	doc = fmt.Appendf(doc, "xref\n0 0\ntrailer\n<</Size 4/Root 1 0 R/Prev %d%s>>\nstartxref\n%d\n%%%%EOF\n", prev, more, at)
	if _, err := Open(bytes.NewReader(doc), int64(len(doc)), Limits{}); KindOf(err) != Limit {
		t.Errorf("two tables: %v", err)
	}
	doc = pdftest.Hybrid(pdftest.Minimal(), more, 2)
	if _, err := Open(bytes.NewReader(doc), int64(len(doc)), Limits{}); KindOf(err) != Limit {
		t.Errorf("hybrid: %v", err)
	}
}
