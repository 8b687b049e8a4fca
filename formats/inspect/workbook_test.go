package inspect

import (
	"encoding/binary"
	"strings"
	"testing"
)

// le writes numbers as BIFF has them: byte, uint16 and uint32 in their width,
// strings as they are.
func le(parts ...any) string {
	var b []byte
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			b = append(b, v...)
		case byte:
			b = append(b, v)
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, v)
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case int:
			b = binary.LittleEndian.AppendUint16(b, uint16(v))
		}
	}
	return string(b)
}

// bookStream is a workbook of one sheet, "Foglio", with more records in its
// globals and in the sheet. hidden and kind are those of its BoundSheet8.
func bookStream(globals, sheet string, hidden, kind byte) string {
	bof := map[byte]int{0: bofSheet, 1: bofMacro, 2: bofChart, 6: bofVisual}[kind]
	head := records(0x809, le(0x600, bofGlobals, 0, 0, uint32(0), uint32(6))) + globals
	bound := func(at int) string {
		return records(0x85, le(uint32(at), hidden, kind, byte(6), byte(0), "Foglio"))
	}
	end := records(0x0a, "")
	at := len(head) + len(bound(0)) + len(end)
	return head + bound(at) + end + records(0x809, le(0x600, bof, 0, 0, uint32(0), uint32(6))) + sheet + end
}

func xlsOf(globals, sheet string) []byte {
	return cfbFile("Workbook", bookStream(globals, sheet, 0, 0))
}

// parsed is cell B3 with a formula.
func parsed(rgce string, extra ...string) string {
	return records(0x06, le(2, 1, 0, strings.Repeat("\x00", 14), len(rgce), rgce, strings.Join(extra, "")))
}

// named is a defined name.
func named(flags int, name, rgce string) string {
	return records(0x18, le(flags, byte(0), byte(len(name)), len(rgce), 0, 0, uint32(0), byte(0), name, rgce))
}

const (
	callNow   = "\x41\x4a\x00" // NOW()
	callPi    = "\x41\x13\x00" // PI()
	tokenRef  = "\x44\x00\x00\x00\xc0"
	tokenRef3 = "\x5a\x00\x00\x00\x00\x00\x00"
)

var (
	supSelfBook   = records(0x1ae, "\x01\x00\x01\x04")
	supAddInBook  = records(0x1ae, "\x01\x00\x01\x3a")
	supOtherBook  = records(0x1ae, le(1, 5, byte(0), "x.xls", 1, byte(0), "A"))
	supDDELink    = records(0x1ae, le(0, 7, byte(0), "cmd\x03/c "))
	oneExternCell = records(0x17, le(1, 0, 0, 0))
)

func addInName(name string) string {
	return records(0x23, le(0, uint32(0), byte(len(name)), byte(0), name))
}

// formulaCases: one token or function each.
func formulaCases() []ruleCase {
	sheet := func(rgce string, extra ...string) []byte { return xlsOf("", parsed(rgce, extra...)) }
	pi := sheet(callPi)
	cases := []ruleCase{
		{"formula", "x.xls", pi, xlsOf("", records(0x203, le(2, 1, 0, strings.Repeat("\x00", 8))))},
		{"formula", "x.xls", xlsOf("", records(0x221, le(0, 0, byte(0), byte(0), 0, uint32(0), len(callPi), callPi))), xlsOf("", parsed("\x01\x00\x00\x00\x00"))},
		{"formula", "x.xls", xlsOf("", records(0x236, strings.Repeat("\x00", 16))), xlsOf("", "")},
		{"formula.volatile", "x.xls", xlsOf("", records(0xbc, le(0, 0, byte(0), byte(0), byte(0), byte(1), len(callNow), callNow))),
			xlsOf("", records(0xbc, le(0, 0, byte(0), byte(0), byte(0), byte(1), len(callPi), callPi)))},
		// The bytes of NOW() within a string, a number or an array are none.
		{"formula.volatile", "x.xls", sheet("\x17\x03\x00" + callNow + callNow + "\x08"), sheet("\x17\x03\x00" + callNow)},
		{"formula.volatile", "x.xls", sheet("\x1f" + callNow + "\x00\x00\x00\x00\x00" + callNow + "\x03"), sheet("\x1f" + callNow + "\x00\x00\x00\x00\x00")},
		{"formula.volatile", "x.xls", sheet("\x60\x00\x00\x00\x00\x00\x00\x00"+callNow+"\x03", "\x00\x00\x00\x01"+strings.Repeat("\x00", 8)),
			sheet("\x60\x00\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x02\x03\x00\x00"+callNow)},
		{"formula.volatile", "x.xls", sheet("\x26\x00\x00\x00\x00\x03\x00"+callNow, "\x01\x00"+strings.Repeat("\x00", 8)), sheet("\x26\x00\x00\x00\x00\x05\x00"+tokenRef, "\x01\x00"+strings.Repeat("\x00", 8))},
		{"formula.volatile", "x.xls", sheet("\x19\x04\x01\x00\x00\x00\x00\x00" + callNow), sheet("\x19\x04\x01\x00\x41\x4a\x00\x00" + callPi)},
		{"formula.volatile", "x.xls", sheet("\x19\x01\x00\x00" + callPi), sheet("\x19\x40\x00\x01" + callPi)},
		{"formula.volatile", "x.xls", sheet("\x42\x01\x6e\x80"), pi}, // a command
		{"formula.volatile", "x.xls", sheet("\x17\x01\x00x\x42\x01\xff\x00"), pi},
		// Names and references
		{"formula.volatile", "x.xls", xlsOf(named(0, "oggi", callNow), ""), xlsOf(named(0, "pi", callPi), parsed("\x43\x01\x00\x00\x00"))},
		{"formula.volatile", "x.xls", xlsOf(supOtherBook+oneExternCell, parsed(tokenRef3)), xlsOf(supSelfBook+oneExternCell, parsed(tokenRef3))},
		{"formula.volatile", "x.xls", xlsOf(supAddInBook+addInName("MIA")+oneExternCell, parsed("\x39\x00\x00\x01\x00\x00\x00\x42\x01\xff\x00")),
			xlsOf(supAddInBook+addInName("EDATE")+oneExternCell, parsed("\x39\x00\x00\x01\x00\x00\x00\x42\x01\xff\x00"))},
		{"formula.volatile", "x.xls", xlsOf(named(0x03, "_xlfn.RANDARRAY", "\x1c\x1d"), parsed("\x23\x01\x00\x00\x00\x42\x01\xff\x00")),
			xlsOf(named(0x03, "_xlfn.IFERROR", "\x1c\x1d"), parsed("\x23\x01\x00\x00\x00\x42\x01\xff\x00"))},
		{"field.dde", "x.xls", xlsOf(supDDELink+addInName("x")+oneExternCell, parsed("\x39\x00\x00\x01\x00\x00\x00")), xlsOf(supSelfBook+oneExternCell, parsed(tokenRef3))},
		// What cannot be walked to its end
		{"cfb.malformed", "x.xls", sheet("\x41\x13"), pi},
		{"cfb.malformed", "x.xls", sheet("\x1a\x00\x00"), pi},
		{"cfb.malformed", "x.xls", sheet("\xa4\x00\x00\x00\x00"), sheet(tokenRef)},
		{"cfb.malformed", "x.xls", sheet(callPi, "x"), pi},
		{"cfb.malformed", "x.xls", sheet("\x60\x00\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\x01"), pi},
		{"cfb.malformed", "x.xls", sheet("\x18\x0f\x00\x00\x00\x00", "\xff\xff\xff\x3f"), sheet("\x18\x0f\x00\x00\x00\x00", "\x01\x00\x00\x00\x00\x00\x00\x00")},
		{"cfb.malformed", "x.xls", sheet(tokenRef3), xlsOf(supSelfBook+oneExternCell, parsed(tokenRef3))},
		{"cfb.malformed", "x.xls", sheet("\x43\x01\x00\x00\x00"), xlsOf(named(0, "a", ""), parsed("\x43\x01\x00\x00\x00"))},
	}
	for _, number := range []int{63, 74, 78, 125, 148, 150, 221, 244, 257, 267, 359, 379, 110, 380, 93, 399} {
		cases = append(cases, ruleCase{"formula.volatile", "x.xls", sheet(le(byte(0x41), number)), sheet(le(byte(0x41), 220))})
	}
	return append(cases, conditionCases()...)
}

// conditionCases are formulas in conditional formats, validation and charts.
func conditionCases() (cases []ruleCase) {
	cf := func(rgce string) []byte {
		return xlsOf("", records(0x1b1, le(byte(2), byte(0), len(rgce), 0, "dxf", rgce)))
	}
	cf12 := func(template int, rgce string) []byte {
		return xlsOf("", records(0x87a, le(strings.Repeat("\x00", 12), byte(1), byte(0), len(rgce), 0, uint32(0), 0, rgce, 0, byte(0), 0, template, byte(16), strings.Repeat("\x00", 16))))
	}
	scale := func(rgce string) []byte {
		value := le(byte(7), len(rgce), rgce, strings.Repeat("\x00", 5))
		return xlsOf("", records(0x87a, le(strings.Repeat("\x00", 12), byte(6), byte(0), 0, 0, uint32(0), 0, 0, byte(0), 0, 0, byte(0), strings.Repeat("\x00", 3), byte(1), byte(0), byte(0), value)))
	}
	dv := func(rgce string) []byte {
		return xlsOf("", records(0x1be, le(uint32(3), strings.Repeat("\x01\x00\x00\x00", 4), len(rgce), 0, rgce, 0, 0)))
	}
	chart := func(rgce string) []byte {
		return cfbFile("Workbook", bookStream("", records(0x1051, le(byte(1), byte(2), 0, 0, len(rgce), rgce)), 0, 2))
	}
	cfex := func(template byte) []byte {
		return xlsOf("", records(0x87b, le(strings.Repeat("\x00", 12), uint32(0), 1, 0, byte(0), template, 0)))
	}
	for _, with := range []func(string) []byte{cf, dv, chart, scale, func(rgce string) []byte { return cf12(0, rgce) }} {
		cases = append(cases, ruleCase{"formula.volatile", "x.xls", with(callNow), with(callPi)}, ruleCase{"formula", "x.xls", with(callPi), with("")})
	}
	return append(cases, ruleCase{"formula.volatile", "x.xls", cf12(0x0f, ""), cf12(0x0e, "")}, ruleCase{"formula.volatile", "x.xls", cfex(0x18), cfex(0x19)})
}

func bookCases() []ruleCase {
	plain := xlsOf("", "")
	cases := []ruleCase{
		{"cfb.legacy", "x.xls", cfbFile("Book", records(0x809, le(0x500, 5))), plain},
		{"cfb.legacy", "x.xls", cfbFile("Workbook", records(0x809, le(0x500, 5), 0x0a, "")), plain},
		{"cfb.legacy", "x.xls", xlsOf("", records(0x7777, "")), plain},
		{"cfb.legacy", "x.xls", xlsOf("", records(0x406, "x")), plain}, // a formula of an older edition
		{"cfb.legacy", "x.xls", xlsOf("", records(0xf9, "x")), plain},  // of a pivot table
		{"cfb.legacy", "x.xls", cfbFile("Workbook", bookStream("", "", 0, 0), "Sconosciuto", "x"), cfbFile("Workbook", bookStream("", "", 0, 0), "\x05SummaryInformation", "x")},
		{"cfb.malformed", "x.xls", cfbFile("Workbook", bookStream("", "", 0, 0)+records(0x3c, "x")), cfbFile("Workbook", bookStream("", "", 0, 0)+"\x00\x00\x00\x00\x00\x00")},
		{"cfb.malformed", "x.xls", cfbFile("Workbook", bookStream("", "", 0, 0)+"\x00\x00\x00\x00\x00\x01"), plain},
		{"cfb.malformed", "x.xls", xlsOf("", "\x03\x02\xff\xff"), plain},
		{"cfb.malformed", "x.xls", cfbFile("Workbook", records(0x809, le(0x600, 5), 0x0a, "", 0x809, le(0x600, 0x10), 0x0a, "")), plain},
		{"cfb.malformed", "x.xls", cfbFile("Workbook", records(0x809, le(0x600, 5), 0x85, le(uint32(999), byte(0), byte(0), byte(1), byte(0), "a"), 0x0a, "")), plain},
		{"cfb.malformed", "x.xls", cfbFile("Workbook", records(0x809, le(0x600, 5))), plain},
		{"cfb.malformed", "x.xls", xlsOf("", records(0x809, le(0x600, 0x10), 0x0a, "")), xlsOf("", records(0x809, le(0x600, 0x20), 0x0a, ""))},
		{"format.polyglot", "x.xls", cfbFile("Workbook", bookStream("", "", 0, 0), "Book", "x"), plain},
		{"format.polyglot", "x.xls", xlsOf(records(0x161, "\x01\x00"), ""), xlsOf(records(0x161, "\x00\x00"), "")},
		{"cfb.encrypted", "x.xls", cfbFile("Workbook", records(0x809, le(0x600, 5), 0x2f, "x")), plain},
		{"name.mismatch", "x.doc", plain, cfbFile("WordDocument", wordStream(0))},
		// Macros
		{"sheet.macrosheet", "x.xls", cfbFile("Workbook", bookStream("", "", 0, 1)), plain},
		{"cfb.macro", "x.xls", cfbFile("Workbook", bookStream("", "", 0, 6)), plain},
		{"sheet.macrosheet", "x.xls", xlsOf(named(0x20, "\x01", ""), ""), xlsOf(named(0x20, "\x06", ""), "")},
		{"sheet.macrosheet", "x.xls", xlsOf(named(0x01, "Auto_Open2", ""), ""), xlsOf(named(0x01, "Apertura", ""), "")},
		{"sheet.macrosheet", "x.xls", xlsOf(named(0x08, "macro", ""), ""), xlsOf(named(0x00, "macro", ""), "")},
		{"sheet.macrosheet", "x.xls", xlsOf("", records(0x81, "\x10\x00")), xlsOf("", records(0x81, "\xc1\x04"))},
		{"cfb.macro", "x.xls", xlsOf(records(0xd3, ""), ""), xlsOf(records(0x1bd, ""), "")},
		{"ooxml.extension", "x.xls", xlsOf(records(0xc2, "x"), ""), xlsOf(records(0xc1, "\x00\x00"), "")},
		// Headers
		{"sheet.header.dynamic", "x.xls", xlsOf("", records(0x15, le(2, byte(0), "&D"))), xlsOf("", records(0x14, le(5, byte(0), "ditta")))},
		{"sheet.header.dynamic", "x.xls", xlsOf("", records(0x14, le(2, byte(1), "&\x00F\x00"))), xlsOf("", records(0x14, ""))},
		{"sheet.header", "x.xls", xlsOf("", records(0x14, le(2, byte(0), "&P"))), xlsOf("", records(0x14, le(3, byte(0), "&&P")))},
		{"sheet.header.dynamic", "x.xls", xlsOf("", records(0x89c, le(strings.Repeat("\x00", 30), 0, 0, 2, 0, 2, byte(0), "&T"))), xlsOf("", records(0x89c, le(strings.Repeat("\x00", 30), 0, 0, 2, 0, 2, byte(0), "&B")))},
		// Hidden
		{"ooxml.hidden", "x.xls", cfbFile("Workbook", bookStream("", "", 2, 0)), plain},
		{"ooxml.hidden", "x.xls", xlsOf("", records(0x208, le(0, 0, 1, 255, uint32(0), 0x20, 0))), xlsOf("", records(0x208, le(0, 0, 1, 255, uint32(0), 0x140, 0)))},
		{"ooxml.hidden", "x.xls", xlsOf("", records(0x7d, le(0, 1, 2304, 0, 1, 0))), xlsOf("", records(0x7d, le(0, 1, 2304, 0, 2, 0)))},
		{"ooxml.hidden", "x.xls", xlsOf("", records(0x208, le(0, 0, 1, 0, uint32(0), 0x140, 0))), xlsOf("", records(0x208, le(0, 0, 1, 0x80ff, uint32(0), 0x140, 0)))},
		{"ooxml.hidden", "x.xls", xlsOf("", records(0x7d, le(0, 1, 0, 0, 2, 0))), xlsOf("", records(0x7d, le(0, 1, 36, 0, 2, 0)))},
		{"ooxml.hidden", "x.xls", xlsOf("", records(0x225, le(1, 0))), xlsOf("", records(0x225, le(1, 15)))},
		{"ooxml.hidden", "x.xls", xlsOf("", records(0x55, le(0))), xlsOf("", records(0x55, le(8)))},
		{"ooxml.hidden", "x.xls", xlsOf("", records(0x99, le(1))), xlsOf("", records(0x99, le(2304)))},
		{"ooxml.hidden", "x.xls", xlsOf("", records(0x225, "\x02\x00\xff\x00")), xlsOf("", records(0x225, "\x01\x00\xff\x00"))},
		{"ooxml.hidden", "x.xls", xlsOf("", records(0xaf, "x")), xlsOf("", records(0xdd, "\x00\x00"))},
		{"ooxml.comments", "x.xls", xlsOf("", records(0x1c, strings.Repeat("\x00", 12))), plain},
		{"ooxml.changes", "x.xls", cfbFile("Workbook", bookStream("", "", 0, 0), "Revision Log", "x"), plain},
	}
	return append(append(append(cases, linkCases()...), objectCases()...), bookTextCases()...)
}

func linkCases() []ruleCase {
	link := func(class []byte, target string) []byte {
		return xlsOf("", records(0x1b8, le(0, 0, 0, 0, string(clsidHyperlink), uint32(2), uint32(3), string(class), target)))
	}
	url := func(s string) []byte {
		return link(clsidURL, le(uint32(2*len(s)+2), string(utf16le(s)), 0))
	}
	file := func(s string) []byte { return link(clsidFile, le(0, uint32(len(s)+1), s, byte(0))) }
	place := xlsOf("", records(0x1b8, le(0, 0, 0, 0, string(clsidHyperlink), uint32(2), uint32(8), uint32(3), string(utf16le("A1")), 0)))
	cache := func(flags int) []byte {
		return cfbFile("Workbook", bookStream("", "", 0, 0), "_SX_DB_CUR/0001", records(0xc6, le(uint32(1), 1, flags, strings.Repeat("\x00", 12)), 0x0a, ""))
	}
	store := func(s string) []byte {
		return cfbFile("Workbook", bookStream("", "", 0, 0), "MsoDataStore/A/Item", s)
	}
	plain := xlsOf("", "")
	cases := []ruleCase{
		{"ooxml.external", "x.xls", xlsOf(supOtherBook, ""), xlsOf(supSelfBook+supAddInBook, "")},
		{"field.dde", "x.xls", xlsOf(supDDELink, ""), xlsOf(records(0x1ae, le(1, 1, byte(0), " ")), "")},
		{"field.dde", "x.xls", xlsOf(supOtherBook+records(0x23, le(0x10, uint32(0), byte(1), byte(0), "x")), ""), xlsOf(supOtherBook+addInName("x"), "")},
		{"link", "x.xls", url("https://x.it/"), place},
		{"link.scheme", "x.xls", url("file:///c:/x.exe"), url("mailto:a@b.it")},
		{"link.scheme", "x.xls", file(`c:\x.exe`), file("altro.xls")},
		{"link.scheme", "x.xls", file(`\\server\x`), file(`cartella\x.xls`)},
		{"link.scheme", "x.xls", link([]byte(strings.Repeat("x", 16)), ""), place},
		{"cfb.malformed", "x.xls", link(clsidURL, "\xff\xff\xff\xff"), url("https://x.it/")},
		{"ooxml.data", "x.xls", cache(sxRefreshOnLoad), cache(1)},
		{"ooxml.data", "x.xls", cache(sxInvalid), cache(1 << 5)},
		{"ooxml.data", "x.xls", xlsOf(records(0x1b7, "\x01\x00"), ""), xlsOf(records(0x1b7, "\x00\x00"), "")},
		{"ooxml.data", "x.xls", xlsOf("", records(0x802, le(uint32(0), 0))), xlsOf("", records(0x802, le(uint32(0), 1)))},
		{"ooxml.data", "x.xls", xlsOf(records(0xe3, "\x02\x00"), ""), xlsOf(records(0xe3, "\x01\x00"), "")},
		{"ooxml.data", "x.xls", xlsOf("", records(0x51, le(strings.Repeat("\x00", 6), 3, byte(0), "\x01xy"))), xlsOf("", records(0x51, le(strings.Repeat("\x00", 6), 3, byte(0), "\x02xy")))},
		{"ooxml.data", "x.xls", xlsOf("", records(0x864, le(uint32(0), byte(3), byte(0x34), uint32(2)))), xlsOf("", records(0x864, le(uint32(0), byte(3), byte(0x34), uint32(1))))},
		{"ooxml.data", "x.xls", store("http://schemas.microsoft.com/DataMashup"), store("http://schemas.microsoft.com/x")},
		{"formula.volatile", "x.xls", xlsOf(records(0x813, "x"), ""), plain},
	}
	for _, kind := range []int{0x1ad, 0xdc, 0x803, 0x805, 0x80a, 0x876} {
		cases = append(cases, ruleCase{"ooxml.data", "x.xls", xlsOf("", records(kind, "x")), plain})
	}
	return cases
}

func objectCases() []ruleCase {
	object := func(kind int, parts string) []byte {
		return xlsOf("", records(0x5d, le(0x15, 0x12, kind, 1, 0, uint32(0), uint32(0), uint32(0), parts)))
	}
	part := func(ft int, body string) string { return le(ft, len(body), body) }
	fmla := func(rgce string) string { return le(6+len(rgce), len(rgce), uint32(0), rgce) }
	end := part(0, "")
	text := func(rgce string) []byte {
		linked := le(strings.Repeat("\x00", 16), 0)
		if rgce != "" {
			linked = le(strings.Repeat("\x00", 16), fmla(rgce))
		}
		return xlsOf("", records(0x1b6, linked, 0x3c, "\x00testo"))
	}
	// A shape within its container, in two pieces, a picture before it.
	shape := func(id, value int) []byte {
		props := le(0x13, 0xf00b, uint32(6), id, uint32(value))
		whole := le(0x0f, 0xf004, uint32(16+len(props)), 0, 0xf018, uint32(8), strings.Repeat("\xff", 8), props)
		return xlsOf("", records(0xec, whole[:21], 0x3c, whole[21:30], 0x5d, le(0x15, 0x12, 2, 1, 0, uint32(0), uint32(0), uint32(0), end), 0xec, whole[30:]))
	}
	// A picture of a header in two records.
	headerPicture := func(value int) []byte {
		props := le(0x13, 0xf00b, uint32(6), artPictureFlag, uint32(value))
		return xlsOf("", records(0x866, strings.Repeat("\x00", 14)+props[:9], 0x866, strings.Repeat("\x00", 12)+"\x04\x00"+props[9:]))
	}
	return []ruleCase{
		{"ooxml.external", "x.xls", headerPicture(8), headerPicture(1)},
		{"cfb.malformed", "x.xls", xlsOf("", records(0x866, strings.Repeat("\x00", 14)+"\x13\x00")), headerPicture(1)},
		{"cfb.malformed", "x.xls", xlsOf("", records(0x851, le(uint32(0), 0xec, 0))), xlsOf("", records(0x851, le(uint32(0), 0x1033, 0)))},
		{"cfb.macro", "x.xls", object(2, part(4, fmla("\x23\x01\x00\x00\x00"))+end), object(2, part(6, "\x00\x00")+end)},
		{"ooxml.activex", "x.xls", object(0x0b, end), object(0x14, end)},
		{"ooxml.activex", "x.xls", object(8, part(8, "\x10\x00")+end), object(8, part(8, "\x01\x00")+end)},
		{"field.dde", "x.xls", object(8, part(8, "\x02\x00")+end), object(8, part(8, "\x01\x00")+end)},
		{"cfb.embedded", "x.xls", object(8, part(9, fmla("\x02\x00\x00\x00\x00"))+end), object(8, part(9, fmla(tokenRef))+end)},
		{"formula.volatile", "x.xls", object(8, part(9, fmla(callNow))+end), object(8, part(9, fmla(tokenRef))+end)},
		{"formula.volatile", "x.xls", object(0x14, le(0x13, 0x1fee, fmla(callNow))), object(0x14, le(0x13, 0x1fee, fmla(tokenRef)))},
		{"formula", "x.xls", text(tokenRef), text("")},
		{"cfb.legacy", "x.xls", object(2, part(0x77, "")+end), object(2, end)},
		{"cfb.malformed", "x.xls", object(2, "\x04\x00\xff\xff"), object(2, end)},
		{"cfb.macro", "x.xls", xlsOf("", records(0x5d, le(0x15, 0x12, 2, 1, 0, uint32(0), uint32(0), uint32(0), 4), 0x3c, le(2, 0)+end)), object(2, end)},
		{"cfb.malformed", "x.xls", shape(artPictureFlag|0x8000, 1), shape(artPictureFlag, 1)},
		{"ooxml.external", "x.xls", shape(artPictureFlag, 0x0a), shape(artPictureFlag, 0x01)},
		{"cfb.malformed", "x.xls", xlsOf("", records(0xec, "\x0f\x00\x02\x00\x00\x00\x00\x00")), xlsOf("", records(0xec, "\x0f\x00\x02\xf0\x00\x00\x00\x00"))},
		{"cfb.malformed", "x.xls", xlsOf("", records(0xec, "\x00\x00\x18\xf0\x08\x00\x00\x00")), plainDrawing()},
		{"formula.volatile", "x.xls", xlsOf("", records(0x851, le(uint32(0), 0x06, 22+len(callNow), 0, 0, 0, strings.Repeat("\x00", 14), len(callNow), callNow))), xlsOf("", records(0x851, le(uint32(0), 0x1033, 0)))},
	}
}

const artPictureFlag = 0x0106

func plainDrawing() []byte {
	return xlsOf("", records(0xec, "\x00\x00\x18\xf0\x08\x00\x00\x00"+strings.Repeat("\x00", 8)))
}

// bookTextCases: texts in another order than they are written in.
func bookTextCases() []ruleCase {
	hidden := "\x2e\x20" // U+202E
	table := func(parts ...string) []byte {
		all := []any{0xfc, le(uint32(2), uint32(2)) + parts[0]}
		for _, p := range parts[1:] {
			all = append(all, 0x3c, p)
		}
		return xlsOf(records(all...), "")
	}
	one := le(1, byte(0), "a")
	return []ruleCase{
		{"text.bidi", "x.xls", table(one + le(2, byte(1), "a\x00"+hidden)), table(one + le(4, byte(0), "a\x00"+hidden))},
		// Formatting runs and phonetic data are skipped, and a text that goes on in another width is read in that.
		{"text.bidi", "x.xls", table(le(1, byte(0x0c), 1, uint32(2), "a....pp") + le(1, byte(1), hidden)), table(le(1, byte(0x0c), 1, uint32(2), "a\x00\x00"+hidden+hidden) + one)},
		{"text.bidi", "x.xls", table(one+le(3, byte(0), "ab"), "\x01"+hidden), table(one+le(5, byte(1), "a\x00b\x00"), "\x00\x00"+hidden)},
		{"text.bidi", "x.xls", table(one+"\x01", "\x00\x01"+hidden), table(one+"\x02", "\x00\x00"+hidden)},
		{"cfb.malformed", "x.xls", table(one), table(one + one)},
		{"cfb.malformed", "x.xls", table(one + le(2, byte(1), "a")), table(one + le(1, byte(1), "a\x00"))},
		{"text.bidi", "x.xls", xlsOf("", records(0x204, le(0, 0, 0, 1, byte(1), hidden))), xlsOf("", records(0x204, le(0, 0, 0, 2, byte(0), hidden)))},
		{"text.bidi", "x.xls", xlsOf("", records(0x207, le(2, byte(0), "x"), 0x3c, "\x01"+hidden)), xlsOf("", records(0x207, le(3, byte(0), "x"), 0x3c, "\x00"+hidden))},
		{"text.bidi", "x.xls", xlsOf("", records(0x1b6, le(strings.Repeat("\x00", 10), 1, uint32(0), 0), 0x3c, "\x01"+hidden)), xlsOf("", records(0x1b6, le(strings.Repeat("\x00", 10), 1, uint32(0), 0), 0x3c, "\x01a\x00"+hidden))},
		{"text.bidi", "x.xls", xlsOf("", records(0x14, le(1, byte(1), hidden))), xlsOf("", records(0x14, le(2, byte(0), hidden)))},
	}
}

// A workbook of values alone may be signed without a question.
func TestPlainWorkbook(t *testing.T) {
	t.Parallel()
	values := records(0x208, le(0, 0, 1, 255, uint32(0), 0x100, 0), 0x203, le(0, 0, 0, strings.Repeat("\x00", 8)), 0x41e, le(164, 7, byte(0), "[>9]0;0"))
	rep := look(t, "x.xls", cfbFile("Workbook", bookStream(values, values, 0, 0), "\x05SummaryInformation", "x", "\x01CompObj", "x"))
	if rep.Verdict != Allow || len(rep.Findings) != 0 || rep.Format != "xls" {
		t.Errorf("%+v", rep)
	}
}

// A finding says in which cell of which sheet, and what is called there.
func TestWorkbookFindings(t *testing.T) {
	t.Parallel()
	rep := look(t, "x.xls", xlsOf("", parsed(callPi+callNow+"\x03")))
	if len(rep.Findings) != 1 || rep.Findings[0].Where != "Workbook Foglio!B3" || rep.Findings[0].Quote != "NOW" {
		t.Errorf("%+v", rep.Findings)
	}
	b := bookScan{path: "Workbook"}
	if got := b.cell(65535, 255) + b.cell(0, 26); got != "Workbook!IV65536Workbook!AA1" {
		t.Error(got)
	}
}

// FuzzFormula walks any bytes as the tokens of a formula: an error or one of
// three rules, without a fall.
func FuzzFormula(f *testing.F) {
	f.Add([]byte(callNow+tokenRef3+"\x43\x01\x00\x00\x00"), []byte(nil))
	f.Add([]byte("\x60\x00\x00\x00\x00\x00\x00\x00\x39\x01\x00\x01\x00\x00\x00\x42\x01\xff\x00"), []byte("\x00\x00\x00\x02\x01\x00\x00x"))
	f.Add([]byte("\x18\x0f\x00\x00\x00\x00\x19\x04\x01\x00\x00\x00\x00\x00\x26\x00\x00\x00\x00\x05\x00"+tokenRef), []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, rgce, more []byte) {
		b := &bookScan{report: newReport(), sheets3d: []int{0, 1, 7}, supBooks: []supBook{{kind: supSelf}, {kind: supAddIn, names: []string{"EDATE"}}}, names: []definedName{{"a", false}}}
		res, err := b.formula(rgce, more)
		if err == nil && res.rule != "formula" && res.rule != "formula.volatile" && res.rule != "field.dde" {
			t.Errorf("%+v", res)
		}
	})
}

// No record is called inert that is judged.
func TestBIFFInert(t *testing.T) {
	t.Parallel()
	for kind := range bookRecords {
		if inertRecord(kind) {
			t.Errorf("%#x", kind)
		}
	}
	if !inertRecord(0x0203) || inertRecord(biffSST) || inertRecord(biffFrtWrapper) || inertRecord(0xffff) {
		t.Error("a number is inert, the others are not")
	}
}
