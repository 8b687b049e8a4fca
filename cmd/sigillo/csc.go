package main

import (
	"context"
	"crypto/x509"

	"sigillo/appliance"
	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/tsa/accounts"
	"sigillo/vault"
	"sigillo/web/csc"
	"sigillo/web/oauth"
)

// cscFace is the service's face to signing applications; granted knows the tokens of
// OAuth, nil where there is no OAuth.
func cscFace(a *appliance.Appliance, granted *oauth.Server) *csc.Server {
	s, _ := csc.New(cscConfig(a, granted)) // has no error: all that is required is there
	return s
}

func cscConfig(a *appliance.Appliance, granted *oauth.Server) csc.Config {
	c := csc.Config{
		Remote: a.Remote, Documents: a.Signing, Evidence: a.PKI, Keys: a,
		Login: func(ctx context.Context, username string, e signing.Evidence) (string, []byte, error) {
			h, err := a.Recognise(ctx, username, e)
			return h.ID, appliance.EpochOf(h), err
		},
		Epoch: a.Epoch,
		Stamp: func(ctx context.Context, request []byte) []byte {
			return a.Stamps.AnswerFor(ctx, accounts.House, request)
		},
		BaseURL: a.Config.BaseURL, Page: a.Config.BaseURL + "/requests", Region: a.Config.PKI.Country, Qualified: a.Config.PKI.Qualified,
	}
	rpID, _ := a.Config.RelyingParty()
	c.SentCodes, c.Passkeys = a.Config.Courier.Driver != "", rpID != ""
	if granted != nil {
		c.Gate = oauthGate{granted}
		c.OAuth = csc.OAuth{Base: a.Config.BaseURL, Issuer: a.Config.BaseURL, RAR: true, Client: true}
	}
	return c
}

// oauthGate lets in who has a token of the authorization server.
type oauthGate struct{ granted *oauth.Server }

func (g oauthGate) Access(ctx context.Context, bearer string, certificate *x509.Certificate) (csc.Access, error) {
	t, err := g.granted.Access(ctx, bearer, certificate)
	if oauth.KindOf(err) == oauth.Unavailable {
		return csc.Access{}, &signing.Error{Kind: signing.Busy, Msg: "tokens cannot be looked up; try again", Err: err}
	}
	scope := csc.ScopeService
	if t.Scope == oauth.Credential {
		scope = csc.ScopeCredential
	}
	return csc.Access{Holder: t.Holder, Application: t.Application, Scope: scope, Handle: t.Handle, Expires: t.Expires}, err
}

// core is where the authorization server has the factors judged and grants made.
type core struct{ a *appliance.Appliance }

func (c core) Credential(ctx context.Context, id string) (signing.Credential, error) {
	return c.a.CredentialByID(ctx, id)
}

func (c core) Credentials(ctx context.Context, holder string) ([]signing.Credential, error) {
	return c.a.Signing.Credentials(ctx, holder)
}

func (c core) Authorise(ctx context.Context, holder string, o oauth.Order, e signing.Evidence) (oauth.Grant, error) {
	g, err := c.a.Remote.Authorise(ctx, holder, remote.Order(o), e)
	return oauth.Grant{Handle: g.Handle, Expires: g.Expires}, err
}

func (c core) SignInChallenge(ctx context.Context, username string, e signing.Evidence) (vault.Challenge, error) {
	return c.a.SignInChallenge(ctx, username, e)
}

func (c core) SendSignInCode(ctx context.Context, username string, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error) {
	return c.a.SendSignInCode(ctx, username, e, q)
}

func (c core) OrderChallenge(ctx context.Context, username string, o oauth.Order, e signing.Evidence) (vault.Challenge, error) {
	return c.a.OrderChallenge(ctx, username, remote.Order(o), e)
}

func (c core) SendOrderCode(ctx context.Context, username string, o oauth.Order, e signing.Evidence, q vault.CodeRequest) (vault.CodeSent, error) {
	return c.a.SendOrderCode(ctx, username, remote.Order(o), e, q)
}

func (c core) Drop(ctx context.Context, holder, application, handle string) {
	if handle == "" {
		c.a.Remote.RevokeAll(ctx, holder, application)
		return
	}
	if g, err := c.a.Remote.Grant(handle); err == nil && g.Application == application {
		c.a.Remote.Revoke(ctx, handle)
	}
}
