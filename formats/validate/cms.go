package validate

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"io"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/cades"
	"sigillo/formats/cms"
)

// readASN1 tells CMS files from time-stamps.
func (v *validation) readASN1(r io.ReaderAt, size int64) error {
	sd, err := cms.Parse(r, size, cms.Limits{})
	switch cms.KindOf(err) {
	case "":
	case cms.NotCMS:
		v.format = "timestamp"
		return v.readResponse(r, size, err)
	case cms.Failed:
		return fail(Failed, err, "the file cannot be read")
	case cms.Limit:
		return fail(Limit, err, "the CMS file is too large")
	default:
		return fail(Unreadable, err, "the CMS file cannot be read")
	}
	if sd.ContentType.Equal(cms.OIDTSTInfo) {
		v.format = "timestamp"
		der, err := whole(r, size)
		if err != nil {
			return err
		}
		return v.readToken(der)
	}
	v.format = "cms"
	given, err := v.content()
	if err != nil {
		return err
	}
	if sd.HasContent() && given != nil {
		return fail(BadOptions, nil, "content was given for a file that holds its own")
	}
	var digest imprinter
	switch {
	case sd.HasContent():
		digest = sd.ContentDigest()
	case given != nil:
		digest = given.digest()
	}
	for _, si := range sd.Signers {
		v.addSigner("CAdES", "", sd, si, digest)
	}
	return nil
}

// maxSubjects bounds the signatures of a file. Readers stop after one more, and
// the file is refused: what is wrong with the rest would not be seen.
const maxSubjects = 256

// addSigner reads a SignerInfo and the counter-signatures under it. A digest of
// nil means that the content is missing.
func (v *validation) addSigner(form, parent string, sd *cms.SignedData, si *cms.SignerInfo, digest imprinter) *subject {
	s := cmsSubject(form, sd, si, digest)
	v.subjects = append(v.subjects, s)
	s.parent = parent
	v.number()
	for _, c := range si.CounterSignatures {
		if len(v.subjects) <= maxSubjects {
			v.addSigner(form, s.id, sd, c, digest)
		}
	}
	return s
}

// cmsSubject takes over what a SignerInfo says and checks it over its content.
func cmsSubject(form string, sd *cms.SignedData, si *cms.SignerInfo, digest imprinter) *subject {
	s := &subject{form: form, certificate: si.Certificate, evidence: sd.Evidence(), claimed: si.SigningTime, value: si.SignatureValue}
	if a, err := si.Algorithm(); err == nil {
		s.algorithm = a
	}
	s.digests = []crypto.Hash{si.Hash}
	if si.SigningCertificate != nil {
		s.reference = si.SigningCertificate.Hash
	}
	p, err := si.Properties()
	s.properties = p
	if err != nil {
		s.findings = append(s.findings, cmsFinding(err))
	}
	over := digest
	if over == nil {
		over = func(crypto.Hash) ([]byte, error) { return nil, errNoContent }
	}
	s.stamps = si.Stamps(over)
	if slices.ContainsFunc(si.UnsignedAttributes, isEvidenceRecord) {
		s.findings = append(s.findings, remark("record-attribute"))
	}
	s.verifyCMS(sd, si, over, digest == nil && !si.IsCounterSignature())
	s.missing = func(l ades.Level) []string { return cmsMissing(sd, si, l) }
	s.whole = passed(s.findings) && !si.IsCounterSignature()
	return s
}

// verifyCMS checks a SignerInfo over its content (§5.2.2, §5.2.3, §5.2.7).
func (s *subject) verifyCMS(sd *cms.SignedData, si *cms.SignerInfo, digest imprinter, missing bool) {
	add := func(f finding) { s.findings = append(s.findings, f) }
	switch {
	case missing:
		add(doubt(SignedDataNotFound, "content-missing"))
	case slices.ContainsFunc(si.UnsignedAttributes, mustBeSigned):
		add(failed(FormatFailure, "format", errors.New("an attribute that must be signed is not")))
	case retired[si.DigestAlgorithm.String()] != "":
		add(doubt(CryptoConstraintsFailureNoPOE, "weak-digest", retired[si.DigestAlgorithm.String()]))
	case si.Certificate != nil && si.SigningCertificate != nil && !si.SigningCertificate.Matches(si.Certificate):
		add(doubt(NoSigningCertificate, "other-certificate"))
	case si.RawSignedAttributes != nil && !si.IsCounterSignature() && !si.ContentType.Equal(sd.ContentType):
		add(failed(FormatFailure, "format", errors.New("content-type")))
	default:
		if err := si.Verify(digest); err != nil && cms.KindOf(err) != cms.Weak { // that is for the policy, see signatureCrypto
			add(cmsFinding(err))
		} else if si.SigningCertificate == nil && si.RawSignedAttributes == nil {
			// Signed attributes of another signature, presented as a content, verify too.
			add(doubt(SigConstraintsFailure, "unbound"))
		} else if si.SigningCertificate == nil {
			s.unnamed = true
		}
	}
}

// mustBeSigned reports whether an attribute has no place among the unsigned ones
// (RFC 5652 §11.1 to §11.3, RFC 5035 §4): who reads it there is told what nobody
// signed.
func mustBeSigned(a cms.Attribute) bool {
	return slices.ContainsFunc([]asn1.ObjectIdentifier{cms.OIDContentType, cms.OIDMessageDigest, cms.OIDSigningTime, cms.OIDSigningCertificate, cms.OIDSigningCertificateV2}, a.Type.Equal)
}

// isEvidenceRecord tells the attributes of RFC 4998 Appendix A: evidence records over
// the message, with its content inside or outside.
func isEvidenceRecord(a cms.Attribute) bool {
	return slices.ContainsFunc([]asn1.ObjectIdentifier{{1, 2, 840, 113549, 1, 9, 16, 2, 49}, {1, 2, 840, 113549, 1, 9, 16, 2, 50}}, a.Type.Equal)
}

// retired are digests, by identifier, so weak that nothing is verified with them,
// whatever a policy says: they are no unknown algorithms, but known bad ones
// (EN 319 102-1 §5.2.8.4.2.1).
var retired = map[string]string{"1.2.840.113549.2.2": "MD2", "1.2.840.113549.2.4": "MD4", "1.2.840.113549.2.5": "MD5"}

func cmsFinding(err error) finding { return kindFinding(cms.KindOf(err), err) }

// kindFinding is what an error of a package with the kinds of package cms means.
func kindFinding(k cms.Kind, err error) finding {
	switch k {
	case cms.Mismatch:
		return failed(HashFailure, "content-changed")
	case cms.BadSignature:
		return failed(SigCryptoFailure, "value-wrong")
	case cms.Malformed, cms.Limit, cms.NotCMS:
		return failed(FormatFailure, "format", err)
	case cms.NoCertificate:
		return doubt(NoSigningCertificate, "no-certificate")
	case cms.ContentMissing:
		return doubt(SignedDataNotFound, "content-missing")
	case cms.Weak:
		return doubt(CryptoConstraintsFailure, "weak-digest", "SHA-1")
	}
	return doubt(SigConstraintsFailure, "unsupported", err)
}

// cmsMissing is what EN 319 122-1 §6.3 asks for at a level and a signature lacks.
// A counter-signature has no content of its own, and the message has its evidence.
func cmsMissing(sd *cms.SignedData, si *cms.SignerInfo, l ades.Level) []string {
	if !si.IsCounterSignature() {
		return cades.Missing(sd, si, l)
	}
	for _, a := range si.SignedAttributes {
		if a.Type.Equal(cms.OIDSigningCertificateV2) {
			return nil
		}
	}
	return []string{"signing-certificate-v2"}
}
