package xades

import (
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// Missing gives what ETSI EN 319 132-1 §6.3 asks of a signature of this level and
// this one lacks, or has and should not; nil if it is of that level. It looks at
// what is there, not at whether it is right or enough: values, certificates and
// time-stamps are checked elsewhere.
func (s *Signature) Missing(level ades.Level) []string {
	out := append([]string(nil), s.missing...)
	need := func(ok bool, what string) {
		if !ok {
			out = append(out, what)
		}
	}
	if level.AtLeast(ades.BT) {
		need(s.stampedInTime(), "SignatureTimeStamp before the signer's certificate expires")
		for _, n := range s.unsignedProperties("SignatureTimeStamp") {
			need(len(named(n.Elements(), "EncapsulatedTimeStamp")) == 1, "one token in each SignatureTimeStamp")
		}
	}
	if level.AtLeast(ades.BLT) {
		for _, once := range []string{"CertificateValues", "RevocationValues", "AttrAuthoritiesCertValues", "AttributeRevocationValues"} {
			need(len(s.unsignedProperties(once)) <= 1, "not more than one "+once)
		}
		for _, old := range []string{"CompleteCertificateRefs", "CompleteCertificateRefsV2", "CompleteRevocationRefs",
			"SigAndRefsTimeStamp", "SigAndRefsTimeStampV2", "RefsOnlyTimeStamp", "RefsOnlyTimeStampV2"} {
			need(len(s.unsignedProperties(old)) == 0, "no "+old)
		}
	}
	if level.AtLeast(ades.BLTA) {
		need(len(s.unsignedProperties("ArchiveTimeStamp")) > 0, "ArchiveTimeStamp")
	}
	return out
}

// stampedInTime reports a signature time-stamp that says a time at which the
// signer's certificate had not expired.
func (s *Signature) stampedInTime() bool {
	return slices.ContainsFunc(s.Stamps, func(st ades.Stamp) bool {
		t, err := cms.ParseToken(st.DER)
		return err == nil && st.Kind == ades.SignatureStamp && s.Certificate != nil && !t.Info.GenTime.After(s.Certificate.NotAfter)
	})
}

// unsignedProperties gives the unsigned properties of a name.
func (s *Signature) unsignedProperties(local string) []*c14n.Node {
	if s.unsigned == nil {
		return nil
	}
	return named(s.unsigned.Elements(), local)
}

// named gives the elements of XAdES with a name.
func named(all []*c14n.Node, local string) (out []*c14n.Node) {
	for _, n := range all {
		if n.Local == local && isXAdES(n.Space) {
			out = append(out, n)
		}
	}
	return out
}

// baseline lists what level B-B requires and the signature lacks
// (EN 319 132-1 §6.3).
func (r *reader) baseline() {
	s := r.s
	miss := func(is bool, what string) {
		if is {
			s.missing = append(s.missing, what)
		}
	}
	miss(r.space != xadesNamespace, "XAdES 1.3.2")
	miss(s.SigningTime.IsZero(), "SigningTime")
	miss(!s.signedV2, "SigningCertificateV2")
	inKeyInfo := s.Certificate == nil // said by Verify
	for _, c := range s.Certificates {
		inKeyInfo = inKeyInfo || c.Equal(s.Certificate)
	}
	miss(!inKeyInfo, "signer's certificate in KeyInfo")
	if s.Coverage != CoversSignature {
		formats := len(s.Covers) > 0
		for _, c := range s.Covers {
			formats = formats && (c.MediaType != "" || c.ref.listed)
		}
		miss(!formats, "DataObjectFormat of the document with MimeType")
	}
}
