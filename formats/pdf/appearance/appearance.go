// Package appearance draws what a visible signature shows on the page: text, an image, or both, as the form XObject that
// a signature field's widget names in /AP /N (ISO 32000-1 §12.5.5, §8.10).
//
// What it draws does not depend on the viewer: the font is embedded (Go Regular, cut down to the glyphs in use), the lines
// are broken and sized here, and every colour is device independent, so that a document that was PDF/A before it was
// signed is PDF/A afterwards, whatever output intent it has. Images with transparency keep it, in a soft mask, but
// where PDF/A forbids one: there they are laid on white.
//
// What does not fit is an error and never overflows or shrinks below legibility; a character that the font lacks is an
// error and never a blank box, for a signature must show what its signer wrote. The font has the letters of all European
// languages in Latin, Greek and Cyrillic script.
//
// An image is rebuilt or stripped before it is embedded: nothing of its metadata (where a photograph was taken, with which
// camera) comes into the document.
package appearance

import (
	"fmt"
	"math"
	"strconv"

	"sigillo/formats/pdf"
)

// Layout places the image and the text when there are both.
type Layout string

// The layouts. With only an image or only text, that takes the whole area in each of them.
const (
	Beside Layout = ""       // the image left of the text, in at most two fifths of the width
	Above  Layout = "above"  // the image above the text, in at most half of the height
	Behind Layout = "behind" // the image over the whole area, the text upon it
)

// Appearance is what a visible signature shows. It is plain data and may be stored as JSON.
type Appearance struct {
	// Width and Height are those of the signature as its reader sees it, in points (1/72 inch), from 1 to 14400. On a
	// page that is shown turned by 90 or 270 degrees they are the height and the width of the widget's /Rect.
	Width  float64 `json:"width"`
	Height float64 `json:"height"`
	// Rotate is the /Rotate of the page: 0, 90, 180 or 270. The appearance is turned against it, so that it is upright.
	Rotate int `json:"rotate,omitempty"`
	// Text is shown left-aligned; a line feed begins a new line, and lines too long are broken between words. It is
	// brought into Unicode normal form C first. At most MaxText bytes.
	Text string `json:"text,omitempty"`
	// FontSize is in points. 0 means the largest from MaxAutoSize down to MinAutoSize at which the text fits.
	FontSize float64 `json:"fontSize,omitempty"`
	// Image is a PNG or JPEG file, shown as large as fits with its proportions kept. At most MaxImage bytes and
	// MaxPixels pixels, a JPEG MaxPixelsJPEG. A JPEG in CMYK is refused.
	Image []byte `json:"image,omitempty"`
	// Layout places Image and Text.
	Layout Layout `json:"layout,omitempty"`
	// Border is the width in points of a black frame; 0 is none.
	Border float64 `json:"border,omitempty"`
}

// Limits of an appearance.
const (
	MaxText       = 4096     // bytes of Text
	MaxImage      = 8 << 20  // bytes of Image
	MaxPixels     = 4 << 20  // of Image, which is compressed anew
	MaxPixelsJPEG = 16 << 20 // of a JPEG, which stays compressed
	MaxAutoSize   = 12.0     // points
	MinAutoSize   = 4.0      // points
)

const maxSide = 14400 // of a page, ISO 32000-1 Annex C.2

// Add puts the form XObject, its font and its image into the update and returns the form's reference. On an error
// the update is as it was.
//
// Kinds of errors: BadOptions, BadText, BadImage, DoesNotFit, Limit.
func (a Appearance) Add(u *pdf.Update) (pdf.Ref, error) {
	if err := a.check(); err != nil {
		return pdf.Ref{}, err
	}
	var im *picture
	if len(a.Image) > 0 {
		var err error
		if im, err = readImage(a.Image); err != nil {
			return pdf.Ref{}, err
		}
	}
	page, err := a.arrange(im)
	if err != nil {
		return pdf.Ref{}, err
	}
	resources := pdf.Dict{"ColorSpace": pdf.Dict{"G": calGray()}}
	var glyphs *glyphSet
	if len(page.lines) > 0 {
		glyphs = newGlyphSet(page.lines)
		font, err := glyphs.add(u)
		if err != nil {
			return pdf.Ref{}, err
		}
		resources["Font"] = pdf.Dict{"F": font}
	}
	if im != nil {
		resources["XObject"] = pdf.Dict{"I": im.add(u, opaque(u.File()))}
	}
	return u.Add(compressed(pdf.Dict{
		"Type":      pdf.Name("XObject"),
		"Subtype":   pdf.Name("Form"),
		"BBox":      numbers(0, 0, a.Width, a.Height),
		"Matrix":    a.matrix(),
		"Resources": resources,
	}, a.content(page, im, glyphs))), nil
}

// Check tells whether [Appearance.Add] will succeed, without a document.
func (a Appearance) Check() error {
	if err := a.check(); err != nil {
		return err
	}
	var im *picture
	if len(a.Image) > 0 {
		var err error
		if im, err = readImage(a.Image); err != nil {
			return err
		}
	}
	_, err := a.arrange(im)
	return err
}

func (a Appearance) check() error {
	for _, side := range []float64{a.Width, a.Height} {
		if !(side >= 1 && side <= maxSide) { // not a number neither
			return failure(BadOptions, "width and height of a visible signature must be from 1 to %d points", maxSide)
		}
	}
	short := min(a.Width, a.Height)
	switch {
	case a.Rotate != 0 && a.Rotate != 90 && a.Rotate != 180 && a.Rotate != 270:
		return failure(BadOptions, "a page is turned by 0, 90, 180 or 270 degrees, not by %d", a.Rotate)
	case a.FontSize != 0 && !(a.FontSize >= 1 && a.FontSize <= 500):
		return failure(BadOptions, "the font size must be from 1 to 500 points, or 0")
	case !(a.Border >= 0 && a.Border <= short/4):
		return failure(BadOptions, "the border may be as wide as a quarter of the shorter side")
	case a.Layout != Beside && a.Layout != Above && a.Layout != Behind:
		return failure(BadOptions, "there is no layout %q", a.Layout)
	case len(a.Text) > MaxText:
		return failure(Limit, "the text of a visible signature may have %d bytes", MaxText)
	case len(a.Image) > MaxImage:
		return failure(Limit, "the image of a visible signature may have %d bytes", MaxImage)
	case len(a.Image) == 0 && a.Text == "" && a.Border == 0:
		return failure(BadOptions, "a visible signature needs a text, an image or a border")
	}
	return nil
}

// matrix turns the appearance against the page's rotation; the box stays in the first quadrant.
func (a Appearance) matrix() pdf.Array {
	switch a.Rotate {
	case 90:
		return numbers(0, 1, -1, 0, a.Height, 0)
	case 180:
		return numbers(-1, 0, 0, -1, a.Width, a.Height)
	case 270:
		return numbers(0, -1, 1, 0, 0, a.Width)
	}
	return numbers(1, 0, 0, 1, 0, 0)
}

// content is the form's content stream (§7.8.2).
func (a Appearance) content(page arrangement, im *picture, glyphs *glyphSet) []byte {
	var c []byte
	if im != nil {
		b := page.image
		c = append(c, "q "...)
		c = appendNumbers(c, im.matrix(b)...)
		c = append(c, "cm /I Do Q\n"...)
	}
	if a.Border > 0 {
		c = append(c, "/G CS 0 SC "...)
		c = append(appendNumbers(c, a.Border), "w "...)
		c = appendNumbers(c, a.Border/2, a.Border/2, a.Width-a.Border, a.Height-a.Border)
		c = append(c, "re S\n"...)
	}
	if glyphs == nil {
		return c
	}
	c = append(c, "BT /G cs 0 sc /F "...)
	c = append(appendNumbers(c, page.size), "Tf\n"...)
	x, y := page.x, page.top
	c = append(appendNumbers(c, x, y), "Td "...)
	c = append(appendNumbers(c, page.leading), "TL\n"...)
	for i, line := range page.lines {
		if i > 0 {
			c = append(c, "T* "...)
		}
		if line != "" {
			c = fmt.Appendf(c, "<%x> Tj\n", glyphs.encode(line))
		}
	}
	return append(c, "ET\n"...)
}

// round keeps three decimals: finer than any printer.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

func appendNumbers(c []byte, v ...float64) []byte {
	for _, n := range v {
		c = strconv.AppendFloat(c, round(n), 'f', -1, 64)
		c = append(c, ' ')
	}
	return c
}

func numbers(v ...float64) pdf.Array {
	out := pdf.Array{}
	for _, n := range v {
		n = round(n)
		if n == math.Trunc(n) {
			out = append(out, pdf.Integer(n))
		} else {
			out = append(out, pdf.Real(n))
		}
	}
	return out
}
