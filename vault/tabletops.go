package vault

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/hex"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// The states of a tablet.
const (
	tabletInUse  = "in-use"
	tabletIsGone = "revoked"
)

// maxClass bounds the name of a class of devices.
const maxClass = 32

// tablet is the record of a tablet.
type tablet struct {
	Tablet
	Request string `json:"request"` // that registered it
	version int64
}

var errTablet = fail(NotAllowed, "this tablet is not registered, or was revoked")

// handleCounter does what a request about tablets, captures and profiles asks for.
func (v *server) handleCounter(ctx context.Context, q request) (any, error) {
	switch q.Op {
	case opRegisterTablet:
		return with(q, func(b *NewTablet) (any, error) {
			defer clear(b.Password)
			return nil, v.registerTablet(ctx, b)
		})
	case opRevokeTablet:
		return with(q, func(b *tabletRequest) (any, error) { return nil, v.revokeTablet(ctx, b) })
	case opTablets:
		return v.tablets(ctx)
	case opOpenCapture:
		return with(q, func(b *NewCapture) (any, error) {
			defer clear(b.Presence.Password)
			return v.openCapture(ctx, b)
		})
	case opArmCapture:
		return with(q, func(b *captureRequest) (any, error) { return v.armCapture(ctx, b.ID) })
	case opEnrolCapture:
		return with(q, func(b *Captured) (any, error) { return v.enrolCapture(ctx, b) })
	case opRemoveCapture:
		return with(q, func(b *captureRequest) (any, error) { return v.removeCapture(ctx, b) })
	case opFinishEnrolment:
		return with(q, func(b *FinishEnrolment) (any, error) {
			defer clear(b.SecondPresence.Password)
			return v.finishEnrolment(ctx, b)
		})
	case opCloseCapture:
		return with(q, func(b *captureRequest) (any, error) { return nil, v.closeCapture(ctx, b) })
	case opProfiles:
		return with(q, func(b *profileRequest) (any, error) { return v.profilesOf(ctx, b.Holder) })
	case opRollBackProfile:
		return with(q, func(b *RollBack) (any, error) {
			defer clear(b.Password)
			return nil, v.rollBack(ctx, b)
		})
	case opDestroyProfile:
		return with(q, func(b *profileRequest) (any, error) { return nil, v.destroyProfile(ctx, b) })
	case opGraphometricReport:
		return v.graphometricReport(ctx)
	}
	return nil, fail(BadRequest, "there is no operation of this name")
}

// tabletKey reads the public key of a tablet.
func tabletKey(spki []byte) (*ecdsa.PublicKey, error) {
	bad := fail(BadRequest, "the tablet's key must be the SubjectPublicKeyInfo of a P-256 key")
	if len(spki) > 256 {
		return nil, bad
	}
	k, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, bad
	}
	pub, ok := k.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() {
		return nil, bad
	}
	if again, err := x509.MarshalPKIXPublicKey(pub); err != nil || !bytes.Equal(again, spki) {
		return nil, bad // one key has one spelling
	}
	return pub, nil
}

func (n *NewTablet) content() []byte {
	return newMessage("register tablet").text(n.Factors.Holder).text(n.ID).text(n.Name).text(n.Centre).text(n.Class).
		bytes(n.PublicKey).text(n.Client).sha256()
}

// registerTablet makes a tablet known.
//
//  1. The request makes sense.
//  2. The member's factors; of who has a passkey that or a recovery code. Durable, in one
//     transaction: the second factor is used up; the tablet; the journal.
func (v *server) registerTablet(ctx context.Context, n *NewTablet) error {
	err := firstError(checkName("the tablet", n.ID, maxCN), checkName("the tablet's name", n.Name, maxName), // 1
		checkName("the centre", n.Centre, maxName), checkName("the class of the tablet", n.Class, maxClass),
		checkName("the client", n.Client, maxName), checkName("the request", n.Request, maxName))
	if err != nil {
		return err
	}
	if _, err := tabletKey(n.PublicKey); err != nil {
		return err
	}
	if err := v.adoptShown(ctx, &n.Factors); err != nil {
		return err
	}
	detail := map[string]string{"name": n.Name, "centre": n.Centre, "class": n.Class, "client": n.Client,
		"key": hex.EncodeToString(thumbprint(n.PublicKey))}
	u := use{op: opRegisterTablet, request: n.Request, content: n.content(), strong: true,
		event: audit.Event{Actor: n.Factors.Holder, Event: "tablet.authorised", Subject: n.ID, Detail: detail}}
	t := &tablet{Request: u.binding(), Tablet: Tablet{ID: n.ID, Name: n.Name, Centre: n.Centre, Class: n.Class, PublicKey: n.PublicKey,
		By: n.Factors.Holder}}
	u.then = func(tx *store.Tx, _ *holderState) error {
		t.Registered = time.UnixMilli(millis(v.now())).UTC()
		return v.newTablet(tx, t, audit.Event{Actor: t.By, Event: tabletRegistered, Detail: detail})
	}
	who, err := v.checkFactors(ctx, &n.Factors, &n.Evidence, u) // 2
	who.wipe()
	return err
}

// newTablet writes a tablet down, once.
func (v *server) newTablet(tx *store.Tx, t *tablet, ev audit.Event) error {
	switch old, err := v.tablet(tx, t.ID); {
	case err == nil && old.Request == t.Request:
		return nil // the same request, sent again
	case err == nil:
		return fail(NotAllowed, "there is, or was, a tablet of this name; choose another")
	case err != errTablet:
		return err
	}
	n, err := tx.CountCounterRows(store.CounterTablet, tabletInUse)
	if err != nil {
		return because(err, "the vault's state cannot be read")
	}
	if n >= store.MaxRows { // those that were revoked do not count
		return failf(NotAllowed, "the vault knows %d tablets at most", store.MaxRows)
	}
	if err := v.freeKey(tx, t); err != nil {
		return err
	}
	return v.keepTablet(tx, t, ev)
}

// freeKey refuses the key of any tablet there is or was: one that was stolen and revoked
// does not come back under another name.
func (v *server) freeKey(tx *store.Tx, t *tablet) error {
	for after := ""; ; {
		rows, err := tx.CounterRowsAfter(store.CounterTablet, after)
		if err != nil {
			return because(err, "the vault's state cannot be read")
		}
		for _, r := range rows {
			var other tablet
			if err := v.openCounterRow(r, &other); err == nil && bytes.Equal(other.PublicKey, t.PublicKey) {
				return fail(NotAllowed, "there is, or was, a tablet with this key; have the tablet make a new one")
			}
			after = r.ID
		}
		if len(rows) < store.MaxRows {
			return nil
		}
	}
}

// tablet reads the record of a tablet, whether or not it was revoked.
func (v *server) tablet(tx *store.Tx, id string) (*tablet, error) {
	t := &tablet{}
	var err error
	if t.version, err = v.counterRow(tx, store.CounterTablet, id, t); err == errNoCounterRow {
		err = errTablet
	}
	if err != nil {
		return nil, err
	}
	return t, nil
}

// tabletForUse reads a tablet that may be used.
func (v *server) tabletForUse(tx *store.Tx, id string) (*tablet, error) {
	t, err := v.tablet(tx, id)
	if err == nil && !t.Revoked.IsZero() {
		return nil, errTablet
	}
	return t, err
}

func (v *server) keepTablet(tx *store.Tx, t *tablet, ev audit.Event) error {
	state := tabletInUse
	if !t.Revoked.IsZero() {
		state = tabletIsGone
	}
	return v.keepCounterRow(tx, store.CounterRow{Kind: store.CounterTablet, ID: t.ID, State: state, Version: t.version}, t, ev)
}

// revokeTablet ends a tablet and its capture.
func (v *server) revokeTablet(ctx context.Context, q *tabletRequest) error {
	err := firstError(checkName("the tablet", q.ID, maxCN), checkName("who revokes the tablet", q.By, maxName), checkName("the reason", q.Reason, maxName))
	if err != nil {
		return err
	}
	err = v.db.Write(ctx, func(tx *store.Tx) error {
		t, err := v.tablet(tx, q.ID)
		if err != nil || !t.Revoked.IsZero() {
			return err
		}
		if err := v.endCapturesAt(tx, q.ID, "the tablet was revoked"); err != nil {
			return err
		}
		t.Revoked = time.UnixMilli(millis(v.now())).UTC()
		return v.keepTablet(tx, t, audit.Event{Actor: q.By, Event: tabletRevoked, Detail: map[string]string{"reason": q.Reason}})
	})
	return because(err, "the end of the tablet could not be written")
}

// tablets lists them.
func (v *server) tablets(ctx context.Context) (ts []Tablet, err error) {
	err = v.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.CounterRows(store.CounterTablet, tabletInUse)
		if err != nil {
			return err
		}
		for _, r := range rows {
			var t tablet
			if err := v.openCounterRow(r, &t); err != nil { // of no use already
				v.log.Error("a tablet is left out of a list", "tablet", r.ID, "err", err)
				continue
			}
			ts = append(ts, t.Tablet)
		}
		return nil
	})
	return ts, because(err, "the tablets cannot be read")
}
