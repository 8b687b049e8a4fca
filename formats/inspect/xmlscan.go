package inspect

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const (
	nsXHTML    = "http://www.w3.org/1999/xhtml"
	nsSVG      = "http://www.w3.org/2000/svg"
	nsXInclude = "http://www.w3.org/2001/XInclude"
	nsXSLT     = "http://www.w3.org/1999/XSL/Transform"
)

// An xmlVisitor is told what a strict pass over an XML stream meets. Nil
// members are skipped. Elements carry resolved name spaces.
type xmlVisitor struct {
	start   func(e xml.StartElement, depth int)
	end     func(name xml.Name, depth int)
	text    func(b []byte)
	pi      func(target string, inst []byte)
	doctype func(directive []byte) // nil: any DOCTYPE is an error
	line    *int                   // kept at the line of the current token
}

var errDoctype = errors.New("document type declaration")

// walkXML reads one well-formed XML document. encoding/xml never expands
// entities that a DTD declares, and RawToken keeps no state, so memory is
// bounded by the largest single token; nesting, attributes and balance are
// checked here.
func walkXML(r io.Reader, v xmlVisitor) error {
	dec, err := newXMLDecoder(r)
	if err != nil {
		return err
	}
	w := xmlWalk{v: v, dec: dec}
	for {
		t, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if v.line != nil {
			*v.line, _ = dec.InputPos()
		}
		if err := w.token(t); err != nil {
			return err
		}
	}
	if len(w.open) != 0 || !w.rooted {
		return errors.New("unexpected end of document")
	}
	return nil
}

// newXMLDecoder handles the byte order mark and the declared encoding.
func newXMLDecoder(r io.Reader) (*xml.Decoder, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	bom, _ := br.Peek(2)
	wide := string(bom) == "\xff\xfe" || string(bom) == "\xfe\xff"
	var src io.Reader = br
	if wide {
		src = transform.NewReader(br, unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder())
	} else if bom, _ := br.Peek(3); string(bom) == "\xef\xbb\xbf" {
		if _, err := br.Discard(3); err != nil {
			return nil, err
		}
	}
	dec := xml.NewDecoder(src)
	dec.Strict = true
	dec.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		switch l := strings.ToLower(label); {
		case wide && strings.HasPrefix(l, "utf-16"):
			return in, nil
		case wide:
			return nil, fmt.Errorf("encoding %q contradicts the byte order mark", label)
		case l == "utf-8", l == "us-ascii", l == "ascii", strings.HasPrefix(l, "iso-8859-"), strings.HasPrefix(l, "windows-125"):
			return charset.NewReaderLabel(l, in)
		}
		return nil, fmt.Errorf("encoding %q", label)
	}
	return dec, nil
}

type xmlElement struct {
	raw  xml.Name // as written: prefix and local name
	name xml.Name // resolved
	ns   map[string]string
}

type xmlWalk struct {
	v      xmlVisitor
	dec    *xml.Decoder
	open   []xmlElement
	rooted bool
}

func (w *xmlWalk) token(t xml.Token) error {
	switch t := t.(type) {
	case xml.StartElement:
		return w.startElement(t)
	case xml.EndElement:
		return w.endElement(t)
	case xml.CharData:
		if len(w.open) == 0 && len(bytes.TrimSpace(t)) != 0 {
			return errors.New("text outside the root element")
		}
		if w.v.text != nil && len(w.open) > 0 {
			w.v.text(t)
		}
	case xml.ProcInst:
		if w.v.pi != nil && t.Target != "xml" {
			w.v.pi(t.Target, t.Inst)
		}
	case xml.Directive:
		if w.v.doctype == nil {
			return errDoctype
		}
		w.v.doctype(t)
	}
	return nil
}

func (w *xmlWalk) startElement(t xml.StartElement) error {
	switch {
	case len(w.open) == 0 && w.rooted:
		return errors.New("a second root element")
	case len(w.open) >= maxXMLDepth:
		return errors.New("elements nested too deep")
	case len(t.Attr) > maxXMLAttributes:
		return errors.New("too many attributes")
	}
	w.rooted = true
	e := xmlElement{raw: t.Name}
	seen := make(map[xml.Name]bool, len(t.Attr))
	for _, a := range t.Attr {
		if seen[a.Name] {
			return fmt.Errorf("attribute %s twice", a.Name.Local)
		}
		seen[a.Name] = true
		prefix, ok := declares(a)
		if !ok {
			continue
		}
		if e.ns == nil {
			e.ns = map[string]string{}
		}
		e.ns[prefix] = a.Value
	}
	w.open = append(w.open, e)
	resolved := xml.StartElement{Name: xml.Name{Space: w.resolve(t.Name.Space), Local: t.Name.Local}, Attr: t.Attr}
	for i, a := range resolved.Attr {
		if a.Name.Space != "" && a.Name.Space != "xmlns" {
			resolved.Attr[i].Name.Space = w.resolve(a.Name.Space)
		}
	}
	w.open[len(w.open)-1].name = resolved.Name
	if w.v.start != nil {
		w.v.start(resolved, len(w.open))
	}
	return nil
}

func (w *xmlWalk) endElement(t xml.EndElement) error {
	n := len(w.open)
	if n == 0 || w.open[n-1].raw != t.Name {
		return fmt.Errorf("end of %s where another element is open", t.Name.Local)
	}
	name := w.open[n-1].name
	w.open = w.open[:n-1]
	if w.v.end != nil {
		w.v.end(name, n)
	}
	return nil
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

func (w *xmlWalk) resolve(prefix string) string {
	for i := len(w.open) - 1; i >= 0; i-- {
		if uri, ok := w.open[i].ns[prefix]; ok {
			return uri
		}
	}
	return prefix
}

// xmlRoot returns the root element's name, resolved.
func xmlRoot(r io.Reader) (xml.Name, error) {
	dec, err := newXMLDecoder(r)
	if err != nil {
		return xml.Name{}, err
	}
	w := xmlWalk{dec: dec}
	var root xml.Name
	w.v.start = func(e xml.StartElement, _ int) { root = e.Name }
	w.v.doctype = func([]byte) {}
	for !w.rooted {
		t, err := dec.RawToken()
		if err != nil {
			return root, err
		}
		if err := w.token(t); err != nil {
			return root, err
		}
	}
	return root, nil
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
