package auth

import (
	"encoding/base32"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"
)

// TestHOTPVectors are the values of RFC 4226 Appendix D.
func TestHOTPVectors(t *testing.T) {
	t.Parallel()
	for i, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := HOTP(rfcSecret, int64(i)); got != want {
			t.Errorf("HOTP of %d = %s, want %s", i, got, want)
		}
		theirs, err := hotp.GenerateCode(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(rfcSecret), uint64(i))
		if err != nil || theirs != want {
			t.Errorf("the library says %s, %v", theirs, err)
		}
	}
}

func TestMatchHOTP(t *testing.T) {
	t.Parallel()
	const next = 1000
	for _, c := range []struct {
		name  string
		count int64
		ok    bool
		used  bool
	}{
		{"the next", next, true, false},
		{"the last of the window", next + HOTPWindow, true, false},
		{"beyond the window", next + HOTPWindow + 1, false, false},
		{"used last", next - 1, false, true},
		{"used long ago", next - HOTPWindow - 1, false, false},
	} {
		code := HOTP(rfcSecret, c.count)
		at, ok := MatchHOTP(rfcSecret, code, next)
		if ok != c.ok || ok && at != c.count {
			t.Errorf("%s: %d, %v", c.name, at, ok)
		}
		if used := UsedHOTP(rfcSecret, code, next); used != c.used {
			t.Errorf("%s: used %v", c.name, used)
		}
	}
	if _, ok := MatchHOTP(nil, HOTP(nil, 5), 0); ok {
		t.Error("no secret has a code")
	}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_010, 0)
	present := OTPStep(now)
	for _, c := range []struct {
		drift, step int64
		ok          bool
	}{
		{0, 0, true}, {5, 5, true}, {5, 4, true}, {5, 6, true}, {5, 0, false}, {-5, -6, true}, {-5, 1, false},
		{1000, MaxDrift, true}, {1000, 1000, false}, {-1000, -MaxDrift, true},
	} {
		at, ok := MatchDrifted(rfcSecret, HOTP(rfcSecret, present+c.step), now, c.drift, -1)
		if ok != c.ok || ok && at != present+c.step {
			t.Errorf("drift %d, a code of %d: %d, %v", c.drift, c.step, at, ok)
		}
	}
}

func TestMatchPair(t *testing.T) {
	t.Parallel()
	code := func(i int64) string { return HOTP(rfcSecret, i) }
	for _, c := range []struct {
		name          string
		first, second string
		after         int64
		at            int64
		ok            bool
	}{
		{"in the window", code(60), code(61), -1, 61, true},
		{"the first", code(10), code(11), -1, 11, true},
		{"the last", code(109), code(110), -1, 110, true},
		{"before it", code(9), code(10), -1, 0, false},
		{"behind it", code(110), code(111), -1, 0, false},
		{"not one after the other", code(60), code(62), -1, 0, false},
		{"the wrong way round", code(61), code(60), -1, 0, false},
		{"twice the same", code(60), code(60), -1, 0, false},
		{"the first used", code(60), code(61), 60, 0, false},
		{"the one before used", code(60), code(61), 59, 61, true},
		{"empty", "", "", -1, 0, false},
	} {
		at, ok := MatchPair(rfcSecret, c.first, c.second, 10, 110, c.after)
		if ok != c.ok || ok && at != c.at {
			t.Errorf("%s: %d, %v", c.name, at, ok)
		}
	}
	if _, ok := MatchPair(rfcSecret, code(1500), code(1501), 0, 1<<40, -1); ok {
		t.Error("the window is not cut")
	}
}

func TestHOTPURI(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(HOTPURI("Sigillo", "anna", rfcSecret))
	if err != nil || u.Scheme != "otpauth" || u.Host != "hotp" || u.Query().Get("counter") != "0" ||
		u.Query().Get("secret") != base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(rfcSecret) {
		t.Errorf("%v, %v", u, err)
	}
	if HOTPURI("Sigillo", "anna", nil) != "" {
		t.Error("a URI without a secret")
	}
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 100 {
		c, err := NewRecoveryCode()
		if err != nil {
			t.Fatal(err)
		}
		if len(c) != 19 || strings.Count(c, "-") != 3 {
			t.Fatalf("%q", c)
		}
		plain := strings.ReplaceAll(c, "-", "")
		for _, typed := range []string{c, plain, strings.ToLower(c), strings.ReplaceAll(c, "-", " "),
			strings.NewReplacer("0", "O", "1", "l").Replace(c)} {
			if got, ok := ParseRecoveryCode(typed); !ok || got != plain {
				t.Errorf("%q: %q, %v", typed, got, ok)
			}
		}
		if seen[plain] {
			t.Fatal("a code twice")
		}
		seen[plain] = true
	}
	a, err := NewActivationCode()
	if err != nil || len(a) != 39 {
		t.Fatalf("%q, %v", a, err)
	}
	if got, ok := ParseActivationCode(a); !ok || got != strings.ReplaceAll(a, "-", "") {
		t.Errorf("%q: %q", a, got)
	}
	for _, bad := range []string{"", "123456", a, "UUUU-UUUU-UUUU-UUUU", "0000-0000-0000-000", "0000-0000-0000-00000", "0000-0000-0000-000é",
		strings.Repeat("-", 33), "0000-0000-0000-00\n00"} {
		if got, ok := ParseRecoveryCode(bad); ok {
			t.Errorf("%q was taken for %q", bad, got)
		}
	}
}

func FuzzParseRecoveryCode(f *testing.F) {
	for _, s := range []string{"", "0123-4567-89AB-CDEF", "ol1i ol1i ol1i ol1i", "123456", "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, ok := ParseRecoveryCode(s)
		if !ok {
			return
		}
		if again, ok := ParseRecoveryCode(code); !ok || again != code || len(code) != 16 {
			t.Errorf("%q: %q, then %q", s, code, again)
		}
	})
}

// TestGuesses counts how many failures a day allows to somebody who never tires.
func TestGuesses(t *testing.T) {
	t.Parallel()
	day := func(failures int) (guesses, after int) {
		for at := time.Duration(0); at < 24*time.Hour; at += Delay(failures) {
			guesses, failures = guesses+1, failures+1
		}
		return guesses, failures
	}
	first, failures := day(0)
	further, _ := day(failures)
	if first != GuessesPerDay || further != 96 {
		t.Errorf("%d guesses on the first day, %d on the next", first, further)
	}
}
