package appliance

import (
	"context"

	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/vault"
)

// What passkeys sign and codes are sent for, of orders that applications make. On the
// page that an application sends a holder to nobody is signed in: there who does not
// exist, or has no such credential, is answered alike.

// RequestChallenge is what a passkey is to sign so that a request that waits for its
// holder is approved. e has client and browser only.
func (a *Appliance) RequestChallenge(ctx context.Context, holder, id string, e signing.Evidence) (vault.Challenge, error) {
	request, err := a.Remote.RequestAuthorisation(ctx, holder, id)
	if err != nil {
		return vault.Challenge{}, err
	}
	request.Evidence = e
	ch, err := a.Vault.Challenge(ctx, request)
	return ch, signing.FromVault(err)
}

// SendRequestCode has a code sent that approves a request, and nothing else.
func (a *Appliance) SendRequestCode(ctx context.Context, holder, id string, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error) {
	request, err := a.Remote.RequestAuthorisation(ctx, holder, id)
	if err != nil {
		return vault.CodeSent{}, err
	}
	request.Evidence = e
	sent, err := a.Vault.SendCode(ctx, request, q)
	return sent, signing.FromVault(err)
}

// OrderChallenge is what a passkey is to sign so that its holder, of whom only the
// username is known, authorises an order.
func (a *Appliance) OrderChallenge(ctx context.Context, username string, o remote.Order, e signing.Evidence) (vault.Challenge, error) {
	request, err := a.orderOf(ctx, username, o, e)
	if err != nil {
		return vault.Challenge{}, err
	}
	ch, err := a.Vault.UnnamedChallenge(ctx, request)
	return ch, signing.FromVault(err)
}

// SendOrderCode has a code sent that authorises an order, and nothing else.
func (a *Appliance) SendOrderCode(ctx context.Context, username string, o remote.Order, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error) {
	request, err := a.orderOf(ctx, username, o, e)
	if err != nil {
		return vault.CodeSent{}, err
	}
	sent, err := a.Vault.SendCode(ctx, request, q)
	return sent, signing.FromVault(err)
}

// orderOf is what the vault will be asked for. Where there is no such holder, or not with
// this credential, the records are empty, which the vault answers alike.
func (a *Appliance) orderOf(ctx context.Context, username string, o remote.Order, e signing.Evidence) (vault.Authorisation, error) {
	request := vault.Authorisation{Hash: o.Hash.String(), Digests: o.Digests, Documents: o.Documents}
	h, err := a.Known(ctx, username)
	if err == nil {
		var found vault.Authorisation
		if found, err = a.Remote.Authorisation(ctx, h.ID, o); err == nil {
			request = found
		}
	}
	request.Evidence = e
	switch signing.KindOf(err) {
	case signing.Busy, signing.DiskFull, signing.Internal:
		return request, err
	}
	return request, nil // whatever it is, it will be told to who shows factors
}

// ForgetBrowsers makes void what the holder's browsers got at a sign-in: they count as
// strange ones again.
func (a *Appliance) ForgetBrowsers(ctx context.Context, holder string) error {
	_, f, err := a.factors(ctx, holder)
	if err != nil {
		return err
	}
	return signing.FromVault(a.Vault.ForgetBrowsers(ctx, f))
}
