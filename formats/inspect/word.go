package inspect

import (
	"encoding/xml"
	"errors"
	"strings"
)

// fieldRules are the Word field types (ISO/IEC 29500-1 §17.16.5) that may stay.
// All others, misspelt, translated and future ones included, are refused.
var fieldRules = map[string]string{
	"HYPERLINK": "link",
	"PAGE":      "field.layout", "NUMPAGES": "field.layout", "SECTION": "field.layout", "SECTIONPAGES": "field.layout",
	"SEQ": "field.layout", "REF": "field.layout", "PAGEREF": "field.layout", "NOTEREF": "field.layout", "STYLEREF": "field.layout",
	"TOC": "field.layout", "TOA": "field.layout", "TC": "field.layout", "TA": "field.layout", "XE": "field.layout", "INDEX": "field.layout",
	"EQ": "field.layout", "SYMBOL": "field.layout", "ADVANCE": "field.layout", "LISTNUM": "field.layout",
	"AUTONUM": "field.layout", "AUTONUMLGL": "field.layout", "AUTONUMOUT": "field.layout", "BIBLIOGRAPHY": "field.layout", "CITATION": "field.layout",
	"FORMTEXT": "field.layout", "FORMCHECKBOX": "field.layout", "FORMDROPDOWN": "field.layout",
	"DDE": "field.dde", "DDEAUTO": "field.dde",
}

// fieldRule judges a field code, and returns what to quote of it.
func fieldRule(code string) (rule, quote string) {
	code = strings.TrimSpace(code)
	word := code
	if i := strings.IndexFunc(code, endsFieldType); i >= 0 {
		word = code[:i]
	}
	if strings.HasPrefix(word, "=") {
		return "formula", code // a calculation in a table, done only on demand
	}
	rule, ok := fieldRules[strings.ToUpper(word)]
	switch {
	case !ok:
		rule = "field.dynamic"
	case rule == "link":
		rule = linkRule(hyperlinkTarget(code[len(word):]))
	}
	return rule, code
}

func endsFieldType(c rune) bool { return c <= ' ' || c == '\u00a0' || c == '"' || c == '\\' }

// fieldTyped reports whether a code, read so far, has its field type whole. A
// field within the code before that writes the type itself, by its result.
func fieldTyped(code string) bool {
	code = strings.TrimSpace(code) + code[len(strings.TrimRight(code, " ")):]
	return strings.HasPrefix(code, "=") || strings.IndexFunc(code, endsFieldType) > 0
}

// hyperlinkTarget is the first argument of a HYPERLINK field; with the switch
// \l alone it is a place in the document.
func hyperlinkTarget(args string) string {
	args = strings.TrimSpace(args)
	if strings.HasPrefix(args, `\`) {
		return ""
	}
	if rest, ok := strings.CutPrefix(args, `"`); ok {
		target, _, _ := strings.Cut(rest, `"`)
		return target
	}
	target, _, _ := strings.Cut(args, " ")
	return target
}

// wordScan follows WordprocessingML: fields, changes, comments, hidden text.
type wordScan struct {
	*report
	where  string
	fields []*wordField // open complex fields: pointers, for a strings.Builder must not be copied
}

// wordField is a complex field between its begin and end characters (§17.16.18).
type wordField struct {
	code   strings.Builder
	result bool // past the separator: what follows is shown, not code
}

// wordRules are elements that say all by their name.
var wordRules = map[string]string{
	"altChunk": "ooxml.altchunk", "subDoc": "ooxml.external", "frameset": "ooxml.external", "mailMerge": "ooxml.data",
	"attachedTemplate": "ooxml.template", "OLEObject": "ooxml.embedded", "objectEmbed": "ooxml.embedded", "objectLink": "ooxml.embedded",
	"movie": "ooxml.media", "dataBinding": "ooxml.binding",
	"ins": "ooxml.changes", "del": "ooxml.changes", "moveFrom": "ooxml.changes", "moveTo": "ooxml.changes", "rPrChange": "ooxml.changes",
	"pPrChange": "ooxml.changes", "tblPrChange": "ooxml.changes", "trPrChange": "ooxml.changes", "tcPrChange": "ooxml.changes",
	"sectPrChange": "ooxml.changes", "cellIns": "ooxml.changes", "cellDel": "ooxml.changes", "trackRevisions": "ooxml.changes",
	"comment": "ooxml.comments", "threadedComment": "ooxml.comments", "cm": "ooxml.comments",
	"DataMashup":  "ooxml.data",
	"DataBinding": "ooxml.data",                                   // of an XML map to a file
	"bdo":         "text.bidi", "svgBlip": "ooxml.alternate.part", // a drawing in the place of a picture, for those that know it
	// Date and page blocks (§17.3.3): the day it is looked at, without a field.
	"dayLong": "field.dynamic", "dayShort": "field.dynamic", "monthLong": "field.dynamic", "monthShort": "field.dynamic",
	"yearLong": "field.dynamic", "yearShort": "field.dynamic", "pgNum": "field.layout",
}

// start reports whether it heeds elements of that name, which hangs on nothing else.
func (w *wordScan) start(e xml.StartElement) bool {
	switch e.Name.Local {
	case "control":
		w.add("ooxml.activex", w.where, "<control>")
	case "vanish", "specVanish":
		if isOn(attr(e, "val")) {
			w.add("ooxml.hidden", w.where, "<"+e.Name.Local+">")
		}
	case "hidden": // a row of a table; in a style it hides only the style's name
		if isOn(attr(e, "val")) && !strings.Contains(w.where, "tyles") {
			w.add("ooxml.hidden", w.where, "<hidden>")
		}
	case "updateFields":
		if isOn(attr(e, "val")) {
			w.add("field.layout", w.where, "<updateFields>")
		}
	case "t", "fldSimple":
		w.inCode(e.Name.Local)
		if e.Name.Local == "t" {
			return true
		}
		code, _ := attr(e, "instr")
		w.field(code)
	case "fldChar":
		w.fieldChar(e)
	case "type": // of a form field (§17.16.34)
		switch kind, _ := attr(e, "val"); kind {
		case "currentDate", "currentTime":
			w.add("field.dynamic", w.where, kind)
		case "calculated":
			w.add("formula", w.where, kind)
		}
	case "imagedata", "fill", "stroke", "image":
		w.vmlPicture(e)
	case "shape", "rect", "roundrect", "oval", "line", "polyline", "curve", "arc", "group":
		w.vmlShape(e)
	case "macroWll", "wllMacro", "mcd", "acd", "entryMacro", "exitMacro":
		w.add("ooxml.macro", w.where, "<"+e.Name.Local+">")
	default:
		rule, ok := wordRules[e.Name.Local]
		if ok && isOn(attr(e, "val")) {
			w.add(rule, w.where, "<"+e.Name.Local+">")
		}
		return ok
	}
	return true
}

// inCode: text that is no code, and fields, where a code has yet to say of what
// type it is. Programs differ in what they make of it.
func (w *wordScan) inCode(what string) {
	if n := len(w.fields); n > 0 && !w.fields[n-1].result && (what == "t" || !fieldTyped(w.fields[n-1].code.String())) {
		w.add("field.dynamic", w.where, "<"+what+"> in a field code "+w.fields[n-1].code.String())
	}
}

// vmlPicture finds pictures that VML names by their address (ISO/IEC 29500-4
// §19.1.2.11), where others have a relationship.
func (w *wordScan) vmlPicture(e xml.StartElement) {
	if e.Name.Space != "urn:schemas-microsoft-com:vml" {
		return
	}
	for _, name := range []string{"src", "href"} {
		target, _ := attr(e, name)
		if urlScheme(target) != "" || strings.HasPrefix(target, "//") || strings.HasPrefix(target, `\\`) {
			w.add("ooxml.external", w.where, "<"+e.Name.Local+"> "+target)
		}
	}
}

// vmlShape judges the link of a shape and whether it is shown. In a workbook the
// shapes of comments are hidden until the pointer is there; the comments are
// reported themselves.
func (w *wordScan) vmlShape(e xml.StartElement) {
	if e.Name.Space != "urn:schemas-microsoft-com:vml" {
		return
	}
	if target, _ := attr(e, "href"); target != "" {
		w.add(linkRule(target), w.where, target)
	}
	style, _ := attr(e, "style")
	if style = strings.ReplaceAll(strings.ToLower(style), " ", ""); !strings.HasPrefix(w.where, "xl/") &&
		(strings.Contains(style, "visibility:hidden") || strings.Contains(style, "display:none")) {
		w.add("ooxml.hidden", w.where, "<"+e.Name.Local+" "+style+">")
	}
}

func (w *wordScan) fieldChar(e xml.StartElement) {
	kind, _ := attr(e, "fldCharType")
	n := len(w.fields)
	switch {
	case kind == "begin" && n >= maxFieldDepth:
		w.add("field.dynamic", w.where, "fields nested too deep")
	case kind == "begin":
		w.inCode("fldChar")
		w.fields = append(w.fields, &wordField{})
	case n == 0: // an end without a beginning shows nothing
	case kind == "separate":
		w.fields[n-1].result = true
	case kind == "end":
		w.field(w.fields[n-1].code.String())
		w.fields = w.fields[:n-1]
	}
}

// text receives a piece of field code. Word splits codes into runs at will, so
// pieces are joined; a field inside a field's code has its own entry.
func (w *wordScan) text(element, s string) {
	if element != "instrText" && element != "delInstrText" {
		return
	}
	n := len(w.fields)
	if n == 0 || w.fields[n-1].result {
		w.field(s) // code where none should be: some program may run it
		return
	}
	if code := &w.fields[n-1].code; code.Len()+len(s) <= maxFieldCode {
		code.WriteString(s)
	} else {
		w.add("field.dynamic", w.where, "field code too long")
	}
}

// field judges one whole field code.
func (w *wordScan) field(code string) {
	rule, quote := fieldRule(code)
	w.add(rule, w.where, quote)
}

func (w *wordScan) finish() error {
	if len(w.fields) > 0 {
		for i := range w.fields {
			w.field(w.fields[i].code.String())
		}
		return errors.New("a field that does not end")
	}
	return nil
}
