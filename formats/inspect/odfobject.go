package inspect

import (
	"archive/zip"
	"encoding/xml"
	"path"
	"strings"
)

// Charts and formulas are parts of the package in directories of their own, with
// a picture beside each for the programs that do not know them. They are read like
// the rest of the document, and what is in them is judged like that.

// findObjects remembers the directories of charts and formulas. Of other objects
// each is a document by itself.
func (o *odfScan) findObjects() error {
	o.objects = map[string]bool{}
	for _, f := range o.a.files {
		dir := path.Dir(f.Name)
		if path.Base(f.Name) != "content.xml" || dir == "." || strings.Contains(dir, "/") {
			continue
		}
		known, err := o.isChart(f)
		if err != nil {
			return err
		}
		if o.objects[dir] = known; !known && strings.HasPrefix(strings.ToLower(dir), "object ") { // by any name once something shows it
			o.add("odf.object", f.Name, "")
		}
	}
	return nil
}

// isChart tells a chart by what the body of it holds (§3.9) and a formula by its
// root element, which is that of MathML.
func (o *odfScan) isChart(f *zip.File) (bool, error) {
	chart, other := false, false
	body := 0
	err := o.each(f, func(e xml.StartElement, depth int) {
		switch {
		case depth == 1:
			chart = e.Name.Local == "math" && e.Name.Space == nsMathML
		case e.Name.Local == "body" && e.Name.Space == nsFlatODF:
			body = depth
		case body > 0 && depth == body+1:
			is := e.Name.Local == "chart" && e.Name.Space == nsFlatODF
			chart, other = chart || is, other || !is
		}
	})
	return chart && !other, err
}

// inside is the part or directory that a reference means: those in an object begin
// at the object.
func (o *odfScan) inside(e xml.StartElement) string {
	target, _ := attr(e, "href")
	target = strings.TrimSuffix(strings.TrimPrefix(target, "./"), "/")
	if dir := path.Dir(o.where); o.objects[dir] {
		return dir + "/" + target
	}
	return target
}
