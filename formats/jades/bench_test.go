package jades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"testing"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/internal/meter"
	"sigillo/formats/jades"
)

// BenchmarkSign makes B-B signatures of 1 MB in memory; the floor is the SHA-256
// of its base64url, which is what is signed (TS 119 182-1 §5.2.8.3), and the bare
// signature.
func BenchmarkSign(b *testing.B) {
	pki := cmstest.New(b)
	id := pki.Signer(b, "p256")
	data := make([]byte, 1<<20)
	rand.Read(data)
	for _, packaging := range []jades.Packaging{jades.Enveloping, jades.Detached} {
		b.Run(string(packaging), func(b *testing.B) {
			o := options(id)
			o.Packaging = packaging
			ours, floor := meter.Turns(b, func() {
				p, err := jades.Prepare(bytes.NewReader(data), int64(len(data)), o)
				if err != nil {
					b.Fatal(err)
				}
				sig, err := id.Key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Assemble(io.Discard, bytes.NewReader(data), int64(len(data)), sig, nil); err != nil {
					b.Fatal(err)
				}
			}, func() {
				h := sha256.New()
				e := base64.NewEncoder(base64.RawURLEncoding, h)
				e.Write(data)
				e.Close()
				if _, err := id.Key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			})
			meter.Figure("jades."+string(packaging)+".bb.1mb.p256.cpu", float64(ours)/1e3, "µs", "SHA-256 of base64url + signature", float64(floor)/1e3)
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	pki := cmstest.New(b)
	id := pki.Signer(b, "p256")
	file := sign(b, pki, id, options(id), make([]byte, 1<<20))
	b.SetBytes(1 << 20)
	for b.Loop() {
		if err := read(b, file)[0].Verify(); err != nil {
			b.Fatal(err)
		}
	}
}
