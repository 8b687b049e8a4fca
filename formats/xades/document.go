package xades

import (
	"crypto"
	"fmt"
	"io"
	"slices"
	"strings"

	"sigillo/formats/c14n"
)

// Files finds the content of a file that a detached signature names. ok is
// false when the caller does not have it.
type Files func(name string) (content io.ReaderAt, size int64, ok bool)

// OneFile gives one content for whatever name a signature uses, as long as it
// uses only one.
func OneFile(content io.ReaderAt, size int64) Files {
	named := ""
	return func(name string) (io.ReaderAt, int64, bool) {
		if content == nil || named != "" && named != name {
			return nil, 0, false
		}
		named = name
		return content, size, true
	}
}

// document is what all signatures of a document share.
type document struct {
	tree  *c14n.Document
	ids   map[string]*c14n.Node
	files Files
	// work is how many octets of canonical forms and files may still be made,
	// for all signatures together: each reference may cost a pass over the
	// document, and a small document may ask for very many.
	work       int64
	digests    map[digested][]byte
	nodes      []*c14n.Node // Signatures that are not inside another one
	count      int          // signatures read
	references int          // and references to parts of the document

	fileReferences int
}

// digested names what a digest is of; signatures of the same thing share it.
type digested struct {
	target *c14n.Node
	name   string
	filter filter
	own    *c14n.Node
	method string
	hash   crypto.Hash
}

func newDocument(tree *c14n.Document, files Files) *document {
	d := &document{tree: tree, files: files, ids: map[string]*c14n.Node{}, digests: map[digested][]byte{},
		work: int64(maxPasses*tree.Node.End) + 32<<20}
	end := 0 // of the last signature
	tree.Root.Walk(func(n *c14n.Node) bool {
		d.identify(n)
		if n.Start >= end && isSignature(n) {
			d.nodes, end = append(d.nodes, n), n.End
		}
		return true
	})
	return d
}

// identify notes an element by everything any reader could take for an
// identifier. A value that occurs twice maps to nil.
func (d *document) identify(n *c14n.Node) {
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if len(a.Local) != 2 || !strings.EqualFold(a.Local, "id") {
			continue
		}
		if _, twice := d.ids[a.Value]; twice {
			d.ids[a.Value] = nil
		} else {
			d.ids[a.Value] = n
		}
	}
}

// spend takes from the budget of work.
func (d *document) spend(octets int) error {
	if d.work -= int64(octets); d.work < 0 {
		d.work = 0
		return fail(Limit, "the signatures of the document ask for too much work")
	}
	return nil
}

// metered writes within the document's budget of work.
type metered struct {
	d *document
	w io.Writer
}

func (m metered) Write(b []byte) (int, error) {
	if err := m.d.spend(len(b)); err != nil {
		return 0, err
	}
	return m.w.Write(b)
}

// canonicalize writes the canonical form of n within the budget. What is left
// out of the form, such as comments, costs too, if less.
func (d *document) canonicalize(w io.Writer, n *c14n.Node, m method, exclude func(*c14n.Node) bool) error {
	if err := d.spend((n.End - n.Start) / 4); err != nil {
		return err
	}
	err := c14n.Canonicalize(metered{d, w}, n, m.algorithm, c14n.Options{Exclude: exclude, InclusivePrefixes: m.prefixes})
	if err != nil && KindOf(err) == "" {
		return fromXML(err)
	}
	return err
}

// signatures reads all signatures that are not inside another one.
func (d *document) signatures() ([]Signature, error) {
	if len(d.nodes) > maxSignatures {
		return nil, fail(Limit, "the document has more than %d signatures", maxSignatures)
	}
	out := make([]Signature, len(d.nodes))
	for i, n := range d.nodes {
		d.read(&out[i], n, nil)
	}
	return out, nil
}

// allows makes sure that an insertion at an offset of the source is not under
// an existing signature, which it would break. signature is true if a Signature
// is what is inserted.
func (d *document) allows(at int, signature bool) error {
	all, err := d.signatures()
	if err != nil {
		return err
	}
	return allow(d, all, at, signature)
}

func allow(d *document, all []Signature, at int, signature bool) error {
	for i := range all {
		s := &all[i]
		if !s.resolved {
			return fail(AlreadySigned, "the document has a signature that cannot be read (%v), so that nobody can say what would break it", s.problem)
		}
		for _, ref := range slices.Concat(s.references, s.listed) {
			if ref.covers(d, at, signature) {
				return fail(AlreadySigned, "the signature %s covers this place of the document, so that any addition would break it; sign it as CAdES (.p7m) instead, or in parallel from the first signature on", s.ID)
			}
		}
		if err := allow(d, s.Countersignatures, at, signature); err != nil {
			return err
		}
	}
	return nil
}

// place tells where an element is: the path of local names from the document
// element, with the number of the element among those of its name.
func place(n *c14n.Node) string {
	if n == nil || n.Kind == c14n.DocumentNode {
		return ""
	}
	number, same := 1, false
	for _, c := range n.Parent.Children {
		if c.Is(n.Space, n.Local) && c != n {
			same = true
			if c.Start < n.Start {
				number++
			}
		}
	}
	step := "/" + qualified(n)
	if same {
		step = fmt.Sprintf("%s[%d]", step, number)
	}
	return place(n.Parent) + step
}
