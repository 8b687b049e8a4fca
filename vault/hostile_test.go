package vault

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
	"sigillo/hsm"
	"sigillo/store"
)

// TestRefusedAtEnrolment: a signature that was looked at in an enrolment and not taken is
// not good later either, for who kept it.
func TestRefusedAtEnrolment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	capture := c.open("enrol", nil)
	c.fill(capture, 3)
	kept := c.strange()
	step, err := r.c.EnrolCapture(t.Context(), c.write(capture, kept))
	if err != nil || step.Accepted {
		t.Fatalf("%+v, %v", step, err)
	}
	c.fillFrom(capture, 3, 5)
	c.finish(capture, "credential-1")
	ds := digests(1)
	_, err = c.attempt("tx", ds, kept)
	want(t, err, Unrecognised)
	if n := c.report().Replays; n != 1 {
		t.Errorf("%d replays", n)
	}
}

// strange is a signature that does not go with those of the enrolment.
func (c *counterRig) strange() *graphometric.Sample {
	s := c.hand.Sign(0, 40)
	for i := range s.Points {
		s.Points[i].X, s.Points[i].Y = s.Points[i].Y, s.Points[i].X
	}
	return s
}

// TestEnrolmentEnds: where there are enough signatures no others are looked at on and on: those
// that are taken out again stay in memory until the end.
func TestEnrolmentEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	capture := c.open("enrol", nil)
	c.fill(capture, 4)
	mouse := c.hand.Sign(0, 30)
	for i := range mouse.Points {
		mouse.Points[i].Pressure = .5
	}
	var err error
	for looks := 4; err == nil && looks <= maxEnrolLooks; looks++ {
		var step EnrolStep
		if step, err = r.c.EnrolCapture(t.Context(), c.write(capture, mouse)); err == nil && (!step.Ready || step.Failed) {
			t.Fatalf("%+v", step)
		}
	}
	want(t, err, NotAllowed)
	c.finish(capture, "credential-1")
}

// TestTabletsRevokedDoNotCount: a house that has worn out a thousand tablets registers
// another one.
func TestTabletsRevokedDoNotCount(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	err := r.db().Write(t.Context(), func(tx *store.Tx) error {
		for i := range store.MaxRows {
			if err := tx.PutCounterRow(store.CounterRow{Kind: store.CounterTablet, ID: fmt.Sprint("old-", i), State: tabletIsGone, Version: 1}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.newPad("tablet-2")

	// Among so many one that was stolen is known still.
	if err := r.c.RevokeTablet(t.Context(), c.tablet.id, "officer", "stolen"); err != nil {
		t.Fatal(err)
	}
	again := *c.tablet
	again.id = "tablet-3"
	want(t, r.c.RegisterTablet(t.Context(), c.newTablet(&again)), NotAllowed)
}

// TestCopyOfSecondMatch: of two signatures of a day one enters the profile. The vault knows
// both: neither is good again with small changes, for a service that has read them.
func TestCopyOfSecondMatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	var last *graphometric.Sample
	for i := 0; c.report().Attempts[0].Match < 3; i++ {
		if i == 8 {
			t.Fatal("the customer is not recognised")
		}
		last = c.signature()
		if _, err := c.attempt(fmt.Sprint("tx", i), digests(1), last); err != nil && KindOf(err) != Mismatch {
			t.Fatal(err)
		}
	}
	for i := range last.Points {
		last.Points[i].X += float64(i%3) - 1
	}
	_, err := c.attempt("copy", digests(1), last)
	want(t, err, Unrecognised)
	if n := c.report().Replays; n != 1 {
		t.Errorf("%d replays", n)
	}
}

// TestSessionsBounded: enrolments fill memory, and there are so many at a time. They keep
// nobody from signing, nor do those who sign keep each other.
func TestSessionsBounded(t *testing.T) {
	t.Parallel()
	var s sessions
	now := newClock().now()
	open := func(purpose string, n int) error {
		_, err := s.of(&capture{ID: fmt.Sprint(purpose, n), Purpose: purpose, Expires: millis(now.Add(CaptureLife))}, now)
		return err
	}
	for n := range store.MaxRows {
		if err := open(ToSign, n); err != nil {
			t.Fatal(n, err)
		}
	}
	for n := range maxSessions {
		if err := open(ToEnrol, n); err != nil {
			t.Fatal(n, err)
		}
	}
	want(t, open(ToEnrol, maxSessions), Busy)
	if err := open(ToSign, store.MaxRows); err != nil {
		t.Error(err)
	}
}

// TestUpgradeWithoutRoom: a vault that is brought up to date on a token that makes no key
// more starts, does everything but handwritten signatures, and comes round when the token does.
func TestUpgradeWithoutRoom(t *testing.T) {
	t.Parallel()
	tok := &lossyToken{softToken: &softToken{keys: map[string][32]byte{}}, refuses: &hsm.Error{Kind: hsm.Unsupported, Msg: "the token is full"}}
	dir := t.TempDir()
	v, unlock, err := start(t.Context(), Config{Socket: filepath.Join(dir, "sock"), StateDB: filepath.Join(dir, "vault.db"), Node: "node-1",
		Provision: true, Argon: fastArgon, Now: newClock().now, token: tok}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	defer v.close()
	if _, err := v.enrol(t.Context(), "id", &Enrolment{Holder: "h", Username: "ada", Password: []byte(goodPassword)}); err != nil {
		t.Error(err)
	}
	for n := range 2 {
		if _, err := v.openCapture(t.Context(), &NewCapture{}); KindOf(err) != TokenGone || err != v.withTemplates() {
			t.Errorf("minute %d: %v", n, err)
		}
		v.minute(t.Context(), n)
	}
	tok.refuses = nil
	v.minute(t.Context(), 2)
	if err := v.withTemplates(); err != nil || !tok.made {
		t.Error(err)
	}
	created := func() (n int) {
		err := v.db.Read(t.Context(), func(tx *store.Tx) error {
			entry, err := tx.LastJournalOf(keyTemplates, "key.created")
			n = int(entry.Seq)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return n
	}
	first := created()
	v.openTemplates(t.Context())
	if now := created(); now != first {
		t.Error("the key is journalled twice")
	}
}

// TestDestroyDamaged: who changes the head of a profile, or takes it away, does not keep the
// profile from being destroyed.
func TestDestroyDamaged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	execRaw(t, r.cfg.StateDB, `CREATE TABLE heads AS SELECT * FROM counter_rows WHERE kind = 'profile'`)
	execRaw(t, r.cfg.StateDB, `UPDATE counter_rows SET record = zeroblob(9) WHERE kind = 'profile'`)
	for range 2 { // the second time it is no error
		if err := r.c.DestroyProfile(t.Context(), c.cred.ID, "customer", "withdrawn"); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, r.cfg.StateDB, `SELECT count(*) FROM templates`); n != 0 {
		t.Errorf("%d templates are left", n)
	}
	execRaw(t, r.cfg.StateDB, `DELETE FROM counter_rows WHERE kind = 'profile'; INSERT INTO counter_rows SELECT * FROM heads`)
	_, err := r.c.OpenCapture(t.Context(), c.opening("after", digests(1)))
	want(t, err, NotAllowed)

	other := newOther(c, synthetic.New(8))
	execRaw(t, r.cfg.StateDB, `DELETE FROM counter_rows WHERE kind = 'profile'`)
	if err := r.c.DestroyProfile(t.Context(), other.cred.ID, "customer", "withdrawn"); err != nil {
		t.Fatal(err)
	}
	if n := count(t, r.cfg.StateDB, `SELECT count(*) FROM templates`); n != 0 {
		t.Errorf("%d templates are left", n)
	}
}

// TestArmedWhileClosed: a capture that ends while it is armed is over, in memory too.
func TestArmedWhileClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	capture := c.open("enrol", nil)
	c.fill(capture, 2)
	var once sync.Once
	r.fault = func(step string) {
		if step == "arming" {
			once.Do(func() {
				if err := r.c.CloseCapture(t.Context(), capture, "left"); err != nil {
					t.Error(err)
				}
			})
		}
	}
	_, err := r.c.ArmCapture(t.Context(), capture)
	want(t, err, NotAllowed)
}

// TestCloseForgotten: a capture that the vault has forgotten is over, and can be closed.
func TestCloseForgotten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	capture := c.open("enrol", nil)
	for range 2 {
		r.clock.move(25 * time.Hour)
		r.restart()
	}
	if n := count(t, r.cfg.StateDB, `SELECT count(*) FROM counter_rows WHERE kind = 'capture'`); n != 0 {
		t.Fatalf("%d captures are kept", n)
	}
	for _, id := range []string{capture, "another"} {
		if err := r.c.CloseCapture(t.Context(), id, "restart"); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestSlowComparison: what could not be compared in time is not held against the customer.
func TestSlowComparison(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	ds := digests(1)
	capture := c.open("late", ds)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	v, unlock, err := start(t.Context(), r.cfg, func(step string) {
		if step == "tried" {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	armed, err := v.armCapture(t.Context(), capture)
	if err != nil {
		t.Fatal(err)
	}
	s := c.signature()
	sent := c.tablet.send(t, capture, *armed, graphometric.AppendCapture(nil, s))
	r.clock.move(s.Duration())
	a := c.capturedFor("late", ds, sent)
	if _, err := v.authoriseCaptured(ctx, &a); err == nil {
		t.Error("it was compared")
	}
	v.close()
	unlock()
	r.start()
	if n := c.failures(); n != 0 {
		t.Errorf("%d mismatches", n)
	}
}

// TestCopyAfterRollBack: a profile is put back because somebody disputes a signature. Whoever
// wrote that one cannot send it again with small changes, as if the vault had never seen it.
func TestCopyAfterRollBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	var disputed *graphometric.Sample
	for i := 0; c.report().Attempts[0].Match < 1; i++ {
		if i == 8 {
			t.Fatal("the customer is not recognised")
		}
		disputed = c.signature()
		if _, err := c.attempt(fmt.Sprint("tx", i), digests(1), disputed); err != nil && KindOf(err) != Mismatch {
			t.Fatal(err)
		}
		c.tomorrow()
	}
	for n := range 2 { // putting back again does not make it forget
		c.use(c.second)
		err := r.c.RollBackProfile(t.Context(), RollBack{Factors: c.second.factors, Credential: c.cred.ID, Version: 1, Reason: "disputed", Request: fmt.Sprint("back", n),
			Evidence: Evidence{Password: []byte(goodPassword), OTP: c.second.otp(), Client: "test"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	c.tomorrow()
	for i := range disputed.Points {
		disputed.Points[i].X += float64(i%3) - 1
	}
	_, err := c.attempt("copy", digests(1), disputed)
	want(t, err, Unrecognised)
	if n := c.report().Replays; n != 1 {
		t.Errorf("%d replays", n)
	}
}
