package inspect

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// ooxmlFamilies maps the content type of the main part to the format. Whoever
// calls a document macro-enabled says so here (ISO/IEC 29500-1 §11.3, [MS-OFFMACRO2]).
var ooxmlFamilies = map[string]string{
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml":   "docx",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml":   "dotx",
	"application/vnd.ms-word.document.macroenabled.main+xml":                             "docm",
	"application/vnd.ms-word.template.macroenabledtemplate.main+xml":                     "docm",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml":         "xlsx",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.template.main+xml":      "xltx",
	"application/vnd.ms-excel.sheet.macroenabled.main+xml":                               "xlsm",
	"application/vnd.ms-excel.template.macroenabled.main+xml":                            "xlsm",
	"application/vnd.ms-excel.addin.macroenabled.main+xml":                               "xlsm",
	"application/vnd.ms-excel.sheet.binary.macroenabled.main":                            "xlsb",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml": "pptx",
	"application/vnd.openxmlformats-officedocument.presentationml.slideshow.main+xml":    "ppsx",
	"application/vnd.openxmlformats-officedocument.presentationml.template.main+xml":     "potx",
	"application/vnd.ms-powerpoint.presentation.macroenabled.main+xml":                   "pptm",
	"application/vnd.ms-powerpoint.slideshow.macroenabled.main+xml":                      "pptm",
	"application/vnd.ms-powerpoint.template.macroenabled.main+xml":                       "pptm",
	"application/vnd.ms-powerpoint.addin.macroenabled.main+xml":                          "pptm",
}

// ooxmlScan is one Office Open XML package under inspection.
type ooxmlScan struct {
	*report
	a     *zipArchive
	types map[string]string // by "/part/name" in lower case, or by extension
	main  string            // the part whose type says what the document is, in lower case

	binary  bool // a binary workbook
	drawing bool // the XML part read last is an SVG drawing
}

func (s *scan) ooxml(a *zipArchive) {
	o := &ooxmlScan{report: s.report, a: a, types: map[string]string{}}
	if err := o.contentTypes(); err != nil {
		s.checkNameOfContainer()
		s.add("ooxml.malformed", "[Content_Types].xml", err.Error())
		return
	}
	format := o.family()
	if format == "" {
		s.setFormat("zip")
		s.add("format.unknown", "[Content_Types].xml", "")
		return
	}
	s.setFormat(format)
	switch format {
	case "docm", "xlsm", "pptm":
		s.add("ooxml.macro", "[Content_Types].xml", format)
	case "xlsb":
		s.add("ooxml.binary-workbook", "", "")
		o.binary = true
	}
	for _, f := range a.files {
		if isDir(f) || f.Name == "[Content_Types].xml" {
			continue
		}
		if err := o.part(f); err != nil {
			o.broken(f.Name, err)
			if errors.Is(err, errBomb) {
				return
			}
		}
	}
}

func (o *ooxmlScan) broken(name string, err error) {
	switch {
	case errors.Is(err, errBomb):
		o.add("zip.bomb", name, "")
	case errors.Is(err, errDoctype):
		o.add("xml.dtd", name, err.Error())
	default:
		o.add("ooxml.malformed", name, err.Error())
	}
}

// contentTypes reads [Content_Types].xml (ISO/IEC 29500-2 §7.2.3).
func (o *ooxmlScan) contentTypes() error {
	rc, err := o.a.open(o.a.byName["[Content_Types].xml"])
	if err != nil {
		return err
	}
	defer rc.Close()
	return walkXML(rc, xmlVisitor{start: func(e xml.StartElement, _ int) {
		kind, _ := attr(e, "ContentType")
		if name, ok := attr(e, "PartName"); ok && e.Name.Local == "Override" {
			o.declare(name, kind)
		} else if ext, ok := attr(e, "Extension"); ok && e.Name.Local == "Default" {
			o.declare(ext, kind)
		}
	}})
}

// declare sets the type of a part or an extension. Of two, each program takes
// another one.
func (o *ooxmlScan) declare(name, kind string) {
	name, kind = strings.ToLower(name), strings.ToLower(kind)
	if other, ok := o.types[name]; ok && other != kind {
		o.add("ooxml.malformed", "[Content_Types].xml", "two types of "+name)
	}
	o.types[name] = kind
}

func (o *ooxmlScan) contentType(name string) string {
	if t, ok := o.types["/"+strings.ToLower(name)]; ok {
		return t
	}
	return o.types[strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))]
}

// family is the format that the main part's content type says, "" if none or
// more than one does. Only parts that exist count.
func (o *ooxmlScan) family() string {
	found := ""
	for _, f := range o.a.files {
		format := ooxmlFamilies[o.contentType(f.Name)]
		if format != "" && found != "" {
			return ""
		}
		if format != "" {
			found, o.main = format, strings.ToLower(f.Name)
		}
	}
	return found
}

// partRules judges parts by what their content type contains; the first that
// fits decides. "" is inert by itself, though its XML is still read.
var partRules = []struct{ contains, rule string }{
	{"vbaproject", "ooxml.macro"}, {"vbadata", "ooxml.macro"}, {"macrosheet", "sheet.macrosheet"}, {"dialogsheet", "sheet.macrosheet"},
	{"attachedtoolbars", "ooxml.macro"}, {"keymapcustomizations", "ooxml.macro"}, {"activex", "ooxml.activex"}, {"controlproperties", "ooxml.activex"},
	{"oleobject", "ooxml.embedded"}, {"officedocument.package", "ooxml.embedded"}, {"externallink", "ooxml.external"},
	{"connections", "ooxml.data"}, {"querytable", "ooxml.data"}, {"recipientdata", "ooxml.data"}, {"mailmerge", "ooxml.data"}, {"volatiledependencies", "formula.volatile"},
	{"webextension", "ooxml.extension"}, {"customui", "ooxml.extension"}, {"model3d", "ooxml.media"}, {"model/", "ooxml.media"},
	{"audio/", "ooxml.media"}, {"video/", "ooxml.media"}, {"pythonscript", "ooxml.macro"},
}

// part inspects one part.
func (o *ooxmlScan) part(f *zip.File) error {
	kind := o.contentType(f.Name)
	o.partType(f.Name, kind)
	part, err := o.a.peek(f)
	if err != nil {
		return err
	}
	defer part.Close()
	head, whole := part.head, part.whole
	if o.foreign(f.Name, head, whole) {
		return nil
	}
	switch {
	case strings.HasSuffix(strings.ToLower(f.Name), ".rels"):
		return o.relationships(f.Name, whole)
	case strings.HasSuffix(kind, "+xml"), strings.HasSuffix(kind, "/xml"), strings.HasSuffix(strings.ToLower(f.Name), ".xml"), strings.HasSuffix(strings.ToLower(f.Name), ".vml"):
		if err := o.xmlPart(f.Name, whole); err != nil || !o.drawing {
			return err
		}
		return newPacked(o.report, f).drawing(o.a)
	case o.binary && binaryType(kind):
		return o.binaryPart(f.Name, whole)
	}
	newPacked(o.report, f).picture(head, whole, kind)
	// The rest is inert data, read to the end for its checksum and the limits.
	_, err = io.Copy(io.Discard, whole)
	return err
}

// partType judges the declared type of a part.
func (o *ooxmlScan) partType(name, kind string) {
	lower := strings.ToLower(name)
	for _, r := range partRules {
		if strings.Contains(kind, r.contains) {
			o.add(r.rule, name, kind)
			return
		}
	}
	switch {
	case fontType(kind):
		o.add("font.embedded", name, kind)
	case strings.Contains(lower, "vbaproject") && !strings.HasPrefix(kind, "image/"): // a picture may have any name
		o.add("ooxml.macro", name, kind)
	case strings.Contains(lower, "/embeddings/"):
		o.add("ooxml.embedded", name, kind)
	case strings.Contains(lower, "/activex/"), strings.Contains(lower, "/ctrlprops/"):
		o.add("ooxml.activex", name, kind)
	case strings.Contains(lower, "/macrosheets/"):
		o.add("sheet.macrosheet", name, kind)
	case inertType(kind), strings.HasSuffix(lower, ".rels"), o.binary && binaryType(kind):
	default:
		o.add("ooxml.part", name, kind)
	}
}

// inertType knows the content types that are only data. Anything not known is
// refused.
func inertType(kind string) bool {
	switch kind {
	case "application/xml", "text/xml", "application/vnd.openxmlformats-officedocument.vmldrawing",
		"image/png", "image/jpeg", "image/jpg", "image/gif", "image/tiff", "image/bmp", "image/x-emf", "image/x-wmf", "image/emf", "image/wmf",
		"image/svg+xml", "image/vnd.ms-photo", "image/pict", "image/x-pict",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.printersettings",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.printersettings",
		"application/vnd.openxmlformats-officedocument.presentationml.printersettings",
		"application/vnd.openxmlformats-package.digital-signature-origin":
		return true
	}
	return strings.HasSuffix(kind, "+xml") &&
		(strings.HasPrefix(kind, "application/vnd.openxmlformats-") || strings.HasPrefix(kind, "application/vnd.ms-"))
}

// fontType knows fonts that a document brings along: most programs do not use
// them and show other letters.
func fontType(kind string) bool {
	return kind == "application/vnd.openxmlformats-officedocument.obfuscatedfont" || kind == "application/x-fontdata" || kind == "application/x-font-ttf"
}

// foreign recognises whole files of other formats inside the package, whatever
// they are called: a compound file is a macro project or an embedded object.
func (o *ooxmlScan) foreign(name string, head []byte, r io.Reader) bool {
	switch {
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		o.compound(name, r)
		return true
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("%PDF-")), bytes.HasPrefix(head, []byte("{\\rt")),
		bytes.HasPrefix(head, []byte("MZ")), bytes.HasPrefix(head, []byte("\x7fELF")), bytes.HasPrefix(head, []byte("Rar!")):
		o.add("zip.nested", name, string(head[:4]))
		return true
	}
	return false
}

// compound judges a compound file in the package: one with a Visual Basic
// project is named by its modules, any other is an object of another program.
func (o *ooxmlScan) compound(name string, r io.Reader) {
	data, err := io.ReadAll(io.LimitReader(r, maxVBAProject+1))
	var notes []vbaNote
	macros := err != nil
	if err == nil && len(data) <= maxVBAProject {
		notes, macros = vbaProject(data)
	}
	for _, n := range notes {
		o.add("ooxml.macro", name+" "+n.where, n.quote)
	}
	if len(notes) > 0 {
		return
	}
	if !macros { // a storage that is not reached by the directory's tree, or a file too long
		macros, err = containsAny(io.MultiReader(bytes.NewReader(data), r), utf16le("_VBA_PROJECT"), utf16le("PROJECTwm"))
		macros = macros || err != nil
	}
	if macros {
		o.add("ooxml.macro", name, "")
	} else {
		o.add("ooxml.embedded", name, "")
	}
}

func utf16le(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return b
}

// containsAny searches a stream for any of a few short byte strings.
func containsAny(r io.Reader, words ...[]byte) (bool, error) {
	const overlap = 64
	buf := make([]byte, 256<<10)
	kept := 0
	for {
		n, err := io.ReadFull(r, buf[kept:])
		b := buf[:kept+n]
		for _, w := range words {
			if bytes.Contains(b, w) {
				return true, nil
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		kept = copy(buf, b[max(0, len(b)-overlap):])
	}
}

// xmlPart reads a part of the document proper. Which vocabulary it is in is
// told by its elements, not by its name or declared type.
func (o *ooxmlScan) xmlPart(name string, r io.Reader) error {
	w := &wordScan{report: o.report, where: name}
	memo := &xmlMemo{}
	x := &sheetScan{report: o.report, where: name, memo: memo}
	p := &slideScan{report: o.report, where: name}
	a := &alternates{report: o.report, where: name, memo: memo}
	c := &collector{report: o.report, where: name}
	space, office := "", false // of the last element: most have the same
	err := walkXML(r, xmlVisitor{
		memo: memo,
		start: func(e xml.StartElement, depth int) {
			memo.next = xmlSilent // unless one of those that follow heeds it
			if e.Name.Space != space {
				space, office = e.Name.Space, officeNamespace(e.Name.Space)
			}
			if depth == 1 {
				o.drawing = isSVG(e.Name)
			}
			c.child(e.Name)
			if !office {
				return // somebody's own data, which no program shows by itself
			}
			told := a.start(e)
			if depth == 1 {
				p.master = strings.HasSuffix(e.Name.Local, "Master") || e.Name.Local == "sldLayout"
				p.notes = e.Name.Local == "notes"
			}
			told = w.start(e) || told
			told = x.start(e) || told
			told = p.start(e) || told
			if told = c.start(e.Name) || told; told {
				memo.next = xmlTold
			}
			memo.all = len(a.open) > 0 || len(c.open) > 0
		},
		text: func(b []byte) {
			c.take(b)
			a.text(b)
			p.text(b)
			if bytes.IndexByte(b, 0xe2) >= 0 { // direction overrides begin with E2 80 or E2 81
				for _, c := range string(b) {
					if characterRule(c) == "text.bidi" {
						o.add("text.bidi", name, fmt.Sprintf("U+%04X %s", c, b[:min(len(b), maxQuote)]))
						break
					}
				}
			}
		},
		end: func(n xml.Name, _ int) {
			if text, ok := c.end(n); ok {
				w.text(n.Local, text)
				x.text(n.Local, text)
			}
			a.end(n)
			memo.all = len(a.open) > 0 || len(c.open) > 0
		},
	})
	if err == nil {
		err = w.finish()
	}
	return err
}

// officeNamespace: transitional, strict and Microsoft's own vocabularies.
func officeNamespace(ns string) bool {
	return strings.HasPrefix(ns, "http://schemas.openxmlformats.org/") || strings.HasPrefix(ns, "http://purl.oclc.org/ooxml/") ||
		strings.HasPrefix(ns, "http://schemas.microsoft.com/") || strings.HasPrefix(ns, "urn:schemas-microsoft-com:")
}
