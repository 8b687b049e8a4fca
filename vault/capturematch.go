package vault

import (
	"bytes"
	"context"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/auth/graphometric"
	"sigillo/store"
)

// How a holder was authenticated at the counter: values of amr that RFC 8176 does not have.
const (
	amrGraphometric = "graphometric" // a match of the handwritten signature
	amrOperator     = "operator"     // in the presence of an operator, who showed a second factor
)

// comparison is what came of a handwritten signature. Of the score there is nothing in it.
type comparison struct {
	decision graphometric.Decision
	replay   graphometric.Replay
	reasons  []graphometric.Reason
	drift    bool
	d        [32]byte        // of a match: what the KEK is derived from
	next     *store.Template // the next version of the profile; nil: it stays as it is
}

// compare is the one place where a template is decrypted to be compared with a signature.
// What it decrypts is in locked memory, or wiped, when it returns; what it returns is the
// decision, and of a match what releases the key.
func (v *server) compare(ctx context.Context, p *profile, t *store.Template, c *Credential, s *graphometric.Sample) (r comparison, err error) {
	var scratch *graphometric.Scratch
	select {
	case scratch = <-v.comparing:
	case <-ctx.Done():
		return r, &Error{Kind: Busy, Msg: "too many people sign on tablets at the same time; try again", RetryAfter: shortestRetry}
	}
	defer func() { v.comparing <- scratch }()
	if scratch == nil {
		scratch = graphometric.NewScratch()
	}
	defer scratch.Wipe()
	plain, err := v.openTemplate(ctx, p, t)
	if err != nil {
		return r, err
	}
	defer plain.release()
	of, err := graphometric.ParseProfile(plain.b[secretSize:])
	if err != nil {
		return r, &Error{Kind: Failed, Msg: "the profile cannot be read; enrol anew", Err: err}
	}
	defer of.Wipe()
	verdict := of.Match(s, v.policy, scratch)
	r.decision, r.replay, r.reasons = verdict.Decision, verdict.Replay, verdict.Reasons
	if r.decision != graphometric.Match {
		return r, nil
	}
	secret := [secretSize]byte(plain.b[:secretSize])
	defer clear(secret[:])
	r.d = kekSecret(&secret, c)
	next, updated, drift := of.Update(s, verdict, v.now())
	if !updated {
		return r, nil
	}
	r.drift = drift
	defer next.Wipe()
	if n, err := v.sealTemplate(ctx, p, p.Version+1, next.Algorithm(), "updated", &secret, next); err == nil {
		r.next = &n
	} else { // the match stands
		v.log.Error("a profile was not updated", "credential", p.Credential, "err", err)
	}
	return r, nil
}

// looked is what authoriseCaptured reads of the state.
type looked struct {
	capture  *capture
	tablet   *tablet
	profile  *profile
	template store.Template
}

func (v *server) look(tx *store.Tx, a *Authorisation) (l looked, err error) {
	if l.capture, err = v.capture(tx, a.Capture.Capture); err != nil {
		return l, err
	}
	if l.capture.Purpose != ToSign || l.capture.Credential != a.Credential.ID || !same(l.capture.Content, releases(&a.Credential, a.Hash, a.Digests, a.Confirmed)) {
		return l, errOtherUse
	}
	if l.tablet, err = v.tabletForUse(tx, l.capture.Tablet); err != nil {
		return l, err
	}
	if l.profile, err = v.profile(tx, a.Credential.ID); err != nil {
		return l, err
	}
	l.template, err = tx.Template(a.Credential.ID, l.profile.Version)
	if store.KindOf(err) == store.NotFound {
		err = errCounterRow
	}
	return l, err
}

// binding tells the repetition of a request from another.
func (a *Authorisation) binding() string {
	content := newMessage("authorise captured").bytes(releases(&a.Credential, a.Hash, a.Digests, a.Confirmed)).text(a.Client).sha256()
	return hex.EncodeToString(content) + ":" + opAuthorise + ":" + a.Request
}

// authoriseCaptured mints a SAD by a match.
//
//  1. The request makes sense. The credential is the vault's own record, the current one,
//     and graphometric.
//  2. The capture is open, and for exactly this: an operator was there (openCapture). Its
//     tablet is known still. A signature that was looked at before gets the answer it got.
//  3. The signature is opened: signed by the tablet, for this capture, for the nonce it was
//     armed with last, within two minutes. The nonce is spent.
//  4. Durable: the attempt is counted as a mismatch, in the capture and in the day of the
//     profile, so that who kills the vault in time has not tried for nothing.
//  5. It is compared with the profile.
//  6. Durable, in one transaction, before anybody knows: what came of it; the signature's
//     fingerprint, so that it is good once; of a match, that it was none of the day's
//     mismatches, the next version of the profile, and that the capture is used up; the
//     journal.
//  7. The answer: a match gives the SAD, bound to holder, credential, key and digests.
func (v *server) authoriseCaptured(ctx context.Context, a *Authorisation) (*SAD, error) {
	if err := v.admitCaptured(ctx, a); err != nil { // 1
		return nil, err
	}
	var l looked
	read := func(tx *store.Tx) (err error) { l, err = v.look(tx, a); return err }
	if err := v.db.Read(ctx, read); err != nil { // 2
		return nil, because(err, "the vault's state cannot be read")
	}
	x, err := v.sessions.of(l.capture, v.now())
	if err != nil {
		return nil, err
	}
	if !x.busy.TryLock() {
		return nil, errBusyCapture
	}
	defer v.sessions.leave(x)
	if err := v.db.Read(ctx, read); err != nil { // as it is now
		return nil, because(err, "the vault's state cannot be read")
	}
	if same(l.capture.Last, a.Capture.digest()) && v.now().Sub(time.UnixMilli(l.capture.LastAt)) < retryFor {
		return v.answerAgain(ctx, a, &l)
	}
	if err := firstError(l.capture.is(ToSign, v.now()), l.profile.locked(v.now())); err != nil {
		return nil, err
	}
	if l.capture.Attempts >= MaxAttempts { // the last one died with the vault
		return nil, errUnrecognised
	}
	s, err := v.receive(ctx, l.capture, l.tablet, a.Capture) // 3
	if err != nil {
		return nil, err
	}
	defer s.release()
	before := l.profile.mismatches
	if err := v.change(ctx, a, &l, v.tried); err != nil { // 4
		return nil, err
	}
	v.fault("tried")
	r, err := v.compare(ctx, l.profile, &l.template, &a.Credential, s.sample) // 5
	defer clear(r.d[:])
	if err != nil {
		return nil, err
	}
	v.fault("compared")
	print := v.fingerprintOf(s.sample)
	err = v.change(ctx, a, &l, func(tx *store.Tx, a *Authorisation, l *looked) error { return v.ruled(tx, a, l, &r, print, before) }) // 6
	if err != nil {
		return nil, err
	}
	v.fault("matched")
	if err := l.capture.answer(); err != nil { // 7
		return nil, err
	}
	return v.mintCaptured(a, l.capture, &r.d)
}

// unusable says whether the signature could not be compared at all: that is one of the
// capture's attempts, and none of the day's.
func (r *comparison) unusable() bool {
	return r.decision == graphometric.Repeat && len(r.reasons) > 0
}

// change does something on the state as it is now, if that is what was looked at.
func (v *server) change(ctx context.Context, a *Authorisation, l *looked, do func(*store.Tx, *Authorisation, *looked) error) error {
	err := v.db.Write(ctx, func(tx *store.Tx) error {
		now, err := v.look(tx, a)
		switch {
		case err != nil:
			return err
		case now.capture.version != l.capture.version || now.profile.version != l.profile.version:
			return errBusyCapture
		}
		*l = now
		return firstError(v.current(tx, &a.Credential), do(tx, a, l))
	})
	return because(err, "the vault's state cannot be written")
}

// admitCaptured is step 1 of authoriseCaptured.
func (v *server) admitCaptured(ctx context.Context, a *Authorisation) error {
	err := firstError(v.templates, checkName("the client", a.Client, maxName), checkName("the request", a.Request, maxName))
	switch {
	case err != nil:
		return err
	case a.Capture == nil:
		return fail(NotAllowed, "this credential is released by a handwritten signature, at a counter, and by nothing else")
	case len(a.Password) > 0 || a.OTP != "" || len(a.Passkey) > 0:
		return fail(BadRequest, "beside a handwritten signature there is neither password nor code")
	case a.Documents || a.Application != "":
		return fail(NotAllowed, "at the counter what is signed is prepared here, by nobody else")
	case !isConfirmation(a.Confirmed):
		return fail(BadRequest, "what was confirmed is named by its SHA-256")
	}
	if _, err := checkDigests(a.Hash, a.Digests, MaxDigests); err != nil {
		return err
	}
	if err := a.Capture.check(); err != nil {
		return err
	}
	return v.releasable(ctx, opAuthorise, &a.Credential, len(a.Digests))
}

// tried is step 4 of authoriseCaptured.
func (v *server) tried(tx *store.Tx, a *Authorisation, l *looked) error {
	c, p, now := l.capture, l.profile, v.now()
	c.Attempts++
	c.Last, c.LastAt, c.Outcome = a.Capture.digest(), millis(now), StaleCapture
	p.fail(1, now)
	return firstError(
		v.keepProfile(tx, p, audit.Event{Actor: "vault", Event: profileTried, Detail: map[string]string{"capture": c.ID}}),
		v.keepCapture(tx, c, audit.Event{Actor: c.Operator, Event: captureTried, Detail: map[string]string{
			"try": strconv.Itoa(c.Attempts), "client": a.Client}}))
}

// ruled is step 6 of authoriseCaptured.
func (v *server) ruled(tx *store.Tx, a *Authorisation, l *looked, r *comparison, print []byte, before mismatches) error {
	c, p, now := l.capture, l.profile, v.now()
	seen, err := tx.HasFingerprint(print)
	if err == nil && !seen {
		err = tx.PutFingerprint(print, now)
	}
	if err != nil {
		return err
	}
	replayed := seen || r.replay == graphometric.Copied
	if replayed {
		r.decision, r.reasons = graphometric.Refuse, nil
	}
	try := strconv.Itoa(c.Attempts)
	detail := map[string]string{"try": try, "outcome": string(r.decision), "client": a.Client}
	counts := []string{countAttempt + try + "." + string(r.decision)}
	switch {
	case replayed:
		detail["replay"], counts = "seen before", append(counts, countReplays)
	case r.replay != graphometric.NoReplay:
		detail["replay"] = string(r.replay)
	}
	switch {
	case r.unusable():
		detail["outcome"], counts = "unusable", []string{countUnusable}
		if p.mismatches, c.Outcome = before, BadSample; c.Attempts >= MaxAttempts {
			c.over(endUnrecognised, now)
		}
		err = v.keepProfile(tx, p, audit.Event{Actor: "vault", Event: profileMismatched, Detail: map[string]string{"capture": c.ID, "unusable": r.reason()}})
	case r.decision == graphometric.Match:
		p.mismatches = before
		err = v.ruledMatch(tx, a, l, r)
	default:
		err = v.ruledMismatch(tx, c, p, r, replayed, detail)
	}
	for _, name := range counts {
		err = firstError(err, tx.Count(name, 1))
	}
	return firstError(err, v.keepCapture(tx, c, audit.Event{Actor: c.Operator, Event: captureCompared, Detail: detail}))
}

// reason is why a signature could not be compared.
func (r *comparison) reason() string {
	if len(r.reasons) == 0 {
		return ""
	}
	return string(r.reasons[0])
}

// ruledMatch is what a match changes.
func (v *server) ruledMatch(tx *store.Tx, a *Authorisation, l *looked, r *comparison) error {
	c, p, now := l.capture, l.profile, v.now()
	c.Outcome, c.Granted = "", a.binding()
	c.over(endMatched, now)
	ev := audit.Event{Actor: "vault", Event: profileRecognised, Detail: map[string]string{"capture": c.ID}}
	var err error
	if r.next == nil {
		err = v.keepProfile(tx, p, ev)
	} else {
		ev.Event = profileUpdated
		err = firstError(tx.Count(countUpdates, 1), v.putTemplate(tx, p, *r.next, ev))
	}
	if err != nil {
		return err
	}
	if r.drift {
		if err := tx.Count(countDrift, 1); err != nil {
			return err
		}
		err := audit.Append(tx, now, audit.Event{Actor: "vault", Event: "profile.drift", Subject: aboutCounter(store.CounterProfile, p.Credential),
			Detail: map[string]string{"holder": p.Holder, "capture": c.ID}})
		if err != nil {
			return err
		}
	}
	ev = audit.Event{Actor: c.Holder, Event: "signature.authorised", Subject: a.Request, Detail: map[string]string{
		"credential": c.Credential, "client": a.Client, "hash": a.Hash, "count": strconv.Itoa(len(a.Digests)), "capture": c.ID,
		"operator": c.Operator, "tablet": c.Tablet, "methods": strings.Join(capturedMethods, " ")}}
	noteConfirmed(ev.Detail, a.Confirmed)
	return audit.Append(tx, now, ev)
}

// ruledMismatch is what anything else changes. A copy counts like all attempts of a
// transaction: no hand writes one.
func (v *server) ruledMismatch(tx *store.Tx, c *capture, p *profile, r *comparison, replayed bool, detail map[string]string) error {
	now := v.now()
	if replayed {
		p.fail(MaxAttempts-1, now)
	}
	locked := p.locked(now) != nil
	if locked {
		detail["locked until"] = time.UnixMilli(p.Until).UTC().Format(time.RFC3339)
		if err := tx.Count(countLocks, 1); err != nil {
			return err
		}
	}
	if c.Outcome = Unrecognised; r.decision == graphometric.Repeat && c.Attempts < MaxAttempts && !locked {
		c.Outcome = Mismatch
	} else {
		c.over(endUnrecognised, now)
	}
	return v.keepProfile(tx, p, audit.Event{Actor: "vault", Event: profileMismatched, Detail: map[string]string{
		"capture": c.ID, "today": strconv.Itoa(p.Failures)}})
}

// answer is what the last signature of a capture is answered with.
func (c *capture) answer() error {
	switch c.Outcome {
	case "":
		return nil
	case Mismatch:
		return &Error{Kind: Mismatch, Msg: "the signature is not near enough to those that were enrolled; sign again, as you usually do", Left: MaxAttempts - c.Attempts}
	case StaleCapture:
		return errStale
	case BadSample:
		return badSample(nil)
	}
	return errUnrecognised
}

var errUnrecognised = fail(Unrecognised, "the signature was not recognised; go another way: a code, or paper")

// answerAgain answers the repetition of a request.
func (v *server) answerAgain(ctx context.Context, a *Authorisation, l *looked) (*SAD, error) {
	if err := l.capture.answer(); err != nil {
		return nil, err
	}
	if !bytes.Equal([]byte(l.capture.Granted), []byte(a.binding())) {
		return nil, errOtherUse
	}
	plain, err := v.openTemplate(ctx, l.profile, &l.template)
	if err != nil {
		return nil, err
	}
	defer plain.release()
	secret := [secretSize]byte(plain.b[:secretSize])
	defer clear(secret[:])
	d := kekSecret(&secret, &a.Credential)
	defer clear(d[:])
	return v.mintCaptured(a, l.capture, &d)
}

var capturedMethods = []string{amrGraphometric, amrOperator}

// mintCaptured is step 7 of authoriseCaptured.
func (v *server) mintCaptured(a *Authorisation, of *capture, d *[32]byte) (*SAD, error) {
	c, now := &a.Credential, v.now()
	s, err := v.mint.issue(claims{
		Subject: c.Holder, Credential: c.ID, Epoch: c.Epoch, Key: thumbprint(c.PublicKey), Hash: a.Hash, Digests: sorted(a.Digests),
		Count: len(a.Digests), Confirmed: a.Confirmed, AMR: capturedMethods, Capture: of.ID, Client: a.Client,
		Authorised: min(of.LastAt/1000, now.Unix()), ID: newJTI(&v.rowKey, "captured "+of.Granted, c.Holder, of.LastAt),
	}, d, now)
	if err != nil {
		return nil, err
	}
	return &s, nil
}
