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
)

// pdfPage draws one page of a PDF. pdftoppm writes raw pixels, which we
// compress ourselves: its own PNG takes several times as long.
func (r *Renderer) pdfPage(ctx context.Context, path string, n, dpi int) ([]byte, error) {
	if r.Pdftoppm == "" {
		return nil, &Error{Missing, "pdftoppm is not installed; install poppler-utils", nil}
	}
	pages, err := pdfPages(path)
	if err != nil {
		return nil, err
	}
	if n > pages {
		return nil, noPage(n)
	}
	release, err := r.slot(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var picture image.Image
	page := strconv.Itoa(n)
	err = r.run(ctx, &job{
		program:  r.Pdftoppm,
		args:     []string{"-f", page, "-l", page, "-r", strconv.Itoa(dpi), "-cropbox", "{document}"},
		document: path, as: "document.pdf", memory: 2 << 30, time: pageTime,
		stdout: func(out io.Reader) (err error) {
			picture, err = readPPM(out)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return encode(picture)
}

// readPPM reads one binary PPM (P6, 8 bits a channel).
func readPPM(r io.Reader) (image.Image, error) {
	br := bufio.NewReaderSize(r, 1<<20)
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
	if _, err := br.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("something follows the picture")
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
