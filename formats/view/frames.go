package view

import (
	"image"
	"io"
	"math"

	"sigillo/formats/pdf"
)

// frames finds, in pixels of a sketch, where poppler draws the frames of links
// and mupdf does not: TeX puts one around every reference unless told not to.
// Many links could hide much under their frames, so who uses this also compares
// what poppler draws without annotations.
func frames(f *pdf.File, p pdf.Page) []image.Rectangle {
	box, ok := pageBox(f, p.Inherited)
	annots, _, err := pdf.As[pdf.Array](f, p.Dict["Annots"])
	if !ok || err != nil {
		return nil
	}
	turn, _, _ := pdf.As[pdf.Integer](f, p.Inherited["Rotate"])
	var out []image.Rectangle
	for _, o := range annots[:min(len(annots), 2000)] {
		a, ok, err := pdf.As[pdf.Dict](f, o)
		if err != nil || !ok || a["Subtype"] != pdf.Name("Link") || a["AP"] != nil || !thin(f, a) {
			continue
		}
		if r, ok := rectangle(f, a["Rect"]); ok {
			out = append(out, sides(box.place(r, int(turn)))...)
		}
	}
	return out
}

// frameWidth is the widest frame in points that is excused.
const frameWidth = 3

// thin tells whether the frame of an annotation is a plain thin line.
func thin(f *pdf.File, a pdf.Dict) bool {
	width := 1.0 // ISO 32000-1 §12.5.4, table 166
	if border, ok, err := pdf.As[pdf.Array](f, a["Border"]); err == nil && ok && len(border) >= 3 {
		width, _ = number(f, border[2])
	}
	if style, ok, err := pdf.As[pdf.Dict](f, a["BS"]); err == nil && ok && style["W"] != nil {
		width, _ = number(f, style["W"])
	}
	return width >= 0 && width <= frameWidth
}

// area is a rectangle in points, upright.
type area struct{ x0, y0, x1, y1 float64 }

func pageBox(f *pdf.File, inherited pdf.Dict) (area, bool) {
	media, ok := rectangle(f, inherited["MediaBox"])
	if crop, cropped := rectangle(f, inherited["CropBox"]); ok && cropped {
		media = area{max(media.x0, crop.x0), max(media.y0, crop.y0), min(media.x1, crop.x1), min(media.y1, crop.y1)}
	}
	return media, ok
}

func rectangle(f *pdf.File, o pdf.Object) (area, bool) {
	list, ok, err := pdf.As[pdf.Array](f, o)
	if err != nil || !ok || len(list) != 4 {
		return area{}, false
	}
	var v [4]float64
	for i, o := range list {
		if v[i], ok = number(f, o); !ok {
			return area{}, false
		}
	}
	return area{min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3])}, true
}

func number(f *pdf.File, o pdf.Object) (float64, bool) {
	o, err := f.Resolve(o)
	if err != nil {
		return 0, false
	}
	switch v := o.(type) {
	case pdf.Integer:
		return float64(v), true
	case pdf.Real:
		return float64(v), true
	}
	return 0, false
}

// place puts r on the page as it is shown: in points from the top left corner,
// after the page's rotation (clockwise, in quarter turns).
func (box area) place(r area, turn int) area {
	width, height := box.x1-box.x0, box.y1-box.y0
	x0, x1 := r.x0-box.x0, r.x1-box.x0
	y0, y1 := box.y1-r.y1, box.y1-r.y0
	switch ((turn % 360) + 360) % 360 {
	case 90:
		return area{height - y1, x0, height - y0, x1}
	case 180:
		return area{width - x1, height - y1, width - x0, height - y0}
	case 270:
		return area{y0, width - x1, y1, width - x0}
	}
	return area{x0, y0, x1, y1}
}

// sides are the four sides of r in pixels of a sketch, with the blur of drawing.
func sides(r area) []image.Rectangle {
	const blur = 3
	px := func(v float64) int { return int(math.Round(min(max(v, -1e6), 1e6) * sketchDPI / 72)) }
	x0, y0, x1, y1 := px(r.x0), px(r.y0), px(r.x1), px(r.y1)
	grow := func(a, b, c, d int) image.Rectangle {
		return image.Rect(a-blur, b-blur, c+blur+1, d+blur+1)
	}
	return []image.Rectangle{grow(x0, y0, x1, y0), grow(x0, y1, x1, y1), grow(x0, y0, x0, y1), grow(x1, y0, x1, y1)}
}

// framesOf gives the frames of every page that has some.
func framesOf(r io.ReaderAt, size int64) (map[int][]image.Rectangle, int, error) {
	doc, err := pdf.Open(r, size, pdf.Limits{Pages: MaxPages})
	if err != nil {
		return nil, 0, &Error{Failed, "the PDF cannot be read", err}
	}
	found, n := map[int][]image.Rectangle{}, 0
	for p, err := range doc.Pages() {
		if err != nil {
			return nil, 0, &Error{Failed, "the pages of the PDF cannot be counted", err}
		}
		n++
		if list := frames(doc, p); len(list) > 0 {
			found[n] = list
		}
	}
	return found, n, nil
}
