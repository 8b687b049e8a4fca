package validate

import (
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/pades"
	"sigillo/formats/pades/changes"
)

// readPDF reads the signatures of a PDF. A document time-stamp that is over a
// signature is reported with it; one that is not is a subject of its own.
func (v *validation) readPDF(r io.ReaderAt, size int64) error {
	doc, err := pades.Open(r, size, v.doc.Password)
	switch pades.KindOf(err) {
	case pades.Failed:
		return fail(Failed, err, "the file cannot be read")
	case pades.Encrypted:
		return fail(Encrypted, err, "the PDF is encrypted")
	case pades.Limit:
		return fail(Limit, err, "the PDF is too large")
	}
	if err != nil {
		return fail(Unreadable, err, "the PDF cannot be read")
	}
	sigs := doc.Signatures()
	later := newRevisions(doc)
	over := map[object]bool{} // document time-stamps over signatures
	for i := range sigs {
		if s := &sigs[i]; !s.IsTimestamp() && s.Err == nil {
			for _, st := range s.Stamps() {
				over[v.sums.of(st.DER)] = true
			}
		}
	}
	for i := range sigs {
		s := &sigs[i]
		if len(v.subjects) > maxSubjects {
			break
		}
		if s.IsTimestamp() && s.Err == nil && over[v.sums.of(s.CMS)] {
			if s.Later == 0 {
				v.trailing(s, size)
			}
			continue
		}
		v.addPDF(s, size, later)
	}
	return nil
}

// trailing puts what stands after the last document time-stamp against all
// signatures before it.
func (v *validation) trailing(s *pades.Signature, size int64) {
	if f := appended(s, size); f != nil {
		for _, e := range v.subjects {
			e.findings = append(e.findings, *f)
		}
	}
}

// addPDF reads the CMS of a PDF signature (EN 319 142-1 §6.3), and the counter-
// signatures under it.
func (v *validation) addPDF(p *pades.Signature, size int64, later *revisions) {
	s, sd := v.pdfSubject(p)
	s.field = p.Field
	if !broken(s.findings) && p.Covers != pades.WholeFile {
		if f := appended(p, size); f != nil {
			s.findings = append(s.findings, *f)
		} else if p.Later > 0 {
			s.later, s.revisions = func() ([]finding, []ChangeReport) { return later.after(p) }, p.Later
		}
	}
	v.subjects = append(v.subjects, s)
	v.number()
	if sd == nil {
		return
	}
	for _, c := range sd.Signers[0].CounterSignatures {
		v.addSigner("CAdES", s.id, sd, c, p.ContentDigest)
	}
}

func (v *validation) pdfSubject(p *pades.Signature) (*subject, *cms.SignedData) {
	s := &subject{form: "PDF"}
	if p.Err != nil {
		s.findings = []finding{failed(FormatFailure, "format", p.Err)}
		return s, nil
	}
	if p.IsTimestamp() {
		t, err := cms.ParseToken(p.CMS)
		if err != nil {
			s.findings = []finding{failed(FormatFailure, "format", err)}
			return s, nil
		}
		s = tokenSubject(t, p.CMS)
		s.evidence = p.Evidence()
		s.stamps = p.Stamps()
		s.findings = v.tokenFindings(t, p.ContentDigest)
		return s, nil
	}
	switch p.SubFilter {
	case "ETSI.CAdES.detached":
		s.form = "PAdES"
	case "adbe.pkcs7.detached":
	default:
		s.findings = []finding{doubt(SigConstraintsFailure, "unsupported", "SubFilter "+p.SubFilter)}
		return s, nil
	}
	sd, err := p.Message()
	if err == nil && (len(sd.Signers) != 1 || sd.HasContent()) {
		err = errors.New("one signer and no content are expected")
	}
	if err != nil {
		s.findings = []finding{failed(FormatFailure, "format", err)}
		return s, nil
	}
	form := s.form
	s = cmsSubject(form, sd, sd.Signers[0], p.ContentDigest)
	s.evidence = p.Evidence()
	s.stamps = p.Stamps()
	if s.claimed.IsZero() {
		s.claimed = p.Time
	}
	if form == "PAdES" {
		s.missing = p.Missing
	} else {
		s.missing = func(ades.Level) []string { return []string{"SubFilter ETSI.CAdES.detached"} }
	}
	return s, sd
}

// appended says that something stands after the signed part that is no revision.
func appended(s *pades.Signature, size int64) *finding {
	end := s.ByteRange[2] + s.ByteRange[3]
	if s.Err != nil || s.Covers == pades.WholeFile || s.Later > 0 || size-end <= int64(len("\r\n")) { // the end of line after %%EOF may come later
		return nil
	}
	f := doubt(SigConstraintsFailure, "appended")
	return &f
}

// maxAnalyses bounds the comparisons of revisions, each of which may cost a walk
// through the whole document twice.
const maxAnalyses = 32

// revisions judges what later revisions of a document changed.
type revisions struct {
	doc       *pades.Document
	done      int              // analyses
	certified pades.Permission // of the first certification signature; 0: none
}

func newRevisions(doc *pades.Document) *revisions {
	l := &revisions{doc: doc}
	for _, s := range doc.Signatures() {
		if s.Certification != 0 && l.certified == 0 {
			l.certified = s.Certification
		}
	}
	return l
}

// after says what later revisions changed of what a signature covers, and whether
// they may (ISO 32000-2 §12.8.2.2, §12.8.2.4). permitted are the changes but for
// evidence and time-stamps; where they show anything, it is said on which pages, for
// it may lie over what was signed: other validators take that as it comes as well.
func (l *revisions) after(s *pades.Signature) (fs []finding, permitted []ChangeReport) {
	if l.done++; l.done > maxAnalyses {
		return []finding{doubt(SigConstraintsFailure, "later-revisions", s.Later)}, nil
	}
	found, err := changes.Analyse(l.doc.File(), s.Revision)
	if err != nil {
		return []finding{doubt(SigConstraintsFailure, "changed-later", err)}, nil
	}
	p := l.permissions(s)
	seen, refused := map[changes.Kind]bool{}, []changes.Change{}
	var pages []int
	for _, c := range found {
		seen[c.Kind] = true
		if c.Kind != changes.Evidence && c.Kind != changes.Timestamp {
			permitted = append(permitted, ChangeReport{string(c.Kind), printable(c.Field), c.Page})
			if c.Page != 0 {
				pages = append(pages, c.Page)
			}
		}
		if !p.Allow(c) && len(refused) < 3 {
			refused = append(refused, c)
		}
	}
	if len(refused) > 0 {
		return []finding{changedLater(refused)}, nil
	}
	for _, k := range []changes.Kind{changes.Evidence, changes.Timestamp, changes.Signature, changes.FormFill, changes.FormChange, changes.Annotation, changes.Metadata} {
		if seen[k] {
			fs = append(fs, remark("added-"+string(k)))
		}
	}
	if len(pages) > 0 {
		fs = append(fs, remark("shown-later", numbers(pages), s.ByteRange[2]+s.ByteRange[3]))
	}
	return fs, permitted
}

// numbers names each of some pages once, in order.
func numbers(pages []int) string {
	slices.Sort(pages)
	var out []string
	for _, n := range slices.Compact(pages) {
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, ", ")
}

// permissions are the stricter of what the document's certification and the
// signature itself say.
func (l *revisions) permissions(s *pades.Signature) changes.Permissions {
	var p changes.Permissions
	own := []pades.Permission{l.certified, s.Certification, s.DocMDP}
	if s.FieldMDP != nil {
		own = append(own, s.FieldMDP.Permission)
		p.Locked = s.FieldMDP.Covers
	}
	if s.Lock != nil {
		own = append(own, s.Lock.Permission)
	}
	for _, o := range own {
		if o != 0 && (p.DocMDP == 0 || int(o) < p.DocMDP) {
			p.DocMDP = int(o)
		}
	}
	return p
}
