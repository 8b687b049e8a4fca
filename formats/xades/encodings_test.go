package xades

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"sigillo/formats/ades"
)

// Documents in the encodings that invoices come in are signed and raised as
// they are, and every byte of them stays.
func TestEncodings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	latin := func(m *charmap.Charmap, s string) []byte {
		out, err := m.NewEncoder().Bytes([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	wide := func(s string) []byte {
		var b []byte
		for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
			b = append(b, byte(u>>8), byte(u))
		}
		return b
	}
	for _, c := range []struct {
		name string
		doc  []byte
	}{
		{"latin1", latin(charmap.ISO8859_1, "<?xml version='1.0' encoding='ISO-8859-1'?>\r\n<città però='è'><b>«ù»</b></città>\r\n")},
		{"latin1-empty", latin(charmap.ISO8859_1, "<?xml version='1.0' encoding='ISO-8859-1'?><p:è xmlns:p='urn:p'/>")},
		{"windows", latin(charmap.Windows1252, "<?xml version='1.0' encoding='windows-1252'?><a>“€”</a>")},
		{"utf16", wide("<?xml version='1.0' encoding='UTF-16'?>\n<a b='è'>𝄞€</a>\n")},
		{"utf16-empty", wide("<è />")},
		{"bom", []byte("\ufeff<?xml version='1.0' encoding='utf-8'?><a>è</a>")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			doc := w.sign(t, c.doc, w.Signer(t, "p256"), func(o *Options) {
				o.Parallel = true
				o.Properties.ClaimedRoles = []string{"perché €"}
			})
			doc = w.sign(t, doc, w.Signer(t, "p256"), func(o *Options) { o.Parallel = true })
			doc = w.raise(t, doc, ades.BLTA, w.extension(t))
			keep(t, w, "doc.xml", doc)
			sigs := good(t, doc, nil)
			if len(sigs) != 2 || sigs[0].Properties.ClaimedRoles[0] != "perché €" {
				t.Errorf("%d signatures, %+v", len(sigs), sigs[0].Properties)
			}
			if !strings.HasSuffix(c.name, "empty") && !hasParts(doc, c.doc) {
				t.Errorf("%q became %q", c.doc, doc)
			}
		})
	}
}

// hasParts reports whether doc is original with one thing put in.
func hasParts(doc, original []byte) bool {
	n := 0
	for n < len(original) && doc[n] == original[n] {
		n++
	}
	// What is put in may begin like what follows it.
	for ; n >= 0; n-- {
		if bytes.HasSuffix(doc, original[n:]) {
			return true
		}
	}
	return false
}
