package appliance

import (
	"context"
	"maps"
	"slices"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/pki"
	"sigillo/store"
)

// What a member of the staff does at the counter, each by right of the role.

// FindHolders looks holders up by username, codice fiscale or the serial number of a
// certificate, exactly: members see whom they have to do with and cannot leaf through
// everybody. Every look is journalled.
func (a *Appliance) FindHolders(ctx context.Context, by staff.Member, who string) ([]staff.Found, error) {
	if err := by.May(staff.SeeHolders); err != nil {
		return nil, err
	}
	var out []staff.Found
	err := a.DB.Read(ctx, func(tx *store.Tx) error {
		ids, err := holdersOf(tx, who)
		if err != nil {
			return err
		}
		for _, id := range ids {
			f, err := found(tx, id)
			if err != nil {
				return err
			}
			out = append(out, f)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, f := range out {
		if err := a.journal.Append(ctx, audit.Event{Actor: by.ID, Event: "holder.looked-up", Subject: f.ID}); err != nil {
			return nil, err
		}
	}
	a.addDelegations(ctx, out)
	return out, nil
}

// holdersOf are the IDs of the holders somebody may mean.
func holdersOf(tx *store.Tx, who string) ([]string, error) {
	certificates, about, err := candidates(tx, who)
	if err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, c := range certificates {
		ids[c.Holder] = true
	}
	if _, err := tx.Holder(about); err == nil {
		ids[about] = true // one without a certificate
	} else if store.KindOf(err) != store.NotFound {
		return nil, err
	}
	return slices.Sorted(maps.Keys(ids)), nil
}

func found(tx *store.Tx, id string) (staff.Found, error) {
	h, err := tx.Holder(id)
	if err != nil {
		return staff.Found{}, err
	}
	out := staff.Found{ID: h.ID, Username: h.Username, GivenName: h.GivenName, Surname: h.Surname, FiscalCode: h.FiscalCode, Email: h.Email}
	if _, err := tx.ActivationOf(id); err == nil {
		out.Waiting = true
	} else if store.KindOf(err) != store.NotFound {
		return out, err
	}
	list, err := tx.CertificatesOf(id)
	for _, c := range list {
		if c.State != store.CertIntent {
			out.Certificates = append(out.Certificates, staff.FoundCertificate{Serial: c.Serial, Profile: c.Profile, State: string(c.State),
				NotAfter: c.NotAfter, Since: c.StatusAt})
		}
	}
	return out, err
}

// ofHolder refuses certificates that are not of holders: those take two.
func (a *Appliance) ofHolder(ctx context.Context, serial string) error {
	var c store.Certificate
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Certificate(serial)
		return err
	})
	if err == nil && !pki.HolderProfile(c.Profile) {
		err = &staff.Error{Kind: staff.Invalid, Msg: "this is a certificate of the house; propose its revocation"}
	}
	return missing(err, "there is no such certificate")
}

// SuspendFor suspends a holder's certificate by right.
func (a *Appliance) SuspendFor(ctx context.Context, by staff.Member, serial string) error {
	if err := firstOf(by.May(staff.Suspend), a.ofHolder(ctx, serial)); err != nil {
		return err
	}
	return a.suspend(ctx, serial, by.ID)
}

// ReactivateFor lifts the suspension of a holder's certificate.
func (a *Appliance) ReactivateFor(ctx context.Context, by staff.Member, serial string) error {
	if err := firstOf(by.May(staff.Reactivate), a.ofHolder(ctx, serial)); err != nil {
		return err
	}
	err := a.PKI.Reactivate(ctx, serial, 0, by.ID)
	return a.unlisted(err, serial, "the suspension cannot be lifted")
}

// RevokeFor revokes a holder's certificate for a reason of RFC 5280 §5.3.1.
func (a *Appliance) RevokeFor(ctx context.Context, by staff.Member, serial string, reason int) error {
	if err := firstOf(by.May(staff.Revoke), a.ofHolder(ctx, serial)); err != nil {
		return err
	}
	err := a.PKI.Revoke(ctx, serial, reason, by.ID)
	return a.unlisted(err, serial, "the certificate cannot be revoked")
}

// unlisted lets a change of status pass that is in force and not on the list yet.
func (a *Appliance) unlisted(err error, serial, what string) error {
	if pki.KindOf(err) == pki.Unpublished {
		a.log.Error("a change of status is not on the list yet", "certificate", serial, "err", err)
		return nil
	}
	return asSigning(err, what)
}
