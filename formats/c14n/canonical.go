package c14n

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
)

// Algorithm is a canonicalisation method, named by the URI XML signatures use.
type Algorithm string

// The algorithms: Canonical XML 1.0 and 1.1 (W3C Recommendations of
// 2001-03-15 and 2008-05-02) and Exclusive XML Canonicalization 1.0
// (2002-07-18), without and with comments.
const (
	C14N10                Algorithm = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
	C14N10WithComments    Algorithm = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"
	C14N11                Algorithm = "http://www.w3.org/2006/12/xml-c14n11"
	C14N11WithComments    Algorithm = "http://www.w3.org/2006/12/xml-c14n11#WithComments"
	Exclusive             Algorithm = "http://www.w3.org/2001/10/xml-exc-c14n#"
	ExclusiveWithComments Algorithm = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"
)

// Known reports whether a is one of the six algorithms.
func (a Algorithm) Known() bool {
	switch a.WithoutComments() {
	case C14N10, C14N11, Exclusive:
		return true
	}
	return false
}

// WithoutComments gives the variant of a that leaves comments out, which is
// what a same-document reference selects anyway (XMLDSig §4.4.3.3).
func (a Algorithm) WithoutComments() Algorithm {
	switch a {
	case C14N10WithComments:
		return C14N10
	case C14N11WithComments:
		return C14N11
	case ExclusiveWithComments:
		return Exclusive
	}
	return a
}

// Options say what else to observe.
type Options struct {
	// Exclude, if not nil, says of each element whether it is left out with all
	// below it: the one Signature of the enveloped-signature transform, or all
	// of them where an XPath filter takes them away.
	Exclude func(*Node) bool
	// InclusivePrefixes is the PrefixList of InclusiveNamespaces for the
	// exclusive algorithms; "#default" stands for the default namespace.
	InclusivePrefixes []string
}

// maxOutput bounds the canonical form, which can be longer than the document:
// exclusive canonicalisation repeats namespace declarations.
const maxOutput = 256 << 20

// Canonicalize writes the canonical form of n, the document node or an
// element, to w. The form is that of the node-set of n and all below it, seen
// in its place in the document.
func Canonicalize(w io.Writer, n *Node, a Algorithm, o Options) error {
	if !a.Known() {
		return &Error{Kind: Unsupported, Msg: fmt.Sprintf("the canonicalisation algorithm %q is not supported", a)}
	}
	if n == nil || (n.Kind != DocumentNode && n.Kind != ElementNode) {
		return &Error{Kind: Unsupported, Msg: "only a document or an element has a canonical form here"}
	}
	buf := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buf)
	c := &canon{
		w:         w,
		buf:       buf,
		exclusive: a.WithoutComments() == Exclusive,
		v11:       a.WithoutComments() == C14N11,
		comments:  a != a.WithoutComments(),
		exclude:   o.Exclude,
		rendered:  map[string]string{},
	}
	for _, p := range o.InclusivePrefixes {
		if c.listed == nil {
			c.listed = map[string]bool{}
		}
		if p == "#default" {
			p = ""
		}
		c.listed[p] = true
	}
	if uri := relativeNamespace(n); uri != "" {
		return &Error{Kind: Unsupported, Msg: fmt.Sprintf("the relative namespace URI %q has no canonical form (Canonical XML §1.3)", uri)}
	}
	if n.Kind == DocumentNode {
		c.document(n)
	} else {
		c.element(n, true)
	}
	if c.err != nil {
		return c.err
	}
	c.flush()
	return c.err
}

// absolute reports whether a URI has a scheme (RFC 3986 §3.1).
func absolute(uri string) bool {
	for i := 0; i < len(uri); i++ {
		c := uri[i] | 0x20
		switch {
		case c >= 'a' && c <= 'z':
		case i > 0 && uri[i] == ':':
			return true
		case i > 0 && (uri[i] >= '0' && uri[i] <= '9' || uri[i] == '+' || uri[i] == '-' || uri[i] == '.'):
		default:
			return false
		}
	}
	return false
}

// relativeNamespace finds a relative namespace URI declared on n, its
// ancestors or below. The parser knows whether the document has any.
func relativeNamespace(n *Node) (uri string) {
	top := n
	for top.Parent != nil {
		top = top.Parent
	}
	if !top.relative {
		return ""
	}
	look := func(e *Node) bool {
		for _, ns := range e.Namespaces {
			if ns.URI != "" && !absolute(ns.URI) {
				uri = ns.URI
			}
		}
		return uri == ""
	}
	for a := n.Parent; a != nil; a = a.Parent {
		look(a)
	}
	n.Walk(look)
	return uri
}

type canon struct {
	w       io.Writer
	buf     *[bufferSize]byte
	held    int // octets in buf that are not written yet
	written int // octets that are
	err     error

	exclusive, v11, comments bool

	exclude  func(*Node) bool
	listed   map[string]bool   // prefixes treated inclusively by the exclusive algorithm
	rendered map[string]string // prefix: URI, as the nearest ancestors in the output declare it
}

// bufferSize is how much is collected before it is written.
const bufferSize = 32 << 10

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func (c *canon) write(s string) {
	if len(s) <= bufferSize-c.held {
		c.held += copy(c.buf[c.held:], s)
	} else {
		c.overflow(s)
	}
}

// overflow writes what does not fit into the buffer any more.
func (c *canon) overflow(s string) {
	for s != "" && c.err == nil {
		n := copy(c.buf[c.held:], s)
		s = s[n:]
		if c.held += n; c.held == bufferSize {
			c.flush()
		}
	}
}

func (c *canon) flush() {
	if c.err == nil {
		if c.written += c.held; c.written > maxOutput {
			c.err = &Error{Kind: Limit, Msg: fmt.Sprintf("the canonical form is longer than %d bytes", maxOutput)}
		} else {
			_, c.err = c.w.Write(c.buf[:c.held])
		}
	}
	c.held = 0
}

// document writes the root and what stands beside it, each comment and
// processing instruction on a line of its own (Canonical XML §2.3).
func (c *canon) document(d *Node) {
	seen := false
	for _, n := range d.Children {
		switch n.Kind {
		case ElementNode:
			c.element(n, true)
			seen = true
		case CommentNode, PINode:
			if n.Kind == CommentNode && !c.comments {
				continue
			}
			if seen {
				c.write("\n")
			}
			c.leaf(n)
			if !seen {
				c.write("\n")
			}
		}
	}
}

func (c *canon) leaf(n *Node) {
	switch n.Kind {
	case TextNode:
		c.escaped(n.Value, false)
	case CommentNode:
		if c.comments {
			c.write("<!--")
			c.write(n.Value)
			c.write("-->")
		}
	case PINode:
		c.write("<?")
		c.write(n.Local)
		if n.Value != "" {
			c.write(" ")
			c.write(n.Value)
		}
		c.write("?>")
	}
}

// element writes an element; apex is true for the one whose parent is not in
// the node-set, which inherits from it.
func (c *canon) element(n *Node, apex bool) {
	if c.err != nil || c.exclude != nil && c.exclude(n) {
		return
	}
	declared := n.Namespaces
	attrs := n.Attrs
	if apex {
		declared = inScope(n)
		if !c.exclusive {
			attrs = c.inherited(n)
		}
	}
	undo, fresh := c.declare(n, declared)
	c.write("<")
	c.name(n.Prefix, n.Local)
	for _, ns := range fresh {
		if ns.Prefix == "" {
			c.write(" xmlns=\"")
		} else {
			c.write(" xmlns:")
			c.write(ns.Prefix)
			c.write("=\"")
		}
		c.escaped(ns.URI, true)
		c.write("\"")
	}
	for i := range attrs {
		c.write(" ")
		c.name(attrs[i].Prefix, attrs[i].Local)
		c.write("=\"")
		c.escaped(attrs[i].Value, true)
		c.write("\"")
	}
	c.write(">")
	for _, child := range n.Children {
		if c.err != nil {
			return
		}
		if child.Kind == ElementNode {
			c.element(child, false)
		} else {
			c.leaf(child)
		}
	}
	c.write("</")
	c.name(n.Prefix, n.Local)
	c.write(">")
	for i := len(undo) - 1; i >= 0; i-- {
		c.rendered[undo[i].Prefix] = undo[i].URI
	}
}

func (c *canon) name(prefix, local string) {
	if prefix != "" {
		c.write(prefix)
		c.write(":")
	}
	c.write(local)
}

// declare decides which namespace declarations n needs in the output, in
// order of prefix, and gives what to put back in c.rendered after n.
// Inclusive forms render every declaration in scope that differs from what
// the output ancestors show (Canonical XML §2.3); the exclusive form only
// those visibly utilised or listed (Exclusive C14N §3).
func (c *canon) declare(n *Node, declared []Namespace) (undo, fresh []Namespace) {
	show := func(prefix, uri string) {
		if prefix == "xml" || c.rendered[prefix] == uri {
			return
		}
		undo = append(undo, Namespace{prefix, c.rendered[prefix]})
		fresh = append(fresh, Namespace{prefix, uri})
		c.rendered[prefix] = uri
	}
	for _, ns := range declared {
		if !c.exclusive || c.listed[ns.Prefix] {
			show(ns.Prefix, ns.URI)
		}
	}
	if c.exclusive {
		show(n.Prefix, n.Space)
		for i := range n.Attrs {
			if n.Attrs[i].Prefix != "" {
				show(n.Attrs[i].Prefix, n.Attrs[i].Space)
			}
		}
		slices.SortFunc(fresh, byPrefix)
	}
	return undo, fresh
}

func byPrefix(a, b Namespace) int { return strings.Compare(a.Prefix, b.Prefix) }

// inScope gives the namespaces in scope at n, in order of prefix.
func inScope(n *Node) []Namespace {
	if n.Parent == nil || n.Parent.Kind == DocumentNode {
		return n.Namespaces
	}
	seen := map[string]bool{}
	var out []Namespace
	for e := n; e != nil; e = e.Parent {
		for _, ns := range e.Namespaces {
			if !seen[ns.Prefix] {
				seen[ns.Prefix] = true
				out = append(out, ns)
			}
		}
	}
	slices.SortFunc(out, byPrefix)
	return out
}

// inherited gives the attributes of an apex element with the xml: attributes
// it takes over from its ancestors: all of them in Canonical XML 1.0 §2.4,
// xml:lang, xml:space and a combined xml:base in 1.1 §2.4.
func (c *canon) inherited(n *Node) []Attr {
	seen := map[string]bool{}
	for _, a := range n.Attrs {
		if a.Space == xmlNamespace {
			seen[a.Local] = true
		}
	}
	out := append([]Attr(nil), n.Attrs...)
	for e := n.Parent; e != nil; e = e.Parent {
		for _, a := range e.Attrs {
			if a.Space != xmlNamespace || seen[a.Local] {
				continue
			}
			if c.v11 && a.Local != "lang" && a.Local != "space" {
				continue
			}
			seen[a.Local] = true
			out = append(out, a)
		}
	}
	if c.v11 {
		out = fixBase(n, out)
	}
	slices.SortFunc(out, order)
	return out
}

// Which bytes are not written as they are, and how (Canonical XML §2.3).
var textEscapes, attributeEscapes = [256]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#xD;"},
	[256]string{'&': "&amp;", '<': "&lt;", '"': "&quot;", '\t': "&#x9;", '\n': "&#xA;", '\r': "&#xD;"}

// escaped writes text or an attribute value.
func (c *canon) escaped(s string, attribute bool) {
	escapes := &textEscapes
	if attribute {
		escapes = &attributeEscapes
	}
	from := 0
	for i := 0; i < len(s); i++ {
		if e := escapes[s[i]]; e != "" {
			c.write(s[from:i])
			c.write(e)
			from = i + 1
		}
	}
	c.write(s[from:])
}
