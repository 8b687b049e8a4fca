package appearance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

// onPage draws the appearance as the content of a page.
func onPage(t testing.TB, a Appearance) []byte {
	t.Helper()
	doc := page(a, pdftest.Objects{4: pdftest.Stream("", []byte("/A Do"))})
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
		d["Contents"] = pdf.Ref{Num: 4}
		d["Resources"] = pdf.Dict{"XObject": pdf.Dict{"A": form}}
		u.Set(p.Ref, d)
	}
	tail, err := u.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return append(doc, tail...)
}

// TestTextIsText: what is shown can be searched and copied, and the font is embedded, as a subset, with its characters.
func TestTextIsText(t *testing.T) {
	t.Parallel()
	toText, fonts := tool(t, "pdftotext", "poppler-utils"), tool(t, "pdffonts", "poppler-utils")
	path := filepath.Join(t.TempDir(), "a.pdf")
	text := italian + "\nĐorđe Ђорђе Ελένη Łukasz Şükrü Ž Ő ½ ™"
	if err := os.WriteFile(path, onPage(t, Appearance{Width: 400, Height: 90, Text: text, FontSize: 10}), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(toText, path, "-").Output()
	if err != nil || strings.Join(strings.Fields(string(out)), " ") != strings.Join(strings.Fields(text), " ") {
		t.Errorf("%q, %v", out, err)
	}
	out, err = exec.Command(fonts, path).Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != 3 || !strings.Contains(lines[2], "+GoRegular") || !strings.Contains(lines[2], "CID TrueType      Identity-H       yes yes yes") {
		t.Errorf("%s, %v", out, err)
	}
}

// TestSubset checks the font program that is embedded: its tables and checksums.
func TestSubset(t *testing.T) {
	t.Parallel()
	for id := range goRegular.glyphs {
		outline, err := goRegular.outline(id)
		if err != nil {
			t.Fatal(err)
		}
		if len(outline) > 0 && outline[0] >= 0x80 {
			t.Fatalf("glyph %d is composed of others, which a subset would lack", id)
		}
	}
	ids := []int{0}
	for _, r := range "Àèéìòù€A" {
		ids = append(ids, goRegular.glyph(r))
	}
	program, err := goRegular.subset(ids)
	if err != nil {
		t.Fatal(err)
	}
	if sum := checksum(program); sum != 0xB1B0AFBA {
		t.Errorf("the checksum of the font is %08X", sum)
	}
	sub := &typeface{tables: sfntTables(program), glyphs: len(ids), metrics: len(ids), unitsPerEm: goRegular.unitsPerEm}
	for code, id := range ids {
		if sub.advance(code) != goRegular.advance(id) {
			t.Errorf("glyph %d is %v wide, and was %v", code, sub.advance(code), goRegular.advance(id))
		}
		was, _ := goRegular.outline(id)
		is, err := sub.outline(code)
		if err != nil || !bytes.HasPrefix(is, was) {
			t.Errorf("glyph %d: %d bytes of %d, %v", code, len(is), len(was), err)
		}
	}
	if len(program) > 40_000 {
		t.Errorf("a subset of nine glyphs has %d bytes", len(program))
	}
}

func TestRefusedTexts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		a    Appearance
		kind Kind
		say  string
	}{
		"nothing":        {Appearance{Width: 99, Height: 99}, BadOptions, "needs"},
		"no size":        {Appearance{Text: "x"}, BadOptions, "width"},
		"too wide":       {Appearance{Width: 1e6, Height: 9, Text: "x"}, BadOptions, "width"},
		"turned":         {Appearance{Width: 99, Height: 99, Text: "x", Rotate: 45}, BadOptions, "turned"},
		"layout":         {Appearance{Width: 99, Height: 99, Text: "x", Layout: "under"}, BadOptions, "layout"},
		"border":         {Appearance{Width: 99, Height: 99, Text: "x", Border: 50}, BadOptions, "border"},
		"font size":      {Appearance{Width: 99, Height: 99, Text: "x", FontSize: -1}, BadOptions, "font size"},
		"not UTF-8":      {Appearance{Width: 99, Height: 99, Text: "\xff"}, BadText, "UTF-8"},
		"no glyph":       {Appearance{Width: 99, Height: 99, Text: "署名"}, BadText, "U+7F72"},
		"control":        {Appearance{Width: 99, Height: 99, Text: "a\x07"}, BadText, "U+0007"},
		"too long":       {Appearance{Width: 99, Height: 99, Text: strings.Repeat("x", MaxText+1)}, Limit, "bytes"},
		"too much":       {Appearance{Width: 40, Height: 20, Text: strings.Repeat("parola ", 50)}, DoesNotFit, "does not fit"},
		"size too big":   {Appearance{Width: 40, Height: 20, Text: "parola", FontSize: 30}, DoesNotFit, "30"},
		"letter too big": {Appearance{Width: 4, Height: 90, Text: "W", FontSize: 8}, DoesNotFit, ""},
	} {
		err := test.a.Check()
		if KindOf(err) != test.kind || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s: %v, want %s", name, err, test.kind)
		}
	}
}

func TestReadable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"e\u0300":              "è", // as some file systems write it
		"a\tb\r\nc\rd":         "a b\nc\nd",
		"\n\n a \u00a0\n\nb\n": " a\n\nb",
		"":                     "",
	} {
		if got, err := readable(in); got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		width float64
		want  string
	}{
		{"uno due tre", 4, "uno due|tre"},
		{"uno\n\ndue", 9, "uno||due"},
		{"abcdefgh", 2, "abc|defg|h"},
		{"a abcdefgh b", 2, "a|abc|defg|h b"},
	} {
		lines, ok := wrap(test.text, test.width)
		if got := strings.Join(lines, "|"); !ok || got != test.want {
			t.Errorf("%q in %v: %s, want %s", test.text, test.width, got, test.want)
		}
		for _, line := range lines {
			if w := goRegular.width(line); w > test.width {
				t.Errorf("%q is %v wide", line, w)
			}
		}
	}
}

// FuzzAppearance: whatever the text and the image, drawing ends with an error that has a kind, or with objects that can be
// read back and a text within its area.
func FuzzAppearance(f *testing.F) {
	f.Add(italian, []byte(nil), 200.0, 60.0, 0.0, "")
	f.Add("x", pngOf(f, quarters()), 99.0, 60.0, 8.0, "above")
	f.Add("x", jpegOf(f, quarters()), 99.0, 60.0, 0.0, "behind")
	f.Fuzz(func(t *testing.T, text string, image []byte, w, h, size float64, layout string) {
		if len(image) > 23 && (image[16]|image[17]|image[20]|image[21]) != 0 && image[0] == 0x89 {
			return // more than 65535 pixels a side: only slow
		}
		a := Appearance{Width: w, Height: h, Text: text, Image: image, FontSize: size, Layout: Layout(layout)}
		doc := pdftest.Table(pdftest.Minimal(), "")
		file, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		u, err := pdf.NewUpdate(file)
		if err != nil {
			t.Fatal(err)
		}
		form, err := a.Add(u)
		if check := a.Check(); (check == nil) != (err == nil) {
			t.Fatalf("checked: %v, added: %v", check, err)
		}
		if err != nil {
			if KindOf(err) == "" {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		tail, err := u.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		doc = append(doc, tail...)
		if file, err = pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{}); err != nil {
			t.Fatal(err)
		}
		s, ok, err := pdf.As[*pdf.Stream](file, form)
		if err != nil || !ok {
			t.Fatal(err)
		}
		if _, err := file.Decoded(s, 1<<20); err != nil {
			t.Fatal(err)
		}
	})
}
