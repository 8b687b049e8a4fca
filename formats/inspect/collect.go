package inspect

import (
	"bytes"
	"encoding/xml"
	"strings"
)

// collected are the elements whose text is judged as a whole.
var collected = map[string]bool{
	"instrText": true, "delInstrText": true,
	"f": true, "formula": true, "formula1": true, "formula2": true, "definedName": true, "calculatedColumnFormula": true, "totalsRowFormula": true, "FmlaMacro": true, "FmlaTxbx": true, "FmlaPict": true,
	"oddHeader": true, "oddFooter": true, "evenHeader": true, "evenFooter": true, "firstHeader": true, "firstFooter": true,
}

// collector gathers the text of such elements in a part. They have no elements
// within, but for the f of some formulas; a program that reads on behind another
// one would see more than was judged.
type collector struct {
	*report
	where string
	open  []string // collected elements, the outer one first
	text  []byte
}

// start reports whether it heeds elements of that name.
func (c *collector) start(name xml.Name) bool {
	if !collected[name.Local] {
		return false
	}
	c.open, c.text = append(c.open, name.Local), c.text[:0]
	return true
}

// child is called for each element while one is collected.
func (c *collector) child(name xml.Name) {
	n := len(c.open)
	if n == 0 || name.Local == "f" && strings.HasPrefix(c.open[n-1], "formula") && len(bytes.TrimSpace(c.text)) == 0 {
		return
	}
	c.add("ooxml.malformed", c.where, "<"+name.Local+"> within <"+c.open[n-1]+">")
}

func (c *collector) take(b []byte) {
	if len(c.open) > 0 && len(c.text)+len(b) <= maxFieldCode {
		c.text = append(c.text, b...)
	}
}

// end gives the text of an element that was collected.
func (c *collector) end(name xml.Name) (text string, ok bool) {
	n := len(c.open)
	if n == 0 || c.open[n-1] != name.Local {
		return "", false
	}
	text = string(c.text)
	c.open, c.text = c.open[:n-1], c.text[:0]
	return text, true
}
