package inspect

import (
	"bytes"
	"testing"
)

// xlsbRecord writes a record with a number of one or two bytes.
func xlsbRecord(kind int, body string) string {
	number := func(n int) (b []byte) {
		for ; n >= 0x80; n >>= 7 {
			b = append(b, byte(n)|0x80)
		}
		return append(b, byte(n))
	}
	return string(number(kind)) + string(number(len(body))) + body
}

// xlsb is a binary workbook whose parts are name, type, content …
func xlsb(book string, parts ...string) []byte {
	entries := []string{"xl/workbook.bin", book}
	var types []string
	for i := 0; i+2 < len(parts); i += 3 {
		entries = append(entries, parts[i], parts[i+2])
		types = append(types, parts[i], "application/vnd.ms-excel."+parts[i+1])
	}
	return zipOf(append([]string{"[Content_Types].xml", contentTypes("xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroEnabled.main", types...)}, entries...)...)
}

func xlsbCases() []ruleCase {
	name := func(flags uint32, s string) string {
		return xlsbRecord(xlsbName, le(flags, byte(0), uint32(0), uint32(len(s)), string(utf16le(s))))
	}
	sheet := func(state uint32) string {
		return xlsbRecord(xlsbSheet, le(state, uint32(1), uint32(4), string(utf16le("rId1")), uint32(1), string(utf16le("A"))))
	}
	part := func(records string) []byte { return xlsb("", "xl/worksheets/sheet1.bin", "worksheet", records) }
	link := func(kind int) string { return xlsbRecord(xlsbSupBook, le(kind, uint32(4), string(utf16le("rId1")))) }
	project := string(cfbFile(vbaFiles("", "Modulo", "", emptyModule+"Sub Auto_Open()\r\nEnd Sub\r\n")...))
	plain := xlsb(sheet(0), "xl/worksheets/sheet1.bin", "worksheet", xlsbRecord(129, "")+xlsbRecord(5, "12345678")+xlsbRecord(130, ""))
	long := xlsbRecord(19, string(make([]byte, 300_000)))
	return []ruleCase{
		{"ooxml.binary-workbook", "x.xlsb", plain, xlsx("", "")},
		{"sheet.macrosheet", "x.xlsb", xlsb("", "xl/macrosheets/sheet1.bin", "macrosheet", ""), plain},
		{"sheet.macrosheet", "x.xlsb", xlsb("", "xl/macrosheets/sheet1.bin", "intlmacrosheet", ""), plain},
		{"sheet.macrosheet", "x.xlsb", xlsb(name(0x20, "_xlnm.Auto_Open")), xlsb(name(0x20, "_xlnm.Print_Area"))},
		{"sheet.macrosheet", "x.xlsb", xlsb(long + name(0x08, "macro")), xlsb(name(0x02, "_xlfn.IFERROR"))},
		{"ooxml.external", "x.xlsb", xlsb("", "xl/externalLinks/externalLink1.bin", "externalLink", ""), plain},
		{"ooxml.external", "x.xlsb", part(link(0)), part(xlsbRecord(357, ""))},
		{"field.dde", "x.xlsb", part(link(1)), part(link(2))},
		{"ooxml.macro", "x.xlsb", xlsb("", "xl/altro.bin", "altro", project), plain},
		{"ooxml.hidden", "x.xlsb", xlsb(sheet(2)), plain},
		{"formula", "x.xlsb", part(long + xlsbRecord(9, "x")), part(xlsbRecord(7, "x"))},
	}
}

// Of a plain binary workbook nothing is refused but its format.
func TestPlainXLSB(t *testing.T) {
	t.Parallel()
	for _, doc := range [][]byte{xlsbCases()[0].doc, xlsb("\xff"), xlsb("\x07\xff\xff\xff\xff"), xlsb("\x07\x05abc")} {
		if rep := look(t, "x.xlsb", doc); len(rep.Findings) != 1 || rep.Findings[0].Rule != "ooxml.binary-workbook" {
			t.Errorf("%+v", rep)
		}
	}
}

// FuzzXLSB reads any bytes as the records of a part.
func FuzzXLSB(f *testing.F) {
	f.Add([]byte(xlsbRecord(xlsbName, "x") + xlsbRecord(xlsbSupBook, "\x01\x00") + xlsbRecord(9, "")))
	f.Fuzz(func(t *testing.T, part []byte) {
		o := &ooxmlScan{report: newReport()}
		if err := o.binaryPart("xl/a.bin", bytes.NewReader(part)); err != nil {
			t.Fatal(err)
		}
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
