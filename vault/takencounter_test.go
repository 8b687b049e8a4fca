package vault

import (
	"fmt"
	"testing"

	"sigillo/auth/graphometric/synthetic"
)

// TestTakenOverCounter plays a service in the hands of somebody who wants a signature of a
// customer over a document of their own. They serve the page of the tablet, so that they
// have read what the customer wrote; they have codes that were used, matches that were
// spent, and members of the staff and a tablet of their own making, since who is on the
// staff the service says. They do not write like the customer. docs/security.md says what
// is left to them.
func TestTakenOverCounter(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	honest := digests(1)
	read := c.signature()
	n := c.opening("honest", honest)
	used := n.Presence.OTP
	o, err := r.c.OpenCapture(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	sent := c.write(o.ID, read)
	sad, err := r.c.Authorise(t.Context(), c.capturedFor("honest", honest, sent))
	if err != nil {
		t.Fatal(err)
	}
	wanted := digests(1)
	names := 0
	evil := func() string { names++; return fmt.Sprint("evil ", names) }
	mine := *c // an operator, a second person and a tablet of their own
	mine.operator, mine.second = r.enrol("false-operator"), r.enrol("false-second")
	mine.use(mine.operator)
	mine.use(mine.second)
	mine.tablet = mine.newPad("false-tablet")
	own := mine
	own.customer, own.hand = "accomplice", synthetic.New(9)
	own.enrolCustomer()
	sign := func(sad SAD, err error) error {
		if err != nil {
			return err
		}
		_, err = r.c.Sign(t.Context(), Activation{SAD: sad.Token, Credential: c.cred, Hash: "SHA-256", Digests: wanted, Scheme: schemeECDSA, Request: "evil"})
		return err
	}
	authorise := func(a Authorisation) error { return sign(r.c.Authorise(t.Context(), a)) }
	for name, attempt := range map[string]func() error{
		"the SAD of other documents":           func() error { return sign(sad, nil) },
		"the spent signature, other documents": func() error { return authorise(c.capturedFor(evil(), wanted, sent)) },
		"the spent signature, in a capture of theirs": func() error {
			s := sent
			s.Capture = mine.open(evil(), wanted)
			return authorise(c.capturedFor(evil(), wanted, s))
		},
		"what was read, on a tablet of theirs": func() error { return sign(mine.attempt(evil(), wanted, read)) },
		"with noise":                           func() error { return sign(mine.attempt(evil(), wanted, mine.hand.Forge(synthetic.Noisy, 1))) },
		"their accomplice's hand": func() error {
			return sign(mine.attempt(evil(), wanted, own.hand.Sign(1, 1)))
		},
		"their accomplice's match": func() error {
			return sign(own.attempt(evil(), wanted, own.hand.Sign(1, 2)))
		},
		"their accomplice's match, the customer's credential": func() error {
			capture := own.open(evil(), wanted)
			return authorise(c.capturedFor(evil(), wanted, own.write(capture, own.hand.Sign(1, 3))))
		},
		"a code the operator has used": func() error {
			n := c.opening(evil(), wanted)
			n.Presence.OTP = used
			_, err := r.c.OpenCapture(t.Context(), n)
			return err
		},
		"the customer enrolled again under the same name": func() error {
			capture := mine.open("enrol again", nil)
			mine.hand = synthetic.New(10)
			mine.fill(capture, 5)
			_, _, err := r.c.FinishEnrolment(t.Context(), mine.finishing(capture, c.cred.ID))
			return err
		},
		"the profile put under another credential": func() error {
			cred := own.cred
			cred.Holder = c.customer
			n := mine.opening(evil(), wanted)
			n.Credential = cred
			_, err := r.c.OpenCapture(t.Context(), n)
			return err
		},
		"a password in the place of the pen": func() error {
			h := r.enrol(c.customer) // the customer had none
			a := h.authorisation(evil(), 1)
			a.Credential, a.Digests = c.cred, wanted
			return authorise(a)
		},
		"a delegation": func() error {
			f := r.enrol("delegator")
			_, err := r.c.Delegate(t.Context(), NewDelegation{Factors: f.factors, Credential: c.cred, ID: "evil", Count: 1,
				Evidence: Evidence{Password: []byte(goodPassword), OTP: f.otp(), Client: "test"}, Expires: r.clock.now().Add(SADLife),
				ClientCertificate: theirCertificate, Kinds: []string{"all"}, Request: "evil"})
			return err
		},
	} {
		c.tomorrow()
		if err := attempt(); err == nil {
			t.Errorf("%s: it worked", name)
		}
	}
}
