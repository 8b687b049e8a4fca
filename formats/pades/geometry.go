package pades

import (
	"math"

	"sigillo/formats/pdf"
)

// geometry is how a page is shown: the part of its space that is seen, and by how much it is turned clockwise (ISO 32000-1
// §7.7.3.3, §14.11.2).
type geometry struct {
	box    [4]float64
	rotate int // 0, 90, 180, 270
}

func readGeometry(f *pdf.File, page pdf.Page) (geometry, error) {
	var g geometry
	media, ok, err := readRect(f, page.Inherited["MediaBox"])
	if err != nil {
		return g, err
	}
	if !ok {
		return g, failure(Malformed, "a page has no /MediaBox")
	}
	g.box = media
	crop, ok, err := readRect(f, page.Inherited["CropBox"])
	if err != nil {
		return g, err
	}
	if ok {
		g.box = [4]float64{max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3])}
	}
	if g.box[0] >= g.box[2] || g.box[1] >= g.box[3] {
		return g, failure(Malformed, "a page has no area")
	}
	turn, _, err := pdf.As[pdf.Integer](f, page.Inherited["Rotate"])
	if err != nil {
		return g, err
	}
	if turn%90 != 0 {
		return g, failure(Malformed, "a page is turned by %d degrees", turn)
	}
	g.rotate = int((turn%360 + 360) % 360)
	return g, nil
}

// user turns a rectangle of the page as it is shown, from its lower left corner, into the page's own space.
func (g geometry) user(r [4]float64) ([4]float64, error) {
	w, h := g.box[2]-g.box[0], g.box[3]-g.box[1]
	shownW, shownH := w, h
	if g.rotate%180 != 0 {
		shownW, shownH = h, w
	}
	if r[0] >= r[2] || r[1] >= r[3] {
		return r, failure(BadOptions, "a visible signature needs a rectangle: left, bottom, right and top, in points from the page's lower left corner")
	}
	const slack = 0.01
	if r[0] < -slack || r[1] < -slack || r[2] > shownW+slack || r[3] > shownH+slack {
		return r, failure(BadOptions, "the rectangle of the signature is not on the page, which is shown with %.0f × %.0f points", shownW, shownH)
	}
	point := func(x, y float64) (float64, float64) {
		switch g.rotate {
		case 90:
			return w - y, x
		case 180:
			return w - x, h - y
		case 270:
			return y, h - x
		}
		return x, y
	}
	x1, y1 := point(r[0], r[1])
	x2, y2 := point(r[2], r[3])
	return [4]float64{g.box[0] + min(x1, x2), g.box[1] + min(y1, y2), g.box[0] + max(x1, x2), g.box[1] + max(y1, y2)}, nil
}

// readRect reads a rectangle, any two opposite corners, as left, bottom, right, top (§7.9.5).
func readRect(f *pdf.File, o pdf.Object) (r [4]float64, ok bool, err error) {
	a, ok, err := pdf.As[pdf.Array](f, o)
	if err != nil || !ok {
		return r, false, err
	}
	if len(a) != 4 {
		return r, false, failure(Malformed, "a rectangle does not have four numbers")
	}
	for i, o := range a {
		if o, err = f.Resolve(o); err != nil {
			return r, false, err
		}
		switch v := o.(type) {
		case pdf.Integer:
			r[i] = float64(v)
		case pdf.Real:
			r[i] = float64(v)
		default:
			return r, false, failure(Malformed, "a rectangle does not have four numbers")
		}
		if math.Abs(r[i]) > maxCoordinate {
			return r, false, failure(Malformed, "a rectangle has an impossible coordinate")
		}
	}
	return [4]float64{min(r[0], r[2]), min(r[1], r[3]), max(r[0], r[2]), max(r[1], r[3])}, true, nil
}

func numbers(r [4]float64) pdf.Array {
	var out pdf.Array
	for _, v := range r {
		v = math.Round(v*1000) / 1000
		if v == math.Trunc(v) {
			out = append(out, pdf.Integer(v))
		} else {
			out = append(out, pdf.Real(v))
		}
	}
	return out
}
