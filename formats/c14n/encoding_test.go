package c14n

import (
	"bytes"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
)

// wide is text in little-endian UTF-16.
func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

func narrow(t *testing.T, m *charmap.Charmap, s string) string {
	t.Helper()
	out, err := m.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A document is the same in every encoding, and its parts are found in the
// octets it really has.
func TestEncodings(t *testing.T) {
	t.Parallel()
	body := "<p:a xmlns:p='urn:p' città='è così'><b>«perché» " + string(bytes.Repeat([]byte("ù"), 70)) + "</b><!-- é --><c x='1' /></p:a>\r\n"
	declare := func(name, rest string) string { return "<?xml version='1.0' encoding='" + name + "'?>\n" + rest }
	for _, c := range []struct{ name, encoding, doc, text string }{
		{"latin 1", "ISO-8859-1", narrow(t, charmap.ISO8859_1, declare("iso-8859-1", body)), body},
		{"latin 1, other name", "ISO-8859-1", narrow(t, charmap.ISO8859_1, declare("Latin1", body)), body},
		{"latin 9", "ISO-8859-15", narrow(t, charmap.ISO8859_15, declare("ISO-8859-15", "<a>€</a>")), "<a>€</a>"},
		{"windows-1252", "windows-1252", narrow(t, charmap.Windows1252, declare("windows-1252", "<a>“€”</a>")), "<a>“€”</a>"},
		{"utf-16", "UTF-16LE", wide("\ufeff" + declare("UTF-16", body+"<!--𝄞-->")), body},
		{"utf-16 without declaration", "UTF-16LE", wide("\ufeff<a>𝄞€</a>"), "<a>𝄞€</a>"},
		{"utf-16, big-endian", "UTF-16BE", "\xfe\xff\x00<\x00a\x00>\x20\xac\x00<\x00/\x00a\x00>", "<a>€</a>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, err := Parse([]byte(c.doc))
			if err != nil {
				t.Fatal(err)
			}
			if d.Encoding() != c.encoding {
				t.Errorf("encoding %s", d.Encoding())
			}
			if got, want := form(t, c.doc, C14N11), form(t, c.text, C14N11); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			utf8, err := Parse([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range elements(utf8) {
				again := elements(d)[i]
				for what, pair := range map[string][2]string{
					"whole": {c.text[n.Start:n.End], c.doc[again.Start:again.End]},
					"end":   {c.text[n.CloseStart:n.End], c.doc[again.CloseStart:again.End]},
				} {
					if enc, err := Encode(c.encoding, pair[0]); err != nil || string(enc) != pair[1] {
						t.Errorf("%s of element %d is at %q, want %q, %v", what, i, pair[1], pair[0], err)
					}
				}
			}
		})
	}
}

func elements(d *Document) (out []*Node) {
	d.Root.Walk(func(n *Node) bool {
		if n.Kind == ElementNode {
			out = append(out, n)
		}
		return true
	})
	return out
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for encoding, text := range map[string]string{"ISO-8859-1": "€", "windows-1252": "𝄞", "EBCDIC": "a"} {
		if _, err := Encode(encoding, text); KindOf(err) != Encoding {
			t.Errorf("%s: got %v", encoding, err)
		}
	}
}
