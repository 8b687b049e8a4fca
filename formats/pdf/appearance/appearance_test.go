package appearance

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

const italian = "Firmato digitalmente da Nicolò D’Àvalos\nPerché è così: ÀÈÉÌÒÙ àèéìòù € «più» – “già” … §3 n° 7"

// page is a document of one page whose size is that of the appearance as its reader sees it.
func page(a Appearance, more pdftest.Objects) []byte {
	w, h := a.Width, a.Height
	if a.Rotate%180 != 0 {
		w, h = h, w
	}
	o := pdftest.Minimal().With(more)
	o[3] = fmt.Sprintf("<</Type/Page/Parent 2 0 R/MediaBox[0 0 %g %g]/Rotate %d/Resources<<>>>>", w, h, a.Rotate)
	return pdftest.Table(o, "")
}

// draw puts the appearance on a page as a widget that fills it, and returns the file.
func draw(t testing.TB, a Appearance, doc []byte) []byte {
	t.Helper()
	f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := pdf.NewUpdate(f)
	if err != nil {
		t.Fatal(err)
	}
	form, err := a.Add(u)
	if err != nil {
		t.Fatal(err)
	}
	for p, err := range f.Pages() {
		if err != nil {
			t.Fatal(err)
		}
		d := p.Dict.Clone()
		box := d["MediaBox"]
		d["Annots"] = pdf.Array{u.Add(pdf.Dict{
			"Type": pdf.Name("Annot"), "Subtype": pdf.Name("Stamp"), "Rect": box, "F": pdf.Integer(4), "AP": pdf.Dict{"N": form},
		})}
		u.Set(p.Ref, d)
	}
	tail, err := u.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return append(bytes.Clone(doc), tail...)
}

func tool(t testing.TB, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (Debian package %s)", name, pkg)
	}
	return path
}

// render draws the first page at 144 dpi.
func render(t testing.TB, doc []byte) image.Image {
	t.Helper()
	program := tool(t, "pdftoppm", "poppler-utils")
	dir := t.TempDir()
	in := filepath.Join(dir, "in.pdf")
	if err := os.WriteFile(in, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, "-r", "144", "-png", in).Output()
	if err != nil {
		t.Fatal(err)
	}
	if keep := os.Getenv("SIGILLO_KEEP"); keep != "" {
		name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
		_ = os.WriteFile(filepath.Join(keep, name+".png"), out, 0o600)
		_ = os.WriteFile(filepath.Join(keep, name+".pdf"), doc, 0o600)
	}
	im, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// rubric is a red ring, half of it transparent, as someone's drawn signature.
func rubric(colour color.NRGBA) *image.NRGBA {
	im := image.NewNRGBA(image.Rect(0, 0, 120, 80))
	for y := range 80 {
		for x := range 120 {
			d := math.Hypot(float64(x-60)*0.66, float64(y-40))
			if d > 26 && d < 36 {
				im.SetNRGBA(x, y, colour)
			}
		}
	}
	return im
}

func pngOf(t testing.TB, im image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, im image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, im, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func cases(t testing.TB) map[string]Appearance {
	red := pngOf(t, rubric(color.NRGBA{200, 0, 0, 180}))
	return map[string]Appearance{
		"text":         {Width: 220, Height: 60, Text: italian, Border: 1},
		"fixed size":   {Width: 300, Height: 80, Text: italian, FontSize: 9},
		"image":        {Width: 120, Height: 60, Image: red, Border: 0.5},
		"beside":       {Width: 240, Height: 60, Text: italian, Image: red, Border: 1},
		"above":        {Width: 120, Height: 140, Text: italian, Image: red, Layout: Above, Border: 1},
		"behind":       {Width: 240, Height: 60, Text: italian, Image: red, Layout: Behind},
		"turned 90":    {Width: 240, Height: 60, Text: italian, Image: red, Border: 1, Rotate: 90},
		"turned 180":   {Width: 240, Height: 60, Text: italian, Image: red, Border: 1, Rotate: 180},
		"turned 270":   {Width: 240, Height: 60, Text: italian, Image: red, Border: 1, Rotate: 270},
		"long word":    {Width: 80, Height: 60, Text: strings.Repeat("abcdefghi", 12), Border: 1},
		"tiny":         {Width: 60, Height: 14, Text: "Firma di Élodie", Border: 0.25},
		"jpeg":         {Width: 120, Height: 60, Image: jpegOf(t, rubric(color.NRGBA{200, 0, 0, 180}))},
		"other script": {Width: 200, Height: 60, Text: "Đorđe Ђорђе Ελένη Łukasz Şükrü Ž Ő"},
	}
}

func TestDrawn(t *testing.T) {
	t.Parallel()
	for name, a := range cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			im := render(t, draw(t, a, page(a, nil)))
			b := im.Bounds()
			if math.Abs(float64(b.Dx())-2*a.Width) > 1 || math.Abs(float64(b.Dy())-2*a.Height) > 1 {
				t.Fatalf("the page is %v", b)
			}
			ink := 0
			for y := b.Min.Y; y < b.Max.Y; y++ {
				for x := b.Min.X; x < b.Max.X; x++ {
					r, g, bl, _ := im.At(x, y).RGBA()
					if r+g+bl < 0x20000 {
						ink++
					}
				}
			}
			if ink < 100 {
				t.Errorf("only %d dark points", ink)
			}
		})
	}
}
