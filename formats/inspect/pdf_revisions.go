package inspect

import (
	"reflect"

	"sigillo/formats/pades/changes"
	"sigillo/formats/pdf"
)

// Limits of the form in which signatures are looked for.
const (
	maxPDFFields     = 20_000
	maxPDFFieldDepth = 32
)

// revisions refuses saved states that are not signatures: what a later one
// hides, a viewer or a careless hand brings back. A state may only add a
// signature that covers it whole, validation data (ETSI EN 319 142-1 §5.4), or
// what was filled into a form. A signature dictionary that lies about in the
// file could cover any other page, so what signing changes is looked at as
// well; /Perms names the signature that certifies (ISO 32000-2 §12.8.6).
func (p *pdfScan) revisions() error {
	p.ref, p.where = pdf.Ref{}, ""
	for i, rev := range p.f.Revisions() {
		after, err := p.f.At(i)
		if err != nil {
			return err
		}
		ends, err := signatureEnds(after)
		if err != nil {
			return err
		}
		if len(ends) > 0 {
			p.note("pdf.signed", "")
		}
		if i == 0 {
			continue
		}
		rule, err := p.judgeRevision(after, i, covered(ends, rev.End))
		if err != nil {
			return err
		}
		if rule != "" {
			p.note(rule, pdf.Ref{Num: i + 1}.String()+" %%EOF")
		}
	}
	return nil
}

// judgeRevision gives the rule that revision i, the newest of f, breaks; "" if none.
// Fields that were filled in and saved, be it with a signature or before the
// next one, are part of what is shown and confirmed as such: to save the document
// anew would break the signatures that it has.
func (p *pdfScan) judgeRevision(f *pdf.File, i int, signed bool) (string, error) {
	if !signed {
		if fine, err := p.onlyValidationData(i); err != nil || fine {
			return "", err
		}
	}
	list, err := changes.Analyse(f, i-1)
	if err != nil {
		return "", err
	}
	rule := ""
	for _, c := range list {
		switch c.Kind {
		case changes.Evidence, changes.Metadata:
		case changes.Signature, changes.Timestamp:
			if !signed {
				return "pdf.revisions", nil
			}
		case changes.FormFill, changes.FormChange:
			rule = "pdf.revisions.form"
		default:
			if c.Where != "Root/Perms" || !signed {
				return "pdf.revisions", nil
			}
		}
	}
	if rule == "" && !signed {
		rule = "pdf.revisions" // nothing that would be worth a state of its own
	}
	return rule, nil
}

// covered: a byte range ends with the revision, give or take the end-of-line
// mark after %%EOF.
func covered(ends []int64, end int64) bool {
	for _, e := range ends {
		if e <= end && e >= end-2 {
			return true
		}
	}
	return false
}

// signatureEnds gives the ends of the byte ranges of the signatures that are
// values of fields of the form (§12.7.5.5), all other being no signatures.
func signatureEnds(f *pdf.File) ([]int64, error) {
	catalog, err := f.Catalog()
	if err != nil {
		return nil, err
	}
	form, _, err := pdf.As[pdf.Dict](f, catalog["AcroForm"])
	if err != nil {
		return nil, err
	}
	var ends []int64
	seen := map[pdf.Ref]bool{}
	for todo, count := []formNode{{list: form["Fields"]}}, 0; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		kids, _, err := pdf.As[pdf.Array](f, n.list)
		if err != nil {
			return nil, err
		}
		if count += len(kids); count > maxPDFFields || n.depth > maxPDFFieldDepth {
			return nil, &pdf.Error{Kind: pdf.Limit, Msg: "the form has too many fields or is too deep"}
		}
		for _, o := range kids {
			if ref, ok := o.(pdf.Ref); ok {
				if seen[ref] {
					continue
				}
				seen[ref] = true
			}
			d, _, err := pdf.As[pdf.Dict](f, o)
			if err != nil {
				return nil, err
			}
			sig := n.sig
			if kind, err := f.Resolve(d["FT"]); err != nil {
				return nil, err
			} else if kind, ok := kind.(pdf.Name); ok {
				sig = kind == "Sig"
			}
			if end, ok, err := signatureEnd(f, d["V"]); err != nil {
				return nil, err
			} else if ok && sig {
				ends = append(ends, end)
			}
			todo = append(todo, formNode{d["Kids"], sig, n.depth + 1})
		}
	}
	return ends, nil
}

// formNode is a list of fields still to be looked at.
type formNode struct {
	list  pdf.Object
	sig   bool // /FT is inheritable
	depth int
}

// signatureEnd is where the two byte ranges of a signature end; the first has
// to begin with the file (EN 319 142-1 §5.3).
func signatureEnd(f *pdf.File, v pdf.Object) (int64, bool, error) {
	o, err := f.Resolve(v)
	d, ok := o.(pdf.Dict)
	if err != nil || !ok {
		return 0, false, err
	}
	parts, _, err := pdf.As[pdf.Array](f, d["ByteRange"])
	if err != nil || len(parts) != 4 || d["Contents"] == nil {
		return 0, false, err
	}
	var n [4]pdf.Integer
	for i, o := range parts {
		if n[i], ok, err = pdf.As[pdf.Integer](f, o); err != nil || !ok || n[i] < 0 {
			return 0, false, err
		}
	}
	return int64(n[2] + n[3]), n[0] == 0 && n[1] > 0 && n[1] < n[2], nil
}

// onlyValidationData compares revision i with the one before: nothing may have
// changed but /DSS and /Extensions in the catalog, and nothing have been added
// but what these lead to and the means to store it.
func (p *pdfScan) onlyValidationData(i int) (bool, error) {
	before, err := p.f.At(i - 1)
	if err != nil {
		return false, err
	}
	after, err := p.f.At(i)
	if err != nil {
		return false, err
	}
	root := after.Trailer()["Root"]
	if before.Trailer()["Root"] != root {
		return false, nil
	}
	old := map[pdf.Ref]bool{}
	for ref := range before.Objects() {
		old[ref] = true
		a, err := before.Get(ref)
		if err != nil {
			return false, err
		}
		b, err := after.Get(ref)
		if err != nil {
			return false, err
		}
		if pdf.Object(ref) == root {
			a, b = withoutDSS(a), withoutDSS(b)
		}
		if !reflect.DeepEqual(a, b) {
			return false, nil
		}
	}
	catalog, err := after.Catalog()
	if err != nil {
		return false, err
	}
	if err := mark(after, pdf.Array{catalog["DSS"], catalog["Extensions"]}, old); err != nil {
		return false, err
	}
	for ref := range after.Objects() {
		if old[ref] {
			continue
		}
		o, err := after.Get(ref)
		stream, ok := o.(*pdf.Stream)
		if err != nil || !ok || stream.Dict["Type"] != pdf.Name("XRef") && stream.Dict["Type"] != pdf.Name("ObjStm") {
			return false, err
		}
	}
	return true, nil
}

// mark adds the objects of f that o leads to.
func mark(f *pdf.File, o pdf.Object, marked map[pdf.Ref]bool) error {
	for todo := []pdf.Object{o}; len(todo) > 0; {
		last := len(todo) - 1
		o, todo = todo[last], todo[:last]
		switch v := o.(type) {
		case pdf.Ref:
			if marked[v] {
				continue
			}
			marked[v] = true
			target, err := f.Get(v)
			if err != nil {
				return err
			}
			todo = append(todo, target)
		case pdf.Array:
			todo = append(todo, v...)
		case pdf.Dict:
			for _, entry := range v {
				todo = append(todo, entry)
			}
		case *pdf.Stream:
			todo = append(todo, v.Dict)
		}
	}
	return nil
}

func withoutDSS(o pdf.Object) pdf.Object {
	d, ok := o.(pdf.Dict)
	if !ok {
		return o
	}
	d = d.Clone()
	delete(d, "DSS")
	delete(d, "Extensions")
	return d
}
