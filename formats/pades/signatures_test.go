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
	if _, err := pades.Signatures(bytes.NewReader(append(doc, '\n')), int64(len(doc))+1); pades.KindOf(err) != pades.Malformed {
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

// FuzzSignatures: whatever the bytes, reading signatures ends without a panic, and a signature without an error
// has a gap that is its own hexadecimal string.
func FuzzSignatures(f *testing.F) {
	id := cmstest.New(f).Signer(f, "p256")
	one := sign(f, pdftest.Table(formDocument(nil), ""), id, nil, nil)
	f.Add(one)
	f.Add(sign(f, one, id, nil, nil))
	f.Add(sign(f, pdftest.Streams(pdftest.Minimal(), "", 1, 2, 3), id, nil, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := pades.Signatures(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			if pades.KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		for _, s := range list {
			if s.Err != nil {
				if pades.KindOf(s.Err) == "" {
					t.Fatalf("an error without a kind: %v", s.Err)
				}
				continue
			}
			b := s.ByteRange
			if b[0] != 0 || data[b[1]] != '<' || data[b[2]-1] != '>' || s.Covers == pades.Part {
				t.Fatalf("accepted %+v", s)
			}
			if _, err := s.ContentDigest(crypto.SHA256); err != nil {
				t.Fatal(err)
			}
		}
	})
}
