package inspect

import "sigillo/formats/pdf"

const (
	maxPDFRevisions = 64 // each is walked whole
	maxPDFScript    = 4 << 10
)

// pdf inspects a PDF: every object in use in every revision, those in object
// streams and those nothing refers to included, since a viewer may be led to
// any of them. Streams of images, fonts and page contents are not inflated.
func (s *scan) pdf() {
	f, err := pdf.Open(s.r, s.size, pdf.Limits{})
	if err != nil {
		s.pdfError(err)
		return
	}
	if f.Encrypted() {
		s.add("pdf.encrypted", "", "")
		return
	}
	revisions := f.Revisions()
	if len(revisions) > maxPDFRevisions {
		s.add("pdf.limit", "", "revisions")
		return
	}
	p := &pdfScan{report: s.report, f: f, seen: map[Finding]bool{}, uses: map[pdf.Ref]int{}, data: map[int64]int64{}}
	if err := p.walk(); err != nil {
		s.pdfError(err)
		return
	}
	switch pages, err := f.PageCount(); {
	case err != nil:
		s.pdfError(err)
	case pages == 0:
		s.add("pdf.malformed", "", "no pages") // some programs look for pages elsewhere then
	}
	for i := len(revisions) - 2; i >= 0; i-- {
		old, err := f.At(i)
		if err == nil && old.Encrypted() {
			s.add("pdf.encrypted", "", "")
			return
		}
		if err == nil {
			p.f = old
			err = p.walk()
		}
		if err != nil {
			s.pdfError(err)
			return
		}
	}
	p.f = f
	if err := p.revisions(); err != nil {
		s.pdfError(err)
	}
	if err := p.orphans(s.r, s.size); err != nil {
		s.pdfError(err)
	}
}

func (s *scan) pdfError(err error) {
	switch pdf.KindOf(err) {
	case pdf.Encrypted:
		s.add("pdf.encrypted", "", "")
	case pdf.Limit:
		s.add("pdf.limit", "", err.Error())
	default:
		s.add("pdf.malformed", "", err.Error())
	}
}

// pdfScan is one PDF under inspection; f is the revision being walked.
type pdfScan struct {
	*report
	f     *pdf.File
	where string           // "": in the object ref
	ref   pdf.Ref          // the object being visited, if any
	seen  map[Finding]bool // the same object is met again in every later revision

	uses  map[pdf.Ref]int // in how many revisions an object is in use
	data  map[int64]int64 // the data of streams: where it begins and how long it is
	packs []*pdf.Stream   // the object streams
}

// note is add for things that other revisions will show again.
func (p *pdfScan) note(rule, quote string) {
	where := p.where
	if where == "" && p.ref != (pdf.Ref{}) { // only now: most objects have no finding
		where = "object " + p.ref.String()
	}
	key := Finding{Rule: rule, Where: where, Quote: quote}
	if p.seen[key] {
		return
	}
	if len(p.seen) < 10*maxFindings {
		p.seen[key] = true
	}
	p.add(rule, where, quote)
}

// walk visits every object of the revision p.f.
func (p *pdfScan) walk() error {
	for ref := range p.f.Objects() {
		o, err := p.f.Get(ref)
		if err != nil {
			return err
		}
		p.ref, p.where = ref, ""
		p.locate(ref, o)
		if err := p.visit(o); err != nil {
			return err
		}
	}
	p.where = "catalog"
	catalog, err := p.f.Catalog()
	if err != nil {
		return err
	}
	return p.catalog(catalog)
}

// visit goes through a value without following references: what they lead to
// is an object that walk comes to by itself.
func (p *pdfScan) visit(o pdf.Object) error {
	switch o := o.(type) {
	case pdf.Array:
		for _, e := range o {
			if err := p.visit(e); err != nil {
				return err
			}
		}
	case pdf.Dict:
		return p.visitDict(o)
	case *pdf.Stream:
		if err := p.stream(o.Dict); err != nil {
			return err
		}
		return p.visitDict(o.Dict)
	}
	return nil
}

func (p *pdfScan) visitDict(d pdf.Dict) error {
	for _, judge := range []func(pdf.Dict) error{p.action, p.event, p.attachment, p.annotation, p.annotated, p.field, p.font, p.graphics, p.layer} {
		if err := judge(d); err != nil {
			return err
		}
	}
	for _, v := range d {
		if err := p.visit(v); err != nil {
			return err
		}
	}
	return nil
}

// get resolves the entry key of d; a missing one is Null.
func (p *pdfScan) get(d pdf.Dict, key pdf.Name) (pdf.Object, error) {
	o, ok := d[key]
	if !ok {
		return pdf.Null{}, nil
	}
	return p.f.Resolve(o)
}

func (p *pdfScan) name(d pdf.Dict, key pdf.Name) (pdf.Name, error) {
	o, err := p.get(d, key)
	n, _ := o.(pdf.Name)
	return n, err
}

func (p *pdfScan) dict(d pdf.Dict, key pdf.Name) (pdf.Dict, error) {
	o, err := p.get(d, key)
	v, _ := o.(pdf.Dict)
	return v, err
}

func (p *pdfScan) array(d pdf.Dict, key pdf.Name) (pdf.Array, error) {
	o, err := p.get(d, key)
	v, _ := o.(pdf.Array)
	return v, err
}

// catalog judges what counts for the whole document (ISO 32000-2 §7.7.2).
func (p *pdfScan) catalog(c pdf.Dict) error {
	open, err := p.get(c, "OpenAction")
	if err != nil {
		return err
	}
	if action, ok := open.(pdf.Dict); ok {
		kind, err := p.name(action, "S")
		if err != nil {
			return err
		}
		if kind != "GoTo" {
			p.note("pdf.action.event", "OpenAction "+string(kind))
		}
	}
	if o, err := p.get(c, "Collection"); err != nil {
		return err
	} else if _, ok := o.(pdf.Dict); ok {
		p.note("pdf.attachment", "Collection")
	}
	if o, err := p.get(c, "NeedsRendering"); err != nil {
		return err
	} else if o == pdf.Bool(true) {
		p.note("pdf.xfa", "NeedsRendering")
	}
	form, err := p.dict(c, "AcroForm")
	if err != nil {
		return err
	}
	if o, err := p.get(form, "XFA"); err != nil {
		return err
	} else if _, null := o.(pdf.Null); !null {
		p.note("pdf.xfa", "/XFA")
	}
	names, err := p.dict(c, "Names")
	if err != nil {
		return err
	}
	for key, rule := range map[pdf.Name]string{"JavaScript": "pdf.javascript", "EmbeddedFiles": "pdf.attachment"} {
		if o, err := p.dict(names, key); err != nil {
			return err
		} else if o != nil {
			p.note(rule, "/"+string(key))
		}
	}
	if o, err := p.get(form, "NeedAppearances"); err != nil {
		return err
	} else if o == pdf.Bool(true) {
		p.note("pdf.form.appearances", "NeedAppearances")
	}
	return p.optionalContent(c)
}
