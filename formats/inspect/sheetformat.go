package inspect

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// localeFormats are the built-in number formats that each program shows the way
// of the country that it is set to (ISO/IEC 29500-1 §18.8.30): of 3/4 one reader
// takes the third of April and another the fourth of March, and 100 is so many
// euro here and so many dollars there.
var localeFormats = map[string]string{
	"5": "currency", "6": "currency", "7": "currency", "8": "currency", "14": "date", "22": "date",
	"42": "currency", "44": "currency",
}

// format judges how cells show their numbers. Styles of cells that are only kept
// for use (cellStyleXfs) show nothing.
func (x *sheetScan) format(e xml.StartElement) {
	switch e.Name.Local {
	case "cellStyleXfs", "cellXfs":
		x.cells = e.Name.Local == "cellXfs"
	case "xf":
		id, _ := attr(e, "numFmtId")
		if kind := localeFormats[id]; x.cells && kind != "" {
			x.add("sheet.locale", x.where, kind)
		}
	case "numFmt":
		code, _ := attr(e, "formatCode")
		if rule := formatRule(code); rule != "" {
			x.add(rule, x.where, "format "+code)
		}
	}
}

// formatRule judges a number format: that of a date or time of the system, and
// one that shows nothing; "" for any other.
func formatRule(code string) string {
	switch lower := strings.ToLower(code); {
	case strings.Contains(lower, "[$-f800]"), strings.Contains(lower, "[$-f400]"), strings.Contains(lower, "[$-x-sys"):
		return "sheet.locale"
	case strings.Contains(code, ";") && strings.Trim(code, "; ") == "":
		return "ooxml.hidden"
	}
	return ""
}

// cellFormat is the same in a binary workbook: XF, [MS-XLS] §2.4.353.
func (b *bookScan) cellFormat(rec biffRecord) error {
	c := cursor{b: rec.body}
	c.take(2)
	id, flags := c.u16(), c.u16()
	if c.short {
		return errShort
	}
	if kind := localeFormats[strconv.Itoa(int(id))]; kind != "" && flags&0x4 == 0 { // no style
		b.add("sheet.locale", b.place(), kind)
	}
	return nil
}

// numberFormat: Format, §2.4.126, of which the characters are enough.
func (b *bookScan) numberFormat(rec biffRecord) error {
	if len(rec.body) < 5 {
		return errShort
	}
	code := strings.ReplaceAll(string(rec.body[5:]), "\x00", "")
	if rule := formatRule(code); rule != "" {
		b.add(rule, b.place(), "format "+code)
	}
	return nil
}
