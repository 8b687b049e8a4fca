package inspect

import (
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
	nsXHTML     = "http://www.w3.org/1999/xhtml"
	nsMathML    = "http://www.w3.org/1998/Math/MathML"
	nsSVG       = "http://www.w3.org/2000/svg"
	nsXInclude  = "http://www.w3.org/2001/XInclude"
	nsXSLT      = "http://www.w3.org/1999/XSL/Transform"
	nsXMLEvents = "http://www.w3.org/2001/xml-events" // XML Events §2
	nsXDP       = "http://ns.adobe.com/xdp/"          // a form with its scripts, which Acrobat opens
	nsXFA       = "http://www.xfa.org/schema/"        // and its parts
)

// An xmlVisitor is told what a strict pass over an XML stream meets. Nil
// members are skipped. Elements carry resolved name spaces. Text and the list of
// attributes are good until the visitor returns.
type xmlVisitor struct {
	start   func(e xml.StartElement, depth int)
	end     func(name xml.Name, depth int)
	text    func(b []byte)
	pi      func(target string, inst []byte)
	doctype func(directive []byte) // nil: any DOCTYPE is an error
	line    *int                   // kept at the line of the current token
	memo    *xmlMemo               // nil: all is told
}

// xmlMemo is what a visitor and the walk agree on. Most elements of a document
// say nothing to a visitor, which it sees by their names and those of their
// attributes. So start says in next what is to become of the later elements that
// have the same ones, in the same name spaces; it may be asked more than once. Of
// a silent element neither start nor end is told, and of its own text only what
// has references or characters beyond ASCII.
type xmlMemo struct {
	next xmlNext
	note []byte // value of the attribute r of the last element that was noted
	tags int    // start-tags and end-tags read so far
	all  bool   // while it is set all elements are told of
}

type xmlNext uint8

const (
	xmlTold   xmlNext = iota // to start and end
	xmlNoted                 // silent, but for its attribute r
	xmlSilent                // not told
)

var errDoctype = errors.New("document type declaration")

// walkXML reads one well-formed XML document. No entity that a DTD declares is
// known, so memory is bounded by the largest single token (maxXMLToken); nesting,
// attributes and balance are checked here.
func walkXML(r io.Reader, v xmlVisitor) error {
	w, err := newXMLWalk(r, v)
	defer w.release()
	for more := true; more && err == nil; {
		more, err = w.token()
	}
	if err == nil && (len(w.open) != 0 || !w.rooted) {
		err = w.r.fail(errXMLEnd)
	}
	return err
}

// xmlRoot returns the root element's name, resolved.
func xmlRoot(r io.Reader) (xml.Name, error) {
	var root xml.Name
	w, err := newXMLWalk(r, xmlVisitor{
		start:   func(e xml.StartElement, _ int) { root = e.Name },
		doctype: func([]byte) {},
	})
	defer w.release()
	for more := true; more && err == nil && !w.rooted; {
		more, err = w.token()
	}
	if err == nil && !w.rooted {
		err = io.EOF
	}
	return root, err
}

type xmlWalk struct {
	r     *xmlReader
	v     xmlVisitor
	wide  bool // the stream was UTF-16
	begun bool // a token was read

	open   []xmlElement
	rooted bool

	names  map[string]*xmlName // by how they are written
	recent [256]*xmlName       // some of them, by a hash
	spaces []map[string]string // what the open elements that declare name spaces declare
	scope  int                 // which set of declarations is in force
	scopes int                 // how many there have been

	memo    *xmlMemo
	element int // how many have begun
	attrs   []xml.Attr
	written []xmlAttribute           // attrs as they are in the buffer
	spans   [maxShapedValues]xmlSpan // the same of a tag of a known shape
	values  strings.Builder          // of attributes: one allocation for many
}

// xmlElement is one that is open.
type xmlElement struct {
	name     *xmlName
	scope    int  // that was in force before it
	declares bool // it has a member of spaces
	told     bool // of its start
}

// newXMLWalk handles the byte order mark.
func newXMLWalk(src io.Reader, v xmlVisitor) (*xmlWalk, error) {
	w := &xmlWalk{v: v, r: newXMLReader(src), names: map[string]*xmlName{}, scope: 1, scopes: 1, memo: v.memo}
	if w.memo == nil {
		w.memo = &xmlMemo{}
	}
	for w.r.end < 3 && w.r.err == nil {
		w.r.more(0)
	}
	switch head := string(w.r.buf[:min(w.r.end, 3)]); {
	case strings.HasPrefix(head, "\xff\xfe"), strings.HasPrefix(head, "\xfe\xff"):
		w.wide = true
		w.recode(unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder())
	case head == "\xef\xbb\xbf":
		w.r.pos = 3
	}
	return w, nil
}

// release ends the walk.
func (w *xmlWalk) release() { w.r.release() }

// recode has the rest of the stream read through a decoder.
func (w *xmlWalk) recode(d transform.Transformer) {
	rest := w.r
	w.r = newXMLReader(transform.NewReader(rest, d))
	w.r.line = rest.lineAt()
}

// declared handles the encoding that the XML declaration names.
func (w *xmlWalk) declared(label string) error {
	switch l := strings.ToLower(label); {
	case label == "", w.wide && strings.HasPrefix(l, "utf-16"):
		return nil
	case w.wide:
		return fmt.Errorf("encoding %q contradicts the byte order mark", label)
	case l == "us-ascii", l == "ascii", strings.HasPrefix(l, "iso-8859-"), strings.HasPrefix(l, "windows-125"):
		e, _ := charset.Lookup(l)
		if e == nil {
			return fmt.Errorf("encoding %q", label)
		}
		w.recode(e.NewDecoder())
		return nil
	}
	return fmt.Errorf("encoding %q", label)
}

// token reads one and tells the visitor; more is false at the end of the stream.
func (w *xmlWalk) token() (more bool, err error) {
	r := w.r
	if r.pos == r.end {
		if _, ok := r.more(r.pos); !ok {
			if errors.Is(r.err, io.EOF) {
				return false, nil
			}
			return false, r.err
		}
	}
	first := !w.begun
	w.begun = true
	if r.buf[r.pos] != '<' {
		b, plain, err := r.text()
		return true, w.text(b, plain, err)
	}
	var kind byte
	if r.pos+1 < r.end {
		kind = r.buf[r.pos+1]
	} else if kind, err = r.ahead(1); err != nil {
		return false, err
	}
	switch kind {
	case '/':
		r.pos += 2
		return true, w.endElement()
	case '?':
		return true, w.rare(first)
	case '!':
		kind, err = r.ahead(2)
		switch {
		case err != nil:
			return false, err
		case kind == '-':
			r.pos += 3
			return true, r.comment()
		case kind == '[':
			r.pos += 3
			b, err := r.cdata()
			return true, w.text(b, false, err)
		}
		return true, w.rare(first)
	}
	return true, w.startElement()
}

// rare handles instructions and document types.
func (w *xmlWalk) rare(first bool) error {
	if kind, err := w.r.ahead(1); err == nil && kind == '!' && w.v.doctype == nil {
		return errDoctype // whatever it says
	}
	t, encoding, err := w.r.rare()
	if err != nil {
		return err
	}
	w.told()
	switch t := t.(type) {
	case xml.ProcInst:
		switch {
		case t.Target == "xml" && !first:
			return w.r.fail(errors.New("an XML declaration that is not the beginning"))
		case t.Target == "xml":
			return w.declared(encoding)
		case w.v.pi != nil:
			w.v.pi(t.Target, t.Inst)
		}
	case xml.Directive:
		w.v.doctype(t)
	}
	return nil
}

// told keeps the visitor's line.
func (w *xmlWalk) told() {
	if w.v.line != nil {
		*w.v.line = w.r.lineAt()
	}
}

// text is plain if it is ASCII without references.
func (w *xmlWalk) text(b []byte, plain bool, err error) error {
	switch n := len(w.open); {
	case err != nil:
		return err
	case n == 0 && len(bytes.TrimSpace(b)) != 0:
		return w.r.fail(errors.New("text outside the root element"))
	case n == 0, w.v.text == nil, plain && !w.open[n-1].told:
		return nil
	}
	w.told()
	w.v.text(b)
	return nil
}

func (w *xmlWalk) startElement() error {
	switch {
	case len(w.open) == 0 && w.rooted:
		return w.r.fail(errors.New("a second root element"))
	case len(w.open) >= maxXMLDepth:
		return w.r.fail(errors.New("elements nested too deep"))
	}
	if len(w.names) >= maxXMLNames { // not in between: the names of one element are told apart by their place here
		clear(w.names)
		clear(w.recent[:])
	}
	w.rooted = true
	tag, err := w.tag()
	for err == errXMLShort { // as it is, never wrapped
		if err = w.r.refill(); err == nil {
			tag, err = w.tag()
		}
	}
	if err != nil {
		return err
	}
	return w.begin(tag)
}

// begin opens the element of a tag and tells of it, unless it is one of those of
// which nothing is to be told.
func (w *xmlWalk) begin(tag xmlTag) error {
	w.r.pos = tag.end
	w.memo.tags++
	e := xmlElement{name: tag.name, scope: w.scope}
	if s := tag.shape; s != nil && !w.memo.all && s.next != xmlTold && s.scope == w.scope {
		if s.next == xmlNoted {
			w.memo.note = w.memo.note[:0]
			if s.r >= 0 {
				w.memo.note = append(w.memo.note, w.r.buf[w.spans[s.r].from:w.spans[s.r].to]...)
			}
		}
	} else if err := w.tell(tag, &e); err != nil {
		return err
	}
	w.open = append(w.open, e)
	if tag.empty {
		w.close()
	}
	return nil
}

// tell tells the visitor of the element e, which is not in w.open yet.
func (w *xmlWalk) tell(tag xmlTag, e *xmlElement) error {
	if tag.shape != nil {
		w.unshaped(tag.shape)
	}
	if err := w.attributes(e); err != nil {
		return err
	}
	if e.told = true; w.v.start == nil {
		return nil
	}
	name := w.resolve(tag.name)
	for i, a := range w.written {
		switch a.name.prefix {
		case "", "xmlns":
			w.attrs[i].Name = xml.Name{Space: a.name.prefix, Local: a.name.local}
		default:
			w.attrs[i].Name = w.resolve(a.name)
		}
	}
	w.told()
	w.memo.next = xmlTold
	w.v.start(xml.StartElement{Name: name, Attr: w.attrs}, len(w.open)+1)
	if tag.shape != nil {
		tag.shape.next, tag.shape.scope = w.memo.next, w.scope
	}
	return nil
}

// attributes takes the values of w.written and what they declare. Nearly all are
// as they are written, and share one string.
func (w *xmlWalk) attributes(e *xmlElement) error {
	w.attrs = w.attrs[:0]
	if len(w.written) == 0 {
		return nil
	}
	from := w.written[0].from
	whole := w.keep(w.r.buf[from:w.written[len(w.written)-1].to])
	for _, a := range w.written {
		value := whole[a.from-from : a.to-from]
		if a.high || a.rewrite {
			b, err := w.r.content(w.r.buf[a.from:a.to], a.high, a.rewrite)
			if err != nil {
				return err
			}
			value = w.keep(b)
		}
		w.attrs = append(w.attrs, xml.Attr{Value: value})
		if a.name.prefix == "xmlns" || a.name.raw == "xmlns" {
			w.declare(e, a.name, value)
		}
	}
	return nil
}

// keep makes a string of b that may be kept.
func (w *xmlWalk) keep(b []byte) string {
	if w.values.Cap()-w.values.Len() < len(b) {
		w.values = strings.Builder{}
		w.values.Grow(max(len(b), 4<<10))
	}
	from := w.values.Len()
	w.values.Write(b)
	return w.values.String()[from:]
}

// declare binds a prefix for the element e that begins.
func (w *xmlWalk) declare(e *xmlElement, n *xmlName, uri string) {
	prefix := n.local
	if n.prefix == "" {
		prefix = "" // the default name space
	}
	if !e.declares {
		e.declares = true
		w.spaces = append(w.spaces, map[string]string{})
		w.scopes++
		w.scope = w.scopes
	}
	w.spaces[len(w.spaces)-1][prefix] = uri
}

func (w *xmlWalk) endElement() error {
	r := w.r
	if len(w.open) == 0 {
		return r.fail(errors.New("the end of an element that is not open"))
	}
	want := w.open[len(w.open)-1].name.raw
	if rest := r.buf[r.pos:r.end]; len(rest) > len(want) && rest[len(want)] == '>' && string(rest[:len(want)]) == want {
		r.pos += len(want) + 1
		w.close()
		return nil
	}
	b, err := r.name()
	if err != nil {
		return err
	}
	if string(b) != want {
		return r.fail(fmt.Errorf("end of %s where another element is open", b))
	}
	c, err := r.space()
	if err == nil && c != '>' {
		err = r.fail(errors.New("the end of an element has more than its name"))
	}
	if err == nil {
		w.close()
	}
	return err
}

// close ends the innermost element.
func (w *xmlWalk) close() {
	n := len(w.open)
	e := &w.open[n-1]
	w.memo.tags++
	if e.told && w.v.end != nil {
		w.told()
		w.v.end(w.resolve(e.name), n)
	}
	if e.declares {
		w.spaces = w.spaces[:len(w.spaces)-1]
	}
	w.scope = e.scope
	w.open = w.open[:n-1]
}
