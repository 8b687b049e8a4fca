package tsd_test

import (
	"crypto"
	"crypto/sha256"
	"io"
	"testing"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/internal/meter"
	"sigillo/formats/tsd"
)

// BenchmarkEnvelope puts 16 MB into an envelope, read twice as a file is: for the
// imprint, and for the copy, which is digested again. What is written goes nowhere.
// The floor is one SHA-256.
func BenchmarkEnvelope(b *testing.B) {
	const size = 16 << 20
	document := func() io.Reader { r := repeated(size); return &r }
	tsu := cmstest.New(b).TSU(b, "p256")
	p, err := tsd.Prepare(document(), tsd.Options{Hash: crypto.SHA256})
	if err != nil {
		b.Fatal(err)
	}
	token := tsu.Stamp(b, crypto.SHA256, p.Imprint, start)
	ours, floor := meter.Turns(b, func() {
		p, err := tsd.Prepare(document(), tsd.Options{Hash: crypto.SHA256})
		if err != nil {
			b.Fatal(err)
		}
		if err := p.Assemble(io.Discard, document(), token); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, err := io.Copy(sha256.New(), document()); err != nil {
			b.Fatal(err)
		}
	})
	meter.Figure("tsd.16mb.cpu", float64(ours)/1e6, "ms", "one SHA-256 of the data", float64(floor)/1e6)
}
