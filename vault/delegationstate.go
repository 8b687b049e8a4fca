package vault

import (
	"crypto/hmac"
	"encoding/json"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// delegation is a delegation as it rests in the vault's state.
type delegation struct {
	Delegation
	Request string `json:"request"` // that gave it
	Epoch   int    `json:"epoch"`   // of the credential
	// Secret is what the credential's KEK is derived from, sealed by the token; empty
	// when the delegation is over.
	Secret  []byte    `json:"secret,omitempty"`
	LastUse time.Time `json:"lastUse"`
	version int64
}

// The events of the journal about a delegation. Each tells the version of the row it
// led to.
const (
	delegationGiven   = "delegation.given"
	delegationUsed    = "delegation.used"
	delegationEnded   = "delegation.ended"
	delegationErased  = "delegation.erased"
	delegationRevoked = "delegation.revoked"
)

var changesOfDelegation = []string{delegationGiven, delegationUsed, delegationEnded, delegationErased, delegationRevoked}

var errDelegationRow = fail(Tampered, "what the vault remembers of this delegation was changed; give a new one")

func (v *server) delegationMAC(r store.Delegation) []byte {
	return newMessage("sigillo delegation v1").text(r.ID).text(r.Holder).text(r.Credential).text(r.State).
		num(millis(r.Created)).num(millis(r.Due)).num(r.Version).bytes(r.Record).mac(&v.rowKey)
}

// sealContext ties the sealed secret to its delegation.
func (d *delegation) sealContext() []byte {
	return newMessage("sigillo delegated secret v1").text(d.ID).text(d.Holder).text(d.Credential).num(int64(d.Epoch))
}

// openDelegation checks a row.
func (v *server) openDelegation(r store.Delegation) (*delegation, error) {
	d := &delegation{version: r.Version}
	if !hmac.Equal(r.MAC, v.delegationMAC(r)) || json.Unmarshal(r.Record, d) != nil {
		return nil, errDelegationRow
	}
	return d, nil
}

// delegation reads the row of a delegation and compares it with the journal: it may
// have been put back as it was before it was used, or revoked.
func (v *server) delegation(tx *store.Tx, id string) (*delegation, error) {
	version, err := told(tx, id, "version", changesOfDelegation...)
	if err != nil {
		return nil, err
	}
	r, err := tx.Delegation(id)
	if store.KindOf(err) == store.NotFound {
		if version != 0 {
			return nil, errDelegationRow
		}
		return nil, fail(NotAllowed, "there is no delegation of this name")
	}
	if err != nil {
		return nil, err
	}
	if r.Version != version {
		return nil, errDelegationRow
	}
	return v.openDelegation(r)
}

// keepDelegation writes the next version of a delegation with its entry of the journal.
func (v *server) keepDelegation(tx *store.Tx, d *delegation, ev audit.Event) error {
	d.version++
	r := store.Delegation{ID: d.ID, Holder: d.Holder, Credential: d.Credential, State: d.State,
		Created: d.Created, Due: d.due(), Version: d.version}
	var err error
	if r.Record, err = json.Marshal(d); err != nil {
		return err
	}
	r.MAC = v.delegationMAC(r)
	put := tx.SetDelegation
	if d.version == 1 {
		put = tx.PutDelegation
	}
	if err := put(r); err != nil {
		return err
	}
	ev.Subject = d.ID
	if ev.Detail == nil {
		ev.Detail = map[string]string{}
	}
	ev.Detail["version"], ev.Detail["holder"], ev.Detail["credential"] = strconv.FormatInt(d.version, 10), d.Holder, d.Credential
	return audit.Append(tx, v.now(), ev)
}

// due is when the secret is to be erased. One that is used up keeps it while the last
// answer can still be asked for again.
func (d *delegation) due() time.Time {
	switch {
	case len(d.Secret) == 0:
		return time.Time{}
	case d.State == DelegationUsedUp:
		return d.LastUse.Add(SADLife)
	}
	return d.Expires
}

// end erases the secret of a delegation: in the database with this transaction, in the
// database's log within a minute.
func (v *server) end(tx *store.Tx, d *delegation, state, event, by, reason string) error {
	d.State, d.Secret = state, nil
	v.erased.Store(true)
	return v.keepDelegation(tx, d, audit.Event{Actor: by, Event: event, Detail: map[string]string{"state": state, "reason": reason}})
}

// endDelegations revokes the delegations of a credential. A row that was tampered with
// is of no use already.
func (v *server) endDelegations(tx *store.Tx, credential, by, reason string) error {
	for _, state := range []string{DelegationActive, DelegationUsedUp} {
		for {
			rows, err := tx.DelegationsUnder(credential, state)
			if err != nil {
				return err
			}
			revoked := 0
			for _, r := range rows {
				d, err := v.openDelegation(r)
				if err != nil {
					continue
				}
				if err := v.end(tx, d, DelegationRevoked, delegationRevoked, by, reason); err != nil {
					return err
				}
				revoked++
			}
			if revoked == 0 {
				break
			}
		}
	}
	return nil
}

// eraseDue erases the secrets of delegations that have expired or are used up. It is
// done every minute.
func (v *server) eraseDue(tx *store.Tx, now time.Time) error {
	rows, err := tx.DueDelegations(now)
	if err != nil {
		return err
	}
	for _, r := range rows {
		d, err := v.openDelegation(r)
		if err != nil { // of no use already
			continue
		}
		if d.State == DelegationUsedUp {
			err = v.end(tx, d, DelegationUsedUp, delegationErased, "vault", "all that it was for is signed")
		} else {
			err = v.end(tx, d, DelegationExpired, delegationEnded, "vault", "its time is over")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stands refuses a SAD whose delegation was revoked since, and says when the delegation
// ends: after that nothing more is signed with it. The zero time: there is none.
func (v *server) stands(tx *store.Tx, sad *claims) (until time.Time, err error) {
	if sad.Delegation == "" {
		return until, nil
	}
	d, err := v.delegation(tx, sad.Delegation)
	if err != nil {
		return until, err
	}
	switch d.State {
	case DelegationRevoked:
		return until, fail(NotAllowed, "the delegation was revoked")
	case DelegationExpired: // whatever the clock says now
		return time.UnixMilli(1), nil
	}
	return d.Expires, nil
}
