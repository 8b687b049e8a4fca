package validate

import (
	"crypto"
	"io"
	"slices"
	"strings"

	"sigillo/formats/ades"
	"sigillo/formats/asic"
	"sigillo/formats/cms"
	"sigillo/formats/ers"
	"sigillo/formats/xades"
)

// readASiC reads the signatures of a container. A time-stamp of the container
// that is over a signature is reported with it; one that is over none is a
// subject of its own.
func (v *validation) readASiC(r io.ReaderAt, size int64) error {
	c, err := asic.Open(r, size)
	switch asic.KindOf(err) {
	case "":
		if err != nil {
			return fail(Unreadable, err, "the container cannot be read")
		}
	case cms.Limit:
		return fail(Limit, err, "the container is too large")
	case cms.Failed:
		return fail(Failed, err, "the file cannot be read")
	default:
		return fail(Unreadable, err, "the container cannot be read")
	}
	v.form = "ASiC-" + map[asic.Type]string{asic.Simple: "S", asic.Extended: "E"}[c.Type]
	remarks := containerFindings(c)
	over := map[object]bool{}
	for _, s := range c.Signatures() {
		if len(v.subjects) > maxSubjects {
			break
		}
		for _, st := range s.Stamps() {
			over[v.sums.of(st.DER)] = true
		}
		e := v.addContained(s)
		e.findings = append(e.findings, remarks...)
	}
	for _, t := range c.Stamps() {
		if !over[v.sums.of(t.Stamp.DER)] {
			v.addContainerStamp(t, remarks)
		}
	}
	for _, r := range c.Records() {
		if len(v.subjects) > maxSubjects {
			break
		}
		if err := v.addContainerRecord(r, remarks); err != nil {
			return err
		}
	}
	return nil
}

// containerFindings is what speaks against a container as a whole: a document
// that nobody signed would be taken for a signed one.
func containerFindings(c *asic.Container) (out []finding) {
	for _, name := range c.Uncovered() {
		if asic.IsXMLRecord(name) {
			out = append(out, remark("record-unread", name))
		} else if strings.HasPrefix(name, "META-INF/") {
			out = append(out, remark("uncovered-meta", name))
		} else {
			out = append(out, doubt(SigConstraintsFailure, "uncovered", name))
		}
	}
	for _, text := range c.Irregular {
		out = append(out, remark("irregular", text))
	}
	return out[:min(len(out), 16)]
}

// addContained reads a signature of a container and those that countersign it.
func (v *validation) addContained(a *asic.Signature) *subject {
	var s *subject
	switch {
	case a.XML != nil:
		s = v.addXML(a.XML, "")
	case a.Message != nil && a.Signer != nil:
		s = v.addSigner(string(a.Form), "", a.Message, a.Signer, a.ContentDigest)
	default:
		s = &subject{form: string(a.Form), findings: []finding{failed(FormatFailure, "format", a.Verify())}}
		v.subjects = append(v.subjects, s)
		v.number()
		return s
	}
	if passed(s.findings) {
		s.digests = append(s.digests, a.Digests()...)
		if err := a.Verify(); err != nil && asic.KindOf(err) != cms.Weak { // that is for the policy, see signatureCrypto
			s.findings = append(s.findings, containedFinding(err))
		}
	}
	s.evidence, s.stamps, s.missing, s.whole = a.Evidence(), a.Stamps(), a.Missing, a.CoversAll() && passed(s.findings)
	s.covers = nil
	for _, d := range a.Documents {
		s.covers = append(s.covers, d.Name)
	}
	return s
}

// containedFinding is about an error of package asic, which lets those of xades
// come through.
func containedFinding(err error) finding {
	if xades.KindOf(err) != "" {
		return xmlFinding(err)
	}
	return kindFinding(asic.KindOf(err), err)
}

// addContainerRecord reads an evidence record over documents of a container (EN 319
// 162-1 §4.3.3.2, §4.4.3.2). As with its time-stamps the documents themselves are not
// looked into; for the signatures of the container it is no proof of existence.
func (v *validation) addContainerRecord(r *asic.Record, remarks []finding) error {
	err := r.Err
	if err == nil {
		_, err = ers.Parse(r.Raw)
	}
	if err != nil {
		f := failed(FormatFailure, "format", err)
		if r.Err != nil {
			f = containedFinding(err)
		}
		v.subjects = append(v.subjects, &subject{form: "RFC4998", findings: append([]finding{f}, remarks...)})
		v.number()
		return nil
	}
	e := envelope{form: "RFC4998", closed: true, findings: slices.Clone(remarks)}
	var documents []ers.Document
	for _, d := range r.Documents {
		documents = append(documents, ers.Document{Name: d.Name, Digest: func(h crypto.Hash) ([]byte, error) { return r.Digest(d, h) }})
		e.names = append(e.names, d.Name)
	}
	return v.addRecord(r.Raw, e, documents)
}

// addContainerStamp reads a time-stamp over documents alone.
func (v *validation) addContainerStamp(t *asic.ContainerStamp, remarks []finding) {
	token, err := v.parseToken(t.Stamp.DER)
	if err != nil {
		v.subjects = append(v.subjects, &subject{form: "RFC3161", findings: []finding{failed(FormatFailure, "format", err)}})
		v.number()
		return
	}
	s := tokenSubject(token, t.Stamp.DER)
	s.findings = v.tokenFindings(token, t.Stamp.Imprint)
	if err := t.Verify(); err != nil && passed(s.findings) {
		s.findings = append(s.findings, containedFinding(err))
	}
	for _, d := range t.Documents {
		s.covers = append(s.covers, d.Name)
	}
	s.findings = append(s.findings, remarks...)
	if t.Stamp.Kind == ades.DocumentStamp {
		s.whole = passed(s.findings)
	}
	v.subjects = append(v.subjects, s)
	v.number()
}
