package changes

import (
	"fmt"
	"math"

	"sigillo/formats/pdf"
)

// page is a page of the signed document.
type page struct {
	ref     pdf.Ref
	number  int
	area    float64    // that is shown, in square points
	covered float64    // by new signatures and annotations
	annots  pdf.Object // as in the dictionary
	boxes   []box      // of the annotations that were there
}

// readPages gives the nodes of the signed page tree and the annotations their roles.
func (a *analysis) readPages() error {
	for p, err := range a.old.Pages() {
		if err != nil {
			return err
		}
		pg := page{ref: p.Ref, number: len(a.pages) + 1, annots: p.Dict["Annots"], area: a.visible(p).area()}
		list, _, err := pdf.As[pdf.Array](a.old, p.Dict["Annots"])
		if err != nil {
			return err
		}
		for _, o := range list {
			ref, ok := o.(pdf.Ref)
			if ok && a.roles[ref] == 0 {
				a.roles[ref] = annotation
			}
			if ok && a.widgets[ref] == 0 {
				a.widgets[ref] = pg.number
			}
			d, _, err := pdf.As[pdf.Dict](a.old, o)
			if err != nil {
				return err
			}
			if b, ok := a.rectangle(a.old, d["Rect"]); ok && b.area() > 0 && !hidden(d) {
				pg.boxes = append(pg.boxes, b)
			}
		}
		a.pages = append(a.pages, pg)
		if err := a.nodes(p.Ref); err != nil {
			return err
		}
	}
	return nil
}

// visible is the part of a page that is shown (ISO 32000-1 §14.11.2): the CropBox as
// far as it is in the MediaBox. What has none is shown as a letter by most readers.
func (a *analysis) visible(p pdf.Page) box {
	media, ok := a.rectangle(a.old, p.Inherited["MediaBox"])
	if !ok {
		media = box{0, 0, 612, 792}
	}
	if crop, ok := a.rectangle(a.old, p.Inherited["CropBox"]); ok && crop.overlaps(media) {
		return box{max(crop.x0, media.x0), max(crop.y0, media.y0), min(crop.x1, media.x1), min(crop.y1, media.y1)}
	}
	return media
}

// nodes marks a page and what is above it. Pages has proved that it is a tree.
func (a *analysis) nodes(ref pdf.Ref) error {
	for a.roles[ref] != pageNode {
		a.roles[ref] = pageNode
		d, ok, err := pdf.As[pdf.Dict](a.old, ref)
		if err != nil || !ok {
			return err
		}
		parent, ok := d["Parent"].(pdf.Ref)
		if !ok {
			return nil
		}
		ref = parent
	}
	return nil
}

// comparePages compares the nodes of the page tree, which may only get widgets.
func (a *analysis) comparePages() error {
	leaves := map[pdf.Ref]*page{}
	for i := range a.pages {
		leaves[a.pages[i].ref] = &a.pages[i]
	}
	for _, ref := range ordered(a.roles) {
		if a.roles[ref] != pageNode {
			continue
		}
		o, n, ok, err := a.dicts(ref)
		if err != nil {
			return err
		}
		where := "Root/Pages"
		pg := leaves[ref]
		if pg != nil {
			where = fmt.Sprintf(onPage, pg.number)
		}
		if !ok {
			if err := a.other(where, ref); err != nil {
				return err
			}
			continue
		}
		for _, k := range keys(o, n) {
			at := place{sub(where, k), k, ref}
			if k == "Annots" && pg != nil {
				err = a.annotations(o[k], n[k], pg, at)
			} else {
				err = a.frozen(o[k], n[k], at)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// annotations compares the annotations of a page. New signature fields may
// have their widgets at the end.
func (a *analysis) annotations(o, n pdf.Object, pg *page, at place) error {
	// An array that is an object of its own has to stay that object: the page may not be its only user.
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
	for i, x := range was {
		if i >= len(is) || !sameElement(x, is[i]) {
			return a.moved(was, is, pg, at)
		}
		ref, ok := x.(pdf.Ref)
		switch {
		case !ok:
			if err = a.changedAnnotation(x, is[i], pg, at); err == nil {
				err = a.compare(x, is[i], at, Annotation)
			}
		case a.roles[ref] == annotation:
			err = a.changedAnnotation(x, is[i], pg, at)
			a.followLenient(ref, at.where)
		case a.roles[ref] != formField: // a page or something else that is no annotation
			err = a.frozen(x, is[i], at)
		}
		if err != nil {
			return err
		}
	}
	for _, x := range is[len(was):] {
		ref, ok := x.(pdf.Ref)
		if add := a.added[ref]; ok && add != nil {
			add.pages = append(add.pages, pg)
			continue
		}
		if err := a.newAnnotation(x, pg, at); err != nil {
			return err
		}
	}
	return nil
}

// moved reports a list in which old entries are missing or moved: a matter of
// annotations only if no field is concerned.
func (a *analysis) moved(was, is pdf.Array, pg *page, at place) error {
	kind := Annotation
	for _, x := range was {
		if ref, ok := x.(pdf.Ref); !ok || a.roles[ref] != annotation {
			kind = Other
		}
	}
	if err := a.report(Change{Kind: kind, Where: at.where, Object: at.object}); err != nil {
		return err
	}
	for _, x := range is {
		var err error
		if ref, ok := x.(pdf.Ref); ok && a.roles[ref] == annotation {
			err = a.changedAnnotation(x, x, pg, at)
			a.followLenient(ref, at.where)
		} else {
			err = a.newAnnotation(x, pg, at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func sameElement(o, n pdf.Object) bool {
	ref, ok := o.(pdf.Ref)
	if !ok {
		_, isRef := n.(pdf.Ref)
		return !isRef
	}
	return n == pdf.Object(ref)
}

// box is a rectangle in default user space.
type box struct{ x0, y0, x1, y1 float64 }

func (b box) area() float64 { return (b.x1 - b.x0) * (b.y1 - b.y0) }

func (b box) overlaps(c box) bool {
	return b.x0 < c.x1 && c.x0 < b.x1 && b.y0 < c.y1 && c.y0 < b.y1
}

// rectangle reads four numbers (ISO 32000-1 §7.9.5).
func (a *analysis) rectangle(f *pdf.File, o pdf.Object) (box, bool) {
	list, _, err := pdf.As[pdf.Array](f, o)
	if err != nil || len(list) != 4 {
		return box{}, false
	}
	var v [4]float64
	for i, e := range list {
		e, err := f.Resolve(e)
		if err != nil {
			return box{}, false
		}
		x, ok := number(e)
		if !ok || math.IsNaN(x) || math.IsInf(x, 0) {
			return box{}, false
		}
		v[i] = x
	}
	return box{min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3])}, true
}

// hidden reports whether an annotation is never shown: flags Hidden and NoView
// with neither of the ways to show it after all (§12.5.3).
func hidden(d pdf.Dict) bool {
	f, _ := d["F"].(pdf.Integer)
	return f&2 != 0
}
