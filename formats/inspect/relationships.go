package inspect

import (
	"encoding/xml"
	"io"
	"path"
	"strings"
)

// relationRules judges relationships by the last segment of their type, in
// lower case (ISO/IEC 29500-1 and -4; strict and transitional share it).
var relationRules = map[string]string{
	"vbaproject": "ooxml.macro", "wordvbadata": "ooxml.macro", "keymapcustomizations": "ooxml.macro", "attachedtoolbars": "ooxml.macro",
	"xlmacrosheet": "sheet.macrosheet", "xlintlmacrosheet": "sheet.macrosheet", "dialogsheet": "sheet.macrosheet",
	"control": "ooxml.activex", "activexcontrolbinary": "ooxml.activex", "ctrlprop": "ooxml.activex",
	"oleobject": "ooxml.embedded", "package": "ooxml.embedded",
	"attachedtemplate": "ooxml.template", "afchunk": "ooxml.altchunk",
	"subdocument": "ooxml.external", "frame": "ooxml.external", "externallink": "ooxml.external", "externallinkpath": "ooxml.external",
	"externalreference": "ooxml.external", "xlpathmissing": "ooxml.external", "xlstartup": "ooxml.external", "xllibrary": "ooxml.external",
	"mailmergesource": "ooxml.data", "mailmergeheadersource": "ooxml.data", "recipientdata": "ooxml.data", "connections": "ooxml.data", "querytable": "ooxml.data",
	"audio": "ooxml.media", "video": "ooxml.media", "media": "ooxml.media", "model3d": "ooxml.media",
	"extensibility": "ooxml.extension", "webextension": "ooxml.extension", "webextensiontaskpanes": "ooxml.extension", "taskpanes": "ooxml.extension", "ui": "ooxml.extension",
	"diagramdrawing":  "ooxml.alternate.part", // a drawing beside the data that it was made of
	"slideupdateinfo": "ooxml.external", "slideupdateurl": "ooxml.external", "pythonscript": "ooxml.macro",
}

func (o *ooxmlScan) relationships(name string, r io.Reader) error {
	once := map[string]bool{} // by Id and by kind
	return walkXML(r, xmlVisitor{start: func(e xml.StartElement, _ int) {
		if e.Name.Local == "Relationship" {
			o.relationship(name, e)
			o.unambiguous(name, e, once)
		}
	}})
}

// onlyRelations are those that a part has one of, in lower case: which of two
// styles or tables of strings counts is up to the program.
var onlyRelations = map[string]bool{
	"officedocument": true, "styles": true, "numbering": true, "settings": true, "fonttable": true, "footnotes": true,
	"endnotes": true, "sharedstrings": true, "glossarydocument": true,
}

// unambiguous refuses relationships that two programs follow to two parts, so
// that each shows another document (ISO/IEC 29500-2 §6.5.3). once is what
// the part has had so far.
func (o *ooxmlScan) unambiguous(name string, e xml.StartElement, once map[string]bool) {
	id, _ := attr(e, "Id")
	kind, _ := attr(e, "Type")
	target, _ := attr(e, "Target")
	kind = strings.ToLower(kind[strings.LastIndexByte(kind, '/')+1:])
	switch key := "type " + kind; {
	case once["id "+id]:
		o.add("ooxml.malformed", name, "two relationships "+id)
	case onlyRelations[kind] && once[key]:
		o.add("ooxml.malformed", name, "two "+kind)
	case kind == "officedocument" && strings.EqualFold(name, "_rels/.rels") && strings.TrimPrefix(strings.ToLower(path.Clean("/"+target)), "/") != o.main:
		o.add("ooxml.malformed", name, "the document is not "+target)
	default:
		once[key] = true
	}
	once["id "+id] = true
}

func (o *ooxmlScan) relationship(name string, e xml.StartElement) {
	kind, _ := attr(e, "Type")
	target, _ := attr(e, "Target")
	mode, _ := attr(e, "TargetMode")
	kind = strings.ToLower(kind[strings.LastIndexByte(kind, '/')+1:])
	external := strings.EqualFold(mode, "External")
	rule, known := relationRules[kind]
	switch {
	case known:
		o.add(rule, name, kind+" "+target)
	case external && kind == "hyperlink":
		o.add(linkRule(target), name, target)
	case external:
		o.add("ooxml.external", name, kind+" "+target)
	case urlScheme(target) != "" || strings.HasPrefix(target, "//") || strings.Contains(target, "\\"):
		o.add("ooxml.external", name, kind+" "+target)
	}
}
