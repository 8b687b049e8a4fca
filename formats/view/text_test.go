package view

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// laid lays a text out and gives the lines of one page.
func laid(t *testing.T, text, format string, page int) (out []string, pages int, err error) {
	t.Helper()
	f, err := os.Open(write(t, "a", []byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pages, err = layOut(f, format, func(n int, lines []line) error {
		for _, line := range lines {
			if n == page {
				out = append(out, line.String())
			}
		}
		return nil
	})
	return out, pages, err
}

func TestTextLayout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		format, text string
		want         []string
	}{
		"plain":       {"text", "a\r\nb\rc\n", []string{"a", "b", "c", ""}},
		"tab":         {"text", "a\tb", []string{"a       b"}},
		"json":        {"json", "{}\n", []string{"{}", ""}},
		"markdown":    {"markdown", "# a", []string{"# a"}},
		"control":     {"text", "a\x1bb\x00", []string{"a[U+001B]b[U+0000]"}},
		"bidi":        {"text", "a\u202eb\u200b", []string{"a[U+202E]b[U+200B]"}},
		"no glyph":    {"text", "a漢😀", []string{"a[U+6F22][U+1F600]"}},
		"combining":   {"text", "e\u0301", []string{"é"}},
		"latin-1":     {"text", "perch\xe8", []string{"perchè"}},
		"bom":         {"text", "\ufeffa", []string{"a"}},
		"utf-16":      {"text", "\xff\xfea\x00\xe8\x00", []string{"aè"}},
		"markup":      {"html", "<b>a</b>&amp;", []string{"<b>a</b>&amp;"}},
		"declared":    {"xml", "<?xml version='1.0' encoding='ISO-8859-1'?>\n\xe8", []string{"<?xml version='1.0' encoding='ISO-8859-1'?>", "è"}},
		"word wrap":   {"text", strings.Repeat("parola ", 20), []string{strings.Repeat("parola ", 13), strings.Repeat("parola ", 7)}},
		"hard wrap":   {"text", strings.Repeat("x", columns+1), []string{strings.Repeat("x", columns), "x"}},
		"empty":       {"text", "", []string{""}},
		"spaces kept": {"text", "  a  ", []string{"  a  "}},
	} {
		got, _, err := laid(t, c.text, c.format, 1)
		if err != nil || strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTextPages(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"":                                  1,
		strings.Repeat("a\n", rows-1):       1,
		strings.Repeat("a\n", rows):         2,
		"a\fb":                              2,
		strings.Repeat("a\n", 3*rows-1):     3,
		strings.Repeat("x", columns*rows+1): 2,
	} {
		if _, n, err := laid(t, text, "text", 1); err != nil || n != want {
			t.Errorf("%.20q: %d pages, want %d, %v", text, n, want, err)
		}
	}
	if _, _, err := laid(t, strings.Repeat("\n", rows*(MaxPages+1)), "text", 1); KindOf(err) != Limit {
		t.Errorf("too many pages: %v", err)
	}
}

// Characters in red stand for what would not be seen.
func TestTextMarks(t *testing.T) {
	t.Parallel()
	r := renderer(t, false)
	for text, want := range map[string]bool{"abc": false, "a\u202ec": true} {
		pages, err := view(t, r, write(t, "a.txt", []byte(text)), "text")
		if err != nil {
			t.Fatal(err)
		}
		p, red := pages[0], false
		if p.Bounds().Dx() != sheetWidth*DPI/72 || p.Bounds().Dy() != sheetHeight*DPI/72 {
			t.Errorf("size %v", p.Bounds())
		}
		for y := range p.Bounds().Dy() {
			for x := range p.Bounds().Dx() {
				r, g, _, _ := p.At(x, y).RGBA()
				red = red || r > g+0x6000
			}
		}
		if red != want {
			t.Errorf("%q: red %v", text, red)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("a\tb\r\n\x1b\u202e"), "text")
	f.Add([]byte("<?xml encoding='utf-16'?>"), "xml")
	f.Fuzz(func(t *testing.T, text []byte, format string) {
		path := filepath.Join(t.TempDir(), "a")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, _ = layOut(f, format, func(_ int, lines []line) error {
			for _, line := range lines {
				if len(line.glyphs) > columns {
					t.Fatalf("a line of %d", len(line.glyphs))
				}
			}
			return nil
		})
	})
}
