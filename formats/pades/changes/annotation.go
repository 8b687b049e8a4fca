package changes

import (
	"slices"

	"sigillo/formats/pdf"
)

// comments are the kinds of annotations (ISO 32000-2 table 171) that somebody who
// may annotate a certified document adds to what it says. The others write on the
// page (FreeText), paint over it (Stamp, Redact, Watermark), play something or are
// parts of forms: the evil annotation attack hides the certified text under one and
// shows another in its place, and no reader tells them from the page.
var comments = []pdf.Name{"Text", "Link", "Popup", "Highlight", "Underline", "Squiggly", "StrikeOut", "Caret", "Ink",
	"Line", "Square", "Circle", "Polygon", "PolyLine", "FileAttachment", "Sound"}

// outlined are those that show no more than a frame, or nothing until they are
// opened, if they have no appearance of their own.
var outlined = []pdf.Name{"Link", "Popup"}

// newAnnotation reports an annotation that was added to a page or changed: as one
// if it is a comment, else, or if it covers much of the page, as what nothing allows.
func (a *analysis) newAnnotation(x pdf.Object, pg *page, at place) error {
	d, _, err := pdf.As[pdf.Dict](a.new, x)
	if err != nil {
		return err
	}
	if ref, ok := x.(pdf.Ref); ok {
		at.object = ref
	}
	if !a.covers(d, pg) {
		return a.report(Change{Kind: Annotation, Where: at.where, Object: at.object})
	}
	return a.other(at.where+" covers what was signed", at.object)
}

// covers reports whether an annotation could hide or imitate what is on the page,
// and counts what it covers.
func (a *analysis) covers(d pdf.Dict, pg *page) bool {
	b, ok := a.rectangle(a.new, d["Rect"])
	if hidden(d) || ok && b.area() == 0 {
		return false
	}
	kind, _, err := pdf.As[pdf.Name](a.new, d["Subtype"])
	if err != nil || !ok || !slices.Contains(comments, kind) {
		return true
	}
	if d["AP"] == nil && slices.Contains(outlined, kind) {
		return false
	}
	pg.covered += b.area()
	return b.area() > maxCover*pg.area || pg.covered > maxCoverAll*pg.area
}

// changedAnnotation looks at an annotation that is still in its place. What differs
// is told when it is compared; here it is asked whether it covers anything now.
func (a *analysis) changedAnnotation(o, n pdf.Object, pg *page, at place) error {
	if ref, ok := o.(pdf.Ref); ok {
		var err error
		if o, n, err = a.both(ref); err != nil {
			return err
		}
	}
	same, err := a.equal(o, n, map[pdf.Ref]bool{})
	if err != nil || same {
		return err
	}
	return a.newAnnotation(n, pg, at)
}
