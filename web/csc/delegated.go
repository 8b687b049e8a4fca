package csc

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"net/http"
	"slices"

	"sigillo/signing"
	"sigillo/signing/remote"
)

// The automatic procedure: an application that signs in for itself (client credentials)
// authorises digests under a delegation that a holder has given it. What it shows
// instead of factors is the certificate of its TLS connection, which the delegation
// names. It sees and uses what is delegated to that certificate now, and nothing else.

// itself says whether the caller is an application that signs in for itself.
func (k *call) itself() bool { return k.access.Holder == "" }

// fingerprint names a certificate as delegations do; nil for none.
func fingerprint(c *x509.Certificate) []byte {
	if c == nil {
		return nil
	}
	sum := sha256.Sum256(c.Raw)
	return sum[:]
}

// shown loads a credential that the caller may see: an own one, or a delegated one.
func (k *call) shown(id string) (remote.Credential, error) {
	if k.itself() && k.v == 2 && k.presented != nil {
		return k.cfg.Remote.DelegatedCredential(k.ctx, k.presented, id)
	}
	return k.credential(k.ctx, id)
}

// listed lists the credentials that the caller may use. An application that signs in for
// itself has to name the user: the username. A user's own list is without those of the
// automatic procedure and of counters: with the factors they sign nothing.
func (k *call) listed(userID *string) ([]remote.Credential, error) {
	if k.itself() && k.v == 2 && k.presented != nil && userID != nil {
		return k.cfg.Remote.DelegatedTo(k.ctx, *userID, k.presented)
	}
	if err := k.own(userID); err != nil {
		return nil, err
	}
	all, err := k.cfg.Remote.Credentials(k.ctx, k.access.Holder)
	return slices.DeleteFunc(all, func(c remote.Credential) bool { return c.Automatic || c.Counter }), err
}

// delegated authorises digests under a delegation.
func (k *call) delegated(in *authorizeInput2, list [][]byte, h crypto.Hash) (any, error) {
	switch {
	case !k.itself(): // a user's token has the user's factors, and nothing besides
		return nil, bad("delegation")
	case k.presented == nil:
		return nil, noCertificate()
	case in.DocumentKind == "":
		return nil, missing("string", "documentKind")
	case in.HashType == "SDR":
		return nil, bad("hashType")
	case len(in.AuthData) > 0:
		return nil, badAuthData()
	case in.NumSignatures < 1 || in.NumSignatures != len(list):
		return nil, invalid(badNumber)
	}
	if err := sensibleText(in.Description); err != nil {
		return nil, err
	}
	g, err := k.cfg.Remote.AuthoriseDelegated(k.ctx, k.presented, in.Delegation, remote.Order{Credential: in.CredentialID, Hash: h,
		Digests: list, Description: in.Description, Application: k.access.Application}, in.DocumentKind, k.client)
	if err != nil {
		return nil, err
	}
	return k.sad(g), nil
}

// signFunc signs digests of one SAD.
type signFunc func(ctx context.Context, a remote.Activation) ([][]byte, error)

// keyOf loads the credential that a SAD is for, and gives what signs with it.
func (k *call) keyOf(handle, id string) (remote.Credential, signFunc, error) {
	r, access := k.cfg.Remote, k.access
	if !k.itself() {
		c, err := k.credential(k.ctx, id)
		return c, func(ctx context.Context, a remote.Activation) ([][]byte, error) {
			return r.Sign(ctx, access.Holder, access.Application, handle, a)
		}, err
	}
	if k.presented == nil {
		return remote.Credential{}, nil, noHolder()
	}
	g, err := r.Grant(handle)
	if err == nil && (g.Delegation == "" || g.Application != access.Application || g.Credential != id) {
		err = &signing.Error{Kind: remote.NoGrant, Msg: "no such authorisation"}
	}
	if err != nil {
		return remote.Credential{}, nil, err
	}
	certificate := k.presented
	c, err := r.Credential(k.ctx, g.Holder, id)
	return c, func(ctx context.Context, a remote.Activation) ([][]byte, error) {
		return r.SignDelegated(ctx, access.Application, certificate, handle, a)
	}, err
}

func noCertificate() *Error {
	return &Error{Code: "unauthorized_client", Description: "The application must present its TLS certificate", status: http.StatusForbidden}
}
