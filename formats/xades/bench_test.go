package xades

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sigillo/formats/internal/meter"
)

// invoice is the sample invoice with its lines repeated up to about 100 KB.
func invoice(t testing.TB) []byte {
	t.Helper()
	doc, err := os.ReadFile("../../testdata/documents/fattura.xml")
	if err != nil {
		t.Fatal(err)
	}
	const open, end = "<DettaglioLinee>", "</DettaglioLinee>"
	s := string(doc)
	i, j := strings.Index(s, open), strings.Index(s, end)
	if i < 0 || j < i {
		t.Fatal("the sample invoice has no lines")
	}
	line := s[i : j+len(end)]
	return []byte(s[:i] + strings.Repeat(line+"\n      ", 1+100<<10/len(line)) + s[i:])
}

// BenchmarkXAdES signs an invoice of 100 KB at level B-B, and verifies it. What
// is told is the processor time above the floor, which is the bare operation
// with the key.
func BenchmarkXAdES(b *testing.B) {
	w := newWorld(b)
	doc := invoice(b)
	for _, key := range []string{"p256", "rsa2048"} {
		by := w.Signer(b, key)
		o := w.options(by)
		prepared, err := Prepare(bytes.NewReader(doc), int64(len(doc)), o)
		if err != nil {
			b.Fatal(err)
		}
		dtbs, a := prepared.DTBS(), prepared.Algorithm()
		input, opts := a.Input(dtbs), a.SignerOpts()
		value, err := by.Key.Sign(rand.Reader, input, opts)
		if err != nil {
			b.Fatal(err)
		}
		signed := w.sign(b, doc, by, nil)
		b.Run(key+"/sign", func(b *testing.B) {
			ours, floor := meter.Turns(b, func() {
				p, err := Prepare(bytes.NewReader(doc), int64(len(doc)), o)
				if err != nil {
					b.Fatal(err)
				}
				value, err := by.Key.Sign(rand.Reader, p.DTBSR(), opts)
				if err != nil {
					b.Fatal(err)
				}
				if err := p.Assemble(io.Discard, bytes.NewReader(doc), int64(len(doc)), value, nil); err != nil {
					b.Fatal(err)
				}
			}, func() {
				if _, err := by.Key.Sign(rand.Reader, input, opts); err != nil {
					b.Fatal(err)
				}
			})
			figure("xades.bb.100kb."+key+".cpu-ms", ours-floor, "the bare signature, not counted in", floor)
		})
		b.Run(key+"/verify", func(b *testing.B) {
			ours, floor := meter.Turns(b, func() {
				sigs, err := Signatures(signed)
				if err != nil {
					b.Fatal(err)
				}
				if err := sigs[0].Verify(); err != nil {
					b.Fatal(err)
				}
			}, func() {
				if err := a.Verify(by.Certificate.PublicKey, dtbs, value); err != nil {
					b.Fatal(err)
				}
			})
			figure("xades.verify.100kb."+key+".cpu-ms", ours-floor, "the bare verification, not counted in", floor)
		})
	}
}

func figure(name string, ours time.Duration, with string, floor time.Duration) {
	meter.Figure(name, float64(ours)/1e6, "ms", with, float64(floor)/1e6)
}
