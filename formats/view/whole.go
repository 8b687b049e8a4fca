package view

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// DPI is the resolution of a whole view: small print can be read on a screen
// that shows two pixels for one.
const DPI = 144

const (
	secondDPI = 72 // of the second opinion
	spanPages = 16 // drawn by one process

	maxSpan = 256 << 20 // bytes of the pictures of a span, which are in memory at the same time
	maxView = 4 << 30   // bytes of all pictures of a view
)

// A Sheet is one page of a view.
type Sheet struct {
	Number int    // from 1
	PNG    []byte // the picture
	Text   string // what is written on the page, as far as a program can tell; "" where there is none
}

// An Account says how a view came to be: what must be known later to tell what
// the holder saw.
type Account struct {
	Renderer string   `json:"renderer"`         // programs that drew the pages, with their versions
	Second   string   `json:"second,omitempty"` // program that was asked for a second opinion, and agreed; "" for none
	DPI      int      `json:"dpi"`
	Images   []string `json:"images"` // SHA-256 of each page's PNG, lower hex, in order
}

// View draws the document at path whole and hands keep its pages in order. The
// format is named as in inspect.Report.Format.
//
// The pages of a PDF are drawn by poppler and, where it is installed, coarsely
// by mupdf too. Where the two do not show the same, the error is of kind Differs
// with a *Difference inside; Failed, TimedOut and Limit mean that a program could
// not draw it.
func (r *Renderer) View(ctx context.Context, path, format string, keep func(Sheet) error) (Account, error) {
	ctx, cancel := context.WithTimeout(ctx, viewTime)
	defer cancel()
	acc := Account{DPI: DPI, Images: []string{}}
	left := room(maxView)
	take := func(s Sheet) error {
		if err := left.take(len(s.PNG)); err != nil {
			return err
		}
		sum := sha256.Sum256(s.PNG)
		acc.Images = append(acc.Images, hex.EncodeToString(sum[:]))
		return keep(s)
	}
	var err error
	switch family(format) {
	case "pdf":
		acc.Renderer = r.version(ctx, poppler)
		if r.Mutool != "" {
			acc.Second = r.version(ctx, mupdf)
		}
		err = r.viewPDF(ctx, path, r.Mutool != "", take)
	case "office":
		acc.Renderer = r.version(ctx, libreOffice) + ", " + r.version(ctx, poppler)
		err = r.converted(ctx, path, format, func(converted string) error { return r.viewPDF(ctx, converted, false, take) })
	case "text", "image":
		acc.Renderer = edition
		err = r.viewOwn(ctx, path, format, take)
		if KindOf(err) == Unsupported {
			err = &Error{Unreadable, "the image cannot be decoded; save it as PNG or PDF/A", err}
			if format == "tiff" && r.Mutool != "" && len(acc.Images) == 0 {
				acc.Renderer = r.version(ctx, mupdf)
				err = r.viewTIFF(ctx, path, take)
			}
		}
	default:
		err = unsupported(format)
	}
	if d, ok := DifferenceOf(err); ok {
		d.Programs = [2]string{acc.Renderer, acc.Second}
	}
	if err != nil {
		return Account{}, err
	}
	return acc, nil
}

// viewPDF draws a PDF span by span. All pages are drawn before a difference is
// told, which is the worst of all.
func (r *Renderer) viewPDF(ctx context.Context, path string, second bool, take func(Sheet) error) error {
	f, err := os.Open(path)
	if err != nil {
		return &Error{Unreadable, "the document cannot be opened", err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return &Error{Unreadable, "the document cannot be opened", err}
	}
	framed, pages, err := framesOf(f, info.Size())
	if err != nil {
		return err
	}
	if pages == 0 {
		return &Error{Failed, "the PDF has no pages", nil}
	}
	d := &drawing{r: r, path: path, second: second, frames: framed}
	for first := 1; first <= pages; first += spanPages {
		s := span{first, min(first+spanPages-1, pages)}
		if err := d.draw(ctx, s, s.last == pages, take); err != nil {
			return err
		}
	}
	if d.worst != nil {
		if err := d.show(ctx); err != nil {
			return err
		}
		return &Error{Differs, "two programs show the document differently", d.worst}
	}
	return nil
}

// drawing is a PDF being drawn.
type drawing struct {
	r      *Renderer
	path   string
	second bool
	frames map[int][]image.Rectangle
	worst  *Difference
}

// draw draws one span and has the other program draw it at the same time. Both
// are asked for one page more than the last, to see that they know of none.
func (d *drawing) draw(ctx context.Context, s span, last bool, take func(Sheet) error) error {
	release, err := d.r.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	texts := d.r.texts(ctx, d.path, s)
	ask := s
	if last {
		ask.last++
	}
	var first, second []*sketch
	var pictures []Sheet
	left := room(maxSpan)
	whole := ctx
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return d.r.poppler(ctx, d.path, ask, DPI, nil, func(n int, p image.Image) error {
			png, err := encode(p)
			if d.second {
				first = append(first, sketchOf(p, DPI/sketchDPI))
			}
			pictures = append(pictures, Sheet{n, png, texts[n]})
			if err == nil {
				err = left.take(len(png))
			}
			return err
		})
	})
	if d.second {
		group.Go(func() error {
			return d.r.mupdf(ctx, d.path, ask, secondDPI, func(_ int, p image.Image) error {
				second = append(second, sketchOf(p, secondDPI/sketchDPI))
				return nil
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	want := s.last - s.first + 1
	switch {
	case d.second && (len(pictures) != want || len(second) != want):
		return &Error{Differs, fmt.Sprintf("of %d pages one program draws %d and the other %d", want, len(pictures), len(second)), &Difference{}}
	case len(pictures) != want:
		return &Error{Failed, fmt.Sprintf("of %d pages the renderer draws %d", want, len(pictures)), nil}
	}
	for i := range first {
		if err := d.compare(whole, pictures[i], first[i], second[i]); err != nil {
			return err
		}
	}
	for _, p := range pictures {
		if err := take(p); err != nil {
			return err
		}
	}
	return nil
}

// compare keeps the page if it is the worst difference so far.
func (d *drawing) compare(ctx context.Context, p Sheet, a, b *sketch) error {
	score := difference(a, b, nil)
	if excused := d.frames[p.Number]; score >= 1 && len(excused) > 0 {
		if framed := difference(a, b, excused); framed < 1 {
			bare, err := d.bare(ctx, p.Number)
			if err != nil {
				return err
			}
			score = max(framed, float64(bare.lone(b, nil))/loneLimit)
		}
	}
	if score < 1 || d.worst != nil && d.worst.score >= score {
		return nil
	}
	d.worst = &Difference{Page: p.Number, First: p.PNG, score: score}
	return nil
}

// show draws the other picture of the worst page, large enough to be looked at.
func (d *drawing) show(ctx context.Context) error {
	release, err := d.r.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	return d.r.mupdf(ctx, d.path, span{d.worst.Page, d.worst.Page}, DPI, func(_ int, p image.Image) (err error) {
		d.worst.Second, err = encode(p)
		return err
	})
}

// bare is a page as poppler draws it without annotations.
func (d *drawing) bare(ctx context.Context, n int) (s *sketch, err error) {
	err = d.r.poppler(ctx, d.path, span{n, n}, DPI, []string{"-hide-annotations"}, func(_ int, p image.Image) error {
		s = sketchOf(p, DPI/sketchDPI)
		return nil
	})
	if err == nil && s == nil {
		err = &Error{Failed, "the renderer gave no picture", nil}
	}
	return s, err
}

// room is how many bytes of pictures there is still room for. A small document
// can fill large pages with what does not compress.
type room int64

// take takes n bytes. Kind: Limit.
func (r *room) take(n int) error {
	if *r -= room(n); *r < 0 {
		return &Error{Limit, "the pictures of the pages are too large; split the document", nil}
	}
	return nil
}

// viewTime bounds a whole view.
const viewTime = 10 * time.Minute

// DifferenceOf gives the difference inside an error of kind Differs.
func DifferenceOf(err error) (*Difference, bool) {
	var d *Difference
	return d, errors.As(err, &d)
}
