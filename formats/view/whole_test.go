package view

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pdfPageOf makes a PDF of one page of A4 with this content, more entries of the
// page's dictionary and more objects, the first of which is number 6.
func pdfPageOf(content, page string, more ...string) []byte {
	var b strings.Builder
	var offsets []int
	b.WriteString("%PDF-1.7\n")
	object := func(body string) {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", len(offsets), body)
	}
	object("<< /Type /Catalog /Pages 2 0 R >>")
	object("<< /Type /Pages /Kids [3 0 R] /Count 1 >>")
	object("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> " + page + " >>")
	object(fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content))
	object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	for _, m := range more {
		object(m)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(offsets)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(offsets)+1, at)
	return []byte(b.String())
}

// comparing is a renderer with a second opinion.
func comparing(t *testing.T) *Renderer {
	t.Helper()
	r := renderer(t, false)
	if r.Mutool == "" {
		t.Skip("mutool (mupdf-tools) is not installed")
	}
	return r
}

func textAt(x, y int, s string) string {
	return fmt.Sprintf("BT /F1 11 Tf %d %d Td (%s) Tj ET\n", x, y, s)
}

// among is a paragraph in 8 points with a word that only one program draws.
func among(word string) string {
	var b strings.Builder
	for i := range 12 {
		font, text := "F1", "Il canone annuo e di euro mille per ciascuno dei due anni"
		if i == 6 {
			font, text = "F9", "                  "+word
		}
		fmt.Fprintf(&b, "BT /%s 8 Tf 60 %d Td (%s) Tj ET\n", font, 700-10*i, text)
	}
	return b.String()
}

// What only one of two programs draws, or draws elsewhere, refuses the document
// and can be looked at; what both draw in their own way does not.
func TestSecondOpinion(t *testing.T) {
	t.Parallel()
	r := comparing(t)
	base := textAt(60, 780, "Contratto di locazione") + textAt(60, 760, "Il canone e di euro mille.")
	link := func(border string) string {
		return "/Annots [<< /Type /Annot /Subtype /Link /Rect [60 755 200 772] /C [1 0 0] " + border + " >>]"
	}
	frames := ""
	for y := 490; y < 520; y += 4 {
		frames += fmt.Sprintf("<< /Type /Annot /Subtype /Link /Rect [50 %d 130 %d] /C [0.8 0.8 0.8] >> ", y, y+2)
	}
	for name, c := range map[string]struct {
		doc  []byte
		kind Kind
	}{
		"text in a font that is not embedded": {pdfPageOf(base, ""), ""},
		"turned":                              {pdfPageOf(base, "/Rotate 90"), ""},
		"invisible text":                      {pdfPageOf(base+"BT 3 Tr /F1 11 Tf 60 500 Td (terzo) Tj ET", ""), ""},
		"frame of a link":                     {pdfPageOf(base, link("")), ""},
		"frame of a link, turned and cropped": {pdfPageOf(base, "/CropBox [20 30 500 800] /Rotate 270 "+link("/Border [0 0 2]")), ""},

		"frame as wide as a text":       {pdfPageOf(base, link("/Border [0 0 12]")), Differs},
		"text under frames":             {pdfPageOf(base+"BT /F1 11 Tf 0 500 Td -900 60-0 Td (duemila) Tj ET", "/Annots ["+frames+"]"), Differs},
		"text in a font that is absent": {pdfPageOf(base+"BT /F9 11 Tf 60 600 Td (mila) Tj ET\n", ""), Differs},
		"number written oddly":          {pdfPageOf(base+"BT /F1 11 Tf 60 50-0 Td (duemila) Tj ET", ""), Differs},
		"state restored too often":      {pdfPageOf("Q Q Q "+base, ""), Differs},
		"stamp without appearance":      {pdfPageOf(base, "/Annots [<< /Type /Annot /Subtype /Stamp /Rect [100 300 300 360] /F 4 /Name /Draft >>]"), Differs},
		"page in another unit":          {pdfPageOf(base, "/UserUnit 2"), Differs},
		"a word among lines":            {pdfPageOf(among("non"), ""), Differs},
		"content one program gives up":  {pdfPageOf(base+"BT /F1 11 Tf 60 500 Td (terzo Tj ET", ""), Failed},
	} {
		acc, err := r.View(t.Context(), write(t, "a.pdf", c.doc), "pdf", func(Sheet) error { return nil })
		if KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err == nil && (!strings.HasPrefix(acc.Renderer, "poppler ") || !strings.HasPrefix(acc.Second, "mupdf ") || len(acc.Images) != 1) {
			t.Errorf("%s: %+v", name, acc)
		}
		if c.kind != Differs {
			continue
		}
		d, ok := DifferenceOf(err)
		if !ok || d.Page != 1 || !strings.HasPrefix(d.Programs[0], "poppler ") || !strings.HasPrefix(d.Programs[1], "mupdf ") {
			t.Fatalf("%s: %+v", name, d)
		}
		if a, b := picture(t, d.First), picture(t, d.Second); a.Bounds().Dx() < 500 || b.Bounds().Dx() < 500 {
			t.Errorf("%s: %v, %v", name, a.Bounds(), b.Bounds())
		}
	}
}

// The account has the hash of every picture that is handed over, in order, and
// names who drew it; the text of a page comes with it.
func TestView(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	r.Mutool = ""
	var squares bytes.Buffer
	if err := png.Encode(&squares, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		format   string
		doc      []byte
		renderer string
		texts    []string
	}{
		"pdf":   {"pdf", pdfPageOf(textAt(60, 780, "Contratto")+textAt(60, 760, "ab"), ""), "poppler ", []string{"Contratto\nab"}},
		"pages": {"pdf", pdfOf(spanPages+2, "0 0 200 200"), "poppler ", make([]string, spanPages+2)},
		"text":  {"text", []byte("uno\ndue\u202e\n\ffin"), edition, []string{"uno\ndue[U+202E]\n[FF]", "fin"}},
		"long":  {"text", []byte(strings.Repeat("parola ", 20)), edition, []string{strings.TrimSpace(strings.Repeat("parola ", 20))}},
		"image": {"png", squares.Bytes(), edition, []string{""}},
	} {
		var hashes, texts []string
		acc, err := r.View(t.Context(), write(t, "a", c.doc), c.format, func(s Sheet) error {
			if s.Number != len(hashes)+1 {
				t.Errorf("%s: page %d comes after %d", name, s.Number, len(hashes))
			}
			picture(t, s.PNG)
			sum := sha256.Sum256(s.PNG)
			hashes, texts = append(hashes, hex.EncodeToString(sum[:])), append(texts, s.Text)
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !strings.HasPrefix(acc.Renderer, c.renderer) || acc.Second != "" || acc.DPI != DPI || !slices.Equal(acc.Images, hashes) {
			t.Errorf("%s: %+v, %q", name, acc, hashes)
		}
		if c.renderer == "poppler " && !regexp.MustCompile(`^poppler \d+\.\d+`).MatchString(acc.Renderer) {
			t.Errorf("%s: no version in %q", name, acc.Renderer)
		}
		if !slices.Equal(texts, c.texts) {
			t.Errorf("%s: text %q, want %q", name, texts, c.texts)
		}
	}
	full := errors.New("disk full")
	if _, err := r.View(t.Context(), write(t, "a", []byte("a")), "text", func(Sheet) error { return full }); !errors.Is(err, full) {
		t.Errorf("a page that cannot be kept: %v", err)
	}
}

// What is drawn in one sketch only is seen wherever it stands, also between the
// lines of a text; what is a little beside its place is not.
func TestDifference(t *testing.T) {
	t.Parallel()
	page := func(marks ...image.Rectangle) *sketch {
		p := image.NewGray(image.Rect(0, 0, 595, 842))
		draw.Draw(p, p.Rect, ground, image.Point{}, draw.Src)
		for _, m := range marks {
			for x := m.Min.X; x < m.Max.X; x += 4 { // strokes of letters
				draw.Draw(p, image.Rect(x, m.Min.Y, x+2, m.Max.Y), image.Black, image.Point{}, draw.Src)
			}
		}
		return sketchOf(p, 1)
	}
	above, line, below := image.Rect(60, 88, 500, 96), image.Rect(60, 102, 500, 110), image.Rect(60, 116, 500, 124)
	without := []image.Rectangle{above, image.Rect(60, 102, 200, 110), image.Rect(224, 102, 500, 110), below}
	whole := page(above, line, below)
	for name, c := range map[string]struct {
		a, b *sketch
		want bool
	}{
		"same":             {whole, page(above, line, below), false},
		"a point aside":    {whole, page(above.Add(image.Pt(2, 1)), line.Add(image.Pt(-1, 1)), below), false},
		"a word less":      {whole, page(without...), true},
		"a word more":      {page(without...), whole, true},
		"a line elsewhere": {whole, page(above, line, below.Add(image.Pt(0, 40))), true},
		"a black area":     {whole, page(above, line, below, image.Rect(60, 300, 500, 700)), true},
		"another size":     {whole, sketchOf(image.NewGray(image.Rect(0, 0, 842, 595)), 1), true},
	} {
		if got := difference(c.a, c.b, nil); (got >= 1) != c.want {
			t.Errorf("%s: %.2f", name, got)
		}
	}
	// A plain area has no more edges when it is filled another way.
	white, grey := image.NewGray(image.Rect(0, 0, 400, 400)), image.NewGray(image.Rect(0, 0, 400, 400))
	draw.Draw(white, white.Rect, ground, image.Point{}, draw.Src)
	if got := difference(sketchOf(white, 2), sketchOf(grey, 2), nil); got < 1 {
		t.Errorf("white and black: %.2f", got)
	}
}

// Pictures are taken as long as there is room for them.
func TestRoom(t *testing.T) {
	t.Parallel()
	left := room(10)
	for i, c := range []struct {
		bytes int
		kind  Kind
	}{{4, ""}, {6, ""}, {0, ""}, {1, Limit}, {1, Limit}} {
		if err := left.take(c.bytes); KindOf(err) != c.kind {
			t.Errorf("picture %d: %v", i, err)
		}
	}
}

func TestReadable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" a\n\tb\n": "a\n\tb", "a\u202eb\x00": "a[U+202E]b[U+0000]", "a\xffb": "a[U+FFFD]b",
		strings.Repeat("x", maxPageText+9): strings.Repeat("x", maxPageText+1) + "…",
	} {
		if got := readable(in); got != want {
			t.Errorf("%.20q: %.40q", in, got)
		}
	}
}

// A document with a macro becomes a PDF/A that shows its text and carries
// nothing of the macro.
func TestConvert(t *testing.T) {
	if testing.Short() {
		t.Skip("converts with LibreOffice")
	}
	t.Parallel()
	r := renderer(t, true)
	target := filepath.Join(t.TempDir(), "made.pdf")
	program, err := r.Convert(t.Context(), filepath.Join("..", "..", "testdata", "documents", "macro.docm"), "docm", target)
	if err != nil || !strings.HasPrefix(program, "LibreOffice ") {
		t.Fatal(program, err)
	}
	made, err := os.ReadFile(target)
	if err != nil || !bytes.Contains(made, []byte("<pdfaid:part>2</pdfaid:part>")) {
		t.Errorf("not PDF/A-2, %v", err)
	}
	words := ""
	if _, err := r.View(t.Context(), target, "pdf", func(s Sheet) error { words += s.Text; return nil }); err != nil || words == "" {
		t.Errorf("the result shows %q, %v", words, err)
	}
	for name, c := range map[string]struct {
		format, text string
		kind         Kind
	}{
		"text":      {"text", "perch\u00e9 \u202ecod", ""},
		"not UTF-8": {"text", "perch\xe9", Unsupported},
		"no such":   {"p7m", "x", Unsupported},
		"pdf":       {"pdf", "x", Unsupported},
	} {
		_, err := r.Convert(t.Context(), write(t, "a", []byte(c.text)), c.format, filepath.Join(t.TempDir(), "b.pdf"))
		if KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if r.Converts("pdf") || !r.Converts("docm") {
		t.Error("what can be converted is told wrongly")
	}
}
