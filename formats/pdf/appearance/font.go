package appearance

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf16"

	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"

	"sigillo/formats/pdf"
)

// typeface is the font with what is asked of it all the time; lengths are in em.
type typeface struct {
	tables          map[string][]byte
	cmap            *sfnt.Font
	unitsPerEm      float64
	ascent, descent float64 // of the tallest letters, descent is negative
	metrics         int     // entries of hmtx with a width
	glyphs          int
}

// goRegular is part of the program: it is read once, and that it is whole is checked by the tests.
var goRegular = func() *typeface {
	t := &typeface{tables: sfntTables(goregular.TTF)}
	t.cmap, _ = sfnt.Parse(goregular.TTF)
	t.unitsPerEm = float64(binary.BigEndian.Uint16(t.tables["head"][18:]))
	hhea := t.tables["hhea"]
	t.ascent = float64(int16(binary.BigEndian.Uint16(hhea[4:]))) / t.unitsPerEm
	t.descent = float64(int16(binary.BigEndian.Uint16(hhea[6:]))) / t.unitsPerEm
	t.metrics = int(binary.BigEndian.Uint16(hhea[34:]))
	t.glyphs = int(binary.BigEndian.Uint16(t.tables["maxp"][4:]))
	return t
}()

// glyph is the index of the glyph of r, 0 if there is none.
func (t *typeface) glyph(r rune) int {
	var b sfnt.Buffer
	g, err := t.cmap.GlyphIndex(&b, r)
	if err != nil {
		return 0
	}
	return int(g)
}

// advance is the width of a glyph.
func (t *typeface) advance(glyph int) float64 {
	at := 4 * min(glyph, t.metrics-1)
	return float64(binary.BigEndian.Uint16(t.tables["hmtx"][at:])) / t.unitsPerEm
}

func (t *typeface) width(s string) (w float64) {
	for _, r := range s {
		w += t.advance(t.glyph(r))
	}
	return w
}

// head is how many bytes of s are at most width wide.
func (t *typeface) head(s string, width float64) int {
	w := 0.0
	for i, r := range s {
		if w += t.advance(t.glyph(r)); w > width {
			return i
		}
	}
	return len(s)
}

// glyphSet is the part of the font that a text uses. In the subset the glyphs are numbered in the order of their first
// use, after .notdef; those numbers are the character codes of the text.
type glyphSet struct {
	codes map[rune]int
	runes []rune // by code; [0] is .notdef
	ids   []int  // glyph in the whole font by code
}

func newGlyphSet(lines []string) *glyphSet {
	g := &glyphSet{codes: map[rune]int{}, runes: []rune{0}, ids: []int{0}}
	for _, line := range lines {
		for _, r := range line {
			if _, ok := g.codes[r]; !ok {
				g.codes[r] = len(g.runes)
				g.runes = append(g.runes, r)
				g.ids = append(g.ids, goRegular.glyph(r))
			}
		}
	}
	return g
}

// encode gives the two-byte codes of a text, as the CMap Identity-H reads them.
func (g *glyphSet) encode(s string) (out []byte) {
	for _, r := range s {
		out = binary.BigEndian.AppendUint16(out, uint16(g.codes[r]))
	}
	return out
}

// add embeds the subset as a Type 0 font over a CIDFontType2 (ISO 32000-1 §9.7). Of PDF/A it keeps: the font program
// embedded, widths that agree with it, /CIDToGIDMap, /ToUnicode, and a /CIDSet that names every glyph in the program
// (ISO 19005-1 §6.3.5, 19005-2 §6.2.11.4).
func (g *glyphSet) add(u *pdf.Update) (pdf.Ref, error) {
	program, err := goRegular.subset(g.ids)
	if err != nil {
		return pdf.Ref{}, err
	}
	name := pdf.Name(subsetTag(program) + "+GoRegular")
	head, em := goRegular.tables["head"], goRegular.unitsPerEm
	bbox := pdf.Array{}
	for i := range 4 {
		v := int16(binary.BigEndian.Uint16(head[36+2*i:]))
		bbox = append(bbox, thousandths(float64(v)/em))
	}
	descriptor := pdf.Dict{
		"Type": pdf.Name("FontDescriptor"), "FontName": name, "Flags": pdf.Integer(32), // nonsymbolic
		"FontBBox": bbox, "ItalicAngle": pdf.Integer(0), "StemV": pdf.Integer(80),
		"Ascent": thousandths(goRegular.ascent), "Descent": thousandths(goRegular.descent),
		"CapHeight": thousandths(goRegular.capHeight()),
		"FontFile2": u.Add(compressed(pdf.Dict{"Length1": pdf.Integer(len(program))}, program)),
	}
	if u.File().Version() != "2.0" { // ISO 32000-2 §9.8.3.4 deprecates it
		descriptor["CIDSet"] = u.Add(compressed(pdf.Dict{}, ones(len(g.ids))))
	}
	widths := pdf.Array{}
	for _, id := range g.ids {
		widths = append(widths, thousandths(goRegular.advance(id)))
	}
	descendant := u.Add(pdf.Dict{
		"Type": pdf.Name("Font"), "Subtype": pdf.Name("CIDFontType2"), "BaseFont": name,
		"CIDSystemInfo":  pdf.Dict{"Registry": pdf.String("Adobe"), "Ordering": pdf.String("Identity"), "Supplement": pdf.Integer(0)},
		"FontDescriptor": u.Add(descriptor), "CIDToGIDMap": pdf.Name("Identity"),
		"W": pdf.Array{pdf.Integer(0), widths},
	})
	return u.Add(pdf.Dict{
		"Type": pdf.Name("Font"), "Subtype": pdf.Name("Type0"), "BaseFont": name, "Encoding": pdf.Name("Identity-H"),
		"DescendantFonts": pdf.Array{descendant},
		"ToUnicode":       u.Add(compressed(pdf.Dict{}, g.toUnicode())),
	}), nil
}

// capHeight is the height of an H: its glyph's yMax.
func (t *typeface) capHeight() float64 {
	h, err := t.outline(t.glyph('H'))
	if err != nil || len(h) < 10 {
		return t.ascent
	}
	return float64(int16(binary.BigEndian.Uint16(h[8:]))) / t.unitsPerEm
}

func thousandths(em float64) pdf.Integer { return pdf.Integer(math.Round(1000 * em)) }

// ones is a bit for each glyph, most significant bit first.
func ones(glyphs int) []byte {
	out := make([]byte, (glyphs+7)/8)
	for i := range glyphs {
		out[i/8] |= 0x80 >> (i % 8)
	}
	return out
}

// subsetTag is the six letters that mark a subset (§9.6.4), made from its program.
func subsetTag(program []byte) string {
	sum := sha256.Sum256(program)
	tag := make([]byte, 6)
	for i := range tag {
		tag[i] = 'A' + sum[i]%26
	}
	return string(tag)
}

// toUnicode is the CMap that gives the text back to who copies or searches it (§9.10.3).
func (g *glyphSet) toUnicode() []byte {
	var b bytes.Buffer
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n" +
		"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n" +
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n" +
		"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	const atOnce = 100 // entries in one section
	for from := 1; from < len(g.runes); from += atOnce {
		to := min(from+atOnce, len(g.runes))
		fmt.Fprintf(&b, "%d beginbfchar\n", to-from)
		for code := from; code < to; code++ {
			fmt.Fprintf(&b, "<%04X> <", code)
			for _, unit := range utf16.Encode(g.runes[code : code+1]) {
				fmt.Fprintf(&b, "%04X", unit)
			}
			b.WriteString(">\n")
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.Bytes()
}

// compressed is a stream with the data deflated.
func compressed(d pdf.Dict, data []byte) *pdf.NewStream {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(data) // a bytes.Buffer takes everything
	_ = w.Close()
	d["Filter"] = pdf.Name("FlateDecode")
	return &pdf.NewStream{Dict: d, Data: b.Bytes()}
}
