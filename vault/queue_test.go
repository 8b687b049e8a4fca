package vault

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
)

func TestQueue(t *testing.T) {
	t.Parallel()
	q := newQueue(2)
	q.most, q.patience = 3, time.Minute
	first, err1 := q.enter(t.Context())
	second, err2 := q.enter(t.Context())
	if err := firstError(err1, err2); err != nil {
		t.Fatal(err)
	}
	type entry struct {
		leave func()
		err   error
	}
	entered := make(chan entry)
	for range 3 {
		go func() {
			leave, err := q.enter(t.Context())
			entered <- entry{leave, err}
		}()
	}
	waiting := func(n int) {
		t.Helper()
		for range 1000 {
			q.mu.Lock()
			now := q.waiting
			q.mu.Unlock()
			if now == n {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatalf("it never came to %d waiting", n)
	}
	waiting(3)
	q.took = 6 * time.Second
	_, err := q.enter(t.Context()) // too many
	want(t, err, Busy)
	if after := retryAfter(err); after != 12*time.Second {
		t.Errorf("try again after %v: four are before it, two at a time, for six seconds each", after)
	}
	first()
	e := <-entered
	waiting(2)
	e.leave()
	second()
	(<-entered).leave()
	(<-entered).leave()
	waiting(0)
	third, err1 := q.enter(t.Context())
	fourth, err2 := q.enter(t.Context())
	if err := firstError(err1, err2); err != nil {
		t.Fatal(err)
	}
	q.patience = time.Millisecond
	_, err = q.enter(t.Context()) // too long
	want(t, err, Busy)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = q.enter(gone)
	want(t, err, Busy)
	third()
	fourth()
	if len(q.places) != 0 || q.waiting != 0 {
		t.Errorf("%d places taken, %d waiting", len(q.places), q.waiting)
	}
}

// TestTokenHangs: the token does not come back from uses of holders' keys. Who asks
// for more is told to come back later, and soon; sign-ins, time-stamps, other keys
// and the status go on. Once the token moves again, so do those who waited.
func TestTokenHangs(t *testing.T) {
	t.Parallel()
	r, set := newSlowRig(t)
	r.beginStamping()
	_, err := r.c.CreateKey(t.Context(), "issuing-ca", hsm.P256)
	if err != nil {
		t.Fatal(err)
	}
	h, guest := r.newHolder("h", "p256"), r.enrol("guest")
	const n = 40
	act := h.authorised("tx", n)
	set("0 hold")
	beside := Dial(r.cfg.Socket) // as a command is, or another service
	defer beside.Close()
	results := make(chan error, n)
	sign := func(i int) {
		one := act
		one.Digests, one.Request = act.Digests[i:i+1], fmt.Sprintf("%s-%d", act.Request, i)
		c := r.c
		if i%2 == 0 {
			c = beside
		}
		_, err := c.Sign(t.Context(), one)
		results <- err
	}
	for i := range n {
		go sign(i)
	}
	// The vault takes as many as it has places, some wait, and the others are told.
	want(t, <-results, Busy)
	for range 3 {
		ask(t, r, guest)
		if _, err := beside.Status(t.Context()); err != nil {
			t.Error(err)
		}
	}
	set("0")
	signed, refused := 0, 1
	for range n - 1 {
		switch err := <-results; KindOf(err) {
		case "":
			signed++
		case Busy:
			refused++
			if after := retryAfter(err); after < shortestRetry || after > longestRetry {
				t.Errorf("try again after %v", after)
			}
		default:
			t.Error(err)
		}
	}
	if signed < placesIn(holderClass) {
		t.Errorf("%d signed, %d were told to come back", signed, refused)
	}
	act = h.authorised("after", 1)
	sigs, err := r.c.Sign(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(act, sigs)
}

// ask wants the vault to answer everything that is no use of a holder's key.
func ask(t *testing.T, r *rig, guest *holder) {
	t.Helper()
	_, err1 := r.c.Status(t.Context())
	err2 := r.authenticate(Authentication{Factors: guest.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: guest.otp(), Client: "test"}})
	_, err3 := r.c.Stamp(t.Context(), stampRequest(t))
	key, err4 := r.c.Signer(t.Context(), "issuing-ca")
	var err5 error
	if err4 == nil {
		_, err5 = key.Sign(nil, make([]byte, 32), hashes["SHA-256"])
	}
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		t.Errorf("while the token hangs under others: %v", err)
	}
}

// TestTokenSlow: a token that does one thing at a time, slowly, under more requests
// than it can do. Each ends signed or told to come back, none is lost, and those of
// other classes get their turn.
func TestTokenSlow(t *testing.T) {
	t.Parallel()
	r, set := newSlowRig(t)
	r.beginStamping()
	if _, err := r.c.CreateKey(t.Context(), "issuing-ca", hsm.P256); err != nil {
		t.Fatal(err)
	}
	h, guest := r.newHolder("h", "p256"), r.enrol("guest")
	act := h.authorised("tx", 40)
	set("20000")
	var flood, others sync.WaitGroup
	var signed, refused atomic.Int32
	quit := make(chan struct{})
	others.Go(func() {
		for range 4 { // each moves the clock by a step, and the SAD is good for ten
			ask(t, r, guest)
			select {
			case <-quit:
				return
			default:
			}
		}
	})
	for i := range act.Digests {
		flood.Go(func() {
			one := act
			one.Digests, one.Request = act.Digests[i:i+1], fmt.Sprintf("%s-%d", act.Request, i)
			for {
				_, err := r.c.Sign(t.Context(), one)
				switch KindOf(err) {
				case "":
					signed.Add(1)
					return
				case Busy:
					refused.Add(1)
					time.Sleep(retryAfter(err) / 10)
				default:
					t.Error(err)
					return
				}
			}
		})
	}
	flood.Wait()
	close(quit)
	others.Wait()
	if signed.Load() != 40 {
		t.Errorf("%d of 40 were signed in the end, %d times somebody was told to come back", signed.Load(), refused.Load())
	}
}

// TestTokenRemoved: the token answers CKR_DEVICE_REMOVED for a while.
func TestTokenRemoved(t *testing.T) {
	t.Parallel()
	r, set := newSlowRig(t)
	r.beginStamping()
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	set("0 gone")
	for range 3 {
		_, err := r.c.Sign(t.Context(), act)
		want(t, err, TokenGone)
		if _, err := r.c.Stamp(t.Context(), stampRequest(t)); err == nil {
			t.Error("stamped")
		}
	}
	set("0")
	var err error
	for i := range 100 {
		act.Request = fmt.Sprintf("tx-%d", i)
		if _, err = r.c.Stamp(t.Context(), stampRequest(t)); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	act = h.authorised("again", 1)
	sigs, err := r.c.Sign(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(act, sigs)
}

// beginStamping makes a unit and activates it.
func (r *rig) beginStamping() {
	r.t.Helper()
	if err := r.c.SetPassphrase(r.t.Context(), PassphraseChange{Operator: "anna", New: []byte(servicePhrase)}); err != nil {
		r.t.Fatal(err)
	}
	r.newActiveUnit(cmstest.New(r.t), hsm.P256, time.Time{}, time.Time{})
}

// TestTokenHangsForGood: a call that never comes back cannot be broken off. The vault
// ends and is started again; what was under way is settled as after a crash.
func TestTokenHangsForGood(t *testing.T) {
	t.Parallel()
	module, env, set := hsmtest.Slow(t)
	r, starts := startProcessRig(t, child{Module: module, Env: env, Files: []string{filepath.Dir(module)}, Hang: 2 * time.Second}, newClock())
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	set("0 hold")
	ended := make(chan error, 1)
	go func() {
		_, err := r.c.Sign(t.Context(), act)
		ended <- err
	}()
	for range 200 {
		if r.events()["token.hangs"] > 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	set("0") // the token is mended while the vault starts
	if err := <-ended; err != nil && KindOf(err) != SpentSAD && KindOf(err) != Unavailable {
		t.Errorf("who waited is told %v", err)
	}
	act = h.authorised("after", 1)
	sigs, err := r.c.Sign(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(act, sigs)
	n := starts()
	if events := r.events(); n != 2 || events["token.hangs"] != 1 {
		t.Errorf("%d starts, journal %v", n, events)
	}
}

// newSlowRig runs a confined vault in a process of its own, which makes time-stamps,
// on a token that can be slowed down.
func newSlowRig(t *testing.T) (*rig, func(string)) {
	t.Helper()
	module, env, set := hsmtest.Slow(t)
	r, starts := startProcessRig(t, child{TSA: true, Module: module, Env: env, Files: []string{filepath.Dir(module)}}, &handClock{t: time.Now()})
	t.Cleanup(func() {
		if n := starts(); n != 1 {
			t.Errorf("the vault was started %d times", n)
		}
	})
	return r, set
}
