package validate

import (
	"io"

	"sigillo/formats/xades"
)

// readXML reads XAdES signatures.
func (v *validation) readXML(r io.ReaderAt, size int64) error {
	doc, err := whole(r, size)
	if err != nil {
		return err
	}
	return v.readXMLBytes(doc, xmlFiles(v.doc.Contents), nil)
}

// xmlFiles finds the given contents by name; a single one is taken whatever its
// name.
func xmlFiles(contents []Content) xades.Files {
	if len(contents) == 1 {
		return xades.OneFile(contents[0].Data, contents[0].Size)
	}
	return func(name string) (io.ReaderAt, int64, bool) {
		for _, c := range contents {
			if c.Name == name {
				return c.Data, c.Size, true
			}
		}
		return nil, 0, false
	}
}

// readXMLBytes reads the signatures of an XML document over itself or over files.
// each, if not nil, is told of every subject that is no counter-signature.
func (v *validation) readXMLBytes(doc []byte, files xades.Files, each func(*subject)) error {
	sigs, err := xades.Read(doc, files)
	switch {
	case xades.KindOf(err) == xades.Limit:
		return fail(Limit, err, "the XML document is too large")
	case err != nil:
		return fail(Unreadable, err, "the XML document cannot be read")
	}
	for i := range sigs {
		if len(v.doc.Contents) > 0 && len(sigs[i].Covers) > 0 && !namesFiles(&sigs[i]) {
			return fail(BadOptions, nil, "content was given for a file that is its own content")
		}
		s := v.addXML(&sigs[i], "")
		if each != nil {
			each(s)
		}
	}
	return nil
}

func namesFiles(x *xades.Signature) bool {
	for _, c := range x.Covers {
		if c.File != "" {
			return true
		}
	}
	return false
}

func (v *validation) addXML(x *xades.Signature, parent string) *subject {
	s := &subject{form: "XAdES", parent: parent, certificate: x.Certificate, claimed: x.SigningTime, value: x.Value,
		whole: x.CoversDocument && parent == "", evidence: x.Evidence(), algorithm: x.Algorithm, digests: x.Digests, reference: x.CertificateDigest, properties: x.Properties, stamps: x.Stamps}
	if len(s.evidence.Certificates) == 0 { // reading ended early; what is wrong is not the path
		s.evidence.Certificates = x.Certificates
	}
	for _, c := range x.Covers {
		if c.File != "" {
			s.covers = append(s.covers, c.File)
		}
	}
	if err := x.Verify(); err != nil {
		s.findings = append(s.findings, xmlFinding(err))
		s.whole = false
	}
	if x.HasEvidenceRecord() {
		s.findings = append(s.findings, remark("record-attribute"))
	}
	s.missing = x.Missing
	v.subjects = append(v.subjects, s)
	v.number()
	for i := range x.Countersignatures {
		if len(v.subjects) <= maxSubjects {
			v.addXML(&x.Countersignatures[i], s.id)
		}
	}
	return s
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
	case xades.Weak:
		return doubt(CryptoConstraintsFailureNoPOE, "weak-digest", "MD5")
	case xades.ContentMissing:
		return doubt(SignedDataNotFound, "content-missing")
	case xades.Unbound:
		return doubt(SigConstraintsFailure, "unbound")
	case xades.NotCovering:
		return doubt(SigConstraintsFailure, "not-covering")
	}
	return doubt(SigConstraintsFailure, "unsupported", err)
}
