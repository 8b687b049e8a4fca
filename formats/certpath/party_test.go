package certpath

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// The time of these tests: everything is made around it.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// party is a certificate with its key.
type party struct {
	*x509.Certificate
	key crypto.Signer
}

var serials atomic.Int64

func newKey() *ecdsa.PrivateKey {
	return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func named(cn string) pkix.Name {
	return pkix.Name{Country: []string{"IT"}, Organization: []string{"Prova"}, CommonName: cn}
}

// issue makes a certificate; without an issuer it is self-signed.
func issue(issuer *party, cn string, shape ...func(*x509.Certificate)) *party {
	return issueFor(issuer, newKey(), cn, shape...)
}

func issueFor(issuer *party, key crypto.Signer, cn string, shape ...func(*x509.Certificate)) *party {
	t := &x509.Certificate{SerialNumber: big.NewInt(1000 + serials.Add(1)), Subject: named(cn),
		NotBefore: noon.Add(-100 * day), NotAfter: noon.Add(1000 * day), KeyUsage: x509.KeyUsageContentCommitment}
	for _, f := range shape {
		f(t)
	}
	if issuer == nil {
		issuer = &party{t, key}
	}
	der := must(x509.CreateCertificate(rand.Reader, t, issuer.Certificate, key.Public(), issuer.key))
	return &party{must(ParseCertificate(der)), key}
}

// ca makes an authority's certificate.
func ca(t *x509.Certificate) {
	t.IsCA, t.BasicConstraintsValid, t.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
}

// with adds an extension.
func with(critical bool, value []byte, oid ...int) func(*x509.Certificate) {
	return func(t *x509.Certificate) {
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: oid, Critical: critical, Value: value})
	}
}

// crl is a list to be made.
type crl struct {
	this, next time.Time // zero: noon-1h, noon+1d
	number     int64
	revoked    []x509.RevocationListEntry
	extensions []pkix.Extension
}

func revokes(c *x509.Certificate, at time.Time, reason int) x509.RevocationListEntry {
	return x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: at, ReasonCode: reason}
}

// of gives an entry's certificateIssuer.
func of(e x509.RevocationListEntry, issuer *x509.Certificate) x509.RevocationListEntry {
	name := must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 4, IsCompound: true, Bytes: issuer.RawSubject}))
	e.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 29}, Critical: true,
		Value: must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: name}))}}
	return e
}

func (p *party) list(l crl) []byte {
	if l.this.IsZero() {
		l.this = noon.Add(-time.Hour)
	}
	if l.next.IsZero() {
		l.next = noon.Add(day)
	}
	signer := *p.Certificate
	signer.KeyUsage |= x509.KeyUsageCRLSign // whether it may is what is tested
	signer.SubjectKeyId = append([]byte{0}, signer.SubjectKeyId...)
	return must(x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(l.number), ThisUpdate: l.this,
		NextUpdate: l.next, RevokedCertificateEntries: l.revoked, ExtraExtensions: l.extensions}, &signer, p.key))
}

// delta is deltaCRLIndicator.
func delta(base int64) pkix.Extension {
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: must(asn1.Marshal(base))}
}

// idp is issuingDistributionPoint, of its fields in DER.
func idp(fields ...string) pkix.Extension {
	var body []byte
	for _, f := range fields {
		body = append(body, f...)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: must(asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: body}))}
}

// Fields of issuingDistributionPoint.
const (
	onlyUser       = "\x81\x01\xff"
	onlyCA         = "\x82\x01\xff"
	indirect       = "\x84\x01\xff"
	onlyAttributes = "\x85\x01\xff"
	keyReasons     = "\x83\x02\x05\x60"     // keyCompromise, cACompromise
	otherReasons   = "\x83\x03\x07\x1f\x80" // the rest
)

// at is the field distributionPoint of a URI.
func at(uri string) string {
	name := must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 6, Bytes: []byte(uri)}))
	full := must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: name}))
	return string(must(asn1.Marshal(asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: full})))
}

// answer makes an OCSP answer by p about c of the issuer.
func (p *party) answer(issuer *party, c *x509.Certificate, shape ...func(*ocsp.Response)) []byte {
	r := ocsp.Response{Status: ocsp.Good, SerialNumber: c.SerialNumber, ThisUpdate: noon.Add(-time.Hour), NextUpdate: noon.Add(day), IssuerHash: crypto.SHA1}
	if !p.Equal(issuer.Certificate) {
		r.Certificate = p.Certificate
	}
	for _, f := range shape {
		f(&r)
	}
	return must(ocsp.CreateResponse(issuer.Certificate, p.Certificate, r, p.key))
}

// responder makes one that the issuer named.
func responder(issuer *party, shape ...func(*x509.Certificate)) *party {
	return issue(issuer, "OCSP", append([]func(*x509.Certificate){func(t *x509.Certificate) {
		t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
		t.NotAfter = time.Now().Add(1000 * day) // producedAt is the clock's
	}}, shape...)...)
}

var noCheckExtension = with(false, []byte{5, 0}, 1, 3, 6, 1, 5, 5, 7, 48, 1, 5)

func kinds(faults []Fault) (out []FaultKind) {
	for _, f := range faults {
		out = append(out, f.Kind)
	}
	return out
}

func certificates(parties ...*party) (out []*x509.Certificate) {
	for _, p := range parties {
		out = append(out, p.Certificate)
	}
	return out
}

func sha(b []byte) []byte {
	d := sha256.Sum256(b)
	return d[:]
}

func collect(s *Search, leaf *party) (out []Path) {
	for p := range s.Paths(leaf.Certificate) {
		out = append(out, p)
	}
	return out
}

func first(t testing.TB, s *Search, leaf *party) Path {
	for p := range s.Paths(leaf.Certificate) {
		return p
	}
	t.Fatal("no path")
	return nil
}
