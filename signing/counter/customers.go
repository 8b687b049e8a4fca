package counter

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/store"
	"sigillo/vault"
)

type instant = time.Time

// customer is a holder.
func (s *Service) customer(ctx context.Context, id string) (h store.Holder, err error) {
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.Holder(id)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return h, fail(NotFound, "there is no such customer", err)
	}
	return h, fromStore(err)
}

// inForce is the consent that a holder has given and not withdrawn; nil when there is none.
func (s *Service) inForce(ctx context.Context, holder string) (*Given, error) {
	var c store.Consent
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.ConsentOf(holder)
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound:
		return nil, nil
	case err != nil:
		return nil, fromStore(err)
	}
	return &Given{Text: c.Text, SHA256: hex.EncodeToString(c.SHA256), At: c.Given}, nil
}

// consented says whether a holder has a consent, to whichever text, that is not withdrawn.
func (s *Service) consented(ctx context.Context, holder string) (bool, error) {
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) error { _, err := tx.ConsentOf(holder); return err })
	if store.KindOf(err) == store.NotFound {
		return false, nil
	}
	return err == nil, fromStore(err)
}

// Customers finds customers by username, codice fiscale or the serial number of a
// certificate, exactly; every look is journalled.
func (s *Service) Customers(ctx context.Context, by member, who string) ([]Customer, error) {
	if err := at(by, staff.Counter); err != nil {
		return nil, err
	}
	found, err := s.cfg.House.FindHolders(ctx, by, who)
	if err != nil {
		return nil, err
	}
	out := make([]Customer, 0, len(found))
	for _, f := range found {
		c, err := s.describe(ctx, f.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (s *Service) describe(ctx context.Context, id string) (Customer, error) {
	h, err := s.customer(ctx, id)
	if err != nil {
		return Customer{}, err
	}
	c := Customer{ID: h.ID, Username: h.Username, GivenName: h.GivenName, Surname: h.Surname, FiscalCode: h.FiscalCode, Email: h.Email, Locale: h.Locale}
	if c.Consent, err = s.inForce(ctx, id); err != nil {
		return c, err
	}
	_, err = s.credential(ctx, id)
	c.Enrolled = err == nil
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		v, err := tx.CounterSessionOf(id)
		c.Waiting = err == nil && v.Purpose == string(Enrol)
		if store.KindOf(err) == store.NotFound {
			return nil
		}
		return err
	})
	return c, fromStore(err)
}

// RegisterCustomer registers somebody who is no holder yet, with what the operator has
// seen. The username is the codice fiscale in small letters unless another is given; there
// is no password, and none is needed at a counter.
func (s *Service) RegisterCustomer(ctx context.Context, by member, n NewCustomer) (Customer, error) {
	if err := at(by, staff.Counter); err != nil {
		return Customer{}, err
	}
	if err := by.May(staff.RegisterHolder); err != nil {
		return Customer{}, err
	}
	now := s.cfg.Now()
	h := store.Holder{ID: "holder-" + newID()[:16], Username: n.Username, GivenName: n.GivenName, Surname: n.Surname,
		FiscalCode: strings.ToUpper(n.FiscalCode), Email: n.Email, Locale: n.Locale, Created: now}
	if h.Username == "" {
		h.Username = strings.ToLower(n.FiscalCode)
	}
	if h.Locale == "" {
		h.Locale = "it"
	}
	if err := checkCustomer(h); err != nil {
		return Customer{}, err
	}
	if err := n.Identification.check(now); err != nil {
		return Customer{}, err
	}
	taken := fail(Invalid, "a holder of this codice fiscale or username is registered already; look the holder up", nil)
	err := s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if have, err := tx.HoldersByFiscalCode(h.FiscalCode, 1); err != nil || len(have) > 0 {
			return firstOf(err, taken)
		}
		if err := tx.PutHolder(h); err != nil {
			return err
		}
		err := audit.Append(tx, now, audit.Event{Actor: by.ID, Event: "holder.registered", Subject: h.ID, Detail: map[string]string{"centre": by.Centre}})
		if err != nil {
			return err
		}
		return identify(tx, "register-"+h.ID, h.ID, by.ID, n.Identification, now)
	})
	if store.KindOf(err) == store.Conflict {
		return Customer{}, taken
	}
	if err != nil {
		return Customer{}, fromStore(err)
	}
	return s.describe(ctx, h.ID)
}

func checkCustomer(h store.Holder) error {
	if err := pki.CheckFiscalCode(h.FiscalCode); err != nil {
		return fail(Invalid, "the codice fiscale is wrong", err)
	}
	for what, v := range map[string]string{"username": h.Username, "given name": h.GivenName, "surname": h.Surname} {
		if strings.TrimSpace(v) == "" || strings.TrimSpace(v) != v || len(v) > 100 {
			return fail(Invalid, "the "+what+" must have 1 to 100 bytes and no spaces around it", nil)
		}
	}
	switch {
	case len(h.Email) > 200 || strings.ContainsFunc(h.Email, func(r rune) bool { return r <= ' ' }):
		return fail(Invalid, "this is no e-mail address", nil)
	case h.Locale != "it" && h.Locale != "en":
		return fail(Invalid, "the language is it or en", nil)
	}
	return nil
}

// Withdraw ends a customer's consent, at the customer's wish:
//
//  1. Durable: the consent is withdrawn, with its entry. From here on nothing is opened
//     with it, and what follows is done, if not now then by [Service.Sweep].
//  2. The session that the customer has is broken off.
//  3. The vault destroys the profile, and with it the key; the certificate is revoked.
//
// No presence is asked for: nobody is to be kept from withdrawing.
func (s *Service) Withdraw(ctx context.Context, by member, holder string) error {
	if err := by.May(staff.WithdrawConsent); err != nil {
		return err
	}
	now := s.cfg.Now()
	ctx = context.WithoutCancel(ctx)
	var v store.CounterSession
	err := s.cfg.DB.Write(ctx, func(tx *store.Tx) error { // 1
		if err := tx.WithdrawConsent(holder, by.ID, now); err != nil {
			return err
		}
		var err error
		if v, err = tx.CounterSessionOf(holder); err != nil && store.KindOf(err) != store.NotFound {
			return err
		}
		return audit.Append(tx, now, audit.Event{Actor: by.ID, Event: "consent.withdrawn", Subject: holder, Detail: map[string]string{"centre": by.Centre}})
	})
	if store.KindOf(err) == store.NotFound {
		return fail(NoConsent, "the customer has no consent that could be withdrawn", err)
	}
	if err != nil {
		return fromStore(err)
	}
	if v.ID != "" {
		if err := s.breakOff(ctx, v.ID, by.ID); err != nil { // 2
			s.cfg.Log.Error("a session goes on although the consent was withdrawn", "session", v.ID, "err", err)
		}
	}
	return s.forget(ctx, holder, by.ID) // 3
}

// breakOff cancels a session that can still be cancelled.
func (s *Service) breakOff(ctx context.Context, id, actor string) error {
	v, release, err := s.hold(ctx, id, func(*session) bool { return true })
	if err != nil {
		return err
	}
	defer release()
	if v.state().Ended() || v.state() == Matched && (v.Purpose == string(Sign) || v.Credential != "") {
		return nil
	}
	return s.end(ctx, v, Cancelled, WhyCustomer, actor)
}

// reasonCessation is cessationOfOperation, RFC 5280 §5.3.1; reasonSuperseded superseded.
const (
	reasonSuperseded = 4
	reasonCessation  = 5
)

// forget destroys the counter keys of a holder, with their profiles, and revokes their
// certificates.
func (s *Service) forget(ctx context.Context, holder, actor string) error {
	list, err := s.keys(ctx, holder)
	if err != nil {
		return err
	}
	for _, c := range list {
		if err := s.destroy(ctx, c, reasonCessation, actor, "consent withdrawn"); err != nil {
			return err
		}
	}
	return nil
}

// keys are the counter keys of a holder that are not erased.
func (s *Service) keys(ctx context.Context, holder string) (out []store.Credential, err error) {
	var list []store.Credential
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		list, err = tx.CredentialsOf(holder)
		return err
	})
	for _, c := range list {
		if record, bad := readKey(c); bad == nil && record.Graphometric && len(record.Wrapped) > 0 {
			out = append(out, c)
		}
	}
	return out, fromStore(err)
}

// destroy has the vault destroy a counter key with its profile, and what hangs from it.
// It may be done again. A vault that knows no such profile, having been put back from a
// backup of before, uses no such key either.
func (s *Service) destroy(ctx context.Context, c store.Credential, reason int, actor, why string) error {
	if err := s.cfg.Vault.DestroyProfile(ctx, c.ID, actor, why); err != nil && vault.KindOf(err) != vault.NotAllowed {
		return fromVault(err)
	}
	return s.cfg.House.RevokeCredential(ctx, c, reason, actor)
}

// Profiles lists the states of a customer's profiles, the newest first.
func (s *Service) Profiles(ctx context.Context, by member, holder string) ([]vault.ProfileVersion, error) {
	if err := by.May(staff.RollBackProfile); err != nil {
		return nil, err
	}
	out, err := s.cfg.Vault.Profiles(ctx, holder)
	return out, fromVault(err)
}

// RollBack puts an earlier state of a profile in force again, as after a signature that the
// customer disputes. e has the member's password and second factor; the password is wiped.
func (s *Service) RollBack(ctx context.Context, by member, credential string, version int64, reason string, e vault.Evidence) error {
	defer clear(e.Password)
	if err := by.May(staff.RollBackProfile); err != nil {
		return err
	}
	if strings.TrimSpace(reason) == "" || len(reason) > 200 {
		return fail(Invalid, "say why, in at most 200 bytes", nil)
	}
	f, m, err := s.factors(ctx, by.ID)
	if err != nil {
		return err
	}
	h, err := s.holderOf(ctx, credential)
	if err != nil && KindOf(err) != NotFound { // the vault says that there is none
		return err
	}
	if samePerson(m, h) {
		return fail(SamePerson, "nobody rolls back the profile of their own signature", nil)
	}
	err = s.cfg.Vault.RollBackProfile(ctx, vault.RollBack{Factors: f, Evidence: e, Credential: credential, Version: version, Reason: reason, Request: newID()})
	if err != nil {
		return fromVault(err)
	}
	return s.journal(ctx, audit.Event{Actor: by.ID, Event: "profile.rolled-back", Subject: credential, Detail: map[string]string{"reason": reason}})
}

// holderOf is whose key a credential is.
func (s *Service) holderOf(ctx context.Context, credential string) (h store.Holder, err error) {
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		c, err := tx.Credential(credential)
		if err != nil {
			return err
		}
		h, err = tx.Holder(c.Holder)
		return err
	})
	return h, fromStore(err)
}

// Counts is what the vault has counted, for who answers for the service.
func (s *Service) Counts(ctx context.Context, by member) (vault.GraphometricReport, error) {
	if err := by.May(staff.CounterReport); err != nil {
		return vault.GraphometricReport{}, err
	}
	r, err := s.cfg.Vault.GraphometricReport(ctx)
	return r, fromVault(err)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
