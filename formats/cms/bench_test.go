package cms_test

import (
	"crypto"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/cms/cmstest"
)

// BenchmarkSign reports how many times longer preparing, signing and assembling
// takes than the bare signature. Both take turns in one loop and their medians are
// compared, so that other load on the machine weighs little.
func BenchmarkSign(b *testing.B) {
	id := cmstest.New(b).Signer(b, "p256")
	digest := sum(crypto.SHA256, []byte("x"))
	o := id.Options(crypto.SHA256)
	o.SigningTime = time.Now()
	var whole, bare []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		p, err := cms.Prepare(digest, o)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Assemble(id.Sign(b, p), nil); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		if _, err := id.Key.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
		whole, bare = append(whole, middle.Sub(start)), append(bare, time.Since(middle))
	}
	slices.Sort(whole)
	slices.Sort(bare)
	w, s := whole[len(whole)/2], bare[len(bare)/2]
	b.ReportMetric(float64(w), "ns/message")
	b.ReportMetric(float64(s), "ns/bare-signature")
	b.ReportMetric(float64(w)/float64(s), "x-bare-signature")
}

func BenchmarkParseAndVerify(b *testing.B) {
	der := signed(b, cmstest.New(b).Signer(b, "p256"), []byte("x"), nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := verify(b, der, []byte("x")); err != nil {
			b.Fatal(err)
		}
	}
}
