package inspect

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"strconv"
	"strings"
)

var odfTypes = map[string]string{
	"application/vnd.oasis.opendocument.text": "odt", "application/vnd.oasis.opendocument.text-template": "odt",
	"application/vnd.oasis.opendocument.spreadsheet": "ods", "application/vnd.oasis.opendocument.spreadsheet-template": "ods",
	"application/vnd.oasis.opendocument.presentation": "odp", "application/vnd.oasis.opendocument.presentation-template": "odp",
	"application/vnd.oasis.opendocument.graphics": "odg", "application/vnd.oasis.opendocument.graphics-template": "odg",
}

// odfScan is one OpenDocument package under inspection (ISO/IEC 26300).
type odfScan struct {
	*report
	a       *zipArchive
	masters map[string]bool // page styles that content or other styles use; nil: nobody has asked
	where   string
	anyUsed bool            // they could not be read
	objects map[string]bool // the directories of charts and formulas
	cells   bool            // a spreadsheet, whose cells are written anew when it is opened
	slides  bool            // a presentation or drawing, whose tables grow with what they hold
	drawing bool            // the XML part read last is an SVG drawing
	master  string          // the page style being read
}

func (s *scan) odf(a *zipArchive) {
	format, err := odfFormat(a)
	if err != nil || format == "" {
		s.setFormat("zip")
		s.add("format.container", "mimetype", "")
		return
	}
	s.setFormat(format)
	o := &odfScan{report: s.report, a: a, cells: format == "ods", slides: strings.HasPrefix(format, "odp") || strings.HasPrefix(format, "odg")}
	if a.byName["content.xml"] == nil {
		s.add("odf.malformed", "content.xml", "")
	}
	if err := o.findObjects(); err != nil {
		o.broken("", err)
		return
	}
	for _, f := range a.files {
		if isDir(f) || f.Name == "mimetype" {
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

// odfFormat: the first entry, stored, names the type (ISO/IEC 26300-3 §3.3).
func odfFormat(a *zipArchive) (string, error) {
	f := a.byName["mimetype"]
	if a.files[0] != f || f.Method != zip.Store || f.UncompressedSize64 > 128 {
		return "", nil
	}
	rc, err := a.open(f)
	if err != nil {
		return "", err
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(rc, 128))
	return odfTypes[strings.TrimSpace(string(b))], err
}

func (o *odfScan) broken(name string, err error) {
	switch {
	case errors.Is(err, errBomb):
		o.add("zip.bomb", name, "")
	case errors.Is(err, errDoctype):
		o.add("xml.dtd", name, err.Error())
	default:
		o.add("odf.malformed", name, err.Error())
	}
}

// used reports whether a page style is in use, or may be because that cannot be
// found out. Few documents have a field that hangs on it, so the parts that tell
// are read for it alone.
func (o *odfScan) used(master string) bool {
	if o.masters == nil {
		o.masters = map[string]bool{}
		for _, name := range []string{"content.xml", "styles.xml"} {
			if f := o.a.byName[name]; f != nil && o.each(f, o.collectMasters) != nil {
				o.anyUsed = true
			}
		}
	}
	return o.anyUsed || o.masters[master]
}

// each tells start of every element of a part.
func (o *odfScan) each(f *zip.File, start func(xml.StartElement, int)) error {
	rc, err := o.a.open(f)
	if err != nil {
		return err
	}
	defer rc.Close()
	return walkXML(rc, xmlVisitor{start: start})
}

func (o *odfScan) collectMasters(e xml.StartElement, _ int) {
	if v, ok := attr(e, "master-page-name"); ok {
		o.masters[v] = true
	}
	if v, ok := attr(e, "next-style-name"); ok && e.Name.Local == "master-page" {
		o.masters[v] = true
	}
}

func (o *odfScan) part(f *zip.File) error {
	lower := strings.ToLower(f.Name)
	if dir, rest, ok := strings.Cut(f.Name, "/"); ok && o.objects[dir] {
		lower = strings.ToLower(rest)
	}
	for _, dir := range []string{"basic/", "scripts/", "dialogs/"} {
		if strings.HasPrefix(lower, dir) {
			o.add("odf.macro", f.Name, "")
			return nil
		}
	}
	part, err := o.a.peek(f)
	if err != nil {
		return err
	}
	defer part.Close()
	head, whole := part.head, part.whole
	switch {
	case len(head) == 0 && f.Name != "content.xml" && f.Name != "styles.xml":
		return nil // LibreOffice writes empty configuration files
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		o.add("odf.object", f.Name, "")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("%PDF-")), bytes.HasPrefix(head, []byte("MZ")), bytes.HasPrefix(head, []byte("\x7fELF")):
		o.add("zip.nested", f.Name, "")
	case strings.HasPrefix(lower, "configurations2/"):
		return o.configuration(f.Name, whole)
	case strings.HasSuffix(lower, ".xml"), strings.HasSuffix(lower, ".rdf"):
		if err := o.xmlPart(f.Name, whole); err != nil || !o.drawing {
			return err
		}
		return newPacked(o.report, f).drawing(o.a)
	default:
		newPacked(o.report, f).picture(head, whole, "")
	}
	_, err = io.Copy(io.Discard, whole)
	return err
}

// configuration: menus, keys and toolbars of the document's own may call macros.
func (o *odfScan) configuration(name string, r io.Reader) error {
	found, err := containsAny(r, []byte("script:"), []byte("macro:"), []byte("vnd.sun.star"))
	if found {
		o.add("odf.macro", name, "")
	}
	return err
}

// odfRules are elements that say all by their name.
var odfRules = map[string]string{
	"event-listener": "odf.macro", "script": "odf.macro", "execute-macro": "odf.macro",
	"dde-connection": "field.dde", "dde-connection-decl": "field.dde", "dde-source": "field.dde", "dde-link": "field.dde",
	"object": "odf.object", "object-ole": "odf.object", "plugin": "odf.object", "applet": "odf.object", "floating-frame": "odf.object",
	"section-source": "odf.external", "cell-range-source": "odf.external", "table-source": "odf.external",
	"encryption-data":     "zip.encrypted",
	"database-display":    "field.dynamic",
	"database-next":       "field.dynamic",
	"database-row-select": "field.dynamic", "database-name": "field.dynamic", "database-row-number": "field.dynamic",
	"conditional-text": "field.dynamic", "hidden-text": "field.dynamic", "hidden-paragraph": "field.dynamic", "meta-field": "field.dynamic",
	"expression": "field.dynamic", "user-field-input": "field.dynamic", "text-input": "field.dynamic", "variable-input": "field.dynamic",
	"modification-date": "field.dynamic", "modification-time": "field.dynamic", "print-date": "field.dynamic", "print-time": "field.dynamic", "printed-by": "field.dynamic",
	"template-name": "field.dynamic", "editing-duration": "", "dropdown": "field.layout", "drop-down": "field.layout",
	"page-number": "field.layout", "page-count": "field.layout", "page-continuation": "field.layout", "page-variable-get": "field.layout",
	"paragraph-count": "field.layout", "word-count": "field.layout", "character-count": "field.layout", "table-count": "field.layout", "image-count": "field.layout", "object-count": "field.layout",
	"sequence": "field.layout", "bookmark-ref": "field.layout", "reference-ref": "field.layout", "sequence-ref": "field.layout", "note-ref": "field.layout", "chapter": "field.layout", "sheet-name": "field.layout",
	"table-of-content": "field.layout", "alphabetical-index": "field.layout", "illustration-index": "field.layout", "user-index": "field.layout", "bibliography": "field.layout",
	"variable-set": "field.layout", "variable-get": "field.layout", "user-field-get": "field.layout", "user-defined": "field.layout",
	"cell-content-change": "odf.changes", "movement": "odf.changes", "insertion": "odf.changes", "deletion": "odf.changes",
	"control": "odf.form", "changed-region": "odf.changes", "tracked-changes": "", "annotation": "odf.changes",
	"animate": "slide.animation", "par": "slide.animation", "animations": "slide.animation", "audio": "ooxml.media", "sound": "ooxml.media",
	"database-source-table": "odf.external", "database-source-sql": "odf.external", "database-source-query": "odf.external", "source-service": "odf.external",
	"font-face-uri": "font.embedded",
	"scenario":      "odf.hidden",       // other values for the same cells
	"command":       "odf.macro",        // to a program or an object, from an animation
	"date-is":       "formula.volatile", // a format that compares with the day it is looked at
}

// odfFields are fields that are fixed only if they say so (text:fixed).
var odfFields = map[string]bool{
	"date": true, "time": true, "file-name": true, "author-name": true, "author-initials": true, "creation-date": false,
	"sender-firstname": true, "sender-lastname": true, "sender-initials": true, "sender-title": true, "sender-position": true,
	"sender-email": true, "sender-phone-private": true, "sender-fax": true, "sender-company": true, "sender-phone-work": true,
	"sender-street": true, "sender-city": true, "sender-postal-code": true, "sender-country": true, "sender-state-or-province": true,
}

func (o *odfScan) xmlPart(name string, r io.Reader) error {
	o.where, o.master = name, ""
	meta := name == "meta.xml" || strings.HasPrefix(name, "META-INF/")
	memo := &xmlMemo{}
	notes, last := false, "" // within the speaker's notes, where all is told; the element that began last
	return walkXML(r, xmlVisitor{
		memo: memo,
		start: func(e xml.StartElement, depth int) {
			memo.next = xmlSilent
			if depth == 1 {
				o.drawing = isSVG(e.Name)
			}
			if strings.HasSuffix(e.Name.Space, ":meta:1.0") {
				o.reload(e)
				memo.next = xmlTold
			}
			if strings.Contains(e.Name.Space, ":meta:") || strings.HasPrefix(e.Name.Space, "http://purl.org/dc/") {
				return
			}
			switch last = e.Name.Local; last {
			case "master-page":
				o.master, _ = attr(e, "name")
				memo.next = xmlTold
			case "notes": // of a slide; those of a page style are only their frame
				notes = o.master == "" && strings.HasSuffix(e.Name.Space, ":presentation:1.0")
				memo.all, memo.next = notes, xmlTold
			case "date-style":
				o.dateStyle(e)
				memo.next = xmlTold
			}
			if (!meta || e.Name.Local == "encryption-data") && o.element(e) {
				memo.next = xmlTold
			}
		},
		end: func(n xml.Name, _ int) {
			switch n.Local {
			case "master-page":
				o.master = ""
			case "notes":
				notes, memo.all = false, false
			}
		},
		text: func(b []byte) {
			if notes && (last == "p" || last == "span") && len(bytes.TrimSpace(b)) > 0 {
				notes, memo.all = false, false // once is enough
				o.add("odf.hidden", name, "<notes> "+string(b))
			}
			if bytes.IndexByte(b, 0xe2) < 0 { // direction overrides begin with E2 80 or E2 81
				return
			}
			for _, c := range string(b) {
				if characterRule(c) == "text.bidi" {
					o.add("text.bidi", name, string(b))
					return
				}
			}
		},
	})
}

// element reports whether it heeds elements of that name with attributes of these
// names, which hangs on nothing else.
func (o *odfScan) element(e xml.StartElement) (heeded bool) {
	local := e.Name.Local
	if odfFields[local] && strings.HasSuffix(e.Name.Space, ":text:1.0") {
		heeded = true
		if v, ok := attr(e, "fixed"); !ok || !isOn(v, true) {
			o.field(local)
		}
	}
	rule := odfRules[local]
	switch {
	case local == "date-time-decl":
		heeded = true
		if v, _ := attr(e, "source"); v != "fixed" {
			o.field("date-time " + v)
		}
	case rule == "field.dynamic":
		heeded = true
		if v, ok := attr(e, "fixed"); !ok || !isOn(v, true) {
			o.field(local)
		}
	case rule == "odf.object" && o.objects[o.inside(e)]:
		heeded = true
		o.add("ooxml.alternate.part", o.where, "<"+local+">")
	case rule != "" && !strings.Contains(e.Name.Space, ":manifest:") || rule == "zip.encrypted":
		heeded = true
		o.add(rule, o.where, "<"+local+">")
	}
	for _, a := range e.Attr {
		heeded = o.attribute(e, a) || heeded
	}
	return heeded
}

// field is a dynamic field; in a page style that no page uses it shows nothing.
func (o *odfScan) field(quote string) {
	if o.master != "" && o.master != "Standard" && o.master != "Default" && !o.used(o.master) {
		o.add("odf.field.unused", o.where, quote)
		return
	}
	o.add("field.dynamic", o.where, quote)
}

// attribute reports whether it heeds attributes of that name in elements of that
// name.
func (o *odfScan) attribute(e xml.StartElement, a xml.Attr) bool {
	switch a.Name.Local {
	case "formula", "condition":
		if e.Name.Local == "equation" || // of the outline of a shape, from numbers of its own
			e.Name.Local == "sequence" || strings.HasSuffix(e.Name.Space, ":text:1.0") && a.Name.Local == "condition" {
			return false
		}
		judge := conditionRule
		if a.Name.Local == "formula" {
			judge = formulaRule
		}
		rule := judge(odfFormula(a.Value))
		if strings.HasPrefix(a.Value, "ooow:") && strings.Contains(strings.ToLower(a.Value), "user_") {
			rule = "field.dynamic" // the name, the address … of the reader
		}
		if a.Name.Local == "formula" || rule != "formula" {
			o.add(rule, o.where, a.Value)
		}
	case "expression", "value": // of a name; of a condition or threshold that LibreOffice wrote
		if e.Name.Local != "named-expression" && !strings.HasSuffix(e.Name.Space, ":calc:xmlns:calcext:1.0") {
			return false
		}
		judge := conditionRule
		if e.Name.Local == "named-expression" {
			judge = formulaRule
		}
		if rule := judge(odfFormula(a.Value)); rule != "formula" {
			o.add(rule, o.where, a.Value)
		}
	case "href":
		o.href(e, a.Value)
	case "display":
		if strings.HasPrefix(e.Name.Local, "header") || strings.HasPrefix(e.Name.Local, "footer") {
			return false // a variant for other pages that is switched off
		}
		switch a.Value {
		case "condition": // which may ask who the reader is
			o.field("<" + e.Name.Local + " display=condition>")
		case "none", "false", "screen", "printer": // the last two of a layer
			o.add("odf.hidden", o.where, "<"+e.Name.Local+" display="+a.Value+">")
		}
	case "print-content", "print":
		if a.Value == "false" && (a.Name.Local == "print-content" || e.Name.Local == "table") {
			o.add("odf.hidden", o.where, "<"+e.Name.Local+" "+a.Name.Local+"=false>") // on the screen only
		}
	case "column-width", "row-height":
		if strings.HasPrefix(e.Name.Local, "table-") && !o.slides && noLength(a.Value) {
			o.add("odf.hidden", o.where, a.Name.Local+"="+a.Value)
		}
	case "visibility":
		if a.Value == "collapse" || a.Value == "hidden" || a.Value == "filter" {
			o.add("odf.hidden", o.where, "<"+e.Name.Local+" visibility="+a.Value+">")
		}
	default:
		return false
	}
	return true
}

// reload judges what the description of the document says that is no description:
// another document to be shown in its place after a while (§4.3.2.8), and the
// template that its styles are brought up to date from (§4.3.2.7).
func (o *odfScan) reload(e xml.StartElement) {
	target, _ := attr(e, "href")
	switch {
	case e.Name.Local == "auto-reload":
		o.add("odf.external", o.where, "<auto-reload> "+target)
	case e.Name.Local == "template" && target != "":
		o.add("odf.template", o.where, target)
	}
}

// dateStyle finds dates in cells that every program shows in the order of the country that
// it is set to (§16.29.4, number:automatic-order).
func (o *odfScan) dateStyle(e xml.StartElement) {
	_, fixed := attr(e, "language")
	if v, ok := attr(e, "automatic-order"); o.cells && ok && isOn(v, true) && !fixed {
		o.add("sheet.locale", o.where, "automatic-order")
	}
}

// noLength reports a length of less than half a pixel, of which nothing is seen.
func noLength(s string) bool {
	s = strings.TrimSpace(s)
	n := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz%")
	size, err := strconv.ParseFloat(n, 64)
	if per, ok := map[string]float64{"cm": 10, "mm": 1, "in": 25.4, "pt": 25.4 / 72, "pc": 25.4 / 6, "px": 25.4 / 96}[s[len(n):]]; ok {
		size *= per
	}
	return err == nil && size < 0.13
}

// odfFormula makes the references of OpenFormula ([.A1], [$Sheet.A1]) look like
// names, so that only references to other documents keep their brackets.
func odfFormula(f string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(f, "[")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		inside, after, _ := strings.Cut(rest, "]")
		if strings.Contains(inside, "#") || strings.Contains(inside, "://") {
			b.WriteString("[" + inside + "]!")
		}
		f = after
	}
}

// href of a text or drawing link waits for the reader; of anything else it is
// part of the document and must lie in the package.
func (o *odfScan) href(e xml.StartElement, target string) {
	if target == "" || strings.HasPrefix(target, "#") {
		return
	}
	scheme := urlScheme(target)
	if scheme == "vnd.sun.star.script" || scheme == "macro" || isCodeScheme(scheme) {
		o.add("odf.macro", o.where, target)
		return
	}
	if e.Name.Local == "a" {
		o.add(linkRule(target), o.where, target)
		return
	}
	if dir := path.Dir(o.where); target == ".." && e.Name.Local == "chart" && o.objects[dir] {
		return // the table that it is in
	}
	if scheme != "" || strings.HasPrefix(target, "/") || strings.HasPrefix(target, "../") || strings.HasPrefix(target, "\\") {
		o.add("odf.external", o.where, target)
		return
	}
	inside := o.inside(e)
	if _, ok := o.a.byName[inside]; !ok && o.a.byName[inside+"/"] == nil && o.a.byName[inside+"/content.xml"] == nil {
		o.add("odf.external", o.where, target)
	}
}
