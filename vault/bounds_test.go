package vault

import (
	"testing"
	"time"
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
