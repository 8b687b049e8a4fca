package pades

import (
	"math"
	"slices"
	"strings"

	"sigillo/formats/pdf"
	"sigillo/formats/pdf/appearance"
)

// target is the field that the new signature will be the value of.
type target struct {
	name string
	ref  pdf.Ref // the field's object; zero: it will be made
	lock *Lock
	seed pdf.Dict // seed values, nil if there are none
}

// target finds the field that is asked for, or names a new one: "" is the first free name.
func (fm *form) target(name string, lock *Lock) (target, error) {
	if name == "" {
		return target{name: fm.freeName(), lock: lock}, nil
	}
	called := func(fd field) bool { return fd.name == name }
	if slices.ContainsFunc(fm.signed, called) {
		return target{}, failure(NotPermitted, "the field %q is signed already", printable(name))
	}
	i := slices.IndexFunc(fm.empty, called)
	if i < 0 {
		if fm.names[name] || strings.Contains(name, ".") {
			return target{}, failure(BadOptions, "there is no signature field %q, and none can be made of that name", printable(name))
		}
		return target{name: name, lock: lock}, nil
	}
	if slices.ContainsFunc(fm.empty[i+1:], called) {
		return target{}, failure(Malformed, "the form has several fields %q", printable(name))
	}
	if lock != nil {
		return target{}, failure(BadOptions, "the field %q exists, and what it locks cannot be chosen", printable(name))
	}
	d, _, err := pdf.As[pdf.Dict](fm.f, fm.empty[i].ref)
	if err != nil {
		return target{}, err
	}
	t := target{name: name, ref: fm.empty[i].ref}
	if t.seed, _, err = pdf.As[pdf.Dict](fm.f, d["SV"]); err != nil {
		return target{}, err
	}
	t.lock, err = fm.readLock(d["Lock"])
	return t, err
}

// widget is what a new signature shows, and where.
type widget struct {
	page       int // from 1; 0: the first
	rect       [4]float64
	appearance *appearance.Appearance
}

func (w widget) check() error {
	switch {
	case w.page < 0:
		return failure(BadOptions, "pages are counted from 1")
	case w.rect != [4]float64{} && w.appearance == nil:
		return failure(BadOptions, "a rectangle needs an appearance to be shown in it")
	}
	for _, v := range w.rect {
		if math.IsNaN(v) || math.Abs(v) > maxCoordinate {
			return failure(BadOptions, "the rectangle of the signature has an impossible coordinate")
		}
	}
	return nil
}

const maxCoordinate = 1e6

// sign makes sig the value of the field, and sets /SigFlags to SignaturesExist and AppendOnly (ISO 32000-1 §12.7.2, table 219).
func (e *edit) sign(t target, sig pdf.Ref, w widget) error {
	var err error
	if t.ref == (pdf.Ref{}) {
		err = e.newField(t, sig, w)
	} else {
		err = e.fillField(t, sig, w)
	}
	if err != nil {
		return err
	}
	flags, _, err := pdf.As[pdf.Integer](e.f, e.form.dict["SigFlags"])
	if err != nil || flags&3 == 3 {
		return err
	}
	d, err := e.acroForm()
	if err == nil {
		d["SigFlags"] = flags | 3
	}
	return err
}

// newField adds a signature field that is its own widget to the form and to a page (§12.7.4.5, §12.5.6.19). Every
// other entry of the form, of the catalog and of the page stays.
func (e *edit) newField(t target, sig pdf.Ref, w widget) error {
	page, err := e.page(max(w.page, 1))
	if err != nil {
		return err
	}
	d := pdf.Dict{
		"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Widget"), "FT": pdf.Name("Sig"),
		"T": pdf.TextString(t.name), "V": sig, "P": page.Ref,
		"Rect": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(0), pdf.Integer(0)},
		"F":    pdf.Integer(annotPrint | annotLocked), // PDF/A asks for Print
	}
	if t.lock != nil {
		d["Lock"] = t.lock.dict("SigFieldLock")
		if t.lock.Permission != 0 {
			d["Lock"].(pdf.Dict)["P"] = pdf.Integer(t.lock.Permission)
		}
	}
	switch {
	case w.appearance == nil && appearance.ArchivePart(e.f) == 1:
		// Nothing is drawn, and PDF/A-1 wants an appearance all the same (ISO 19005-1 §6.9). Elsewhere it is left out:
		// pyHanko takes it for a change of the form where an earlier signature locks all fields.
		nothing, err := e.add(&pdf.NewStream{Dict: pdf.Dict{"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Form"),
			"BBox": pdf.Array{pdf.Integer(0), pdf.Integer(0), pdf.Integer(0), pdf.Integer(0)}, "Resources": pdf.Dict{}}})
		if err != nil {
			return err
		}
		d["AP"] = pdf.Dict{"N": nothing}
	case w.appearance != nil:
		g, err := readGeometry(e.f, page)
		if err != nil {
			return err
		}
		rect, err := g.user(w.rect)
		if err != nil {
			return err
		}
		d["Rect"] = numbers(rect)
		if err := e.draw(d, *w.appearance, g, rect); err != nil {
			return err
		}
	}
	ref, err := e.add(d)
	if err != nil {
		return err
	}
	own := func() (pdf.Dict, error) { return e.own(page.Ref, page.Dict), nil }
	if err := e.appendTo(page.Dict, own, "Annots", ref); err != nil {
		return err
	}
	return e.appendTo(e.form.dict, e.acroForm, "Fields", ref)
}

// fillField gives an empty field its value. The field, its widgets and their pages stay as they are, but for the appearance.
func (e *edit) fillField(t target, sig pdf.Ref, w widget) error {
	if w.page != 0 || w.rect != [4]float64{} {
		return failure(BadOptions, "the field %q exists and has its place; give neither page nor rectangle", printable(t.name))
	}
	d, _, err := pdf.As[pdf.Dict](e.f, t.ref)
	if err != nil {
		return err
	}
	e.own(t.ref, d)["V"] = sig
	if w.appearance == nil {
		return nil
	}
	at, err := e.onlyWidget(t, d)
	if err != nil {
		return err
	}
	wd, _, err := pdf.As[pdf.Dict](e.f, at)
	if err != nil {
		return err
	}
	rect, ok, err := readRect(e.f, wd["Rect"])
	if err != nil {
		return err
	}
	if !ok || rect[0] == rect[2] || rect[1] == rect[3] {
		return failure(BadOptions, "the field %q has no area on its page, so nothing can be shown there", printable(t.name))
	}
	page, err := e.pageOf(at, wd)
	if err != nil {
		return err
	}
	g, err := readGeometry(e.f, page)
	if err != nil {
		return err
	}
	flags, _, err := pdf.As[pdf.Integer](e.f, wd["F"])
	if err != nil {
		return err
	}
	own := e.own(at, wd)
	own["F"] = (flags | annotPrint) &^ (annotInvisible | annotHidden | annotNoView)
	return e.draw(own, *w.appearance, g, rect)
}

// Annotation flags (§12.5.3, table 165).
const (
	annotInvisible = 1 << 0
	annotHidden    = 1 << 1
	annotPrint     = 1 << 2
	annotNoView    = 1 << 5
	annotLocked    = 1 << 7
)

// onlyWidget finds the widget of a field: the field itself, or its only kid.
func (e *edit) onlyWidget(t target, d pdf.Dict) (pdf.Ref, error) {
	if d["Subtype"] == pdf.Name("Widget") {
		return t.ref, nil
	}
	kids, _, err := pdf.As[pdf.Array](e.f, d["Kids"])
	if err != nil {
		return pdf.Ref{}, err
	}
	if len(kids) == 1 {
		if ref, ok := kids[0].(pdf.Ref); ok && !e.form.missing[ref] {
			return ref, nil
		}
	}
	return pdf.Ref{}, failure(Unsupported, "the field %q does not have one place on one page, so a visible signature cannot be put there", printable(t.name))
}

// draw puts the appearance into a widget with this rectangle.
func (e *edit) draw(d pdf.Dict, a appearance.Appearance, g geometry, rect [4]float64) error {
	a.Rotate = g.rotate
	a.Width, a.Height = rect[2]-rect[0], rect[3]-rect[1]
	if g.rotate%180 != 0 {
		a.Width, a.Height = a.Height, a.Width
	}
	if err := e.clear(maxDrawn); err != nil {
		return err
	}
	form, err := a.Add(e.u)
	if err != nil {
		return fromAppearance(err)
	}
	d["AP"] = pdf.Dict{"N": form}
	return nil
}

// maxDrawn is more than the objects of an appearance.
const maxDrawn = 64

// page gives page n, counted from 1, and remembers which annotations it has that are not there.
func (e *edit) page(n int) (pdf.Page, error) {
	i := 0
	for p, err := range e.f.Pages() {
		if err != nil {
			return p, fromPDF(err)
		}
		if i++; i < n {
			continue
		}
		annots, _, err := pdf.As[pdf.Array](e.f, p.Dict["Annots"])
		if err != nil {
			return p, err
		}
		e.form.mention(annots, 0)
		return p, nil
	}
	if i == 0 {
		return pdf.Page{}, failure(Malformed, "the document has no pages")
	}
	return pdf.Page{}, failure(BadOptions, "the document has no page %d, only %d pages", n, i)
}

// maxAnnots bounds the search for a widget.
const maxAnnots = 1_000_000

// pageOf finds the page of a widget: its /P, or the one that lists it.
func (e *edit) pageOf(ref pdf.Ref, d pdf.Dict) (pdf.Page, error) {
	at, stated := d["P"].(pdf.Ref)
	looked := 0
	for p, err := range e.f.Pages() {
		if err != nil {
			return p, fromPDF(err)
		}
		if stated && p.Ref == at {
			return p, nil
		}
		if stated {
			continue
		}
		annots, _, err := pdf.As[pdf.Array](e.f, p.Dict["Annots"])
		if err != nil {
			return p, err
		}
		if looked += len(annots); looked > maxAnnots {
			return p, failure(Limit, "the document has more than %d annotations", maxAnnots)
		}
		if slices.Contains(annots, pdf.Object(ref)) {
			return p, nil
		}
	}
	return pdf.Page{}, failure(Malformed, "the place of the signature field is on no page")
}
