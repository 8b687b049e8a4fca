package vault

import (
	"encoding/base64"
	"encoding/binary"
	"testing"
	"time"

	"sigillo/auth"
)

// signIn signs in and returns what the vault gave the browser.
func (h *holder) signIn() Recognition {
	h.r.t.Helper()
	a, err := h.r.c.Authenticate(h.r.t.Context(), Authentication{Factors: h.factors, Evidence: h.evidence(goodPassword)})
	if err != nil {
		h.r.t.Fatal(err)
	}
	return a
}

func (h *holder) from(browser, password, otp string) error {
	return h.r.authenticate(Authentication{Factors: h.factors, Evidence: Evidence{Password: []byte(password), OTP: otp, Browser: browser, Client: "test"}})
}

// TestLanes: strangers who guess for days lock strangers out, not the holder.
func TestLanes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h, other := r.enrol("h"), r.enrol("other")
	known, theirs := h.signIn(), other.signIn()
	if len(known.Methods) != 2 || known.Methods[0] != "pwd" || known.Methods[1] != "otp" {
		t.Errorf("methods %v", known.Methods)
	}
	codes, err := r.c.RecoveryCodes(t.Context(), NewCodes{Factors: h.factors, Evidence: h.evidence(goodPassword)})
	if err != nil {
		t.Fatal(err)
	}
	guess := func() { // until the lane is locked
		t.Helper()
		for range auth.FreeFailures + 1 {
			if err := h.from("", "wrong", "000000"); KindOf(err) == Locked {
				return
			}
		}
		want(t, h.from("", "wrong", "000000"), Locked)
	}
	for range 20 {
		guess()
		r.clock.move(15 * time.Minute)
	}
	guess()
	want(t, h.from("", goodPassword, auth.TOTP(h.secret, r.clock.now())), Locked)
	want(t, h.from(theirs.Browser, goodPassword, auth.TOTP(h.secret, r.clock.now())), Locked) // of another holder
	want(t, h.from(known.Browser+"A", goodPassword, auth.TOTP(h.secret, r.clock.now())), Locked)
	want(t, h.from(known.Browser, goodPassword, auth.TOTP(h.secret, r.clock.now())), "")
	guess() // the holder's success was no licence to guess
	// Whoever has no such browser at hand comes in with what nobody can guess.
	want(t, h.from("", goodPassword, codes[0]), "")
	// The holder's own lane locks as well.
	for range auth.FreeFailures + 1 {
		want(t, h.from(known.Browser, "wrong", "000000"), WrongPassword)
	}
	want(t, h.from(known.Browser, goodPassword, auth.TOTP(h.secret, r.clock.now())), Locked)
	r.restart()
	want(t, h.from(known.Browser, goodPassword, auth.TOTP(h.secret, r.clock.now())), Locked)
}

func TestBrowserTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.enrol("h")
	known := h.signIn()
	lock := func() {
		t.Helper()
		for KindOf(h.from("", "wrong", "000000")) != Locked {
		}
	}
	lock()
	want(t, h.from(known.Browser, goodPassword, h.otp()), "")
	lock()
	r.clock.move(BrowserLife)
	lock()
	want(t, h.from(known.Browser, goodPassword, auth.TOTP(h.secret, r.clock.now())), Locked) // too old
	r.clock.move(time.Hour)
	known = h.signIn()
	if err := r.c.ForgetBrowsers(t.Context(), h.factors); err != nil {
		t.Fatal(err)
	}
	for range auth.FreeFailures + 1 {
		h.from("", "wrong", "000000")
	}
	want(t, h.from(known.Browser, goodPassword, auth.TOTP(h.secret, r.clock.now())), Locked) // revoked
	if n := r.events(); n["browsers.forgotten"] != 1 {
		t.Errorf("journal: %v", n)
	}
}

// FuzzBrowser: what the vault did not mint it does not know.
func FuzzBrowser(f *testing.F) {
	v := &server{now: newClock().now}
	v.rowKey[0] = 1
	s := &holderState{Holder: "h"}
	// Without chance in it: the processes of a fuzzing run must speak of the same one.
	mint := func(holder string, revocations int64) string {
		b := make([]byte, 8+browserNonce)
		binary.BigEndian.PutUint64(b, uint64(v.now().Unix()+100))
		return base64.RawURLEncoding.EncodeToString(append(b, v.browserTag(holder, revocations, b)...))
	}
	good, another, revoked := mint("h", 0), mint("g", 0), mint("h", 1)
	if !v.knownBrowser(s, good) {
		f.Fatal("its own is not known")
	}
	for _, s := range []string{good, another, revoked, "", good + "=", "\n" + good[1:]} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if v.knownBrowser(s, token) && token != good {
			t.Errorf("%q is known", token)
		}
	})
}

// FuzzChallenge: a challenge is good for what it was minted for.
func FuzzChallenge(f *testing.F) {
	v := &server{now: newClock().now}
	v.rowKey[0] = 1
	head := make([]byte, challengeNonce+8) // without chance in it, as above
	good := append(head, v.challengeTag("op", "h", []byte("content"), head)...)
	f.Add(good, "op", "h", []byte("content"))
	f.Add(good, "o", "ph", []byte("content"))
	f.Add(good[1:], "op", "h", []byte("content"))
	f.Fuzz(func(t *testing.T, challenge []byte, op, holder string, content []byte) {
		_, _, ok := v.openChallenge(challenge, op, holder, content)
		if own := string(challenge) == string(good) && op == "op" && holder == "h" && string(content) == "content"; ok != own {
			t.Errorf("%x for %q, %q, %q: %v", challenge, op, holder, content, ok)
		}
	})
}
