package vault

import (
	"bytes"
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"sigillo/auth/passkey/passkeytest"
	"sigillo/store"
)

// TestDonePutBack: a use of a SAD whose result was taken away again is not signed anew.
func TestDonePutBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	all := h.authorised("tx", 3)
	for i, request := range []string{"one", "two"} {
		if _, err := r.c.Sign(t.Context(), part(all, request, i)); err != nil {
			t.Fatal(err)
		}
	}
	editState(t, r, "UPDATE spent SET state = 'intent', signatures = NULL WHERE request = 'one'")
	_, err := r.c.Sign(t.Context(), part(all, "one", 0))
	want(t, err, Tampered)
	if n := r.events(); n["signature.intent"] != 2 || n["signature.done"] != 2 || n["sad.tampered"] != 1 {
		t.Errorf("journal: %v", n)
	}
	e := Extension{SAD: all.SAD, Credential: h.cred, Client: "test", Request: "more"}
	if _, err := r.c.ExtendSAD(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	editState(t, r, "UPDATE spent SET state = 'intent', signatures = NULL WHERE request = 'more'")
	_, err = r.c.ExtendSAD(t.Context(), e)
	want(t, err, Tampered)
}

// TestDelegationOver: a SAD of a delegation signs nothing more when that has ended, and is
// not carried on.
func TestDelegationOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newAutomatic("h")
	n := h.delegation("d", 10)
	n.Expires = r.clock.now().Add(10 * time.Minute)
	if _, err := r.c.Delegate(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	r.clock.move(10*time.Minute - time.Second)
	a := h.delegated("d", "tx", 2)
	s, err := r.c.AuthoriseDelegated(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	all := a.activation(s)
	if _, err := r.c.Sign(t.Context(), part(all, "one", 0)); err != nil {
		t.Fatal(err)
	}
	r.clock.move(time.Second)
	if _, err := r.c.Sign(t.Context(), part(all, "one", 0)); err != nil {
		t.Errorf("what was signed in time is not given again: %v", err)
	}
	_, err = r.c.Sign(t.Context(), part(all, "two", 1))
	want(t, err, NotAllowed)
	_, err = r.c.ExtendSAD(t.Context(), Extension{SAD: s.Token, Credential: h.cred, Client: "robot", Request: "more"})
	want(t, err, NotAllowed)
	r.restart()
	r.clock.move(-time.Minute)
	_, err = r.c.Sign(t.Context(), part(all, "three", 1))
	want(t, err, NotAllowed)
}

// TestErasedFromLog: what unlocked a delegated key is not in the files of the state any
// more a minute after the delegation was revoked, while the vault runs.
func TestErasedFromLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newAutomatic("h")
	h.give("d", 1)
	v, done := r.direct()
	defer done()
	var sealed []byte // as it is written in the file
	err := v.db.Read(t.Context(), func(tx *store.Tx) error {
		row, err := tx.Delegation("d")
		_, rest, _ := bytes.Cut(row.Record, []byte(`"secret":"`))
		sealed, _, _ = bytes.Cut(rest, []byte(`"`))
		return err
	})
	if err != nil || len(sealed) < 60 {
		t.Fatalf("%q, %v", sealed, err)
	}
	if err := v.revokeDelegation(t.Context(), &delegationsRequest{ID: "d", By: "officer", Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	v.minute(t.Context(), 1)
	for _, name := range []string{r.cfg.StateDB, r.cfg.StateDB + "-wal"} {
		if b, err := os.ReadFile(name); err != nil || bytes.Contains(b, sealed) {
			t.Errorf("it is in %s still: %v", name, err)
		}
	}
}

// TestDelegatePasskey: who has a passkey gives a delegation with it, not with a code that
// was typed for who knows what.
func TestDelegatePasskey(t *testing.T) {
	t.Parallel()
	r := newPasskeyRig(t)
	h := r.newAutomatic("h")
	p, _ := h.addPasskey(-7)
	_, err := r.c.Delegate(t.Context(), h.delegation("d", 1))
	want(t, err, WantsPasskey)
	n := h.delegation("d", 1)
	n.OTP, n.Password = "", nil
	n.Passkey, n.Password = p.Get(r.challenge(n)), []byte(goodPassword)
	if _, err := r.c.Delegate(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

// TestDelegateNotice: the holder's phone hears of a delegation.
func TestDelegateNotice(t *testing.T) {
	t.Parallel()
	r, _, p, _ := newPhoneRig(t)
	h := r.newAutomatic("auto")
	id, _ := h.addDevice(NewDevice{Kind: Phone, To: number})
	c := DeviceConfirmation{Factors: h.factors, Device: id, Client: "test"}
	if _, err := r.c.SendCode(t.Context(), c, CodeRequest{}); err != nil {
		t.Fatal(err)
	}
	want(t, h.confirm(id, p.next(t, number)), "")
	h.give("d", 1)
	p.next(t, number, "allowed to sign in your name", "delega")
}

// TestKeyBesideChange: a key that is made while the password is changed is not lost: one
// of the two is refused.
func TestKeyBesideChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	during := func(step string, do func()) {
		once := sync.OnceFunc(do)
		r.fault = func(s string) {
			if s == step {
				once()
			}
		}
		r.restart()
	}
	newKey := func(id string) error {
		_, _, err := r.c.CreateCredential(context.Background(), NewCredential{Factors: h.factors,
			Evidence: Evidence{Password: []byte(goodPassword), OTP: h.otp(), Client: "test"}, ID: id, Type: "p256", MaxDigests: 1})
		return err
	}
	var beside error
	during("password-rewrapped", func() { beside = newKey("first") })
	_, err := r.c.ChangePassword(t.Context(), h.passwordChange(goodPassword, otherPassword))
	want(t, beside, "")
	want(t, err, NotAllowed)
	r = newRig(t)
	h = r.newHolder("h", "p256")
	during("password-pending", func() { beside = newKey("second") })
	changed, err := r.c.ChangePassword(t.Context(), h.passwordChange(goodPassword, otherPassword))
	want(t, err, "")
	want(t, beside, Busy)
	r.clock.move(changeWait)
	want(t, newKey("third"), "") // the service died and never had the new record
	r = newRig(t)
	h = r.newHolder("h", "p256")
	during("credential-checked", func() {
		changed, beside = r.c.ChangePassword(context.Background(), h.passwordChange(goodPassword, otherPassword))
		if beside == nil {
			beside = r.c.AdoptFactors(context.Background(), changed.Factors)
		}
	})
	want(t, newKey("fourth"), Busy)
	want(t, beside, "")
	h.keep(changed)
	want(t, h.signs(otherPassword, "the key there was"), "")
}

// TestChainOfRepetition: the chain of a SAD ends a quarter of an hour after the holder was
// there, also when the request was repeated.
func TestChainOfRepetition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	a := h.authorisation("tx", 1)
	first, err := r.c.Authorise(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	r.clock.move(2 * time.Minute)
	a.Password = []byte(goodPassword)
	s, err := r.c.Authorise(t.Context(), a)
	if err != nil || s.ID != first.ID {
		t.Fatal(s.ID, err)
	}
	e := Extension{SAD: s.Token, Credential: h.cred, Client: "test"}
	for range 3 {
		r.clock.move(4 * time.Minute)
		e.Request += "x"
		next, err := r.c.ExtendSAD(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		if end := first.Expires.Add(SADChain - SADLife); next.Expires.After(end) {
			t.Fatalf("good until %v, the chain ends at %v", next.Expires, end)
		}
		e.SAD = next.Token
	}
}

// TestPasskeyClockBack: what a passkey has signed is good once, also when its challenge was
// forgotten as too old and the clock then went back.
func TestPasskeyClockBack(t *testing.T) {
	t.Parallel()
	r := newPasskeyRig(t)
	h := r.newHolder("h", "p256")
	p := passkeytest.New(t, testOrigin, -7)
	p.Count = 0 // as of passkeys that are synced
	o, err := r.c.PasskeyOptions(t.Context(), h.factors)
	if err != nil {
		t.Fatal(err)
	}
	h.addDevice(NewDevice{Kind: Passkey, Registration: p.Create(o.Options)})
	shown := func() Authentication {
		a := Authentication{Factors: h.factors, Evidence: Evidence{Client: "test"}}
		a.Passkey, a.Password = p.Get(r.challenge(a)), []byte(goodPassword)
		return a
	}
	first := shown()
	want(t, r.authenticate(first), "")
	r.clock.move(ChallengeLife + time.Minute)
	want(t, r.authenticate(shown()), "")
	r.clock.move(-ChallengeLife - time.Minute)
	first.Password = []byte(goodPassword)
	want(t, r.authenticate(first), ReusedOTP)
}
