package inspect

import (
	"encoding/base64"
	"encoding/xml"
	"strings"
)

// Office documents in a single XML file. Programs tell them by an instruction at
// the start or by the root element and open them with all their fields, formulas
// and macros; a browser or an editor shows the same file as XML. So the file is
// two documents, and is refused as a format; what is in it is named all the same,
// by the rules for the packages, since its elements are theirs or much like them.

const (
	nsWordML  = "http://schemas.microsoft.com/office/word/2003/wordml"
	nsSheetML = "urn:schemas-microsoft-com:office:spreadsheet"
	nsFlatOPC = "http://schemas.microsoft.com/office/2006/xmlPackage"
	nsFlatODF = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"
)

// officeXMLFormat is the format that a root element says, "" for other XML.
func officeXMLFormat(root xml.Name) string {
	switch root {
	case xml.Name{Space: nsWordML, Local: "wordDocument"}:
		return "wordml"
	case xml.Name{Space: nsSheetML, Local: "Workbook"}:
		return "spreadsheetml"
	case xml.Name{Space: nsFlatOPC, Local: "package"}:
		return "flatopc"
	case xml.Name{Space: nsFlatODF, Local: "document"}:
		return "flatodf"
	}
	return ""
}

const (
	maxOfficeXML         = 16 << 20 // bytes of a file that is looked into, being refused anyway
	maxOfficeXMLFormulas = 10_000
)

// officeXML refuses a single-file Office document and names what is in it.
func (s *scan) officeXML(format string) {
	s.add("format.office-xml", "", format)
	if s.size > maxOfficeXML {
		return
	}
	o := &officeXMLScan{ooxmlScan: &ooxmlScan{report: s.report}}
	line := 1
	err := walkXML(s.reader(), xmlVisitor{line: &line, start: o.start, text: o.text, end: func(xml.Name, int) { o.data = false }})
	switch {
	case err != nil:
	case format == "flatodf":
		err = s.flatODF()
	default:
		err = o.xmlPart("", s.reader())
	}
	if err != nil {
		s.add("xml.malformed", "", err.Error())
	}
}

// officeXMLScan finds what the rules for the parts of a package do not see.
type officeXMLScan struct {
	*ooxmlScan
	part     string // of a flat package, the part being read
	formulas int
	data     bool // within binary data whose beginning has not been seen
}

func (o *officeXMLScan) start(e xml.StartElement, depth int) {
	if depth == 1 {
		for _, says := range []struct{ attribute, rule string }{
			{"macrosPresent", "ooxml.macro"}, {"ocxPresent", "ooxml.activex"}, {"embeddedObjPresent", "ooxml.embedded"},
		} {
			if v, ok := attr(e, says.attribute); ok && isOn(v, true) {
				o.add(says.rule, "", says.attribute)
			}
		}
	}
	o.data = false
	switch e.Name {
	case xml.Name{Space: nsWordML, Local: "docSuppData"}:
		o.add("ooxml.macro", "", "<docSuppData>")
	case xml.Name{Space: nsWordML, Local: "docOleData"}:
		o.add("ooxml.embedded", "", "<docOleData>")
	case xml.Name{Space: nsFlatOPC, Local: "part"}:
		name, _ := attr(e, "name")
		kind, _ := attr(e, "contentType")
		o.part = strings.TrimPrefix(name, "/")
		if o.partType(o.part, strings.ToLower(kind)); strings.Contains(strings.ToLower(kind), "macroenabled") {
			o.add("ooxml.macro", o.part, kind)
		}
	case xml.Name{Space: nsFlatOPC, Local: "binaryData"}, xml.Name{Space: nsFlatODF, Local: "binary-data"}:
		o.data = true
	case xml.Name{Space: nsSheetML, Local: "Cell"}, xml.Name{Space: nsSheetML, Local: "NamedRange"}:
		o.formula(e)
	}
	if e.Name.Local == "Relationship" {
		o.relationship(o.part, e)
	}
}

// formula judges the formulas of SpreadsheetML 2003, which stand in attributes.
func (o *officeXMLScan) formula(e xml.StartElement) {
	if o.formulas++; o.formulas > maxOfficeXMLFormulas {
		return
	}
	for _, name := range []string{"Formula", "RefersTo"} {
		if f, ok := attr(e, name); ok {
			if rule := formulaRule(f); name == "Formula" || rule != "formula" {
				o.add(rule, "<"+e.Name.Local+">", f)
			}
		}
	}
	if href, ok := attr(e, "HRef"); ok {
		o.add(linkRule(href), "<"+e.Name.Local+">", href)
	}
}

// text looks at the first bytes of binary data for another file.
func (o *officeXMLScan) text(b []byte) {
	if !o.data {
		return
	}
	packed := make([]byte, 0, 12)
	for _, c := range b {
		if c <= ' ' {
			continue
		}
		if packed = append(packed, c); len(packed) == cap(packed) {
			break
		}
	}
	if len(packed) == 0 {
		return
	}
	o.data = false
	head := make([]byte, 9)
	n, _ := base64.StdEncoding.Decode(head, packed)
	switch head := string(head[:n]); {
	case strings.HasPrefix(head, "\xd0\xcf\x11\xe0"), strings.HasPrefix(head, "PK\x03\x04"), strings.HasPrefix(head, "%PDF-"),
		strings.HasPrefix(head, "MZ"), strings.HasPrefix(head, "\x7fELF"), strings.HasPrefix(head, "ActiveMi"):
		o.add("zip.nested", o.part, head)
	}
}

// flatODF judges a flat OpenDocument file as the parts of a package.
func (s *scan) flatODF() error {
	o := &odfScan{report: s.report, a: &zipArchive{}, masters: map[string]bool{}}
	if err := walkXML(s.reader(), xmlVisitor{start: o.collectMasters}); err != nil {
		return err
	}
	return o.xmlPart("content.xml", s.reader())
}
