package csc

import (
	"context"
	"crypto/x509"
	"encoding/asn1"

	"sigillo/hsm"
	"sigillo/signing"
)

// Keys makes and ends credentials, each under the factors of its holder. Errors are of
// the kinds of signing. Both wipe the password.
type Keys interface {
	AddCredential(ctx context.Context, holder string, kt hsm.KeyType, e signing.Evidence) (id string, err error)
	DeleteCredential(ctx context.Context, holder, id string, e signing.Evidence) error
}

// The methods credentials/create and credentials/delete are those of version 2.2, for
// tokens of OAuth. The text of 2.2 is not public: of what create takes only subjectData
// is known (ETSI TS 119 432 v1.3.1 §7.8), keyAlgo, keyLen and authData are ours. What we
// ask for besides are the holder's factors: the key of a new credential hangs from the
// password, so it cannot be made without it, and a key that is destroyed does not come
// back.
type createInput struct {
	Subject    *subjectData `json:"subjectData" bad:"Invalid parameter subjectData" doc:"Of the holder, who was identified at registration: other names are refused"`
	Qualifier  string       `json:"signatureQualifier" doc:"Of the signatures to be made; ours is told by credentials/info"`
	KeyAlgo    string       `json:"keyAlgo" doc:"OID of a curve, P-256 or P-384, or of rsaEncryption; P-256 when it is not given"`
	KeyLen     int          `json:"keyLen" doc:"Of an RSA key, in bits: 2048, 3072 or 4096; 3072 when it is not given"`
	AuthData   []authObject `json:"authData" required:"true" bad:"The authentication data is invalid" doc:"The objects PIN and OTP"`
	ClientData string       `json:"clientData"`
}

// subjectData are the claims of OpenID Connect (§5.1) that are looked at.
type subjectData struct {
	GivenName  string `json:"given_name"`
	FamilyName string `json:"family_name"`
}

// The attributes of a certificate's subject (X.520 §6.2).
var (
	oidSurname   = asn1.ObjectIdentifier{2, 5, 4, 4}
	oidGivenName = asn1.ObjectIdentifier{2, 5, 4, 42}
)

// same says whether the names, where they are given, are those of a certificate.
func (s *subjectData) same(c *x509.Certificate) bool {
	for _, a := range c.Subject.Names {
		text, _ := a.Value.(string)
		if a.Type.Equal(oidGivenName) && s.GivenName != "" && s.GivenName != text ||
			a.Type.Equal(oidSurname) && s.FamilyName != "" && s.FamilyName != text {
			return false
		}
	}
	return true
}

// about refuses subjectData of somebody else than the holder.
func (k *call) about(s *subjectData) error {
	if s == nil {
		return nil
	}
	all, err := k.cfg.Remote.Credentials(k.ctx, k.access.Holder)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Certificate != nil && !s.same(c.Certificate) {
			return bad("subjectData")
		}
	}
	return nil
}

type createOutput struct {
	CredentialID string `json:"credentialID" required:"true"`
}

// keyTypes are the keys that can be asked for.
var keyTypes = map[string]map[int]hsm.KeyType{
	"":                    {0: hsm.P256},
	"1.2.840.10045.3.1.7": {0: hsm.P256, 256: hsm.P256},
	"1.3.132.0.34":        {0: hsm.P384, 384: hsm.P384},
	rsaEncryption:         {0: hsm.RSA3072, 2048: hsm.RSA2048, 3072: hsm.RSA3072, 4096: hsm.RSA4096},
}

// byOAuth refuses tokens of auth/login.
func (k *call) byOAuth() error {
	if k.access.login {
		return &Error{Code: "unauthorized_client", Description: "The method wants an access token of OAuth", status: 403}
	}
	if k.access.Holder == "" {
		return noHolder()
	}
	return nil
}

func (k *call) create(in *createInput) (any, error) {
	if err := k.byOAuth(); err != nil {
		return nil, err
	}
	if in.Qualifier != "" && in.Qualifier != k.qualifier() {
		return nil, bad("signatureQualifier")
	}
	if err := k.about(in.Subject); err != nil {
		return nil, err
	}
	of, ok := keyTypes[in.KeyAlgo]
	if !ok {
		return nil, bad("keyAlgo")
	}
	kt, ok := of[in.KeyLen]
	if !ok {
		return nil, bad("keyLen")
	}
	e, err := k.codeEvidence(in.AuthData)
	if err != nil {
		return nil, err
	}
	id, err := k.cfg.Keys.AddCredential(k.ctx, k.access.Holder, kt, e)
	if err != nil {
		return nil, err
	}
	return createOutput{id}, nil
}

type deleteInput struct {
	CredentialID string       `json:"credentialID" required:"true"`
	AuthData     []authObject `json:"authData" required:"true" bad:"The authentication data is invalid" doc:"The objects PIN and OTP"`
	ClientData   string       `json:"clientData"`
}

func (k *call) remove(in *deleteInput) (any, error) {
	if err := k.byOAuth(); err != nil {
		return nil, err
	}
	if _, err := k.credential(k.ctx, in.CredentialID); err != nil {
		return nil, err
	}
	e, err := k.codeEvidence(in.AuthData)
	if err != nil {
		return nil, err
	}
	return noContent, k.cfg.Keys.DeleteCredential(k.ctx, k.access.Holder, in.CredentialID, e)
}

// keyMethods are offered where there is somebody who makes keys, and OAuth.
func (s *Server) keyMethods() []method {
	if s.cfg.Keys == nil || s.cfg.Gate == nil {
		return nil
	}
	return []method{
		slow(gives[createOutput](define(2, "credentials/create", "Make a key and its certificate", serviceScope, (*call).create), 200)),
		slow(givesNothing(define(2, "credentials/delete", "Destroy a key and revoke its certificate", serviceScope, (*call).remove))),
	}
}
