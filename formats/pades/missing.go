package pades

import (
	"encoding/asn1"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Missing says what ETSI EN 319 142-1 §6.3 asks of a signature of this level and this one lacks, or has and must not have; nil: it
// is of the level, as far as its form goes. Whether time-stamps and evidence are good is another question.
func (s *Signature) Missing(level ades.Level) []string {
	if s.Err != nil {
		return []string{s.Err.Error()}
	}
	if s.IsTimestamp() {
		return []string{"it is a document time-stamp, not a signature"}
	}
	if !level.Known() {
		return []string{"there is no level " + string(level)}
	}
	si, err := s.signer()
	if err != nil {
		return []string{err.Error()}
	}
	m := append(s.missingDictionary(si), s.missingMessage(si)...)
	if level.AtLeast(ades.BT) && !hasKind(s.Stamps(), ades.SignatureStamp, ades.DocumentStamp) {
		m = append(m, "neither a signature-time-stamp nor a document time-stamp after it")
	}
	if !level.AtLeast(ades.BLT) {
		return m
	}
	dss, err := s.doc.DSS()
	switch {
	case err != nil:
		return append(m, "the document security store cannot be read: "+err.Error())
	case dss == nil:
		return append(m, "no document security store")
	}
	if level.AtLeast(ades.BLTA) && !s.archived(dss) {
		m = append(m, "no document time-stamp over the document security store")
	}
	return m
}

func hasKind(stamps []ades.Stamp, kinds ...ades.StampKind) bool {
	for _, s := range stamps {
		for _, k := range kinds {
			if s.Kind == k {
				return true
			}
		}
	}
	return false
}

// archived tells whether a later document time-stamp is over something of the store.
func (s *Signature) archived(dss *DSS) bool {
	first := int64(-1)
	for _, v := range dss.places() {
		if first < 0 || v.end < first {
			first = v.end
		}
	}
	for i := range s.doc.list {
		t := &s.doc.list[i]
		if first >= 0 && t.IsTimestamp() && t.Err == nil && t.end() > max(s.end(), first) {
			return true
		}
	}
	return false
}

func (s *Signature) missingDictionary(si *cms.SignerInfo) (m []string) {
	need := func(ok bool, what string) {
		if !ok {
			m = append(m, what)
		}
	}
	need(s.SubFilter == "ETSI.CAdES.detached", "/SubFilter is not ETSI.CAdES.detached")
	need(s.Filter != "", "no /Filter")
	need(s.dict.hasTime, "no signing time in /M")
	need(!s.dict.hasCert, "/Cert is present")
	need(s.dict.kind == "" || s.dict.kind == "Sig", "/Type is not Sig")
	said := has(si, cms.OIDCommitmentType) || has(si, cms.OIDSignaturePolicy)
	need(!s.dict.hasReason || !said, "/Reason beside a commitment type or signature policy")
	return m
}

func (s *Signature) missingMessage(si *cms.SignerInfo) (m []string) {
	need := func(ok bool, what string) {
		if !ok {
			m = append(m, what)
		}
	}
	sd, err := s.Message()
	if err != nil {
		return []string{err.Error()}
	}
	need(!sd.HasContent(), "the message holds a content of its own")
	need(si.ContentType.Equal(cms.OIDData), "content-type is not id-data")
	need(len(si.MessageDigest) > 0, "no message-digest")
	need(si.SigningCertificate != nil, "no signing-certificate reference")
	need(si.Certificate != nil, "the signer's certificate is not in the message")
	need(!has(si, cms.OIDSigningTime), "the signing-time attribute is present")
	need(!has(si, cms.OIDSignerLocation), "the signer-location attribute is present")
	need(len(si.CounterSignatures) == 0, "a counter-signature is present")
	for _, a := range si.UnsignedAttributes {
		for _, oid := range []asn1.ObjectIdentifier{cms.OIDCertificateValues, cms.OIDRevocationValues, cms.OIDCertificateReferences, cms.OIDRevocationReferences} {
			need(!a.Type.Equal(oid), "an attribute of the extended forms is present: "+oid.String())
		}
	}
	return m
}

// has tells whether an attribute is among the signed ones.
func has(si *cms.SignerInfo, oid asn1.ObjectIdentifier) bool {
	for _, a := range si.SignedAttributes {
		if a.Type.Equal(oid) {
			return true
		}
	}
	return false
}
