package pdf

import (
	"bytes"
	"testing"

	"sigillo/formats/pdf/pdftest"
)

// FuzzOpen: whatever the bytes, reading everything ends, without a panic and within small limits. What opens can be
// updated, and the result opens too. The committed seeds are files encrypted in each way, with an empty user password.
func FuzzOpen(f *testing.F) {
	for _, data := range forms() {
		f.Add(data)
	}
	seed, _ := update(f, forms()["hybrid"], "x")
	f.Add(seed)
	filters := "/Filter[/ASCIIHexDecode/LZWDecode/RunLengthDecode/ASCII85Decode]/DecodeParms[null<</Predictor 12/Columns 3>>]"
	f.Add(pdftest.Streams(pdftest.Minimal().With(pdftest.Objects{4: pdftest.Stream(filters, []byte("00>"))}), "", 1, 2, 3))
	f.Add([]byte("%PDF-1.4\n1 0 obj<</Linearized 1>>endobj\nxref\n0 0\ntrailer<</Size 1>>startxref 0 %%EOF"))
	limits := Limits{Objects: 5000, Revisions: 10, Depth: 50, ObjectBytes: 1 << 16, ObjectItems: 5000, ObjectStream: 1 << 18, Inflated: 1 << 20, Pages: 100}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(bytes.NewReader(data), int64(len(data)), limits)
		if err != nil {
			if KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		for ref := range file.Objects() {
			o, err := file.Get(ref)
			if err == nil {
				if s, ok := o.(*Stream); ok {
					_, err = file.Decoded(s, 1<<18)
				}
			}
			if err != nil && KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
		}
		_, _ = file.PageCount()
		for i := range file.Revisions() {
			if _, err := file.At(i); err != nil && KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
		}
		u, err := NewUpdate(file)
		if err != nil {
			return
		}
		added := u.Add(Array{String("new"), String("")})
		tail, err := u.Bytes()
		if err != nil {
			return
		}
		limits := limits
		limits.Objects, limits.Revisions = limits.Objects+10, limits.Revisions+1
		data = append(bytes.Clone(data), tail...)
		again, err := Open(bytes.NewReader(data), int64(len(data)), limits)
		if err != nil {
			t.Fatalf("the updated file does not open: %v", err)
		}
		o, err := again.Get(added)
		if a, ok := o.(Array); err != nil || !ok || len(a) != 2 || string(a[0].(String)) != "new" {
			t.Fatalf("the new object is %v, %v", o, err)
		}
	})
}

// FuzzObject: every object that is read is written so that it reads the same.
func FuzzObject(f *testing.F) {
	for _, s := range []string{"<</A[1 2.5(x)<41>/B#20 true null 3 0 R]>>", "(\\101\\\n(a))", "-.5", "-.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := parseText(text)
		if err != nil {
			return
		}
		e := &encoder{}
		if err := e.object(o, 0); err != nil {
			t.Fatal(err)
		}
		again, err := parseText(string(e.out))
		if err != nil {
			t.Fatalf("%q was written as %q: %v", text, e.out, err)
		}
		twice := &encoder{}
		if err := twice.object(again, 0); err != nil || !bytes.Equal(e.out, twice.out) {
			t.Fatalf("%q was written as %q, then as %q", text, e.out, twice.out)
		}
	})
}
