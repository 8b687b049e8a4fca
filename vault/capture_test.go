package vault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
)

// TestForgeries: what is not written by the customer now gives no SAD, and is counted.
func TestForgeries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	stranger := synthetic.New(8)
	genuine := c.signature()
	if _, err := c.attempt("genuine", digests(1), genuine); err != nil {
		t.Fatal(err)
	}
	other := newOther(c, stranger)
	for _, forgery := range []struct {
		name   string
		sample *graphometric.Sample
		replay bool
	}{
		{"what was written a minute ago", genuine, true},
		{"what was enrolled", c.hand.Forge(synthetic.Replay, 0), true},
		{"what was enrolled, with noise", c.hand.Forge(synthetic.Noisy, 1), true},
		{"what was enrolled, faster and larger", c.hand.Forge(synthetic.Scaled, 2), false},
		{"a slow copy of the trace", c.hand.Forge(synthetic.Tracer, 3), false},
		{"another enrolled person's signature", stranger.Sign(2, 1), false},
		{"a stranger's signature", c.hand.Forge(synthetic.Random, 1), false},
	} {
		before := c.report()
		c.tomorrow()
		_, err := c.attempt(forgery.name, digests(1), forgery.sample)
		if k := KindOf(err); k != Unrecognised && k != Mismatch || forgery.replay && k != Unrecognised {
			t.Errorf("%s: %v", forgery.name, err)
		}
		after := c.report()
		if forgery.replay && after.Replays != before.Replays+1 {
			t.Errorf("%s: not noticed as a copy", forgery.name)
		}
		if after.Attempts[0].Match != before.Attempts[0].Match {
			t.Errorf("%s: counted as a match", forgery.name)
		}
	}
	// The other person is recognised as themself.
	c.tomorrow()
	if _, err := other.attempt("other", digests(1), stranger.Sign(2, 2)); err != nil {
		t.Error(err)
	}
}

// newOther enrols another customer at the same counter.
func newOther(c *counterRig, hand *synthetic.Signer) *counterRig {
	c.t.Helper()
	o := *c
	o.customer, o.hand, o.next = c.customer+"-2", hand, 0
	o.enrolCustomer()
	return &o
}

func (c *counterRig) report() GraphometricReport {
	c.t.Helper()
	r, err := c.c.GraphometricReport(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

// TestCaptureBound: a signature is good for one capture, one nonce, these digests, two
// minutes, and with the tablet's signature.
func TestCaptureBound(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	ds := digests(2)
	rogue := newRogue(t, c)
	attempts := []struct {
		name string
		want Kind
		do   func(capture string, a *Authorisation)
	}{
		{"other digests", NotAllowed, func(_ string, a *Authorisation) { a.Digests = digests(2) }},
		{"fewer digests", NotAllowed, func(_ string, a *Authorisation) { a.Digests = ds[:1] }},
		{"a digest twice", NotAllowed, func(_ string, a *Authorisation) { a.Digests = append(slices.Clone(ds), ds[0]) }},
		{"another hash", BadRequest, func(_ string, a *Authorisation) { a.Hash = "SHA-512" }},
		{"something confirmed", NotAllowed, func(_ string, a *Authorisation) { a.Confirmed = make([]byte, 32) }},
		{"documents", NotAllowed, func(_ string, a *Authorisation) { a.Documents = true }},
		{"an application", NotAllowed, func(_ string, a *Authorisation) { a.Application = "app" }},
		{"a password beside it", BadRequest, func(_ string, a *Authorisation) { a.Password = []byte(goodPassword) }},
		{"no signature at all", NotAllowed, func(_ string, a *Authorisation) { a.Capture = nil }},
		{"a tablet that nobody knows", NotAllowed, func(_ string, a *Authorisation) { rogue.sign(t, a.Capture, c.context(a.Capture.Capture)) }},
		{"a signature over other context", NotAllowed, func(_ string, a *Authorisation) { c.tablet.sign(t, a.Capture, make([]byte, 32)) }},
		{"another time", NotAllowed, func(_ string, a *Authorisation) { a.Capture.Started++ }},
		{"a time before it was armed", StaleCapture, func(_ string, a *Authorisation) {
			a.Capture.Started -= 11_000
			c.tablet.sign(t, a.Capture, c.context(a.Capture.Capture))
		}},
		{"a time that has not come", StaleCapture, func(_ string, a *Authorisation) {
			a.Capture.Started += 60_000
			c.tablet.sign(t, a.Capture, c.context(a.Capture.Capture))
		}},
		{"one byte of it changed", NotAllowed, func(_ string, a *Authorisation) { a.Capture.Sealed[0] ^= 1 }},
		{"one byte changed, and signed", BadRequest, func(_ string, a *Authorisation) {
			a.Capture.Sealed[0] ^= 1
			c.tablet.sign(t, a.Capture, c.context(a.Capture.Capture))
		}},
		{"another key, and signed", BadRequest, func(_ string, a *Authorisation) {
			a.Capture.Ephemeral = make([]byte, pointSize)
			c.tablet.sign(t, a.Capture, c.context(a.Capture.Capture))
		}},
		{"another nonce, and signed", StaleCapture, func(_ string, a *Authorisation) {
			a.Capture.Nonce = make([]byte, captureNonce)
			c.tablet.sign(t, a.Capture, c.context(a.Capture.Capture))
		}},
		{"a nonce that is too old", StaleCapture, func(string, *Authorisation) { c.clock.move(ArmedLife) }},
		{"armed anew meanwhile", StaleCapture, func(capture string, _ *Authorisation) {
			if _, err := c.c.ArmCapture(t.Context(), capture); err != nil {
				t.Error(err)
			}
		}},
		{"a capture that was closed", NotAllowed, func(capture string, _ *Authorisation) {
			if err := c.c.CloseCapture(t.Context(), capture, "the browser was closed"); err != nil {
				t.Error(err)
			}
		}},
		{"a capture whose time is over", NotAllowed, func(string, *Authorisation) { c.clock.move(CaptureLife) }},
		{"another capture", NotAllowed, func(_ string, a *Authorisation) { a.Capture.Capture = c.open("another", a.Digests) }},
		{"a capture that there is not", NotAllowed, func(_ string, a *Authorisation) { a.Capture.Capture = "none" }},
		{"a longer nonce", BadRequest, func(_ string, a *Authorisation) { a.Capture.Nonce = make([]byte, 33) }},
		{"a vault that was started again", StaleCapture, func(string, *Authorisation) { r.restart() }},
	}
	for _, at := range attempts {
		capture := c.open(at.name, ds)
		a := c.capturedFor(at.name, ds, c.write(capture, c.signature()))
		at.do(capture, &a)
		_, err := c.c.Authorise(t.Context(), a)
		if KindOf(err) != at.want {
			t.Errorf("%s: %v, want %s", at.name, err, at.want)
		}
	}
	if n := c.report(); n.Attempts[0] != (Outcomes{}) {
		t.Errorf("something was compared: %+v", n)
	}
	if n := r.events(); n["capture.forged"] == 0 || n["signature.authorised"] != 0 {
		t.Errorf("%v", n)
	}
	// The customer is no worse off.
	if _, err := c.attempt("good", ds, c.signature()); err != nil {
		t.Error(err)
	}
}

// TestCaptureUnusable: what is no signature is refused, is no attempt, and takes neither
// time nor memory without end.
func TestCaptureUnusable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	ds := digests(1)
	capture := c.open("tx", ds)
	mouse := c.signature()
	for i := range mouse.Points {
		mouse.Points[i].Pressure = .5
	}
	class := c.signature()
	class.Device.Class = "wacom-stu"
	flood := c.signature()
	for len(flood.Points) < 10_000 {
		flood.Points = append(flood.Points, flood.Points...)
	}
	short := c.signature()
	short.Points = short.Points[:20]
	slow := c.signature()
	for i := range slow.Points {
		slow.Points[i].T *= 30
	}
	for name, bad := range map[string]struct {
		json []byte
		want Kind
	}{
		"a mouse":                {graphometric.AppendCapture(nil, mouse), BadSample},
		"another kind of tablet": {graphometric.AppendCapture(nil, class), BadSample},
		"10,000 points":          {graphometric.AppendCapture(nil, flood), BadRequest},
		"20 points":              {graphometric.AppendCapture(nil, short), BadSample},
		"a minute":               {graphometric.AppendCapture(nil, slow), BadSample},
		"nothing":                {[]byte(" "), BadSample},
		"other JSON":             {[]byte(`{"device":{},"points":[[]]}`), BadSample},
		"no JSON":                {make([]byte, maxCaptured-captureTag), BadSample},
		"too many bytes":         {make([]byte, maxCaptured), BadRequest},
	} {
		a, err := c.c.ArmCapture(t.Context(), capture)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.c.Authorise(t.Context(), c.capturedFor("tx", ds, c.tablet.send(t, capture, a, bad.json)))
		if KindOf(err) != bad.want {
			t.Errorf("%s: %v, want %s", name, err, bad.want)
		}
		if e := (*Error)(nil); name == "a mouse" && (!errors.As(err, &e) || e.Reason != string(graphometric.ConstantPressure)) {
			t.Errorf("a mouse: %+v", err)
		}
	}
	if _, err := c.c.Authorise(t.Context(), c.capturedFor("tx", ds, c.write(capture, c.signature()))); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

// TestAttempts: three for a transaction, nine for a day, and then nobody is let in.
func TestAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	c.tomorrow()
	ds := digests(1)
	wrong := func(capture string, i int) error {
		_, err := c.c.Authorise(t.Context(), c.capturedFor("tx", ds, c.write(capture, c.hand.Forge(synthetic.Random, i))))
		return err
	}
	n := 0
	for _, wait := range []time.Duration{15 * time.Minute, 4 * time.Hour, 24 * time.Hour} {
		capture := c.open("round "+wait.String(), ds)
		for tries := 0; ; tries++ {
			n++
			err := wrong(capture, n)
			if KindOf(err) == Unrecognised {
				break // a matcher may refuse what is far off at once
			}
			var e *Error
			if !errors.As(err, &e) || e.Kind != Mismatch || e.Left != MaxAttempts-1-tries {
				t.Fatalf("try %d: %+v", tries, err)
			}
		}
		_, err := c.c.ArmCapture(t.Context(), capture)
		want(t, err, NotAllowed)
		for c.report().Locks == 0 || c.failures()%MaxAttempts != 0 { // those that were refused at once
			n++
			want(t, wrong(c.open("more", ds), n), Unrecognised)
		}
		_, err = c.c.OpenCapture(t.Context(), c.opening("locked", ds))
		var e *Error
		if !errors.As(err, &e) || e.Kind != SignatureLocked || e.RetryAfter <= 0 || e.RetryAfter > wait {
			t.Fatalf("after %d: %+v", n, err)
		}
		if wait < 24*time.Hour {
			c.clock.move(wait)
		}
	}
	if err := c.second.authenticate(goodPassword, c.second.otp()); err != nil {
		t.Errorf("somebody else is locked out: %v", err)
	}
	c.clock.move(24 * time.Hour)
	if _, err := c.attempt("the day after", ds, c.signature()); err != nil {
		t.Error(err)
	}
}

// TestImpostors: where it is wanted, and only there, a match is compared with one other
// profile, of somebody else, and only counted.
func TestImpostors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	newOther(c, synthetic.New(8))
	sign := func(n int) {
		for i := range n {
			if _, err := c.attempt(fmt.Sprint("tx ", c.next, i), digests(1), c.signature()); err != nil {
				t.Fatal(err)
			}
			c.tomorrow()
		}
	}
	sign(1)
	if n := c.report(); n.ImpostorComparisons != 0 {
		t.Errorf("nobody wanted that: %+v", n)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r.cfg.Impostors = true
	r.start()
	for tries := 0; c.report().ImpostorComparisons == 0; tries++ { // it may draw the own one
		if tries == 20 {
			t.Fatal("nothing was compared")
		}
		sign(1)
	}
	if n := c.report(); n.ImpostorMatches != 0 {
		t.Errorf("%+v", n)
	}
	for _, d := range r.entries(captureCompared) {
		if strings.Contains(fmt.Sprint(d), "customer-2") {
			t.Errorf("the journal names whom: %v", d)
		}
	}
}

// TestCaptureRowSetBack: who puts the row of a capture, or of the profile, back as it was
// before an attempt has no attempt more.
func TestCaptureRowSetBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	ds := digests(1)
	for _, kind := range []string{"capture", "profile"} {
		c.tomorrow()
		capture := c.open("tx "+kind, ds)
		execRaw(t, r.cfg.StateDB, `CREATE TABLE before AS SELECT * FROM counter_rows WHERE kind = '`+kind+`'`)
		_, err := c.c.Authorise(t.Context(), c.capturedFor("tx", ds, c.write(capture, c.hand.Forge(synthetic.Tracer, 0))))
		if k := KindOf(err); k != Mismatch && k != Unrecognised {
			t.Fatal(err)
		}
		execRaw(t, r.cfg.StateDB, `CREATE TABLE after AS SELECT * FROM counter_rows WHERE kind = '`+kind+`';
			DELETE FROM counter_rows WHERE kind = '`+kind+`'; INSERT INTO counter_rows SELECT * FROM before`)
		sent := Captured{Capture: capture, Nonce: make([]byte, captureNonce), Ephemeral: make([]byte, pointSize), Sealed: make([]byte, 100), Signature: make([]byte, 64)}
		_, err = c.c.Authorise(t.Context(), c.capturedFor("tx", ds, sent))
		want(t, err, Tampered)
		execRaw(t, r.cfg.StateDB, `DELETE FROM counter_rows WHERE kind = '`+kind+`'; INSERT INTO counter_rows SELECT * FROM after;
			DROP TABLE before; DROP TABLE after`)
	}
}

// TestCapturedRepeated: a request that is sent again gets the answer it got, and is counted
// once; the same signature under another name gets nothing.
func TestCapturedRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	ds := digests(1)
	capture := c.open("tx", ds)
	wrong := c.capturedFor("tx", ds, c.write(capture, c.hand.Forge(synthetic.Tracer, 0)))
	_, first := c.c.Authorise(t.Context(), wrong)
	_, second := c.c.Authorise(t.Context(), wrong)
	if first == nil || KindOf(first) != KindOf(second) || c.report().Attempts[0].Repeat+c.report().Attempts[0].Refuse != 1 {
		t.Errorf("%v, then %v", first, second)
	}
	c.tomorrow()
	a := c.capturedFor("tx", ds, c.write(c.open("tx2", ds), c.signature()))
	var wg sync.WaitGroup
	sads := make([]string, 8)
	for i := range sads {
		wg.Go(func() {
			for {
				s, err := c.c.Authorise(t.Context(), a)
				if KindOf(err) == Busy {
					time.Sleep(5 * time.Millisecond)
					continue
				}
				if err != nil {
					t.Error(err)
				}
				sads[i] = s.ID
				return
			}
		})
	}
	wg.Wait()
	if slices.Sort(sads); sads[0] == "" || sads[0] != sads[7] {
		t.Errorf("%q", sads)
	}
	if n := c.report().Attempts; n[0].Match != 1 {
		t.Errorf("%+v", n)
	}
	r.restart()
	if s, err := c.c.Authorise(t.Context(), a); err != nil || s.ID != sads[0] {
		t.Errorf("after a start: %+v, %v", s, err)
	}
	a.Request = "another"
	_, err := c.c.Authorise(t.Context(), a)
	want(t, err, NotAllowed)
	a.Request = "tx"
	c.clock.move(retryFor)
	_, err = c.c.Authorise(t.Context(), a)
	want(t, err, NotAllowed)
}
