package view

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

func TestImages(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	src := image.NewPaletted(image.Rect(0, 0, 40, 20), color.Palette{color.White, color.Black})
	for i := range src.Pix[:200] {
		src.Pix[i] = 1
	}
	encoders := map[string]func(io.Writer) error{
		"png":  func(w io.Writer) error { return png.Encode(w, src) },
		"jpeg": func(w io.Writer) error { return jpeg.Encode(w, src, nil) },
		"gif":  func(w io.Writer) error { return gif.Encode(w, src, nil) },
		"bmp":  func(w io.Writer) error { return bmp.Encode(w, src) },
		"tiff": func(w io.Writer) error { return tiff.Encode(w, src, nil) },
		"webp": func(w io.Writer) error { return webpEncode(w, src) },
	}
	for format, encode := range encoders {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		path := write(t, "a", b.Bytes())
		pages, err := view(t, r, path, format)
		if err != nil || len(pages) != 1 {
			t.Errorf("%s: %d pages, %v", format, len(pages), err)
			continue
		}
		if p := pages[0]; p.Bounds().Dx() != 40 || inkIn(p, 0, 0, 10, 2) == 0 || inkIn(p, 0, 4, 10, 10) != 0 {
			t.Errorf("%s: wrong picture", format)
		}
		if _, err := view(t, r, write(t, "b", b.Bytes()[:b.Len()/2]), format); KindOf(err) != Unreadable {
			t.Errorf("%s cut short: %v", format, err)
		}
	}
}

// webpEncode writes black and white as a lossless WebP (RFC 9649 §3): no
// transform, no cache, and one bit for each of green, red and blue.
func webpEncode(w io.Writer, src *image.Paletted) error {
	var out []byte
	n := 0
	put := func(value, bits int) {
		for ; bits > 0; bits, value = bits-1, value>>1 {
			if n%8 == 0 {
				out = append(out, 0)
			}
			out[n/8] |= byte(value&1) << (n % 8)
			n++
		}
	}
	put(0x2f, 8)
	put(src.Rect.Dx()-1, 14)
	put(src.Rect.Dy()-1, 14)
	put(0, 1+3+3) // no alpha, version 0; no transform, no colour cache, one group of codes
	for range 3 { // codes of two symbols: 0 and 255
		put(1|1<<1|1<<2, 3)
		put(0, 8)
		put(255, 8)
	}
	put(1|0<<1|1<<2, 3) // alpha is always 255
	put(255, 8)
	put(1, 4) // no distances: the symbol 0
	for _, p := range src.Pix {
		put(7*(1-int(p)), 3)
	}
	out = append(out, make([]byte, len(out)%2)...)
	head := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(out)+12))
	head = binary.LittleEndian.AppendUint32(append(head, "WEBPVP8L"...), uint32(len(out)))
	_, err := w.Write(append(head, out...))
	return err
}

func TestImageLimits(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	header := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x00\x00\x00\x00")
	header = binary.BigEndian.AppendUint32(header, crc32.ChecksumIEEE(header[12:]))
	if _, err := view(t, r, write(t, "a.png", header), "png"); KindOf(err) != Limit {
		t.Errorf("huge: %v", err)
	}
	big := image.NewGray(image.Rect(0, 0, 18000, 600))
	for i := range big.Pix {
		big.Pix[i] = 0xff
	}
	for x := range 18000 { // a hair line, of which every seventh row and column is kept
		big.SetGray(x, 302, color.Gray{})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, big); err != nil {
		t.Fatal(err)
	}
	pages, err := view(t, r, write(t, "b.png", b.Bytes()), "png")
	if err != nil {
		t.Fatal(err)
	}
	p, seen := pages[0], 0
	if p.Bounds().Dx() > sheetHeight*imageDPI/72 || p.Bounds().Dy() > sheetWidth*imageDPI/72 {
		t.Errorf("not reduced: %v", p.Bounds())
	}
	for y := range p.Bounds().Dy() {
		if v, _, _, _ := p.At(100, y).RGBA(); v < 0xf800 {
			seen++
		}
	}
	if seen == 0 {
		t.Error("a line has vanished")
	}
}

// Every page of a fax is shown: two single-page TIFFs are chained by hand.
func TestTIFFPages(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	var b bytes.Buffer
	if err := tiff.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 4)), nil); err != nil {
		t.Fatal(err)
	}
	doc := b.Bytes()
	first := int(binary.LittleEndian.Uint32(doc[4:]))
	count := int(binary.LittleEndian.Uint16(doc[first:]))
	size := 2 + 12*count + 4
	second := len(doc) + len(doc)%2
	doc = append(doc, make([]byte, len(doc)%2)...)
	doc = append(doc, doc[first:first+size]...)
	binary.LittleEndian.PutUint32(doc[first+size-4:], uint32(second))
	for i := range count { // the second page is half as high
		if e := doc[second+2+12*i:]; binary.LittleEndian.Uint16(e) == 257 {
			binary.LittleEndian.PutUint16(e[8:], 2)
		}
	}
	path := write(t, "a.tif", doc)
	pages, err := view(t, r, path, "tiff")
	if err != nil || len(pages) != 2 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for n, height := range []int{4, 2} {
		if p := pages[n]; p.Bounds().Dy() != height {
			t.Errorf("page %d: %v", n+1, p.Bounds())
		}
	}
	binary.LittleEndian.PutUint32(doc[second+size-4:], uint32(first))
	if _, err := view(t, r, write(t, "b.tif", doc), "tiff"); KindOf(err) != Unreadable {
		t.Errorf("loop: %v", err)
	}
}

// A TIFF for print is drawn by mupdf, where that is installed, and the account says so.
func TestTIFFBeyond(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	if r.Mutool == "" {
		t.Skip("mutool (mupdf-tools) is not installed")
	}
	doc := []byte("II*\x00\x08\x00\x00\x00\x0a\x00")
	const data = 8 + 2 + 10*12 + 4
	for _, e := range [][4]uint32{ // tag, type, count, value (TIFF 6.0 §16)
		{256, 3, 1, 40}, {257, 3, 1, 20}, {258, 3, 4, data}, {259, 3, 1, 1}, {262, 3, 1, 5},
		{273, 4, 1, data + 8}, {277, 3, 1, 4}, {278, 3, 1, 20}, {279, 4, 1, 40 * 20 * 4}, {284, 3, 1, 1},
	} {
		doc = binary.LittleEndian.AppendUint16(doc, uint16(e[0]))
		doc = binary.LittleEndian.AppendUint16(doc, uint16(e[1]))
		doc = binary.LittleEndian.AppendUint32(doc, e[2])
		doc = binary.LittleEndian.AppendUint32(doc, e[3])
	}
	doc = append(doc, "\x00\x00\x00\x00\x08\x00\x08\x00\x08\x00\x08\x00"...)
	for i := range 40 * 20 {
		doc = append(doc, 0, 0, 0, byte(0xff*(1-min(1, i/200)))) // black above, white below
	}
	var pages []image.Image
	path := write(t, "a.tif", doc)
	acc, err := r.View(t.Context(), path, "tiff", func(s Sheet) error {
		pages = append(pages, picture(t, s.PNG))
		return nil
	})
	if err != nil || len(pages) != 1 || !strings.HasPrefix(acc.Renderer, "mupdf ") {
		t.Fatalf("%d pages, %+v, %v", len(pages), acc, err)
	}
	if p := pages[0]; inkIn(p, 0, 0, 10, 2) == 0 || inkIn(p, 0, 4, 10, 10) != 0 {
		t.Error("wrong picture")
	}
	full := errors.New("disk full")
	if _, err := r.View(t.Context(), path, "tiff", func(Sheet) error { return full }); !errors.Is(err, full) {
		t.Errorf("a page that cannot be kept: %v", err)
	}
	r.Mutool = ""
	if _, err := view(t, r, path, "tiff"); KindOf(err) != Unreadable {
		t.Error(err)
	}
}

func FuzzImage(f *testing.F) {
	var doc bytes.Buffer
	if err := tiff.Encode(&doc, image.NewGray(image.Rect(0, 0, 8, 4)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(doc.Bytes(), "tiff")
	f.Add([]byte("MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x08"), "tiff")
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"), "gif")
	f.Fuzz(func(t *testing.T, doc []byte, format string) {
		if family(format) != "image" {
			return
		}
		// A page that takes all the memory there is meets its limits in the process that
		// draws it; here it would end the fuzzing.
		if c, err := codecs[format].config(bytes.NewReader(doc)); err == nil && c.Width*c.Height > 1<<20 {
			return
		}
		err := drawImage(bytes.NewReader(doc), format, func(p *image.NRGBA) error {
			if p.Rect.Dx() > 2000 || p.Rect.Dy() > 2000 {
				t.Fatalf("a picture of %v", p.Rect)
			}
			return nil
		})
		if kind := KindOf(err); err != nil && kind != Unreadable && kind != Limit && kind != Unsupported {
			t.Fatal(err)
		}
	})
}
