package pki

import (
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"strconv"
	"time"
)

// maxUnits is how many time-stamping units a house can have had: one every
// three months for 250 years.
const maxUnits = 1000

// UnitLabel gives the label of the key of the n-th time-stamping unit, from 1.
func UnitLabel(n int) string { return "tsu-" + strconv.Itoa(n) }

// Units gives how many time-stamping units have a certificate. Their labels are
// [UnitLabel] of 1 to that number.
func (a *Authority) Units() int {
	n := 0
	for a.CA(UnitLabel(n+1)) != nil {
		n++
	}
	return n
}

// CertifyUnit issues the certificate of the next time-stamping unit, whose key was
// just made: valid long, so that tokens can be checked for decades, and with a
// privateKeyUsagePeriod of three months (DPCM 22 February 2013 art. 49; the
// certificate of the unit before is not revoked). from is when the key may begin
// to stamp, a moment ago if zero.
func (a *Authority) CertifyUnit(ctx context.Context, label string, public crypto.PublicKey, from time.Time, actor string) (*x509.Certificate, error) {
	n := a.Units() + 1
	if label != UnitLabel(n) {
		return nil, errorf(BadRequest, "the next unit is %s; %q is not", UnitLabel(n), label)
	}
	if n > maxUnits {
		return nil, errorf(Failed, "there cannot be more than %d units", maxUnits)
	}
	s := step{label: label, profile: ProfileUnit, issuer: TSACA, template: func(c Config, now time.Time) (*x509.Certificate, error) {
		return unitTemplate(c, now, from, n)
	}}
	if err := a.certify(ctx, s, public, actor); err != nil {
		return nil, err
	}
	return a.CA(label), nil
}

// unitTemplate is the certificate of a time-stamping unit: it lives long, so
// that its tokens can be checked, and its key is used for three months only.
func unitTemplate(c Config, now, from time.Time, n int) (*x509.Certificate, error) {
	t := template(now, c.UnitDays)
	if from.IsZero() {
		from = t.NotBefore
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment
	t.IssuingCertificateURL = []string{c.certURL(TSACA)}
	t.OCSPServer = []string{c.ocspURL(TSACA)}
	t.CRLDistributionPoints = []string{c.crlURL(TSACA)}
	var err error
	// The common name is unique to the unit (EN 319 422 §6.3).
	if t.RawSubject, err = c.houseName(fmt.Sprintf("Time-Stamping Unit %d %s", n, t.NotBefore.Format("20060102"))); err != nil {
		return nil, err
	}
	p := policy{oid: c.policyOID(".1.2"), cps: c.CPS}
	if !c.Qualified {
		p.notices = []string{testNotice}
	}
	return extend(t, stampingOnly,
		func() (pkix.Extension, error) { return policiesExtension([]policy{p}) },
		func() (pkix.Extension, error) {
			return usagePeriod(from, from.AddDate(0, c.UnitUseMonths, 0))
		})
}
