package tsa

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/cms"
)

// checkCertificate holds a unit's certificate to RFC 3161 §2.3 and to its key and chain.
func checkCertificate(c *x509.Certificate, chain []*x509.Certificate, key crypto.Signer) error {
	if err := cms.CheckTimestampCertificate(c); err != nil {
		return fail(BadConfig, err, "the certificate cannot be used by a time-stamping unit")
	}
	if c.IsCA {
		return fail(BadConfig, nil, "the certificate is that of a certification authority")
	}
	if allowed := x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment; c.KeyUsage&^allowed != 0 || c.KeyUsage == 0 {
		return fail(BadConfig, nil, "the key usage of the certificate must be digitalSignature or nonRepudiation and nothing else")
	}
	pub, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(key.Public()) {
		return fail(BadConfig, nil, "the certificate is not that of the unit's key")
	}
	if len(chain) > 0 && !slices.ContainsFunc(chain, func(ca *x509.Certificate) bool { return c.CheckSignatureFrom(ca) == nil }) {
		return fail(BadConfig, nil, "the issuer of the unit's certificate is not in the chain")
	}
	return nil
}

var oidPrivateKeyUsagePeriod = asn1.ObjectIdentifier{2, 5, 29, 16}

// keyPeriod gives the time in which the key may sign: the validity of the
// certificate, cut to its privateKeyUsagePeriod if it has one (RFC 3280 §4.2.1.4).
func keyPeriod(c *x509.Certificate) (from, to time.Time, err error) {
	from, to = c.NotBefore, c.NotAfter
	for _, x := range c.Extensions {
		if !x.Id.Equal(oidPrivateKeyUsagePeriod) {
			continue
		}
		in, body := cryptobyte.String(x.Value), cryptobyte.String(nil)
		ok := in.ReadASN1(&body, cbasn1.SEQUENCE) && in.Empty()
		for i, limit := range []*time.Time{&from, &to} {
			var text cryptobyte.String
			var has bool
			ok = ok && body.ReadOptionalASN1(&text, &has, cbasn1.Tag(i).ContextSpecific())
			if !ok || !has {
				continue
			}
			t, err := time.Parse("20060102150405Z", string(text))
			if err != nil {
				return from, to, fail(BadConfig, err, "the privateKeyUsagePeriod of the certificate is broken")
			}
			if i == 0 && t.After(*limit) || i == 1 && t.Before(*limit) {
				*limit = t
			}
		}
		if !ok || !body.Empty() {
			return from, to, fail(BadConfig, nil, "the privateKeyUsagePeriod of the certificate is broken")
		}
	}
	return from, to, nil
}

// signatureHash gives the digest that suits the strength of the key; for Ed25519
// it is prescribed (RFC 8419 §3.1).
func signatureHash(pub crypto.PublicKey) crypto.Hash {
	switch k := pub.(type) {
	case ed25519.PublicKey:
		return crypto.SHA512
	case *ecdsa.PublicKey:
		switch bits := k.Curve.Params().BitSize; {
		case bits > 384:
			return crypto.SHA512
		case bits > 256:
			return crypto.SHA384
		}
	}
	return crypto.SHA256
}
