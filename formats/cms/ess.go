package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"

	"sigillo/formats/der"
)

// IssuerSerial gives the DER IssuerSerial of a certificate (RFC 5035 §5.4.1.1):
// its issuer as the one directoryName, and its serial number. XAdES carries the
// same bytes in IssuerSerialV2.
func IssuerSerial(c *x509.Certificate) []byte {
	return der.TLV(der.Sequence,
		der.TLV(der.Sequence, der.TLV(der.Context0Con|4, c.RawIssuer)),
		der.BigInt(c.SerialNumber))
}

// issuerAndSerial gives the SignerIdentifier of a certificate (RFC 5652 §10.2.4).
func issuerAndSerial(c *x509.Certificate) []byte {
	return der.TLV(der.Sequence, c.RawIssuer, der.BigInt(c.SerialNumber))
}

// signingCertificateV2 gives the value of the signing-certificate-v2 attribute
// with the one ESSCertIDv2 that names the signer (RFC 5035 §5.4.1). SHA-256 is
// the default and therefore not written.
func signingCertificateV2(c *x509.Certificate, h crypto.Hash) []byte {
	var alg []byte
	if h != crypto.SHA256 {
		alg = algorithm(HashOID(h), nil)
	}
	id := der.TLV(der.Sequence, alg, der.TLV(der.Octets, digestOf(h, c.Raw)), IssuerSerial(c))
	return der.TLV(der.Sequence, der.TLV(der.Sequence, id))
}

// CertificateID is the reference to the signer's certificate in a
// signing-certificate or signing-certificate-v2 attribute.
type CertificateID struct {
	Hash      crypto.Hash // 0 when not known to this package
	Digest    []byte
	IssuerRaw []byte   // the issuer's Name; nil when the reference has none
	Serial    *big.Int // nil when the reference has none
}

// Matches reports whether the reference is to this certificate.
func (id CertificateID) Matches(c *x509.Certificate) bool {
	if !id.Hash.Available() || !bytes.Equal(digestOf(id.Hash, c.Raw), id.Digest) {
		return false
	}
	if id.Serial == nil {
		return true
	}
	return id.Serial.Cmp(c.SerialNumber) == 0 && bytes.Equal(id.IssuerRaw, c.RawIssuer)
}

// parseCertificateID reads the first ESSCertID or ESSCertIDv2, the one that names
// the signer (RFC 5035 §5.4.1, RFC 2634 §5.4).
func parseCertificateID(value element, attr asn1.ObjectIdentifier, depth int) (*CertificateID, error) {
	id, err := firstCertificateID(value, depth)
	if err != nil {
		return nil, err
	}
	out := &CertificateID{Hash: crypto.SHA1}
	f, err := fields(id.body, depth, 3)
	if err != nil {
		return nil, err
	}
	if attr.Equal(OIDSigningCertificateV2) {
		out.Hash = crypto.SHA256
		if len(f) > 0 && f[0].is(der.Sequence) {
			if out.Hash, _, err = parseDigestAlgorithm(f[0]); err != nil {
				return nil, err
			}
			f = f[1:]
		}
	}
	if len(f) == 0 || len(f) > 2 {
		return nil, fail(Malformed, "the signing-certificate attribute is broken")
	}
	if out.Digest, err = octets(f[0], depth); err != nil {
		return nil, err
	}
	if len(f) == 2 {
		err = out.parseIssuerSerial(f[1], depth)
	}
	return out, err
}

func firstCertificateID(value element, depth int) (element, error) {
	broken := fail(Malformed, "the signing-certificate attribute is broken")
	if !value.is(der.Sequence) {
		return element{}, broken
	}
	f, err := fields(value.body, depth, 2)
	if err != nil {
		return element{}, err
	}
	if len(f) == 0 || !f[0].is(der.Sequence) {
		return element{}, broken
	}
	ids, err := fields(f[0].body, depth, 64)
	if err != nil {
		return element{}, err
	}
	if len(ids) == 0 || !ids[0].is(der.Sequence) {
		return element{}, broken
	}
	return ids[0], nil
}

func (id *CertificateID) parseIssuerSerial(e element, depth int) error {
	f, err := fields(e.body, depth, 3)
	if err != nil {
		return err
	}
	if !e.is(der.Sequence) || len(f) != 2 {
		return fail(Malformed, "the issuer and serial of the signing certificate are broken")
	}
	names, err := fields(f[0].body, depth, 8)
	if err != nil {
		return err
	}
	if id.Serial, err = readInt(f[1]); err != nil {
		return err
	}
	id.IssuerRaw = []byte{}
	for _, n := range names {
		if !n.is(der.Context0 | 4) {
			continue
		}
		name, _, err := next(n.body, depth)
		if err != nil {
			return err
		}
		if id.IssuerRaw, err = normal(name, depth); err != nil {
			return err
		}
	}
	return nil
}
