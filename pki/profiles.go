package pki

import (
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/store"
)

// The profiles. A holder's is asked for by name; those of the house are made in
// the ceremony only.
const (
	ProfileRoot      = "root-ca"
	ProfileCA        = "ca"
	ProfileUnit      = "time-stamping-unit"
	ProfileResponder = "ocsp-responder"
	ProfileSignature = "qualified-signature" // natural person, remote signature
	ProfileAutomatic = "automatic-procedure" // the same, signing unattended (CAD art. 35 c. 3)
	ProfileCounter   = "counter-signature"   // natural person, remote signature at a counter
)

// HolderProfile says whether certificates of a profile belong to holders.
func HolderProfile(profile string) bool {
	return profile == ProfileSignature || profile == ProfileAutomatic || profile == ProfileCounter
}

// automaticNotice is what the certificates of the automatic procedure say, in AgID's
// wording of the limit of use: who relies on a signature must know that the holder was
// not there when it was made (DPCM 22 February 2013 art. 5 c. 2). The key is one of its
// own, that the vault uses for nothing else.
const automaticNotice = "Il presente certificato è valido solo per firme apposte con procedura automatica. " +
	"The certificate may only be used for unattended/automatic digital signature."

// counterNotice says how the key of a certificate is released: who relies on a signature
// can know that an operator was there, and that no password or code was asked for.
const counterNotice = "Firma attivata con firma grafometrica in presenza di un operatore. " +
	"Signature activated by a handwritten signature, in the presence of an operator."

// maxNotice is the longest explicitText (RFC 5280 §4.2.1.4: SIZE (1..200)).
const maxNotice = 200

// testNotice stands in every certificate of a house that is not qualified.
const testNotice = "Certificato di prova, non qualificato, senza valore legale. Test certificate, not qualified, without legal value."

// houseName is a name of the house: country, registered name, identifier (EN 319 412-2 §4.2.3.1).
func (c Config) houseName(commonName string) ([]byte, error) {
	return name(
		attribute{oidCountry, cbasn1.PrintableString, c.Country},
		attribute{oidOrganisation, cbasn1.UTF8String, c.Organisation},
		attribute{oidOrganisationID, cbasn1.UTF8String, c.OrganisationID},
		attribute{oidCommonName, cbasn1.UTF8String, commonName},
	)
}

func (c Config) policyOID(suffix string) []int { return mustOID(c.PolicyArc + suffix) }

// template is the part that all profiles share; notBefore is now in whole
// seconds, and the last second belongs to the certificate's life.
func template(now time.Time, days int) *x509.Certificate {
	now = now.UTC().Truncate(time.Second)
	return &x509.Certificate{NotBefore: now, NotAfter: now.AddDate(0, 0, days).Add(-time.Second)}
}

// extend adds extensions to a template, stopping at the first that failed.
func extend(t *x509.Certificate, list ...func() (pkix.Extension, error)) (*x509.Certificate, error) {
	for _, f := range list {
		ext, err := f()
		if err != nil {
			return nil, wrap(Failed, "encode an extension", err)
		}
		t.ExtraExtensions = append(t.ExtraExtensions, ext)
	}
	return t, nil
}

func rootTemplate(c Config, now time.Time) (*x509.Certificate, error) {
	t := template(now, c.RootDays)
	t.BasicConstraintsValid, t.IsCA, t.MaxPathLen = true, true, 1
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	var err error
	t.RawSubject, err = c.houseName(c.Organisation + " Root CA")
	return t, err
}

func caTemplate(c Config, now time.Time, commonName string) (*x509.Certificate, error) {
	t := template(now, c.CADays)
	t.BasicConstraintsValid, t.IsCA, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	t.IssuingCertificateURL = []string{c.certURL(RootCA)}
	t.CRLDistributionPoints = []string{c.crlURL(RootCA)}
	var err error
	if t.RawSubject, err = c.houseName(c.Organisation + " " + commonName); err != nil {
		return nil, err
	}
	return extend(t, func() (pkix.Extension, error) {
		return policiesExtension([]policy{{oid: oidAnyPolicy, cps: c.CPS}})
	})
}

// responderTemplate is the certificate of a status responder (RFC 6960
// §4.2.2.2): short-lived instead of revocable.
func responderTemplate(c Config, now time.Time, commonName string) (*x509.Certificate, error) {
	t := template(now, c.ResponderDays)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	var err error
	if t.RawSubject, err = c.houseName(c.Organisation + " " + commonName); err != nil {
		return nil, err
	}
	return extend(t, noCheck)
}

// signatureTemplate is the certificate of a natural person who signs remotely
// (EN 319 412-2, EN 319 412-5, AgID's recommendations §4.1).
func signatureTemplate(c Config, now time.Time, profile string, h store.Holder, l Limits) (*x509.Certificate, error) {
	t := template(now, c.HolderDays)
	t.KeyUsage = x509.KeyUsageContentCommitment // and nothing else: EN 319 412-2 §4.3.2 type A
	t.IssuingCertificateURL = []string{c.certURL(IssuingCA)}
	t.OCSPServer = []string{c.ocspURL(IssuingCA)}
	t.CRLDistributionPoints = []string{c.crlURL(IssuingCA)}
	var err error
	t.RawSubject, err = name(
		attribute{oidCountry, cbasn1.PrintableString, "IT"},
		attribute{oidSerialNumber, cbasn1.PrintableString, "TINIT-" + h.FiscalCode},
		attribute{oidGivenName, cbasn1.UTF8String, h.GivenName},
		attribute{oidSurname, cbasn1.UTF8String, h.Surname},
		attribute{oidCommonName, cbasn1.UTF8String, commonName(h)},
		attribute{oidDNQualifier, cbasn1.PrintableString, dnQualifier(h.ID)},
	)
	if err != nil {
		return nil, wrap(Failed, "encode the holder's name", err)
	}
	return extend(t,
		func() (pkix.Extension, error) { return policiesExtension(signaturePolicies(c, profile, l)) },
		func() (pkix.Extension, error) { return qcStatements(c, l.Value) })
}

func signaturePolicies(c Config, profile string, l Limits) []policy {
	own := policy{oid: c.policyOID(".1.1"), cps: c.CPS}
	if profile == ProfileAutomatic {
		own = policy{oid: c.policyOID(".1.3"), cps: c.CPS, notices: []string{automaticNotice}}
	}
	if profile == ProfileCounter {
		own = policy{oid: c.policyOID(".1.4"), cps: c.CPS, notices: []string{counterNotice}}
	}
	if notice := l.Use.Text(); notice != "" {
		own.notices = append(own.notices, notice)
	}
	if !c.Qualified {
		own.notices = append(own.notices, testNotice)
		return []policy{own}
	}
	return []policy{{oid: oidQCPNaturalQSC}, {oid: oidAgIDCert}, own}
}

func commonName(h store.Holder) string { return h.GivenName + " " + h.Surname }

// dnQualifier is the holder's code at this provider. An ID that cannot stand in
// a PrintableString is replaced by a digest of it, unique all the same.
func dnQualifier(id string) string {
	if printable(id) && len(id) <= 64 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}

// printable reports whether s is a non-empty PrintableString (X.680 §41.4).
func printable(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" '()+,-./:=?", r))
	}) < 0
}

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// checkName refuses names that a person or a program would read differently
// from what they are: empty, padded, with control or formatting characters.
func checkName(what, s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return errorf(BadRequest, "the %s is empty", what)
	case !utf8.ValidString(s):
		return errorf(BadRequest, "the %s is not UTF-8", what)
	case utf8.RuneCountInString(s) > 64:
		return errorf(BadRequest, "the %s is longer than 64 characters", what) // RFC 5280 app. A, ub-name
	case strings.TrimSpace(s) != s || strings.Contains(s, "  "):
		return errorf(BadRequest, "the %s has a space too many", what)
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && !strings.ContainsRune(" '’-.,&()/+", r) {
			return errorf(BadRequest, "the %s has a character that has no place in a name", what)
		}
	}
	return nil
}
