package certpath

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// ParseCertificate is x509.ParseCertificate, and takes two kinds of right
// certificates that crypto/x509 refuses: with a negative serial number (RFC 5280
// §4.1.2.2: users SHOULD be prepared for them), and with a distribution point
// named relative to its issuer (§4.2.1.13).
//
// crypto/x509 is given a copy without the oddity, and what it took from there is
// put back. Raw and RawTBSCertificate are always the certificate as it was given,
// in memory of its own.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err == nil {
		return c, nil
	}
	plain := slices.Clone(der)
	if !disguise(plain) {
		return nil, fail(Malformed, err, "a certificate cannot be read")
	}
	c, second := x509.ParseCertificate(plain)
	if second != nil || !restore(c, bytes.Clone(der)) {
		return nil, fail(Malformed, err, "a certificate cannot be read")
	}
	return c, nil
}

// pointsInDisguise stands for cRLDistributionPoints: id-ce 127, which is not
// assigned, and as long in DER.
var pointsInDisguise = asn1.ObjectIdentifier{2, 5, 29, 127}

// disguise changes a certificate, in place, where it is odd. It is false if it
// is not.
func disguise(der []byte) bool {
	tbs, serial, ok := toSerial(der)
	odd := false
	if ok && serial[0] >= 0x80 {
		serial[0], odd = 1, true // minimal, whatever follows
	}
	var extensions cryptobyte.String
	tag := cbasn1.Tag(3).ContextSpecific().Constructed()
	for ok && !tbs.Empty() && !tbs.PeekASN1Tag(tag) {
		ok = tbs.ReadAnyASN1(&extensions, new(cbasn1.Tag))
	}
	if !ok || !tbs.ReadASN1(&extensions, tag) || !extensions.ReadASN1(&extensions, cbasn1.SEQUENCE) {
		return odd
	}
	for !extensions.Empty() {
		e, ok := readExtension(&extensions)
		if !ok {
			return odd
		}
		if e.ce() == distributionPointsID {
			e.oid[2], odd = byte(pointsInDisguise[3]), true
		}
	}
	return odd
}

// toSerial walks to the serial number; tbs is what follows it.
func toSerial(der []byte) (tbs, serial cryptobyte.String, ok bool) {
	in, body := cryptobyte.String(der), cryptobyte.String(nil)
	ok = in.ReadASN1(&body, cbasn1.SEQUENCE) && body.ReadASN1(&tbs, cbasn1.SEQUENCE) &&
		tbs.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) && tbs.ReadASN1(&serial, cbasn1.INTEGER) && len(serial) > 0
	return tbs, serial, ok
}

// restore puts back what disguise changed.
func restore(c *x509.Certificate, der []byte) bool {
	in, body, tbs := cryptobyte.String(der), cryptobyte.String(nil), cryptobyte.String(nil)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1Element(&tbs, cbasn1.SEQUENCE) {
		return false
	}
	c.Raw, c.RawTBSCertificate = der, tbs
	serial := new(big.Int)
	if !tbs.ReadASN1(&tbs, cbasn1.SEQUENCE) || !tbs.SkipOptionalASN1(cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		!tbs.ReadASN1Integer(serial) {
		return false
	}
	c.SerialNumber = serial
	c.UnhandledCriticalExtensions = slices.DeleteFunc(c.UnhandledCriticalExtensions, pointsInDisguise.Equal)
	for i := range c.Extensions {
		if e := &c.Extensions[i]; e.Id.Equal(pointsInDisguise) {
			e.Id = asn1.ObjectIdentifier{2, 5, 29, distributionPointsID}
		}
	}
	for _, p := range points(c) {
		for _, name := range p.names {
			if name[0] == uriName {
				c.CRLDistributionPoints = append(c.CRLDistributionPoints, name[1:])
			}
		}
	}
	return true
}
