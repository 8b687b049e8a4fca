package c14n

import (
	"bytes"
	"testing"
)

// FuzzParse: no input may panic, the parts are where the tree says, and the
// canonical form of a canonical form is itself.
func FuzzParse(f *testing.F) {
	for seed := range int64(40) {
		f.Add(generate(seed, true))
	}
	f.Add([]byte("<!DOCTYPE a><a/>"))
	f.Add([]byte("<a xmlns:p='u:p' p:b='&#xD;'/>"))
	f.Add([]byte("<?xml version='1.0' encoding='ISO-8859-1'?><a b='\xe8'>\xe9</a>"))
	f.Add([]byte("\xff\xfe<\x00a\x00>\x00\xac\x20<\x00/\x00a\x00>\x00"))
	f.Fuzz(func(t *testing.T, doc []byte) {
		d, err := Parse(doc)
		if err != nil {
			return
		}
		if whole, err := Encode(d.Encoding(), "<"); err != nil || !bytes.HasPrefix(doc[d.Root.Start:d.Root.End], whole) {
			t.Fatalf("the root of %q is at %q", doc, doc[d.Root.Start:d.Root.End])
		}
		for _, a := range []Algorithm{C14N10, C14N11WithComments, ExclusiveWithComments} {
			var first, second bytes.Buffer
			if err := Canonicalize(&first, d.Node, a, Options{}); err != nil {
				return
			}
			again, err := Parse(first.Bytes())
			if err != nil {
				t.Fatalf("%s of %q is %q: %v", a, doc, first.String(), err)
			}
			if err := Canonicalize(&second, again.Node, a, Options{}); err != nil || first.String() != second.String() {
				t.Fatalf("%s is not idempotent: %q, then %q, %v", a, first.String(), second.String(), err)
			}
		}
	})
}

// FuzzCanonicalize: the canonical form of any element, with another left out,
// is a document, and has its own canonical form.
func FuzzCanonicalize(f *testing.F) {
	for seed := range int64(20) {
		f.Add(generate(seed, true), uint8(seed), uint8(seed+2))
	}
	f.Fuzz(func(t *testing.T, doc []byte, apex, without uint8) {
		d, err := Parse(doc)
		if err != nil {
			return
		}
		all := elements(d)
		n, out := all[int(apex)%len(all)], all[int(without)%len(all)]
		if n == out {
			return
		}
		for _, a := range []Algorithm{C14N10WithComments, C14N11, Exclusive} {
			var first, second bytes.Buffer
			if err := Canonicalize(&first, n, a, Options{Exclude: func(e *Node) bool { return e == out }}); err != nil {
				return
			}
			if first.Len() == 0 {
				return // all of it is left out
			}
			again, err := Parse(first.Bytes())
			if err != nil {
				t.Fatalf("%s of %q is %q: %v", a, doc, first.String(), err)
			}
			if err := Canonicalize(&second, again.Root, a, Options{}); err != nil || first.String() != second.String() {
				t.Fatalf("%s is not idempotent: %q, then %q, %v", a, first.String(), second.String(), err)
			}
		}
	})
}
