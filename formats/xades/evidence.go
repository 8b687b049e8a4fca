package xades

import (
	"bytes"
	"crypto/x509"
	"slices"

	"golang.org/x/crypto/ocsp"

	"sigillo/formats/ades"
	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// Evidence gives all certificates, revocation lists and OCSP answers that the
// signature carries: in KeyInfo, CertificateValues, RevocationValues,
// TimeStampValidationData and the like (EN 319 132-1 §5.4, §5.5.1).
func (s *Signature) Evidence() ades.Evidence { return s.evidence }

// values reads an unsigned property with certificates or revocation data,
// wherever in it they are; other properties have none. What it finds is covered
// by later archive time-stamps.
func (r *reader) values(n *c14n.Node, before *[][]byte) error {
	switch n.Local {
	case "CertificateValues", "RevocationValues", "AttrAuthoritiesCertValues", "AttributeRevocationValues", "TimeStampValidationData", "AnyValidationData":
	default:
		return nil
	}
	var failed error
	n.Walk(func(c *c14n.Node) bool {
		if failed != nil {
			return false
		}
		if c.Kind != c14n.ElementNode || !isXAdES(c.Space) {
			return c.Kind == c14n.ElementNode
		}
		switch c.Local {
		case "EncapsulatedX509Certificate", "EncapsulatedCRLValue", "EncapsulatedOCSPValue":
			failed = r.value(c, before)
			return false
		}
		return true
	})
	return failed
}

func (r *reader) value(n *c14n.Node, before *[][]byte) error {
	der, err := decode(n)
	if err != nil {
		return err
	}
	e := &r.s.evidence
	switch n.Local {
	case "EncapsulatedX509Certificate":
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return &Error{Kind: Malformed, Msg: "a certificate of the signature cannot be read", Err: err}
		}
		e.Certificates = append(e.Certificates, c)
	case "EncapsulatedCRLValue":
		e.CRLs = append(e.CRLs, der)
	case "EncapsulatedOCSPValue":
		e.OCSP = append(e.OCSP, der)
	}
	if len(e.Certificates)+len(e.CRLs)+len(e.OCSP) > 3*maxCertificates {
		return fail(Limit, "the signature has more than %d certificates, revocation lists and OCSP answers", 3*maxCertificates)
	}
	*before = append(*before, der)
	return nil
}

// evidenceXML writes what a signature does not carry yet. What its own
// certificate needs goes into CertificateValues and RevocationValues, what only
// time-stamps need into TimeStampValidationData; so does all of it once there
// are values, because none of these elements may occur twice and what is there
// may be under an archive time-stamp.
func (s *Signature) evidenceXML(e ades.Evidence) string {
	fresh := s.without(e)
	var signer, stamps ades.Evidence
	switch {
	case s.hasValues():
		stamps = fresh
	case len(s.Stamps) == 0:
		signer = fresh
	default:
		signer, stamps = s.split(fresh, e)
	}
	out := valuesXML(signer, declare(s.host(), "xades"))
	if !stamps.Empty() {
		out += "<xades141:TimeStampValidationData" + declare(s.host(), "xades", "xades141") + ">" + valuesXML(stamps, "") + "</xades141:TimeStampValidationData>"
	}
	return out
}

// without leaves out what the signature or one of its time-stamp tokens has.
func (s *Signature) without(e ades.Evidence) ades.Evidence {
	have := map[string]bool{}
	for _, c := range s.evidence.Certificates {
		have[string(c.Raw)] = true
	}
	for _, stamp := range s.Stamps {
		if t, err := cms.ParseToken(stamp.DER); err == nil {
			for _, c := range t.Certificates {
				have[string(c.Raw)] = true
			}
		}
	}
	for _, b := range slices.Concat(s.evidence.CRLs, s.evidence.OCSP) {
		have[string(b)] = true
	}
	var out ades.Evidence
	out.Add(ades.Evidence{
		Certificates: slices.DeleteFunc(slices.Clone(e.Certificates), func(c *x509.Certificate) bool { return have[string(c.Raw)] }),
		CRLs:         slices.DeleteFunc(slices.Clone(e.CRLs), func(b []byte) bool { return have[string(b)] }),
		OCSP:         slices.DeleteFunc(slices.Clone(e.OCSP), func(b []byte) bool { return have[string(b)] }),
	})
	return out
}

// hasValues reports whether validation data have been added before.
func (s *Signature) hasValues() bool {
	if s.unsigned == nil {
		return false
	}
	for _, c := range s.unsigned.Elements() {
		switch c.Local {
		case "CertificateValues", "RevocationValues", "TimeStampValidationData", "AnyValidationData", "ArchiveTimeStamp":
			return true
		}
	}
	return false
}

// split tells what the signer's certificate needs from what only time-stamps
// need, by the names of issuers; all are the evidence of both.
func (s *Signature) split(fresh, all ades.Evidence) (signer, stamps ades.Evidence) {
	chain := []*x509.Certificate{s.Certificate}
	pool := slices.Concat(all.Certificates, s.evidence.Certificates)
	for i := 0; i < len(chain); i++ {
		for _, c := range pool {
			if bytes.Equal(c.RawSubject, chain[i].RawIssuer) && !slices.Contains(chain, c) && len(chain) < maxCertificates {
				chain = append(chain, c)
			}
		}
	}
	for _, c := range fresh.Certificates {
		if slices.Contains(chain, c) {
			signer.Certificates = append(signer.Certificates, c)
		} else {
			stamps.Certificates = append(stamps.Certificates, c)
		}
	}
	about := func(is func(*x509.Certificate) bool) bool { return slices.ContainsFunc(chain, is) }
	for _, der := range fresh.CRLs {
		l, err := x509.ParseRevocationList(der)
		if err == nil && about(func(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, l.RawIssuer) }) {
			signer.CRLs = append(signer.CRLs, der)
		} else {
			stamps.CRLs = append(stamps.CRLs, der)
		}
	}
	for _, der := range fresh.OCSP {
		a, err := ocsp.ParseResponse(der, nil)
		if err == nil && about(func(c *x509.Certificate) bool { return c.SerialNumber.Cmp(a.SerialNumber) == 0 }) {
			signer.OCSP = append(signer.OCSP, der)
		} else {
			stamps.OCSP = append(stamps.OCSP, der)
		}
	}
	return signer, stamps
}

// valuesXML writes CertificateValues and RevocationValues.
func valuesXML(e ades.Evidence, declared string) string {
	var certs, crls, answers bytes.Buffer
	put := func(b *bytes.Buffer, local string, der []byte) {
		b.WriteString("<xades:" + local + ">" + encode(der) + "</xades:" + local + ">")
	}
	for _, c := range e.Certificates {
		put(&certs, "EncapsulatedX509Certificate", c.Raw)
	}
	for _, der := range e.CRLs {
		put(&crls, "EncapsulatedCRLValue", der)
	}
	for _, der := range e.OCSP {
		put(&answers, "EncapsulatedOCSPValue", der)
	}
	out := ""
	if certs.Len() > 0 {
		out = "<xades:CertificateValues" + declared + ">" + certs.String() + "</xades:CertificateValues>"
	}
	if crls.Len()+answers.Len() > 0 {
		out += "<xades:RevocationValues" + declared + ">" + group("CRLValues", crls.String()) + group("OCSPValues", answers.String()) + "</xades:RevocationValues>"
	}
	return out
}
