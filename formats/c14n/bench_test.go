package c14n

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"sigillo/formats/internal/meter"
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

// BenchmarkCanonicalize tells the rate of parsing and of each algorithm over a
// large invoice, in bytes of the document, beside encoding/xml, which only cuts
// into tokens, and goxmldsig.
func BenchmarkCanonicalize(b *testing.B) {
	doc := bigInvoice(b, 1<<20)
	tree, err := Parse(doc)
	if err != nil {
		b.Fatal(err)
	}
	other := etree.NewDocument()
	if err := other.ReadFromBytes(doc); err != nil {
		b.Fatal(err)
	}
	rate := func(figure, with string, own, peer func() error) {
		b.Run(figure, func(b *testing.B) {
			work := func(f func() error) func() {
				return func() {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
			}
			ours, theirs := meter.Turns(b, work(own), work(peer))
			mb := float64(len(doc)) / 1e6
			meter.Figure("c14n."+figure+".mbps", mb/ours.Seconds(), "MB/s", with, mb/theirs.Seconds())
		})
	}
	rate("parse", "encoding/xml, tokens", func() error {
		_, err := Parse(doc)
		return err
	}, func() error { return tokens(doc) })
	for _, c := range []struct {
		name string
		alg  Algorithm
		peer dsig.Canonicalizer
	}{
		{"1.0", C14N10, dsig.MakeC14N10RecCanonicalizer()},
		{"1.0-comments", C14N10WithComments, dsig.MakeC14N10WithCommentsCanonicalizer()},
		{"1.1", C14N11, dsig.MakeC14N11Canonicalizer()},
		{"1.1-comments", C14N11WithComments, dsig.MakeC14N11WithCommentsCanonicalizer()},
		{"exclusive", Exclusive, dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")},
		{"exclusive-comments", ExclusiveWithComments, dsig.MakeC14N10ExclusiveWithCommentsCanonicalizerWithPrefixList("")},
	} {
		rate(c.name, "goxmldsig", func() error { return Canonicalize(io.Discard, tree.Node, c.alg, Options{}) }, func() error {
			_, err := c.peer.Canonicalize(other.Root())
			return err
		})
	}
}

func tokens(doc []byte) error {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
