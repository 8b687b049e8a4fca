package view

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strconv"

	"golang.org/x/image/bmp"
	"golang.org/x/image/draw"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// codec is one image format: its dimensions without decoding, and its picture.
type codec struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var codecs = map[string]codec{
	"png":  {png.DecodeConfig, png.Decode},
	"jpeg": {jpeg.DecodeConfig, jpeg.Decode},
	"gif":  {gif.DecodeConfig, gif.Decode},
	"bmp":  {bmp.DecodeConfig, bmp.Decode},
	"tiff": {tiff.DecodeConfig, tiff.Decode},
	"webp": {webp.DecodeConfig, webp.Decode},
}

// drawImage draws each page of an image, in its own pixels or reduced to a sheet of
// A4. Only a TIFF has more than one: what moves is not signed (inspect refuses it).
//
// Kinds: Unreadable, Limit, Unsupported.
func drawImage(f io.ReaderAt, format string, each func(*image.NRGBA) error) error {
	pages := []io.ReaderAt{f}
	if format == "tiff" {
		var err error
		if pages, err = tiffPages(f); err != nil {
			return err
		}
	}
	for _, page := range pages {
		p, err := decodeImage(page, codecs[format])
		if err != nil {
			return err
		}
		if err := each(reduce(p)); err != nil {
			return err
		}
	}
	return nil
}

func decodeImage(page io.ReaderAt, c codec) (p image.Image, err error) {
	defer func() {
		if v := recover(); v != nil { // a decoder fell over a defective image
			p, err = nil, &Error{Unreadable, fmt.Sprintf("the image is defective (%v); save it again", v), nil}
		}
	}()
	all := func() io.Reader { return io.NewSectionReader(page, 0, 1<<40) }
	config, err := c.config(all())
	if err == nil {
		if err := checkPixels(config.Width, config.Height); err != nil {
			return nil, err
		}
		p, err = c.decode(all())
	}
	var beyond tiff.UnsupportedError
	switch {
	case errors.As(err, &beyond):
		return nil, &Error{Unsupported, "this sort of TIFF is not drawn here", err}
	case err != nil:
		return nil, &Error{Unreadable, "the image cannot be decoded; save it as PNG or PDF/A", err}
	}
	return p, nil
}

// viewTIFF has mupdf draw what our decoder does not know, such as scans in JPEG and
// pictures for print.
func (r *Renderer) viewTIFF(ctx context.Context, path string, take func(Sheet) error) error {
	release, err := r.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	const long = sheetHeight * DPI / 72
	size := strconv.Itoa(long)
	return r.run(ctx, &job{
		program:  r.Mutool,
		args:     []string{"draw", "-q", "-r", strconv.Itoa(DPI), "-w", size, "-h", size, "-c", "rgb", "-F", "ppm", "-o", "-", "{document}"},
		document: path, as: "document.tiff", memory: 2 << 30, time: convertTime,
		stdout: func(out io.Reader) error {
			return readPPMs(out, span{1, MaxPages}, func(n int, p image.Image) error {
				png, err := encode(p)
				if err != nil {
					return err
				}
				return take(Sheet{n, png, ""})
			})
		},
	})
}

// imageDPI is the resolution at which an image as large as a sheet of A4 is shown:
// more than that of pages, because a photographed contract has its small print, too.
const imageDPI = 3 * DPI / 2

// reduce fits a picture larger than a sheet of A4 to that size, either way up, and
// puts it on white, as it would be printed. Each point of the result is made of all
// those that it stands for: no stroke of a letter falls between two of them.
func reduce(picture image.Image) *image.NRGBA {
	b := picture.Bounds()
	long, short := float64(sheetHeight*imageDPI)/72, float64(sheetWidth*imageDPI)/72
	width, height := float64(b.Dx()), float64(b.Dy())
	if width > height {
		long, short = short, long
	}
	scale := min(1, short/width, long/height)
	whole := shrink(picture, int(1/scale))
	out := whole
	if scale < 1 { // what is left is less than a half, for which four neighbours are enough
		out = image.NewRGBA(image.Rect(0, 0, max(1, int(width*scale)), max(1, int(height*scale))))
		draw.ApproxBiLinear.Scale(out, out.Rect, whole, whole.Rect, draw.Src, nil)
	}
	return &image.NRGBA{Pix: out.Pix, Stride: out.Stride, Rect: out.Rect} // the same where nothing shines through
}

// shrink puts a picture on white and makes one point of each n by n.
func shrink(picture image.Image, n int) *image.RGBA {
	b := picture.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, (b.Dx()+n-1)/n, (b.Dy()+n-1)/n))
	strip := image.NewRGBA(image.Rect(0, 0, b.Dx(), n))
	for y := range out.Rect.Dy() {
		rows := image.Rect(0, 0, b.Dx(), min(n, b.Dy()-y*n))
		draw.Draw(strip, rows, ground, image.Point{}, draw.Src)
		draw.Draw(strip, rows, picture, b.Min.Add(image.Pt(0, y*n)), draw.Over)
		for x := range out.Rect.Dx() {
			mean(out.Pix[y*out.Stride+4*x:][:4], strip, rows.Intersect(image.Rect(x*n, 0, x*n+n, n)))
		}
	}
	return out
}

// mean writes the mean of the points of a rectangle.
func mean(point []byte, p *image.RGBA, r image.Rectangle) {
	var sum [4]int
	for y := r.Min.Y; y < r.Max.Y; y++ {
		row := p.Pix[y*p.Stride+4*r.Min.X : y*p.Stride+4*r.Max.X]
		for at := 0; at < len(row); at += 4 {
			for c := range sum {
				sum[c] += int(row[at+c])
			}
		}
	}
	for c := range sum {
		point[c] = byte(sum[c] / (r.Dx() * r.Dy()))
	}
}

// tiffPages returns, for each page of a TIFF, the file as if that page were its
// first one: decoders only read the first directory (TIFF 6.0 §2).
func tiffPages(f io.ReaderAt) ([]io.ReaderAt, error) {
	bad := func(err error) ([]io.ReaderAt, error) {
		return nil, &Error{Unreadable, "the TIFF image is defective; save it again", err}
	}
	var head [8]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return bad(err)
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(head[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return bad(errors.New("not a classic TIFF"))
	}
	var pages []io.ReaderAt
	seen := map[uint32]bool{}
	for at := order.Uint32(head[4:]); at != 0; {
		if seen[at] {
			return bad(errors.New("its directories go round in a circle"))
		}
		if len(pages) == MaxPages {
			return nil, &Error{Limit, fmt.Sprintf("the image has more than %d pages; split it", MaxPages), nil}
		}
		seen[at] = true
		page := &tiffPage{ReaderAt: f}
		order.PutUint32(page.first[:], at)
		pages = append(pages, page)
		var count [2]byte
		if _, err := f.ReadAt(count[:], int64(at)); err != nil {
			return bad(err)
		}
		var next [4]byte
		if _, err := f.ReadAt(next[:], int64(at)+2+12*int64(order.Uint16(count[:]))); err != nil {
			return bad(err)
		}
		at = order.Uint32(next[:])
	}
	if len(pages) == 0 {
		return bad(errors.New("no page"))
	}
	return pages, nil
}

// tiffPage is a TIFF file with another first directory.
type tiffPage struct {
	io.ReaderAt
	first [4]byte
}

func (t *tiffPage) ReadAt(p []byte, off int64) (int, error) {
	n, err := t.ReaderAt.ReadAt(p, off)
	for i := range t.first {
		if at := int64(4+i) - off; at >= 0 && at < int64(n) {
			p[at] = t.first[i]
		}
	}
	return n, err
}
