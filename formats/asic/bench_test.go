package asic_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"io"
	"testing"

	"sigillo/formats/asic"
	"sigillo/formats/cms/cmstest"
)

// BenchmarkSign makes B-B containers of 1 MB that cannot be packed; its floor is two
// SHA-256, deflate and a checksum over that, and the private key.
func BenchmarkSign(b *testing.B) {
	pki := cmstest.New(b)
	id := pki.Signer(b, "p256")
	data := make([]byte, 1<<20)
	rand.Read(data)
	docs := []asic.Document{{Name: "x.bin", Reader: bytes.NewReader(data), Size: int64(len(data))}}
	for _, form := range []asic.Form{asic.CAdES, asic.XAdES} {
		for _, typ := range []asic.Type{asic.Simple, asic.Extended} {
			b.Run(string(typ)+"-"+string(form), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					p, err := asic.Prepare(docs, options(id, form, typ))
					if err != nil {
						b.Fatal(err)
					}
					sig, err := id.Key.Sign(rand.Reader, p.DTBSR(), crypto.SHA256)
					if err != nil {
						b.Fatal(err)
					}
					if err := p.Assemble(io.Discard, docs, sig, nil); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	pki := cmstest.New(b)
	id := pki.Signer(b, "p256")
	data := make([]byte, 1<<20)
	rand.Read(data)
	docs := []asic.Document{{Name: "x.bin", Reader: bytes.NewReader(data), Size: int64(len(data))}}
	file := sign(b, pki, id, docs, options(id, asic.CAdES, asic.Extended))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if err := open(b, file).Signatures()[0].Verify(); err != nil {
			b.Fatal(err)
		}
	}
}
