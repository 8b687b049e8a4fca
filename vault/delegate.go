package vault

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// The automatic procedure: a device signs without the signer being there, within
// bounds that the signer gave once, with both factors. What stands between the
// bounds and the key is the vault, not arithmetic: the value that unlocks the key
// rests in the vault's state while the delegation lasts, sealed by the token. Who
// has that file and can use the token can sign with such a key; so can who copied
// both while the delegation lasted. And that the application presented its client
// certificate, and that a document is of some kind, is what the service says: a
// service in wrong hands signs with the keys that are delegated, as many times as the
// delegations allow, until they are revoked. Nothing of that is so for a credential
// that is not Automatic.

// delegate gives a delegation.
//
//  1. The request makes sense; its bounds are within ours.
//  2. The credential is the current one, this holder's, and for the automatic
//     procedure.
//  3. The holder's factors; of who has a passkey that or a recovery code, since a code
//     that was typed for one signature must not give away thousands. Durable: the second
//     factor is used up, the intent is in the journal.
//  4. The token seals what unlocks the key.
//  5. Durable: the delegation and the journal. The holder's phones are told. The answer.
func (v *server) delegate(ctx context.Context, n *NewDelegation) (*Delegation, error) {
	if err := n.check(v.now()); err != nil { // 1
		return nil, err
	}
	c := &n.Credential
	if err := v.adoptShown(ctx, &n.Factors); err != nil {
		return nil, err
	}
	if err := v.usable(ctx, opDelegate, c); err != nil { // 2
		return nil, err
	}
	if c.Holder != n.Factors.Holder {
		return nil, fail(NotAllowed, "this credential belongs to another holder")
	}
	if !c.Automatic {
		return nil, fail(NotAllowed, "this credential is not for the automatic procedure")
	}
	d := &delegation{Epoch: c.Epoch, Delegation: Delegation{ID: n.ID, Holder: c.Holder, Credential: c.ID, Count: n.Count,
		Created: time.UnixMilli(millis(v.now())).UTC(), Expires: n.Expires.UTC(), ClientCertificate: n.ClientCertificate,
		Kinds: n.Kinds, State: DelegationActive}}
	detail := map[string]string{"credential": c.ID, "count": strconv.Itoa(n.Count), "expires": n.Expires.UTC().Format(time.RFC3339),
		"clientCertificate": hex.EncodeToString(n.ClientCertificate), "kinds": strings.Join(n.Kinds, ", "), "client": n.Client}
	u := use{op: opDelegate, request: n.Request, content: n.content(), strong: true,
		event: audit.Event{Actor: c.Holder, Event: "delegation.intent", Subject: n.ID, Detail: detail}}
	d.Request = u.binding()
	who, err := v.checkFactors(ctx, &n.Factors, &n.Evidence, u) // 3
	defer who.wipe()
	if err != nil {
		return nil, err
	}
	secret := kekSecret(&who.stretched, c)
	defer clear(secret[:])
	if d.Secret, err = v.tok.Seal(ctx, keySeal, d.sealContext(), secret[:]); err != nil { // 4
		return nil, because(err, "the token did not seal the delegation")
	}
	err = v.db.Write(ctx, func(tx *store.Tx) error { // 5
		if err := v.current(tx, c); err != nil {
			return err
		}
		if old, err := v.delegation(tx, d.ID); err == nil && old.Request == d.Request {
			d = old // the same request, sent again
			return nil
		} else if KindOf(err) != NotAllowed {
			return firstError(err, fail(NotAllowed, "there is, or was, a delegation of this name; choose another"))
		}
		if err := v.roomFor(tx, d); err != nil {
			return err
		}
		return v.keepDelegation(tx, d, audit.Event{Actor: c.Holder, Event: delegationGiven, Detail: detail})
	})
	if err != nil {
		return nil, because(err, "the delegation could not be written")
	}
	v.tell(ctx, &n.Factors, opDelegate)
	return &d.Delegation, nil
}

// roomFor refuses a delegation of a holder who has [MaxActive] already: each that is in
// force must be on the list of those that can be revoked.
func (v *server) roomFor(tx *store.Tx, d *delegation) error {
	rows, err := tx.DelegationsOf(d.Holder, DelegationActive, listed)
	active := 0
	for _, r := range rows {
		if r.State == DelegationActive && v.now().Before(r.Due) {
			active++
		}
	}
	if err == nil && active >= MaxActive {
		err = failf(BadRequest, "a holder has at most %d delegations in force; revoke one first", MaxActive)
	}
	return err
}

// check says whether the bounds of a delegation are some.
func (n *NewDelegation) check(now time.Time) error {
	err := firstError(checkName("the delegation", n.ID, maxName), checkName("the client", n.Client, maxName),
		checkName("the request", n.Request, maxName))
	if err != nil {
		return err
	}
	if n.Count < 1 || n.Count > MaxDelegated {
		return failf(BadRequest, "a delegation is for 1 to %d signatures", MaxDelegated)
	}
	if !n.Expires.After(now) || n.Expires.After(now.Add(DelegationLife)) {
		return failf(BadRequest, "a delegation is good for %d days at most", DelegationLife/(24*time.Hour))
	}
	if len(n.ClientCertificate) != sha256.Size {
		return fail(BadRequest, "the client certificate is named by its SHA-256")
	}
	if len(n.Kinds) < 1 || len(n.Kinds) > MaxKinds {
		return failf(BadRequest, "a delegation is for 1 to %d kinds of documents", MaxKinds)
	}
	for _, k := range n.Kinds {
		if err := checkName("a kind of documents", k, MaxKind); err != nil {
			return err
		}
	}
	return nil
}

// content is what a repetition must be the same in.
func (n *NewDelegation) content() []byte {
	m := newMessage("delegate").text(n.ID).text(n.Credential.Holder).text(n.Credential.ID).bytes(thumbprint(n.Credential.PublicKey)).
		num(int64(n.Count)).num(millis(n.Expires)).bytes(n.ClientCertificate).text(n.Client).num(int64(len(n.Kinds)))
	for _, k := range n.Kinds {
		m = m.text(k)
	}
	return m.sha256()
}

// authoriseDelegated mints a SAD under a delegation.
//
//  1. The request makes sense.
//  2. Durable, in one transaction: the credential is the current one, the request is
//     within the bounds, the signatures are counted, whether they will be made or not,
//     and journalled. A request that was counted before is not again.
//  3. The token opens what unlocks the key; it is sealed into the SAD.
func (v *server) authoriseDelegated(ctx context.Context, a *DelegatedAuthorisation) (*SAD, error) {
	c := &a.Credential
	err := firstError(checkName("the delegation", a.Delegation, maxName), checkName("the kind of documents", a.Kind, MaxKind), // 1
		checkName("the client", a.Client, maxName), checkName("the request", a.Request, maxName))
	if err != nil {
		return nil, err
	}
	if _, err := checkDigests(a.Hash, a.Digests, MaxDigests); err != nil {
		return nil, err
	}
	if err := v.ownCredential(ctx, c); err != nil {
		return nil, err
	}
	if _, err := checkDigests(a.Hash, a.Digests, c.MaxDigests); err != nil {
		return nil, err
	}
	content := newMessage("authorise delegated").text(a.Delegation).text(c.ID).num(int64(c.Epoch)).bytes(thumbprint(c.PublicKey)).
		bytes(a.ClientCertificate).text(a.Kind).text(a.Hash).list(sorted(a.Digests)).text(a.Client).sha256()
	jti := newJTI(&v.rowKey, hex.EncodeToString(content)+":"+opAuthoriseDelegated+":"+a.Request, c.Holder, 0)
	var d *delegation
	var minted time.Time
	err = v.db.WriteShared(ctx, func(tx *store.Tx) (err error) { // 2
		if err := v.current(tx, c); err != nil {
			return err
		}
		if d, err = v.delegation(tx, a.Delegation); err != nil {
			return err
		}
		if err := d.covers(a); err != nil {
			return err
		}
		minted, err = v.countDelegated(tx, d, a, jti, content)
		return err
	})
	if aboutCredential(err) || err == errDelegationRow {
		v.noteCredential(ctx, opAuthoriseDelegated, c, err)
	}
	if err != nil {
		return nil, because(err, "the use of the delegation could not be written")
	}
	v.fault("delegated")
	plain, err := v.tok.Unseal(ctx, keySeal, d.sealContext(), d.Secret) // 3
	if err != nil {
		return nil, because(err, "the token did not open the delegation")
	}
	defer clear(plain)
	var secret [32]byte
	defer clear(secret[:])
	copy(secret[:], plain)
	s, err := v.mint.issue(claims{
		Subject: c.Holder, Credential: c.ID, Epoch: c.Epoch, Key: thumbprint(c.PublicKey), Hash: a.Hash, Digests: sorted(a.Digests),
		Count: len(a.Digests), AMR: []string{amrDelegated}, Delegation: d.ID, Client: a.Client, Authorised: minted.Unix(), ID: jti,
	}, &secret, minted)
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// covers says whether a request is within the bounds of a delegation, all but the
// count and the time.
func (d *delegation) covers(a *DelegatedAuthorisation) error {
	c := &a.Credential
	switch {
	case d.State == DelegationRevoked:
		return fail(NotAllowed, "the delegation was revoked")
	case d.Holder != c.Holder || d.Credential != c.ID || d.Epoch != c.Epoch || !c.Automatic:
		return fail(NotAllowed, "the delegation is for another credential")
	case !hmac.Equal(d.ClientCertificate, a.ClientCertificate):
		return fail(NotAllowed, "the delegation is for another application")
	case !slices.Contains(d.Kinds, a.Kind):
		return fail(NotAllowed, "the delegation is for other kinds of documents")
	}
	return nil
}

// mintedUnder begins the JTI of the row that a SAD under a delegation was minted.
const mintedUnder = "minted:"

// countDelegated counts a request, once, and returns when it was counted.
func (v *server) countDelegated(tx *store.Tx, d *delegation, a *DelegatedAuthorisation, jti string, content []byte) (time.Time, error) {
	now := v.now()
	row, err := tx.Spent(mintedUnder+jti, a.Request)
	if store.KindOf(err) != store.NotFound {
		if err == nil {
			_, _, err = v.openSpent(row)
		}
		if err == nil && (now.Sub(row.Created) >= SADLife || len(d.Secret) == 0) {
			err = fail(ExpiredSAD, "this request was granted before, and what it got has expired; start a new one")
		}
		return row.Created, err
	}
	n := len(a.Digests)
	switch {
	case d.State == DelegationExpired || !now.Before(d.Expires):
		return now, fail(NotAllowed, "the delegation has expired")
	case d.State != DelegationActive || d.Used+n > d.Count:
		return now, failf(NotAllowed, "%d signatures asked for; %d are left of the delegation", n, d.Count-d.Used)
	}
	if d.Used, d.LastUse = d.Used+n, now.UTC(); d.Used == d.Count {
		d.State = DelegationUsedUp
	}
	detail := map[string]string{"credential": d.Credential, "client": a.Client, "hash": a.Hash, "count": strconv.Itoa(n),
		"delegation": d.ID, "kind": a.Kind, "sad": jti, "used": strconv.Itoa(d.Used)}
	err = audit.Append(tx, now, audit.Event{Actor: d.Holder, Event: "signature.authorised", Subject: a.Request, Detail: detail})
	if err != nil {
		return now, err
	}
	if err := v.keepDelegation(tx, d, audit.Event{Actor: "vault", Event: delegationUsed, Detail: detail}); err != nil {
		return now, err
	}
	row, err = v.putSpent(tx, store.Spent{JTI: mintedUnder + jti, Seq: 1, Request: a.Request, Holder: d.Holder, Credential: d.Credential,
		Created: now, Expires: now.Add(SADLife + keepResults)}, content)
	if err != nil {
		return now, err
	}
	return row.Created, v.setSpentDone(tx, row, nil)
}

// revokeDelegation ends a delegation. One that is over already is no error.
func (v *server) revokeDelegation(ctx context.Context, q *delegationsRequest) error {
	err := firstError(checkName("the delegation", q.ID, maxName), checkName("who revokes the delegation", q.By, maxName),
		checkName("the reason", q.Reason, maxName))
	if err != nil {
		return err
	}
	err = v.db.Write(ctx, func(tx *store.Tx) error {
		d, err := v.delegation(tx, q.ID)
		if err != nil || d.State == DelegationRevoked {
			return err
		}
		return v.end(tx, d, DelegationRevoked, delegationRevoked, q.By, q.Reason)
	})
	return because(err, "the end of the delegation could not be written")
}

// listed is how many delegations are listed: all that are in force, and some that are over.
const listed = MaxActive + 50

// delegationsOf lists the delegations of a holder.
func (v *server) delegationsOf(ctx context.Context, holder string) (ds []Delegation, err error) {
	if err := checkName("the holder", holder, maxName); err != nil {
		return nil, err
	}
	err = v.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.DelegationsOf(holder, DelegationActive, listed)
		if err != nil {
			return err
		}
		for _, r := range rows {
			d, err := v.openDelegation(r)
			if err != nil { // of no use already, and not to hide what can be revoked
				v.log.Error("a delegation is left out of a list", "delegation", r.ID, "err", err)
				continue
			}
			if d.State == DelegationActive && !v.now().Before(d.Expires) {
				d.State = DelegationExpired // and is noted as such within a minute
			}
			ds = append(ds, d.Delegation)
		}
		return nil
	})
	return ds, because(err, "the delegations cannot be read")
}
