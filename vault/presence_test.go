package vault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"
	"time"

	"sigillo/auth"
)

// TestPresence: only a fresh second factor of the operator opens a capture, once, and
// failures lock.
func TestPresence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	ds := digests(1)
	codes, err := r.c.RecoveryCodes(t.Context(), NewCodes{Factors: c.operator.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: c.operator.otp(), Client: "test"}})
	if err != nil {
		t.Fatal(err)
	}
	n := c.opening("first", ds)
	seen := n.Presence.OTP
	if _, err := r.c.OpenCapture(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		name string
		want Kind
		do   func(n *NewCapture)
	}{
		{"a code that was used", ReusedOTP, func(n *NewCapture) { n.Presence.OTP = seen }},
		{"a code that was used, for another customer", ReusedOTP, func(n *NewCapture) { n.Presence.OTP, n.Holder, n.Purpose = seen, "other", ToEnrol; n.noCredential() }},
		{"the request of before, with other digests", ReusedOTP, func(n *NewCapture) { n.Presence.OTP, n.Request, n.Digests = seen, "first", digests(1) }},
		{"no code", WrongOTP, func(n *NewCapture) { n.Presence.OTP = "" }},
		{"a wrong code", WrongOTP, func(n *NewCapture) { n.Presence.OTP = "abcdef" }},
		{"a recovery code", WrongOTP, func(n *NewCapture) { n.Presence.OTP = codes[0] }},
		{"the code of another member", WrongOTP, func(n *NewCapture) { n.Presence.OTP = auth.TOTP(c.second.secret, r.clock.now()) }},
		{"the code with a password", BadRequest, func(n *NewCapture) { n.Presence.Password = []byte(goodPassword) }},
		{"a signature of the pen", BadRequest, func(n *NewCapture) { n.Presence.Capture = &Captured{} }},
		{"nobody", BadRequest, func(n *NewCapture) { n.Operator = Factors{} }},
		{"factors of one's own making", Tampered, func(n *NewCapture) { n.Operator.Holder = c.second.factors.Holder }},
		{"the operator as the customer", NotAllowed, func(n *NewCapture) { n.Holder = n.Operator.Holder }},
		{"another holder's credential", NotAllowed, func(n *NewCapture) { n.Holder = "somebody" }},
		{"a credential that was changed", Tampered, func(n *NewCapture) { n.Credential.MaxDigests = 40 }},
		{"too many digests", NotAllowed, func(n *NewCapture) { n.Digests = digests(11) }},
		{"no digests", NotAllowed, func(n *NewCapture) { n.Digests = nil }},
		{"a purpose that there is not", BadRequest, func(n *NewCapture) { n.Purpose = "look" }},
		{"to enrol, with digests", BadRequest, func(n *NewCapture) { n.Purpose = ToEnrol }},
		{"a tablet that there is not", NotAllowed, func(n *NewCapture) { n.Tablet = "tablet-9" }},
		{"no request", BadRequest, func(n *NewCapture) { n.Request = "" }},
	} {
		n := c.opening(at.name, ds)
		at.do(&n)
		if _, err := r.c.OpenCapture(t.Context(), n); KindOf(err) != at.want {
			t.Errorf("%s: %v, want %s", at.name, err, at.want)
		}
		if at.want == WrongOTP { // not to be locked out yet
			c.use(c.operator)
		}
	}
	n = c.opening("guess", ds)
	n.Presence.OTP = "000000"
	for range auth.GuessesPerDay {
		if _, err = r.c.OpenCapture(t.Context(), n); KindOf(err) == Locked {
			break
		}
	}
	want(t, err, Locked)
	want(t, c.operator.authenticate(goodPassword, auth.TOTP(c.operator.secret, r.clock.now())), Locked)
	if got := r.entries("factors.refused"); len(got) == 0 || got[len(got)-1]["operation"] != opAuthenticate && got[len(got)-1]["operation"] != opOpenCapture {
		t.Errorf("%v", got)
	}
}

// noCredential takes out of a request what is for signing.
func (n *NewCapture) noCredential() { n.Credential, n.Hash, n.Digests = Credential{}, "", nil }

// TestPresenceRepeated: an answer that was lost is given again, and the capture is the same.
func TestPresenceRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	n := c.opening("tx", nil)
	first, err := r.c.OpenCapture(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	r.restart()
	again, err := r.c.OpenCapture(t.Context(), n)
	if err != nil || again != first {
		t.Fatalf("%+v, %v; want %+v", again, err, first)
	}
	if got := r.events()[captureOpened]; got != 1 {
		t.Errorf("%d captures", got)
	}
	r.clock.move(retryFor)
	_, err = r.c.OpenCapture(t.Context(), n)
	if err == nil {
		t.Error("a code is good for ever")
	}
}

// TestTablets: a tablet is registered by a member with live factors, once, and is gone when
// it is revoked.
func TestTablets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	second := newRogue(t, c)
	second.id = "tablet-2"
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := func(k any) []byte {
		b, err := x509.MarshalPKIXPublicKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, at := range []struct {
		name string
		want Kind
		do   func(n *NewTablet)
	}{
		{"no password", WrongPassword, func(n *NewTablet) { n.Password = nil }},
		{"no code", WrongOTP, func(n *NewTablet) { n.OTP = "" }},
		{"nobody's factors", WrongPassword, func(n *NewTablet) { n.Factors = Factors{} }},
		{"a name that is taken", NotAllowed, func(n *NewTablet) { n.ID = c.tablet.id }},
		{"a key that is taken", NotAllowed, func(n *NewTablet) { n.PublicKey = key(c.tablet.key.Public()) }},
		{"an RSA key", BadRequest, func(n *NewTablet) { n.PublicKey = key(weak.Public()) }},
		{"a P-384 key", BadRequest, func(n *NewTablet) { n.PublicKey = key(p384.Public()) }},
		{"no key", BadRequest, func(n *NewTablet) { n.PublicKey = nil }},
		{"something after the key", BadRequest, func(n *NewTablet) { n.PublicKey = append(n.PublicKey, 0) }},
		{"no class", BadRequest, func(n *NewTablet) { n.Class = "" }},
	} {
		n := c.newTablet(second)
		at.do(&n)
		if err := r.c.RegisterTablet(t.Context(), n); KindOf(err) != at.want {
			t.Errorf("%s: %v, want %s", at.name, err, at.want)
		}
		c.use(c.operator)
	}
	capture := c.open("tx", nil)
	sent := c.write(capture, c.hand.Sign(0, 0))
	if err := r.c.RevokeTablet(t.Context(), c.tablet.id, "officer", "stolen"); err != nil {
		t.Fatal(err)
	}
	if err := r.c.RevokeTablet(t.Context(), c.tablet.id, "officer", "twice"); err != nil {
		t.Error(err)
	}
	_, err = r.c.EnrolCapture(t.Context(), sent)
	want(t, err, NotAllowed)
	_, err = r.c.OpenCapture(t.Context(), c.opening("tx2", nil))
	want(t, err, NotAllowed)
	n := c.newTablet(c.tablet)
	n.ID = "tablet-3"
	want(t, r.c.RegisterTablet(t.Context(), n), NotAllowed) // the stolen key
	c.newPad("tablet-4")
	ts, err := r.c.Tablets(t.Context())
	if err != nil || len(ts) != 2 || ts[0].ID != "tablet-4" || ts[1].Revoked.IsZero() || ts[0].By != "operator" {
		t.Errorf("%+v, %v", ts, err)
	}
	// An attacker with the file puts the row back as it was, or makes it anew.
	for _, edit := range []string{
		`UPDATE counter_rows SET state = 'in-use' WHERE kind = 'tablet' AND id = 'tablet-1'`,
		`DELETE FROM counter_rows WHERE kind = 'tablet' AND id = 'tablet-1'`,
	} {
		execRaw(t, r.cfg.StateDB, edit)
		_, err = r.c.OpenCapture(t.Context(), c.opening("edited", nil))
		want(t, err, Tampered)
	}
}

// TestFourEyes: an enrolment takes a second person, who is there, and one that is ready.
func TestFourEyes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	r.newHolder("taken", "p256")
	capture := c.open("enrol", nil)
	c.fill(capture, 2)
	_, _, err := r.c.FinishEnrolment(t.Context(), c.finishing(capture, "too-early"))
	want(t, err, NotAllowed)
	c.next = 20
	step := c.fillFrom(capture, 2, 5)
	if !step.Ready {
		t.Fatalf("%+v", step)
	}
	if step, err = r.c.RemoveCapture(t.Context(), capture, 1); err != nil || step.Count != 4 {
		t.Fatalf("%+v, %v", step, err)
	}
	_, err = r.c.RemoveCapture(t.Context(), capture, 4)
	want(t, err, BadRequest)
	// What was written before is not good again, not even here.
	if step, err := r.c.EnrolCapture(t.Context(), c.write(capture, c.hand.Sign(0, 1))); err != nil || step.Accepted || step.Reasons[0] != "copy" {
		t.Errorf("%+v, %v", step, err)
	}
	used := c.second.otp()
	if err := c.second.authenticate(goodPassword, used); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct {
		name string
		want Kind
		do   func(f *FinishEnrolment)
	}{
		{"the operator again", NotAllowed, func(f *FinishEnrolment) { f.Second, f.SecondPresence = c.operator.factors, c.operator.present() }},
		{"a code that was used", ReusedOTP, func(f *FinishEnrolment) { f.SecondPresence.OTP = used }},
		{"no code", WrongOTP, func(f *FinishEnrolment) { f.SecondPresence.OTP = "" }},
		{"the operator's code", WrongOTP, func(f *FinishEnrolment) { f.SecondPresence = c.operator.present() }},
		{"nobody", BadRequest, func(f *FinishEnrolment) { f.Second = Factors{} }},
		{"the operator under another name", Tampered, func(f *FinishEnrolment) { f.Second = c.operator.factors; f.Second.Holder = "x" }},
		{"no consent", BadRequest, func(f *FinishEnrolment) { f.Consent = nil }},
		{"a name that is taken", NotAllowed, func(f *FinishEnrolment) { f.ID = "cred-taken" }},
		{"another capture", NotAllowed, func(f *FinishEnrolment) { f.Capture = "none" }},
		{"too many digests", BadRequest, func(f *FinishEnrolment) { f.MaxDigests = MaxDigests + 1 }},
	} {
		f := c.finishing(capture, "grapho")
		at.do(&f)
		if _, _, err := r.c.FinishEnrolment(t.Context(), f); KindOf(err) != at.want {
			t.Errorf("%s: %v, want %s", at.name, err, at.want)
		}
		if at.want == WrongOTP {
			c.use(c.second)
		}
	}
	f := c.finishing(capture, "grapho")
	first, _, err := r.c.FinishEnrolment(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	r.restart()
	again, csr, err := r.c.FinishEnrolment(t.Context(), f) // the answer was lost
	if err != nil || string(again.MAC) != string(first.MAC) || len(csr) == 0 {
		t.Errorf("%v", err)
	}
	f = c.finishing(capture, "grapho-2")
	_, _, err = r.c.FinishEnrolment(t.Context(), f)
	want(t, err, NotAllowed)
	// The customer, who is on the staff, is no second person for themself.
	c.customer = c.second.factors.Holder
	capture = c.open("self", nil)
	c.fillFrom(capture, 30, 5)
	_, _, err = r.c.FinishEnrolment(t.Context(), c.finishing(capture, "self"))
	want(t, err, NotAllowed)
}

// TestEnrolmentFails: who cannot be enrolled is told, and it is counted; a vault that was
// started again has none of what was written.
func TestEnrolmentFails(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	capture := c.open("enrol", nil)
	c.fill(capture, 1)
	r.restart()
	step, err := r.c.EnrolCapture(t.Context(), c.write(capture, c.hand.Sign(0, 9)))
	if err != nil || step.Count != 1 {
		t.Fatalf("%+v, %v", step, err)
	}
	mouse := c.hand.Sign(0, 10)
	for i := range mouse.Points {
		mouse.Points[i].Pressure = .5
	}
	for try := 3; try <= maxEnrolTries; try++ {
		if step, err = r.c.EnrolCapture(t.Context(), c.write(capture, mouse)); err != nil || step.Accepted || step.Reasons[0] != "constant-pressure" {
			t.Fatalf("try %d: %+v, %v", try, step, err)
		}
	}
	if !step.Failed || c.report().EnrolFailures != 1 {
		t.Errorf("%+v, %+v", step, c.report())
	}
	_, err = r.c.ArmCapture(t.Context(), capture)
	want(t, err, NotAllowed)
	capture = c.open("again", nil)
	r.clock.move(CaptureLife + time.Second)
	_, err = r.c.ArmCapture(t.Context(), capture)
	want(t, err, NotAllowed)
}

// TestPresenceByPasskey: the answer of an operator's passkey opens the capture it was asked
// for, and no other; who has a passkey is not there with a code.
func TestPresenceByPasskey(t *testing.T) {
	t.Parallel()
	r := newPasskeyRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	other := c.newPad("tablet-2")
	key, _ := c.operator.addPasskey(-7)
	ds := digests(1)
	ask := func(request string) NewCapture {
		n := c.opening(request, ds)
		n.Presence.OTP = ""
		return n
	}
	n := ask("tx")
	n.Presence.Passkey = key.Get(r.challenge(n))
	for name, change := range map[string]func(n *NewCapture){
		"other digests":    func(n *NewCapture) { n.Digests = digests(1) },
		"another customer": func(n *NewCapture) { n.Holder, n.Purpose = "somebody", ToEnrol; n.noCredential() },
		"another tablet":   func(n *NewCapture) { n.Tablet = other.id },
		"to enrol":         func(n *NewCapture) { n.Purpose = ToEnrol; n.noCredential() },
	} {
		changed := n
		change(&changed)
		if _, err := r.c.OpenCapture(t.Context(), changed); KindOf(err) != WrongOTP {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := r.c.OpenCapture(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	again := n
	again.Request = "again"
	_, err := r.c.OpenCapture(t.Context(), again)
	want(t, err, ReusedOTP)
	_, err = r.c.OpenCapture(t.Context(), c.opening("code", ds))
	want(t, err, WantsPasskey)
	// A sign-in's answer is for the sign-in.
	a := Authentication{Factors: c.operator.factors, Evidence: Evidence{Client: "test"}}
	stolen := ask("stolen")
	stolen.Presence.Passkey = key.Get(r.challenge(a))
	_, err = r.c.OpenCapture(t.Context(), stolen)
	want(t, err, WrongOTP)
}
