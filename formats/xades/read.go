package xades

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// Limits of the reader; a document that exceeds them is not refused by
// accident: each signature and each reference may cost a pass over it.
const (
	maxSignatures    = 64     // counter-signatures included
	maxNesting       = 4      // of counter-signatures
	maxReferences    = 64     // of one signature, to parts of the document
	maxAllReferences = 512    // of all
	maxFiles         = 10_000 // that one signature refers to
	maxAllFiles      = 10 * maxFiles
	maxCertificates  = 256 // in one signature, and as many lists and answers
	maxTokens        = 64
	maxValue         = 64 << 10 // bytes of the SignatureValue element
	maxPasses        = 8        // over the document, for all signatures together
)

// Signature is one XML signature of a document as read. What it says holds
// only after Verify returned nil.
type Signature struct {
	ID   string
	Path string // where it is: /a/b[2]/ds:Signature
	// Certificate is the signer's as the signed properties name it; nil when
	// the signature does not have it.
	Certificate *x509.Certificate
	// Certificates are all of KeyInfo.
	Certificates []*x509.Certificate
	// SigningTime is the signer's claim; zero when there is none.
	SigningTime time.Time
	MediaType   string // of the first thing signed
	Algorithm   cms.Algorithm
	// Digests are the digests used for references; CertificateDigest is the one by
	// which the signature names its certificate, 0 if it does not.
	Digests           []crypto.Hash
	CertificateDigest crypto.Hash
	// Value is the signature value as in the document (ECDSA as r‖s).
	Value []byte
	// Properties are what the signer signed beside the document. ContentStamps
	// are among Stamps too, with what they must be of.
	Properties ades.Properties
	// Stamps are all time-stamps in the order of their making, as far as the
	// signature's structure tells it.
	Stamps []ades.Stamp
	// Covers says what is under the signature beside its own properties, and
	// Coverage what that is altogether.
	Covers   []Covered
	Coverage Coverage
	// CoversDocument is true when nothing of the document is outside of what the
	// signature covers, but signatures.
	CoversDocument bool
	// Countersignatures are over the value of this signature.
	Countersignatures []Signature

	missing    []string // of level B-B, see Missing
	doc        *document
	node       *c14n.Node
	parent     *Signature // of a counter-signature
	problem    error      // first structural fault
	evidence   ades.Evidence
	info       *c14n.Node
	infoMethod method
	value      *c14n.Node
	keyInfo    *c14n.Node
	qualifying *c14n.Node
	properties *c14n.Node
	unsigned   *c14n.Node   // UnsignedSignatureProperties
	objects    []*c14n.Node // beside that of the properties
	references []reference
	listed     []reference // in Manifests
	resolved   bool        // all of them
	hasBinding bool        // SigningCertificate or SigningCertificateV2 is there
	signedV2   bool        // and is as baseline wants it
	formats    map[string]string
}

// HasEvidenceRecord reports whether the signature carries evidence records (ETSI TS 119
// 132-3, SealingEvidenceRecords). They are not read.
func (s *Signature) HasEvidenceRecord() bool {
	return s.unsigned != nil && slices.ContainsFunc(s.unsigned.Elements(), func(n *c14n.Node) bool { return n.Local == "SealingEvidenceRecords" })
}

// Signatures reads all signatures of a document that are not inside another
// one; counter-signatures are in the signatures they are of. A document without
// any gives none and no error. The error is about the document; faults of one
// signature are reported by its Verify. Kinds: Malformed, Unsupported, Limit.
func Signatures(doc []byte) ([]Signature, error) { return Read(doc, nil) }

// Read is Signatures for signatures that are beside what they sign.
func Read(doc []byte, files Files) ([]Signature, error) {
	tree, err := c14n.Parse(doc)
	if err != nil {
		return nil, fromXML(err)
	}
	return newDocument(tree, files).signatures()
}

type reader struct {
	d     *document
	node  *c14n.Node // ds:Signature
	s     *Signature
	space string // namespace of its XAdES version
	depth int

	referred     map[string]bool // what its references name
	parts, files int             // and how many they are
}

// read fills s with the Signature at n; of is what a counter-signature is of.
func (d *document) read(s *Signature, n *c14n.Node, of *Signature) {
	r := &reader{d: d, node: n, s: s, referred: map[string]bool{}}
	*s = Signature{doc: d, node: n, parent: of, Path: place(n), formats: map[string]string{}}
	for p := of; p != nil; p = p.parent {
		r.depth++
	}
	if d.count++; d.count > maxSignatures || r.depth > maxNesting {
		s.problem = fail(Limit, "the document has more than %d signatures, or counter-signatures of counter-signatures", maxSignatures)
		return
	}
	s.problem = r.read()
}

// read takes the Signature element apart (XMLDSig §4.1).
func (r *reader) read() error {
	s := r.s
	s.ID, _ = r.node.Attr("", "Id")
	if speaks(r.node) {
		return fail(Malformed, "the signature has text between its parts")
	}
	var objects []*c14n.Node
	position := 0
	for _, c := range r.node.Elements() {
		at := 0
		switch {
		case c.Is(dsNamespace, "SignedInfo"):
			at, s.info = 1, c
		case c.Is(dsNamespace, "SignatureValue"):
			at, s.value = 2, c
		case c.Is(dsNamespace, "KeyInfo"):
			at, s.keyInfo = 3, c
		case c.Is(dsNamespace, "Object"):
			at = 4
			objects = append(objects, c)
		}
		if at < position || at == position && at != 4 {
			return fail(Malformed, "the signature has an unexpected part %q: SignedInfo, SignatureValue, KeyInfo and Objects are expected, in this order", c.Local)
		}
		position = at
	}
	if s.info == nil || s.value == nil {
		return fail(Malformed, "the signature has no SignedInfo or no SignatureValue")
	}
	if s.value.End-s.value.Start > maxValue {
		return fail(Limit, "the SignatureValue has more than %d bytes", maxValue)
	}
	var err error
	if s.Value, err = decode(s.value); err != nil {
		return err
	}
	if s.keyInfo != nil {
		if err := r.certificates(s.keyInfo); err != nil {
			return err
		}
	}
	if err := r.object(objects); err != nil {
		return err
	}
	if err := r.signedInfo(); err != nil {
		return err
	}
	r.coverage()
	r.baseline()
	return r.unsignedProperties()
}

// decode reads base64 content.
func decode(n *c14n.Node) ([]byte, error) {
	text, ok := n.Text()
	if !ok {
		return nil, fail(Malformed, "%s has elements inside", n.Local)
	}
	text = strings.Map(func(c rune) rune {
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			return -1
		}
		return c
	}, text)
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil, fail(Malformed, "%s is not base64", n.Local)
	}
	return b, nil
}

// certificates reads those of KeyInfo (XMLDSig §4.5.4).
func (r *reader) certificates(n *c14n.Node) error {
	for _, data := range n.Elements() {
		if !data.Is(dsNamespace, "X509Data") {
			continue
		}
		for _, c := range data.Elements() {
			if !c.Is(dsNamespace, "X509Certificate") {
				continue
			}
			cert, err := certificate(c)
			if err != nil {
				return err
			}
			if r.s.Certificates = append(r.s.Certificates, cert); len(r.s.Certificates) > maxCertificates {
				return fail(Limit, "the signature has more than %d certificates", maxCertificates)
			}
		}
	}
	return nil
}

func certificate(n *c14n.Node) (*x509.Certificate, error) {
	der, err := decode(n)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, &Error{Kind: Malformed, Msg: "a certificate of the signature cannot be read", Err: err}
	}
	return cert, nil
}

// speaks reports whether there is text between the elements of n that is more than
// white space: nothing says what it would mean, and it is not signed.
func speaks(n *c14n.Node) bool {
	return slices.ContainsFunc(n.Children, func(c *c14n.Node) bool {
		return c.Kind == c14n.TextNode && strings.Trim(c.Value, " \t\r\n") != ""
	})
}

// object finds the one Object with the qualifying properties of this signature,
// which holds nothing else (EN 319 132-1 §4.3).
func (r *reader) object(all []*c14n.Node) error {
	for _, n := range all {
		children := n.Elements()
		of := false
		for _, c := range children {
			of = of || c.Local == "QualifyingProperties" && isXAdES(c.Space)
		}
		switch {
		case !of:
			r.s.objects = append(r.s.objects, n)
		case r.s.qualifying != nil:
			return fail(Malformed, "the signature has QualifyingProperties twice")
		case len(children) != 1 || speaks(n) || speaks(children[0]):
			return fail(Malformed, "the Object with the QualifyingProperties of the signature holds something else too")
		default:
			r.s.qualifying = children[0]
		}
	}
	q := r.s.qualifying
	if q == nil {
		return fail(Unbound, "the signature has no XAdES properties: it does not say which certificate made it")
	}
	r.space = q.Space
	if target, _ := q.Attr("", "Target"); r.s.ID == "" || target != "#"+r.s.ID || r.d.ids[r.s.ID] != r.node {
		return fail(Malformed, "the QualifyingProperties are not those of this signature: Target %q does not name it alone", target)
	}
	seen := map[string]bool{}
	for _, c := range q.Elements() {
		if c.Space != r.space || seen[c.Local] || c.Local != "SignedProperties" && c.Local != "UnsignedProperties" {
			return fail(Malformed, "the QualifyingProperties have an unexpected part %q", c.Local)
		}
		seen[c.Local] = true
		if c.Local == "SignedProperties" {
			r.s.properties = c
		}
	}
	var err error
	if r.s.unsigned, err = r.path(q, "UnsignedProperties", "UnsignedSignatureProperties"); err != nil || r.s.properties == nil {
		return err
	}
	return r.signedProperties(r.s.properties)
}

// one finds the only child of that name; nil when there is none.
func one(n *c14n.Node, space, local string) (*c14n.Node, error) {
	var found *c14n.Node
	for _, c := range n.Children {
		if !c.Is(space, local) {
			continue
		}
		if found != nil {
			return nil, fail(Malformed, "%s has %s twice", n.Local, local)
		}
		found = c
	}
	return found, nil
}

// path follows only children of the XAdES namespace down; nil when one is absent.
func (r *reader) path(n *c14n.Node, locals ...string) (*c14n.Node, error) {
	var err error
	for _, l := range locals {
		if n, err = one(n, r.space, l); n == nil || err != nil {
			return nil, err
		}
	}
	return n, nil
}

// text gives the text of a child, "" when there is none.
func (r *reader) text(n *c14n.Node, locals ...string) (string, error) {
	n, err := r.path(n, locals...)
	if err != nil || n == nil {
		return "", err
	}
	s, _ := n.Text()
	return strings.TrimSpace(s), nil
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
	for _, n := range references {
		if err := r.refer(n, false); err != nil {
			return err
		}
	}
	properties := false
	for i := range s.references {
		ref := &s.references[i]
		properties = properties || ref.target == s.properties && ref.target != nil
		if ref.target.Is(dsNamespace, "Manifest") {
			if err := r.manifest(ref.target); err != nil {
				return err
			}
		}
	}
	if s.properties == nil || !properties {
		return fail(Unbound, "the signature does not cover its own SignedProperties")
	}
	s.resolved = true
	return s.unsignedObject()
}

// refer reads a reference of SignedInfo or, listed, of a Manifest.
func (r *reader) refer(n *c14n.Node, listed bool) error {
	ref, err := r.reference(n)
	if err != nil {
		return err
	}
	to := &r.s.references
	if ref.listed = listed; listed {
		to = &r.s.listed
	}
	if err := r.count(&ref); err != nil {
		return err
	}
	if r.referred[ref.what] {
		return fail(Malformed, "the signature refers to %s twice", ref.what)
	}
	r.referred[ref.what] = true
	*to = append(*to, ref)
	if !slices.Contains(r.s.Digests, ref.hash) {
		r.s.Digests = append(r.s.Digests, ref.hash)
	}
	return nil
}

// count holds the references to what they may cost. Each to a part of the document
// may be a pass over that; one to a file is a digest that is made once.
func (r *reader) count(ref *reference) error {
	if ref.target == nil {
		if r.files++; r.files > maxFiles {
			return fail(Limit, "the signature refers to more than %d files", maxFiles)
		}
		if r.d.fileReferences++; r.d.fileReferences > maxAllFiles {
			return fail(Limit, "the signatures refer to more than %d files", maxAllFiles)
		}
		return nil
	}
	r.parts++
	if r.d.references++; r.d.references > maxAllReferences || r.parts > maxReferences {
		return fail(Limit, "the signature has more than %d references, or all of them more than %d", maxReferences, maxAllReferences)
	}
	return nil
}

// manifest reads a Manifest in an Object of the signature (XMLDSig §5.1). XMLDSig
// leaves it to the application which of its references must be right; here all
// of them must.
func (r *reader) manifest(n *c14n.Node) error {
	if n.Parent.Parent != r.node || !n.Parent.Is(dsNamespace, "Object") || len(n.Parent.Elements()) != 1 {
		return fail(Unsupported, "a Manifest that is not alone in an Object of the signature is not supported")
	}
	for _, c := range n.Elements() {
		if !c.Is(dsNamespace, "Reference") {
			return fail(Malformed, "a Manifest has an unexpected part %q", c.Local)
		}
		if err := r.refer(c, true); err != nil {
			return err
		}
	}
	for _, ref := range r.s.listed {
		if ref.target.Is(dsNamespace, "Manifest") || ref.target != nil && ref.target == r.s.properties {
			return fail(Malformed, "a Manifest lists a Manifest or the signed properties")
		}
	}
	return nil
}
