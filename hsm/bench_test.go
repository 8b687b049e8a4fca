package hsm_test

import (
	"crypto"
	"crypto/sha256"
	"testing"

	"sigillo/hsm"
)

// The key types that the benchmarks compare.
var benchTypes = []hsm.KeyType{hsm.P256, hsm.RSA2048}

// BenchmarkSign is the floor: a persistent key, nothing else. Run with -cpu 1,2
// to see what a second session brings.
func BenchmarkSign(b *testing.B) {
	tok := open(b)
	digest := sha256.Sum256([]byte("text"))
	for _, kt := range benchTypes {
		key, err := tok.GenerateSigner(ctx, string(kt), kt)
		check(b, err)
		b.Run(string(kt), func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := key.Sign(nil, digest[:], crypto.SHA256); err != nil {
						b.Error(err)
					}
				}
			})
			perSecond(b, 1)
		})
	}
}

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
