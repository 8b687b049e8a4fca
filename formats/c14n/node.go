// Package c14n turns XML into the one sequence of bytes that is digested and
// signed.
//
// An XML signature never covers a file as it lies on disk; it covers the
// canonical form of a part of the tree the file describes. Two programs that
// disagree about one space of that form disagree about every signature, so
// this package does one thing only: it parses a document into a small tree
// that loses nothing the canonical form needs, and writes the canonical form
// of a document or of one element of it.
//
// Parse is a strict, namespace-aware XML 1.0 parser for UTF-8, and for the
// encodings that invoices in the wild come in: ISO-8859-1 and -15,
// windows-1252 and UTF-16 with a byte order mark, declared as such. It refuses
// what has no place in a signed document or can be used against the reader:
// document type declarations (and with them every entity other than the five
// predefined ones), other encodings, XML 1.1, undeclared prefixes, and
// anything beyond the Limits. It does what the recommendation asks of a
// non-validating processor and what encoding/xml does not: line ends become
// LF before parsing, literal white space in attribute values becomes a space
// while character references keep theirs.
//
// Canonicalize implements Canonical XML 1.0 and 1.1 and Exclusive XML
// Canonicalization 1.0, each with and without comments, for a whole document
// or for the subtree of an element seen in its context (inherited namespaces
// and, for the inclusive forms, inherited xml: attributes). Subtrees may be
// left out, which is the whole of the enveloped-signature transform and of the
// XPath filters that signatures use.
//
// The tree keeps byte offsets into the source, in whatever encoding it is, and
// Encode gives text in that encoding, so that a signature can be
// inserted into a document without writing any other byte of it anew.
package c14n

import "errors"

// Kind names what went wrong, for callers that decide on it.
type Kind string

// The kinds of Error.
const (
	// Malformed: not a well-formed, namespace-well-formed XML 1.0 document.
	Malformed Kind = "malformed"
	// DTD: the document has a document type declaration or uses an entity that would need one.
	DTD Kind = "dtd"
	// Encoding: the document is in an encoding that is not supported, or not in the one it declares.
	Encoding Kind = "encoding"
	// Limit: the document or its canonical form exceeds a limit.
	Limit Kind = "limit"
	// Unsupported: well-formed, but canonical XML cannot or must not process it.
	Unsupported Kind = "unsupported"
)

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "xml: " + e.Msg + ": " + e.Err.Error()
	}
	return "xml: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package, "" for others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// NodeKind says what a Node is.
type NodeKind uint8

// The kinds of Node; attributes and namespace declarations are fields of elements.
const (
	DocumentNode NodeKind = iota
	ElementNode
	TextNode // character data; CDATA sections are text too
	CommentNode
	PINode
)

// Attr is an attribute other than a namespace declaration.
type Attr struct {
	Prefix, Local string
	Space         string // namespace URI; "" for an attribute without prefix
	Value         string // normalised, references resolved
}

// Namespace is a namespace declaration: xmlns (Prefix "") or xmlns:Prefix.
type Namespace struct {
	Prefix, URI string
}

// Node is a node of the tree. It is read-only: callers look, they do not touch.
type Node struct {
	Value  string // text, comment, or data of a processing instruction
	Parent *Node

	// Start and End delimit the node in the source: source[Start:End].
	Start, End int

	// Element is never nil.
	*Element
}

// Element is the kind of a node and what only an element has, but for Local,
// which is the target of a processing instruction too, and Children, which a
// document has. All texts share one, and all comments: they are most of what a
// document has.
type Element struct {
	Kind     NodeKind
	Empty    bool // the tag is an empty-element tag
	relative bool // of the document node: some namespace URI in it is relative

	// Tag is never nil.
	*Tag

	Children []*Node

	// CloseStart is the offset of the end tag, or of the "/>" of an
	// empty-element tag.
	CloseStart int
}

// Tag is what a start tag says. Elements of one name that say no more than that
// share theirs: they are most of what a document has.
type Tag struct {
	Prefix, Local string
	Space         string // namespace URI

	Attrs      []Attr      // in canonical order: namespace URI, then local name
	Namespaces []Namespace // declared on this element, in order of prefix
}

var (
	noTag     = new(Tag)
	ofText    = &Element{Kind: TextNode, Tag: noTag}
	ofComment = &Element{Kind: CommentNode, Tag: noTag}
)

// Document is a parsed document.
type Document struct {
	// Node is the document node; its children are the root element and the
	// comments and processing instructions beside it.
	Node *Node
	// Root is the document element.
	Root *Node

	encoding *encoding // nil for UTF-8
}

// Is reports whether n is an element of that namespace and local name.
func (n *Node) Is(space, local string) bool {
	return n != nil && n.Kind == ElementNode && n.Local == local && n.Space == space
}

// Attr finds an attribute by namespace URI ("" for none) and local name.
func (n *Node) Attr(space, local string) (string, bool) {
	for i := range n.Attrs {
		if n.Attrs[i].Local == local && n.Attrs[i].Space == space {
			return n.Attrs[i].Value, true
		}
	}
	return "", false
}

// Elements gives the child elements.
func (n *Node) Elements() []*Node {
	var out []*Node
	for _, c := range n.Children {
		if c.Kind == ElementNode {
			out = append(out, c)
		}
	}
	return out
}

// Text gives the character data directly inside n. ok is false when n has
// child elements, so that a value cannot hide in mixed content.
func (n *Node) Text() (text string, ok bool) {
	size := 0
	for _, c := range n.Children {
		switch c.Kind {
		case TextNode:
			size += len(c.Value)
		case ElementNode:
			return "", false
		}
	}
	if len(n.Children) == 1 && n.Children[0].Kind == TextNode {
		return n.Children[0].Value, true
	}
	b := make([]byte, 0, size)
	for _, c := range n.Children {
		if c.Kind == TextNode {
			b = append(b, c.Value...)
		}
	}
	return string(b), true
}

// Walk calls visit for n and every node below it in document order until it
// returns false for a node, whose children are then passed over.
func (n *Node) Walk(visit func(*Node) bool) {
	if !visit(n) {
		return
	}
	for _, c := range n.Children {
		c.Walk(visit)
	}
}
