package validate

import (
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"

	"sigillo/formats/cms"
	"sigillo/formats/pades"
	"sigillo/formats/xades"
)

var oidSigningCertificateV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}

// xml reads enveloped XAdES signatures.
func (v *validation) xml(r io.ReaderAt, size int64) ([]*candidate, error) {
	doc, err := whole(r, size)
	if err != nil {
		return nil, err
	}
	sigs, err := xades.Signatures(doc)
	switch {
	case xades.KindOf(err) == xades.Limit:
		return nil, fail(Limit, err, "the XML document is too large")
	case err != nil:
		return nil, fail(Unreadable, err, "the XML document cannot be read")
	}
	var out []*candidate
	for i := range sigs {
		s := &sigs[i]
		c := &candidate{form: "XAdES", cert: s.Certificate, pool: s.Certificates, claimed: s.SigningTime,
			hashes: append([]crypto.Hash{s.Algorithm.Hash}, s.Digests...)}
		for _, t := range s.Tokens {
			c.stamps = append(c.stamps, stamp{t.DER, digestOf(t.Stamped)})
		}
		if err := s.Verify(); err != nil {
			c.findings = append(c.findings, xmlFinding(err))
		}
		c.level = level(len(s.Missing) == 0 && !broken(c.findings), s.Tokens)
		out = append(out, c)
	}
	return out, nil
}

func xmlFinding(err error) finding {
	switch xades.KindOf(err) {
	case xades.HashFailure:
		return failed(HashFailure, "content-changed")
	case xades.SignatureFailure:
		return failed(SigCryptoFailure, "value-wrong")
	case xades.Malformed, xades.Limit:
		return failed(FormatFailure, "format", err)
	case xades.NoCertificate:
		return doubt(NoSigningCertificate, "no-certificate")
	case xades.Unbound:
		return doubt(SigConstraintsFailure, "unbound")
	case xades.NotCovering:
		return doubt(SigConstraintsFailure, "not-covering")
	}
	return doubt(SigConstraintsFailure, "unsupported", err)
}

func level[T any](baseline bool, tokens []T) string {
	switch {
	case !baseline:
		return ""
	case len(tokens) > 0:
		return "B-T"
	}
	return "B-B"
}

// digestOf gives the digest function of bytes in memory.
func digestOf(b []byte) func(crypto.Hash) ([]byte, error) {
	return func(h crypto.Hash) ([]byte, error) {
		if !h.Available() {
			return nil, errors.New("the digest algorithm is not available")
		}
		d := h.New()
		d.Write(b)
		return d.Sum(nil), nil
	}
}

// digestOfReader gives the digest function of a document elsewhere.
func digestOfReader(r io.ReaderAt, size int64) func(crypto.Hash) ([]byte, error) {
	return func(h crypto.Hash) ([]byte, error) {
		if !h.Available() {
			return nil, errors.New("the digest algorithm is not available")
		}
		d := h.New()
		if _, err := io.Copy(d, io.NewSectionReader(r, 0, size)); err != nil {
			return nil, err
		}
		return d.Sum(nil), nil
	}
}

// asn1 tells CMS files from time-stamps.
func (v *validation) asn1(r io.ReaderAt, size int64, report *Report) ([]*candidate, error) {
	sd, err := cms.Parse(r, size, cms.Limits{})
	switch cms.KindOf(err) {
	case "":
	case cms.NotCMS:
		report.Format = "timestamp"
		return v.response(r, size, err)
	case cms.Failed:
		return nil, fail(Failed, err, "the file cannot be read")
	case cms.Limit:
		return nil, fail(Limit, err, "the CMS file is too large")
	default:
		return nil, fail(Unreadable, err, "the CMS file cannot be read")
	}
	if sd.ContentType.Equal(cms.OIDTSTInfo) {
		report.Format = "timestamp"
		der, err := whole(r, size)
		if err != nil {
			return nil, err
		}
		return v.token(der)
	}
	report.Format = "cms"
	if sd.HasContent() && v.o.Content != nil {
		return nil, fail(BadOptions, nil, "content was given for a file that holds its own")
	}
	digest := sd.ContentDigest()
	missing := !sd.HasContent() && v.o.Content == nil
	if !sd.HasContent() && v.o.Content != nil {
		digest = digestOfReader(v.o.Content, v.o.ContentSize)
	}
	var out []*candidate
	for _, si := range sd.Signers {
		c := cmsCandidate("CAdES", sd, si)
		if missing {
			c.findings = append(c.findings, doubt(SignedDataNotFound, "content-missing"))
		} else {
			c.verify(sd, si, digest)
		}
		if !si.SigningTime.IsZero() && si.ContentType.Equal(cms.OIDData) {
			c.level = level(namesV2(si) && !broken(c.findings), si.Tokens)
		}
		out = append(out, c)
	}
	return out, nil
}

// cmsCandidate takes over what a SignerInfo says.
func cmsCandidate(form string, sd *cms.SignedData, si *cms.SignerInfo) *candidate {
	c := &candidate{form: form, cert: si.Certificate, pool: sd.Certificates, crls: sd.CRLs, ocsp: sd.OCSP,
		claimed: si.SigningTime, hashes: []crypto.Hash{si.Hash}}
	if si.SigningCertificate != nil {
		c.hashes = append(c.hashes, si.SigningCertificate.Hash)
	}
	for _, t := range si.Tokens {
		c.stamps = append(c.stamps, stamp{t, digestOf(si.SignatureValue)})
	}
	return c
}

// verify checks a SignerInfo over its content.
func (c *candidate) verify(sd *cms.SignedData, si *cms.SignerInfo, digest func(crypto.Hash) ([]byte, error)) {
	switch {
	case si.Certificate != nil && si.SigningCertificate != nil && !si.SigningCertificate.Matches(si.Certificate):
		c.findings = append(c.findings, doubt(NoSigningCertificate, "other-certificate"))
	case si.RawSignedAttributes != nil && !si.ContentType.Equal(sd.ContentType):
		c.findings = append(c.findings, failed(FormatFailure, "format", errors.New("content-type")))
	default:
		if err := si.Verify(digest); err != nil {
			c.findings = append(c.findings, cmsFinding(err))
		} else if si.SigningCertificate == nil {
			c.findings = append(c.findings, doubt(SigConstraintsFailure, "unbound"))
		}
	}
}

func cmsFinding(err error) finding {
	switch cms.KindOf(err) {
	case cms.Mismatch:
		return failed(HashFailure, "content-changed")
	case cms.BadSignature:
		return failed(SigCryptoFailure, "value-wrong")
	case cms.Malformed, cms.Limit, cms.NotCMS:
		return failed(FormatFailure, "format", err)
	case cms.NoCertificate:
		return doubt(NoSigningCertificate, "no-certificate")
	case cms.Weak:
		return doubt(CryptoConstraintsFailure, "weak-digest", "SHA-1")
	}
	return doubt(SigConstraintsFailure, "unsupported", err)
}

func namesV2(si *cms.SignerInfo) bool {
	for _, a := range si.SignedAttributes {
		if a.Type.Equal(oidSigningCertificateV2) {
			return true
		}
	}
	return false
}

// response reads a TimeStampResp; notCMS is why the file is not CMS.
func (v *validation) response(r io.ReaderAt, size int64, notCMS error) ([]*candidate, error) {
	if size > cms.MaxResponseSize {
		return nil, fail(Unreadable, notCMS, "the file is neither CMS nor a time-stamp")
	}
	der, err := whole(r, size)
	if err != nil {
		return nil, err
	}
	resp, err := cms.ParseResponse(der)
	if err != nil {
		return nil, fail(Unreadable, notCMS, "the file is neither CMS nor a time-stamp")
	}
	token, err := resp.Granted()
	if err != nil {
		return nil, fail(Unreadable, err, "the file is the refusal of a time-stamp")
	}
	return v.token(token)
}

// token validates a time-stamp that stands alone.
func (v *validation) token(der []byte) ([]*candidate, error) {
	t, err := cms.ParseToken(der)
	if err != nil {
		return nil, fail(Unreadable, err, "the time-stamp cannot be read")
	}
	c := tokenCandidate(t)
	if v.o.Content == nil {
		c.findings = append(checkToken(t, nil), doubt(SignedDataNotFound, "content-missing"))
	} else {
		c.findings = checkToken(t, digestOfReader(v.o.Content, v.o.ContentSize))
	}
	return []*candidate{c}, nil
}

func tokenCandidate(t *cms.Token) *candidate {
	return &candidate{form: "RFC3161", cert: t.Certificate, pool: append([]*x509.Certificate(nil), t.Certificates...),
		genTime: t.Info.GenTime, hashes: []crypto.Hash{t.Signer.Hash}}
}

// pdf reads the signatures of a PDF.
func (v *validation) pdf(r io.ReaderAt, size int64) ([]*candidate, error) {
	sigs, err := pades.Signatures(r, size)
	switch pades.KindOf(err) {
	case pades.Failed:
		return nil, fail(Failed, err, "the file cannot be read")
	case pades.Encrypted:
		return nil, fail(Encrypted, err, "the PDF is encrypted")
	case pades.Limit:
		return nil, fail(Limit, err, "the PDF is too large")
	}
	if err != nil {
		return nil, fail(Unreadable, err, "the PDF cannot be read")
	}
	var out []*candidate
	for i := range sigs {
		c := pdfCandidate(&sigs[i])
		c.field = sigs[i].Field
		c.findings = append(c.findings, later(&sigs[i], size)...)
		out = append(out, c)
	}
	return out, nil
}

// later says what stands after the signed revision.
func later(s *pades.Signature, size int64) []finding {
	switch end := s.ByteRange[2] + s.ByteRange[3]; {
	case s.Err != nil || s.Covers == pades.WholeFile:
		return nil
	case s.Later > 0:
		return []finding{doubt(SigConstraintsFailure, "later-revisions", s.Later)}
	case size-end > int64(len("\r\n")): // the end of line after %%EOF may come later
		return []finding{doubt(SigConstraintsFailure, "appended")}
	}
	return nil
}

// pdfCandidate reads the CMS of a PDF signature (EN 319 142-1 §6.3).
func pdfCandidate(s *pades.Signature) *candidate {
	c := &candidate{form: "PDF"}
	if s.Err != nil {
		c.findings = []finding{failed(FormatFailure, "format", s.Err)}
		return c
	}
	switch s.SubFilter {
	case "ETSI.RFC3161":
		t, err := cms.ParseToken(s.CMS)
		if err != nil {
			c.findings = []finding{failed(FormatFailure, "format", err)}
			return c
		}
		c = tokenCandidate(t)
		c.findings = checkToken(t, s.ContentDigest)
		return c
	case "ETSI.CAdES.detached":
		c.form = "PAdES"
	case "adbe.pkcs7.detached":
	default:
		c.findings = []finding{doubt(SigConstraintsFailure, "unsupported", "SubFilter "+s.SubFilter)}
		return c
	}
	sd, err := cms.ParseBytes(s.CMS, cms.Limits{})
	if err == nil && (len(sd.Signers) != 1 || sd.HasContent()) {
		err = errors.New("one signer and no content are expected")
	}
	if err != nil {
		c.findings = []finding{failed(FormatFailure, "format", err)}
		return c
	}
	si := sd.Signers[0]
	form := c.form
	c = cmsCandidate(form, sd, si)
	c.verify(sd, si, s.ContentDigest)
	if c.claimed.IsZero() {
		c.claimed = s.Time
		c.level = level(form == "PAdES" && !s.Time.IsZero() && namesV2(si) && si.ContentType.Equal(cms.OIDData) && !broken(c.findings), si.Tokens)
	}
	return c
}
