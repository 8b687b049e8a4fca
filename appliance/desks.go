package appliance

import (
	"context"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/store"
)

// deskStore keeps the sessions of the staff, apart from those of holders: no token of
// the one opens the other.
type deskStore struct {
	db  *store.DB
	now func() time.Time
}

func (s deskStore) PutSession(ctx context.Context, v auth.Session) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutStaffSession(store.Session(v)); err != nil {
			return err
		}
		return audit.Append(tx, s.now(), audit.Event{Actor: v.Holder, Event: "staff.session.opened", Subject: v.Holder,
			Detail: map[string]string{"session": v.Ref(), "client": v.Client, "agent": v.Agent}})
	})
}

func (s deskStore) Session(ctx context.Context, id []byte) (*auth.Session, error) {
	var v store.Session
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = tx.StaffSession(id)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return nil, nil
	}
	out := auth.Session(v)
	return &out, err
}

func (s deskStore) TouchSession(ctx context.Context, id []byte, seen time.Time) error {
	return s.db.Write(ctx, func(tx *store.Tx) error { return tx.TouchStaffSession(id, seen) })
}

func (s deskStore) DeleteSession(ctx context.Context, v auth.Session, why auth.Ending) error {
	return s.db.Write(ctx, func(tx *store.Tx) error {
		there, err := tx.DeleteStaffSession(v.ID)
		if err != nil || !there {
			return err
		}
		return audit.Append(tx, s.now(), audit.Event{Actor: v.Holder, Event: "staff.session.ended", Subject: v.Holder,
			Detail: map[string]string{"session": v.Ref(), "why": string(why)}})
	})
}
