package validate

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"sigillo/formats/cms"
)

// clockTolerance is how far two honest clocks may differ.
const clockTolerance = 10 * time.Minute

// stamp is a signature time-stamp and the digest of what it must be of.
type stamp struct {
	der    []byte
	digest func(crypto.Hash) ([]byte, error)
}

// candidate is a signature of any form, read and checked for integrity, to be
// judged in the same way as all others.
type candidate struct {
	form, level, field string
	cert               *x509.Certificate
	pool               []*x509.Certificate // for the path
	crls, ocsp         [][]byte            // carried by the signature
	claimed            time.Time           // signing time the signer claims
	hashes             []crypto.Hash       // all digests the signature relies on
	stamps             []stamp
	findings           []finding // of reading and integrity
	genTime            time.Time // of a time-stamp that is validated itself
}

// judge runs the steps of the package comment that follow integrity.
func (v *validation) judge(c *candidate) SignatureReport {
	r := SignatureReport{Form: c.form, Level: c.level, SigningTime: c.claimed, Field: printable(c.field)}
	if c.cert != nil {
		r.Signer, r.Issuer, r.Serial = name(c.cert), issuerName(c.cert), fmt.Sprintf("%x", c.cert.SerialNumber)
	}
	findings := c.findings
	poe := v.o.Time
	if c.cert != nil && !broken(findings) {
		at, fs := v.existence(c)
		if !at.IsZero() {
			poe, r.Timestamp = at, at
		}
		findings = append(findings, v.claim(c, poe)...)
		findings = append(findings, v.certificate(c, poe)...)
		for _, h := range c.hashes {
			if h != 0 && weakHash(h) {
				findings = append(findings, doubt(CryptoConstraintsFailure, "weak-digest", h.String()))
				break
			}
		}
		findings = append(findings, fs...)
	}
	r.settle(findings, poe)
	if !c.genTime.IsZero() {
		r.SigningTime = c.genTime
		if r.Indication == TotalPassed {
			r.Timestamp = c.genTime
		}
	}
	return r
}

// broken reports whether integrity failed: nothing else matters then.
func broken(fs []finding) bool {
	for _, f := range fs {
		if f.indication == TotalFailed {
			return true
		}
	}
	return false
}

// settle takes the worst indication, and the first sub-indication of it.
func (r *SignatureReport) settle(findings []finding, poe time.Time) {
	r.Indication, r.Reasons = TotalPassed, []Reason{}
	for _, f := range findings {
		if f.indication.rank() > r.Indication.rank() {
			r.Indication, r.SubIndication = f.indication, f.sub
		}
		r.Reasons = append(r.Reasons, f.reason)
	}
	if r.Indication == TotalPassed {
		r.Reasons = append([]Reason{because("valid", stamped(poe))}, r.Reasons...)
	}
}

// existence gives the earliest time a valid time-stamp proves, zero without
// one, and what is wrong with those that are not valid.
func (v *validation) existence(c *candidate) (time.Time, []finding) {
	var earliest time.Time
	var out []finding
	for _, s := range c.stamps {
		at, fs := v.stamp(s, c.pool)
		for _, f := range fs {
			if f.indication == TotalPassed {
				continue // remarks about a time-stamping certificate help nobody
			}
			out = append(out, finding{Indeterminate, f.sub, f.reason.ofStamp()})
		}
		if passed(fs) && (earliest.IsZero() || at.Before(earliest)) {
			earliest = at
		}
	}
	return earliest, out
}

// stamp validates a time-stamp token at the time of validation
// (EN 319 102-1 §5.4).
func (v *validation) stamp(s stamp, pool []*x509.Certificate) (time.Time, []finding) {
	t, err := cms.ParseToken(s.der)
	if err != nil {
		return time.Time{}, []finding{doubt(SigConstraintsFailure, "stamp-malformed", err)}
	}
	out := checkToken(t, s.digest)
	if len(out) > 0 {
		return time.Time{}, out
	}
	at := t.Info.GenTime
	own := &candidate{cert: t.Certificate, pool: append(t.Certificates[:len(t.Certificates):len(t.Certificates)], pool...), genTime: at}
	out = append(v.claim(own, v.o.Time), v.certificate(own, v.o.Time)...)
	return at, out
}

// checkToken checks a token cryptographically (RFC 3161 §2.3, RFC 5816): that
// it is of the data whose digest is given, unless that is nil, that its
// certificate is for time-stamping alone and named by it, and its signature.
func checkToken(t *cms.Token, digest func(crypto.Hash) ([]byte, error)) []finding {
	if weakHash(t.Info.Hash) {
		return []finding{doubt(CryptoConstraintsFailure, "weak-digest", t.Info.Hash.String())}
	}
	if digest != nil {
		sum, err := digest(t.Info.Hash)
		if err != nil {
			return []finding{doubt(SigConstraintsFailure, "unsupported", err)}
		}
		if !bytes.Equal(sum, t.Info.Imprint) {
			return []finding{failed(HashFailure, "stamp-other")}
		}
	}
	if t.Certificate == nil {
		return []finding{doubt(NoSigningCertificate, "no-certificate")}
	}
	if err := cms.CheckTimestampCertificate(t.Certificate); err != nil {
		return []finding{doubt(ChainConstraintsFailure, "stamp-malformed", err)}
	}
	if id := t.Signer.SigningCertificate; id == nil || !id.Matches(t.Certificate) {
		return []finding{doubt(NoSigningCertificate, "other-certificate")}
	}
	if t.Info.GenTime.Before(t.Certificate.NotBefore) || t.Info.GenTime.After(t.Certificate.NotAfter) {
		return []finding{doubt(TimestampOrderFailure, "stamp-certificate", stamped(t.Info.GenTime), name(t.Certificate))}
	}
	err := t.VerifySignature()
	switch cms.KindOf(err) {
	case "":
		if err == nil {
			return nil
		}
	case cms.Mismatch:
		return []finding{failed(HashFailure, "stamp-changed")}
	case cms.BadSignature:
		return []finding{failed(SigCryptoFailure, "stamp-signature")}
	case cms.Weak:
		return []finding{doubt(CryptoConstraintsFailure, "weak-digest", t.Signer.Hash.String())}
	case cms.Unsupported:
		return []finding{doubt(SigConstraintsFailure, "unsupported", err)}
	}
	return []finding{failed(FormatFailure, "stamp-malformed", err)}
}

// claim compares the claimed signing time with the proven one.
func (v *validation) claim(c *candidate, poe time.Time) []finding {
	if c.genTime.After(poe.Add(clockTolerance)) {
		return []finding{doubt(TimestampOrderFailure, "stamp-future", stamped(c.genTime))}
	}
	if c.claimed.After(poe.Add(clockTolerance)) {
		return []finding{doubt(TimestampOrderFailure, "stamp-before-claim", stamped(c.claimed), stamped(poe))}
	}
	return nil
}

// certificate judges the signer's certificate and its path at the time poe
// (EN 319 102-1 §5.2.6, §5.5.4).
func (v *validation) certificate(c *candidate, poe time.Time) []finding {
	var out []finding
	const usages = x509.KeyUsageContentCommitment | x509.KeyUsageDigitalSignature
	if c.cert.KeyUsage&usages == 0 || c.genTime.IsZero() && !signsDocuments(c.cert) {
		out = append(out, doubt(ChainConstraintsFailure, "key-usage", name(c.cert)))
	}
	s := search{anchors: v.o.Anchors, pool: append(c.pool[:len(c.pool):len(c.pool)], v.o.Intermediates...), at: poe, checks: &v.checks}
	path, fs := s.path(c.cert)
	if out = append(out, fs...); path == nil {
		return out
	}
	data := v.sources.with(c.crls, c.ocsp)
	for i := len(path) - 2; i >= 0; i-- { // from the anchor down: a list is worth no more than its issuer
		out = append(out, data.revocation(path[i], path[i+1], i > 0, poe, v.o.Time)...)
	}
	return out
}

// signsDocuments looks at what a certificate that names purposes names: one
// that is only for servers, time-stamps or status answers is not for documents
// (RFC 5280 §4.2.1.12), nor is an authority's.
func signsDocuments(c *x509.Certificate) bool {
	if c.IsCA {
		return false
	}
	for _, u := range c.ExtKeyUsage {
		if u == x509.ExtKeyUsageAny || u == x509.ExtKeyUsageEmailProtection || u == x509.ExtKeyUsageClientAuth {
			return true
		}
	}
	for _, oid := range c.UnknownExtKeyUsage {
		if slices.Contains(documentPurposes, oid.String()) {
			return true
		}
	}
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0
}

// documentPurposes: id-kp-documentSigning (RFC 9336), and the older ones of
// Microsoft and Adobe.
var documentPurposes = []string{"1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.311.10.3.12", "1.2.840.113583.1.1.5"}

func issuerName(c *x509.Certificate) string {
	if c.Issuer.CommonName != "" {
		return printable(c.Issuer.CommonName)
	}
	return printable(c.Issuer.String())
}
