package validate

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"time"

	"sigillo/formats/cms"
)

// clockTolerance is how far two honest clocks may differ.
const clockTolerance = 10 * time.Minute

// basicValidation is EN 319 102-1 §5.3: the building blocks at the time of
// validation, without regard to what time-stamps prove. Format (§5.2.2),
// identification of the certificate (§5.2.3) and cryptographic verification
// (§5.2.7) were done when the subject was read; where they fail, nothing else
// matters.
func (v *validation) basicValidation(s *subject) (out []finding, c *chain) {
	out = append(out, s.findings...)
	if s.certificate == nil && passed(out) {
		out = append(out, doubt(NoSigningCertificate, "no-certificate"))
	}
	if broken(out) || s.certificate == nil {
		return out, nil
	}
	out = append(out, v.validationContext(s)...)
	out = append(out, v.signerPurpose(s)...)
	c = v.x509Validation(s.certificate)
	out = append(out, c.findings...)
	if s.later != nil {
		s.whole = false
		if c.path != nil {
			fs, permitted := s.later()
			s.findings, out, s.changes = append(s.findings, fs...), append(out, fs...), permitted
			s.whole = passed(fs) && len(permitted) == 0
		} else {
			out = append(out, remark("later-revisions", s.revisions))
		}
		s.later = nil
	}
	return append(out, v.signatureAcceptance(s)...), c
}

// validationContext is §5.2.4: the signature policy that the signer names.
func (v *validation) validationContext(s *subject) []finding {
	p := s.properties.Policy
	if p == nil || len(p.OID) == 0 {
		return nil
	}
	if known := v.policy.SignaturePolicy(p.OID.String()); known != nil {
		if !known.Means(p.Hash, p.Digest) {
			return []finding{doubt(PolicyProcessingError, "policy-digest", p.OID.String())}
		}
		return nil
	}
	if v.policy.UnknownSignaturePolicy == "indeterminate" {
		return []finding{doubt(SignaturePolicyNotAvailable, "unknown-policy", p.OID.String())}
	}
	return []finding{remark("policy-not-evaluated", p.OID.String())}
}

// signerPurpose is the constraint of this package on the signer's certificate
// (§5.2.6.4 step 4): it is made for signing documents, or time-stamps.
func (v *validation) signerPurpose(s *subject) []finding {
	const usages = x509.KeyUsageContentCommitment | x509.KeyUsageDigitalSignature
	c := s.certificate
	if s.token != nil {
		if err := cms.CheckTimestampCertificate(c); err != nil {
			return []finding{doubt(ChainConstraintsFailure, "stamp-malformed", err)}
		}
	}
	limited := slices.ContainsFunc(c.Extensions, func(x pkix.Extension) bool { return x.Id.Equal(oidKeyUsage) })
	if limited && c.KeyUsage&usages == 0 || s.token == nil && !signsDocuments(c) {
		return []finding{doubt(ChainConstraintsFailure, "key-usage", name(c))}
	}
	if !limited { // the key is for anything (RFC 5280 §4.2.1.3)
		return []finding{remark("no-key-usage", name(c))}
	}
	return nil
}

var oidKeyUsage = asn1.ObjectIdentifier{2, 5, 29, 15}

// signatureAcceptance is §5.2.8: the algorithms, and what the signer claims.
func (v *validation) signatureAcceptance(s *subject) []finding {
	out := v.signatureCrypto(s)
	switch {
	case s.unnamed && (v.policy.UnnamedCertificate == "indeterminate" || s.token != nil):
		out = append(out, doubt(SigConstraintsFailure, "unbound"))
	case s.unnamed:
		out = append(out, remark("unbound"))
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
