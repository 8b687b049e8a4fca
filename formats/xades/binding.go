package xades

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"strings"

	"sigillo/formats/c14n"
)

// signingCertificate reads SigningCertificateV2 (EN 319 132-1 §5.2.2), or the
// older SigningCertificate of ETSI TS 101 903, and finds the certificate in
// KeyInfo. The first Cert is the signer's.
func (r *reader) signingCertificate(properties *c14n.Node) error {
	signature, err := r.path(properties, "SignedSignatureProperties")
	if err != nil || signature == nil {
		return err
	}
	v2, err := one(signature, r.space, "SigningCertificateV2")
	if err != nil {
		return err
	}
	v1, err := one(signature, r.space, "SigningCertificate")
	if err != nil {
		return err
	}
	list := v2
	switch {
	case v1 != nil && v2 != nil:
		return fail(Malformed, "the signature names its certificate in two ways")
	case v1 != nil:
		list = v1
	case v2 == nil:
		return nil
	}
	certs := list.Elements()
	if len(certs) == 0 || !certs[0].Is(r.space, "Cert") {
		return fail(Malformed, "%s has no Cert", list.Local)
	}
	r.s.hasBinding = true
	r.s.signedV2 = v2 != nil
	if _, uri := certs[0].Attr("", "URI"); uri {
		r.s.signedV2 = false // EN 319 132-1 §6.3: no URI at baseline
	}
	return r.signer(certs[0])
}

// signer finds the certificate a Cert describes.
func (r *reader) signer(cert *c14n.Node) error {
	digest, err := r.path(cert, "CertDigest")
	if err != nil {
		return err
	}
	if digest == nil {
		return fail(Malformed, "Cert has no CertDigest")
	}
	hash, value, err := r.digest(digest)
	if err != nil {
		return err
	}
	r.s.CertificateDigest = hash
	for _, c := range r.s.Certificates {
		if bytes.Equal(digestOf(hash, c.Raw), value) {
			r.s.Certificate = c
			return r.issuedAs(cert, c)
		}
	}
	return nil
}

// issuedAs checks the issuer and serial number of a Cert, where present.
func (r *reader) issuedAs(cert *c14n.Node, c *x509.Certificate) error {
	v2, err := r.path(cert, "IssuerSerialV2")
	if err != nil {
		return err
	}
	if v2 != nil {
		der, err := decode(v2)
		if err != nil {
			return err
		}
		var is struct {
			Names  []asn1.RawValue
			Number *big.Int
		}
		rest, err := asn1.Unmarshal(der, &is)
		if err != nil || len(rest) > 0 || len(is.Names) != 1 || is.Names[0].Tag != 4 ||
			!bytes.Equal(is.Names[0].Bytes, c.RawIssuer) || is.Number.Cmp(c.SerialNumber) != 0 {
			return fail(Unbound, "the signed issuer and serial number are not those of the certificate")
		}
	}
	v1, err := r.path(cert, "IssuerSerial")
	if err != nil || v1 == nil {
		return err
	}
	number, err := one(v1, dsNamespace, "X509SerialNumber")
	if err != nil {
		return err
	}
	if number != nil {
		text, _ := number.Text()
		if strings.TrimSpace(text) != c.SerialNumber.String() {
			return fail(Unbound, "the signed serial number is not that of the certificate")
		}
	}
	return nil
}

// digest reads DigestMethod and DigestValue, which XAdES 1.1.1 has in its own
// namespace.
func (r *reader) digest(n *c14n.Node) (crypto.Hash, []byte, error) {
	space := dsNamespace
	if r.space == xades111Namespace && n.Space == r.space {
		space = r.space
	}
	m, err := one(n, space, "DigestMethod")
	if err != nil {
		return 0, nil, err
	}
	v, err := one(n, space, "DigestValue")
	if err != nil {
		return 0, nil, err
	}
	if m == nil || v == nil {
		return 0, nil, fail(Malformed, "%s has no digest", n.Local)
	}
	hash, err := readDigestMethod(m)
	if err != nil {
		return 0, nil, err
	}
	value, err := decode(v)
	if err == nil && len(value) != hash.Size() {
		err = fail(Malformed, "a digest of %s has %d bytes", hash, len(value))
	}
	return hash, value, err
}
