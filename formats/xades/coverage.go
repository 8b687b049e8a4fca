package xades

import (
	"io"
	"slices"
	"strings"

	"sigillo/formats/c14n"
)

// Coverage is what a signature covers altogether.
type Coverage string

// The coverages. A signature with any of the first five leaves nothing of what it
// stands for open to change.
const (
	// CoversWhole: the whole document but this signature itself.
	CoversWhole Coverage = "document"
	// CoversAllButSignatures: the whole document but all signatures in it.
	// Elements named Signature are all that can come and go.
	CoversAllButSignatures Coverage = "document-but-signatures"
	// CoversContent: all that stands inside the signature, which is the document
	// element; or in an element <internally-detached> without attributes, all but
	// signatures.
	CoversContent Coverage = "content"
	// CoversFiles: files beside it; nothing of the document it is in, which
	// holds signatures only.
	CoversFiles Coverage = "files"
	// CoversSignature: the value of the signature it is a counter-signature of.
	CoversSignature Coverage = "signature"
	// CoversElements: some elements of the document, and perhaps files. The rest
	// of the document is open to change.
	CoversElements Coverage = "elements"
)

// Covered is one thing under a signature.
type Covered struct {
	// URI is the reference to it, as in the signature.
	URI string
	// Path leads to an element of the document, as in Signature.Path; empty for
	// the whole document and for files.
	Path string
	// File is the name of a file beside the signature, else empty.
	File string
	// MediaType as the signer claims it; may be empty.
	MediaType string

	doc *document
	ref *reference
}

// WriteTo writes the octets that were signed: the file, the canonical form of
// the element or document, or what its base64 content stands for.
func (c Covered) WriteTo(w io.Writer) (int64, error) {
	n := &counting{w: w}
	err := c.ref.write(c.doc, n, nil)
	return n.n, err
}

type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// coverage finds what the references of the signature cover.
func (r *reader) coverage() {
	s := r.s
	content := map[*c14n.Node]bool{} // Objects
	manifests := 0                   // that have an Object each
	parts := map[*c14n.Node]bool{}
	whole, but, files, parent := false, false, 0, false
	root := r.d.tree.Root
	all := slices.Concat(s.references, s.listed)
	for i := range all {
		ref := &all[i]
		if ref.target != nil && (ref.target == s.properties || ref.target == s.keyInfo) {
			continue
		}
		c := Covered{URI: ref.uri, MediaType: s.formats["#"+ref.id], doc: r.d, ref: ref}
		switch {
		case ref.target == nil:
			c.File = fileName(ref.uri)
			files++
		case ref.target == r.d.tree.Node, ref.target == root && ref.filter != nothing && rootIsAll(r.d.tree):
			whole = whole || ref.filter == ownSignature
			but = but || ref.filter == allSignatures
		case s.parent != nil && ref.target == s.parent.value:
			parent = true
		case ref.target.Parent == r.node && ref.target.Is(dsNamespace, "Object"):
			content[ref.target] = true
		case ref.target.Is(dsNamespace, "Manifest"): // what it lists counts
			manifests++
			continue
		default:
			parts[ref.target] = true
		}
		c.Path = place(ref.target)
		s.Covers = append(s.Covers, c)
		if s.MediaType == "" {
			s.MediaType = c.MediaType
		}
	}
	switch {
	case s.parent != nil && parent:
		s.Coverage = CoversSignature
	case whole:
		s.Coverage = CoversWhole
	case but:
		s.Coverage = CoversAllButSignatures
	case files > 0 && len(parts) == 0 && onlySignatures(r.d.tree):
		s.Coverage = CoversFiles
	case len(parts) > 0 && wrapped(r.d.tree, parts):
		s.Coverage = CoversContent
	case len(content) > 0 && len(content)+manifests == len(s.objects) && r.node == root && rootIsAll(r.d.tree):
		s.Coverage = CoversContent
	case len(s.Covers) > 0:
		s.Coverage = CoversElements
	}
	s.CoversDocument = s.Coverage != CoversElements && s.Coverage != ""
}

// rootIsAll reports whether nothing that means anything stands beside the
// document element: a processing instruction can name a style sheet.
func rootIsAll(d *c14n.Document) bool {
	for _, c := range d.Node.Children {
		if c.Kind == c14n.PINode {
			return false
		}
	}
	return true
}

// onlySignatures reports whether a document holds signatures and nothing else:
// one Signature, or the XAdESSignatures of an ASiC container.
func onlySignatures(d *c14n.Document) bool {
	if !rootIsAll(d) {
		return false
	}
	if isSignature(d.Root) {
		return true
	}
	if d.Root.Local != "XAdESSignatures" || d.Root.Space != asicNamespace && d.Root.Space != oldASiCNamespace {
		return false
	}
	for _, c := range d.Root.Children {
		if c.Kind == c14n.ElementNode && !isSignature(c) || c.Kind == c14n.TextNode && strings.TrimSpace(c.Value) != "" || c.Kind == c14n.PINode {
			return false
		}
	}
	return true
}

// wrapped reports whether a document is an element <internally-detached>, which
// means nothing, and all in it but signatures is among the parts covered.
func wrapped(d *c14n.Document, parts map[*c14n.Node]bool) bool {
	if !rootIsAll(d) || !d.Root.Is("", "internally-detached") || len(d.Root.Attrs) > 0 {
		return false
	}
	for _, c := range d.Root.Children {
		if c.Kind == c14n.ElementNode && !isSignature(c) && !parts[c] || c.Kind == c14n.TextNode && strings.TrimSpace(c.Value) != "" || c.Kind == c14n.PINode {
			return false
		}
	}
	return true
}

// unsignedObject finds an Object that no reference covers: it could hold
// anything, and a reader might take it for signed.
func (s *Signature) unsignedObject() error {
	covered := map[*c14n.Node]bool{}
	for _, ref := range slices.Concat(s.references, s.listed) {
		if target := ref.target; target != nil {
			covered[target] = true
			if target.Is(dsNamespace, "Manifest") {
				covered[target.Parent] = true
			}
		}
	}
	for _, o := range s.objects {
		if !covered[o] {
			return fail(Malformed, "the signature has an Object that it does not cover")
		}
	}
	return nil
}
