package vault

import (
	"fmt"
	"testing"

	"sigillo/auth/graphometric"
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

// TestEnrolmentEnds: who takes signatures out and has others written, on and on, does not
// fill the vault's memory.
func TestEnrolmentEnds(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	capture := c.open("enrol", nil)
	step, looks := c.fill(capture, 5), 0
	for i := 5; ; i++ {
		if step.Count == 5 {
			if _, err := r.c.RemoveCapture(t.Context(), capture, 4); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if step, err = r.c.EnrolCapture(t.Context(), c.write(capture, c.hand.Sign(0, i))); err != nil {
			want(t, err, NotAllowed)
			break
		}
		if looks++; looks > maxEnrolLooks {
			t.Fatal("there is no end")
		}
	}
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
}
