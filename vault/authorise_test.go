package vault

import (
	"bytes"
	"encoding/base64"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestOTPRace: of sixteen requests with one code exactly one is granted.
func TestOTPRace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	base := h.authorisation("", 1)
	var won, reused atomic.Int32
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			a := base
			a.Password, a.Request = []byte(goodPassword), "tx-"+string(rune('a'+i))
			_, err := r.c.Authorise(t.Context(), a)
			switch KindOf(err) {
			case "":
				won.Add(1)
			case ReusedOTP:
				reused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || reused.Load() != 15 {
		t.Errorf("%d granted, %d told that the code was used", won.Load(), reused.Load())
	}
	err := r.authenticate(Authentication{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp(), Client: "test"}})
	if err != nil {
		t.Errorf("a code used twice must not lock anybody out: %v", err)
	}
}

// TestAuthoriseAgain: a request whose answer was lost is granted again, once for
// all, and nothing else is.
func TestAuthoriseAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	a := h.authorisation("tx", 1)
	again := func() Authorisation {
		b := a
		b.Password = []byte(goodPassword)
		return b
	}
	first, err := r.c.Authorise(t.Context(), again())
	if err != nil {
		t.Fatal(err)
	}
	r.clock.move(100 * time.Second) // the vault took its time to come back: the code's window is over
	r.restart()
	second, err := r.c.Authorise(t.Context(), again())
	if err != nil {
		t.Fatal(err)
	}
	act := h.activation(a, first)
	if _, err := r.c.Sign(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	act.SAD, act.Request = second.Token, "another"
	_, err = r.c.Sign(t.Context(), act)
	want(t, err, SpentSAD) // two answers, one use

	for name, change := range map[string]func(*Authorisation){
		"digests": func(a *Authorisation) { a.Digests = digests(1) },
		"request": func(a *Authorisation) { a.Request = "tx2" },
		"client":  func(a *Authorisation) { a.Client = "another" },
		"consent": func(a *Authorisation) { a.Confirmed = make([]byte, 32) },
	} {
		b := again()
		change(&b)
		if _, err := r.c.Authorise(t.Context(), b); KindOf(err) != ReusedOTP {
			t.Errorf("other %s: %v", name, err)
		}
	}
	b := again()
	b.Password = []byte("another password")
	_, err = r.c.Authorise(t.Context(), b)
	want(t, err, WrongPassword)
	b = again()
	b.OTP, b.Digests = h.otp(), digests(1)
	_, err = r.c.Authorise(t.Context(), b)
	want(t, err, NotAllowed)
	r.clock.move(retryFor)
	_, err = r.c.Authorise(t.Context(), again())
	want(t, err, WrongOTP)
}

// TestConfirmed: what the holder has confirmed is named by the SAD and by the journal,
// when it is authorised and before the token is asked.
func TestConfirmed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	a := h.authorisation("tx", 1)
	bad := a
	bad.Password, bad.Confirmed = []byte(goodPassword), []byte("all of it")
	_, err := r.c.Authorise(t.Context(), bad)
	want(t, err, BadRequest)
	a.Confirmed = bytes.Repeat([]byte{0xc0}, 32)
	asked := a
	asked.Password = []byte(goodPassword)
	sad, err := r.c.Authorise(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.c.Sign(t.Context(), h.activation(a, sad)); err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"signature.authorised", "signature.intent"} {
		es := r.entries(event)
		if len(es) != 1 || es[0]["confirmed"] != strings.Repeat("c0", 32) {
			t.Errorf("%s: %v", event, es)
		}
	}
	said, err := base64.RawURLEncoding.DecodeString(strings.Split(sad.Token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if c, err := parseClaims(said); err != nil || !bytes.Equal(c.Confirmed, a.Confirmed) {
		t.Errorf("%+v, %v", c, err)
	}
}
