package xades

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
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

// BenchmarkXAdES signs a 100 KB invoice at level B-B: the whole, and the floor,
// which is the bare operation with the private key. Reading and verifying it is
// told too.
func BenchmarkXAdES(b *testing.B) {
	w := newWorld(b)
	doc := invoice(b)
	for _, keyType := range []string{"p256", "rsa2048"} {
		by := w.Signer(b, keyType)
		o := w.options(by)
		prepared, err := Prepare(bytes.NewReader(doc), int64(len(doc)), o)
		if err != nil {
			b.Fatal(err)
		}
		input, opts := prepared.Algorithm().Input(prepared.DTBS()), prepared.Algorithm().SignerOpts()
		b.Run(keyType+"/sign", func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
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
			}
		})
		b.Run(keyType+"/floor", func(b *testing.B) {
			defer cpu(b)()
			for b.Loop() {
				if _, err := by.Key.Sign(rand.Reader, input, opts); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(keyType+"/verify", func(b *testing.B) { benchmarkVerify(b, w, doc, by) })
	}
}

func benchmarkVerify(b *testing.B, w world, doc []byte, by *cmstest.Identity) {
	signed := w.sign(b, doc, by, nil)
	defer cpu(b)()
	for b.Loop() {
		sigs, err := Signatures(signed)
		if err != nil {
			b.Fatal(err)
		}
		if err := sigs[0].Verify(); err != nil {
			b.Fatal(err)
		}
	}
}

// cpu reports the processor time of an operation, the collection of garbage
// included, whatever else the machine does meanwhile.
func cpu(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	start := used()
	return func() { b.ReportMetric(float64((used()-start).Microseconds())/1000/float64(b.N), "cpu-ms/op") }
}
