package inspect

import (
	"encoding/xml"
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
		switch lower := strings.ToLower(code); {
		case strings.Contains(lower, "[$-f800]"), strings.Contains(lower, "[$-f400]"), strings.Contains(lower, "[$-x-sys"):
			x.add("sheet.locale", x.where, code) // the date or the time of the system
		case strings.Contains(code, ";") && strings.Trim(code, "; ") == "":
			x.add("ooxml.hidden", x.where, "format "+code)
		}
	}
}
