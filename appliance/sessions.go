package appliance

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// epochOf is what the sessions of a holder are bound to: another password has another
// salt, and so has the enrolment after a recovery. Another device changes nothing.
func epochOf(f vault.Factors) []byte {
	sum := sha256.Sum256(append([]byte("sigillo session epoch\x00"), f.Salt...))
	return sum[:]
}

// passing gives a session error that comes from the database the kind that
// says so, so that nobody is signed out by a busy or full disk.
func passing(err error) error {
	if auth.KindOf(err) != auth.Failed {
		return err
	}
	kind := signing.Busy
	if store.KindOf(err) == store.Full {
		kind = signing.DiskFull
	}
	return &signing.Error{Kind: kind, Msg: "the session is not at hand; try again", Err: err}
}

// Session gives the holder of a session token and the session; an error when there is
// none, or when v may not use it.
func (a *Appliance) Session(ctx context.Context, token string, v auth.Visit) (store.Holder, auth.Session, error) {
	s, err := a.sessions.Check(ctx, token, v)
	if err != nil {
		return store.Holder{}, s, passing(err)
	}
	var h store.Holder
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.Holder(s.Holder)
		return err
	})
	if err != nil {
		return h, s, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	f, err := factorsOf(h)
	if err != nil {
		return store.Holder{}, s, err
	}
	if err := a.sessions.CheckEpoch(ctx, s, epochOf(f)); err != nil {
		return store.Holder{}, s, passing(err)
	}
	return h, s, nil
}

// SignOut ends a session.
func (a *Appliance) SignOut(ctx context.Context, token string) error {
	return passing(a.sessions.End(ctx, token))
}

// Sessions lists what a holder has open, the last used one first.
func (a *Appliance) Sessions(ctx context.Context, holder string) ([]auth.Session, error) {
	var rows []store.Session
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.SessionsOf(holder)
		return err
	})
	if err != nil {
		return nil, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	now := a.opt.Now()
	out := make([]auth.Session, 0, len(rows))
	for _, row := range rows {
		if s := auth.Session(row); s.Live(now) {
			out = append(out, s)
		}
	}
	return out, nil
}

// EndSession ends the session of the holder that ref names; NotFound when there is
// none.
func (a *Appliance) EndSession(ctx context.Context, holder, ref string) error {
	n, err := a.endSessions(ctx, holder, auth.EndedByHolder, func(s auth.Session) bool { return s.Ref() == ref })
	if err == nil && n == 0 {
		return &signing.Error{Kind: signing.NotFound, Msg: "no such session"}
	}
	return err
}

// EndOtherSessions ends all sessions of the holder but the one that ref names, and
// says how many there were. The vault forgets the browsers that the holder has signed in
// with: one of them may be a stranger's, who could guess there and lock the others out.
func (a *Appliance) EndOtherSessions(ctx context.Context, holder, ref string) (int, error) {
	n, err := a.endOthers(ctx, holder, ref)
	if err != nil {
		return n, err
	}
	_, f, err := a.factors(ctx, holder)
	if err != nil {
		return n, err
	}
	return n, signing.FromVault(a.Vault.ForgetBrowsers(ctx, f))
}

func (a *Appliance) endOthers(ctx context.Context, holder, ref string) (int, error) {
	return a.endSessions(ctx, holder, auth.EndedByHolder, func(s auth.Session) bool { return s.Ref() != ref })
}

func (a *Appliance) endSessions(ctx context.Context, holder string, why auth.Ending, which func(auth.Session) bool) (n int, err error) {
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		n, err = endSessions(tx, a.opt.Now(), holder, why, which)
		return err
	})
	if err != nil {
		return 0, passing(&auth.Error{Kind: auth.Failed, Msg: "the sessions could not be ended", Err: err})
	}
	return n, nil
}

// endSessions ends sessions of a holder in the caller's transaction.
func endSessions(tx *store.Tx, now time.Time, holder string, why auth.Ending, which func(auth.Session) bool) (n int, err error) {
	rows, err := tx.SessionsOf(holder)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		s := auth.Session(row)
		if !which(s) {
			continue
		}
		how := why
		if !s.Live(now) {
			how = auth.Idle
		}
		if err := endSession(tx, now, s, how); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// shutOut ends all that was opened with the holder's former factors: sessions, and what
// applications were granted.
func shutOut(tx *store.Tx, now time.Time, holder string) error {
	if isMember(holder) {
		return tx.DeleteStaffSessionsOf(holder)
	}
	if _, err := tx.DeleteOAuthGrantsOf(holder); err != nil {
		return err
	}
	_, err := endSessions(tx, now, holder, auth.FactorsChanged, func(auth.Session) bool { return true })
	return err
}

// endSession removes a session and writes down why. Two who end it end it once.
func endSession(tx *store.Tx, now time.Time, s auth.Session, why auth.Ending) error {
	there, err := tx.DeleteSession(s.ID)
	if err != nil || !there {
		return err
	}
	actor := s.Holder
	if why == auth.Idle || why == auth.TooMany {
		actor = "appliance"
	}
	return audit.Append(tx, now, audit.Event{Actor: actor, Event: "session.ended", Subject: s.Holder,
		Detail: map[string]string{"session": s.Ref(), "why": string(why)}})
}

// forgetSessions removes sessions that are over by the clock.
func (a *Appliance) forgetSessions(ctx context.Context) error {
	return a.DB.Write(ctx, func(tx *store.Tx) error {
		now := a.opt.Now()
		if _, err := tx.DeleteExpiredStaffSessions(now); err != nil {
			return err
		}
		rows, err := tx.ExpiredSessions(now)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := endSession(tx, now, auth.Session(row), auth.Idle); err != nil {
				return err
			}
		}
		return nil
	})
}

// sessionStore keeps sessions in the database, with their journal.
type sessionStore struct {
	db  *store.DB
	now func() time.Time
}

func (s sessionStore) PutSession(ctx context.Context, v auth.Session) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		if err := s.makeRoom(tx, v.Holder); err != nil {
			return err
		}
		ev := audit.Event{Actor: v.Holder, Event: "holder.signed-in", Subject: v.Holder, Detail: map[string]string{
			"client": v.Client, "session": v.Ref(), "face": v.Face, "methods": strings.Join(v.Methods, " ")}}
		if v.Agent != "" {
			ev.Detail["agent"] = v.Agent
		}
		if v.Label != "" {
			ev.Detail["label"] = v.Label
		}
		if err := tx.PutSession(store.Session(v)); err != nil {
			return err
		}
		return audit.Append(tx, s.now(), ev)
	})
}

// makeRoom ends what is over by the clock, and then what was used longest ago, until
// there is room for one more.
func (s sessionStore) makeRoom(tx *store.Tx, holder string) error {
	left := 0
	_, err := endSessions(tx, s.now(), holder, auth.TooMany, func(o auth.Session) bool {
		if !o.Live(s.now()) {
			return true
		}
		left++
		return left >= auth.MaxSessions
	})
	return err
}

func (s sessionStore) Session(ctx context.Context, id []byte) (*auth.Session, error) {
	var v store.Session
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = tx.Session(id)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return nil, nil
	}
	out := auth.Session(v)
	return &out, err
}

func (s sessionStore) TouchSession(ctx context.Context, id []byte, seen time.Time) error {
	err := s.db.Write(ctx, func(tx *store.Tx) error { return tx.TouchSession(id, seen) })
	if store.KindOf(err) == store.NotFound {
		return nil // ended meanwhile: the next request finds out
	}
	return err
}

func (s sessionStore) DeleteSession(ctx context.Context, v auth.Session, why auth.Ending) error {
	return s.db.Write(ctx, func(tx *store.Tx) error { return endSession(tx, s.now(), v, why) })
}
