package legible_test

import (
	"testing"
	"unicode"

	"sigillo/formats/legible"
)

func TestLegible(t *testing.T) {
	t.Parallel()
	const plain = "fattura n. 1 – Società «Ada» 日本\u3000ע"
	for _, c := range []struct{ in, line, text string }{
		{"", "", ""},
		{plain, plain, plain},
		{"fattura\u202efdp.exe", "fattura[U+202E]fdp.exe", "fattura[U+202E]fdp.exe"},
		{"a\u2066b\u200bc\u2028", "a[U+2066]b[U+200B]c[U+2028]", "a[U+2066]b[U+200B]c[U+2028]"},
		{"\x1b[31m\tred\r\n", "[U+001B][31m[U+0009]red[U+000D][U+000A]", "[U+001B][31m\tred[U+000D]\n"},
		{"C1 \u009b31m \U000e0041", "C1 [U+009B]31m [U+E0041]", "C1 [U+009B]31m [U+E0041]"},
		{"not UTF-8 \x9b\xff31m", "not UTF-8 \ufffd31m", "not UTF-8 \ufffd31m"},
	} {
		if line, text := legible.Line(c.in), legible.Text(c.in); line != c.line || text != c.text {
			t.Errorf("%q: %q and %q, want %q and %q", c.in, line, text, c.line, c.text)
		}
	}
	if got := legible.Numbered("a b\n", unicode.IsSpace); got != "a[U+0020]b[U+000A]" {
		t.Errorf("spaces: %q", got)
	}
}
