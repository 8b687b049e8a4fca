package changes_test

import (
	"bytes"
	"crypto"
	"os"
	"slices"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
	"sigillo/formats/pades/changes"
	"sigillo/formats/pdf"
)

// A real document signed twice: the first signature sees a second one, and
// nothing else.
func TestSignedTwice(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../../testdata/documents/contratto.pdf")
	if err != nil {
		t.Fatal(err)
	}
	id := cmstest.New(t).Signer(t, "p256")
	for range 2 {
		doc = signed(t, doc, id)
	}
	f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n := len(f.Revisions())
	for signed, want := range map[int][]changes.Kind{n - 2: {changes.Signature}, n - 1: nil} {
		list, err := changes.Analyse(f, signed)
		if err != nil || !slices.Equal(kinds(list), want) {
			t.Errorf("revision %d of %d: %v %v", signed, n, list, err)
		}
	}
}

func signed(t testing.TB, doc []byte, id *cmstest.Identity) []byte {
	t.Helper()
	size := int64(len(doc))
	p, err := pades.Prepare(bytes.NewReader(doc), size, pades.Options{Certificate: id.Certificate, Chain: id.Chain,
		Hash: crypto.SHA256, SigningTime: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Assemble(&out, bytes.NewReader(doc), size, id.Sign(t, p.CMS), nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkAnalyse reports what a real document of some pages costs.
func BenchmarkAnalyse(b *testing.B) {
	doc, err := os.ReadFile("../../../testdata/documents/contratto.pdf")
	if err != nil {
		b.Fatal(err)
	}
	id := cmstest.New(b).Signer(b, "p256")
	doc = signed(b, signed(b, doc, id), id)
	for b.Loop() {
		f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := changes.Analyse(f, len(f.Revisions())-2); err != nil {
			b.Fatal(err)
		}
	}
}
