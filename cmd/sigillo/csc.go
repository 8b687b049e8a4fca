package main

import (
	"context"

	"sigillo/appliance"
	"sigillo/signing"
	"sigillo/tsa/accounts"
	"sigillo/web/csc"
)

// cscFace is the service's face to signing applications.
func cscFace(a *appliance.Appliance) *csc.Server {
	s, _ := csc.New(cscConfig(a)) // has no error: all that is required is there
	return s
}

func cscConfig(a *appliance.Appliance) csc.Config {
	return csc.Config{
		Remote: a.Remote, Documents: a.Signing, Evidence: a.PKI, Keys: a, Login: recogniser(a),
		Stamp: func(ctx context.Context, request []byte) []byte {
			return a.Stamps.AnswerFor(ctx, accounts.House, request)
		},
		BaseURL: a.Config.BaseURL, Region: a.Config.PKI.Country, Qualified: a.Config.PKI.Qualified,
	}
}

// recogniser checks a holder's factors. The session that comes of it is ended at
// once: applications have tokens of their own.
func recogniser(a *appliance.Appliance) func(context.Context, string, signing.Evidence) (string, error) {
	return func(ctx context.Context, username string, e signing.Evidence) (string, error) {
		token, err := a.SignIn(ctx, username, e)
		if err != nil {
			return "", err
		}
		h, err := a.Session(ctx, token)
		if err != nil {
			return "", err
		}
		return h.ID, a.SignOut(ctx, token)
	}
}
