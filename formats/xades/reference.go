package xades

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"io"
	"strings"

	"sigillo/formats/c14n"
)

const inclusiveNamespaces = string(c14n.Exclusive) // namespace of InclusiveNamespaces

// method is a canonicalisation with its parameter.
type method struct {
	algorithm c14n.Algorithm
	prefixes  []string
}

// readMethodOf reads a CanonicalizationMethod or a Transform that is a
// canonicalisation.
func readMethodOf(n *c14n.Node) (method, error) {
	uri, _ := n.Attr("", "Algorithm")
	m := method{algorithm: c14n.Algorithm(uri)}
	if !m.algorithm.Known() {
		return m, fail(Unsupported, "the transform or canonicalisation %q is not supported", uri)
	}
	for _, c := range n.Elements() {
		if m.algorithm.WithoutComments() != c14n.Exclusive || !c.Is(inclusiveNamespaces, "InclusiveNamespaces") || m.prefixes != nil {
			return m, fail(Unsupported, "the canonicalisation has an unsupported parameter %q", c.Local)
		}
		list, _ := c.Attr("", "PrefixList")
		m.prefixes = append([]string{}, strings.Fields(list)...)
	}
	return m, nil
}

// name tells methods apart.
func (m method) name() string { return string(m.algorithm) + " " + strings.Join(m.prefixes, " ") }

// filter is what the transforms of a reference leave out.
type filter uint8

const (
	nothing       filter = iota
	ownSignature         // enveloped-signature
	allSignatures        // an XPath filter, and perhaps enveloped-signature too
)

// reference is one ds:Reference, resolved.
type reference struct {
	id, uri string
	target  *c14n.Node // the document node or an element; nil for a file
	own     *c14n.Node // the Signature it is in
	filter  filter
	base64  bool
	method  method // canonicalisation, C14N 1.0 if no transform says which
	named   bool   // a transform says which
	hash    crypto.Hash
	digest  []byte
	what    string // for messages

	listed bool // in a Manifest
}

// name tells what is referred to: two spellings of the name of a file mean one.
func (ref *reference) name() string {
	if ref.target == nil {
		return fileName(ref.uri)
	}
	return ref.uri
}

// exclude is the filter as the canonicaliser wants it.
func (ref *reference) exclude() func(*c14n.Node) bool {
	switch ref.filter {
	case ownSignature:
		return func(n *c14n.Node) bool { return n == ref.own }
	case allSignatures:
		return isSignature
	}
	return nil
}

// write writes the octets that are digested. A time-stamp's canonicalisation m
// takes the place of the one that no transform names (EN 319 132-1 §5.1.4.4.1).
func (ref *reference) write(d *document, w io.Writer, m *method) error {
	switch {
	case ref.target == nil:
		content, size, ok := io.ReaderAt(nil), int64(0), false
		if d.files != nil {
			content, size, ok = d.files(fileName(ref.uri))
		}
		if !ok {
			return fail(ContentMissing, "the signed file %q is not at hand", fileName(ref.uri))
		}
		// A file given by the caller costs no more than the caller knows.
		if n, err := io.Copy(w, io.NewSectionReader(content, 0, size)); err != nil || n != size {
			return &Error{Kind: Failed, Msg: "the signed file cannot be read", Err: err}
		}
		return nil
	case ref.base64:
		text, _ := ref.target.Text()
		if err := d.spend(len(text) / 4); err != nil {
			return err
		}
		if _, err := io.Copy(metered{d, w}, base64.NewDecoder(base64.StdEncoding, &unspaced{strings.NewReader(text)})); err != nil {
			if KindOf(err) != "" {
				return err
			}
			return &Error{Kind: Malformed, Msg: "what the signature covers is not base64", Err: err}
		}
		return nil
	}
	c := ref.method
	if m != nil && !ref.named {
		c = method{algorithm: m.algorithm.WithoutComments(), prefixes: m.prefixes}
	}
	return d.canonicalize(w, ref.target, c, ref.exclude())
}

// unspaced leaves out the white space that base64 in XML may have.
type unspaced struct{ r io.Reader }

func (u *unspaced) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	out := b[:0]
	for _, c := range b[:n] {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			out = append(out, c)
		}
	}
	return len(out), err
}

// check compares the digest.
func (ref *reference) check(d *document) error {
	key := digested{target: ref.target, name: ref.name(), filter: ref.filter, method: ref.method.name(), hash: ref.hash}
	if ref.filter == ownSignature {
		key.own = ref.own
	}
	if ref.base64 {
		key.method = base64Transform
	}
	sum, have := d.digests[key]
	if !have {
		h := ref.hash.New()
		if err := ref.write(d, h, nil); err != nil {
			return err
		}
		sum = h.Sum(nil)
		d.digests[key] = sum
	}
	if !bytes.Equal(sum, ref.digest) {
		return fail(HashFailure, "%s was changed after signing", ref.what)
	}
	return nil
}

// covers reports whether an insertion at an offset would change what is digested.
func (ref *reference) covers(d *document, at int, signature bool) bool {
	if ref.target == nil || at <= ref.target.Start && ref.target.Kind == c14n.ElementNode || at >= ref.target.End {
		return false
	}
	switch ref.filter {
	case ownSignature:
		return !(ref.own.Start < at && at < ref.own.End)
	case allSignatures:
		if signature {
			return false
		}
		for _, n := range d.nodes {
			if n.Start < at && at < n.End {
				return false
			}
		}
	}
	return true
}

// reference reads and resolves one ds:Reference (XMLDSig §4.4.3): the document,
// one element by an Id that occurs once, or a file.
func (r *reader) reference(n *c14n.Node) (reference, error) {
	uri, has := n.Attr("", "URI")
	kind, _ := n.Attr("", "Type")
	ref := reference{uri: uri, own: r.node, method: method{algorithm: c14n.C14N10}}
	ref.id, _ = n.Attr("", "Id")
	switch {
	case !has:
		return ref, fail(Unsupported, "a reference without URI is not supported")
	case uri == "":
		ref.target, ref.what = r.d.tree.Node, "the document"
	case len(uri) > 1 && uri[0] == '#' && !strings.HasPrefix(uri, "#xpointer("):
		ref.what = "the element " + uri
		if ref.target = r.d.ids[uri[1:]]; ref.target == nil {
			return ref, fail(Malformed, "the reference %q names no element, or more than one", uri)
		}
	case strings.Contains(uri, "#"):
		return ref, fail(Unsupported, "the reference to %q, a part of another document, is not supported", uri)
	default:
		ref.what = "the file " + fileName(uri)
	}
	if ref.target.Is(dsNamespace, "Manifest") != (kind == manifestType) {
		return ref, fail(Malformed, "the reference %q is to a Manifest without saying so, or the other way round", uri)
	}
	if isPropertiesType(kind) != (ref.target == r.s.properties && ref.target != nil) {
		return ref, fail(Malformed, "the reference %q and the SignedProperties of this signature do not belong together", uri)
	}
	if err := r.transforms(n, &ref); err != nil {
		return ref, err
	}
	if ref.target != nil && ref.filter == nothing && contains(ref.target, r.node) {
		return ref, fail(Malformed, "the reference %q to what the signature is in, without the enveloped-signature transform, cannot be right", uri)
	}
	var err error
	ref.hash, ref.digest, err = r.digest(n)
	return ref, err
}

// contains reports whether n is inside outer, or is it.
func contains(outer, n *c14n.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == outer {
			return true
		}
	}
	return false
}

// transforms reads Transforms: filters that take signatures away, then at most
// one canonicalisation; or base64 alone.
func (r *reader) transforms(n *c14n.Node, ref *reference) error {
	list, err := one(n, dsNamespace, "Transforms")
	if err != nil || list == nil {
		return err
	}
	all := list.Elements()
	for i, t := range all {
		if !t.Is(dsNamespace, "Transform") || ref.named || ref.base64 || len(all) > 4 {
			return fail(Unsupported, "a reference has transforms in an order that is not supported")
		}
		if ref.target == nil {
			return fail(Unsupported, "transforms of a file beside the signature are not supported")
		}
		switch uri, _ := t.Attr("", "Algorithm"); uri {
		case envelopedTransform:
			if !contains(ref.target, r.node) || len(t.Elements()) > 0 {
				return fail(Unsupported, "the enveloped-signature transform is supported only over what the signature is in")
			}
			ref.filter = max(ref.filter, ownSignature)
		case xpathTransform, filter2Transform:
			f, err := r.xpath(t, uri)
			if err != nil {
				return err
			}
			ref.filter = max(ref.filter, f)
		case base64Transform:
			if _, ok := ref.target.Text(); !ok || i > 0 || ref.target.Kind != c14n.ElementNode || len(t.Elements()) > 0 {
				return fail(Unsupported, "the base64 transform is supported only alone, over an element with text")
			}
			ref.base64 = true
		default:
			if ref.method, err = readMethodOf(t); err != nil {
				return err
			}
			ref.named = true
		}
	}
	// A same-document reference selects no comments (XMLDSig §4.4.3.3).
	ref.method.algorithm = ref.method.algorithm.WithoutComments()
	return nil
}

// xpath recognises the few expressions that take signatures away; it knows no
// XPath. The prefix of Signature is any that is bound to XMLDSig there.
func (r *reader) xpath(t *c14n.Node, uri string) (filter, error) {
	space := dsNamespace
	if uri == filter2Transform {
		space = filter2Transform
	}
	all := t.Elements()
	unknown := fail(Unsupported, "an XPath transform other than those that take signatures away is not supported")
	if len(all) != 1 || !all[0].Is(space, "XPath") {
		return 0, unknown
	}
	text, ok := all[0].Text()
	expression := strings.Join(strings.Fields(text), "")
	prefix := signaturePrefix(all[0], expression)
	if !ok || prefix == "" {
		return 0, unknown
	}
	signature := prefix + ":Signature"
	if uri == xpathTransform {
		if expression == "not(ancestor-or-self::"+signature+")" {
			return allSignatures, nil
		}
		return 0, unknown
	}
	if f, _ := all[0].Attr("", "Filter"); f != "subtract" {
		return 0, unknown
	}
	switch expression {
	case "/descendant::" + signature, "//" + signature:
		return allSignatures, nil
	case "here()/ancestor::" + signature + "[1]":
		return ownSignature, nil
	}
	return 0, unknown
}

// signaturePrefix finds the prefix before ":Signature" in an expression; empty
// if it is not bound to the namespace of XMLDSig at n.
func signaturePrefix(n *c14n.Node, expression string) string {
	before, _, found := strings.Cut(expression, ":Signature")
	if !found {
		return ""
	}
	prefix := before[strings.LastIndexAny(before, ":/")+1:]
	if namespaceOf(n, prefix) != dsNamespace {
		return ""
	}
	return prefix
}

// namespaceOf gives what a prefix is bound to at n.
func namespaceOf(n *c14n.Node, prefix string) string {
	for ; n != nil; n = n.Parent {
		for _, ns := range n.Namespaces {
			if ns.Prefix == prefix {
				return ns.URI
			}
		}
	}
	return ""
}
