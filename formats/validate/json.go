package validate

import (
	"io"
	"strings"

	"sigillo/formats/cms"
	"sigillo/formats/jades"
)

// readJSON reads JAdES signatures.
func (v *validation) readJSON(r io.ReaderAt, size int64) error {
	sigs, err := jades.Signatures(r, size)
	switch {
	case jades.KindOf(err) == cms.Limit:
		return fail(Limit, err, "the JSON text is too large")
	case jades.KindOf(err) == cms.Failed:
		return fail(Failed, err, "the file cannot be read")
	case err != nil:
		return fail(Unreadable, err, "the file is no signed JSON text")
	}
	var docs []jades.Document
	for _, c := range v.doc.Contents {
		docs = append(docs, jades.Document{Name: c.Name, Reader: c.Data, Size: c.Size})
	}
	for _, s := range sigs {
		if !s.Detached && len(docs) > 0 {
			return fail(BadOptions, nil, "content was given for a file that holds its own")
		}
		v.addJSON(s, "", docs)
	}
	return nil
}

func (v *validation) addJSON(j *jades.Signature, parent string, docs []jades.Document) {
	s := &subject{form: "JAdES", parent: parent, certificate: j.Certificate, evidence: j.Evidence(), claimed: j.SigningTime,
		properties: j.Properties, value: j.Value, algorithm: j.Algorithm, missing: j.Missing}
	var err error
	if parent != "" {
		s.stamps, err = j.Stamps(), j.Verify()
	} else {
		s.stamps, err = j.Stamps(docs...), j.Verify(docs...)
	}
	switch {
	case err == nil:
		if s.whole = parent == "" && len(j.Beside) == 0; len(j.Beside) > 0 {
			s.findings = append(s.findings, remark("beside", strings.Join(j.Beside, ", ")))
		}
	case parent == "" && j.Detached && len(docs) == 0:
		s.findings = append(s.findings, doubt(SignedDataNotFound, "content-missing"))
	default:
		s.findings = append(s.findings, kindFinding(jades.KindOf(err), err))
	}
	for _, r := range j.References {
		s.covers = append(s.covers, r.URI)
	}
	v.subjects = append(v.subjects, s)
	v.number()
	for _, c := range j.Counters {
		if len(v.subjects) <= maxSubjects {
			v.addJSON(c, s.id, nil)
		}
	}
}
