package changes

import (
	"fmt"
	"strings"

	"sigillo/formats/pdf"
)

// field is a field or a widget of the signed document.
type field struct {
	name   string
	kind   pdf.Name // /FT, its own or inherited
	filled bool     // it shows a value, its own or inherited
}

// addition is a signature field that was added later.
type addition struct {
	name  string
	dict  pdf.Dict
	pages []*page // with its widget
	stamp bool    // a document time-stamp
	index int     // of the change
}

// Limits of the form.
const (
	maxFields = 20_000
	maxDepth  = 32
)

// readForm gives the fields of the signed document their roles.
func (a *analysis) readForm() error {
	catalog, err := a.old.Catalog()
	if err != nil {
		return err
	}
	form, _, err := pdf.As[pdf.Dict](a.old, catalog["AcroForm"])
	if err != nil {
		return err
	}
	return a.readFields(form["Fields"], field{}, 0)
}

func (a *analysis) readFields(list pdf.Object, parent field, depth int) error {
	kids, _, err := pdf.As[pdf.Array](a.old, list)
	if err != nil {
		return err
	}
	if depth > maxDepth || len(a.fields)+len(kids) > maxFields {
		return &pdf.Error{Kind: pdf.Limit, Msg: "the form has too many fields or is too deep"}
	}
	for _, o := range kids {
		ref, ok := o.(pdf.Ref)
		if !ok || a.fields[ref] != nil || a.roles[ref] == pageNode {
			continue // no field that could be changed as one: it has to be equal
		}
		d, ok, err := pdf.As[pdf.Dict](a.old, ref)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		f := &field{name: parent.name, kind: parent.kind}
		if t, ok, _ := pdf.As[pdf.String](a.old, d["T"]); ok {
			f.name = strings.TrimPrefix(parent.name+"."+t.Text(), ".")
		}
		if ft, ok, _ := pdf.As[pdf.Name](a.old, d["FT"]); ok {
			f.kind = ft
		}
		if f.filled, err = a.filled(d, f.kind, parent.filled); err != nil {
			return err
		}
		a.fields[ref], a.roles[ref] = f, formField
		if err := a.readFields(d["Kids"], *f, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// filled tells whether a field of the signed document has a value to show. A push
// button has none, and shows its appearance.
func (a *analysis) filled(d pdf.Dict, kind pdf.Name, inherited bool) (bool, error) {
	v, err := a.old.Resolve(d["V"])
	if err != nil {
		return false, err
	}
	switch v := v.(type) {
	case pdf.String:
		return len(v) > 0, nil
	case pdf.Name:
		return v != "Off", nil
	case pdf.Array:
		return len(v) > 0, nil
	case nil, pdf.Null:
	default:
		return true, nil
	}
	if kind != "Btn" || inherited {
		return inherited, nil
	}
	ap, _, err := pdf.As[pdf.Dict](a.old, d["AP"])
	if err != nil {
		return false, err
	}
	_, button, err := pdf.As[*pdf.Stream](a.old, ap["N"]) // others have an appearance for each state
	return button, err
}

// form compares the interactive form.
func (a *analysis) form(o, n pdf.Object, root pdf.Ref) error {
	at := place{"Root/AcroForm", "AcroForm", root}
	ref, indirect := o.(pdf.Ref)
	if indirect && n != pdf.Object(ref) {
		return a.other(at.where, root)
	}
	if indirect {
		at.object = ref
	}
	was, _, err := pdf.As[pdf.Dict](a.old, o)
	if err != nil {
		return err
	}
	is, _, err := pdf.As[pdf.Dict](a.new, n)
	if err != nil {
		return err
	}
	for _, k := range keys(was, is) {
		_, old := was[k]
		switch {
		case k == "Fields":
			err = a.addFields(was[k], is[k], at.entry(k))
		case k == "SigFlags":
			if _, ok := is[k].(pdf.Integer); !ok {
				err = a.other(sub(at.where, k), at.object)
			}
		case !old && (k == "DR" || k == "DA"): // for the new fields; the old ones did without
		default:
			err = a.frozen(was[k], is[k], at.entry(k))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addFields compares /Fields, which may get signature fields at its end.
func (a *analysis) addFields(o, n pdf.Object, at place) error {
	if ref, ok := o.(pdf.Ref); ok && n != pdf.Object(ref) {
		return a.other(at.where, at.object)
	}
	was, _, err := pdf.As[pdf.Array](a.old, o)
	if err != nil {
		return err
	}
	is, _, err := pdf.As[pdf.Array](a.new, n)
	if err != nil {
		return err
	}
	if len(is) < len(was) || len(is) > maxFields {
		return a.other(at.where, at.object)
	}
	for i, x := range was {
		if err := a.frozen(x, is[i], at); err != nil { // fields are compared on their own
			return err
		}
	}
	for _, x := range is[len(was):] {
		if err := a.addField(x, at); err != nil {
			return err
		}
	}
	return nil
}

// addField looks at a field that was not there when the document was signed: a
// signature with a value, whose number was free.
func (a *analysis) addField(o pdf.Object, at place) error {
	ref, ok := o.(pdf.Ref)
	if !ok || a.added[ref] != nil {
		return a.other(at.where, at.object)
	}
	before, now, err := a.both(ref)
	if err != nil {
		return err
	}
	d, ok := now.(pdf.Dict)
	name, _, err := pdf.As[pdf.String](a.new, d["T"])
	if err != nil {
		return err
	}
	_, free := before.(pdf.Null)
	if !ok || !free || d["FT"] != pdf.Name("Sig") || d["V"] == nil || len(name) == 0 || strings.Contains(name.Text(), ".") ||
		d["Kids"] != nil || d["Parent"] != nil || d["A"] != nil || d["AA"] != nil {
		return a.other(at.where, ref)
	}
	a.added[ref] = &addition{name: name.Text(), dict: d, stamp: a.timestamp(d["V"]), index: len(a.changes)}
	return a.signed(d["V"], name.Text(), ref)
}

// signed reports a signature or document time-stamp that was added.
func (a *analysis) signed(v pdf.Object, name string, ref pdf.Ref) error {
	sig, ok, err := pdf.As[pdf.Dict](a.new, v)
	if err != nil {
		return err
	}
	if !ok {
		return a.other("field "+name, ref)
	}
	kind := Signature
	if a.timestamp(sig) {
		kind = Timestamp
	}
	return a.report(Change{Kind: kind, Where: "Root/AcroForm/Fields", Field: name, Object: ref, Page: a.pageOf(ref)})
}

// timestamp reports whether the value of a field is a document time-stamp.
func (a *analysis) timestamp(v pdf.Object) bool {
	sig, _, _ := pdf.As[pdf.Dict](a.new, v)
	sub, _, _ := pdf.As[pdf.Name](a.new, sig["SubFilter"])
	return sub == "ETSI.RFC3161"
}

// fillable are the entries that change when a field is filled in or signed.
var fillable = map[pdf.Name]bool{"V": true, "AP": true, "AS": true, "I": true, "TI": true, "RV": true, "M": true}

// compareFields compares the fields that were there.
func (a *analysis) compareFields() error {
	for _, ref := range ordered(a.fields) {
		f := a.fields[ref]
		o, n, ok, err := a.dicts(ref)
		if err != nil {
			return err
		}
		if !ok {
			err = a.other("field "+f.name, ref)
		} else {
			err = a.compareField(f, ref, o, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *analysis) compareField(f *field, ref pdf.Ref, o, n pdf.Dict) error {
	_, filled := o["V"]
	final := f.kind == "Sig" && filled // an older signature, or the very one
	changed, shown := false, false
	for _, k := range keys(o, n) {
		if final || !fillable[k] {
			if err := a.frozen(o[k], n[k], place{"field " + f.name + "/" + string(k), k, ref}); err != nil {
				return err
			}
			continue
		}
		same, err := a.equal(o[k], n[k], map[pdf.Ref]bool{})
		if err != nil {
			return err
		}
		changed = changed || !same
		shown = shown || !same && (k == "AP" || k == "AS")
	}
	switch {
	case !changed:
		return nil
	case f.kind == "Sig" && shown && a.timestamp(n["V"]): // which every certification allows, and which has nothing to show
		return a.other("field "+f.name+"/AP", ref)
	case f.kind == "Sig" && n["V"] != nil:
		return a.signed(n["V"], f.name, ref)
	case f.kind == "Sig" && a.signedAbove(n) != nil: // the widget of a field that is reported itself
		if a.timestamp(a.signedAbove(n)) && shown {
			return a.other("field "+f.name+"/AP", ref)
		}
		return a.report(Change{Kind: Signature, Where: "field " + f.name, Field: f.name, Object: ref, Page: a.pageOf(ref)})
	case f.kind == "Sig":
		return a.other("field "+f.name, ref)
	}
	kind := FormFill
	if f.filled {
		kind = FormChange
	}
	return a.report(Change{Kind: kind, Where: "field " + f.name, Field: f.name, Object: ref, Page: a.pageOf(ref)})
}

// signedAbove gives the value of the field that a widget belongs to, if it had none
// when the document was signed and has one now; nil otherwise.
func (a *analysis) signedAbove(widget pdf.Dict) pdf.Object {
	parent, ok := widget["Parent"].(pdf.Ref)
	if !ok || a.fields[parent] == nil {
		return nil
	}
	o, n, ok, err := a.dicts(parent)
	if err != nil || !ok || o["V"] != nil {
		return nil
	}
	return n["V"]
}

// pageOf gives the page on which a field that was there is shown, or the first of
// its widgets; 0: none.
func (a *analysis) pageOf(ref pdf.Ref) int {
	d, ok, err := pdf.As[pdf.Dict](a.new, ref)
	if err != nil || !ok {
		return 0
	}
	if page := a.widgets[ref]; page != 0 {
		if b, ok := a.rectangle(a.new, d["Rect"]); hidden(d) || ok && b.area() == 0 {
			return 0
		}
		return page
	}
	kids, _, _ := pdf.As[pdf.Array](a.new, d["Kids"])
	for _, k := range kids {
		if kid, ok := k.(pdf.Ref); ok && a.widgets[kid] != 0 {
			return a.widgets[kid]
		}
	}
	return 0
}

// maxCover is the part of a page that the widget of a new signature may cover, and
// maxCoverAll what all of them together may.
const (
	maxCover    = 0.25
	maxCoverAll = 0.5
)

// checkAdditions refuses new signatures whose appearance could hide or imitate
// what was signed: one that is on several pages, covers much of a page, or lies
// over an annotation or field that was there.
func (a *analysis) checkAdditions() error {
	for _, ref := range ordered(a.added) {
		add := a.added[ref]
		b, ok := a.rectangle(a.new, add.dict["Rect"])
		if hidden(add.dict) || ok && b.area() == 0 {
			continue
		}
		// A time-stamp is allowed by every certification and says nothing that could be shown.
		bad := !ok || len(add.pages) > 1 || add.stamp
		for _, pg := range add.pages {
			a.changes[add.index].Page = pg.number
			pg.covered += b.area()
			bad = bad || b.area() > maxCover*pg.area || pg.covered > maxCoverAll*pg.area
			for _, was := range pg.boxes {
				bad = bad || b.overlaps(was)
			}
		}
		if bad {
			where := fmt.Sprintf("field %s covers what was signed", add.name)
			if err := a.other(where, ref); err != nil {
				return err
			}
		}
	}
	return nil
}
