package c14n

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// bigInvoice is the sample invoice with its lines repeated until it has about
// n bytes: what a large monthly invoice looks like.
func bigInvoice(t testing.TB, n int) []byte {
	t.Helper()
	doc, err := os.ReadFile("../../testdata/documents/fattura.xml")
	if err != nil {
		t.Fatal(err)
	}
	const open, end = "<DettaglioLinee>", "</DettaglioLinee>"
	s := string(doc)
	i, j := strings.Index(s, open), strings.Index(s, end)
	if i < 0 || j < i {
		t.Fatal("the sample invoice has no lines")
	}
	line := s[i : j+len(end)]
	return []byte(s[:i] + strings.Repeat(line+"\n      ", 1+n/len(line)) + s[i:])
}

// BenchmarkCanonicalize is the rate of each algorithm over a large invoice, in
// bytes of the document, without and with the time to parse it.
func BenchmarkCanonicalize(b *testing.B) {
	doc := bigInvoice(b, 4<<20)
	tree, err := Parse(doc)
	if err != nil {
		b.Fatal(err)
	}
	for _, a := range []Algorithm{C14N10, C14N10WithComments, C14N11, C14N11WithComments, Exclusive, ExclusiveWithComments} {
		name := string(a[strings.LastIndexByte(string(a[:len(a)-1]), '/')+1:])
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(doc)))
			for b.Loop() {
				if err := Canonicalize(io.Discard, tree.Node, a, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			if _, err := Parse(doc); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse+xml-c14n11", func(b *testing.B) {
		b.SetBytes(int64(len(doc)))
		for b.Loop() {
			tree, err := Parse(doc)
			if err != nil {
				b.Fatal(err)
			}
			var out bytes.Buffer
			if err := Canonicalize(&out, tree.Node, C14N11, Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
