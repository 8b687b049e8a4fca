package hsm_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"syscall"
	"testing"
	"time"

	"sigillo/hsm"
)

// The key types that the benchmarks compare.
var benchTypes = []hsm.KeyType{hsm.P256, hsm.RSA2048}

// BenchmarkRaw is the floor under everything: C_SignInit and C_Sign with a handle
// that is known, each goroutine in a session of its own. It must not be slower
// than a loop in C.
func BenchmarkRaw(b *testing.B) {
	tok := open(b)
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.RSA3072} {
		_, err := tok.GenerateSigner(ctx, string(kt), kt)
		check(b, err)
		b.Run(string(kt), func(b *testing.B) {
			begin := processor()
			b.RunParallel(func(pb *testing.PB) {
				sign, done, err := tok.RawSigner(string(kt))
				if err != nil {
					b.Error(err)
					return
				}
				defer done()
				for pb.Next() {
					if err := sign(); err != nil {
						b.Error(err)
					}
				}
			})
			perSecond(b, 1)
			b.ReportMetric(float64(processor()-begin)/float64(b.N)/1e3, "cpu-us/op")
		})
	}
}

// processor is the time this process has had of the processors.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSign is a persistent key as callers use it. Run with -cpu 1,2
// to see what a second session brings.
func BenchmarkSign(b *testing.B) { benchSign(b, (*hsm.Token).GenerateSigner) }

func benchSign(b *testing.B, generate func(*hsm.Token, context.Context, string, hsm.KeyType) (*hsm.Signer, error)) {
	tok := open(b)
	digest := sha256.Sum256([]byte("text"))
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.RSA3072} {
		key, err := generate(tok, ctx, string(kt), kt)
		check(b, err)
		b.Run(string(kt), func(b *testing.B) {
			begin := processor()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := key.Sign(nil, digest[:], crypto.SHA256); err != nil {
						b.Error(err)
					}
				}
			})
			perSecond(b, 1)
			b.ReportMetric(float64(processor()-begin)/float64(b.N)/1e3, "cpu-us/op")
		})
	}
}

// BenchmarkSignFast is BenchmarkSign with keys for that.
func BenchmarkSignFast(b *testing.B) { benchSign(b, (*hsm.Token).GenerateFastSigner) }

// BenchmarkUseWrapped is a holder's signature from d on: derive, unwrap, sign,
// destroy. (Stretching the password comes before and is not in it.)
func BenchmarkUseWrapped(b *testing.B) {
	benchWrapped(b, 1)
}

// BenchmarkUseWrapped100 makes a hundred signatures for one unwrap.
func BenchmarkUseWrapped100(b *testing.B) {
	benchWrapped(b, 100)
}

func benchWrapped(b *testing.B, signatures int) {
	tok := open(b)
	check(b, tok.GenerateMaster(ctx, "master"))
	digest := sha256.Sum256([]byte("text"))
	d := secret(b)
	for _, kt := range benchTypes {
		w, err := tok.GenerateWrapped(ctx, "master", d, kt, nil)
		check(b, err)
		b.Run(string(kt), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					err := tok.UseWrapped(ctx, "master", d, w, func(key crypto.Signer) error {
						for range signatures {
							if _, err := key.Sign(nil, digest[:], crypto.SHA256); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						b.Error(err)
					}
				}
			})
			perSecond(b, signatures)
		})
	}
}

// BenchmarkMAC is what a registry row costs.
func BenchmarkMAC(b *testing.B) {
	tok := open(b)
	check(b, tok.GenerateMACKey(ctx, "mac"))
	data := make([]byte, 512)
	for b.Loop() {
		if _, err := tok.MAC(ctx, "mac", data); err != nil {
			b.Fatal(err)
		}
	}
}

func perSecond(b *testing.B, signatures int) {
	b.ReportMetric(float64(b.N*signatures)/b.Elapsed().Seconds(), "signatures/s")
}
