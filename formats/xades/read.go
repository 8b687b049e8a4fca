package xades

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"time"

	"sigillo/formats/c14n"
)

// Limits of the reader; a document that exceeds them is not refused by
// accident: each signature and each reference may cost a pass over it.
const (
	maxSignatures   = 16
	maxReferences   = 4
	maxCertificates = 32
	maxTokens       = 16
	maxValue        = 64 << 10 // bytes of the SignatureValue element; each token keeps its canonical form
)

// Token is a signature time-stamp.
type Token struct {
	// DER is the TimeStampToken, not checked here.
	DER []byte
	// Stamped are the bytes its imprint must be of: the canonical SignatureValue.
	Stamped []byte
}

// Signature is one XML signature of a document as read. What it says holds
// only after Verify returned nil.
type Signature struct {
	ID string
	// Certificate is the signer's as the signed properties name it; nil when
	// KeyInfo does not have it.
	Certificate *x509.Certificate
	// Certificates are all of KeyInfo.
	Certificates []*x509.Certificate
	// SigningTime is the signer's claim; zero when there is none.
	SigningTime time.Time
	MediaType   string
	Algorithm   Algorithm
	// Digests are the digests used for references and for the certificate.
	Digests []crypto.Hash
	// Value is the signature value as in the document (ECDSA as r‖s).
	Value  []byte
	Tokens []Token
	// CoversDocument is true when a reference covers all of the document but
	// the signature itself.
	CoversDocument bool
	// Missing names what EN 319 132-1 §6.3 requires of level B-B and the
	// signature lacks.
	Missing []string

	problem      error // first structural fault
	info         *c14n.Node
	infoMethod   method
	properties   *c14n.Node
	references   []reference
	hasBinding   bool // SigningCertificate or SigningCertificateV2 is there
	signedV2     bool // and is as baseline wants it
	value        *c14n.Node
	documentID   string // Id of the reference that covers the document
	dataObjectID string // what DataObjectFormat refers to
}

// Signatures reads all signatures of a document that are not inside another
// one. A document without any gives none and no error. The error is about the
// document; faults of one signature are reported by its Verify.
// Kinds: Malformed, Unsupported, Limit.
func Signatures(doc []byte) ([]Signature, error) {
	tree, err := c14n.Parse(doc)
	if err != nil {
		return nil, fromXML(err)
	}
	var nodes []*c14n.Node
	tree.Root.Walk(func(n *c14n.Node) bool {
		if n.Is(dsNamespace, "Signature") {
			nodes = append(nodes, n)
			return false
		}
		return true
	})
	if len(nodes) > maxSignatures {
		return nil, fail(Limit, "the document has more than %d signatures", maxSignatures)
	}
	ids := identifiers(tree)
	out := make([]Signature, len(nodes))
	for i, n := range nodes {
		r := reader{tree: tree, ids: ids, node: n, s: &out[i]}
		out[i].problem = r.read()
	}
	return out, nil
}

// identifiers finds the elements by everything any reader could take for an
// identifier. A value that occurs twice maps to nil.
func identifiers(tree *c14n.Document) map[string]*c14n.Node {
	ids := map[string]*c14n.Node{}
	tree.Root.Walk(func(n *c14n.Node) bool {
		for _, a := range n.Attrs {
			if !strings.EqualFold(a.Local, "id") {
				continue
			}
			if _, twice := ids[a.Value]; twice {
				ids[a.Value] = nil
			} else {
				ids[a.Value] = n
			}
		}
		return true
	})
	return ids
}

type reader struct {
	tree *c14n.Document
	ids  map[string]*c14n.Node
	node *c14n.Node // ds:Signature
	s    *Signature
}

// read takes the Signature element apart (XMLDSig §4.1).
func (r *reader) read() error {
	r.s.ID, _ = r.node.Attr("", "Id")
	var object *c14n.Node
	position := 0
	for _, c := range r.node.Elements() {
		at := 0
		switch {
		case c.Is(dsNamespace, "SignedInfo"):
			at, r.s.info = 1, c
		case c.Is(dsNamespace, "SignatureValue"):
			at, r.s.value = 2, c
		case c.Is(dsNamespace, "KeyInfo"):
			at = 3
			if err := r.keyInfo(c); err != nil {
				return err
			}
		case c.Is(dsNamespace, "Object"):
			at, object = 4, c
		}
		if at <= position {
			// A second Object could hold anything, outside what is signed.
			return fail(Malformed, "the signature has an unexpected part %q: SignedInfo, SignatureValue, KeyInfo and one Object are expected, in this order", c.Local)
		}
		position = at
	}
	if r.s.info == nil || r.s.value == nil {
		return fail(Malformed, "the signature has no SignedInfo or no SignatureValue")
	}
	if r.s.value.End-r.s.value.Start > maxValue {
		return fail(Limit, "the SignatureValue has more than %d bytes", maxValue)
	}
	var err error
	if r.s.Value, err = decode(r.s.value); err != nil {
		return err
	}
	if object == nil {
		return fail(Unbound, "the signature has no XAdES properties: it does not say which certificate made it")
	}
	if err := r.object(object); err != nil {
		return err
	}
	if err := r.signedInfo(); err != nil {
		return err
	}
	r.baseline()
	return nil
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

// keyInfo reads the certificates (XMLDSig §4.5.4).
func (r *reader) keyInfo(n *c14n.Node) error {
	for _, data := range n.Elements() {
		if !data.Is(dsNamespace, "X509Data") {
			continue
		}
		for _, c := range data.Elements() {
			if !c.Is(dsNamespace, "X509Certificate") {
				continue
			}
			if len(r.s.Certificates) == maxCertificates {
				return fail(Limit, "the signature has more than %d certificates", maxCertificates)
			}
			der, err := decode(c)
			if err != nil {
				return err
			}
			cert, err := x509.ParseCertificate(der)
			if err != nil {
				return &Error{Kind: Malformed, Msg: "a certificate of the signature cannot be read", Err: err}
			}
			r.s.Certificates = append(r.s.Certificates, cert)
		}
	}
	return nil
}

// object reads the Object, which must hold the qualifying properties of this
// signature and nothing else (EN 319 132-1 §4.3).
func (r *reader) object(n *c14n.Node) error {
	children := n.Elements()
	if len(children) != 1 || !children[0].Is(xadesNamespace, "QualifyingProperties") {
		return fail(Malformed, "the Object of the signature holds something other than its QualifyingProperties")
	}
	q := children[0]
	if target, _ := q.Attr("", "Target"); r.s.ID == "" || target != "#"+r.s.ID || r.ids[r.s.ID] != r.node {
		return fail(Malformed, "the QualifyingProperties are not those of this signature: Target %q does not name it alone", target)
	}
	seen := map[string]bool{}
	for _, c := range q.Elements() {
		if c.Space != xadesNamespace || seen[c.Local] {
			return fail(Malformed, "the QualifyingProperties have an unexpected part %q", c.Local)
		}
		seen[c.Local] = true
		var err error
		switch c.Local {
		case "SignedProperties":
			r.s.properties = c
			err = r.signedProperties(c)
		case "UnsignedProperties":
			err = r.unsignedProperties(c)
		default:
			err = fail(Malformed, "the QualifyingProperties have an unexpected part %q", c.Local)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// one finds the only child of that name; nil when there is none.
func one(n *c14n.Node, space, local string) (*c14n.Node, error) {
	var found *c14n.Node
	for _, c := range n.Elements() {
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
func path(n *c14n.Node, locals ...string) (*c14n.Node, error) {
	var err error
	for _, l := range locals {
		if n, err = one(n, xadesNamespace, l); n == nil || err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (r *reader) signedProperties(n *c14n.Node) error {
	if at, err := path(n, "SignedSignatureProperties", "SigningTime"); err != nil {
		return err
	} else if at != nil {
		text, _ := at.Text()
		if r.s.SigningTime, err = time.Parse(time.RFC3339, strings.TrimSpace(text)); err != nil {
			return fail(Malformed, "SigningTime %q is not a date and time with a time zone", text)
		}
	}
	if err := r.signingCertificate(n); err != nil {
		return err
	}
	format, err := path(n, "SignedDataObjectProperties", "DataObjectFormat")
	if err != nil || format == nil {
		return err
	}
	object, _ := format.Attr("", "ObjectReference")
	r.s.dataObjectID = strings.TrimPrefix(object, "#")
	media, err := path(format, "MimeType")
	if err != nil || media == nil {
		return err
	}
	r.s.MediaType, _ = media.Text()
	return nil
}

// unsignedProperties reads the signature time-stamps.
func (r *reader) unsignedProperties(n *c14n.Node) error {
	u, err := path(n, "UnsignedSignatureProperties")
	if err != nil || u == nil {
		return err
	}
	for _, c := range u.Elements() {
		if !c.Is(xadesNamespace, "SignatureTimeStamp") {
			continue
		}
		if len(r.s.Tokens) == maxTokens {
			return fail(Limit, "the signature has more than %d time-stamps", maxTokens)
		}
		t, err := r.timestamp(c)
		if err != nil {
			return err
		}
		r.s.Tokens = append(r.s.Tokens, t)
	}
	return nil
}

// timestamp reads a SignatureTimeStamp with the implicit mechanism
// (EN 319 132-1 §5.1.4.4.1).
func (r *reader) timestamp(n *c14n.Node) (Token, error) {
	m := method{algorithm: c14n.C14N10}
	var der []byte
	for _, c := range n.Elements() {
		var err error
		switch {
		case c.Is(dsNamespace, "CanonicalizationMethod"):
			m, err = readMethodOf(c)
		case c.Is(xadesNamespace, "EncapsulatedTimeStamp") && der == nil:
			if e, ok := c.Attr("", "Encoding"); ok && e != "http://uri.etsi.org/01903/v1.2.2#DER" {
				return Token{}, fail(Unsupported, "the time-stamp encoding %q is not supported", e)
			}
			der, err = decode(c)
		default:
			err = fail(Unsupported, "SignatureTimeStamp has an unsupported part %q", c.Local)
		}
		if err != nil {
			return Token{}, err
		}
	}
	if der == nil {
		return Token{}, fail(Malformed, "SignatureTimeStamp has no token")
	}
	stamped, err := m.bytes(r.s.value)
	return Token{DER: der, Stamped: stamped}, err
}

// baseline lists what level B-B requires and the signature lacks.
func (r *reader) baseline() {
	s := r.s
	if s.SigningTime.IsZero() {
		s.Missing = append(s.Missing, "SigningTime")
	}
	if !s.signedV2 {
		s.Missing = append(s.Missing, "SigningCertificateV2")
	}
	if s.MediaType == "" || s.dataObjectID == "" || s.dataObjectID != s.documentID {
		s.Missing = append(s.Missing, "DataObjectFormat of the document with MimeType")
	}
}
