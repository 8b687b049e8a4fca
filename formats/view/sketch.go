package view

import (
	"fmt"
	"image"
	"math/bits"
)

// A sketch is a page at 72 dpi: a pixel is a square of one point, which is
// enough to tell where something stands and too little to tell how it is
// smoothed.
type sketch struct {
	width, height int
	rgb           []uint8 // 3 a pixel
	edges         []uint8 // the greatest step in lightness to one of the four pixels beside
}

const sketchDPI = 72

// When two sketches differ. Measured with poppler 22.12 and mupdf 1.21 on some
// 1,700 pages of 170 PDFs of some thirty producers (LibreOffice, TeX,
// Ghostscript, Cairo, Word and InDesign among them; scans, slides, books, fonts
// that are not embedded and that each program replaces with its own, hair lines,
// pictures in CMYK):
//
//   - lone, pixels in one window: 0 on nearly all, at most 29 where nothing but
//     the frames of links (see frames) and lines in drawings is done otherwise.
//     Of what only one draws among lines of text that both draw, a word of three
//     letters makes 41 and more from 7 points on, one of two letters 37 and more
//     from 8, a single figure 30 and more from 11; less than that goes unseen.
//   - tone: at most 82, for pictures in CMYK.
//
// Four of these documents are beyond a limit, and differ to the eye: annotations
// without an appearance, text in a font that is not there, text that is turned
// and set in different widths.
const (
	loneLimit = 30  // pixels of a window that are drawn in one sketch only
	toneLimit = 128 // levels of 255 by which squares of eight points differ

	edgeDrawn    = 40 // step in lightness from which a pixel counts as drawn
	edgeBlank    = 12 // and below which nothing is there
	reach        = 2  // pixels around in which the other program may have drawn it
	windowWidth  = 20 // pixels
	windowHeight = 12
	thinLine     = 4 // pixels, with what smoothing adds
	square       = 8 // pixels
	rim          = 4 // pixels of the edge of the page that do not count: half a line is drawn or is not
)

// sketchOf reduces a picture by a whole factor.
func sketchOf(p image.Image, factor int) *sketch {
	b := p.Bounds()
	s := &sketch{width: (b.Dx() + factor - 1) / factor, height: (b.Dy() + factor - 1) / factor}
	s.rgb = make([]uint8, 3*s.width*s.height)
	sums := make([]int, 4*s.width)
	for y := range s.height {
		clear(sums)
		for j := y * factor; j < min((y+1)*factor, b.Dy()); j++ {
			addRow(sums, p, j, factor)
		}
		for x := range s.width {
			for c := range 3 {
				s.rgb[3*(y*s.width+x)+c] = uint8(sums[4*x+c] / max(1, sums[4*x+3]))
			}
		}
	}
	s.findEdges()
	return s
}

// addRow adds the pixels of row y to the sums of red, green, blue and their
// number of each pixel of the sketch. The pictures are our own, from readPPM.
func addRow(sums []int, p image.Image, y, factor int) {
	width := p.Bounds().Dx()
	switch p := p.(type) {
	case *image.Gray:
		row := p.Pix[y*p.Stride:]
		for x := range width {
			s, v := sums[4*(x/factor):], int(row[x])
			s[0], s[1], s[2], s[3] = s[0]+v, s[1]+v, s[2]+v, s[3]+1
		}
	case *image.NRGBA:
		row := p.Pix[y*p.Stride:]
		for x := range width {
			s, v := sums[4*(x/factor):], row[4*x:]
			s[0], s[1], s[2], s[3] = s[0]+int(v[0]), s[1]+int(v[1]), s[2]+int(v[2]), s[3]+1
		}
	}
}

func (s *sketch) findEdges() {
	light := make([]int, s.width*s.height)
	for i := range light {
		light[i] = (299*int(s.rgb[3*i]) + 587*int(s.rgb[3*i+1]) + 114*int(s.rgb[3*i+2])) / 1000
	}
	s.edges = make([]uint8, len(light))
	step := func(i, j int) {
		d := uint8(max(light[i]-light[j], light[j]-light[i]))
		s.edges[i], s.edges[j] = max(s.edges[i], d), max(s.edges[j], d)
	}
	for y := range s.height {
		for x := range s.width {
			if i := y*s.width + x; x+1 < s.width {
				step(i, i+1)
			}
			if i := y*s.width + x; y+1 < s.height {
				step(i, i+s.width)
			}
		}
	}
}

// difference rates two sketches of a page: 1 and more is too much. Pixels of a
// within one of the excused rectangles are not counted as lone.
func difference(a, b *sketch, excused []image.Rectangle) float64 {
	if dw, dh := a.width-b.width, a.height-b.height; dw < -rim || dw > rim || dh < -rim || dh > rim {
		return 2 // of another size or turned
	}
	lone := max(a.lone(b, excused), b.lone(a, nil))
	tone := max(a.tone(b), b.tone(a))
	return max(float64(lone)/loneLimit, float64(tone)/toneLimit)
}

// lone counts the pixels that are drawn in s while nothing is drawn around there
// in o, and gives the most of them in one window.
func (s *sketch) lone(o *sketch, excused []image.Rectangle) int {
	alone := make([]bool, len(s.edges))
	for y := rim; y < min(s.height, o.height)-rim; y++ {
		for x := rim; x < min(s.width, o.width)-rim; x++ {
			v := s.edges[y*s.width+x]
			alone[y*s.width+x] = v >= edgeDrawn && o.most(x, y) < edgeBlank && !within(excused, x, y)
		}
	}
	worst := 0
	for y := 0; y < s.height; y += windowHeight / 2 {
		for x := 0; x < s.width; x += windowWidth / 2 {
			window := image.Rect(x, y, min(x+windowWidth, s.width), min(y+windowHeight, s.height))
			if n := marks(alone, s.width, window); n > worst {
				worst = n
			}
		}
	}
	return worst
}

// marks counts the pixels of a window, but for those of a thin line: programs
// draw hair lines in many ways and lose columns of pictures that they reduce.
// Not the smallest word is as thin as that.
func marks(set []bool, width int, window image.Rectangle) (n int) {
	var rows, columns uint32
	for j := window.Min.Y; j < window.Max.Y; j++ {
		for i := window.Min.X; i < window.Max.X; i++ {
			if set[j*width+i] {
				n, rows, columns = n+1, rows|1<<(j-window.Min.Y), columns|1<<(i-window.Min.X)
			}
		}
	}
	if min(bits.OnesCount32(rows), bits.OnesCount32(columns)) <= thinLine {
		return 0
	}
	return n
}

// most is the greatest edge in reach of a pixel.
func (s *sketch) most(x, y int) (most uint8) {
	for j := max(0, y-reach); j <= min(s.height-1, y+reach); j++ {
		for _, v := range s.edges[j*s.width+max(0, x-reach) : j*s.width+min(s.width-1, x+reach)+1] {
			most = max(most, v)
		}
	}
	return most
}

func within(areas []image.Rectangle, x, y int) bool {
	for _, a := range areas {
		if (image.Point{X: x, Y: y}).In(a) {
			return true
		}
	}
	return false
}

// tone is the most by which the mean of a square of s lies outside of what the
// squares around it have in o, in one of the three colours.
func (s *sketch) tone(o *sketch) int {
	columns, rows := max(1, min(s.width, o.width)/square), max(1, min(s.height, o.height)/square)
	mine, theirs := s.squares(columns, rows), o.squares(columns, rows)
	worst := 0
	for y := range rows {
		for x := range columns {
			low, high := [3]int{255, 255, 255}, [3]int{}
			for j := max(0, y-1); j <= min(rows-1, y+1); j++ {
				for i := max(0, x-1); i <= min(columns-1, x+1); i++ {
					for c, v := range theirs[j*columns+i] {
						low[c], high[c] = min(low[c], v), max(high[c], v)
					}
				}
			}
			for c, v := range mine[y*columns+x] {
				worst = max(worst, v-high[c], low[c]-v)
			}
		}
	}
	return worst
}

// squares are the means of the squares of a sketch.
func (s *sketch) squares(columns, rows int) [][3]int {
	out := make([][3]int, columns*rows)
	for y := range rows {
		for x := range columns {
			var sum [3]int
			n := 0
			for j := y * square; j < min((y+1)*square, s.height); j++ {
				for i := x * square; i < min((x+1)*square, s.width); i++ {
					for c := range sum {
						sum[c] += int(s.rgb[3*(j*s.width+i)+c])
					}
					n++
				}
			}
			for c := range sum {
				out[y*columns+x][c] = sum[c] / max(1, n)
			}
		}
	}
	return out
}

// Difference is a page that two programs draw differently, which is the error
// inside one of kind Differs.
type Difference struct {
	Page     int       // from 1; 0 where the programs count another number of pages
	First    []byte    // PNG of the page by the program of the view; nil where there is none
	Second   []byte    // PNG of the page by the other program; nil where there is none
	Programs [2]string // these programs, with their versions
	score    float64
}

func (d *Difference) Error() string {
	if d.Page == 0 {
		return "the programs count another number of pages"
	}
	return fmt.Sprintf("page %d", d.Page)
}
