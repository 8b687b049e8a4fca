package pades_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"sigillo/formats/cms/cmstest"
	"sigillo/formats/pades"
	"sigillo/formats/pdf/appearance"
	"sigillo/formats/pdf/pdftest"
)

func textAppearance(text string) *appearance.Appearance {
	return &appearance.Appearance{Text: text, Border: 1}
}

// red is an image that is found again on the page.
func red() []byte {
	im := image.NewRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		im.Set(i%8, i/8, color.RGBA{255, 0, 0, 255})
	}
	var b bytes.Buffer
	_ = png.Encode(&b, im) // to memory
	return b.Bytes()
}

// TestVisible signs pages that are turned and cropped and looks, in the picture that poppler makes of them, whether the signature is
// where it was asked for, seen from the lower left corner of the page as it is shown.
func TestVisible(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("pdftoppm"); err != nil {
		t.Skip("pdftoppm is not installed (Debian package poppler-utils): visible signatures were not looked at")
	}
	id := cmstest.New(t).Signer(t, "p256")
	for name, page := range map[string]string{
		"plain":           "/MediaBox[0 0 200 100]",
		"turned 90":       "/MediaBox[0 0 200 100]/Rotate 90",
		"turned 180":      "/MediaBox[0 0 200 100]/Rotate 180",
		"turned 270":      "/MediaBox[0 0 200 100]/Rotate 270",
		"turned back":     "/MediaBox[0 0 200 100]/Rotate -90",
		"moved":           "/MediaBox[50 -70 250 30]",
		"cropped":         "/MediaBox[0 0 300 300]/CropBox[40 90 240 190]",
		"cropped, turned": "/MediaBox[0 0 300 300]/CropBox[40 90 240 190]/Rotate 90",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := pdftest.Minimal().With(pdftest.Objects{
				2: "<</Type/Pages/Kids[3 0 R 4 0 R]/Count 2>>",
				4: "<</Type/Page/Parent 2 0 R/Resources<<>>" + page + ">>",
			})
			rect := [4]float64{10, 20, 60, 70}
			doc := sign(t, pdftest.Table(objects, ""), id, nil, func(o *pades.Options) {
				o.Page, o.Rect, o.Appearance = 2, rect, &appearance.Appearance{Image: red()}
			})
			checkTools(t, doc, 1, 0)
			checkRed(t, doc, 2, rect)
		})
	}
}

// TestVisibleInField: a field's own rectangle, also of a kid that was hidden.
func TestVisibleInField(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := pdftest.Table(emptyField(nil), "")
	for name, rect := range map[string][4]float64{"firma": {130, 10, 160, 40}, "parti.attore": {125, 50, 165, 90}} {
		signed := sign(t, doc, id, nil, func(o *pades.Options) {
			o.Field, o.Appearance = name, &appearance.Appearance{Image: red()}
		})
		checkWellFormed(t, signed)
		checkKept(t, doc, signed, 0)
		if _, err := exec.LookPath("pdftoppm"); err == nil {
			checkRed(t, signed, 1, rect)
		}
	}
}

// checkRed renders a page with a pixel for each point and looks for the red square.
func checkRed(t *testing.T, doc []byte, page int, rect [4]float64) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "in.pdf")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	number := string(rune('0' + page))
	out, err := exec.Command("pdftoppm", "-png", "-cropbox", "-r", "72", "-f", number, "-l", number, "-singlefile", path, filepath.Join(dir, "out")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	file, err := os.Open(filepath.Join(dir, "out.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	im, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	found := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for y := range im.Bounds().Dy() {
		for x := range im.Bounds().Dx() {
			if r, g, _, _ := im.At(x, y).RGBA(); r > 0x8000 && g < 0x8000 {
				up := float64(im.Bounds().Dy() - y)
				found = [4]float64{min(found[0], float64(x)), min(found[1], up-1), max(found[2], float64(x+1)), max(found[3], up)}
			}
		}
	}
	for i := range rect {
		if math.Abs(found[i]-rect[i]) > 3 { // the image has a margin
			t.Errorf("the signature is at %v, want %v", found, rect)
			break
		}
	}
}

func TestVisibleRefuses(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).Signer(t, "p256")
	doc := pdftest.Table(emptyField(pdftest.Objects{
		10: "<</Type/Annot/Subtype/Widget/FT/Sig/T(firma)/P 3 0 R/Rect[0 0 0 0]/F 4>>",
		12: "<</T(attore)/FT/Sig/Parent 11 0 R/Kids[13 0 R 8 0 R]>>",
		8:  "<</Type/Annot/Subtype/Widget/Parent 12 0 R/P 3 0 R/Rect[10 50 90 90]/F 4>>",
	}), "")
	a := textAppearance("Ada")
	good := [4]float64{10, 10, 100, 60}
	for name, test := range map[string]struct {
		change func(*pades.Options)
		kind   pades.Kind
	}{
		"good":               {func(o *pades.Options) { o.Appearance, o.Rect = a, good }, ""},
		"no rectangle":       {func(o *pades.Options) { o.Appearance = a }, pades.BadOptions},
		"no appearance":      {func(o *pades.Options) { o.Rect = good }, pades.BadOptions},
		"turned inside out":  {func(o *pades.Options) { o.Appearance, o.Rect = a, [4]float64{100, 10, 10, 60} }, pades.BadOptions},
		"not on the page":    {func(o *pades.Options) { o.Appearance, o.Rect = a, [4]float64{10, 10, 300, 60} }, pades.BadOptions},
		"not a number":       {func(o *pades.Options) { o.Appearance, o.Rect = a, [4]float64{math.NaN(), 10, 30, 60} }, pades.BadOptions},
		"no such page":       {func(o *pades.Options) { o.Appearance, o.Rect, o.Page = a, good, 2 }, pades.BadOptions},
		"negative page":      {func(o *pades.Options) { o.Appearance, o.Rect, o.Page = a, good, -1 }, pades.BadOptions},
		"no such letter":     {func(o *pades.Options) { o.Appearance, o.Rect = textAppearance("\U0001F600"), good }, pades.BadOptions},
		"field without area": {func(o *pades.Options) { o.Appearance, o.Field = a, "firma" }, pades.BadOptions},
		"field has a place":  {func(o *pades.Options) { o.Appearance, o.Rect, o.Field = a, good, "firma" }, pades.BadOptions},
		"two widgets":        {func(o *pades.Options) { o.Appearance, o.Field = a, "parti.attore" }, pades.Unsupported},
	} {
		_, err := prepare(doc, id, test.change)
		if pades.KindOf(err) != test.kind || (err == nil) != (test.kind == "") {
			t.Errorf("%s: %v, want %q", name, err, test.kind)
		}
	}
}
