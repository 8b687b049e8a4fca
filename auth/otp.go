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

// OTPStep returns the number of the step t lies in: seconds since the epoch
// divided by the period (RFC 6238 §4.2).
func OTPStep(t time.Time) int64 { return t.Unix() / int64(OTPPeriod/time.Second) }

// TOTP returns the code of the step that at lies in (SHA-1, six digits).
func TOTP(secret []byte, at time.Time) string { return otpAt(secret, OTPStep(at)) }

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
	present := OTPStep(now)
	given := []byte(code)
	found, match := int64(-1), 0
	for s := present - otpWindow; s <= present+otpWindow; s++ {
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

// MatchStep reports in constant time whether code is the one of exactly this
// step. It tells a code that was used already from one that never was right,
// and recognises the repetition of a request whose answer was lost.
func MatchStep(secret []byte, code string, step int64) bool {
	eq := subtle.ConstantTimeCompare([]byte(otpAt(secret, step)), []byte(code)) == 1
	return eq && len(secret) > 0 && step >= 0
}
