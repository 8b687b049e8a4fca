package appearance

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"regexp"

	"sigillo/formats/pdf"
)

// picture is an image ready to be embedded.
type picture struct {
	width, height int    // as shown, after turn
	turn          int    // how the samples are to be laid, the orientation 1 to 8 of Exif
	columns, rows int    // of the samples
	colour        bool   // three components, else one
	jpeg          []byte // the whole file, stripped; nil for samples
	samples       []byte // one byte per component
	alpha         []byte // one byte per pixel; nil: opaque
}

// readImage checks and reads a PNG or a JPEG.
func readImage(file []byte) (*picture, error) {
	switch {
	case bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")):
		return readPNG(file)
	case bytes.HasPrefix(file, []byte{0xFF, 0xD8, 0xFF}):
		return readJPEG(file)
	}
	return nil, failure(BadImage, "the image of a visible signature must be a PNG or a JPEG")
}

func checkSize(c image.Config, most int64) error {
	if c.Width < 1 || c.Height < 1 {
		return failure(BadImage, "the image is empty")
	}
	if int64(c.Width)*int64(c.Height) > most {
		return failure(Limit, "the image has %d × %d pixels; at most %d are allowed", c.Width, c.Height, most)
	}
	return nil
}

func readPNG(file []byte) (*picture, error) {
	config, err := png.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, &Error{BadImage, "the PNG cannot be read", err}
	}
	if err := checkSize(config, MaxPixels); err != nil {
		return nil, err
	}
	im, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, &Error{BadImage, "the PNG cannot be read", err}
	}
	p := &picture{turn: 1, columns: config.Width, rows: config.Height, width: config.Width, height: config.Height}
	p.fill(im)
	return p, nil
}

// fill takes the samples of im, colours only if there are any.
func (p *picture) fill(im image.Image) {
	b := im.Bounds()
	n := p.columns * p.rows
	rgb, alpha := make([]byte, 3*n), make([]byte, n)
	at := straight(im)
	var coloured, transparent byte
	for i, y := 0, b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := at(x, y)
			rgb[3*i], rgb[3*i+1], rgb[3*i+2], alpha[i] = c.R, c.G, c.B, c.A
			coloured |= (c.R ^ c.G) | (c.R ^ c.B)
			transparent |= ^c.A
			i++
		}
	}
	if transparent != 0 {
		p.alpha = alpha
	}
	if p.colour = coloured != 0; !p.colour {
		for i := range n {
			rgb[i] = rgb[3*i]
		}
		rgb = rgb[:n]
	}
	p.samples = rgb
}

// straight gives the colours of pixels, not multiplied with their alpha.
func straight(im image.Image) func(x, y int) color.NRGBA {
	convert := func(c color.Color) color.NRGBA { return color.NRGBAModel.Convert(c).(color.NRGBA) }
	switch im := im.(type) {
	case *image.NRGBA:
		return im.NRGBAAt
	case *image.Gray:
		return func(x, y int) color.NRGBA {
			v := im.GrayAt(x, y).Y
			return color.NRGBA{v, v, v, 255}
		}
	case *image.Paletted:
		var palette [256]color.NRGBA
		for i, c := range im.Palette {
			palette[i] = convert(c)
		}
		return func(x, y int) color.NRGBA { return palette[im.ColorIndexAt(x, y)] }
	}
	return func(x, y int) color.NRGBA { return convert(im.At(x, y)) }
}

// readJPEG keeps the compressed data as they are. They are decoded once all the same: what viewers would show differently,
// or not at all, must not be signed.
func readJPEG(file []byte) (*picture, error) {
	config, err := jpeg.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, &Error{BadImage, "the JPEG cannot be read", err}
	}
	if err := checkSize(config, MaxPixelsJPEG); err != nil {
		return nil, err
	}
	if config.ColorModel == color.CMYKModel {
		return nil, failure(BadImage, "the JPEG is in CMYK; save it in RGB or in shades of grey")
	}
	stripped, orientation, err := strip(file)
	if err != nil {
		return nil, err
	}
	if _, err := jpeg.Decode(bytes.NewReader(stripped)); err != nil {
		return nil, &Error{BadImage, "the JPEG cannot be read", err}
	}
	p := &picture{turn: orientation, columns: config.Width, rows: config.Height, width: config.Width, height: config.Height}
	if orientation > 4 {
		p.width, p.height = p.height, p.width
	}
	p.jpeg, p.colour = stripped, config.ColorModel != color.GrayModel
	return p, nil
}

// matrix maps the unit square of the image (§8.9.3) to b, turned as the camera was held.
func (p *picture) matrix(b box) []float64 {
	l, r, bottom, top := b.x, b.x+b.w, b.y, b.y+b.h
	// Where the lower left, the lower right and the upper left corner of the samples go.
	corners := [8][6]float64{
		{l, bottom, r, bottom, l, top}, // 1: as it is
		{r, bottom, l, bottom, r, top}, // 2: mirrored left to right
		{r, top, l, top, r, bottom},    // 3: turned by 180 degrees
		{l, top, r, top, l, bottom},    // 4: mirrored top to bottom
		{r, top, r, bottom, l, top},    // 5: transposed
		{l, top, l, bottom, r, top},    // 6: to be turned 90 degrees clockwise
		{l, bottom, l, top, r, bottom}, // 7: transversed
		{r, bottom, r, top, l, bottom}, // 8: to be turned 90 degrees counter-clockwise
	}[p.turn-1]
	x, y := corners[0], corners[1]
	return []float64{corners[2] - x, corners[3] - y, corners[4] - x, corners[5] - y, x, y}
}

// add embeds the image; flat lays it on white where it is transparent.
func (p *picture) add(u *pdf.Update, flat bool) pdf.Ref {
	d := pdf.Dict{
		"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Image"),
		"Width": pdf.Integer(p.columns), "Height": pdf.Integer(p.rows), "BitsPerComponent": pdf.Integer(8),
		"ColorSpace": calGray(),
	}
	if p.colour {
		d["ColorSpace"] = calRGB()
	}
	if p.jpeg != nil {
		d["Filter"] = pdf.Name("DCTDecode")
		return u.Add(&pdf.NewStream{Dict: d, Data: p.jpeg})
	}
	samples := p.samples
	switch {
	case p.alpha != nil && flat:
		samples = p.onWhite()
	case p.alpha != nil:
		d["SMask"] = u.Add(compressed(pdf.Dict{
			"Type": pdf.Name("XObject"), "Subtype": pdf.Name("Image"),
			"Width": pdf.Integer(p.columns), "Height": pdf.Integer(p.rows), "BitsPerComponent": pdf.Integer(8),
			"ColorSpace": pdf.Name("DeviceGray"), // §11.6.5.3 allows no other
		}, p.alpha))
	}
	return u.Add(compressed(d, samples))
}

func (p *picture) onWhite() []byte {
	out := make([]byte, len(p.samples))
	per := len(p.samples) / len(p.alpha)
	for i, v := range p.samples {
		a := int(p.alpha[i/per])
		out[i] = byte((int(v)*a + 255*(255-a) + 127) / 255)
	}
	return out
}

// The colour spaces have the white point, the primaries and nearly the tone curve of sRGB (§8.6.5.2, §8.6.5.3).

func whitePoint() pdf.Array { return pdf.Array{pdf.Real(0.9505), pdf.Integer(1), pdf.Real(1.089)} }

func calGray() pdf.Array {
	return pdf.Array{pdf.Name("CalGray"), pdf.Dict{"WhitePoint": whitePoint(), "Gamma": pdf.Real(2.2)}}
}

func calRGB() pdf.Array {
	matrix := pdf.Array{}
	for _, v := range []float64{0.4124, 0.2126, 0.0193, 0.3576, 0.7152, 0.1192, 0.1805, 0.0722, 0.9505} {
		matrix = append(matrix, pdf.Real(v))
	}
	return pdf.Array{pdf.Name("CalRGB"), pdf.Dict{
		"WhitePoint": whitePoint(), "Gamma": pdf.Array{pdf.Real(2.2), pdf.Real(2.2), pdf.Real(2.2)}, "Matrix": matrix,
	}}
}

var pdfaPart = regexp.MustCompile(`pdfaid:part\s*(?:=\s*["']|>)\s*([0-9])`)

// ArchivePart gives the part of PDF/A that a document claims in its metadata (ISO 19005: 1, 2, 3 or 4), 0 for none. A
// document that cannot be asked claims nothing.
func ArchivePart(f *pdf.File) int {
	catalog, err := f.Catalog()
	if err != nil {
		return 0
	}
	s, ok, err := pdf.As[*pdf.Stream](f, catalog["Metadata"])
	if err != nil || !ok {
		return 0
	}
	xmp, err := f.Decoded(s, 1<<20)
	if err != nil {
		return 0
	}
	if part := pdfaPart.FindSubmatch(xmp); part != nil {
		return int(part[1][0] - '0')
	}
	return 0
}

// opaque tells whether the document claims a kind of PDF/A that allows no transparency here: PDF/A-1 has none at all
// (ISO 19005-1 §6.4), later parts ask for an output intent, or for a group on the page that is not ours to write
// (ISO 19005-2 §6.2.10).
func opaque(f *pdf.File) bool {
	part := ArchivePart(f)
	if part == 0 {
		return false
	}
	catalog, err := f.Catalog()
	if err != nil {
		return true
	}
	intents, _, _ := pdf.As[pdf.Array](f, catalog["OutputIntents"])
	for _, o := range intents {
		if d, ok, _ := pdf.As[pdf.Dict](f, o); ok && d["S"] == pdf.Name("GTS_PDFA1") {
			return part == 1
		}
	}
	return true
}
