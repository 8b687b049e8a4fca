package pades_test

import (
	"bytes"
	"crypto"
	"fmt"
	"strings"
	"testing"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

// TestPlantedPlaceholder: a document that holds the bytes of a signature's place is signed in the right one.
func TestPlantedPlaceholder(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	trap := "/ByteRange [" + strings.Repeat(" ", 50) + "]/Contents <" + strings.Repeat("0", 4000) + ">"
	doc := sign(t, pdftest.Table(pdftest.Minimal().With(pdftest.Objects{4: "<<" + trap + ">>"}), ""), id, nil, nil)
	list := signatures(t, doc)
	if len(list) != 1 {
		t.Fatalf("%d signatures", len(list))
	}
	verify(t, &list[0])
	if !bytes.Contains(doc, []byte(trap)) {
		t.Error("the trap was filled in")
	}
}

func TestChangedByteIsNoticed(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := sign(t, pdftest.Table(pdftest.Minimal(), ""), id, nil, nil)
	s := signatures(t, bytes.Replace(doc, []byte("200 100"), []byte("200 900"), 1))[0]
	sd, err := cms.ParseBytes(s.CMS, cms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sd.Signers[0].Verify(s.ContentDigest); cms.KindOf(err) != cms.Mismatch {
		t.Errorf("a changed document: %v", err)
	}
}

// TestForgedDictionaries edits the signature dictionary of a signed document, keeping all offsets.
func TestForgedDictionaries(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := sign(t, pdftest.Table(pdftest.Minimal(), ""), id, nil, nil)
	b := signatures(t, doc)[0].ByteRange
	at := bytes.LastIndex(doc, []byte("/ByteRange ["))
	setRange := func(v ...int64) []byte {
		out := bytes.Clone(doc)
		text := fmt.Sprintf("%-63s]", "["+strings.Trim(fmt.Sprint(v), "[]"))
		copy(out[at+len("/ByteRange "):], text)
		return out
	}
	edit := func(old, new string) []byte {
		if len(old) != len(new) || !bytes.Contains(doc, []byte(old)) {
			t.Fatalf("%q cannot become %q", old, new)
		}
		return bytes.Replace(doc, []byte(old), []byte(new), 1)
	}
	spaced := bytes.Clone(doc)
	spaced[b[2]-2], spaced[b[2]-3] = ' ', ' '
	for name, data := range map[string][]byte{
		"begins later":        setRange(1, b[1]-1, b[2], b[3]),
		"gap too wide":        setRange(0, b[1]-4, b[2], b[3]),
		"gap too wide behind": setRange(0, b[1], b[2]+2, b[3]-2),
		"gap too narrow":      setRange(0, b[1]+1, b[2], b[3]),
		"ends early":          setRange(0, b[1], b[2], b[3]-20),
		"ends late":           setRange(0, b[1], b[2], b[3]+1),
		"negative":            setRange(0, b[1], b[2], -1),
		"overflow":            setRange(0, b[1], b[2], 1<<62),
		"backwards":           setRange(0, b[2], b[1], b[3]),
		"one range":           setRange(0, b[1]),
		"three ranges":        setRange(0, b[1], b[2], b[3], 0, 0),
		"no range":            edit("/ByteRange", "/ByteRangf"),
		"no contents":         edit("/Contents <", "/Kontents <"),
		"space in contents":   spaced,
	} {
		list := signatures(t, data)
		if len(list) != 1 {
			t.Errorf("%s: %d signatures", name, len(list))
			continue
		}
		if s := list[0]; pades.KindOf(s.Err) != pades.Malformed || s.Covers != pades.Part {
			t.Errorf("%s: covers %s, error %v", name, s.Covers, s.Err)
		} else if _, err := s.ContentDigest(crypto.SHA256); err == nil {
			t.Errorf("%s: has a digest all the same", name)
		}
	}
}

// TestLaterRevision: what is appended after a signature does not break it, and is told.
func TestLaterRevision(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := sign(t, bytes.TrimRight(pdftest.Table(pdftest.Minimal(), ""), "\n"), id, nil, nil)
	f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := pdf.NewUpdate(f)
	if err != nil {
		t.Fatal(err)
	}
	u.Add(pdf.String("later"))
	tail, err := u.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s := signatures(t, append(doc, tail...))[0]
	verify(t, &s)
	if s.Covers != pades.WholeRevision || s.Revision != 1 || s.Later != 1 {
		t.Errorf("covers %s, revision %d, %d later", s.Covers, s.Revision, s.Later)
	}
	if _, err := pades.Signatures(bytes.NewReader(append(doc, 'x')), int64(len(doc))+1); pades.KindOf(err) != pades.Malformed {
		t.Errorf("bytes after the end: %v", err)
	}
}

// TestOddFields: values that are no signature dictionary, or lie where no signature can be, are told and not followed.
func TestOddFields(t *testing.T) {
	t.Parallel()
	with := func(field, value string, inside ...int) []byte {
		return pdftest.Streams(formDocument(pdftest.Objects{5: field, 8: value}), "", inside...)
	}
	const field = "<</FT/Sig/T(a)/V 8 0 R>>"
	const value = "<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 1 2 3]/Contents<3000>>>"
	for name, doc := range map[string][]byte{
		"integer":             with(field, "17"),
		"in an object stream": with(field, value, 8),
		"contents elsewhere":  with(field, "<</Contents 7 0 R/ByteRange[0 1 2 3]>>"),
		"direct":              with("<</FT/Sig/T(a)/V"+value+">>", "null"),
	} {
		list := signatures(t, doc)
		if len(list) != 1 || pades.KindOf(list[0].Err) != pades.Malformed {
			t.Errorf("%s: %+v", name, list)
		}
	}
	if list := signatures(t, with("<</FT/Sig/T(a)>>", "null")); len(list) != 0 {
		t.Errorf("an empty field is a signature: %+v", list)
	}
	if _, err := pades.Signatures(bytes.NewReader(read(t, "cifrato.pdf")), int64(len(read(t, "cifrato.pdf")))); pades.KindOf(err) != pades.Encrypted {
		t.Errorf("encrypted: %v", err)
	}
}

// TestSharedValue: a signature that is the value of two fields proves nothing about either.
func TestSharedValue(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	one := sign(t, pdftest.Table(pdftest.Minimal(), ""), id, nil, nil)
	f, err := pdf.Open(bytes.NewReader(one), int64(len(one)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := pdf.NewUpdate(f)
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := f.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	form, _, err := pdf.As[pdf.Dict](f, catalog["AcroForm"])
	if err != nil {
		t.Fatal(err)
	}
	fields, _, err := pdf.As[pdf.Array](f, form["Fields"])
	if err != nil {
		t.Fatal(err)
	}
	first, _, err := pdf.As[pdf.Dict](f, fields[0])
	if err != nil {
		t.Fatal(err)
	}
	second := u.Add(pdf.Dict{"FT": pdf.Name("Sig"), "T": pdf.String("other"), "V": first["V"]})
	form = form.Clone()
	form["Fields"] = pdf.Array{fields[0], second}
	catalog = catalog.Clone()
	catalog["AcroForm"] = form
	u.Set(f.Root(), catalog)
	tail, err := u.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	list := signatures(t, append(one, tail...))
	if len(list) != 2 {
		t.Fatalf("%d signatures", len(list))
	}
	for _, s := range list {
		if pades.KindOf(s.Err) != pades.Malformed || s.Covers != pades.Part {
			t.Errorf("%s: covers %s, error %v", s.Field, s.Covers, s.Err)
		}
	}
}

// counting counts the bytes that are read.
type counting struct {
	*bytes.Reader
	n int
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.Reader.ReadAt(p, off)
	c.n += n
	return n, err
}

// TestDigestOnce: what the signatures of a file have in common is read once, whatever the order of asking.
func TestDigestOnce(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := pdftest.Table(pdftest.Minimal(), "")
	for range 10 {
		doc = sign(t, doc, id, nil, nil)
	}
	for _, first := range []int{0, 9, 4} {
		r := &counting{Reader: bytes.NewReader(doc)}
		list, err := pades.Signatures(r, int64(len(doc)))
		if err != nil {
			t.Fatal(err)
		}
		before := r.n
		for i := range list {
			if err := list[(first+i)%len(list)].Verify(); err != nil {
				t.Fatal(err)
			}
		}
		if read := r.n - before; read > 2*len(doc) {
			t.Errorf("%d bytes were read for %d signatures in %d bytes", read, len(list), len(doc))
		}
		before = r.n
		one, err := list[0].ContentDigest(crypto.SHA256)
		again, err2 := list[0].ContentDigest(crypto.SHA256)
		if err != nil || err2 != nil || !bytes.Equal(one, again) || r.n != before {
			t.Errorf("asked again: %x and %x, %d more bytes read", one, again, r.n-before)
		}
		if other, err := list[0].ContentDigest(crypto.SHA512); err != nil || len(other) != 64 {
			t.Errorf("another hash: %x, %v", other, err)
		}
	}
}

// TestManyRanges: signatures that each leave out another place near the beginning of a large file do not cost a digest of all of it each.
func TestManyRanges(t *testing.T) {
	t.Parallel()
	const n = 200
	objects := formDocument(nil)
	fields := ""
	for i := range n {
		fields += fmt.Sprintf("%d 0 R ", 10+i)
		objects[10+i] = fmt.Sprintf("<</FT/Sig/T(s%d)/V %d 0 R>>", i, 1000+i)
		objects[1000+i] = "<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/ByteRange[0 AAAAAAAA BBBBBBBB CCCCCCCC]/Contents<3000>>>"
	}
	objects[4] = "<</Fields[" + fields + "]>>"
	objects[2000] = pdftest.Stream("", make([]byte, 2<<20))
	doc := pdftest.Table(objects, "")
	for at := 0; ; {
		i := bytes.Index(doc[at:], []byte("AAAAAAAA"))
		if i < 0 {
			break
		}
		at += i
		open := at + bytes.IndexByte(doc[at:], '<')
		copy(doc[at:], fmt.Sprintf("%8d %8d %8d", open, open+6, len(doc)-open-6))
	}
	list := signatures(t, doc)
	good, limited := 0, 0
	for i := range list {
		switch _, err := list[i].ContentDigest(crypto.SHA256); {
		case err == nil:
			good++
		case pades.KindOf(err) == pades.Limit:
			limited++
		default:
			t.Fatal(err)
		}
	}
	if len(list) != n || good == 0 || good > 50 || good+limited != n {
		t.Errorf("%d signatures, %d digests, %d refused", len(list), good, limited)
	}
}

// TestFormLimits: forms that cost more than they have bytes.
func TestFormLimits(t *testing.T) {
	t.Parallel()
	many := pdftest.Objects{}
	list := func(n int, field func(i int) string) string {
		var kids strings.Builder
		for i := range n {
			fmt.Fprintf(&kids, "%d 0 R ", 10+i)
			many[10+i] = field(i)
		}
		return kids.String()
	}
	refused := func(name string, doc []byte, kind pades.Kind) {
		t.Helper()
		if _, err := pades.Signatures(bytes.NewReader(doc), int64(len(doc))); pades.KindOf(err) != kind {
			t.Errorf("%s: %v, want %q", name, err, kind)
		}
	}
	signed := func(i int) string { return fmt.Sprintf("<</FT/Sig/T(s%d)/V<<>>>>", i) }
	for n, kind := range map[int]pades.Kind{1000: "", 1001: pades.Limit} {
		clear(many)
		fields := list(n, signed)
		refused(fmt.Sprint(n, " signatures"), pdftest.Table(formDocument(many).With(pdftest.Objects{4: "<</Fields[" + fields + "]>>"}), ""), kind)
	}
	clear(many)
	kids := list(10, func(i int) string { return fmt.Sprintf("<</T(%d)>>", i) })
	refused("names", pdftest.Table(formDocument(many).With(pdftest.Objects{
		5: "<</T(" + strings.Repeat("a", 1<<20) + ")/Kids[" + kids + "]>>"}), ""), pades.Limit)
	refused("widgets", pdftest.Table(formDocument(pdftest.Objects{
		5: "<</T(a)/Kids[" + strings.Repeat("8 0 R ", 100_001) + "]>>", 8: "<<>>"}), ""), pades.Limit)
	clear(many)
	fields := list(300, func(i int) string { return fmt.Sprintf("<</FT/Sig/T(s%d)/V<<>>/Lock 9 0 R>>", i) })
	many[9] = "<</Action/Include/Fields[" + strings.Repeat("()", 1000) + "]>>"
	refused("a shared lock", pdftest.Table(formDocument(many).With(pdftest.Objects{4: "<</Fields[" + fields + "]>>"}), ""), pades.Limit)
	refused("nested in strings", nestedFields(40, 4<<20), pades.Limit)
}

// nestedFields is a document of n fields, each in a string of the one before, the innermost with size bytes.
func nestedFields(n, size int) []byte {
	var inner strings.Builder
	fields := ""
	for i := range n {
		fields += fmt.Sprintf("%d 0 R ", 6+i)
		fmt.Fprintf(&inner, "\n%d 0 obj<</FT/Tx/T(f%d)/X(", 6+i, i)
	}
	text := inner.String() + strings.Repeat("a", size) + strings.Repeat(")>>endobj ", n)
	doc := []byte("%PDF-1.7\n")
	at := []int{}
	for i, o := range []string{"<</Type/Catalog/Pages 2 0 R/AcroForm 4 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>",
		"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<<>>>>", "<</Fields[" + fields + "]>>", "null"} {
		at = append(at, len(doc))
		doc = fmt.Appendf(doc, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	for i := range n {
		at = append(at, len(doc)+strings.Index(text, fmt.Sprintf("\n%d 0 obj", 6+i))+1)
	}
	doc = append(doc, text...)
	xref := len(doc) + 1
	doc = fmt.Appendf(doc, "\nxref\n0 %d\n0000000000 65535 f \n", len(at)+1)
	for _, off := range at {
		doc = fmt.Appendf(doc, "%010d 00000 n \n", off)
	}
	return fmt.Appendf(doc, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n", len(at)+1, xref)
}
