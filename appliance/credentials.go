package appliance

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"sigillo/audit"
	"sigillo/hsm"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

const (
	// maxCredentials is how many credentials, deleted ones too, a holder may have.
	maxCredentials = 20
	// newMaxDigests is how many digests a credential made by AddCredential signs at once.
	newMaxDigests = 50
	// reasonCessation is cessationOfOperation, RFC 5280 §5.3.1.
	reasonCessation = 5
)

// AddCredential makes another key of a holder, under the holder's own factors, and its
// certificate. The certificate states the identity for which the holder has one that
// is valid now; a holder without one has to be identified again. The password is
// wiped. Errors are of package signing.
func (a *Appliance) AddCredential(ctx context.Context, holder string, kt hsm.KeyType, e signing.Evidence) (string, error) {
	c, err := a.addCredential(ctx, holder, holder, terms{KeyType: string(kt), MaxDigests: newMaxDigests}, e)
	return c.ID, err
}

// AddedKey is another key that was made for a holder. EmergencyCode is for the holder,
// and kept nowhere.
type AddedKey struct{ Credential, Certificate, EmergencyCode string }

// AddKey makes another key of a holder as AddCredential does, of a kind and for a use
// that the house decides: n says KeyType, MaxDigests, Automatic and Actor, who has it
// made. A key of the automatic procedure is made so, because its certificate is of
// another kind. The password is wiped. Errors are of package signing.
func (a *Appliance) AddKey(ctx context.Context, holder string, n NewHolder, e signing.Evidence) (AddedKey, error) {
	n.complete()
	c, err := a.addCredential(ctx, holder, n.Actor, n.terms(), e)
	if err != nil {
		return AddedKey{}, err
	}
	code, err := a.NewEmergencyCode(ctx, c.Certificate, n.Actor)
	if err != nil {
		return AddedKey{}, err
	}
	return AddedKey{Credential: c.ID, Certificate: c.Certificate, EmergencyCode: code}, nil
}

// addCredential makes another key of a holder and its certificate; actor has it made.
func (a *Appliance) addCredential(ctx context.Context, holder, actor string, t terms, e signing.Evidence) (c store.Credential, err error) {
	defer clear(e.Password)
	h, err := a.identified(ctx, holder)
	if err != nil {
		return c, err
	}
	client := e.Client
	c, csr, err := a.newKey(ctx, h, t, e)
	if err != nil {
		return c, signing.FromVault(err)
	}
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutCredential(c); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: actor, Event: "credential.created", Subject: c.ID,
			Detail: map[string]string{"key": c.KeyType, "client": client, "automatic": strconv.FormatBool(t.Automatic)}})
	})
	if err != nil {
		return c, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	if c.Certificate, err = a.issue(ctx, h, c, csr, actor); err != nil {
		return c, fromPKI(err, "the certificate could not be issued")
	}
	return c, nil
}

// identified gives a holder whose identity a valid certificate states, and who may have
// a credential more.
func (a *Appliance) identified(ctx context.Context, holder string) (h store.Holder, err error) {
	valid := false
	n := 0
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		if h, err = tx.Holder(holder); err != nil {
			return err
		}
		certs, err := tx.CertificatesOf(holder)
		for _, c := range certs {
			valid = valid || c.State == store.CertValid && c.NotAfter.After(a.opt.Now())
		}
		if err != nil {
			return err
		}
		list, err := tx.CredentialsOf(holder)
		n = len(list)
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound:
		return h, &signing.Error{Kind: signing.NotFound, Msg: "no such holder", Err: err}
	case err != nil:
		return h, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	case !valid:
		return h, &signing.Error{Kind: signing.CertMissing, Msg: "no valid certificate states the holder's identity; have the holder identified again"}
	case n >= maxCredentials:
		return h, &signing.Error{Kind: signing.BadRequest, Msg: "the holder has too many credentials"}
	}
	return h, nil
}

// DeleteCredential ends a holder's credential for good, at the holder's own wish: with
// the holder's factors the certificate is revoked, the vault never uses the key again,
// and the wrapped key is erased here. Each step may be done again; copies in backups
// are refused by the vault. The password is wiped. Errors are of package signing.
func (a *Appliance) DeleteCredential(ctx context.Context, holder, id string, e signing.Evidence) error {
	defer clear(e.Password)
	var c store.Credential
	var h store.Holder
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if c, err = tx.Credential(id); err != nil {
			return err
		}
		h, err = tx.Holder(holder)
		return err
	})
	switch {
	case err != nil && store.KindOf(err) != store.NotFound:
		return &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	case err != nil || c.Holder != holder:
		return &signing.Error{Kind: signing.NotFound, Msg: "no such credential", Err: err}
	}
	var factors vault.Factors
	var record vault.Credential
	if err := firstOf(json.Unmarshal(h.Factors, &factors), json.Unmarshal(c.Record, &record)); err != nil {
		return &signing.Error{Kind: signing.Internal, Msg: "the holder's records cannot be read", Err: err}
	}
	if len(record.Wrapped) == 0 {
		return &signing.Error{Kind: signing.NotFound, Msg: "no such credential"}
	}
	if _, err := a.Vault.Authenticate(ctx, vault.Authentication{Factors: factors, Evidence: e}); err != nil {
		return signing.FromVault(err)
	}
	return a.destroy(context.WithoutCancel(ctx), c, record, e.Client)
}

func (a *Appliance) destroy(ctx context.Context, c store.Credential, record vault.Credential, client string) error {
	if c.Certificate != "" {
		err := a.PKI.Revoke(ctx, c.Certificate, reasonCessation, c.Holder)
		switch pki.KindOf(err) {
		case "", pki.Conflict: // it is revoked already
		case pki.Unpublished: // durable and in force; the list goes out with the next run
			a.log.Error("a revocation is not on the list yet", "certificate", c.Certificate, "err", err)
		default:
			return fromPKI(err, "the certificate could not be revoked")
		}
	}
	err := a.Vault.DestroyCredential(ctx, vault.Destruction{Credential: record, By: c.Holder, Reason: "deleted by its holder"})
	if err != nil {
		return signing.FromVault(err)
	}
	record.Wrapped, record.MAC = nil, nil
	erased, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetCredentialRecord(c.ID, erased); err != nil {
			return err
		}
		return audit.Append(tx, a.opt.Now(), audit.Event{Actor: c.Holder, Event: "credential.deleted", Subject: c.ID,
			Detail: map[string]string{"certificate": c.Certificate, "client": client}})
	})
	if err != nil {
		return &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	a.erase(ctx)
	return nil
}

// erase takes wrapped keys that were replaced out of the database's log too. Where that
// fails they go with the next ones, or when the database is closed.
func (a *Appliance) erase(ctx context.Context) {
	if err := a.DB.Erase(ctx); err != nil {
		a.log.Warn("what was erased may be in the database's log for a while", "err", err)
	}
}

// fromPKI gives an error of the certification authority its meaning for the holder.
func fromPKI(err error, msg string) error {
	kind, ok := suspendKinds[pki.KindOf(err)]
	if !ok {
		kind = signing.Internal
	}
	return &signing.Error{Kind: kind, Msg: msg, Err: err}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
