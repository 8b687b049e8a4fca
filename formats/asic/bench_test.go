package asic_test

import (
	"archive/zip"
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"io"
	"testing"

	"sigillo/formats/asic"
	"sigillo/formats/cms/cmstest"
	"sigillo/formats/internal/meter"
)

// BenchmarkSign makes B-B containers of 1 MB that cannot be packed; the floor is
// to store it with archive/zip, its SHA-256, and the bare signature.
func BenchmarkSign(b *testing.B) {
	pki := cmstest.New(b)
	id := pki.Signer(b, "p256")
	data := make([]byte, 1<<20)
	rand.Read(data)
	docs := []asic.Document{{Name: "x.bin", Reader: bytes.NewReader(data), Size: int64(len(data))}}
	for _, c := range []struct {
		figure string
		form   asic.Form
		typ    asic.Type
	}{{"s-cades", asic.CAdES, asic.Simple}, {"e-cades", asic.CAdES, asic.Extended}, {"s-xades", asic.XAdES, asic.Simple}, {"e-xades", asic.XAdES, asic.Extended}} {
		b.Run(c.figure, func(b *testing.B) {
			ours, floor := meter.Turns(b, func() {
				p, err := asic.Prepare(docs, options(id, c.form, c.typ))
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
			}, func() {
				z := zip.NewWriter(io.Discard)
				w, err := z.CreateHeader(&zip.FileHeader{Name: "x.bin", Method: zip.Store})
				if err != nil {
					b.Fatal(err)
				}
				w.Write(data)
				if err := z.Close(); err != nil {
					b.Fatal(err)
				}
				digest := sha256.Sum256(data)
				if _, err := id.Key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
			})
			meter.Figure("asic."+c.figure+".bb.1mb.p256.cpu", float64(ours)/1e6, "ms", "archive/zip + SHA-256 + signature", float64(floor)/1e6)
		})
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
