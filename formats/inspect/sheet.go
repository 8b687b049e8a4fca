package inspect

import (
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
)

// volatileFunctions give another result at another time or place, fetch
// something or run something. Names are as the file has them, in English
// whatever the program's language (ISO/IEC 29500-1 §18.17).
var volatileFunctions = map[string]bool{
	"NOW": true, "TODAY": true, "RAND": true, "RANDBETWEEN": true, "RANDARRAY": true, "OFFSET": true, "INDIRECT": true,
	"CELL": true, "INFO": true, "RTD": true, "HYPERLINK": true, "WEBSERVICE": true, "IMAGE": true, "CALL": true,
	"REGISTER": true, "REGISTER.ID": true, "EVALUATE": true, "EXEC": true, "STOCKHISTORY": true, "PY": true, "SQL.REQUEST": true,
	"DDE": true, "DDE.ADD": true, "DDEINITIATE": true, "INITIATE": true, "REQUEST": true, "RUN": true, "GOTO": true, "FOPEN": true, "FWRITE": true,
	"CUBEVALUE": true, "CUBEMEMBER": true, "CUBESET": true, "CUBERANKEDMEMBER": true, "CUBEKPIMEMBER": true,
	"CUBEMEMBERPROPERTY": true, "CUBESETCOUNT": true, "TRANSLATE": true, "DETECTLANGUAGE": true, "COPILOT": true,
	"STYLE":    true, // of LibreOffice: formats the cell differently after a while
	"GET.CELL": true, "GET.WORKBOOK": true, "GET.DOCUMENT": true, "GET.WORKSPACE": true, "CURRENT": true, "RAND.NV": true, "RANDBETWEEN.NV": true,
}

var (
	formulaStrings  = regexp.MustCompile(`"(?:[^"]|"")*"|'(?:[^']|'')*'`)
	formulaFunction = regexp.MustCompile(`([\pL_\\][\pL\pN_.]*)\s*\(`)
	formulaPrefix   = regexp.MustCompile(`^(?i)(_xlfn\.|_xlws\.|_xludf\.|com\.microsoft\.|com\.sun\.star\.[a-z.]*|org\.openoffice\.|org\.libreoffice\.|of:|oooc:|msoxl:)+`)
	formulaDDE      = regexp.MustCompile(`\|\s*'?[^!|]*'?!`)
	formulaExternal = regexp.MustCompile(`\[[^\[\]]*\][^\[\]]*!|\[\d+\]`)
)

// formulaRule judges one formula, with or without its equals sign.
func formulaRule(formula string) string {
	rule := conditionRule(formula)
	if rule == "formula" && unknownFunction(formulaStrings.ReplaceAllString(formula, "''")) != "" {
		return "formula.volatile"
	}
	return rule
}

// conditionRule judges a condition of OpenDocument, which has words of its own
// where a formula has functions.
func conditionRule(formula string) string {
	if formulaDDE.MatchString(formula) {
		return "field.dde"
	}
	if formulaExternal.MatchString(formula) || strings.Contains(strings.ToLower(formula), "_xll.") || strings.Contains(formula, "file://") || strings.Contains(formula, "://") {
		return "formula.volatile"
	}
	bare := formulaStrings.ReplaceAllString(formula, "''")
	for _, m := range formulaFunction.FindAllStringSubmatch(bare, -1) {
		if volatileFunctions[strings.ToUpper(formulaPrefix.ReplaceAllString(m[1], ""))] {
			return "formula.volatile"
		}
	}
	return "formula"
}

// sheetScan follows SpreadsheetML: formulas wherever they are, headers, hidden
// sheets, rows and columns, data that refreshes.
type sheetScan struct {
	*report
	where string
	memo  *xmlMemo // has noted the cell
	cells bool     // within the formats that cells have
}

// start reports whether it heeds elements of that name, which hangs on nothing else.
func (x *sheetScan) start(e xml.StartElement) bool {
	switch e.Name.Local {
	case "c": // a table has a million of them, of which only the place counts
		cell, _ := attr(e, "r")
		x.memo.note, x.memo.next = append(x.memo.note[:0], cell...), xmlNoted
		return false
	case "sheet", "row", "col", "definedName", "sheetFormatPr", "cNvPr", "docPr": // the last two are drawings
		x.hidden(e)
	case "sp", "pic", "graphicFrame", "cxnSp":
		x.shape(e)
	case "cellStyleXfs", "cellXfs", "xf", "numFmt":
		x.format(e)
	case "clientData":
		if v, ok := attr(e, "fPrintsWithSheet"); ok && !isOn(v, true) {
			x.add("ooxml.hidden", x.where, "<clientData fPrintsWithSheet=0>") // on the screen only
		}
	case "pivotCacheDefinition":
		if v, ok := attr(e, "refreshOnLoad"); ok && isOn(v, true) {
			x.add("ooxml.data", x.where, "refreshOnLoad")
		}
	case "f":
		if kind, _ := attr(e, "t"); kind == "dataTable" { // has no text (§18.3.1.40)
			x.add("formula", x.where+" "+string(x.memo.note), kind)
		}
	case "s":
		if kind, _ := attr(e, "t"); strings.HasPrefix(kind, "_linkedentity") { // stocks and the like, which a service keeps up to date
			x.add("ooxml.data", x.where, kind)
		}
	case "cfRule":
		if kind, _ := attr(e, "type"); kind == "timePeriod" { // compares with the day it is looked at
			period, _ := attr(e, "timePeriod")
			x.add("formula.volatile", x.where, kind+" "+period)
		}
	case "dynamicFilter": // rows are shown by the day or by their average (§18.3.2.5)
		if kind, _ := attr(e, "type"); kind != "" && kind != "null" && kind != "aboveAverage" && kind != "belowAverage" {
			x.add("formula.volatile", x.where, "filter "+kind)
		}
	case "cacheField", "calculatedItem":
		if f, _ := attr(e, "formula"); f != "" {
			x.formula(f)
		}
	case "cfvo": // a threshold is a number or a formula (§18.3.1.11)
		value, _ := attr(e, "val")
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			x.formula(value)
		}
	case "connection", "queryTable", "webPr", "dbPr":
		x.add("ooxml.data", x.where, "<"+e.Name.Local+">")
	case "ddeLink", "externalBook", "oleLink":
		x.add("ooxml.external", x.where, "<"+e.Name.Local+">")
	default:
		return false
	}
	return true
}

// leastSizes are the sizes below which nothing of a row (in points) or a column
// (in characters) is seen: half a pixel.
var leastSizes = []struct {
	attribute string
	least     float64
}{{"ht", 0.375}, {"defaultRowHeight", 0.375}, {"width", 0.07}, {"defaultColWidth", 0.07}}

func (x *sheetScan) hidden(e xml.StartElement) {
	name, _ := attr(e, "name")
	if state, ok := attr(e, "state"); ok && e.Name.Local == "sheet" && state != "visible" {
		x.add("ooxml.hidden", x.where, state+" "+name)
	}
	if v, ok := attr(e, "zeroHeight"); ok && isOn(v, true) {
		x.add("ooxml.hidden", x.where, "zeroHeight")
	}
	if v, ok := attr(e, "hidden"); ok && isOn(v, true) && e.Name.Local != "definedName" {
		x.add("ooxml.hidden", x.where, "<"+e.Name.Local+" hidden>")
	}
	for _, s := range leastSizes {
		if v, ok := attr(e, s.attribute); ok {
			if size, err := strconv.ParseFloat(v, 64); err == nil && size < s.least {
				x.add("ooxml.hidden", x.where, "<"+e.Name.Local+" "+s.attribute+"="+v+">")
			}
		}
	}
	if v, ok := attr(e, "xlm"); ok && isOn(v, true) {
		x.add("sheet.macrosheet", x.where, name)
	}
	if e.Name.Local != "definedName" {
		return
	}
	for _, macro := range []string{"vbProcedure", "function"} {
		if v, ok := attr(e, macro); ok && isOn(v, true) {
			x.add("sheet.macrosheet", x.where, name)
		}
	}
}

// shape judges what a drawing on a sheet shows and does: its text may be that of
// a cell (§20.5.2.29), and a click on it may run a macro. Elements of the same
// names in other drawings have neither attribute.
func (x *sheetScan) shape(e xml.StartElement) {
	if link, _ := attr(e, "textlink"); link != "" {
		x.formula(link)
	}
	if macro, _ := attr(e, "macro"); strings.TrimSpace(macro) != "" {
		x.add("ooxml.macro", x.where, macro)
	}
}

func (x *sheetScan) text(element, s string) {
	switch element {
	case "f", "formula", "formula1", "formula2", "calculatedColumnFormula", "totalsRowFormula", "FmlaTxbx", "FmlaPict":
		x.formula(s)
	case "FmlaMacro":
		if strings.TrimSpace(s) != "" {
			x.add("ooxml.macro", x.where, s)
		}
	case "definedName":
		if rule := formulaRule(s); rule != "formula" {
			x.add(rule, x.where, s)
		}
	case "oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter":
		x.header(s)
	}
}

func (x *sheetScan) formula(s string) {
	if strings.TrimSpace(s) == "" {
		return // a cell that shares another's formula
	}
	where := x.where
	if len(x.memo.note) > 0 {
		where += " " + string(x.memo.note)
	}
	x.add(formulaRule(s), where, s)
}

// header judges the codes of a printed header (ISO/IEC 29500-1 §18.3.1.46):
// date, time, file and path come from outside of the document; page numbers and
// the sheet's name are in it.
func (x *sheetScan) header(s string) {
	for i := 0; i+1 < len(s); i++ {
		if s[i] != '&' {
			continue
		}
		i++
		switch s[i] {
		case '"': // font
			if end := strings.IndexByte(s[i+1:], '"'); end >= 0 {
				i += end + 1
			}
		case 'D', 'T', 'F', 'Z', 'd', 't', 'f', 'z':
			x.add("sheet.header.dynamic", x.where, s)
			return
		case 'P', 'N', 'A', 'p', 'n', 'a':
			x.add("sheet.header", x.where, s)
		}
	}
}
