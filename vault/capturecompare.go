package vault

import (
	"context"

	"sigillo/auth/graphometric"
	"sigillo/store"
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

// unusable says whether the signature could not be compared at all: that is one of the
// capture's attempts, and none of the day's.
func (r *comparison) unusable() bool {
	return r.decision == graphometric.Repeat && len(r.reasons) > 0
}

// reason is why a signature could not be compared.
func (r *comparison) reason() string {
	if len(r.reasons) == 0 {
		return ""
	}
	return string(r.reasons[0])
}
