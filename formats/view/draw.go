package view

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"os"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomono"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// Measures of a text page in points (1/72 inch): A4, Go Mono at 9 points, whose
// characters are 5.4 points wide.
const (
	sheetWidth  = 595
	sheetHeight = 842
	fontSize    = 9
	lineHeight  = 11.6
	marginLeft  = 62
	marginTop   = 44
)

var monospace = sync.OnceValue(func() *sfnt.Font {
	f, err := opentype.Parse(gomono.TTF)
	if err != nil {
		panic("view: the embedded font: " + err.Error()) // part of the program, not of a document
	}
	return f
})

// drawable remembers which characters the font has, for the planes that have any.
var drawable = sync.OnceValue(func() *[0x10000]bool {
	var has [0x10000]bool
	var buf sfnt.Buffer
	f := monospace()
	for c := range rune(len(has)) {
		i, err := f.GlyphIndex(&buf, c)
		has[c] = err == nil && i != 0
	}
	return &has
})

// drawn reports whether the font has a picture for c.
func drawn(c rune) bool { return c >= 0 && int(c) < 0x10000 && drawable()[c] }

var (
	ink    = image.NewUniform(color.Gray{0x00})
	pale   = image.NewUniform(color.Gray{0x90})
	alarm  = image.NewUniform(color.NRGBA{0xc0, 0x00, 0x00, 0xff})
	ground = image.NewUniform(color.White)
)

// drawText draws each page of a text with line numbers and a page number.
//
// Kinds: Unreadable, Limit.
func drawText(f *os.File, format string, each func(p *image.NRGBA, text string) error) error {
	pages, err := layOut(f, format, nil)
	if err != nil {
		return err
	}
	_, err = layOut(f, format, func(n int, lines []line) error {
		p, err := drawLines(lines, n, pages)
		if err != nil {
			return err
		}
		return each(p, textOf(lines))
	})
	return err
}

// drawLines draws the lines of page n of so many.
func drawLines(lines []line, n, pages int) (*image.NRGBA, error) {
	face, err := opentype.NewFace(monospace(), &opentype.FaceOptions{Size: fontSize, DPI: DPI, Hinting: font.HintingNone})
	if err != nil {
		return nil, &Error{Failed, "the font cannot be used", err}
	}
	defer face.Close()
	const scale = DPI / 72.0
	at := func(x, y float64) fixed.Point26_6 {
		return fixed.Point26_6{X: fixed.Int26_6(x * scale * 64), Y: fixed.Int26_6(y * scale * 64)}
	}
	picture := image.NewNRGBA(image.Rect(0, 0, sheetWidth*DPI/72, sheetHeight*DPI/72))
	draw.Draw(picture, picture.Rect, ground, image.Point{}, draw.Src)
	d := font.Drawer{Dst: picture, Face: face}
	advance := font.MeasureString(face, "0")
	for i, line := range lines {
		y := marginTop + float64(i+1)*lineHeight
		if line.number > 0 {
			label := fmt.Sprintf("%6d", line.number)
			d.Src, d.Dot = pale, at(marginLeft-7.5*float64(fontSize)*0.6, y)
			d.DrawString(label)
		}
		start := at(marginLeft, y)
		for col, g := range line.glyphs {
			d.Src = ink
			if g.marked {
				d.Src = alarm
			}
			d.Dot = fixed.Point26_6{X: start.X + fixed.Int26_6(col)*advance, Y: start.Y}
			for _, c := range g.text { // combining marks over their base
				d.Dot.X = start.X + fixed.Int26_6(col)*advance
				d.DrawString(string(c))
			}
		}
	}
	footer := fmt.Sprintf("%d / %d", n, pages)
	d.Src, d.Dot = pale, at(sheetWidth/2-float64(len(footer))*fontSize*0.3, sheetHeight-24)
	d.DrawString(footer)
	return picture, nil
}
