package vault

import (
	"crypto"
	"crypto/rand"
	"fmt"
	"testing"

	"sigillo/auth"
	"sigillo/hsm"
)

// BenchmarkBatch is a whole activation, Authorise and Sign, of 32 digests with a
// P-256 key, with the real cost of the password and a real clock's patience left
// out; BenchmarkRaw is what the token alone takes for the same signatures.
func BenchmarkBatch(b *testing.B) {
	for _, argon := range []auth.Argon2{fastArgon, auth.DefaultArgon2} {
		b.Run(fmt.Sprintf("argon=%dMiB", argon.MemoryKiB>>10), func(b *testing.B) {
			r := newRig(b)
			if err := r.stop(); err != nil {
				b.Fatal(err)
			}
			r.cfg.Argon = argon
			r.start()
			h := r.newHolder("h", "p256")
			n := 0
			for b.Loop() {
				n++
				act := h.authorised(fmt.Sprint("tx-", n), 32)
				if _, err := r.c.Sign(b.Context(), act); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(32*float64(n)/b.Elapsed().Seconds(), "signatures/s")
		})
	}
}

// BenchmarkSign is Sign alone: what is left when the authorisation is paid for.
func BenchmarkSign(b *testing.B) {
	r := newRig(b)
	h := r.newHolder("h", "p256")
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		act := h.authorised(fmt.Sprint("tx-", n), 32)
		b.StartTimer()
		if _, err := r.c.Sign(b.Context(), act); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(32*float64(n)/b.Elapsed().Seconds(), "signatures/s")
}

func BenchmarkRaw(b *testing.B) {
	r := newRig(b)
	v, done := r.direct()
	defer done()
	if _, err := v.createKey(b.Context(), "id", &keyRequest{Label: "tsu-1", Type: hsm.P256}); err != nil {
		b.Fatal(err)
	}
	k, err := v.tok.Signer("tsu-1")
	if err != nil {
		b.Fatal(err)
	}
	ds, n := digests(32), 0
	for b.Loop() {
		for _, d := range ds {
			if _, err := k.Sign(rand.Reader, d, crypto.SHA256); err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "signatures/s")
}
