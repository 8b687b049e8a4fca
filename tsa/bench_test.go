package tsa_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// A whole stamp, with a key in this process, the verification of what it signed,
// and a counter in memory. The floor is the bare signature, in the same run.
func BenchmarkStamp(b *testing.B) {
	req := request(b, crypto.SHA256, []byte("documento"), true)
	pki := cmstest.New(b)
	for _, kind := range []string{"p256", "rsa2048", "rsa3072", "ed25519"} {
		b.Run(kind, func(b *testing.B) {
			id := pki.TSU(b, kind)
			a := newAuthority(b, wall{}, &counters{})
			add(b, a, unitConfig(id, "tsu", 1))
			input, opts := make([]byte, 250), crypto.Hash(0)
			if kind != "ed25519" {
				sum := sha256.Sum256(input)
				input, opts = sum[:], crypto.SHA256
			}
			b.ReportAllocs()
			medians := tsa.Turns(b, 1, func() {
				if _, err := a.Stamp(context.Background(), req); err != nil {
					b.Error(err)
				}
			}, func() {
				if _, err := id.Key.Sign(rand.Reader, input, opts); err != nil {
					b.Error(err)
				}
			})
			b.ReportMetric(medians[0], "ns/stamp")
			b.ReportMetric(medians[1], "ns/bare-signature")
			b.ReportMetric(medians[0]/medians[1], "x-bare-signature")
		})
	}
}

// All of a stamp but its signature and the verification of it: the request read,
// the time, the number, the encoding. Many at a time show what the unit's lock costs.
func BenchmarkStampWithoutKey(b *testing.B) {
	req := request(b, crypto.SHA256, []byte("documento"), true)
	a := withoutKey(b, &counters{})
	one := func() {
		if _, err := a.Stamp(context.Background(), req); err != nil {
			b.Error(err)
		}
	}
	room := make([]byte, 4096)
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		medians := tsa.Turns(b, 16, one, func() {
			if _, err := a.StampInto(context.Background(), req, room); err != nil {
				b.Error(err)
			}
		})
		b.ReportMetric(medians[0], "ns/stamp")
		b.ReportMetric(medians[1], "ns/stamp-into")
	})
	b.Run("parallel", func(b *testing.B) {
		b.SetParallelism(16)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				one()
			}
		})
	})
}
