package xades

import (
	"bytes"
	"crypto"
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

func (m method) bytes(n *c14n.Node) ([]byte, error) {
	var b bytes.Buffer
	if err := m.write(&b, n, nil); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (m method) write(w io.Writer, n, exclude *c14n.Node) error {
	if err := c14n.Canonicalize(w, n, m.algorithm, c14n.Options{Exclude: func(e *c14n.Node) bool { return e == exclude }, InclusivePrefixes: m.prefixes}); err != nil {
		return fromXML(err)
	}
	return nil
}

// reference is one ds:Reference, resolved.
type reference struct {
	target  *c14n.Node // the document node or an element
	exclude *c14n.Node // the signature, after the enveloped-signature transform
	method  method
	hash    crypto.Hash
	digest  []byte
	what    string // for messages
}

// signedInfo reads SignedInfo and resolves its references.
func (r *reader) signedInfo() error {
	s := r.s
	var references []*c14n.Node
	for i, c := range s.info.Elements() {
		var err error
		switch {
		case i == 0 && c.Is(dsNamespace, "CanonicalizationMethod"):
			s.infoMethod, err = readMethodOf(c)
		case i == 1 && c.Is(dsNamespace, "SignatureMethod"):
			s.Algorithm, err = readMethod(c)
		case i > 1 && c.Is(dsNamespace, "Reference"):
			references = append(references, c)
		default:
			err = fail(Malformed, "SignedInfo has an unexpected part %q", c.Local)
		}
		if err != nil {
			return err
		}
	}
	if len(references) > maxReferences {
		return fail(Limit, "the signature has more than %d references", maxReferences)
	}
	properties := false
	for _, n := range references {
		ref, err := r.reference(n)
		if err != nil {
			return err
		}
		s.references = append(s.references, ref)
		s.Digests = append(s.Digests, ref.hash)
		if ref.target == s.properties {
			properties = true
		}
	}
	if s.properties == nil || !properties {
		return fail(Unbound, "the signature does not cover its own SignedProperties")
	}
	return nil
}

// reference reads and resolves one ds:Reference. Only same-document
// references exist here (XMLDSig §4.4.3.2): the document, or one element by
// an Id that occurs once.
func (r *reader) reference(n *c14n.Node) (reference, error) {
	uri, has := n.Attr("", "URI")
	kind, _ := n.Attr("", "Type")
	ref := reference{method: method{algorithm: c14n.C14N10}}
	switch {
	case !has:
		return ref, fail(Unsupported, "a reference without URI is not supported")
	case uri == "":
		ref.target, ref.what = r.tree.Node, "the document"
	case len(uri) > 1 && strings.HasPrefix(uri, "#") && !strings.HasPrefix(uri, "#xpointer("):
		ref.what = "the element " + uri
		if ref.target = r.ids[uri[1:]]; ref.target == nil {
			return ref, fail(Malformed, "the reference %q names no element, or more than one", uri)
		}
	default:
		return ref, fail(Unsupported, "the reference to %q, outside the document, is not supported", uri)
	}
	if (kind == signedPropertiesType) != (ref.target == r.s.properties && ref.target != nil) {
		return ref, fail(Malformed, "the reference %q and the SignedProperties of this signature do not belong together", uri)
	}
	if err := r.transforms(n, &ref); err != nil {
		return ref, err
	}
	if uri == "" {
		if ref.exclude == nil {
			return ref, fail(Malformed, "a reference to the whole document without the enveloped-signature transform cannot be right")
		}
		if r.s.CoversDocument {
			return ref, fail(Malformed, "the signature refers to the whole document twice")
		}
		r.s.CoversDocument = true
		r.s.documentID, _ = n.Attr("", "Id")
	}
	var err error
	ref.hash, ref.digest, err = readDigest(n)
	return ref, err
}

// transforms reads Transforms: enveloped-signature first, for the document
// only, then at most one canonicalisation.
func (r *reader) transforms(n *c14n.Node, ref *reference) error {
	list, err := one(n, dsNamespace, "Transforms")
	if err != nil {
		return err
	}
	if list == nil {
		return nil
	}
	canonical := false
	for i, t := range list.Elements() {
		if !t.Is(dsNamespace, "Transform") || canonical {
			return fail(Unsupported, "a reference has transforms in an order that is not supported")
		}
		if uri, _ := t.Attr("", "Algorithm"); uri == envelopedTransform {
			if i > 0 || ref.target != r.tree.Node || len(t.Elements()) > 0 {
				return fail(Unsupported, "the enveloped-signature transform is supported only as the first one, over the whole document")
			}
			ref.exclude = r.node
			continue
		}
		if ref.method, err = readMethodOf(t); err != nil {
			return err
		}
		canonical = true
	}
	// A same-document reference selects no comments (XMLDSig §4.4.3.3).
	ref.method.algorithm = ref.method.algorithm.WithoutComments()
	return nil
}

// Verify checks the digests of all references, the signature value with the
// certificate the signed properties name, and that the whole document is
// covered. It does not judge the certificate, the algorithms or the
// time-stamps. Kinds: Malformed, Unsupported, Limit, NoCertificate, Unbound,
// HashFailure, SignatureFailure, NotCovering.
func (s *Signature) Verify() error {
	if s.problem != nil {
		return s.problem
	}
	if s.info == nil {
		return fail(Malformed, "the signature was not read from a document")
	}
	for _, ref := range s.references {
		h := ref.hash.New()
		if err := ref.method.write(h, ref.target, ref.exclude); err != nil {
			return err
		}
		if !bytes.Equal(h.Sum(nil), ref.digest) {
			return fail(HashFailure, "%s was changed after signing", ref.what)
		}
	}
	if !s.hasBinding {
		return fail(Unbound, "the signature does not say under its protection which certificate made it")
	}
	if s.Certificate == nil {
		return fail(NoCertificate, "the certificate that the signature names is not in its KeyInfo")
	}
	h := s.Algorithm.Hash.New()
	if err := s.infoMethod.write(h, s.info, nil); err != nil {
		return err
	}
	if ok, err := s.Algorithm.check(s.Certificate.PublicKey, h.Sum(nil), s.Value); err != nil {
		return err
	} else if !ok {
		return fail(SignatureFailure, "the signature value does not fit the signed data and the certificate")
	}
	if !s.CoversDocument {
		return fail(NotCovering, "the signature does not cover the whole document")
	}
	return nil
}
