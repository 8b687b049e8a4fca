package view

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"io"
	"strconv"
	"time"
)

// span is a run of pages, counted from 1, both ends included.
type span struct{ first, last int }

// time to draw a span: a page may take long, all of them may not.
func (s span) time() time.Duration {
	return pageTime + time.Duration(s.last-s.first)*2*time.Second
}

// poppler draws a span of pages with pdftoppm, which writes raw pixels that we
// compress ourselves: its own PNG takes several times as long. It ends quietly
// with the last page that the program knows of.
func (r *Renderer) poppler(ctx context.Context, path string, s span, dpi int, options []string, each func(n int, p image.Image) error) error {
	if r.Pdftoppm == "" {
		return &Error{Missing, "pdftoppm is not installed; install poppler-utils", nil}
	}
	args := append([]string{"-f", strconv.Itoa(s.first), "-l", strconv.Itoa(s.last), "-r", strconv.Itoa(dpi), "-cropbox"}, options...)
	return r.run(ctx, &job{
		program: r.Pdftoppm, args: append(args, "{document}"),
		document: path, as: "document.pdf", memory: 2 << 30, time: s.time(),
		stdout: func(out io.Reader) error { return readPPMs(out, s, each) },
	})
}

// mupdf draws a span of pages with mutool, another program by other people. Hair
// lines are as thick as poppler makes them at twice the resolution.
func (r *Renderer) mupdf(ctx context.Context, path string, s span, dpi int, each func(n int, p image.Image) error) error {
	return r.run(ctx, &job{
		program:  r.Mutool,
		args:     []string{"draw", "-q", "-r", strconv.Itoa(dpi), "-l", "0.5", "-c", "rgb", "-F", "ppm", "-o", "-", "{document}", fmt.Sprintf("%d-%d", s.first, s.last)},
		document: path, as: "document.pdf", memory: 2 << 30, time: s.time(),
		stdout: func(out io.Reader) error { return readPPMs(out, s, each) },
	})
}

// readPPMs reads the pictures of a span, one after the other.
func readPPMs(r io.Reader, s span, each func(n int, p image.Image) error) error {
	br := bufio.NewReaderSize(r, 1<<20)
	for n := s.first; ; n++ {
		if _, err := br.Peek(1); err == io.EOF {
			return nil
		}
		if n > s.last {
			return fmt.Errorf("something follows the pictures")
		}
		p, err := readPPM(br)
		if err != nil {
			return err
		}
		if err := each(n, p); err != nil {
			return err
		}
	}
}

// readPPM reads one binary PPM (P6, 8 bits a channel).
func readPPM(br *bufio.Reader) (image.Image, error) {
	var magic string
	var width, height, depth int
	if _, err := fmt.Fscanf(br, "%2s\n%d %d\n%d\n", &magic, &width, &height, &depth); err != nil {
		return nil, fmt.Errorf("no picture: %w", err)
	}
	if magic != "P6" || depth != 255 || width < 1 || height < 1 {
		return nil, fmt.Errorf("not a picture: %q %d×%d", magic, width, height)
	}
	if err := checkPixels(width, height); err != nil {
		return nil, err
	}
	row := make([]byte, 3*width)
	picture := image.NewNRGBA(image.Rect(0, 0, width, height))
	grey := true
	for y := range height {
		if _, err := io.ReadFull(br, row); err != nil {
			return nil, fmt.Errorf("picture cut short: %w", err)
		}
		line := picture.Pix[y*picture.Stride:]
		for x, at := 0, 0; x < len(row); x, at = x+3, at+4 {
			red, green, blue := row[x], row[x+1], row[x+2]
			line[at], line[at+1], line[at+2], line[at+3] = red, green, blue, 0xff
			grey = grey && red == green && green == blue
		}
	}
	if !grey {
		return picture, nil
	}
	flat := image.NewGray(picture.Rect) // most pages: a third of the work for the encoder
	for i := range flat.Pix {
		flat.Pix[i] = picture.Pix[4*i]
	}
	return flat, nil
}

func checkPixels(width, height int) error {
	if int64(width)*int64(height) > MaxPixels {
		return &Error{Limit, fmt.Sprintf("the page has %d×%d pixels, more than can be shown; choose a lower resolution", width, height), nil}
	}
	return nil
}

// encode compresses fast: the picture is looked at once or twice.
func encode(picture image.Image) ([]byte, error) {
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, picture); err != nil {
		return nil, &Error{Failed, "the picture cannot be encoded", err}
	}
	return b.Bytes(), nil
}
