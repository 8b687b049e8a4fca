package inspect

import (
	"bytes"
	"slices"

	"sigillo/formats/pdf"
)

// simpleFonts are the kinds of fonts that have a program (ISO 32000-2 table 108);
// programs know them by these, whether or not /Type says what they are.
var simpleFonts = []pdf.Name{"Type1", "MMType1", "TrueType", "CIDFontType0", "CIDFontType2"}

// font finds fonts that are not embedded (§9.9). The parts of a composite font
// are objects of their own; a Type 3 font is drawn by the file itself.
func (p *pdfScan) font(d pdf.Dict) error {
	kind, err := p.name(d, "Type")
	if err != nil {
		return err
	}
	subtype, err := p.name(d, "Subtype")
	if err != nil || subtype == "Type0" || subtype == "Type3" {
		return err
	}
	base, err := p.name(d, "BaseFont")
	if err != nil || kind != "Font" && !slices.Contains(simpleFonts, subtype) && (subtype != "" || base == "") {
		return err
	}
	descriptor, err := p.dict(d, "FontDescriptor")
	if err != nil {
		return err
	}
	for _, key := range []pdf.Name{"FontFile", "FontFile2", "FontFile3"} {
		o, err := p.get(descriptor, key)
		if err != nil {
			return err
		}
		if program, ok := o.(*pdf.Stream); ok && p.isFontProgram(program) {
			return nil
		}
	}
	p.note("pdf.font", string(base))
	return nil
}

// fontBeginnings are those of font programs: Type 1 as text and as segments,
// TrueType, collections, OpenType and CFF.
var fontBeginnings = []string{"%!", "\x80\x01", "\x00\x01\x00\x00", "true", "ttcf", "OTTO", "\x01\x00"}

// isFontProgram looks at the first bytes: for an empty font, or what is none,
// programs take one of their own.
func (p *pdfScan) isFontProgram(s *pdf.Stream) bool {
	b, _ := p.f.Head(s, 4) // too short is none either
	return slices.ContainsFunc(fontBeginnings, func(s string) bool { return bytes.HasPrefix(b, []byte(s)) })
}
