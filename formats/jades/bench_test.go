package jades_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"io"
	"testing"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/jades"
)

// BenchmarkSign makes B-B signatures of 1 MB; its floor is base64url, one SHA-256
// of that, and the private key.
func BenchmarkSign(b *testing.B) {
	pki := cmstest.New(b)
	id := pki.Signer(b, "p256")
	data := make([]byte, 1<<20)
	for _, packaging := range []jades.Packaging{jades.Enveloping, jades.Detached} {
		b.Run(string(packaging), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			o := options(id)
			o.Packaging = packaging
			for b.Loop() {
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
			}
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
