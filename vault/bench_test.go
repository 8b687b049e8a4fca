package vault

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/formats/cms/cmstest"
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

// BenchmarkToken is what a token in the HSM gives: its key used as a crypto.Signer,
// by as many goroutines as there are processors, and time-stamps of the whole vault
// with 32 callers over the socket, each verified in the vault before it leaves. The
// floor under both is BenchmarkRaw of package hsm.
func BenchmarkToken(b *testing.B) {
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.RSA3072} {
		r := newTSARig(b, nil)
		u := r.newActiveUnit(cmstest.New(b), kt, time.Time{}, time.Time{})
		tok, err := openToken(r.cfg)
		if err != nil {
			b.Fatal(err)
		}
		defer tok.Close()
		key, err := tok.Signer(u.Name)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(kt)+"/signer", func(b *testing.B) {
			b.ReportAllocs()
			begin := processor()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := key.SignContext(context.Background(), make32(), crypto.SHA256); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(processor()-begin)/float64(b.N)/1e3, "cpu-us/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "stamps/s")
		})
		b.Run(string(kt)+"/stamp", func(b *testing.B) { benchStamp(b, r.c) })
	}
}
