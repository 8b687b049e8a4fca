package pades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/internal/meter"
	"sigillo/formats/pades"
)

// BenchmarkPAdES signs a document of 1 MB in memory at level B-B. What is written goes nowhere: what that costs is another's. The
// floor is the SHA-256 of the document and the bare signature.
func BenchmarkPAdES(b *testing.B) {
	pki := cmstest.New(b)
	path := filepath.Join(b.TempDir(), "in.pdf")
	writeLarge(b, path, 1)
	doc, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	for _, key := range []string{"p256", "rsa2048"} {
		b.Run(key, func(b *testing.B) {
			id := pki.Signer(b, key)
			o := pades.Options{Certificate: id.Certificate, Chain: id.Chain, Hash: crypto.SHA256, SigningTime: when}
			ours, floor := meter.Turns(b, func() {
				p, err := pades.Prepare(bytes.NewReader(doc), int64(len(doc)), o)
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Assemble(io.Discard, bytes.NewReader(doc), int64(len(doc)), id.Sign(b, p), nil); err != nil {
					b.Fatal(err)
				}
			}, func() {
				digest := sha256.Sum256(doc)
				if _, err := id.Key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			})
			meter.Figure("pades.bb.1mb."+key+".cpu", float64(ours)/1e3, "µs", "SHA-256 of the data + signature", float64(floor)/1e3)
		})
	}
}

// BenchmarkBigPDF signs a document of 500 MB, reads the signature back, and raises it to level B-LTA, from file to file. It tells
// the memory that takes beside the idle process.
func BenchmarkBigPDF(b *testing.B) {
	dir := b.TempDir()
	name := func(s string) string { return filepath.Join(dir, s) }
	pki := cmstest.New(b)
	id, tsu, e := pki.Signer(b, "p256"), pki.TSU(b, "p256"), pki.Evidence(b, when)
	signFile(b, name("small"), name("small.out"), writeLarge(b, name("small"), 1), id) // what is loaded once is loaded now
	size := writeLarge(b, name("large"), 500)
	for b.Loop() {
		for _, c := range []struct {
			figure string
			run    func()
		}{
			{"pades.500mb.peak-rss", func() { signFile(b, name("large"), name("signed"), size, id) }},
			{"pades.blta.500mb.peak-rss", func() { archiveFile(b, name("signed"), name("archived"), tsu, e) }},
		} {
			grew, idle := meter.PeakRSS(c.run)
			meter.Figure(c.figure, float64(grew)/1e6, "MB over idle", "the idle process", float64(idle)/1e6)
		}
	}
}
