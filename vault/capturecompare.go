package vault

import (
	"context"
	"crypto/rand"
	"math/big"

	"sigillo/auth/graphometric"
	"sigillo/store"
)

// comparison is what came of a handwritten signature. Of the score there is nothing in it.
type comparison struct {
	decision graphometric.Decision
	replay   graphometric.Replay
	reasons  []graphometric.Reason
	drift    bool
	impostor []string        // what is to be counted of a comparison with another profile
	d        [32]byte        // of a match: what the KEK is derived from
	next     *store.Template // the next version of the profile; nil: it stays as it is
}

// scratch waits for a place to compare in. done wipes it and gives it back.
func (v *server) scratch(ctx context.Context) (sc *graphometric.Scratch, done func(), err error) {
	select {
	case sc = <-v.comparing:
	case <-ctx.Done():
		return nil, nil, &Error{Kind: Busy, Msg: "too many people sign on tablets at the same time; try again", RetryAfter: shortestRetry}
	}
	if sc == nil {
		sc = graphometric.NewScratch()
	}
	return sc, func() { sc.Wipe(); v.comparing <- sc }, nil
}

// compare is the one place where a template is decrypted to release a key.
// What it decrypts is in locked memory, or wiped, when it returns; what it returns is the
// decision, and of a match what releases the key.
func (v *server) compare(ctx context.Context, p *profile, t *store.Template, c *Credential, s *graphometric.Sample) (r comparison, err error) {
	scratch, done, err := v.scratch(ctx)
	if err != nil {
		return r, err
	}
	defer done()
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
	next, updated, drift := of.Follow(s, verdict, v.now())
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

// impostors compares a signature that matched with the profile of somebody else, where that
// is wanted, and says what is to be counted. That it fails keeps nobody from signing.
func (v *server) impostors(ctx context.Context, p *profile, s *graphometric.Sample) []string {
	if !v.cfg.Impostors {
		return nil
	}
	counts, err := v.impostor(ctx, p, s)
	if err != nil {
		v.log.Error("a signature was not compared with another profile", "err", err)
	}
	return counts
}

func (v *server) impostor(ctx context.Context, p *profile, s *graphometric.Sample) ([]string, error) {
	var other *profile
	var t store.Template
	err := v.db.Read(ctx, func(tx *store.Tx) error {
		n, err := tx.CountCounterRows(store.CounterProfile, profileActive)
		if err != nil || n < 2 {
			return err
		}
		at, err := rand.Int(rand.Reader, big.NewInt(n))
		if err != nil {
			return err
		}
		id, err := tx.CounterRowAt(store.CounterProfile, profileActive, at.Int64())
		if err != nil {
			return err
		}
		if other, err = v.profile(tx, id); err != nil {
			return err
		}
		t, err = tx.Template(id, other.Version)
		return err
	})
	if err != nil || other == nil || other.Holder == p.Holder || other.Class != p.Class {
		return nil, err
	}
	scratch, done, err := v.scratch(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	plain, err := v.openTemplate(ctx, other, &t)
	if err != nil {
		return nil, err
	}
	defer plain.release()
	of, err := graphometric.ParseProfile(plain.b[secretSize:])
	if err != nil {
		return nil, err
	}
	defer of.Wipe()
	if of.Match(s, v.policy, scratch).Decision == graphometric.Match {
		return []string{countImpostors, countFalseMatches}, nil
	}
	return []string{countImpostors}, nil
}
