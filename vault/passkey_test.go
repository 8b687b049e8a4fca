package vault

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/auth/passkey/passkeytest"
)

const testOrigin = "https://sign.example.org"

// newPasskeyRig starts a vault that knows passkeys.
func newPasskeyRig(t *testing.T) *rig {
	r := newRig(t)
	r.cfg.RPID, r.cfg.Origins = "sign.example.org", []string{testOrigin}
	r.restart()
	return r
}

// challenge asks for the challenge for a request.
func (r *rig) challenge(request any) []byte {
	r.t.Helper()
	c, err := r.c.Challenge(r.t.Context(), request)
	if err != nil {
		r.t.Fatal(err)
	}
	return c.Options
}

// addPasskey registers a passkey with an OTP, or the passkey before.
func (h *holder) addPasskey(algorithm int64) (*passkeytest.Authenticator, string) {
	t := h.r.t
	t.Helper()
	p := passkeytest.New(t, testOrigin, algorithm)
	o, err := h.r.c.PasskeyOptions(t.Context(), h.factors)
	if err != nil {
		t.Fatal(err)
	}
	id, _ := h.addDevice(NewDevice{Kind: Passkey, Registration: p.Create(o.Options), Label: "the laptop"})
	return p, id
}

// byPasskey authorises n digests with a passkey.
func (h *holder) byPasskey(p *passkeytest.Authenticator, request string, n int) Authorisation {
	a := h.authorisation(request, n)
	a.OTP = ""
	a.Passkey = p.Get(h.r.challenge(a))
	return a
}

func TestPasskey(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []int64{-7, -8, -257} {
		r := newPasskeyRig(t)
		h := r.newHolder("h", "p256")
		p, _ := h.addPasskey(algorithm)
		a := Authentication{Factors: h.factors, Evidence: Evidence{Client: "test"}}
		a.Passkey, a.Password = p.Get(r.challenge(a)), []byte(goodPassword)
		got, err := r.c.Authenticate(t.Context(), a)
		if err != nil || len(got.Methods) != 2 || got.Methods[1] != "pop" {
			t.Fatal(got, err)
		}
		b := h.byPasskey(p, "tx", 3)
		s, err := r.c.Authorise(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		sigs, err := r.c.Sign(t.Context(), h.activation(b, s))
		if err != nil {
			t.Fatal(err)
		}
		h.checkSignatures(h.activation(b, s), sigs)
		c := h.byPasskey(p, "wrong password", 1)
		c.Password = []byte("wrong")
		_, err = r.c.Authorise(t.Context(), c)
		want(t, err, WrongPassword)
	}
}

// TestPasskeyBound plays a service in the hands of others, which has the password and
// answers of the holder's passkey: to a sign-in, and to documents of the holder's own
// choice. None is good for anything else, nor twice.
func TestPasskeyBound(t *testing.T) {
	t.Parallel()
	r := newPasskeyRig(t)
	h, mallory := r.newHolder("h", "p256"), r.newHolder("mallory", "p256")
	p, _ := h.addPasskey(-7)
	pm, _ := mallory.addPasskey(-7)
	evil := sha256.Sum256([]byte("all my money to mallory"))
	signIn := Authentication{Factors: h.factors, Evidence: Evidence{Client: "test"}}
	for name, steal := range map[string]func(a *Authorisation){
		"an answer to a sign-in":      func(a *Authorisation) { a.Passkey = p.Get(r.challenge(signIn)) },
		"an answer for other digests": func(a *Authorisation) { a.Passkey = h.byPasskey(p, "x", 1).Passkey },
		"one of more digests": func(a *Authorisation) {
			b := *a
			b.Digests = append(b.Digests, evil[:])
			a.Passkey = p.Get(r.challenge(b))
		},
		"for another hash function":   func(a *Authorisation) { b := *a; b.Hash = "SHA-512"; a.Passkey = p.Get(r.challenge(b)) },
		"with findings not confirmed": func(a *Authorisation) { b := *a; b.Confirmed = evil[:]; a.Passkey = p.Get(r.challenge(b)) },
		"for another client":          func(a *Authorisation) { b := *a; b.Client = "other"; a.Passkey = p.Get(r.challenge(b)) },
		"another holder's key":        func(a *Authorisation) { a.Passkey = pm.Get(r.challenge(*a)) },
		"a challenge of another": func(a *Authorisation) {
			b := *a
			b.Factors, b.Credential = mallory.factors, mallory.cred
			a.Passkey = p.Get(r.challenge(b))
		},
		"a challenge of their own": func(a *Authorisation) {
			a.Passkey = p.Get([]byte(`{"challenge":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","rpId":"sign.example.org"}`))
		},
		"nonsense":                     func(a *Authorisation) { a.Passkey = []byte("{}") },
		"a page of theirs":             func(a *Authorisation) { q := *p; q.Origin = "https://evil.example"; a.Passkey = q.Get(r.challenge(*a)) },
		"an authenticator without PIN": func(a *Authorisation) { q := *p; q.Flags = 1; a.Passkey = q.Get(r.challenge(*a)) },
	} {
		a := h.authorisation("evil", 0)
		a.Digests, a.OTP = [][]byte{evil[:]}, ""
		steal(&a)
		a.Password = []byte(goodPassword)
		if _, err := r.c.Authorise(t.Context(), a); KindOf(err) != WrongOTP {
			t.Errorf("%s: %v", name, err)
		}
		r.clock.move(15 * time.Minute)
	}
	a := h.byPasskey(p, "honest", 1)
	first, err := r.c.Authorise(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	a.Password = []byte(goodPassword)
	again, err := r.c.Authorise(t.Context(), a) // the repetition of the same request
	if err != nil || first.ID != again.ID {
		t.Errorf("the repetition is another SAD: %v", err)
	}
	a.Request, a.Password = "twice", []byte(goodPassword)
	_, err = r.c.Authorise(t.Context(), a)
	want(t, err, ReusedOTP)
	r.restart()
	a.Password = []byte(goodPassword)
	_, err = r.c.Authorise(t.Context(), a)
	want(t, err, ReusedOTP) // durably
	late := h.byPasskey(p, "late", 1)
	r.clock.move(ChallengeLife)
	_, err = r.c.Authorise(t.Context(), late)
	want(t, err, ReusedOTP) // no failure, but of no use
}

// TestPasskeyCloned: a sign count that does not rise.
func TestPasskeyCloned(t *testing.T) {
	t.Parallel()
	r := newPasskeyRig(t)
	h := r.newHolder("h", "p256")
	p, _ := h.addPasskey(-7)
	p.Count = 50
	_, err := r.c.Authorise(t.Context(), h.byPasskey(p, "one", 1))
	want(t, err, "")
	p.Count = 50
	_, err = r.c.Authorise(t.Context(), h.byPasskey(p, "two", 1))
	want(t, err, WrongOTP)
	var noted bool
	for _, e := range r.entries("factors.refused") {
		noted = noted || e["passkey"] != ""
	}
	if !noted {
		t.Error("the journal says nothing of a copy")
	}
	p.Count = 0 // an authenticator that stopped counting
	_, err = r.c.Authorise(t.Context(), h.byPasskey(p, "three", 1))
	want(t, err, WrongOTP)
}

// TestWantsPasskey: who has a passkey changes the factors with it, not with a code that
// was typed for who knows what.
func TestWantsPasskey(t *testing.T) {
	t.Parallel()
	r := newPasskeyRig(t)
	h := r.newHolder("h", "p256")
	codes, err := r.c.RecoveryCodes(t.Context(), NewCodes{Factors: h.factors, Evidence: h.evidence(goodPassword)})
	if err != nil {
		t.Fatal(err)
	}
	p, id := h.addPasskey(-7)
	want(t, h.signs(goodPassword, "an OTP is good to sign"), "")
	_, err = r.c.AddDevice(t.Context(), NewDevice{Factors: h.factors, Evidence: h.evidence(goodPassword), Kind: TOTP})
	want(t, err, WantsPasskey)
	_, err = r.c.RemoveDevice(t.Context(), DeviceRemoval{Factors: h.factors, Evidence: h.evidence(goodPassword), Device: id})
	want(t, err, WantsPasskey)
	_, err = r.c.ChangePassword(t.Context(), h.passwordChange(goodPassword, otherPassword))
	want(t, err, WantsPasskey)
	_, err = r.c.RecoveryCodes(t.Context(), NewCodes{Factors: h.factors, Evidence: h.evidence(goodPassword)})
	want(t, err, WantsPasskey)
	n := NewDevice{Factors: h.factors, Kind: HOTP, Evidence: Evidence{Client: "test"}}
	n.Passkey, n.Password = p.Get(r.challenge(n)), []byte(goodPassword)
	a, err := r.c.AddDevice(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	h.factors = a.Factors
	want(t, h.confirm(a.Device, auth.HOTP(secretOf(t, a.URI), 0)), "")
	c := h.passwordChange(goodPassword, otherPassword)
	c.OTP, c.New = "", nil
	c.Passkey = p.Get(r.challenge(c)) // before the new password is known
	c.New = []byte(otherPassword)
	changed, err := r.c.ChangePassword(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	h.keep(changed)
	f, err := r.c.RemoveDevice(t.Context(), DeviceRemoval{Factors: h.factors, Device: id,
		Evidence: Evidence{Password: []byte(otherPassword), OTP: codes[0], Client: "test"}})
	if err != nil {
		t.Fatal(err)
	}
	h.factors = f
	b := h.authorisation("gone", 1)
	b.OTP, b.Passkey, b.Password = "", p.Get(r.challenge(b)), []byte(otherPassword)
	_, err = r.c.Authorise(t.Context(), b)
	want(t, err, WrongOTP)
	want(t, h.signs(otherPassword, "with the rest"), "")
}

func TestRegistrationRefused(t *testing.T) {
	t.Parallel()
	r := newPasskeyRig(t)
	h, other := r.enrol("h"), r.enrol("other")
	options := func(h *holder) []byte {
		t.Helper()
		o, err := r.c.PasskeyOptions(t.Context(), h.factors)
		if err != nil {
			t.Fatal(err)
		}
		return o.Options
	}
	add := func(h *holder, registration []byte) error {
		a, err := r.c.AddDevice(t.Context(), NewDevice{Factors: h.factors, Evidence: h.evidence(goodPassword), Kind: Passkey, Registration: registration})
		if err == nil {
			h.factors = a.Factors
		}
		return err
	}
	p := passkeytest.New(t, testOrigin, -7)
	want(t, add(h, p.Create(options(other))), BadRequest)
	want(t, add(h, []byte("{}")), BadRequest)
	want(t, add(h, nil), BadRequest)
	a := Authentication{Factors: h.factors, Evidence: Evidence{Client: "test"}}
	want(t, add(h, p.Create(r.challenge(a))), BadRequest) // a challenge for something else
	late := p.Create(options(h))
	r.clock.move(ChallengeLife)
	want(t, add(h, late), BadRequest)
	good := p.Create(options(h))
	want(t, add(h, good), "")
	want(t, add(h, good), NotAllowed) // the same again
	f := h.factors
	f.Username += "x"
	_, err := r.c.PasskeyOptions(t.Context(), f)
	want(t, err, Tampered)
	// A stranger gets the same for whoever does or does not exist.
	for _, f := range []Factors{{}, h.factors} {
		c, err := r.c.Challenge(t.Context(), Authentication{Factors: f, Evidence: Evidence{Client: "test"}})
		if err != nil || len(c.Options) == 0 {
			t.Errorf("%v", err)
		}
	}
	_, err = r.c.Challenge(t.Context(), Extension{})
	want(t, err, BadRequest)
}

// TestUnnamedChallenge: who shows a username only is told nothing of the holder, and the
// holder's passkey still signs for exactly what was asked for.
func TestUnnamedChallenge(t *testing.T) {
	t.Parallel()
	r := newPasskeyRig(t)
	h := r.newHolder("h", "p256")
	p, _ := h.addPasskey(-7)
	unnamed := func(a Authorisation) []byte {
		ch, err := r.c.UnnamedChallenge(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		return ch.Options
	}
	shape := func(options []byte) string {
		var o map[string]any
		if err := json.Unmarshal(options, &o); err != nil {
			t.Fatal(err)
		}
		delete(o, "challenge")
		b, _ := json.Marshal(o)
		return string(b)
	}
	a := h.authorisation("tx", 2)
	a.OTP, a.Password = "", nil
	nobody := Authorisation{Hash: a.Hash, Digests: a.Digests, Evidence: a.Evidence}
	if got, of := shape(unnamed(a)), shape(unnamed(nobody)); got != of || !strings.Contains(got, `"allowCredentials":[]`) {
		t.Errorf("of the holder %s, of nobody %s", got, of)
	}
	other := a
	other.Digests = a.Digests[:1]
	for _, c := range []struct {
		asked Authorisation
		want  Kind
	}{{nobody, WrongOTP}, {other, WrongOTP}, {a, ""}} {
		b := a
		b.Passkey, b.Password = p.Get(unnamed(c.asked)), []byte(goodPassword)
		_, err := r.c.Authorise(t.Context(), b)
		if KindOf(err) != c.want && (err != nil || c.want != "") {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
