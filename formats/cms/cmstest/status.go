package cmstest

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/ades"
)

// Revoked is an entry of a revocation list.
type Revoked struct {
	Certificate *x509.Certificate
	At          time.Time
	Reason      int // RFC 5280 §5.3.1
}

// CRL makes the list of the authority that issued certificates such as c: the
// root's if c is an authority, else the issuing authority's.
func (p *PKI) CRL(t testing.TB, c *x509.Certificate, this, next time.Time, entries ...Revoked) []byte {
	t.Helper()
	issuer, key := p.above(c)
	l := &x509.RevocationList{Number: big.NewInt(this.Unix()), ThisUpdate: this, NextUpdate: next}
	for _, e := range entries {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: e.Certificate.SerialNumber, RevocationTime: e.At, ReasonCode: e.Reason})
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, issuer, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// OCSP makes the answer of the authority itself about c; revoked may be zero.
func (p *PKI) OCSP(t testing.TB, c *x509.Certificate, this, next time.Time, revoked Revoked) []byte {
	t.Helper()
	issuer, key := p.above(c)
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: c.SerialNumber, ThisUpdate: this, NextUpdate: next, IssuerHash: crypto.SHA1}
	if !revoked.At.IsZero() {
		r.Status, r.RevokedAt, r.RevocationReason = ocsp.Revoked, revoked.At, revoked.Reason
	}
	der, err := ocsp.CreateResponse(issuer, issuer, r, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Responder makes a delegated OCSP responder with id-pkix-ocsp-nocheck.
func (p *PKI) Responder(t testing.TB, keyType string) *Identity {
	t.Helper()
	return p.Identity(t, Key(t, keyType), &x509.Certificate{
		Subject:         pkix.Name{Country: []string{"IT"}, CommonName: "Test OCSP responder"},
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		ExtraExtensions: []pkix.Extension{{Id: []int{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, Value: []byte{5, 0}}},
	})
}

// Evidence gives all that is needed to check what the issuing authority issued,
// as of a time: both authorities and both their lists, good for a week.
func (p *PKI) Evidence(t testing.TB, at time.Time, entries ...Revoked) ades.Evidence {
	t.Helper()
	leaf := &x509.Certificate{}
	return ades.Evidence{
		Certificates: []*x509.Certificate{p.Root, p.CA},
		CRLs:         [][]byte{p.CRL(t, p.CA, at, at.AddDate(0, 0, 7)), p.CRL(t, leaf, at, at.AddDate(0, 0, 7), entries...)},
	}
}

func (p *PKI) above(c *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	if c.IsCA {
		return p.Root, p.rootKey
	}
	return p.CA, p.caKey
}
