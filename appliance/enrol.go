package appliance

import (
	"context"
	"encoding/json"

	"sigillo/store"
	"sigillo/vault"
)

// enrol has the vault make the factors of an activation. Where there may be some already,
// of before a recovery or of an attempt that was broken off, the vault is asked to make
// those void first, which it does for no holder with a key that it does not destroy: an
// activation that has come to a key makes no factors any more.
func (a *Appliance) enrol(ctx context.Context, act store.Activation, t terms, username string, password []byte) (factors []byte, uri string, err error) {
	e := vault.Enrolment{Holder: act.Subject, Username: username, Password: append([]byte(nil), password...)}
	f, uri, err := a.Vault.Enrol(ctx, e)
	if vault.KindOf(err) == vault.NotAllowed && t.Reenrol {
		by, reason := t.By, "recovered"
		if len(by) != 2 {
			by, reason = []string{act.Actor, act.ID}, "the activation was begun again"
		}
		code, err := a.Vault.Recover(ctx, vault.Recovery{Holder: act.Subject, By: by, Reason: reason})
		if err != nil {
			return nil, "", err
		}
		e.Password, e.Activation = append([]byte(nil), password...), code.Code
		if f, uri, err = a.Vault.Enrol(ctx, e); err != nil {
			return nil, "", err
		}
	} else if err != nil {
		return nil, "", err
	}
	factors, err = json.Marshal(f)
	return factors, uri, err
}
