package appliance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// What holders, and members of the staff, do about the own factors. The vault decides and
// makes the new record; here it is stored, and shown to the vault (see
// vault.Client.AdoptFactors):
//
//  1. The record is read and put into the request.
//  2. The vault checks the factors and makes the new record, which waits there.
//  3. Durable here, in one commit: the new record with what belongs to it, and the
//     journal entry.
//  4. The vault is told. If that fails, the first request with the record tells it.
//
// In what follows a holder is either of them; a member has no credentials. Changes of all go one after the other: there are few, and each has the vault
// stretch a password.

// Means lists what a holder is recognised by.
func (a *Appliance) Means(ctx context.Context, holder string) (vault.Means, error) {
	_, f, err := a.factors(ctx, holder)
	if err != nil {
		return vault.Means{}, err
	}
	m, err := a.Vault.Means(ctx, f)
	return m, signing.FromVault(err)
}

// factors reads the record (1) of a holder, or of a member in office; stored is as it stands
// in the database.
func (a *Appliance) factors(ctx context.Context, id string) (stored []byte, f vault.Factors, err error) {
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		if isMember(id) {
			m, err := tx.Staff(id)
			if err == nil && m.State != store.StaffActive {
				err = &auth.Error{Kind: auth.NoSession, Msg: "you are not in office any more"}
			}
			stored = m.Factors
			return err
		}
		h, err := tx.Holder(id)
		stored = h.Factors
		return err
	})
	switch {
	case auth.KindOf(err) == auth.NoSession:
		return nil, f, passing(err)
	case err != nil:
		return nil, f, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	if err := json.Unmarshal(stored, &f); err != nil {
		return nil, f, &signing.Error{Kind: signing.Internal, Msg: "the factors cannot be read", Err: err}
	}
	return stored, f, nil
}

// memberID begins the identifiers of members of the staff, and nobody else's.
const memberID = "staff-"

func isMember(id string) bool { return strings.HasPrefix(id, memberID) }

// keep stores a new record in the place of the old one (3) and shows it (4). also is
// done in the same commit.
func (a *Appliance) keep(ctx context.Context, old []byte, f vault.Factors, ev audit.Event, also func(*store.Tx) error) error {
	record, err := json.Marshal(f)
	if err != nil {
		return &signing.Error{Kind: signing.Internal, Msg: "the holder's factors cannot be written", Err: err}
	}
	ev.Actor, ev.Subject = f.Holder, f.Holder
	who, replace := "holder.", (*store.Tx).ReplaceFactors
	if isMember(f.Holder) {
		who, replace = "staff.", (*store.Tx).ReplaceStaffFactors
	}
	ev.Event = who + ev.Event
	ctx = context.WithoutCancel(ctx) // what was shown once must not be lost with the line
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		if err := replace(tx, f.Holder, old, record); err != nil {
			return err
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return audit.Append(tx, a.opt.Now(), ev)
	})
	if err != nil {
		return passing(&auth.Error{Kind: auth.Failed, Msg: "the change could not be stored", Err: err})
	}
	if err := a.Vault.AdoptFactors(ctx, f); err != nil {
		a.log.Warn("the vault was not told of new factors; it will see them when they are used", "err", err)
	}
	return nil
}

// AddDevice adds a second factor. n.Password is wiped.
func (a *Appliance) AddDevice(ctx context.Context, holder string, n vault.NewDevice) (vault.AddedDevice, error) {
	defer clear(n.Password)
	a.changing.Lock()
	defer a.changing.Unlock()
	old, f, err := a.factors(ctx, holder)
	if err != nil {
		return vault.AddedDevice{}, err
	}
	n.Factors = f
	added, err := a.Vault.AddDevice(ctx, n)
	if err != nil {
		return added, signing.FromVault(err)
	}
	return added, a.keep(ctx, old, added.Factors, audit.Event{Event: "device-added",
		Detail: map[string]string{"device": added.Device, "kind": string(n.Kind), "client": n.Client}}, nil)
}

// ConfirmDevice makes a new device count by its first code.
func (a *Appliance) ConfirmDevice(ctx context.Context, holder string, d vault.DeviceConfirmation) error {
	var err error
	if _, d.Factors, err = a.factors(ctx, holder); err != nil {
		return err
	}
	return signing.FromVault(a.Vault.ConfirmDevice(ctx, d))
}

// RemoveDevice takes a second factor away. d.Password is wiped.
func (a *Appliance) RemoveDevice(ctx context.Context, holder string, d vault.DeviceRemoval) error {
	defer clear(d.Password)
	a.changing.Lock()
	defer a.changing.Unlock()
	old, factors, err := a.factors(ctx, holder)
	if err != nil {
		return err
	}
	d.Factors = factors
	f, err := a.Vault.RemoveDevice(ctx, d)
	if err != nil {
		return signing.FromVault(err)
	}
	return a.keep(ctx, old, f, audit.Event{Event: "device-removed", Detail: map[string]string{"device": d.Device, "client": d.Client}}, nil)
}

// Resynchronise finds an authenticator again that has drifted. r.Password is wiped.
func (a *Appliance) Resynchronise(ctx context.Context, holder string, r vault.Resynchronisation) error {
	defer clear(r.Password)
	var err error
	if _, r.Factors, err = a.factors(ctx, holder); err != nil {
		return err
	}
	return signing.FromVault(a.Vault.Resynchronise(ctx, r))
}

// RecoveryCodes makes new recovery codes. n.Password is wiped.
func (a *Appliance) RecoveryCodes(ctx context.Context, holder string, n vault.NewCodes) ([]string, error) {
	defer clear(n.Password)
	var err error
	if _, n.Factors, err = a.factors(ctx, holder); err != nil {
		return nil, err
	}
	codes, err := a.Vault.RecoveryCodes(ctx, n)
	return codes, signing.FromVault(err)
}

// ChangePassword changes the password: the vault wraps all keys of the holder anew, and
// all sessions end, this one too. p.Password and p.New are wiped.
func (a *Appliance) ChangePassword(ctx context.Context, holder string, p vault.PasswordChange) error {
	defer clear(p.Password)
	defer clear(p.New)
	a.changing.Lock()
	defer a.changing.Unlock()
	old, rows, err := a.passwordChange(ctx, holder, &p)
	if err != nil {
		return err
	}
	changed, err := a.Vault.ChangePassword(ctx, p)
	if err != nil {
		return signing.FromVault(err)
	}
	if len(changed.Credentials) != len(rows) {
		return &signing.Error{Kind: signing.Internal, Msg: "the vault answered with another number of credentials"}
	}
	defer a.erase(context.WithoutCancel(ctx)) // the keys as they were wrapped before
	return a.keep(ctx, old, changed.Factors, audit.Event{Event: "password-changed", Detail: map[string]string{"client": p.Client}},
		func(tx *store.Tx) error {
			for i, c := range changed.Credentials {
				if c.ID != rows[i].ID {
					return fmt.Errorf("the vault answered with the credential %q in the place of %q", c.ID, rows[i].ID)
				}
				record, err := json.Marshal(c)
				if err != nil {
					return err
				}
				if err := tx.SetCredentialRecord(c.ID, record); err != nil {
					return err
				}
			}
			return shutOut(tx, a.opt.Now(), holder)
		})
}

// passwordChange puts the holder's record and credentials into a request. Of credentials
// that were deleted, or destroyed by a recovery, there is a row and no key: those stay as
// they are.
func (a *Appliance) passwordChange(ctx context.Context, holder string, p *vault.PasswordChange) (old []byte, rows []store.Credential, err error) {
	if old, p.Factors, err = a.factors(ctx, holder); err != nil {
		return nil, nil, err
	}
	var all []store.Credential
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		all, err = tx.CredentialsOf(holder)
		return err
	})
	if err != nil {
		return nil, nil, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	p.Credentials = nil
	for _, row := range all {
		var c vault.Credential
		if err := json.Unmarshal(row.Record, &c); err != nil {
			return nil, nil, &signing.Error{Kind: signing.Internal, Msg: "a credential cannot be read", Err: err}
		}
		if len(c.Wrapped) > 0 {
			rows, p.Credentials = append(rows, row), append(p.Credentials, c)
		}
	}
	return old, rows, nil
}

// PasskeyOptions is what a browser needs to make a passkey for the holder.
func (a *Appliance) PasskeyOptions(ctx context.Context, holder string) (vault.Challenge, error) {
	_, f, err := a.factors(ctx, holder)
	if err != nil {
		return vault.Challenge{}, err
	}
	ch, err := a.Vault.PasskeyOptions(ctx, f)
	return ch, signing.FromVault(err)
}

// Challenge is what the holder's passkey is to sign for a request of package vault
// whose Factors, and Credentials, are put in here.
func (a *Appliance) Challenge(ctx context.Context, holder string, request any) (vault.Challenge, error) {
	request, err := a.completed(ctx, holder, request)
	if err != nil {
		return vault.Challenge{}, err
	}
	ch, err := a.Vault.Challenge(ctx, request)
	return ch, signing.FromVault(err)
}

// SendCode has a code sent to a phone of the holder's for a request, as in Challenge.
func (a *Appliance) SendCode(ctx context.Context, holder string, request any, q vault.CodeRequest) (vault.CodeSent, error) {
	request, err := a.completed(ctx, holder, request)
	if err != nil {
		return vault.CodeSent{}, err
	}
	sent, err := a.Vault.SendCode(ctx, request, q)
	return sent, signing.FromVault(err)
}

// completed puts the holder's records into a request.
func (a *Appliance) completed(ctx context.Context, holder string, request any) (any, error) {
	_, f, err := a.factors(ctx, holder)
	if err != nil {
		return nil, err
	}
	switch r := request.(type) {
	case vault.NewDevice:
		r.Factors = f
		return r, nil
	case vault.DeviceConfirmation:
		r.Factors = f
		return r, nil
	case vault.DeviceRemoval:
		r.Factors = f
		return r, nil
	case vault.NewCodes:
		r.Factors = f
		return r, nil
	case vault.PasswordChange:
		_, _, err := a.passwordChange(ctx, holder, &r)
		return r, err
	case vault.NewDelegation:
		r.Factors = f
		r.Credential, err = a.ownCredential(ctx, holder, r.Credential.ID)
		return r, err
	}
	return nil, &signing.Error{Kind: signing.Internal, Msg: fmt.Sprintf("nobody completes a %T", request)}
}

// ownCredential is the vault's record of a holder's credential.
func (a *Appliance) ownCredential(ctx context.Context, holder, id string) (record vault.Credential, err error) {
	var row store.Credential
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		row, err = tx.Credential(id)
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound, err == nil && row.Holder != holder:
		return record, &signing.Error{Kind: signing.NotFound, Msg: "no such credential", Err: err}
	case err != nil:
		return record, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	if err := json.Unmarshal(row.Record, &record); err != nil {
		return record, &signing.Error{Kind: signing.Internal, Msg: "the credential cannot be read", Err: err}
	}
	return record, nil
}

// signInRequest is what the vault will be asked for when somebody signs in, without
// factors. One who does not exist has an empty record, which the vault answers alike.
func (a *Appliance) signInRequest(ctx context.Context, username string, e signing.Evidence) (vault.Authentication, error) {
	username = strings.TrimSpace(username)
	var h store.Holder
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.HolderByUsername(username)
		return err
	})
	if store.KindOf(err) == store.NotFound || err == nil && len(h.Factors) == 0 { // or not activated yet
		return vault.Authentication{Evidence: e}, nil
	}
	if err != nil {
		return vault.Authentication{}, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	f, err := factorsOf(h)
	return vault.Authentication{Factors: f, Evidence: e}, err
}

// SignInChallenge is what a passkey is to sign so that its holder signs in. e has
// client and browser only.
func (a *Appliance) SignInChallenge(ctx context.Context, username string, e signing.Evidence) (vault.Challenge, error) {
	request, err := a.signInRequest(ctx, username, e)
	if err != nil {
		return vault.Challenge{}, err
	}
	ch, err := a.Vault.Challenge(ctx, request)
	return ch, signing.FromVault(err)
}

// SendSignInCode has a code to sign in with sent to a phone of this holder.
func (a *Appliance) SendSignInCode(ctx context.Context, username string, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error) {
	request, err := a.signInRequest(ctx, username, e)
	if err != nil {
		return vault.CodeSent{}, err
	}
	sent, err := a.Vault.SendCode(ctx, request, q)
	return sent, signing.FromVault(err)
}

// SignChallenge is what a passkey is to sign so that a transaction is signed: it is
// bound to the digests.
func (a *Appliance) SignChallenge(ctx context.Context, holder, transaction string, e signing.Evidence) (vault.Challenge, error) {
	request, err := a.Signing.Authorisation(ctx, holder, transaction)
	if err != nil {
		return vault.Challenge{}, err
	}
	request.Evidence = e
	ch, err := a.Vault.Challenge(ctx, request)
	return ch, signing.FromVault(err)
}

// SendSignCode has a code sent that signs a transaction, and nothing else.
func (a *Appliance) SendSignCode(ctx context.Context, holder, transaction string, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error) {
	request, err := a.Signing.Authorisation(ctx, holder, transaction)
	if err != nil {
		return vault.CodeSent{}, err
	}
	request.Evidence = e
	sent, err := a.Vault.SendCode(ctx, request, q)
	return sent, signing.FromVault(err)
}
