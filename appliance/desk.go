package appliance

import (
	"context"
	"encoding/json"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/signing/counter"
	"sigillo/store"
	"sigillo/vault"
)

// The counters, where customers sign on tablets, are a room of their own (signing/counter).
// This is what the rest of the appliance does for it.

// counterHouse is the appliance as the counters see it.
type counterHouse struct{ *Appliance }

// openCounter puts the counters together.
func (a *Appliance) openCounter() {
	a.Counter = counter.New(counter.Config{DB: a.DB, Vault: a.Vault, Signing: a.Signing, House: counterHouse{a}, Now: a.opt.Now, Log: a.log})
}

// Certify issues the certificate of a key that a handwritten signature releases.
func (a counterHouse) Certify(ctx context.Context, h store.Holder, c store.Credential, csr []byte, actor string) (string, error) {
	serial, err := a.issue(ctx, h, c, csr, actor)
	return serial, asSigning(err, "the certificate cannot be issued now")
}

// RevokeCredential ends what is left of a key that the vault has destroyed.
func (a counterHouse) RevokeCredential(ctx context.Context, c store.Credential, reason int, actor string) error {
	if c.Certificate != "" {
		err := a.PKI.Revoke(ctx, c.Certificate, reason, actor)
		switch pki.KindOf(err) {
		case "", pki.Conflict: // it is revoked already
		case pki.Unpublished: // durable and in force; the list goes out with the next run
			a.log.Error("a revocation is not on the list yet", "certificate", c.Certificate, "err", err)
		default:
			return fromPKI(err, "the certificate could not be revoked")
		}
	}
	var record vault.Credential
	if err := json.Unmarshal(c.Record, &record); err != nil || len(record.Wrapped) == 0 {
		return nil // erased before
	}
	record.Wrapped, record.MAC = nil, nil
	erased, err := json.Marshal(record)
	if err != nil {
		return err
	}
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetCredentialRecord(c.ID, erased); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: actor, Event: "credential.deleted", Subject: c.ID,
			Detail: map[string]string{"certificate": c.Certificate, "holder": c.Holder}})
	})
	if err != nil {
		return err
	}
	a.erase(ctx)
	return nil
}

// MemberNamed is a member in office by username, not recognised by any factor: for acts
// where the vault itself checks those.
func (a *Appliance) MemberNamed(ctx context.Context, username string) (staff.Member, error) {
	var row store.Staff
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.StaffByUsername(username)
		return err
	})
	if err == nil && row.State != store.StaffActive {
		err = &staff.Error{Kind: staff.NotFound, Msg: "this member is not in office yet"}
	}
	return asMember(row), missing(err, "there is no member of this username")
}
