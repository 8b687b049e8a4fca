package auth

import (
	"encoding/base32"
	"net/url"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// rfcSecret is the SHA-1 seed of RFC 6238 Appendix B.
var rfcSecret = []byte("12345678901234567890")

func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	// RFC 6238 Appendix B gives eight digits; six are the last six of them.
	for _, c := range []struct {
		unix int64
		code string
	}{
		{59, "94287082"}, {1111111109, "07081804"}, {1111111111, "14050471"},
		{1234567890, "89005924"}, {2000000000, "69279037"}, {20000000000, "65353130"},
	} {
		at := time.Unix(c.unix, 0)
		if got := TOTP(rfcSecret, at); got != c.code[2:] {
			t.Errorf("TOTP at %d = %s, want %s", c.unix, got, c.code[2:])
		}
		step, ok := MatchTOTP(rfcSecret, c.code[2:], at, -1)
		if !ok || step != c.unix/30 {
			t.Errorf("MatchTOTP at %d = %d, %v", c.unix, step, ok)
		}
	}
}

// TestTOTPAgainstLibrary compares with the implementation of others.
func TestTOTPAgainstLibrary(t *testing.T) {
	t.Parallel()
	for i := range 200 {
		secret, err := NewOTPSecret()
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(i)*87654321, 0)
		want, err := totp.GenerateCode(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret), at)
		if err != nil {
			t.Fatal(err)
		}
		if got := TOTP(secret, at); got != want {
			t.Fatalf("at %v: %s, the library says %s", at, got, want)
		}
	}
}

func TestMatchTOTP(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_010, 0)
	present := OTPStep(now)
	code := func(d int64) string { return TOTP(rfcSecret, time.Unix((present+d)*30, 0)) }
	for _, c := range []struct {
		name  string
		code  string
		after int64
		step  int64
		ok    bool
	}{
		{"present", code(0), -1, present, true},
		{"one before", code(-1), -1, present - 1, true},
		{"one after", code(1), -1, present + 1, true},
		{"two before", code(-2), -1, -1, false},
		{"two after", code(2), -1, -1, false},
		{"used", code(0), present, -1, false},
		{"older than the used one", code(-1), present, -1, false},
		{"later than the used one", code(1), present, present + 1, true},
		{"just later than the used one", code(0), present - 1, present, true},
		{"empty", "", -1, -1, false},
		{"short", code(0)[1:], -1, -1, false},
		{"long", code(0) + "0", -1, -1, false},
		{"spaces", code(0)[:3] + " " + code(0)[3:], -1, -1, false},
	} {
		step, ok := MatchTOTP(rfcSecret, c.code, now, c.after)
		if step != c.step || ok != c.ok {
			t.Errorf("%s: %d, %v; want %d, %v", c.name, step, ok, c.step, c.ok)
		}
	}
	if _, ok := MatchTOTP(nil, TOTP(nil, now), now, -1); ok {
		t.Error("an empty secret matches")
	}
	if !MatchStep(rfcSecret, code(-5), present-5) || MatchStep(rfcSecret, code(-5), present-4) || MatchStep(nil, TOTP(nil, now), present) {
		t.Error("MatchStep does not match exactly one step")
	}
}

func TestOTPURI(t *testing.T) {
	t.Parallel()
	u := OTPURI("Sigillo", "mario.rossi", rfcSecret)
	k, err := otp.NewKeyFromURL(u)
	if err != nil {
		t.Fatal(err)
	}
	if k.Issuer() != "Sigillo" || k.AccountName() != "mario.rossi" || k.Period() != 30 || k.Digits() != otp.DigitsSix {
		t.Errorf("%s", u)
	}
	p, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(p.Query().Get("secret"))
	if err != nil || string(secret) != string(rfcSecret) {
		t.Errorf("the secret does not come back: %v", err)
	}
	if OTPURI("Sigillo", "mario", nil) != "" {
		t.Error("an empty secret has a URI")
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{
		-1: 0, 0: 0, 4: 0, 5: 30 * time.Second, 6: time.Minute, 7: 2 * time.Minute, 8: 4 * time.Minute,
		9: 8 * time.Minute, 10: 15 * time.Minute, 11: 15 * time.Minute, 1 << 40: 15 * time.Minute,
	} {
		if got := Delay(n); got != want {
			t.Errorf("Delay(%d) = %v, want %v", n, got, want)
		}
	}
}
