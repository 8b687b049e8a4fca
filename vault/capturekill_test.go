package vault

import (
	"testing"
)

// TestCaptureKilled: a vault that dies between two steps of a match, or of an enrolment, is
// asked again by the client, and the answer is the one that would have been given: once.
func TestCaptureKilled(t *testing.T) {
	t.Parallel()
	for _, step := range []struct {
		die   string
		match Kind // what the match that is interrupted gives
		tried int64
	}{
		// The attempt is counted, and what the tablet encrypted for is gone: sign again.
		{"tried", StaleCapture, 0},
		{"compared", StaleCapture, 0},
		// The match was durable: the same SAD.
		{"matched", "", 1},
	} {
		t.Run(step.die, func(t *testing.T) {
			t.Parallel()
			r, starts := newProcessRig(t, step.die)
			c := newCounter(t, r)
			c.enrolCustomer()
			ds := digests(2)
			_, err := c.attempt("tx", ds, c.signature())
			if KindOf(err) != step.match {
				t.Fatalf("%v, want %q", err, step.match)
			}
			if n := c.report().Attempts[0].Match; n != step.tried {
				t.Errorf("%d matches, want %d", n, step.tried)
			}
			if err != nil {
				if _, err := c.attempt("tx again", ds, c.signature()); err != nil {
					t.Error(err)
				}
			}
			if n := c.failures(); err == nil && n != 0 || err != nil && n != 1 {
				t.Errorf("%d mismatches", n)
			}
			if n := starts(); n != 2 {
				t.Errorf("the vault was started %d times", n)
			}
		})
	}
	for _, die := range []string{"enrolment-checked", "enrolled"} {
		t.Run(die, func(t *testing.T) {
			t.Parallel()
			r, starts := newProcessRig(t, die)
			c := newCounter(t, r)
			capture := c.open("enrol", nil)
			c.fill(capture, 5)
			f := c.finishing(capture, "grapho")
			cred, csr, err := r.c.FinishEnrolment(t.Context(), f)
			if die == "enrolled" {
				if err != nil || len(csr) == 0 || !cred.Graphometric {
					t.Fatalf("%v", err)
				}
				c.cred = cred
				if _, err := c.attempt("tx", digests(1), c.signature()); err != nil {
					t.Error(err)
				}
			} else {
				// The signatures are gone with the vault's memory: the person writes them again.
				want(t, err, NotAllowed)
				c.fillFrom(capture, 10, 5)
				c.finish(capture, "grapho")
			}
			if n := starts(); n != 2 {
				t.Errorf("the vault was started %d times", n)
			}
		})
	}
}
