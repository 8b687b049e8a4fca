package cades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"testing"

	"sigillo/formats/cades"
	"sigillo/formats/cms"
	"sigillo/formats/internal/meter"
)

// BenchmarkStream2GB signs 2 GB detached and verifies it, then attached, raised
// to B-LTA and verified, and tells the memory that takes beside the idle process.
func BenchmarkStream2GB(b *testing.B) {
	const size = 2 << 30
	p := at(b)
	id := p.Signer(b, "p256")
	doc := pattern(size)
	p.large(1 << 20) // what is loaded once is loaded now
	digest := sha256.New()
	if _, err := io.Copy(digest, io.NewSectionReader(doc, 0, size)); err != nil {
		b.Fatal(err)
	}
	detached := func() {
		prepared, err := cades.Prepare(doc, size, p.options(id, true))
		sd, err := cms.ParseBytes(p.finish(id, prepared, err, nil), cms.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		if err := sd.Signers[0].Verify(func(crypto.Hash) ([]byte, error) { return digest.Sum(nil), nil }); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		for _, c := range []struct {
			figure string
			run    func()
		}{{"cades.detached.2gb.peak-rss", detached}, {"cades.attached.blta.2gb.peak-rss", func() { p.large(size) }}} {
			grew, idle := meter.PeakRSS(c.run)
			meter.Figure(c.figure, float64(grew)/1e6, "MB over idle", "the idle process", float64(idle)/1e6)
		}
	}
}

// BenchmarkCAdES signs 1 MB in memory at level B-B. What is written goes nowhere:
// what that costs is another's. The floor is the digest of the data and the bare
// signature.
func BenchmarkCAdES(b *testing.B) {
	for _, key := range []string{"p256", "rsa2048"} {
		b.Run(key+"/attached", func(b *testing.B) { benchmarkCAdES(b, key, "cades", false) })
		b.Run(key+"/detached", func(b *testing.B) { benchmarkCAdES(b, key, "cades.detached", true) })
	}
}

func benchmarkCAdES(b *testing.B, key, figure string, detached bool) {
	p := at(b)
	id := p.Signer(b, key)
	o := p.options(id, detached)
	doc := bytes.NewReader(block)
	ours, floor := meter.Turns(b, func() {
		prepared, err := cades.Prepare(doc, int64(len(block)), o)
		if err != nil {
			b.Fatal(err)
		}
		if err := prepared.Assemble(io.Discard, doc, int64(len(block)), id.Sign(b, prepared), nil); err != nil {
			b.Fatal(err)
		}
	}, func() {
		digest := sha256.Sum256(block)
		if _, err := id.Key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	})
	meter.Figure(figure+".bb.1mb."+key+".cpu", float64(ours)/1e3, "µs", "SHA-256 of the data + signature", float64(floor)/1e3)
}
