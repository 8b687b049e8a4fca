package vault

import (
	"context"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// settle looks after the intents that have no result: at the start each one is
// journalled, and again when its SAD has expired, when it is closed without
// signatures. It also forgets results nobody can ask for any more, and erases the
// secrets of delegations, and closes the captures, that are over.
func (v *server) settle(ctx context.Context, start bool) error {
	return v.db.Write(ctx, func(tx *store.Tx) error {
		open, err := tx.SpentIntents()
		if err != nil {
			return err
		}
		now := v.now()
		for _, s := range open {
			if err := v.settleOne(tx, s, start, now); err != nil {
				return err
			}
		}
		if err := firstError(v.eraseDue(tx, now), v.settleCaptures(tx, now)); err != nil {
			return err
		}
		_, err = tx.DeleteExpiredSpent(now)
		return err
	})
}

func (v *server) settleOne(tx *store.Tx, s store.Spent, start bool, now time.Time) error {
	what := "signature"
	if strings.HasPrefix(s.JTI, keyIntent) {
		what = "key"
	}
	ev := audit.Event{Actor: "vault", Event: what + ".unfinished", Subject: s.Request,
		Detail: map[string]string{"intent": s.JTI, "holder": s.Holder, "credential": s.Credential}}
	_, _, bad := v.openSpent(s)
	if bad != nil {
		ev.Detail["tampered"] = "true"
	}
	if now.After(s.Expires) {
		ev.Event = what + ".abandoned"
		close := v.setSpentDone
		if bad != nil { // without a good MAC it stays unusable
			close = func(tx *store.Tx, s store.Spent, _ [][]byte) error {
				return tx.SetSpentDone(s.JTI, s.Seq, []byte("tampered"))
			}
		}
		if err := close(tx, s, nil); err != nil {
			return err
		}
	} else if !start {
		return nil
	}
	return audit.Append(tx, now, ev)
}
