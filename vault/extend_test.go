package vault

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestExtend: what is not signed yet goes on under a fresh SAD, once.
func TestExtend(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	all := h.authorised("tx", 5)
	if _, err := r.c.Sign(t.Context(), part(all, "one", 0)); err != nil {
		t.Fatal(err)
	}
	e := Extension{SAD: all.SAD, Credential: h.cred, Digests: all.Digests[1:4], Client: "other", Request: "more"}
	for name, c := range map[string]struct {
		change func(*Extension)
		kind   Kind
	}{
		"a signed digest":            {func(e *Extension) { e.Digests = all.Digests[:2] }, SpentSAD},
		"another digest":             {func(e *Extension) { e.Digests = digests(1) }, BadSAD},
		"a digest too often":         {func(e *Extension) { e.Digests = [][]byte{all.Digests[1], all.Digests[1]} }, BadSAD},
		"no client":                  {func(e *Extension) { e.Client = "" }, BadRequest},
		"no request":                 {func(e *Extension) { e.Request = "" }, BadRequest},
		"no SAD":                     {func(e *Extension) { e.SAD = "" }, BadSAD},
		"the request of a signature": {func(e *Extension) { e.Request = "one" }, SpentSAD},
	} {
		x := e
		c.change(&x)
		if _, err := r.c.ExtendSAD(t.Context(), x); KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
	r.clock.move(4 * time.Minute)
	next, err := r.c.ExtendSAD(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if !next.Expires.Equal(r.clock.now().Add(SADLife)) || next.Token == all.SAD {
		t.Errorf("the next SAD expires at %v", next.Expires)
	}
	r.restart()
	again, err := r.c.ExtendSAD(t.Context(), e)
	if err != nil || again.ID != next.ID || !again.Expires.Equal(next.Expires) {
		t.Fatalf("sent again: %+v, %v, want %+v", again, err, next)
	}
	e.Request = "once more"
	_, err = r.c.ExtendSAD(t.Context(), e)
	want(t, err, SpentSAD)
	for i := range all.Digests { // the old one is consumed, also what was not taken over
		_, err := r.c.Sign(t.Context(), part(all, fmt.Sprint("old-", i), i))
		want(t, err, SpentSAD)
	}
	fresh := all
	fresh.SAD, fresh.Digests = next.Token, all.Digests[1:4]
	_, err = r.c.Sign(t.Context(), part(Activation{SAD: next.Token, Credential: h.cred, Hash: all.Hash, Scheme: all.Scheme,
		Digests: all.Digests}, "not taken over", 4))
	want(t, err, BadSAD)
	r.clock.move(2 * time.Minute) // the old one would have expired
	sigs, err := r.c.Sign(t.Context(), part(fresh, "the rest", 0, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(part(fresh, "the rest", 0, 1, 2), sigs)
	fresh.SAD = again.Token
	_, err = r.c.Sign(t.Context(), part(fresh, "the other answer", 0))
	want(t, err, SpentSAD)
	if n := r.events(); n["signature.extended"] != 1 || n["signature.authorised"] != 1 {
		t.Errorf("journal: %v", n)
	}
}

// TestExtendChain: no chain of SADs is longer than a quarter of an hour.
func TestExtendChain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	began := r.clock.now()
	for i := 0; ; i++ {
		r.clock.move(4 * time.Minute)
		s, err := r.c.ExtendSAD(t.Context(), Extension{SAD: act.SAD, Credential: h.cred, Client: "c", Request: fmt.Sprint(i)})
		if err != nil {
			want(t, err, ExpiredSAD)
			if i != 3 {
				t.Errorf("extended %d times", i)
			}
			break
		}
		if s.Expires.After(began.Add(SADChain)) || !s.Expires.After(r.clock.now()) {
			t.Errorf("extension %d ends %v after the holder was there", i, s.Expires.Sub(began))
		}
		act.SAD = s.Token
	}
	_, err := r.c.Sign(t.Context(), act)
	want(t, err, ExpiredSAD)
}

// TestExtendRace: signatures and extensions of one SAD at once: what comes out of it
// and of those after it is what it is for.
func TestExtendRace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	h := r.newHolder("h", "p256")
	all := h.authorised("tx", 8)
	var made, extended atomic.Int32
	var wg sync.WaitGroup
	next := make(chan SAD, 8)
	for w := range 8 {
		wg.Go(func() {
			if w%2 == 0 {
				if _, err := r.c.Sign(t.Context(), part(all, fmt.Sprint("s", w), w)); err == nil {
					made.Add(1)
				} else if KindOf(err) != SpentSAD {
					t.Error(err)
				}
				return
			}
			s, err := r.c.ExtendSAD(t.Context(), Extension{SAD: all.SAD, Credential: h.cred, Client: "c", Request: fmt.Sprint("e", w)})
			if err == nil {
				extended.Add(1)
				next <- s
			} else if KindOf(err) != SpentSAD {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if extended.Load() != 1 {
		t.Fatalf("%d extensions", extended.Load())
	}
	all.SAD = (<-next).Token
	for i := range 8 {
		if _, err := r.c.Sign(t.Context(), part(all, fmt.Sprint("n", i), i)); err == nil {
			made.Add(1)
		} else if k := KindOf(err); k != SpentSAD && k != BadSAD {
			t.Error(err)
		}
	}
	if made.Load() != 8 {
		t.Errorf("%d signatures of a SAD for 8", made.Load())
	}
}

// TestExtendKilled: the vault dies when the next SAD is durable and not yet told.
func TestExtendKilled(t *testing.T) {
	t.Parallel()
	r, starts := newProcessRig(t, "extended")
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 2)
	s, err := r.c.ExtendSAD(t.Context(), Extension{SAD: act.SAD, Credential: h.cred, Client: "c", Request: "x"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.c.Sign(t.Context(), act)
	want(t, err, SpentSAD)
	act.SAD = s.Token
	if _, err := r.c.Sign(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	if n := starts(); n != 2 {
		t.Errorf("the vault was started %d times, want 2", n)
	}
}
