package appearance

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"strings"
	"testing"
	"time"

	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

// quarters has a shade of its own in each quarter.
func quarters() *image.Gray {
	im := image.NewGray(image.Rect(0, 0, 64, 32))
	for y := range 32 {
		for x := range 64 {
			im.SetGray(x, y, color.Gray{Y: byte(80 * (x/32 + 2*(y/16)))})
		}
	}
	return im
}

// withExif puts an Exif segment with the orientation, and a comment, into a JPEG.
func withExif(file []byte, orientation byte, order binary.AppendByteOrder) []byte {
	tiff := []byte("MM")
	if order.String() == "LittleEndian" {
		tiff = []byte("II")
	}
	tiff = order.AppendUint16(tiff, 42)
	tiff = order.AppendUint32(tiff, 8)
	tiff = order.AppendUint16(tiff, 2)
	for _, tag := range []uint16{0x010F, 0x0112} { // the maker of the camera comes first
		tiff = order.AppendUint16(tiff, tag)
		tiff = order.AppendUint16(tiff, 3)
		tiff = order.AppendUint32(tiff, 1)
		tiff = order.AppendUint16(tiff, uint16(orientation))
		tiff = order.AppendUint16(tiff, 0)
	}
	body := append([]byte("Exif\x00\x00"), tiff...)
	body = append(body, "SECRETPLACE"...)
	out := bytes.Clone(file[:2])
	out = append(out, 0xFF, 0xE1, byte((len(body)+2)>>8), byte(len(body)+2))
	out = append(out, body...)
	out = append(out, "\xFF\xFE\x00\x0DSECRETPLACE"...)
	return append(out, file[2:]...)
}

// TestOrientation: an image is shown as the camera was held. The shades of upper left, upper right, lower left and lower
// right are those of the image turned or mirrored as Exif's table says.
func TestOrientation(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	if err := jpeg.Encode(&file, quarters(), &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	for orientation, want := range [8][4]int{
		{0, 80, 160, 240}, {80, 0, 240, 160}, {240, 160, 80, 0}, {160, 240, 0, 80},
		{0, 160, 80, 240}, {160, 0, 240, 80}, {240, 80, 160, 0}, {80, 240, 0, 160},
	} {
		w, h := 64.0, 32.0
		if orientation >= 4 {
			w, h = h, w
		}
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			a := Appearance{Width: w, Height: h, Image: withExif(file.Bytes(), byte(orientation+1), order)}
			doc := draw(t, a, page(a, nil))
			if bytes.Contains(doc, []byte("SECRET")) {
				t.Fatal("the document has the image's metadata")
			}
			im := render(t, doc)
			for i, v := range want {
				x, y := int(w)*(1+2*(i%2))/2, int(h)*(1+2*(i/2))/2 // 144 dpi: two pixels to the point
				got := color.GrayModel.Convert(im.At(x, y)).(color.Gray).Y
				if math.Abs(float64(got)-float64(v)) > 12 {
					t.Errorf("orientation %d, quarter %d: %d, want %d", orientation+1, i, got, v)
				}
			}
		}
	}
}

// header is a PNG that states a size and has no data.
func header(w, h uint32) []byte {
	ihdr := []byte("IHDR")
	ihdr = binary.BigEndian.AppendUint32(ihdr, w)
	ihdr = binary.BigEndian.AppendUint32(ihdr, h)
	ihdr = append(ihdr, 8, 0, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), ihdr...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(ihdr))
}

func TestRefusedImages(t *testing.T) {
	t.Parallel()
	whole := jpegOf(t, quarters())
	cmyk := []byte("\xFF\xD8\xFF\xC0\x00\x14\x08\x00\x10\x00\x10\x04\x01\x11\x00\x02\x11\x00\x03\x11\x00\x04\x11\x00\xFF\xDA\x00\x0E")
	scan := "\xFF\xDA\x00\x08\x01\x01\x00\x00\x3F\x00x"
	sof := bytes.Index(whole, []byte("\xFF\xDA"))
	scans := append(bytes.Clone(whole[:sof]), strings.Repeat(scan, maxScans+1)+"\xFF\xD9"...)
	for name, test := range map[string]struct {
		image []byte
		kind  Kind
		say   string
	}{
		"other format": {[]byte("GIF89a"), BadImage, "PNG or a JPEG"},
		"huge":         {header(1<<14, 1<<14), Limit, "pixels"},
		"empty":        {header(0, 9), BadImage, ""},
		"cut PNG":      {pngOf(t, quarters())[:60], BadImage, "PNG"},
		"cut JPEG":     {whole[:len(whole)/2], BadImage, "JPEG"},
		"no end":       {whole[:len(whole)-2], BadImage, "JPEG"},
		"many scans":   {scans, Limit, "scans"},
		"CMYK":         {cmyk, BadImage, "CMYK"},
		"too long":     {make([]byte, MaxImage+1), Limit, "bytes"},
	} {
		err := Appearance{Width: 99, Height: 99, Image: test.image}.Check()
		if KindOf(err) != test.kind || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s: %v, want %s", name, err, test.kind)
		}
	}
}

// TestPixels: what is embedded are the samples of the image, in grey where there is no colour.
func TestPixels(t *testing.T) {
	t.Parallel()
	paletted := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.NRGBA{10, 20, 30, 255}, color.NRGBA{40, 50, 60, 99}})
	paletted.SetColorIndex(1, 0, 1)
	deep := image.NewGray16(image.Rect(0, 0, 1, 1))
	deep.SetGray16(0, 0, color.Gray16{Y: 0x8040})
	for name, test := range map[string]struct {
		im             image.Image
		samples, alpha string
	}{
		"colour":   {paletted, "\x0a\x14\x1e\x28\x32\x3c", "\xff\x63"},
		"16 bits":  {deep, "\x80", ""},
		"shades":   {quarters().SubImage(image.Rect(0, 0, 1, 1)), "\x00", ""},
		"seethrou": {image.NewNRGBA(image.Rect(0, 0, 1, 1)), "\x00", "\x00"},
	} {
		p, err := readImage(pngOf(t, test.im))
		if err != nil || string(p.samples) != test.samples || string(p.alpha) != test.alpha {
			t.Errorf("%s: %x and %x, %v", name, p.samples, p.alpha, err)
		}
	}
	p := &picture{samples: []byte{0, 100, 200}, alpha: []byte{255, 0, 127}}
	if got := p.onWhite(); !bytes.Equal(got, []byte{0, 255, 228}) {
		t.Errorf("on white: %v", got)
	}
}

// TestTransparencyInPDFA: a soft mask is used where the document's claim allows it.
func TestTransparencyInPDFA(t *testing.T) {
	t.Parallel()
	see := pngOf(t, rubric(color.NRGBA{200, 0, 0, 100}))
	xmp := func(part string) string {
		return pdftest.Stream("/Type/Metadata/Subtype/XML", []byte(`<rdf:Description pdfaid:part="`+part+`" pdfaid:conformance="B"/>`))
	}
	intent := "/OutputIntents[<</S/GTS_PDFA1/OutputConditionIdentifier(sRGB)>>]"
	for name, test := range map[string]struct {
		part, intents string
		mask          bool
	}{
		"no PDF/A":               {"", "", true},
		"PDF/A-1":                {"1", intent, false},
		"PDF/A-2":                {"2", intent, true},
		"PDF/A-3 without intent": {"3", "", false},
	} {
		a := Appearance{Width: 99, Height: 60, Image: see}
		more := pdftest.Objects{1: "<</Type/Catalog/Pages 2 0 R/Metadata 9 0 R" + test.intents + ">>", 9: xmp(test.part)}
		if test.part == "" {
			more = nil
		}
		doc := draw(t, a, page(a, more))
		if got := bytes.Contains(doc, []byte("/SMask")); got != test.mask {
			t.Errorf("%s: soft mask %v", name, got)
		}
	}
}

// TestLargestImage: the largest image that is let in costs little enough time; see also the package's limits.
func TestLargestImage(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("works on an image of four million pixels")
	}
	im := image.NewPaletted(image.Rect(0, 0, 2048, 2048), color.Palette{color.NRGBA{1, 2, 3, 4}, color.NRGBA{5, 6, 7, 8}})
	for i := range im.Pix {
		im.Pix[i] = byte(i * i >> 7 & 1)
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	a := Appearance{Width: 99, Height: 99, Image: b.Bytes()}
	doc := page(a, nil)
	f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := pdf.NewUpdate(f)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if _, err := a.Add(u); err != nil || time.Since(start) > 10*time.Second {
		t.Fatal(err, time.Since(start))
	}
}
