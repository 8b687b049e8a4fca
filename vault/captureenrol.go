package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"

	"sigillo/audit"
	"sigillo/auth/graphometric"
	"sigillo/store"
)

// maxEnrolTries is how many signatures of one person are looked at in an enrolment.
const maxEnrolTries = 10

// maxEnrolLooks is how many are looked at where there are enough all the time, and one after
// the other is taken out and written anew: all that were accepted stay in memory until the end.
const maxEnrolLooks = 2 * maxEnrolTries

// Signatures of an enrolment wait for the others in the memory of the vault, encrypted under
// a key that is beside them for as long: they are in the clear while one is added, and while
// the profile is made of them.

// keep encrypts a signature for the time of its enrolment.
func (x *session) keep(json []byte) error {
	if x.seal == nil {
		key := make([]byte, 32)
		defer clear(key)
		rand.Read(key)
		block, err := aes.NewCipher(key)
		if err == nil {
			x.seal, err = cipher.NewGCMWithRandomNonce(block)
		}
		if err != nil {
			return because(err, "the signature cannot be kept")
		}
	}
	x.steps = append(x.steps, enrolled{sealed: x.seal.Seal(nil, nil, json, nil)})
	return nil
}

// turn waits until a processor is free to compare signatures: an enrolment compares each with
// each, for all of its steps, and must not take the time of those who sign.
func (v *server) turn(ctx context.Context) (free func(), err error) {
	select {
	case scratch := <-v.comparing:
		return func() { v.comparing <- scratch }, nil
	case <-ctx.Done():
		return nil, &Error{Kind: Busy, Msg: "too many people sign on tablets at the same time; try again", RetryAfter: shortestRetry}
	}
}

// enrolment makes the enrolment again out of its steps. The caller wipes it.
func (v *server) enrolment(x *session) (e *graphometric.Enrolment, last graphometric.Advice, err error) {
	e = graphometric.NewEnrolment(v.policy)
	for i := range x.steps {
		s := &x.steps[i]
		if s.sealed == nil {
			last = e.Remove(s.removed)
			continue
		}
		if last, err = v.addAgain(e, x, i); err != nil {
			e.Wipe()
			return nil, last, err
		}
	}
	return e, last, nil
}

func (v *server) addAgain(e *graphometric.Enrolment, x *session, i int) (a graphometric.Advice, err error) {
	l, err := newLocked(len(x.steps[i].sealed))
	if err != nil {
		return a, err
	}
	defer l.release()
	if l.b, err = x.seal.Open(l.b[:0], nil, x.steps[i].sealed, nil); err != nil {
		return a, &Error{Kind: Failed, Msg: "a signature of the enrolment does not open; begin again", Err: err}
	}
	s, err := graphometric.ParseCapture(l.b)
	if err != nil {
		return a, &Error{Kind: Failed, Msg: "a signature of the enrolment cannot be read; begin again", Err: err}
	}
	defer s.Wipe()
	return e.Add(s), nil
}

// stepOf says in the words of the API what an enrolment says.
func stepOf(a graphometric.Advice) EnrolStep {
	s := EnrolStep{Accepted: a.Accepted, Count: a.Count, Ready: a.Ready, Pause: a.Pause, Weak: a.Weak, Odd: a.Odd, Failed: a.Failed}
	for _, r := range a.Reasons {
		s.Reasons = append(s.Reasons, string(r))
	}
	return s
}

// enrolling reads the capture of an enrolment that is open, and locks its session. leave is
// to be called.
func (v *server) enrolling(ctx context.Context, id string) (c *capture, t *tablet, x *session, leave func(), err error) {
	read := func(tx *store.Tx) (err error) {
		if c, err = v.capture(tx, id); err != nil {
			return err
		}
		if err := c.is(ToEnrol, v.now()); err != nil {
			return err
		}
		t, err = v.tabletForUse(tx, c.Tablet)
		return err
	}
	if err = v.db.Read(ctx, read); err == nil {
		x, err = v.sessions.of(c, v.now())
	}
	if err != nil {
		return nil, nil, nil, nil, because(err, "the vault's state cannot be read")
	}
	if !x.busy.TryLock() {
		return nil, nil, nil, nil, errBusyCapture
	}
	if err = v.db.Read(ctx, read); err != nil { // as it is now
		v.sessions.leave(x)
		return nil, nil, nil, nil, because(err, "the vault's state cannot be read")
	}
	return c, t, x, func() { v.sessions.leave(x) }, nil
}

// enrolCapture looks at a signature that is to be enrolled.
//
//  1. The capture is open and to enrol. A signature that was looked at before gets the
//     answer it got.
//  2. The signature is opened, as in authoriseCaptured, and held beside those before it.
//  3. Durable: that it was looked at, with what was said to it, and its fingerprint.
func (v *server) enrolCapture(ctx context.Context, s *Captured) (*EnrolStep, error) {
	if err := firstError(v.withTemplates(), s.check()); err != nil { // 1
		return nil, err
	}
	c, t, x, leave, err := v.enrolling(ctx, s.Capture)
	if err != nil {
		return nil, err
	}
	defer leave()
	if same(x.last, s.digest()) {
		step := x.step
		return &step, nil
	}
	if c.Tries >= maxEnrolLooks {
		return nil, failf(NotAllowed, "%d signatures were looked at, which is enough; finish the enrolment, or begin again", c.Tries)
	}
	r, err := v.receive(ctx, c, t, s) // 2
	if KindOf(err) == BadSample {
		return v.sampled(ctx, c, x, s, nil, EnrolStep{Reasons: []string{reasonOf(err)}, Count: x.step.Count, Ready: x.step.Ready})
	}
	if err != nil {
		return nil, err
	}
	defer r.release()
	print := v.fingerprintOf(r.sample)
	var seen bool
	err = v.db.Read(ctx, func(tx *store.Tx) (err error) { seen, err = tx.HasFingerprint(print); return err })
	if err != nil {
		return nil, because(err, "the vault's state cannot be read")
	}
	if seen {
		return v.sampled(ctx, c, x, s, nil, EnrolStep{Reasons: []string{string(graphometric.Copy)}, Count: x.step.Count, Ready: x.step.Ready})
	}
	free, err := v.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer free()
	e, _, err := v.enrolment(x)
	if err != nil {
		return nil, err
	}
	defer e.Wipe()
	step := stepOf(e.Add(r.sample))
	if !step.Accepted { // it is the customer's all the same, and not to be sent again later
		return v.sampled(ctx, c, x, s, print, step)
	}
	if err := x.keep(r.json.b); err != nil {
		return nil, err
	}
	done, err := v.sampled(ctx, c, x, s, print, step) // 3
	if err != nil {
		x.steps = x.steps[:len(x.steps)-1]
	}
	return done, err
}

// reasonOf is the word for what is wrong with a sample.
func reasonOf(err error) string {
	if e, ok := err.(*Error); ok && e.Reason != "" {
		return e.Reason
	}
	return string(graphometric.BadReadings)
}

// sampled is step 3 of enrolCapture. print is the fingerprint of a signature that was not
// seen before; nil where there is none.
func (v *server) sampled(ctx context.Context, c *capture, x *session, s *Captured, print []byte, step EnrolStep) (*EnrolStep, error) {
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		c.Tries++
		counts := map[string]int64{countSamples: 1}
		if !step.Accepted {
			counts[countSamplesRefused] = 1
		}
		if step.Failed = step.Failed || c.Tries >= maxEnrolTries && !step.Ready; step.Failed {
			counts[countFailures] = 1
			c.over(endFailed, v.now())
		}
		if slices.Contains(step.Reasons, string(graphometric.Copy)) {
			counts[countReplays] = 1
		}
		for name, n := range counts {
			if err := tx.Count(name, n); err != nil {
				return err
			}
		}
		if print != nil {
			if err := tx.PutFingerprint(print, v.now()); err != nil {
				return err
			}
		}
		return v.keepCapture(tx, c, audit.Event{Actor: c.Operator, Event: captureSampled, Detail: map[string]string{
			"try": strconv.Itoa(c.Tries), "accepted": strconv.FormatBool(step.Accepted), "count": strconv.Itoa(step.Count),
			"reasons": strings.Join(step.Reasons, " ")}})
	})
	if err != nil {
		return nil, because(err, "the vault's state cannot be written")
	}
	x.last, x.step = s.digest(), step
	return &step, nil
}

// removeCapture takes an accepted signature out of an enrolment.
func (v *server) removeCapture(ctx context.Context, q *captureRequest) (*EnrolStep, error) {
	if err := checkName("the capture", q.ID, maxName); err != nil {
		return nil, err
	}
	c, _, x, leave, err := v.enrolling(ctx, q.ID)
	if err != nil {
		return nil, err
	}
	defer leave()
	if q.Index < 0 || q.Index >= x.step.Count {
		return nil, failf(BadRequest, "there are %d signatures", x.step.Count)
	}
	free, err := v.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer free()
	x.steps = append(x.steps, enrolled{removed: q.Index})
	e, advice, err := v.enrolment(x)
	if err == nil {
		e.Wipe()
		err = v.db.Write(ctx, func(tx *store.Tx) error {
			return v.keepCapture(tx, c, audit.Event{Actor: c.Operator, Event: captureRemoved, Detail: map[string]string{"count": strconv.Itoa(advice.Count)}})
		})
	}
	if err != nil {
		x.steps = x.steps[:len(x.steps)-1]
		return nil, because(err, "the vault's state cannot be written")
	}
	step := stepOf(advice)
	x.last, x.step = nil, step
	return &step, nil
}

// learned makes the profile out of an enrolment that is ready. The caller wipes it.
func (v *server) learned(x *session) (*graphometric.Profile, error) {
	e, advice, err := v.enrolment(x)
	if err != nil {
		return nil, err
	}
	defer e.Wipe()
	if !advice.Ready {
		return nil, failf(NotAllowed, "there are %d signatures, too few to be recognised by; go on", advice.Count)
	}
	p, err := e.Profile()
	if err != nil {
		return nil, &Error{Kind: NotAllowed, Msg: "no profile can be made of these signatures; go on, or begin again", Err: err}
	}
	return p, nil
}
