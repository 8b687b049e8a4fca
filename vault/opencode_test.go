package vault

import (
	"testing"

	"sigillo/auth"
)

// ordered is an authorisation that an application asks for, over n random digests.
func (h *holder) ordered(application, request string, n int, otp string) Authorisation {
	return Authorisation{Factors: h.factors, Credential: h.cred, Evidence: Evidence{Password: []byte(goodPassword), OTP: otp, Client: application + " 192.0.2.1"},
		Hash: "SHA-256", Digests: digests(n), Application: application, Request: request}
}

// sendOpen has a code sent for an application, which has no digests yet.
func (h *holder) sendOpen(application, language string) error {
	a := h.ordered(application, "", 0, "")
	a.Password, a.Hash, a.Client = nil, "", "from somewhere else"
	_, err := h.r.c.SendCode(h.r.t.Context(), a, CodeRequest{Language: language})
	return err
}

// TestApplicationCode: a code that is sent for an application is good for what that
// application has authorised with that credential, once, and for nothing else.
func TestApplicationCode(t *testing.T) {
	t.Parallel()
	r, h, p, _ := newPhoneRig(t)
	first, key := h.cred, h.key
	h.newCredential("cred-other", "p256")
	other := h.cred
	h.cred, h.key = first, key
	try := func(a Authorisation) error {
		_, err := r.c.Authorise(t.Context(), a)
		return err
	}
	fresh := func(application string) string {
		t.Helper()
		r.clock.move(resendAfter)
		want(t, h.sendOpen(application, "en"), "")
		return p.next(t, number, "the application "+application+" ", "key "+h.cred.ID+" ", "5 minutes")
	}
	code := fresh("Bottega")
	want(t, try(h.ordered("Officina", "a", 1, code)), WrongOTP)
	h.cred = other
	want(t, try(h.ordered("Bottega", "b", 1, code)), WrongOTP)
	h.cred = first
	want(t, h.authenticate(goodPassword, code), WrongOTP)
	house := h.authorisation("c", 1)
	house.OTP = code
	want(t, try(house), WrongOTP)
	h.signIn() // the failures are forgotten
	a := h.ordered("Bottega", "d", 3, code)
	s, err := r.c.Authorise(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	signatures, err := r.c.Sign(t.Context(), h.activation(a, s))
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(h.activation(a, s), signatures)
	want(t, try(h.ordered("Bottega", "e", 1, code)), ReusedOTP)
	// It is bound to the application and not to where that asks from, ends after five
	// minutes and three wrong tries, over a start of the vault, and a new one takes its place.
	code = fresh("Bottega")
	r.restart()
	r.clock.move(ChallengeLife)
	want(t, try(h.ordered("Bottega", "f", 1, code)), WrongOTP)
	h.signIn()
	code = fresh("Bottega")
	for range sentTries {
		want(t, try(h.ordered("Bottega", "g", 1, "x")), WrongOTP)
	}
	want(t, try(h.ordered("Bottega", "h", 1, code)), WrongOTP)
	h.signIn()
	code = fresh("Bottega")
	if last := fresh("Bottega"); last != code {
		want(t, try(h.ordered("Bottega", "i", 1, code)), WrongOTP)
		want(t, try(h.ordered("Bottega", "j", 1, last)), "")
	}
	h.signIn()
	for _, e := range r.entries("code.sent")[1:] {
		if e["application"] != "Bottega" || e["credential"] != first.ID || e["operation"] != opAuthorise {
			t.Errorf("journal: %v", e)
		}
	}
	for _, e := range r.entries("signature.authorised") {
		if e["application"] != "Bottega" || e["client"] != "Bottega 192.0.2.1" {
			t.Errorf("journal: %v", e)
		}
	}
}

// TestApplicationCodeApart: codes for applications have a place and a count of their own;
// one for digests stays one for these digests.
func TestApplicationCodeApart(t *testing.T) {
	t.Parallel()
	r, h, p, _ := newPhoneRig(t)
	want(t, h.sendOpen("Bottega", "it"), "")
	code := p.next(t, number, "l'applicazione Bottega ", "la chiave "+h.cred.ID+".")
	want(t, h.sendOpen("Bottega", "it"), Locked)
	// Strangers who ask for codes and guess do not spoil it.
	if _, err := r.c.SendCode(t.Context(), Authentication{Factors: h.factors, Evidence: Evidence{Client: "x"}}, CodeRequest{}); err != nil {
		t.Fatal(err)
	}
	p.next(t, number, "sign in")
	for range auth.FreeFailures {
		want(t, h.authenticate(goodPassword, "x"), WrongOTP)
	}
	a := h.ordered("Bottega", "a", 1, code)
	if _, err := r.c.Authorise(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	// A code for digests is good for an application's order of these, and of no others.
	r.clock.move(resendAfter)
	b := h.ordered("Bottega", "b", 2, "")
	if _, err := r.c.SendCode(t.Context(), b, CodeRequest{}); err != nil {
		t.Fatal(err)
	}
	b.OTP = p.next(t, number, "sign 2 documents")
	c := h.ordered("Bottega", "c", 2, b.OTP)
	_, err := r.c.Authorise(t.Context(), c)
	want(t, err, WrongOTP)
	if _, err := r.c.Authorise(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	// Ten a day; a name that cannot be shown is none; a long one is cut in the text.
	for range sentPerDay - 2 {
		r.clock.move(resendAfter)
		want(t, h.sendOpen("Bottega", "en"), "")
		p.next(t, number)
	}
	r.clock.move(resendAfter)
	want(t, h.sendOpen("L'applicazione dal nome davvero molto lungo", "en"), "")
	p.next(t, number, "L'applicazione dal nome davvero molto l…")
	r.clock.move(resendAfter)
	want(t, h.sendOpen("Bottega", "en"), Locked)
	want(t, h.sendOpen("Bott\nega", "en"), BadRequest)
	_, err = r.c.Authorise(t.Context(), h.ordered("Bott\u202eega", "d", 1, "123456"))
	want(t, err, BadRequest)
	p.silent(t)
}

// TestApplicationChallenge: a challenge without digests is good for the application and
// the credential, one with digests for these alone.
func TestApplicationChallenge(t *testing.T) {
	t.Parallel()
	r := newPasskeyRig(t)
	h := r.newHolder("h", "p256")
	p, _ := h.addPasskey(-7)
	order := func(request string, of Authorisation, answer []byte) error {
		of.Request, of.Passkey, of.Password = request, answer, []byte(goodPassword)
		_, err := r.c.Authorise(t.Context(), of)
		return err
	}
	open := p.Get(r.challenge(h.ordered("Bottega", "", 0, "")))
	want(t, order("a", h.ordered("Officina", "", 2, ""), open), WrongOTP)
	house := h.authorisation("b", 1)
	house.OTP = ""
	want(t, order("b", house, open), WrongOTP)
	want(t, order("c", h.ordered("Bottega", "", 2, ""), open), "")
	want(t, order("d", h.ordered("Bottega", "", 2, ""), open), ReusedOTP)
	exact := h.ordered("Bottega", "", 2, "")
	bound := p.Get(r.challenge(exact))
	want(t, order("e", h.ordered("Bottega", "", 2, ""), bound), WrongOTP)
	exact.Client = "Bottega 198.51.100.7" // the application asks from another address
	want(t, order("f", exact, bound), "")
}
