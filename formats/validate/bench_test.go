package validate

import (
	"bytes"
	"crypto/x509"
	"testing"
	"time"
)

// BenchmarkValidate measures what a service does for a file of an authority that
// it knows already: one Validator for all.
func BenchmarkValidate(b *testing.B) {
	l := newLife()
	for _, form := range []string{"CAdES", "PAdES", "XAdES", "JAdES", "ASiC-E/CAdES"} {
		files := l.files(b, form)
		for _, level := range []string{"BB", "BLTA"} {
			v := must(New(Options{Anchors: []*x509.Certificate{l.root.cert}, CRLs: l.lists(year(1).Add(-time.Hour))}))
			file := files[level]
			b.Run(form+"/"+level, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r, err := v.Validate(b.Context(), Document{Data: bytes.NewReader(file), Size: int64(len(file)), Time: year(1)})
					if err != nil || r.Indication != TotalPassed {
						b.Fatal(err, r.Text("en"))
					}
				}
			})
		}
	}
}

// BenchmarkCold measures the same for the first file.
func BenchmarkCold(b *testing.B) {
	l := newLife()
	file := l.files(b, "PAdES")["BLTA"]
	o := Options{Anchors: []*x509.Certificate{l.root.cert}, CRLs: l.lists(year(1).Add(-time.Hour)), Time: year(1)}
	b.ReportAllocs()
	for b.Loop() {
		if r := validate(b, file, o); r.Indication != TotalPassed {
			b.Fatal(r.Text("en"))
		}
	}
}
