package c14n

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits bound what Parse accepts.
type Limits struct {
	Size       int // bytes of the document
	Depth      int // nesting of elements
	Attributes int // attributes and namespace declarations of one element
	Nodes      int // elements, attributes, texts, comments and processing instructions together
	Name       int // bytes of a name
	Namespace  int // bytes of a namespace URI; exclusive canonical form may repeat it for every element
}

// DefaultLimits are the limits of Parse.
var DefaultLimits = Limits{
	Size:       64 << 20,
	Depth:      256,
	Attributes: 1024,
	Nodes:      1 << 20,
	Name:       1024,
	Namespace:  2048,
}

const (
	xmlNamespace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsNamespace = "http://www.w3.org/2000/xmlns/"
)

// Parse reads a document with DefaultLimits. The tree does not refer to doc,
// which may be reused.
func Parse(doc []byte) (*Document, error) {
	if err := DefaultLimits.check(len(doc)); err != nil {
		return nil, err // without a copy of it
	}
	return ParseLimits(string(doc), DefaultLimits)
}

func (l Limits) check(size int) error {
	if size > l.Size {
		return &Error{Kind: Limit, Msg: fmt.Sprintf("the document has %d bytes, more than the %d allowed", size, l.Size)}
	}
	return nil
}

// ParseLimits reads a document, which the tree will hold and not a copy of it.
// The error is an *Error and names the line.
func ParseLimits(doc string, l Limits) (*Document, error) {
	if err := l.check(len(doc)); err != nil {
		return nil, err
	}
	text, enc, err := decode(doc)
	if err != nil {
		return nil, err
	}
	p := &parser{src: text, lim: l, encoding: enc, scope: map[string][]string{"xml": {xmlNamespace}}}
	d, err := p.document()
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.Msg = fmt.Sprintf("line %d: %s", 1+strings.Count(p.src[:min(p.pos, len(p.src))], "\n"), e.Msg)
		}
		return nil, err
	}
	if enc != nil {
		d.encoding = enc
		enc.place(text, d.Node)
	}
	return d, nil
}

type parser struct {
	src      string
	pos      int
	lim      Limits
	encoding *encoding // of the source, which src is the text of; nil for UTF-8
	nodes    int
	open     []*Node             // elements whose end tag is awaited, innermost last
	scope    map[string][]string // prefix: URIs bound to it, innermost last
	bare     map[string]*Tag     // qualified name: the tag that says no more, in this scope
	slab     slab[Node]
	elements slab[Element]
	links    slab[*Node] // room for children
	pending  []*Node     // children of the open elements, outermost first
	marks    []int       // where those of each open element begin
	relative bool
}

// slab makes values many at a time, because a document has a great number of
// them, and the more the more it has given out.
type slab[T any] struct {
	block []T
	used  int // of block
}

// slabSize is the most values that are made at a time: with the word that the
// allocator puts before them, blocks of nodes, elements and links have nearly
// the sizes that it gives.
const slabSize = 511

// take gives n new values.
func (s *slab[T]) take(n int) []T {
	if len(s.block)-s.used < n {
		s.block, s.used = make([]T, max(n, min(slabSize, 16+2*len(s.block)))), 0
	}
	s.used += n
	return s.block[s.used-n : s.used : s.used]
}

// node gives a new node.
func (p *parser) node(kind NodeKind, parent *Node) *Node {
	n := &p.slab.take(1)[0]
	n.Parent = parent
	switch kind {
	case TextNode:
		n.Element = ofText
	case CommentNode:
		n.Element = ofComment
	default:
		n.Element = &p.elements.take(1)[0]
		n.Kind, n.Tag = kind, noTag
	}
	return n
}

// settle gives an element that ends its children, which were pending since mark.
func (p *parser) settle(n *Node, mark int) {
	children := p.pending[mark:]
	if len(children) == 0 {
		return
	}
	n.Children = p.links.take(len(children))
	copy(n.Children, children)
	p.pending = p.pending[:mark]
}

func (p *parser) fail(k Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

func (p *parser) bad(format string, a ...any) error { return p.fail(Malformed, format, a...) }

func (p *parser) rest() string { return p.src[p.pos:] }

// count takes one node from the budget.
func (p *parser) count() error {
	p.nodes++
	if p.nodes > p.lim.Nodes {
		return p.fail(Limit, "the document has more than %d nodes", p.lim.Nodes)
	}
	return nil
}

// document parses production [1] of XML 1.0.
func (p *parser) document() (*Document, error) {
	d := &Document{Node: p.node(DocumentNode, nil)}
	d.Node.End = len(p.src)
	if strings.HasPrefix(p.src, "\ufeff") {
		p.pos = len("\ufeff")
	}
	if err := p.declaration(); err != nil {
		return nil, err
	}
	for p.pos < len(p.src) {
		if err := p.step(d); err != nil {
			return nil, err
		}
	}
	if len(p.open) > 0 {
		return nil, p.bad("the document ends inside the element <%s>", qname(p.open[len(p.open)-1].Prefix, p.open[len(p.open)-1].Local))
	}
	if d.Root == nil {
		return nil, p.bad("the document has no element")
	}
	d.Node.relative = p.relative
	p.settle(d.Node, 0)
	return d, nil
}

// step parses the next piece of markup or character data.
func (p *parser) step(d *Document) error {
	parent := d.Node
	if len(p.open) > 0 {
		parent = p.open[len(p.open)-1]
	}
	s := p.rest()
	switch {
	case s[0] != '<':
		return p.characters(parent)
	case len(s) > 1 && nameBytes[s[1]]: // a start tag, as most are
	case strings.HasPrefix(s, "</"):
		return p.endTag()
	case strings.HasPrefix(s, "<!--"):
		return p.comment(parent)
	case strings.HasPrefix(s, "<![CDATA["):
		return p.cdata(parent)
	case strings.HasPrefix(s, "<?"):
		return p.instruction(parent)
	case strings.HasPrefix(s, "<!DOCTYPE"):
		return p.fail(DTD, "the document has a document type declaration (DOCTYPE); remove it, signed documents must not depend on one")
	case strings.HasPrefix(s, "<!"):
		return p.bad("unknown markup declaration")
	}
	if parent.Kind == DocumentNode && d.Root != nil {
		return p.bad("there is a second element after the document element")
	}
	n, err := p.startTag(parent)
	if err != nil {
		return err
	}
	if parent.Kind == DocumentNode {
		d.Root = n
	}
	return nil
}

// declaration parses the XML declaration, productions [23] to [32] and [80].
func (p *parser) declaration() error {
	if !strings.HasPrefix(p.rest(), "<?xml") || len(p.rest()) < 6 || !isSpace(p.rest()[5]) {
		return nil
	}
	end := strings.Index(p.rest(), "?>")
	if end < 0 {
		return p.bad("the XML declaration does not end")
	}
	values, err := p.pseudoAttributes(p.rest()[5:end])
	if err != nil {
		return err
	}
	allowed := []string{"version", "encoding", "standalone"}
	for _, v := range values {
		i := slices.Index(allowed, v.Local)
		if i < 0 || (i > 0 && allowed[0] == "version") {
			return p.bad("the XML declaration is not of the form <?xml version=\"1.0\" encoding=\"UTF-8\"?>")
		}
		allowed = allowed[i+1:]
		if err := p.declared(v.Local, v.Value); err != nil {
			return err
		}
	}
	if len(values) == 0 {
		return p.bad("the XML declaration has no version")
	}
	p.pos += end + 2
	return nil
}

// declared checks one part of the XML declaration.
func (p *parser) declared(name, value string) error {
	switch {
	case name == "version" && value != "1.0":
		return p.fail(Unsupported, "XML version %q is not supported, only 1.0", value)
	case name == "encoding" && strings.EqualFold(value, "US-ASCII"):
		for i := 0; i < len(p.src); i++ {
			if p.src[i] >= utf8.RuneSelf {
				return p.fail(Encoding, "the document declares US-ASCII but has other characters; convert it to UTF-8")
			}
		}
	case name == "encoding" && !p.encoding.alias(value):
		return p.fail(Encoding, "the document says that it is encoded in %q, which is not supported or not true; convert it to UTF-8", value)
	case name == "standalone" && value != "yes" && value != "no":
		return p.bad("standalone in the XML declaration must be yes or no")
	}
	return nil
}

// pseudoAttributes splits the inside of the XML declaration.
func (p *parser) pseudoAttributes(s string) ([]Attr, error) {
	var out []Attr
	for {
		t := strings.TrimLeft(s, " \t\r\n")
		if t == "" {
			return out, nil
		}
		name, after, ok := strings.Cut(t, "=")
		name = strings.TrimRight(name, " \t\r\n")
		after = strings.TrimLeft(after, " \t\r\n")
		if !ok || t == s || after == "" || (after[0] != '"' && after[0] != '\'') {
			return nil, p.bad("the XML declaration is malformed")
		}
		end := strings.IndexByte(after[1:], after[0])
		if end < 0 || len(out) == 3 {
			return nil, p.bad("the XML declaration is malformed")
		}
		out = append(out, Attr{Local: name, Value: after[1 : 1+end]})
		s = after[end+2:]
	}
}

// startTag parses a start tag or an empty-element tag, productions [40] to
// [44], and resolves its names.
func (p *parser) startTag(parent *Node) (*Node, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	n := p.node(ElementNode, parent)
	n.Start = p.pos
	p.pos++
	prefix, local, err := p.qualifiedName()
	if err != nil {
		return nil, err
	}
	if prefix == "xmlns" {
		return nil, p.bad("an element cannot have the prefix xmlns")
	}
	if len(p.open) >= p.lim.Depth {
		return nil, p.fail(Limit, "elements are nested more than %d deep", p.lim.Depth)
	}
	name := p.src[n.Start+1 : p.pos]
	bare := p.pos < len(p.src) && (p.src[p.pos] == '>' || p.src[p.pos] == '/')
	if t := p.bare[name]; bare && t != nil {
		n.Tag = t
		if err := p.attributes(n); err != nil { // the end of the tag is all there is
			return nil, err
		}
	} else {
		n.Tag = &Tag{Prefix: prefix, Local: local}
		if err := p.attributes(n); err != nil {
			return nil, err
		}
		p.enter(n)
		if err := p.resolve(n); err != nil {
			return nil, err
		}
		if bare {
			if p.bare == nil {
				p.bare = map[string]*Tag{}
			}
			p.bare[name] = n.Tag
		}
	}
	p.pending = append(p.pending, n)
	if n.Empty {
		n.End = p.pos
		p.leave(n)
		return n, nil
	}
	p.open, p.marks = append(p.open, n), append(p.marks, len(p.pending))
	return n, nil
}

// attributes parses up to and including the end of the tag.
func (p *parser) attributes(n *Node) error {
	for {
		before := p.pos
		p.space()
		s := p.rest()
		switch {
		case strings.HasPrefix(s, "/>"):
			n.Empty, n.CloseStart = true, p.pos
			p.pos += 2
			return nil
		case strings.HasPrefix(s, ">"):
			p.pos++
			return nil
		case s == "":
			return p.bad("the document ends inside a tag")
		case before == p.pos:
			return p.bad("white space is missing before an attribute of <%s>", n.Local)
		}
		if len(n.Attrs)+len(n.Namespaces) >= p.lim.Attributes {
			return p.fail(Limit, "an element has more than %d attributes", p.lim.Attributes)
		}
		if err := p.attribute(n); err != nil {
			return err
		}
	}
}

// attribute parses one attribute and sorts out namespace declarations.
func (p *parser) attribute(n *Node) error {
	if err := p.count(); err != nil {
		return err
	}
	prefix, local, err := p.qualifiedName()
	if err != nil {
		return err
	}
	p.space()
	if !strings.HasPrefix(p.rest(), "=") {
		return p.bad("the attribute %s has no value", qname(prefix, local))
	}
	p.pos++
	p.space()
	value, err := p.attributeValue()
	if err != nil {
		return err
	}
	switch {
	case prefix == "xmlns":
		return p.declare(n, local, value)
	case prefix == "" && local == "xmlns":
		return p.declare(n, "", value)
	}
	n.Attrs = append(n.Attrs, Attr{Prefix: prefix, Local: local, Value: value})
	return nil
}

func (p *parser) endTag() error {
	if len(p.open) == 0 {
		return p.bad("there is an end tag without a start tag")
	}
	n := p.open[len(p.open)-1]
	n.CloseStart = p.pos
	p.pos += 2
	if after, ok := strings.CutPrefix(p.rest(), p.openName(n)); ok && strings.HasPrefix(after, ">") {
		p.pos = len(p.src) - len(after) // as nearly always
	} else if err := p.endName(n); err != nil {
		return err
	}
	p.pos++
	n.End = p.pos
	last := len(p.open) - 1
	p.settle(n, p.marks[last])
	p.open, p.marks = p.open[:last], p.marks[:last]
	p.leave(n)
	return nil
}

// openName is the qualified name in the start tag of n.
func (p *parser) openName(n *Node) string {
	size := len(n.Local)
	if n.Prefix != "" {
		size += len(n.Prefix) + 1
	}
	return p.src[n.Start+1:][:size]
}

// endName takes what stands before the ">" of the end tag of n.
func (p *parser) endName(n *Node) error {
	prefix, local, err := p.qualifiedName()
	if err != nil {
		return err
	}
	p.space()
	if prefix != n.Prefix || local != n.Local {
		return p.bad("the end tag </%s> closes the element <%s>", qname(prefix, local), qname(n.Prefix, n.Local))
	}
	if !strings.HasPrefix(p.rest(), ">") {
		return p.bad("the end tag </%s> is malformed", qname(prefix, local))
	}
	return nil
}

func qname(prefix, local string) string {
	if prefix == "" {
		return local
	}
	return prefix + ":" + local
}
