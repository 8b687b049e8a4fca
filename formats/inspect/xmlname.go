package inspect

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

// xmlName is a name as it is written in elements and attributes, with what it
// means in the scope where it was last met.
type xmlName struct {
	raw           string
	prefix, local string
	name          xml.Name // resolved
	scope         int
	element       int  // the last with an attribute of that name
	met           bool // a tag of that name was read with care
	shapes        []*xmlShape
}

const maxXMLNames = 4096 // remembered, and those of one element; a document has hundreds

// newXMLName checks a name (XML 1.0 §2.3, Namespaces in XML §4).
func newXMLName(raw string) (*xmlName, error) {
	if c := raw[0]; c == '-' || c == '.' || c >= '0' && c <= '9' || strings.Count(raw, ":") > 1 {
		return nil, fmt.Errorf("%q is no name", raw)
	}
	if strings.IndexFunc(raw, func(c rune) bool { return c >= utf8.RuneSelf }) >= 0 {
		if _, err := xml.NewDecoder(strings.NewReader("<" + raw + "/>")).RawToken(); err != nil {
			return nil, fmt.Errorf("%q is no name", raw)
		}
	}
	n := &xmlName{raw: raw, local: raw}
	if prefix, local, ok := strings.Cut(raw, ":"); ok && prefix != "" && local != "" {
		n.prefix, n.local = prefix, local
	}
	return n, nil
}

// resolve is what a name means where the walk is. An undeclared prefix stands
// for itself.
func (w *xmlWalk) resolve(n *xmlName) xml.Name {
	if n.scope == w.scope {
		return n.name
	}
	space := n.prefix
	for i := len(w.spaces) - 1; i >= 0; i-- {
		if uri, ok := w.spaces[i][n.prefix]; ok {
			space = uri
			break
		}
	}
	n.scope, n.name = w.scope, xml.Name{Space: space, Local: n.local}
	return n.name
}

// declares reports the prefix that attribute a binds, "" for the default.
func declares(a xml.Attr) (prefix string, ok bool) {
	switch {
	case a.Name.Space == "xmlns":
		return a.Name.Local, true
	case a.Name.Space == "" && a.Name.Local == "xmlns":
		return "", true
	}
	return "", false
}

// attr returns the value of the attribute with that local name, whatever its
// prefix, and whether it is there.
func attr(e xml.StartElement, local string) (string, bool) {
	for _, a := range e.Attr {
		if a.Name.Local == local {
			return a.Value, true
		}
	}
	return "", false
}

// isOn reads the boolean attributes of ISO/IEC 29500-1 §22.9.2.7 (ST_OnOff): a
// missing value means on.
func isOn(value string, present bool) bool {
	if !present {
		return true
	}
	switch strings.ToLower(value) {
	case "0", "false", "off", "none", "no":
		return false
	}
	return true
}
