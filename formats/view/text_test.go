package view

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func lines(t *testing.T, path, format string, page int) (out []string, pages int) {
	t.Helper()
	l, err := layOut(t.Context(), path, format, page, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range l.kept {
		out = append(out, line.String())
	}
	return out, l.page
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
		got, _ := lines(t, write(t, "a", []byte(c.text)), c.format, 1)
		if strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTextPages(t *testing.T) {
	t.Parallel()
	r := New("")
	for text, want := range map[string]int{
		"":                                  1,
		strings.Repeat("a\n", rows-1):       1,
		strings.Repeat("a\n", rows):         2,
		"a\fb":                              2,
		strings.Repeat("a\n", 3*rows-1):     3,
		strings.Repeat("x", columns*rows+1): 2,
	} {
		path := write(t, "a.txt", []byte(text))
		n, err := r.Pages(t.Context(), path, "text")
		if err != nil || n != want {
			t.Errorf("%.20q: %d pages, want %d, %v", text, n, want, err)
		}
		b, err := r.Page(t.Context(), path, "text", want, 72)
		if err != nil {
			t.Fatal(err)
		}
		if p := picture(t, b); p.Bounds().Dx() != sheetWidth || p.Bounds().Dy() != sheetHeight {
			t.Errorf("size %v", p.Bounds())
		}
		if _, err := r.Page(t.Context(), path, "text", want+1, 72); KindOf(err) != NoPage {
			t.Errorf("%.20q: a page too many: %v", text, err)
		}
	}
	endless := write(t, "a.txt", bytes.Repeat([]byte("\n"), rows*(MaxPages+1)))
	if _, err := r.Pages(t.Context(), endless, "text"); KindOf(err) != Limit {
		t.Errorf("too many pages: %v", err)
	}
}

// Characters in red stand for what would not be seen.
func TestTextMarks(t *testing.T) {
	t.Parallel()
	r := New("")
	for text, want := range map[string]bool{"abc": false, "a\u202ec": true} {
		b, err := r.Page(t.Context(), write(t, "a.txt", []byte(text)), "text", 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		p, red := picture(t, b), false
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
		l, err := layOut(t.Context(), path, format, 1, nil)
		if err != nil {
			return
		}
		for _, line := range l.kept {
			if len(line.glyphs) > columns {
				t.Fatalf("a line of %d", len(line.glyphs))
			}
		}
	})
}
