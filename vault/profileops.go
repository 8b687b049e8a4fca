package vault

import (
	"context"
	"fmt"
	"strconv"

	"sigillo/audit"
	"sigillo/auth/graphometric"
	"sigillo/store"
)

// The names of what is counted for the report.
const (
	countEnrolments     = "enrolments"
	countFailures       = "enrol-failures"
	countSamples        = "enrol-samples"
	countSamplesRefused = "enrol-refused"
	countCaptures       = "captures"
	countUnusable       = "unusable"
	countUpdates        = "updates"
	countDrift          = "drift"
	countReplays        = "replays"
	countRollBacks      = "roll-backs"
	countDestroyed      = "destroyed"
	countLocks          = "locks"
	countForged         = "forged"
	countStale          = "stale"
	countImpostors      = "impostors"
	countFalseMatches   = "impostor-matches"
	countAttempt        = "attempt." // number of the try, decision
)

// profilesOf lists the versions of a holder's profiles.
func (v *server) profilesOf(ctx context.Context, holder string) (ps []ProfileVersion, err error) {
	if err := checkName("the holder", holder, maxName); err != nil {
		return nil, err
	}
	err = v.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.CounterRowsOf(store.CounterProfile, profileActive, holder)
		if err != nil {
			return err
		}
		for _, r := range rows {
			var p profile
			if err := v.openCounterRow(r, &p); err != nil { // of no use already
				v.log.Error("a profile is left out of a list", "credential", r.ID, "err", err)
				continue
			}
			ts, err := tx.Templates(p.Credential)
			if err != nil {
				return err
			}
			for _, t := range ts {
				ps = append(ps, ProfileVersion{Credential: p.Credential, Version: t.Version, Class: t.Class, Algorithm: t.Algorithm,
					Created: t.Created, Reason: t.Reason, Current: t.Version == p.Version})
			}
		}
		return nil
	})
	return ps, because(err, "the profiles cannot be read")
}

func (r *RollBack) content() []byte {
	return newMessage("roll back profile").text(r.Factors.Holder).text(r.Credential).num(r.Version).text(r.Reason).text(r.Client).sha256()
}

// rollBack puts an earlier version of a profile in force.
//
//  1. The request makes sense; there is such a version.
//  2. The member's factors; of who has a passkey that or a recovery code. Durable: the
//     second factor is used up, the intent.
//  3. What the earlier version holds is encrypted anew, as the newest one, with what the
//     present one knows of signatures that matched: their copies are none of the hand.
//  4. Durable, in one transaction: the version in force, and the journal.
func (v *server) rollBack(ctx context.Context, r *RollBack) error {
	err := firstError(v.withTemplates(), checkName("the credential", r.Credential, maxName), checkName("the reason", r.Reason, maxName), // 1
		checkName("the client", r.Client, maxName), checkName("the request", r.Request, maxName))
	if err != nil {
		return err
	}
	if err := v.adoptShown(ctx, &r.Factors); err != nil {
		return err
	}
	var p *profile
	var old store.Template
	err = v.db.Read(ctx, func(tx *store.Tx) (err error) {
		if p, err = v.profile(tx, r.Credential); err != nil {
			return err
		}
		old, err = tx.Template(r.Credential, r.Version)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return fail(NotAllowed, "there is no such version of the profile, or it is not kept any more")
	}
	if err != nil {
		return because(err, "the vault's state cannot be read")
	}
	if p.Holder == r.Factors.Holder {
		return fail(NotAllowed, "nobody rolls back the profile of their own signature")
	}
	reason := fmt.Sprintf("rolled back to %d", r.Version)
	detail := map[string]string{"to": strconv.FormatInt(r.Version, 10), "reason": r.Reason, "holder": p.Holder, "client": r.Client}
	u := use{op: opRollBackProfile, request: r.Request, content: r.content(), strong: true,
		event: audit.Event{Actor: r.Factors.Holder, Event: "profile.roll-back-intent", Subject: r.Credential, Detail: detail}}
	who, err := v.checkFactors(ctx, &r.Factors, &r.Evidence, u) // 2
	who.wipe()
	if err != nil {
		return err
	}
	next, err := v.putBack(ctx, p, &old, reason) // 3
	if err != nil {
		return err
	}
	err = v.db.Write(ctx, func(tx *store.Tx) error { // 4
		now, err := v.profile(tx, r.Credential)
		if err != nil {
			return err
		}
		if now.version != p.version {
			return &Error{Kind: Busy, Msg: "the profile has just changed; look again, and try again", RetryAfter: shortestRetry}
		}
		if err := tx.Count(countRollBacks, 1); err != nil {
			return err
		}
		return v.putTemplate(tx, now, next, audit.Event{Actor: r.Factors.Holder, Event: profileRolledBack, Detail: detail})
	})
	return because(err, "the profile could not be written")
}

// putBack is step 3 of rollBack.
func (v *server) putBack(ctx context.Context, p *profile, old *store.Template, reason string) (next store.Template, err error) {
	free, err := v.turn(ctx)
	if err != nil {
		return next, err
	}
	defer free()
	plain, of, err := v.openProfile(ctx, p, old)
	if err != nil {
		return next, err
	}
	defer plain.release()
	defer of.Wipe()
	secret := [secretSize]byte(plain.b[:secretSize])
	defer clear(secret[:])
	var t store.Template
	err = v.db.Read(ctx, func(tx *store.Tx) (err error) { t, err = tx.Template(p.Credential, p.Version); return err })
	if err == nil {
		var b *locked
		var present *graphometric.Profile
		if b, present, err = v.openProfile(ctx, p, &t); err == nil {
			defer b.release()
			defer present.Wipe()
			of = of.Remembering(present)
			defer of.Wipe()
		}
	}
	if err != nil { // it is of no use to anybody, and need not be to this
		v.log.Warn("a profile is put back without what was known since", "credential", p.Credential, "err", err)
	}
	return v.sealTemplate(ctx, p, p.Version+1, of.Algorithm(), reason, &secret, of)
}

// openProfile decrypts a version and reads its profile. The caller releases the one and
// wipes the other.
func (v *server) openProfile(ctx context.Context, p *profile, t *store.Template) (*locked, *graphometric.Profile, error) {
	plain, err := v.openTemplate(ctx, p, t)
	if err != nil {
		return nil, nil, err
	}
	of, err := graphometric.ParseProfile(plain.b[secretSize:])
	if err != nil {
		plain.release()
		return nil, nil, &Error{Kind: Failed, Msg: "the profile cannot be read; enrol anew", Err: err}
	}
	return plain, of, nil
}

// destroyProfile ends a profile and its credential.
func (v *server) destroyProfile(ctx context.Context, q *profileRequest) error {
	err := firstError(checkName("the credential", q.Credential, maxName), checkName("who destroys the profile", q.By, maxName),
		checkName("the reason", q.Reason, maxName))
	if err != nil {
		return err
	}
	err = v.db.Write(ctx, func(tx *store.Tx) error {
		p, err := v.anyProfile(tx, q.Credential)
		if err == errCounterRow {
			return v.destroyDamaged(tx, q)
		}
		if err != nil || p.Destroyed != 0 {
			return err
		}
		s, err := v.credentialRow(tx, &Credential{ID: p.Credential, Holder: p.Holder})
		if err != nil {
			return err
		}
		if s.State == store.CredentialDestroyed {
			return v.endProfile(tx, p.Credential, q.By, q.Reason)
		}
		return v.destroyRow(tx, s, q.By, q.Reason)
	})
	return because(err, "the end of the profile could not be written")
}

// destroyDamaged is destroyProfile where somebody has changed the head of the profile: what
// is of no use to anybody must go all the same.
func (v *server) destroyDamaged(tx *store.Tx, q *profileRequest) error {
	s, err := tx.CredentialState(q.Credential)
	if err == nil && s.State != store.CredentialDestroyed {
		return v.destroyRow(tx, s, q.By, q.Reason)
	}
	if err != nil && store.KindOf(err) != store.NotFound {
		return err
	}
	return v.endProfile(tx, q.Credential, q.By, q.Reason)
}

// graphometricReport counts.
func (v *server) graphometricReport(ctx context.Context) (*GraphometricReport, error) {
	r := &GraphometricReport{}
	err := v.db.Read(ctx, func(tx *store.Tx) error {
		n, err := tx.Counts()
		if err != nil {
			return err
		}
		for name, to := range map[string]*int64{countEnrolments: &r.Enrolments, countFailures: &r.EnrolFailures, countSamples: &r.EnrolSamples,
			countSamplesRefused: &r.EnrolRefused, countCaptures: &r.Captures, countUnusable: &r.Unusable, countUpdates: &r.Updates,
			countDrift: &r.DriftAlarms, countReplays: &r.Replays, countRollBacks: &r.RollBacks, countDestroyed: &r.Destroyed,
			countLocks: &r.Locks, countForged: &r.ForgedTablets, countStale: &r.StaleCaptures,
			countImpostors: &r.ImpostorComparisons, countFalseMatches: &r.ImpostorMatches} {
			*to = n[name]
		}
		for i := range r.Attempts {
			try := countAttempt + strconv.Itoa(i+1) + "."
			r.Attempts[i] = Outcomes{Match: n[try+"match"], Repeat: n[try+"repeat"], Refuse: n[try+"refuse"]}
		}
		if r.ProfilesActive, err = tx.CountCounterRows(store.CounterProfile, profileActive); err != nil {
			return err
		}
		r.TabletsActive, err = tx.CountCounterRows(store.CounterTablet, tabletInUse)
		return err
	})
	return r, because(err, "the counts cannot be read")
}
