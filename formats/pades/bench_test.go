package pades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
)

// BenchmarkPAdES signs a document of 1 MB at level B-B. It reports how many times longer that takes than its floor, the SHA-256 of
// the document and the bare signature. Both take turns in one loop and their medians are compared, so that other load on the machine
// weighs little.
func BenchmarkPAdES(b *testing.B) {
	pki := cmstest.New(b)
	path := filepath.Join(b.TempDir(), "in.pdf")
	writeLarge(b, path, 1)
	doc, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	for _, key := range []string{"rsa2048", "p256"} {
		b.Run(key, func(b *testing.B) {
			id := pki.Signer(b, key)
			o := pades.Options{Certificate: id.Certificate, Chain: id.Chain, Hash: crypto.SHA256, SigningTime: when}
			var floors, ours []time.Duration
			b.SetBytes(int64(len(doc)))
			b.ReportAllocs()
			for b.Loop() {
				started := time.Now()
				digest := sha256.Sum256(doc)
				if _, err := id.Key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
				between := time.Now()
				p, err := pades.Prepare(bytes.NewReader(doc), int64(len(doc)), o)
				if err != nil {
					b.Fatal(err)
				}
				signature := id.Sign(b, p)
				if err := p.Assemble(io.Discard, bytes.NewReader(doc), int64(len(doc)), signature, nil); err != nil {
					b.Fatal(err)
				}
				floors, ours = append(floors, between.Sub(started)), append(ours, time.Since(between))
			}
			slices.Sort(floors)
			slices.Sort(ours)
			floor, our := floors[len(floors)/2], ours[len(ours)/2]
			b.ReportMetric(float64(floor), "ns/floor")
			b.ReportMetric(float64(our), "ns/signature")
			b.ReportMetric(float64(our)/float64(floor), "x-floor")
		})
	}
}
