package inspect

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// xml inspects an XML document, an SVG image or an XHTML page. Elements of the
// XHTML and SVG name spaces are judged as a browser would run them, wherever
// they are: a browser opens any XML file.
func (s *scan) xml(format string) {
	if s.size > maxMarkup {
		s.add("size", "", "")
		return
	}
	s.xmlFrom(s.reader(), format)
}

// xmlFrom inspects what r gives and answers the root element's name, if it has one.
func (s *scan) xmlFrom(r io.Reader, format string) (root xml.Name) {
	line := 1
	where := func() string { return fmt.Sprintf("line %d", line) }
	m := &markup{report: s.report}
	chars := &characters{s.report}
	inStyle := false
	v := xmlVisitor{
		line: &line,
		start: func(e xml.StartElement, depth int) {
			if m.line = line; depth == 1 {
				root = e.Name
			}
			s.xmlNamespaces(e, where)
			if e.Name.Space == nsXHTML || e.Name.Space == nsSVG || e.Name.Space == nsMathML || format == "svg" && e.Name.Space == "" {
				m.element(e.Name.Local, attributesOf(e))
				inStyle = e.Name.Local == "style"
			}
		},
		end: func(xml.Name, int) { inStyle = false },
		text: func(b []byte) {
			m.line = line
			if inStyle {
				m.css(string(b))
			}
			chars.text(string(b), where)
		},
		pi: func(target string, inst []byte) {
			switch target {
			case "xml-stylesheet":
				s.add("xml.stylesheet", where(), string(inst))
			case "mso-application": // by which Windows opens it in a program of Office
				s.add("format.office-xml", where(), string(inst))
			}
		},
		doctype: func(d []byte) {
			if format == "xhtml" && plainDoctype(d) || s.packed && !bytes.ContainsAny(d, "[") {
				return // no program of Office loads what it names
			}
			s.add("xml.dtd", where(), string(d))
		},
	}
	if err := walkXML(r, v); err != nil {
		s.add("xml.malformed", where(), err.Error())
	}
	return root
}

func (s *scan) xmlNamespaces(e xml.StartElement, where func() string) {
	if strings.HasPrefix(e.Name.Space, nsXFA) {
		s.add("xml.code", where(), e.Name.Local)
	}
	switch e.Name.Space {
	case nsXInclude:
		s.add("xml.include", where(), e.Name.Local)
	case nsXDP:
		s.add("xml.code", where(), e.Name.Local)
	case nsXSLT:
		s.add("xml.code", where(), e.Name.Local)
	case nsXMLEvents:
		s.add("html.script", where(), e.Name.Local)
	}
	for _, a := range e.Attr {
		if a.Name.Space == nsXMLEvents {
			s.add("html.script", where(), a.Name.Local+"="+a.Value)
		}
	}
}

// plainDoctype: the HTML document type, by public identifier or none at all,
// without declarations of its own. No browser reads a DTD for it.
func plainDoctype(d []byte) bool {
	f := bytes.Fields(bytes.ToLower(d))
	return len(f) >= 2 && string(f[0]) == "doctype" && string(f[1]) == "html" && !bytes.ContainsAny(d, "[") &&
		(len(f) == 2 || bytes.Contains(d, []byte(`"-//W3C//DTD XHTML `)))
}

func attributesOf(e xml.StartElement) []attribute {
	as := make([]attribute, 0, len(e.Attr))
	for _, a := range e.Attr {
		if _, ns := declares(a); !ns {
			as = append(as, attribute{a.Name.Local, a.Value})
		}
	}
	return as
}
