package appliance

import (
	"context"
	"crypto/hmac"
	"strings"

	"sigillo/audit"
	"sigillo/signing"
	"sigillo/store"
)

// Recognise checks a holder's factors as SignIn does, and opens no session.
func (a *Appliance) Recognise(ctx context.Context, username string, e signing.Evidence) (store.Holder, error) {
	h, _, _, err := a.recognise(ctx, username, e)
	if err != nil {
		return store.Holder{}, err
	}
	err = a.journal.Append(ctx, audit.Event{Actor: h.ID, Event: "holder.recognised", Subject: h.ID,
		Detail: map[string]string{"client": e.Client}})
	if err != nil {
		return store.Holder{}, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	return h, nil
}

// Known gives the holder with this username, without any proof of who asks: nobody may
// be told what it says. An error of kind NotFound when there is none.
func (a *Appliance) Known(ctx context.Context, username string) (store.Holder, error) {
	var h store.Holder
	if username = strings.TrimSpace(username); len(username) > maxUsername {
		return h, &signing.Error{Kind: signing.NotFound, Msg: "no username is that long"}
	}
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.HolderByUsername(username)
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound:
		return h, &signing.Error{Kind: signing.NotFound, Msg: "no such holder", Err: err}
	case err != nil:
		return h, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	return h, nil
}

// CredentialByID is what may be shown of a credential to whoever knows its ID, which
// cannot be guessed.
func (a *Appliance) CredentialByID(ctx context.Context, id string) (signing.Credential, error) {
	var c store.Credential
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Credential(id)
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound:
		return signing.Credential{}, &signing.Error{Kind: signing.NotFound, Msg: "no such credential", Err: err}
	case err != nil:
		return signing.Credential{}, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	all, err := a.Signing.Credentials(ctx, c.Holder)
	if err != nil {
		return signing.Credential{}, err
	}
	for _, shown := range all {
		if shown.ID == id {
			return shown, nil
		}
	}
	return signing.Credential{}, &signing.Error{Kind: signing.NotFound, Msg: "no such credential"}
}

// Unchanged says whether the factors that a holder was recognised by, of whom h was read
// then, are still the holder's: what is given for them is over when the password changes,
// and when the holder is recovered. tx is the transaction that gives it.
func (a *Appliance) Unchanged(tx *store.Tx, h store.Holder) (bool, error) {
	epoch := EpochOf(h)
	now, err := tx.Holder(h.ID)
	if store.KindOf(err) == store.NotFound {
		return false, nil
	}
	return err == nil && epoch != nil && hmac.Equal(epoch, EpochOf(now)), err
}

// Epoch is that of a holder now, see [EpochOf].
func (a *Appliance) Epoch(ctx context.Context, holder string) ([]byte, error) {
	var h store.Holder
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.Holder(holder)
		return err
	})
	switch {
	case store.KindOf(err) == store.NotFound:
		return nil, nil
	case err != nil:
		return nil, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	return EpochOf(h), nil
}

// EpochOf is what all that a holder has opened is bound to: with another password it is
// another one. nil while there are no factors.
func EpochOf(h store.Holder) []byte {
	f, err := factorsOf(h)
	if err != nil {
		return nil
	}
	return epochOf(f)
}

// forgetTokens removes what applications were granted and is over.
func (a *Appliance) forgetTokens(ctx context.Context) error {
	return a.DB.Write(ctx, func(tx *store.Tx) error { return tx.DeleteExpiredOAuth(a.opt.Now()) })
}
