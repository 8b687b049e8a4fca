package appearance

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// box is a rectangle in points, its origin the lower left corner.
type box struct{ x, y, w, h float64 }

// arrangement is an appearance with everything in its place.
type arrangement struct {
	image   box
	lines   []string
	size    float64 // of the font
	leading float64 // from baseline to baseline
	x, top  float64 // of the first baseline
}

const (
	lineHeight = 1.2 // of the font size
	gap        = 4.0 // points between image and text, at most
)

// arrange places the image and breaks, sizes and places the text.
func (a Appearance) arrange(im *picture) (arrangement, error) {
	text, err := readable(a.Text)
	if err != nil {
		return arrangement{}, err
	}
	short := min(a.Width, a.Height)
	pad := a.Border + min(3, short/20)
	area := box{pad, pad, a.Width - 2*pad, a.Height - 2*pad}
	var p arrangement
	words := area
	if im != nil {
		place := area
		if text != "" {
			place, words = a.divide(area, im)
		}
		p.image = im.within(place)
	}
	if text == "" {
		return p, nil
	}
	if err := p.fit(text, words, a.FontSize); err != nil {
		return arrangement{}, err
	}
	return p, nil
}

// divide gives the image and the text each their part of the area.
func (a Appearance) divide(area box, im *picture) (image, text box) {
	switch a.Layout {
	case Behind:
		return area, area
	case Above:
		h := min(area.h/2, area.w*float64(im.height)/float64(im.width))
		space := min(gap, area.h/20)
		return box{area.x, area.y + area.h - h, area.w, h}, box{area.x, area.y, area.w, area.h - h - space}
	}
	w := min(area.w*2/5, area.h*float64(im.width)/float64(im.height))
	space := min(gap, area.w/20)
	return box{area.x, area.y, w, area.h}, box{area.x + w + space, area.y, area.w - w - space, area.h}
}

// within is the largest box in b that has the image's proportions, in its middle.
func (im *picture) within(b box) box {
	w := min(b.w, b.h*float64(im.width)/float64(im.height))
	h := w * float64(im.height) / float64(im.width)
	return box{b.x + (b.w-w)/2, b.y + (b.h-h)/2, w, h}
}

// fit breaks the text into lines that lie within b, in the middle of its height.
func (p *arrangement) fit(text string, b box, size float64) error {
	from, to := size, size
	if size == 0 {
		from, to = MaxAutoSize, MinAutoSize
	}
	for size = from; size >= to; size -= 0.25 {
		lines, ok := wrap(text, b.w/size)
		height := (float64(len(lines))-1)*lineHeight + goRegular.ascent - goRegular.descent
		if !ok || height*size > b.h {
			continue
		}
		p.lines, p.size, p.leading = lines, size, lineHeight*size
		p.x = b.x
		p.top = b.y + b.h - (b.h-height*size)/2 - goRegular.ascent*size
		return nil
	}
	return failure(DoesNotFit, "the text does not fit into %.0f × %.0f points with a font size of %g; give it more room or less text", b.w, b.h, to)
}

// wrap breaks text into lines of at most width em, between words where possible. It fails if a single letter is wider.
func wrap(text string, width float64) (lines []string, ok bool) {
	for _, paragraph := range strings.Split(text, "\n") {
		line, used := "", 0.0
		for _, word := range strings.Split(paragraph, " ") {
			w := goRegular.width(word)
			space := goRegular.width(" ")
			if line != "" && used+space+w <= width {
				line, used = line+" "+word, used+space+w
				continue
			}
			if line != "" {
				lines = append(lines, line)
			}
			for w > width { // a word that is longer than a line is broken anywhere
				head := goRegular.head(word, width)
				if head == 0 {
					return nil, false
				}
				lines = append(lines, word[:head])
				word = word[head:]
				w = goRegular.width(word)
			}
			line, used = word, w
		}
		lines = append(lines, line)
	}
	return lines, true
}

// readable checks the text and prepares it: normal form C, tabulators as spaces, any line end as a line feed, no blank
// lines around it. A character without a glyph is an error.
func readable(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", failure(BadText, "the text of a visible signature is not UTF-8")
	}
	text = norm.NFC.String(text)
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", " ", "\u00A0", " ", "\u202F", " ").Replace(text)
	for _, r := range text {
		if r != '\n' && goRegular.glyph(r) == 0 {
			return "", failure(BadText, "the font of visible signatures has no character %q (U+%04X); write the text without it", r, r)
		}
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n"), nil
}
