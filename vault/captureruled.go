package vault

import (
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/auth/graphometric"
	"sigillo/store"
)

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

// untried takes a mismatch back of which nothing came because the vault failed. It is one of
// the capture's attempts still.
func (v *server) untried(tx *store.Tx, l *looked, before mismatches, cause error) error {
	l.profile.mismatches = before
	return v.keepProfile(tx, l.profile, audit.Event{Actor: "vault", Event: profileTried, Detail: map[string]string{
		"capture": l.capture.ID, "failed": string(KindOf(cause))}})
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
	if len(r.impostor) > 0 && !replayed {
		detail["impostor"] = "compared with one other profile, for the rates"
		counts = append(counts, r.impostor...)
	}
	for _, name := range counts {
		err = firstError(err, tx.Count(name, 1))
	}
	return firstError(err, v.keepCapture(tx, c, audit.Event{Actor: c.Operator, Event: captureCompared, Detail: detail}))
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
