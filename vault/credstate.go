package vault

import (
	"context"
	"crypto/hmac"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// A record of a credential that bears the token's MAC is one the vault made, but
// perhaps not the last: the password may have been changed since, or the credential
// destroyed. The vault therefore keeps a row for each credential, under a MAC, with
// the MAC of its current record, and refuses all others. Its journal tells each
// change of the row with the epoch it led to, so that a row which was removed, or put
// back as it was once, is found.

// Destruction asks that a credential never be used again. By and Reason are for the
// journal.
type Destruction struct {
	Credential Credential `json:"credential"`
	By         string     `json:"by"`
	Reason     string     `json:"reason"`
}

// DestroyCredential has the vault refuse a credential for ever, whichever record of it
// is presented, also one from a backup; its SADs and delegations end with it. To erase
// the wrapped key where it is kept is for the caller. A credential that is destroyed
// already is no error. No factors are asked for: a destruction takes power away.
func (c *Client) DestroyCredential(ctx context.Context, d Destruction) error {
	return c.call(ctx, opDestroyCredential, d, nil)
}

// The events of the journal about the state of a credential.
const (
	credentialCreated   = "credential.created"
	credentialAdopted   = "credential.adopted"  // made before the vault kept rows of them
	credentialReplaced  = "credential.replaced" // by a new record of the same key
	credentialDestroyed = "credential.destroyed"
)

var changesOfCredential = []string{credentialCreated, credentialAdopted, credentialReplaced, credentialDestroyed}

var (
	errNotCurrent     = fail(Tampered, "the record of this credential is not the one the vault knows; restore it from a backup or issue a new one")
	errCredentialRow  = fail(Tampered, "what the vault remembers of this credential was changed; issue a new one")
	errGoneCredential = fail(NotAllowed, "this credential was destroyed; issue a new one")
)

// aboutCredential says whether a refusal is about a record that is the vault's own and
// must not be used.
func aboutCredential(err error) bool {
	return err == errNotCurrent || err == errCredentialRow || err == errGoneCredential
}

// credentialRowMAC is the MAC of a credential's row.
func (v *server) credentialRowMAC(s store.CredentialState) []byte {
	return newMessage("sigillo credential state v1").text(s.ID).text(s.Holder).text(s.Request).num(int64(s.Epoch)).
		bytes(s.Record).text(s.State).num(millis(s.Changed)).mac(&v.rowKey)
}

// credentialRow reads the row of a credential and compares it with the journal. One
// that was made before there were rows has none, and gets one now.
func (v *server) credentialRow(tx *store.Tx, c *Credential) (store.CredentialState, error) {
	epoch, err := told(tx, c.ID, "epoch", changesOfCredential...)
	if err != nil {
		return store.CredentialState{}, err
	}
	s, err := tx.CredentialState(c.ID)
	if store.KindOf(err) == store.NotFound {
		if epoch != 0 {
			return s, errCredentialRow
		}
		return v.adopt(tx, c)
	}
	if err != nil {
		return s, err
	}
	if !hmac.Equal(s.MAC, v.credentialRowMAC(s)) || int64(s.Epoch) != epoch || s.Holder != c.Holder {
		return s, errCredentialRow
	}
	return s, nil
}

// adopt makes the row of a credential of before.
func (v *server) adopt(tx *store.Tx, c *Credential) (store.CredentialState, error) {
	s := store.CredentialState{ID: c.ID, Holder: c.Holder, Epoch: c.Epoch, Record: c.MAC, State: store.CredentialActive}
	return s, v.keepCredential(tx, &s, tx.PutCredentialState, audit.Event{Actor: "vault", Event: credentialAdopted})
}

// keepCredential writes the row of a credential with its entry of the journal.
func (v *server) keepCredential(tx *store.Tx, s *store.CredentialState, put func(store.CredentialState) error, ev audit.Event) error {
	v.known.changed()
	s.Changed = time.UnixMilli(millis(v.now())).UTC()
	s.MAC = v.credentialRowMAC(*s)
	if err := put(*s); err != nil {
		return err
	}
	ev.Subject = s.ID
	if ev.Detail == nil {
		ev.Detail = map[string]string{}
	}
	ev.Detail["epoch"] = strconv.Itoa(s.Epoch)
	return audit.Append(tx, v.now(), ev)
}

// current refuses a record of a credential that is not the current one, or must not be
// used any more. That it bears the token's MAC the caller has found.
func (v *server) current(tx *store.Tx, c *Credential) error {
	s, err := v.credentialRow(tx, c)
	switch {
	case err != nil:
		return because(err, "the vault's state cannot be read")
	case s.State != store.CredentialActive:
		return errGoneCredential
	case s.Epoch != c.Epoch || !hmac.Equal(s.Record, c.MAC):
		return errNotCurrent
	}
	return nil
}

// stillCurrent is current, from memory where that is possible. learned is to be called
// when the transaction is committed.
func (v *server) stillCurrent(tx *store.Tx, c *Credential) (learned func(), err error) {
	f := fingerprint(c)
	if v.known.current(f) {
		return func() {}, nil
	}
	if err := v.current(tx, c); err != nil {
		return nil, err
	}
	at := v.known.now() // what is changed after this transaction began to look counts as changed since
	return func() { v.known.learn(f, at) }, nil
}

// usable is current in a transaction of its own, with a note in the journal when it is
// refused.
func (v *server) usable(ctx context.Context, op string, c *Credential) error {
	if err := v.ownCredential(ctx, c); err != nil {
		return err
	}
	err := v.db.WriteShared(ctx, func(tx *store.Tx) error { return v.current(tx, c) })
	if aboutCredential(err) {
		v.noteCredential(ctx, op, c, err)
	}
	return because(err, "the vault's state cannot be read")
}

// noteCredential journals that a record of a credential was refused although the
// vault made it, by the period.
func (v *server) noteCredential(ctx context.Context, op string, c *Credential, cause error) {
	now := v.now()
	key, first := v.stale.first(c.ID, now, now.Add(tamperedEvery))
	if !first {
		return
	}
	err := v.journal(ctx, audit.Event{Actor: "vault", Event: "credential.refused", Subject: c.ID, Detail: map[string]string{
		"operation": op, "reason": string(KindOf(cause)), "presented": strconv.Itoa(c.Epoch)}})
	if err != nil {
		v.stale.forget(key)
		v.log.Error("a refusal could not be journalled", "err", err, "cause", cause)
	}
}

// newCredentialRow makes the row of a new credential. The same request sent again
// makes another key, since the answer with the first was lost, and replaces the row;
// NotAllowed when the name is taken by another one.
func (v *server) newCredentialRow(tx *store.Tx, c *Credential, request string, ev audit.Event) error {
	s := store.CredentialState{ID: c.ID, Holder: c.Holder, Request: request, Epoch: c.Epoch, Record: c.MAC, State: store.CredentialActive}
	if err := v.freeName(tx, c, request); err != nil {
		return err
	}
	put := tx.PutCredentialState
	if _, err := tx.CredentialState(c.ID); err == nil {
		put = tx.SetCredentialState
	} else if store.KindOf(err) != store.NotFound {
		return err
	}
	return v.keepCredential(tx, &s, put, ev)
}

// freeName refuses the name of a new credential that exists, but for the request that
// made it.
func (v *server) freeName(tx *store.Tx, c *Credential, request string) error {
	taken := fail(NotAllowed, "there is, or was, a credential of this name; choose another")
	s, err := tx.CredentialState(c.ID)
	if store.KindOf(err) != store.NotFound {
		if err != nil {
			return err
		}
		if s.Request != request || s.State != store.CredentialActive || s.Epoch != 1 || !hmac.Equal(s.MAC, v.credentialRowMAC(s)) {
			return taken
		}
		return nil
	}
	_, err = tx.LastJournalOf(c.ID, changesOfCredential...)
	if store.KindOf(err) == store.NotFound {
		return nil
	}
	return firstError(err, taken)
}

// replaceCredential makes next the current record of a credential in the place of old,
// which wraps the same key: its epoch is one more. From then on old is refused. The
// delegations of the credential end: what they hold opens the old wrapping. next bears
// its MAC. by is for the journal.
func (v *server) replaceCredential(tx *store.Tx, old, next *Credential, by, reason string) error {
	if next.ID != old.ID || next.Holder != old.Holder || next.Epoch != old.Epoch+1 || next.Type != old.Type ||
		string(next.PublicKey) != string(old.PublicKey) || next.Automatic != old.Automatic {
		return fail(Failed, "this is not another record of the same credential")
	}
	if err := v.current(tx, old); err != nil {
		return err
	}
	s, err := tx.CredentialState(old.ID)
	if err != nil {
		return err
	}
	s.Epoch, s.Record = next.Epoch, next.MAC
	err = v.keepCredential(tx, &s, tx.SetCredentialState, audit.Event{Actor: by, Event: credentialReplaced,
		Detail: map[string]string{"reason": reason}})
	if err != nil {
		return err
	}
	return v.endDelegations(tx, old.ID, by, reason)
}

// destroyCredential ends a credential.
//
//  1. The request makes sense; the record is one the vault made, the current one or
//     an older.
//  2. Durable, in one transaction: the state of the credential and of its
//     delegations, and the journal.
func (v *server) destroyCredential(ctx context.Context, d *Destruction) error {
	err := firstError(checkName("who destroys the credential", d.By, maxName), checkName("the reason", d.Reason, maxName)) // 1
	if err != nil {
		return err
	}
	c := &d.Credential
	if err := v.ownCredential(ctx, c); err != nil {
		return err
	}
	err = v.db.Write(ctx, func(tx *store.Tx) error { // 2
		s, err := v.credentialRow(tx, c)
		if err != nil || s.State == store.CredentialDestroyed {
			return err
		}
		return v.destroyRow(tx, s, d.By, d.Reason)
	})
	return because(err, "the end of the credential could not be written")
}

// destroyRow is step 2 of destroyCredential.
func (v *server) destroyRow(tx *store.Tx, s store.CredentialState, by, reason string) error {
	s.State, s.Epoch = store.CredentialDestroyed, s.Epoch+1 // no record has this epoch
	err := v.keepCredential(tx, &s, tx.SetCredentialState, audit.Event{Actor: by, Event: credentialDestroyed,
		Detail: map[string]string{"reason": reason}})
	if err != nil {
		return err
	}
	return firstError(v.endDelegations(tx, s.ID, by, reason), v.endProfile(tx, s.ID, by, reason))
}
