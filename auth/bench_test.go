package auth

import (
	"crypto/hmac"
	"crypto/sha1"
	"testing"
	"time"
)

// BenchmarkOTP is the check of a code, right and wrong ones in turn. Beside it, the
// HMACs of the steps that it may be of.
func BenchmarkOTP(b *testing.B) {
	now := time.Unix(1111111109, 0)
	codes := []string{TOTP(rfcSecret, now), "000000"}
	var step [8]byte
	const rounds = 1000
	began := time.Now()
	for range rounds * (2*otpWindow + 1) {
		h := hmac.New(sha1.New, rfcSecret)
		h.Write(step[:])
		h.Sum(nil)
	}
	floor := time.Since(began) / rounds
	n := 0
	for b.Loop() {
		if _, ok := MatchTOTP(rfcSecret, codes[n%2], now, -1); ok != (n%2 == 0) {
			b.Fatal("the verdict is wrong")
		}
		n++
	}
	b.ReportMetric(float64(floor.Nanoseconds()), "ns/hmacs")
}
