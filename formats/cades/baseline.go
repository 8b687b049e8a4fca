package cades

import (
	"encoding/asn1"
	"slices"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Missing gives what ETSI EN 319 122-1 §6.3 asks of a signature of this level and
// this one lacks, or has and should not; nil if it is of that level. It looks at
// what is there, not at whether it is right: values, certificates and time-stamps
// are checked elsewhere.
func Missing(sd *cms.SignedData, si *cms.SignerInfo, level ades.Level) []string {
	var out []string
	need := func(ok bool, what string) {
		if !ok {
			out = append(out, what)
		}
	}
	needBB(sd, si, need)
	if level.AtLeast(ades.BT) {
		need(stampedInTime(si), "signature-time-stamp before the signer's certificate expires")
	}
	if level.AtLeast(ades.BLT) {
		needBLT(sd, si, need)
	}
	if level.AtLeast(ades.BLTA) {
		need(has(si.UnsignedAttributes, cms.OIDArchiveTimeStampV3), "archive-time-stamp-v3")
	}
	return out
}

func needBB(sd *cms.SignedData, si *cms.SignerInfo, need func(bool, string)) {
	need(len(sd.Certificates) > 0, "SignedData.certificates")
	need(si.Certificate != nil && slices.ContainsFunc(sd.Certificates, si.Certificate.Equal), "the signer's certificate in SignedData.certificates")
	if !si.IsCounterSignature() {
		need(si.ContentType.Equal(cms.OIDData), "content-type id-data")
	}
	need(si.MessageDigest != nil, "message-digest")
	need(!si.SigningTime.IsZero(), "signing-time")
	need(has(si.SignedAttributes, cms.OIDSigningCertificateV2) && !has(si.SignedAttributes, cms.OIDSigningCertificate), "signing-certificate-v2 alone")
	need(count(si.SignedAttributes, cms.OIDSignerAttributes)+count(si.SignedAttributes, cms.OIDSignerAttributeV2) <= 1, "not more than one signer-attributes")
	for _, once := range []struct {
		oid  asn1.ObjectIdentifier
		name string
	}{
		{cms.OIDSignaturePolicy, "signature-policy-identifier"},
		{cms.OIDSignerLocation, "signer-location"},
		{cms.OIDCommitmentType, "commitment-type-indication"},
		{cms.OIDMIMEType, "mime-type"},
	} {
		need(count(si.SignedAttributes, once.oid) <= 1, "not more than one "+once.name)
	}
}

// stampedInTime reports a signature time-stamp that says a time at which the
// signer's certificate had not expired.
func stampedInTime(si *cms.SignerInfo) bool {
	return slices.ContainsFunc(si.Tokens, func(der []byte) bool {
		t, err := cms.ParseToken(der)
		return err == nil && si.Certificate != nil && !t.Info.GenTime.After(si.Certificate.NotAfter)
	})
}

func needBLT(sd *cms.SignedData, si *cms.SignerInfo, need func(bool, string)) {
	need(len(sd.CRLs)+len(sd.OCSP) > 0, "revocation data in SignedData.crls")
	for _, der := range si.Tokens {
		t, err := cms.ParseToken(der)
		if err != nil || len(t.Certificates) == 0 {
			continue
		}
		found := false
		for _, c := range t.Certificates {
			found = found || slices.ContainsFunc(sd.Certificates, c.Equal)
		}
		need(found, "the certificates of the time-stamps in SignedData.certificates")
	}
	for _, old := range []struct {
		oid  asn1.ObjectIdentifier
		name string
	}{
		{cms.OIDCertificateValues, "certificate-values"},
		{cms.OIDRevocationValues, "revocation-values"},
		{cms.OIDCertificateReferences, "complete-certificate-references"},
		{cms.OIDRevocationReferences, "complete-revocation-references"},
		{cms.OIDReferencesTimeStamp, "time-stamped-certs-crls-references"},
	} {
		need(!has(si.UnsignedAttributes, old.oid), "no "+old.name)
	}
}

func count(attributes []cms.Attribute, t asn1.ObjectIdentifier) int {
	n := 0
	for _, a := range attributes {
		if a.Type.Equal(t) {
			n++
		}
	}
	return n
}
