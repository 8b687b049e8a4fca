package pdf

import (
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// TextString encodes s as a text string (ISO 32000-1 §7.9.2.2): as it is when it is printable ASCII, which
// PDFDocEncoding shares, else as UTF-16BE with a byte order mark.
func TextString(s string) String {
	plain := true
	for _, r := range s {
		plain = plain && r >= ' ' && r <= '~'
	}
	if plain {
		return String(s)
	}
	out := String{0xFE, 0xFF}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}

// Text decodes a text string: UTF-16BE or UTF-8 if it begins with their byte order mark, else PDFDocEncoding.
// What cannot be decoded becomes U+FFFD.
func (s String) Text() string {
	switch {
	case len(s) >= 2 && s[0] == 0xFE && s[1] == 0xFF:
		var units []uint16
		for i := 2; i+1 < len(s); i += 2 {
			units = append(units, uint16(s[i])<<8|uint16(s[i+1]))
		}
		return string(utf16.Decode(units))
	case len(s) >= 3 && s[0] == 0xEF && s[1] == 0xBB && s[2] == 0xBF:
		return strings.ToValidUTF8(string(s[3:]), "\uFFFD")
	}
	var b strings.Builder
	for _, c := range s {
		switch {
		case c >= 0x18 && c <= 0x1F:
			b.WriteRune(docAccents[c-0x18])
		case c >= 0x80 && c <= 0xA0:
			b.WriteRune(docSymbols[c-0x80])
		case c == 0x7F || c == 0xAD:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(rune(c))
		}
	}
	return b.String()
}

// docEncode encodes s in PDFDocEncoding; ok is false if it has a character that is not in it.
func docEncode(s string) (out []byte, ok bool) {
	for _, r := range s {
		c, ok := docByte(r)
		if !ok {
			return nil, false
		}
		out = append(out, c)
	}
	return out, true
}

func docByte(r rune) (byte, bool) {
	if i := slices.Index(docAccents, r); i >= 0 {
		return byte(0x18 + i), true
	}
	if i := slices.Index(docSymbols, r); i >= 0 && r != utf8.RuneError {
		return byte(0x80 + i), true
	}
	plain := r < 0x18 || r >= ' ' && r < 0x7F || r > 0xA0 && r <= 0xFF && r != 0xAD
	return byte(r), plain
}

// PDFDocEncoding where it departs from ISO 8859-1 (Annex D.2).
var (
	docAccents = []rune("\u02D8\u02C7\u02C6\u02D9\u02DD\u02DB\u02DA\u02DC")
	docSymbols = []rune("\u2022\u2020\u2021\u2026\u2014\u2013\u0192\u2044\u2039\u203A\u2212\u2030\u201E\u201C\u201D\u2018" +
		"\u2019\u201A\u2122\uFB01\uFB02\u0141\u0152\u0160\u0178\u017D\u0131\u0142\u0153\u0161\u017E\uFFFD\u20AC")
)

// Date encodes t as a date string in UTC (§7.9.4), to the second.
func Date(t time.Time) String {
	return String(t.UTC().Format("D:20060102150405+00'00'"))
}

// ParseDate reads a date string; ok is false if it is not one. Without a time zone, which the standard calls unknown,
// UTC is taken.
func ParseDate(s String) (t time.Time, ok bool) {
	text := strings.TrimPrefix(string(s), "D:")
	digits := 0
	for digits < len(text) && digits < 14 && text[digits] >= '0' && text[digits] <= '9' {
		digits++
	}
	if digits < 4 || digits%2 != 0 {
		return time.Time{}, false
	}
	const first = "00000101000000" // month and day begin with 01
	t, err := time.Parse("20060102150405", text[:digits]+first[digits:])
	if err != nil {
		return time.Time{}, false
	}
	zone := strings.ReplaceAll(text[digits:], "'", "")
	switch {
	case zone == "" || zone[0] == 'Z':
		return t, true
	case len(zone) == 3:
		zone += "00"
	}
	z, err := time.Parse("-0700", zone)
	if err != nil {
		return time.Time{}, false
	}
	_, offset := z.Zone()
	return t.Add(-time.Duration(offset) * time.Second), true
}
