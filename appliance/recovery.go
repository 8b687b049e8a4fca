package appliance

import (
	"context"
	"encoding/json"
	"time"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/store"
	"sigillo/vault"
)

// A holder who has lost the password or the authenticator comes in person, is identified
// by a document, and gets new factors, a new key and a new certificate. The old ones
// cannot be saved, and are not: no member of the staff, and no two, can make the old key
// sign.
//
// The record of the identification is made with the proposal; the rest follows the
// approval: the old certificates are revoked, the old keys and factors destroyed in the
// vault, the sessions ended, and an activation code given (see activation.go).

// ProposeRecovery records the identification and proposes the recovery.
func (a *Appliance) ProposeRecovery(ctx context.Context, by staff.Member, n staff.NewRecovery) (staff.Proposal, error) {
	if err := n.Check(a.opt.Now()); err != nil {
		return staff.Proposal{}, err
	}
	var h store.Holder
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.HolderByUsername(n.Username)
		return err
	})
	if err != nil {
		return staff.Proposal{}, missing(err, "there is no holder of this username")
	}
	contact, err := a.contact(n.Contact, h.Email)
	if err != nil {
		return staff.Proposal{}, err
	}
	compromised := "no"
	if n.Compromised {
		compromised = "yes"
	}
	parameters := map[string]string{"username": h.Username, "name": h.GivenName + " " + h.Surname, "fiscal-code": h.FiscalCode,
		"document": n.Document, "number": n.Number, "issuer": n.Issuer, "document-expires": n.Expires.UTC().Format(time.DateOnly),
		"identified-by": by.ID, "reason": n.Reason, "compromised": compromised}
	if contact != "" { // who approves sees where the code goes
		parameters["contact"] = contact
	}
	return a.propose(ctx, by, staff.RecoverHolder, h.ID, parameters, func(tx *store.Tx, p staff.Proposal) error {
		err := tx.PutIdentification(store.Identification{ID: p.ID, Holder: h.ID, Document: n.Document, Number: n.Number, Issuer: n.Issuer,
			Expires: n.Expires, IdentifiedBy: by.ID, At: a.opt.Now()})
		if err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: by.ID, Event: "holder.identified", Subject: h.ID,
			Detail: map[string]string{"document": n.Document, "number": n.Number, "issuer": n.Issuer, "proposal": p.ID}})
	})
}

// performRecovery does what follows an approved recovery.
//
//  1. The holder's certificates are revoked, each with its entry.
//  2. The vault makes the factors void and destroys the keys; it journals that.
//  3. In one commit: the holder has no factors, no session, and an activation; the
//     entry. The activation bears the name of the proposal: where it is, all was done,
//     and is not done again to a holder who may have a new key by then.
func (a *Appliance) performRecovery(ctx context.Context, p staff.Proposal) (string, staff.Handout, error) {
	id := "activation-" + p.ID[len("proposal-"):]
	err := a.DB.Read(ctx, func(tx *store.Tx) error {
		_, err := tx.Activation(id)
		return err
	})
	if store.KindOf(err) != store.NotFound {
		return p.Subject, staff.Handout{}, err // the code was given, or is given anew
	}
	h, t, err := a.recovered(ctx, p)
	if err != nil {
		return "", staff.Handout{}, err
	}
	reason := reasonSuperseded
	if p.Parameters["compromised"] == "yes" {
		reason = reasonKeyCompromise
	}
	if err := a.revokeAll(ctx, h.ID, reason, p.Approver); err != nil { // 1
		return "", staff.Handout{}, err
	}
	if err := a.destroyKeys(ctx, h, p); err != nil { // 2
		return "", staff.Handout{}, err
	}
	t.To, t.Language = p.Parameters["contact"], h.Locale
	act, code := a.newActivation(activateRecover, h.ID, t, p.Approver)
	act.ID = id
	err = a.DB.Write(ctx, func(tx *store.Tx) error { // 3
		old, err := tx.ActivationOf(h.ID)
		if err == nil {
			from := old.State
			old.State = store.ActivationVoid
			err = tx.ChangeActivation(old, from)
		}
		if err != nil && store.KindOf(err) != store.NotFound {
			return err
		}
		if err := tx.SetFactors(h.ID, nil); err != nil {
			return err
		}
		if err := shutOut(tx, a.opt.Now(), h.ID); err != nil {
			return err
		}
		if err := tx.PutActivation(act); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: p.Approver, Event: "holder.recovered", Subject: h.ID,
			Detail: map[string]string{"proposal": p.ID, "proposed-by": p.Proposer, "activation": act.ID}})
	})
	if err != nil {
		return h.ID, staff.Handout{}, err
	}
	out := staff.Handout{Subject: h.ID, Username: h.Username, Code: code, Expires: act.Expires}
	a.sendPart(ctx, act, &out)
	return h.ID, out, nil
}

// The reasons of RFC 5280 §5.3.1 that a recovery has.
const (
	reasonKeyCompromise = 1
	reasonSuperseded    = 4
)

// recovered is the holder of a recovery, and what the new key will be like: the last one
// that the holder signed with, or, where all are for the automatic procedure, the last.
func (a *Appliance) recovered(ctx context.Context, p staff.Proposal) (h store.Holder, t terms, err error) {
	t = terms{KeyType: "p256", MaxDigests: 50, Reenrol: true, By: []string{p.Proposer, p.Approver}}
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		if h, err = tx.Holder(p.Subject); err != nil {
			return err
		}
		list, err := tx.CredentialsOf(h.ID)
		if err != nil || len(list) == 0 {
			return err
		}
		for i, c := range list {
			var record vault.Credential
			if err := json.Unmarshal(c.Record, &record); err != nil {
				return err
			}
			if i == 0 || !record.Automatic || t.Automatic {
				t.KeyType, t.MaxDigests, t.Automatic = c.KeyType, record.MaxDigests, record.Automatic
			}
		}
		return nil
	})
	return h, t, missing(err, "there is no such holder")
}

// revokeAll revokes all certificates of a holder that are not revoked.
func (a *Appliance) revokeAll(ctx context.Context, holder string, reason int, actor string) error {
	var list []store.Certificate
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.CertificatesOf(holder)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range list {
		if c.State != store.CertValid && c.State != store.CertSuspended {
			continue
		}
		err := a.PKI.Revoke(ctx, c.Serial, reason, actor)
		switch pki.KindOf(err) {
		case "":
		case pki.Unpublished:
			a.log.Error("a revocation is not on the list yet", "certificate", c.Serial, "err", err)
		default:
			return err
		}
	}
	return nil
}

// destroyKeys has the vault destroy what the holder's password protected, and erases the
// wrapped keys here. A backup of them is worth nothing: the vault refuses each for ever.
func (a *Appliance) destroyKeys(ctx context.Context, h store.Holder, p staff.Proposal) error {
	recovery := vault.Recovery{Holder: h.ID, By: []string{p.Proposer, p.Approver}, Reason: p.Parameters["reason"]}
	if len(h.Factors) > 0 { // else there is nothing yet that could be void
		// The vault's code is not used: the holder has one of ours, and another is made
		// when it is shown, see enrol.
		if _, err := a.Vault.Recover(ctx, recovery); err != nil {
			return err
		}
	}
	var list []store.Credential
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.CredentialsOf(h.ID)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range list {
		var record vault.Credential
		if err := json.Unmarshal(c.Record, &record); err != nil || len(record.Wrapped) == 0 {
			continue // erased before, or of no use to anybody
		}
		err := a.Vault.DestroyCredential(ctx, vault.Destruction{Credential: record, By: p.Approver, Reason: p.Parameters["reason"]})
		if err != nil && vault.KindOf(err) != vault.Tampered { // which the vault refuses anyway
			return err
		}
		record.Wrapped = nil
		erased, err := json.Marshal(record)
		if err != nil {
			return err
		}
		if err := a.DB.Write(ctx, func(tx *store.Tx) error { return tx.SetCredentialRecord(c.ID, erased) }); err != nil {
			return err
		}
	}
	a.erase(ctx)
	return nil
}
