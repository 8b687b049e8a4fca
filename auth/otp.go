package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // RFC 6238 with SHA-1 is what every authenticator app speaks
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

const (
	// OTPPeriod is the time one code lasts (RFC 6238 §5.2).
	OTPPeriod = 30 * time.Second
	// OTPDigits is the number of digits of a code.
	OTPDigits = 6
	// OTPSecretSize is the size of a secret in bytes: the output of the hash
	// (RFC 4226 §4 R6 recommends 160 bits).
	OTPSecretSize = sha1.Size
	// otpWindow is how many steps before and after the present one are accepted
	// (RFC 6238 §5.2 recommends at most one for the network delay; the one
	// after is for telephones whose clock is ahead, §6).
	otpWindow = 1
	// HOTPWindow is how many counts ahead are accepted: a button is pressed now and
	// then without the code being used (RFC 4226 §7.4).
	HOTPWindow = 10
	// MaxDrift is how many steps a device's clock may be away, 10 minutes: beyond
	// that nobody would call it a clock.
	MaxDrift = 20
)

// NewOTPSecret returns a fresh random secret of [OTPSecretSize] bytes.
func NewOTPSecret() ([]byte, error) {
	s := make([]byte, OTPSecretSize)
	if _, err := rand.Read(s); err != nil {
		return nil, &Error{Kind: Failed, Msg: "no random numbers", Err: err}
	}
	return s, nil
}

// OTPURI returns the otpauth:// URI that authenticator apps read from a QR
// code. It holds the secret: it is shown once and kept nowhere. It is empty
// when issuer, account or secret is.
func OTPURI(issuer, account string, secret []byte) string {
	k, err := totp.Generate(totp.GenerateOpts{
		Issuer: issuer, AccountName: account, Secret: secret,
		Period: uint(OTPPeriod / time.Second), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil || len(secret) == 0 {
		return ""
	}
	return k.URL()
}

// HOTPURI is [OTPURI] for a device with a counter that begins at 0.
func HOTPURI(issuer, account string, secret []byte) string {
	k, err := hotp.Generate(hotp.GenerateOpts{Issuer: issuer, AccountName: account, Secret: secret,
		Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil || len(secret) == 0 {
		return ""
	}
	return k.URL() + "&counter=0" // the library leaves it out; the format demands it
}

// OTPStep returns the number of the step t lies in: seconds since the epoch
// divided by the period (RFC 6238 §4.2).
func OTPStep(t time.Time) int64 { return t.Unix() / int64(OTPPeriod/time.Second) }

// TOTP returns the code of the step that at lies in (SHA-1, six digits).
func TOTP(secret []byte, at time.Time) string { return otpAt(secret, OTPStep(at)) }

// HOTP returns the code of the count (RFC 4226 §5.3; SHA-1, six digits).
func HOTP(secret []byte, count int64) string { return otpAt(secret, count) }

// otpAt is HOTP (RFC 4226 §5.3) of the step. It is written out because the
// library takes secrets and codes as strings, which cannot be wiped, and tells
// neither which step matched nor lets the last used one be given.
func otpAt(secret []byte, step int64) string {
	var c [8]byte
	binary.BigEndian.PutUint64(c[:], uint64(step))
	h := hmac.New(sha1.New, secret)
	h.Write(c[:])
	sum := h.Sum(nil)
	o := sum[len(sum)-1] & 0x0f
	v := binary.BigEndian.Uint32(sum[o:o+4]) & 0x7fffffff
	return fmt.Sprintf("%0*d", OTPDigits, v%1_000_000)
}

// MatchTOTP reports whether code is the one of a step within one step of now
// and strictly later than after, the last step that was used (-1: none), and
// which. The time it takes does not depend on code nor on which step matched.
// The caller stores step durably before it acts on ok: a code is good once
// (RFC 6238 §5.2).
func MatchTOTP(secret []byte, code string, now time.Time, after int64) (step int64, ok bool) {
	return MatchDrifted(secret, code, now, 0, after)
}

// MatchDrifted is [MatchTOTP] for a device whose clock is drift steps ahead (RFC
// 6238 §6). The caller remembers step - OTPStep(now) as the drift of the next time;
// what is beyond [MaxDrift] counts as MaxDrift.
func MatchDrifted(secret []byte, code string, now time.Time, drift, after int64) (step int64, ok bool) {
	middle := OTPStep(now) + min(max(drift, -MaxDrift), MaxDrift)
	return matchIn(secret, code, middle-otpWindow, middle+otpWindow, after)
}

// MatchHOTP reports whether code is the one of a count from next, the first that was
// not used yet, to [HOTPWindow] beyond it, and which. The time it takes depends on
// neither. The caller stores count+1 as the next one durably before it acts on ok.
func MatchHOTP(secret []byte, code string, next int64) (count int64, ok bool) {
	return matchIn(secret, code, next, next+HOTPWindow, next-1)
}

// UsedHOTP reports whether code is one of the last [HOTPWindow] counts before next:
// one that was right once.
func UsedHOTP(secret []byte, code string, next int64) bool {
	_, ok := matchIn(secret, code, next-HOTPWindow, next-1, -1)
	return ok
}

// matchIn looks for code in from to to, of which only those later than after count.
func matchIn(secret []byte, code string, from, to, after int64) (at int64, ok bool) {
	given := []byte(code)
	found, match := int64(-1), 0
	for s := from; s <= to; s++ {
		eq := subtle.ConstantTimeCompare([]byte(otpAt(secret, s)), given)
		later := 0
		if s > after && s >= 0 {
			later = 1
		}
		hit := eq & later
		// Should two steps have the same code, the later one is burnt: then
		// neither can be used again.
		found = found&int64(hit-1) | s&-int64(hit)
		match |= hit
	}
	if match == 0 || len(secret) == 0 {
		return -1, false
	}
	return found, true
}

// MatchPair looks for two codes that follow each other (RFC 4226 §7.4) in from to to,
// of which only those later than after count, and returns the place of the second.
// Two codes together are 40 bits: that is what allows the wide window. The time it
// takes does not depend on the codes. A window of more than 1000 is cut.
func MatchPair(secret []byte, first, second string, from, to, after int64) (at int64, ok bool) {
	to = min(to, from+1000)
	found, match := int64(-1), 0
	for s := from; s < to; s++ {
		hit := subtle.ConstantTimeCompare([]byte(otpAt(secret, s)), []byte(first)) &
			subtle.ConstantTimeCompare([]byte(otpAt(secret, s+1)), []byte(second))
		if s <= after || s < 0 {
			hit = 0
		}
		found = found&int64(hit-1) | (s+1)&-int64(hit)
		match |= hit
	}
	if match == 0 || len(secret) == 0 {
		return -1, false
	}
	return found, true
}

// MatchStep reports in constant time whether code is the one of exactly this
// step or count. It tells a code that was used already from one that never was
// right.
func MatchStep(secret []byte, code string, step int64) bool {
	eq := subtle.ConstantTimeCompare([]byte(otpAt(secret, step)), []byte(code)) == 1
	return eq && len(secret) > 0 && step >= 0
}
