package vault

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
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

// BenchmarkToken is what a token in the HSM gives through the whole vault: time-stamps
// with 32 callers over the socket, each verified in the vault before it leaves, beside
// the bare signatures of a key that stays in the token, by as many goroutines as there
// are processors. Both in turn, a moment each, so that a busy machine is as busy for
// the one as for the other; "share" is the rate of the stamps over that of the
// signatures, "cpu-share" the processor time of the signatures over that of the stamps.
func BenchmarkToken(b *testing.B) {
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.RSA3072} {
		b.Run(string(kt), func(b *testing.B) {
			r := newTSARig(b, nil)
			r.newActiveUnit(cmstest.New(b), kt, time.Time{}, time.Time{})
			tok, err := openToken(r.cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer tok.Close()
			bare, err := tok.GenerateSigner(context.Background(), "bare", kt)
			if err != nil {
				b.Fatal(err)
			}
			q, digest := stampRequest(b), make32()
			var signs, stamps turn
			b.ResetTimer()
			for range b.N {
				signs.take(b, runtime.NumCPU(), func() error {
					_, err := bare.SignContext(context.Background(), digest, crypto.SHA256)
					return err
				})
				stamps.take(b, callers, func() error {
					_, err := r.c.Stamp(context.Background(), q)
					return err
				})
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(signs.rate(), "signatures/s")
			b.ReportMetric(stamps.rate(), "stamps/s")
			b.ReportMetric(stamps.rate()/signs.rate(), "share")
			b.ReportMetric(signs.each(), "cpu-us/signature")
			b.ReportMetric(stamps.each(), "cpu-us/stamp")
			b.ReportMetric(signs.each()/stamps.each(), "cpu-share")
		})
	}
}

// turn adds up moments of work.
type turn struct {
	n        int64
	wall, pt time.Duration
}

const moment = 100 * time.Millisecond

// take does the work for a moment, by so many goroutines.
func (t *turn) take(b *testing.B, goroutines int, work func() error) {
	began, used := time.Now(), processor()
	var n atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for time.Since(began) < moment {
				if err := work(); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	t.n, t.wall, t.pt = t.n+n.Load(), t.wall+time.Since(began), t.pt+processor()-used
}

func (t *turn) rate() float64 { return float64(t.n) / t.wall.Seconds() }

func (t *turn) each() float64 { return t.pt.Seconds() * 1e6 / float64(t.n) }
