package pki

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"

	"sigillo/store"
)

// maxCSR is the most bytes a certification request may have; one for RSA-4096
// has some 1,700.
const maxCSR = 8 << 10

// Request asks for a holder's certificate.
type Request struct {
	Profile    string       // ProfileSignature; ProfileAutomatic for a key of the automatic procedure, ProfileCounter for one of a counter
	CSR        []byte       // PKCS #10, DER; proves possession of the key, nothing else is taken from it
	Holder     store.Holder // whose identity was verified by the registration
	Credential string       // ID of the credential that has the key, a row of the store
	Actor      string       // who orders it
	Limits     Limits
}

// Issue makes a holder's certificate; see [Authority.mint] for what is durable
// when. On success the credential has it as its certificate. A failure of Kind
// KeyUnavailable, Busy or Full may be answered by asking again; that makes
// another certificate, and the first is listed as revoked if it came to exist.
func (a *Authority) Issue(ctx context.Context, r Request) (*x509.Certificate, error) {
	public, err := a.check(r)
	if err != nil {
		return nil, err
	}
	t, err := signatureTemplate(a.cfg, a.now(), r.Profile, r.Holder, r.Limits)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(r.CSR)
	return a.mint(ctx, order{
		profile: r.Profile, template: t, public: public, issuer: IssuingCA, parent: a.CA(IssuingCA),
		holder: r.Holder.ID, credential: r.Credential, actor: r.Actor,
		detail: map[string]string{"csr-sha256": hex.EncodeToString(sum[:])},
	})
}

// check is everything that can be said of a request before anything is stored.
func (a *Authority) check(r Request) (crypto.PublicKey, error) {
	switch {
	case !HolderProfile(r.Profile):
		return nil, errorf(BadRequest, "there is no profile %.40q; use %q, %q or %q", r.Profile, ProfileSignature, ProfileAutomatic, ProfileCounter)
	case r.Actor == "":
		return nil, errorf(BadRequest, "the request does not say who orders the certificate")
	case r.Holder.ID == "" || r.Credential == "":
		return nil, errorf(BadRequest, "the request names no holder or no credential")
	}
	if err := checkName("given name", r.Holder.GivenName); err != nil {
		return nil, err
	}
	if err := checkName("surname", r.Holder.Surname); err != nil {
		return nil, err
	}
	if err := checkName("common name", commonName(r.Holder)); err != nil {
		return nil, err
	}
	if err := CheckFiscalCode(r.Holder.FiscalCode); err != nil {
		return nil, err
	}
	if err := r.Limits.check(a.cfg); err != nil {
		return nil, err
	}
	public, err := checkCSR(r.CSR)
	if err != nil {
		return nil, err
	}
	return public, a.notOfTheHouse(public)
}

// checkCSR returns the key of a PKCS #10 request after checking that whoever
// made it has the private key, and that the key is one we certify: P-256, P-384,
// RSA from 2048 to 4096 bits with a usual exponent.
func checkCSR(der []byte) (crypto.PublicKey, error) {
	if len(der) == 0 || len(der) > maxCSR {
		return nil, errorf(BadRequest, "the certification request has %d bytes; 1 to %d are allowed", len(der), maxCSR)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, wrap(BadRequest, "the certification request cannot be read", err)
	}
	switch k := csr.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if name := k.Curve.Params().Name; name != "P-256" && name != "P-384" {
			return nil, errorf(BadRequest, "keys on the curve %s are not certified; use P-256 or P-384", name)
		}
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 4096 || k.E < 65537 || k.E%2 == 0 {
			return nil, errorf(BadRequest, "an RSA key of %d bits with the exponent %d is not certified; use 2048 to 4096 bits and 65537", bits, k.E)
		}
	default:
		return nil, errorf(BadRequest, "keys of the kind %s are not certified; use ECDSA or RSA", csr.PublicKeyAlgorithm)
	}
	switch csr.SignatureAlgorithm {
	case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
		x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
	default:
		return nil, errorf(BadRequest, "the certification request is signed with %s; use SHA-256 or stronger", csr.SignatureAlgorithm)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, wrap(BadRequest, "the certification request does not prove possession of the key", err)
	}
	return csr.PublicKey, nil
}

// notOfTheHouse refuses to give a holder a key of the house.
func (a *Authority) notOfTheHouse(public crypto.PublicKey) error {
	key, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, c := range a.house {
		if !ok || key.Equal(c.PublicKey) {
			return errorf(BadRequest, "the key in the certification request belongs to the house")
		}
	}
	return nil
}
