package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/richardlehane/mscfb"
)

// Where a Word document keeps its tables: the index of a pair (offset, size)
// in FibRgFcLcb ([MS-DOC] §2.5.6 to §2.5.10).
const (
	fibStyles     = 1
	fibCommentRef = 4
	fibSections   = 6
	fibCHPX       = 12
	fibPAPX       = 13
	fibFldMain    = 16
	fibFldHeader  = 17
	fibFldNote    = 18
	fibFldComment = 19
	fibFldMacro   = 20
	fibCommands   = 24
	fibDop        = 31
	fibAssoc      = 32
	fibClx        = 33
	fibFldEndnote = 48
	fibDrawings   = 50
	fibSubdocs    = 54
	fibFldTextbox = 57
	fibFldHdrBox  = 59
	fibOCX        = 85
	fibVersions   = 92
	fibFrames     = 99
	fibMailMerge  = 127 // ODSO
)

// docScan is one Word 97-2007 binary document ([MS-DOC]). The streams with the
// text and the tables are held whole, because both are read in any order.
type docScan struct {
	*report
	main  []byte // WordDocument
	table []byte // 0Table or 1Table
	data  *mscfb.File
	fcLcb []byte

	pieces   []docPiece
	pictures []int64 // places in the Data stream
	object   bool    // of the list of properties being read: it is of an object,
	location int64   // and has this place in the Data stream; -1 if none
	searched int     // bytes of text searched for pictures
}

var errDocRange = errors.New("a table lies outside of its stream")

// wordDocument inspects the streams of a DOC. It tells whether they were read
// to their end; if not, the document stays refused as cfb.legacy.
func (c *cfbScan) wordDocument() bool {
	main, err := c.whole("worddocument")
	if err != nil {
		c.add("cfb.malformed", "WordDocument", err.Error())
		return true
	}
	d := &docScan{report: c.report, main: main, data: c.streams["data"]}
	if len(main) < 0x9a || u16(main) != 0xa5ec || u16(main[2:]) < 0xc1 || u16(main[2:]) > 0x112 {
		return false // before Word 97, or after the last that wrote it
	}
	flags := u16(main[10:])
	switch {
	case flags&0x8100 != 0: // fEncrypted, fObfuscated
		c.add("cfb.encrypted", "WordDocument", "")
		return true
	case flags&0x0002 != 0 || u16(main[8:]) != 0: // fGlsy, pnNext: AutoText, a document of its own behind this one
		return false
	case flags&0x0004 != 0 && flags&0x00f0 != 0: // fComplex, cQuickSaves
		c.add("cfb.revisions", "WordDocument", fmt.Sprintf("%d quick saves", flags>>4&15))
	}
	table := "0table"
	if flags&0x0200 != 0 { // fWhichTblStm
		table = "1table"
	}
	if d.table, err = c.whole(table); err != nil {
		c.add("cfb.malformed", table, err.Error())
		return true
	}
	if err := d.scan(); err != nil {
		c.add("cfb.malformed", "WordDocument", err.Error())
	}
	return true
}

const cfbPiece = 32 << 10 // bytes of a stream that are read at once

// whole reads a stream of the root storage.
func (c *cfbScan) whole(name string) ([]byte, error) {
	e := c.streams[name]
	switch {
	case e == nil:
		return nil, errors.New("the stream is missing")
	case e.Size > c.size || e.Size > maxCFBStream:
		return nil, errors.New("the stream is too large")
	}
	b := make([]byte, e.Size)
	for rest := b; len(rest) > 0; { // in pieces: what the reader does for one takes the square of its length
		n, err := io.ReadFull(e, rest[:min(len(rest), cfbPiece)])
		if err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return b, nil
}

func u16(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

func (d *docScan) scan() error {
	n := 0x9a + 8*int(u16(d.main[0x98:]))
	if u16(d.main[0x20:]) != 14 || u16(d.main[0x3e:]) != 22 || n < 0x9a+8*93 || n > len(d.main) {
		return errors.New("the file information block has a wrong size")
	}
	d.fcLcb = d.main[0x9a:n]
	for _, step := range []func() error{
		d.readPieces, d.stories, d.presence, d.properties, d.associations, d.commands, d.frames,
		d.styles, d.sections, func() error { return d.formats(fibCHPX) }, func() error { return d.formats(fibPAPX) },
		d.drawings, d.readPictures,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// part answers a table of the FIB, nil if the document has none.
func (d *docScan) part(index int) ([]byte, error) {
	if 8*index+8 > len(d.fcLcb) {
		return nil, nil
	}
	fc, size := uint64(u32(d.fcLcb[8*index:])), uint64(u32(d.fcLcb[8*index+4:]))
	if size == 0 {
		return nil, nil
	}
	if fc+size > uint64(len(d.table)) {
		return nil, fmt.Errorf("%w (%d)", errDocRange, index)
	}
	return d.table[fc : fc+size], nil
}

// plc splits a PLC (§2.2.2) into n+1 ascending positions and n data elements.
func plc(b []byte, element int) (at []uint32, data []byte, err error) {
	if len(b) < 4 || (len(b)-4)%(4+element) != 0 {
		return nil, nil, errors.New("a table of positions has a wrong size")
	}
	n := (len(b) - 4) / (4 + element)
	at = make([]uint32, n+1)
	for i := range at {
		at[i] = u32(b[4*i:])
		if at[i] > 1<<31-1 || i > 0 && at[i] < at[i-1] {
			return nil, nil, errors.New("a table of positions is out of order")
		}
	}
	return at, b[4*(n+1):], nil
}

// docPiece is a run of text that lies in one place of the stream (§2.9.177).
type docPiece struct {
	first, end uint32 // character positions
	offset     int    // bytes
	wide       bool   // UTF-16; otherwise one byte a character, in cp1252
}

// readPieces reads the Clx (§2.9.38): property modifiers, then the piece table.
func (d *docScan) readPieces() error {
	clx, err := d.part(fibClx)
	if err != nil {
		return err
	}
	for len(clx) >= 3 && clx[0] == 1 {
		n := 3 + int(u16(clx[1:]))
		if n > len(clx) {
			return errDocRange
		}
		if err := d.modifiers(clx[3:n], "piece"); err != nil {
			return err
		}
		clx = clx[n:]
	}
	if len(clx) < 5 || clx[0] != 2 || uint64(u32(clx[1:])) != uint64(len(clx)-5) {
		return errors.New("the piece table is missing or has a wrong size")
	}
	at, pcd, err := plc(clx[5:], 8)
	if err != nil {
		return err
	}
	if at[0] != 0 || at[len(at)-1] > maxDocText {
		return errors.New("the piece table covers no text or too much")
	}
	for i := range len(at) - 1 {
		fc := u32(pcd[8*i+2:])
		p := docPiece{first: at[i], end: at[i+1], offset: int(fc & 0x3fffffff), wide: fc&0x40000000 == 0}
		width := 2
		if !p.wide {
			p.offset, width = p.offset/2, 1
		}
		if fc&0x80000000 != 0 || p.offset+width*int(p.end-p.first) > len(d.main) {
			return errors.New("a piece of the text lies outside of the stream")
		}
		if prm := u16(pcd[8*i+6:]); prm&1 == 0 && prm != 0 { // Prm0: a single property of a quick save
			d.add("ooxml.hidden", "WordDocument", fmt.Sprintf("piece %d: property %#04x", i, prm))
		}
		d.pieces = append(d.pieces, p)
	}
	return nil
}

// docStories are the parts of the text in their order (§2.3): where the FIB has
// their length, and the table of their fields.
var docStories = []struct {
	name   string
	length int // offset of the count of characters in the FIB
	fields int
}{
	{"text", 0x4c, fibFldMain}, {"footnotes", 0x50, fibFldNote}, {"headers", 0x54, fibFldHeader}, {"macros", 0x58, fibFldMacro},
	{"comments", 0x5c, fibFldComment}, {"endnotes", 0x60, fibFldEndnote}, {"text boxes", 0x64, fibFldTextbox}, {"text boxes of headers", 0x68, fibFldHdrBox},
}

// stories reads the text of each part beside the table of its fields.
func (d *docScan) stories() error {
	text := docText{docScan: d}
	first := uint32(0)
	for _, s := range docStories {
		length := u32(d.main[s.length:])
		if length > maxDocText {
			return errors.New("the text is longer than it can be")
		}
		b, err := d.part(s.fields)
		if err != nil {
			return err
		}
		var at []uint32
		var fld []byte
		if b != nil {
			if at, fld, err = plc(b, 2); err != nil {
				return err
			}
			at = at[:len(at)-1]
		}
		f := &docFields{report: d.report, where: s.name, at: at, fld: fld}
		if err := text.read(first, first+length, f); err != nil {
			return err
		}
		if err := f.finish(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		first += length
	}
	// A paragraph mark may follow the last part; nothing else.
	return text.read(first, ^uint32(0), &docFields{report: d.report, where: "after the text"})
}

// docText goes through the pieces once, from the first character to the last.
type docText struct {
	*docScan
	piece int
}

// read hands the characters of a story to f. The end may lie behind the text
// for the last only.
func (t *docText) read(first, end uint32, f *docFields) error {
	for at := first; at < end; {
		for t.piece < len(t.pieces) && t.pieces[t.piece].end <= at {
			t.piece++
		}
		if t.piece == len(t.pieces) {
			if end == ^uint32(0) {
				return nil
			}
			return errors.New("the text is shorter than the document says")
		}
		p := t.pieces[t.piece]
		stop := min(end, p.end)
		for ; at < stop; at++ {
			c := t.char(p, at)
			if c == 0x13 || c == 0x14 || c == 0x15 || len(f.open) > 0 {
				if err := f.char(c, at-first); err != nil {
					return fmt.Errorf("%s: %w", f.where, err)
				}
			}
			if p.wide && characterRule(c) == "text.bidi" {
				f.add("text.bidi", f.where, fmt.Sprintf("U+%04X", c))
			}
		}
	}
	return nil
}

func (t *docText) char(p docPiece, at uint32) rune {
	n := int(at - p.first)
	if p.wide {
		return rune(u16(t.main[p.offset+2*n:]))
	}
	return cp1252(t.main[p.offset+n])
}

// cp1252 is the character of a compressed piece (§2.9.73).
func cp1252(b byte) rune {
	if b < 0x80 || b > 0x9f {
		return rune(b)
	}
	return []rune("€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ")[b-0x80]
}

// docFieldTypes are the field types by number (§2.9.90), under their English
// names; the name in the text is in the language of whoever wrote it.
var docFieldTypes = map[byte]string{
	0x03: "REF", 0x04: "XE", 0x05: "FTNREF", 0x06: "SET", 0x07: "IF", 0x08: "INDEX", 0x09: "TC", 0x0a: "STYLEREF", 0x0b: "RD", 0x0c: "SEQ", 0x0d: "TOC",
	0x0e: "INFO", 0x0f: "TITLE", 0x10: "SUBJECT", 0x11: "AUTHOR", 0x12: "KEYWORDS", 0x13: "COMMENTS", 0x14: "LASTSAVEDBY", 0x15: "CREATEDATE",
	0x16: "SAVEDATE", 0x17: "PRINTDATE", 0x18: "REVNUM", 0x19: "EDITTIME", 0x1a: "NUMPAGES", 0x1b: "NUMWORDS", 0x1c: "NUMCHARS", 0x1d: "FILENAME",
	0x1e: "TEMPLATE", 0x1f: "DATE", 0x20: "TIME", 0x21: "PAGE", 0x22: "=", 0x23: "QUOTE", 0x24: "INCLUDE", 0x25: "PAGEREF", 0x26: "ASK", 0x27: "FILLIN",
	0x28: "DATA", 0x29: "NEXT", 0x2a: "NEXTIF", 0x2b: "SKIPIF", 0x2c: "MERGEREC", 0x2d: "DDE", 0x2e: "DDEAUTO", 0x2f: "GLOSSARY", 0x30: "PRINT", 0x31: "EQ",
	0x32: "GOTOBUTTON", 0x33: "MACROBUTTON", 0x34: "AUTONUMOUT", 0x35: "AUTONUMLGL", 0x36: "AUTONUM", 0x37: "IMPORT", 0x38: "LINK", 0x39: "SYMBOL",
	0x3a: "EMBED", 0x3b: "MERGEFIELD", 0x3c: "USERNAME", 0x3d: "USERINITIALS", 0x3e: "USERADDRESS", 0x3f: "BARCODE", 0x40: "DOCVARIABLE", 0x41: "SECTION",
	0x42: "SECTIONPAGES", 0x43: "INCLUDEPICTURE", 0x44: "INCLUDETEXT", 0x45: "FILESIZE", 0x46: "FORMTEXT", 0x47: "FORMCHECKBOX", 0x48: "NOTEREF", 0x49: "TOA",
	0x4a: "TA", 0x4b: "MERGESEQ", 0x4d: "PRIVATE", 0x4e: "DATABASE", 0x4f: "AUTOTEXT", 0x50: "COMPARE", 0x51: "ADDIN", 0x53: "FORMDROPDOWN", 0x54: "ADVANCE",
	0x55: "DOCPROPERTY", 0x57: "CONTROL", 0x58: "HYPERLINK", 0x59: "AUTOTEXTLIST", 0x5a: "LISTNUM", 0x5b: "HTMLCONTROL", 0x5c: "BIDIOUTLINE",
	0x5d: "ADDRESSBLOCK", 0x5e: "GREETINGLINE", 0x5f: "SHAPE",
}

// docFieldNames are the English names that are known, to see through a field
// whose number and name disagree.
var docFieldNames = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range docFieldTypes {
		m[name] = true
	}
	return m
}()

// docFields follows the fields of one story: each of their characters must be
// in the table and the reverse, or two programs see two documents.
type docFields struct {
	*report
	where string
	at    []uint32
	fld   []byte // two bytes each: kind of character; type of field or flags
	next  int
	open  []docField
}

type docField struct {
	kind   byte
	code   []rune
	result bool
}

func (f *docFields) char(c rune, at uint32) error {
	n := len(f.open)
	if c != 0x13 && c != 0x14 && c != 0x15 {
		if n > 0 && !f.open[n-1].result && len(f.open[n-1].code) < maxFieldCode {
			f.open[n-1].code = append(f.open[n-1].code, c)
		}
		return nil
	}
	if f.next >= len(f.at) || f.at[f.next] != at || rune(f.fld[2*f.next]&0x1f) != c {
		return fmt.Errorf("the field character at %d is not in the table of fields", at)
	}
	kind := f.fld[2*f.next+1]
	f.next++
	switch {
	case c == 0x13 && n >= maxFieldDepth:
		return errors.New("fields nested too deep")
	case c == 0x13:
		if n > 0 && !f.open[n-1].result && !fieldTyped(string(f.open[n-1].code)) {
			f.add("field.dynamic", f.where, "a field writes the type of another")
		}
		f.open = append(f.open, docField{kind: kind})
	case n == 0, c == 0x14 && f.open[n-1].result:
		return fmt.Errorf("the field character at %d belongs to no field", at)
	case c == 0x14:
		f.open[n-1].result = true
	default:
		f.judge(f.open[n-1])
		f.open = f.open[:n-1]
	}
	return nil
}

// finish sees that all fields have ended and the table has no more of them.
func (f *docFields) finish() error {
	if len(f.open) > 0 {
		return errors.New("a field that does not end")
	}
	if f.next < len(f.at) {
		return errors.New("the table has a field that the text does not have")
	}
	return nil
}

// judge weighs a field by its number and, should its text say something graver
// in English, by that.
func (f *docFields) judge(field docField) {
	code := strings.TrimSpace(string(field.code))
	if len(field.code) >= maxFieldCode {
		f.add("field.dynamic", f.where, "field code too long")
		return
	}
	word, args := code, ""
	if i := strings.IndexAny(code, " \t\r\u00a0\"\\"); i >= 0 {
		word, args = code[:i], code[i:]
	}
	name, known := docFieldTypes[field.kind]
	if !known {
		f.add("field.dynamic", f.where, code)
		return
	}
	rule := docFieldRule(name, args)
	if docFieldNames[strings.ToUpper(word)] || strings.HasPrefix(word, "=") {
		if byName := docFieldRule(strings.ToUpper(word), args); standard.Severity(byName).weight() > standard.Severity(rule).weight() {
			rule = byName
		}
	}
	f.add(rule, f.where, code)
}

// docFieldRule judges a field by its English name and what follows it.
func docFieldRule(name, args string) string {
	switch name {
	case "SHAPE", "FTNREF", "BIDIOUTLINE": // only in binary documents: a drawing in the line, NOTEREF, a number
		return "field.layout"
	}
	rule, _ := fieldRule(name + " " + strings.TrimSpace(args))
	return rule
}

// presence judges tables by their being there.
func (d *docScan) presence() error {
	for _, t := range []struct {
		index int
		rule  string
		what  string
	}{
		{fibCommentRef, "ooxml.comments", "comments"}, {fibSubdocs, "ooxml.external", "subdocuments"}, {fibOCX, "ooxml.activex", "OCX controls"},
		{fibVersions, "cfb.revisions", "saved versions"}, {fibMailMerge, "ooxml.data", "mail merge"},
	} {
		b, err := d.part(t.index)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) {
			d.add(t.rule, "WordDocument", t.what)
		}
	}
	return nil
}
