package xades

import (
	"crypto"
	"io"
	"strings"

	"sigillo/formats/ades"
	"sigillo/formats/c14n"
)

// stampKinds are the time-stamps of XAdES 1.1.1 to 1.4.1 by local name.
var stampKinds = map[string]ades.StampKind{
	"AllDataObjectsTimeStamp":        ades.ContentStamp,
	"IndividualDataObjectsTimeStamp": ades.ContentStamp,
	"SignatureTimeStamp":             ades.SignatureStamp,
	"SigAndRefsTimeStamp":            ades.ReferencesStamp,
	"SigAndRefsTimeStampV2":          ades.ReferencesStamp,
	"RefsOnlyTimeStamp":              ades.ReferencesStamp,
	"RefsOnlyTimeStampV2":            ades.ReferencesStamp,
	"ArchiveTimeStamp":               ades.ArchiveStamp,
}

// stampElement is a time-stamp property as read.
type stampElement struct {
	node     *c14n.Node
	method   method
	tokens   [][]byte
	includes []string // Ids that the explicit mechanism names
}

// stampElement reads a time-stamp property (EN 319 132-1 §5.1.4.4).
func (r *reader) stampElement(n *c14n.Node) (stampElement, error) {
	e := stampElement{node: n, method: method{algorithm: c14n.C14N10}}
	for _, c := range n.Elements() {
		var err error
		switch {
		case c.Is(dsNamespace, "CanonicalizationMethod"):
			e.method, err = readMethodOf(c)
		case c.Local == "EncapsulatedTimeStamp" && isXAdES(c.Space):
			if encoding, ok := c.Attr("", "Encoding"); ok && !strings.HasSuffix(encoding, "#DER") {
				return e, fail(Unsupported, "the time-stamp encoding %q is not supported", encoding)
			}
			var der []byte
			if der, err = decode(c); err == nil {
				e.tokens = append(e.tokens, der)
			}
		case (c.Local == "Include" || c.Local == "HashDataInfo") && isXAdES(c.Space):
			uri, has := c.Attr("", "URI")
			if !has {
				uri, _ = c.Attr("", "uri") // 1.1.1
			}
			e.includes = append(e.includes, strings.TrimPrefix(uri, "#"))
		default:
			err = fail(Unsupported, "%s has an unsupported part %q", n.Local, c.Local)
		}
		if err != nil {
			return e, err
		}
	}
	if len(e.tokens) == 0 {
		return e, fail(Malformed, "%s has no token", n.Local)
	}
	return e, nil
}

// unsignedProperties reads time-stamps, certificates, revocation data and
// counter-signatures, and before them the content time-stamps.
func (r *reader) unsignedProperties() error {
	data, err := r.path(r.s.properties, "SignedDataObjectProperties")
	if err != nil {
		return err
	}
	var before [][]byte // what a later time-stamp covers
	if data != nil {
		for _, c := range data.Elements() {
			if c.Space == r.space && stampKinds[c.Local] == ades.ContentStamp {
				if err := r.stamp(c, &before); err != nil {
					return err
				}
			}
		}
	}
	for _, c := range r.s.Certificates {
		before = append(before, c.Raw)
	}
	r.s.evidence.Certificates = append(r.s.evidence.Certificates, r.s.Certificates...)
	if r.s.unsigned == nil {
		return nil
	}
	for _, c := range r.s.unsigned.Elements() {
		if !isXAdES(c.Space) {
			continue
		}
		var err error
		switch {
		case stampKinds[c.Local] != "" && stampKinds[c.Local] != ades.ContentStamp:
			err = r.stamp(c, &before)
		case c.Local == "CounterSignature":
			err = r.counter(c)
		default:
			err = r.values(c, &before)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stamp reads a time-stamp property and what each token of it must be of.
func (r *reader) stamp(n *c14n.Node, before *[][]byte) error {
	e, err := r.stampElement(n)
	if err != nil {
		return err
	}
	s := r.s
	if len(s.Stamps)+len(e.tokens) > maxTokens {
		return fail(Limit, "the signature has more than %d time-stamps", maxTokens)
	}
	kind := stampKinds[n.Local]
	if kind == ades.ArchiveStamp && n.Space == xadesNamespace {
		s.missing = append(s.missing, "ArchiveTimeStamp of XAdES 1.4.1")
	}
	var covers [][]byte
	switch kind {
	case ades.ArchiveStamp:
		covers = append([][]byte(nil), *before...)
	case ades.SignatureStamp, ades.ReferencesStamp:
		if s.Certificate != nil {
			covers = [][]byte{s.Certificate.Raw} // its digest is signed
		}
	}
	for _, der := range e.tokens {
		s.Stamps = append(s.Stamps, ades.Stamp{Kind: kind, DER: der, Covers: covers,
			Imprint: func(h crypto.Hash) ([]byte, error) { return s.imprint(e, h) }})
		*before = append(*before, der)
		if kind == ades.ContentStamp {
			s.Properties.ContentStamps = append(s.Properties.ContentStamps, der)
		}
	}
	return nil
}

func (s *Signature) imprint(e stampElement, h crypto.Hash) ([]byte, error) {
	if digestURIs[h] == "" {
		return nil, fail(Unsupported, "the digest algorithm of the time-stamp is not supported")
	}
	d := h.New()
	if err := s.stamped(e, d); err != nil {
		return nil, err
	}
	return d.Sum(nil), nil
}

// stamped writes the octets that a time-stamp is over.
func (s *Signature) stamped(e stampElement, w io.Writer) error {
	switch e.node.Local {
	case "AllDataObjectsTimeStamp", "IndividualDataObjectsTimeStamp":
		return s.stampedContent(e, w)
	case "SignatureTimeStamp":
		for _, id := range e.includes {
			if s.doc.ids[id] != s.value {
				return fail(Unsupported, "the time-stamp names %q and not the signature value", id)
			}
		}
		return s.doc.canonicalize(w, s.value, e.method, nil)
	case "ArchiveTimeStamp":
		return s.stampedArchive(e, w)
	}
	return s.stampedReferences(e, w)
}

// stampedContent writes what content time-stamps are over: what all references
// cover but the signed properties (EN 319 132-1 §5.2.8.1), or those that the
// time-stamp includes (§5.2.8.2).
func (s *Signature) stampedContent(e stampElement, w io.Writer) error {
	all := e.node.Local == "AllDataObjectsTimeStamp"
	if all != (len(e.includes) == 0) {
		return fail(Unsupported, "the time-stamp %s names what it is over in a way that is not supported", e.node.Local)
	}
	write := func(ref *reference) error { return ref.write(s.doc, w, &e.method) }
	if all {
		for i := range s.references {
			if s.references[i].target == s.properties {
				continue
			}
			if err := write(&s.references[i]); err != nil {
				return err
			}
		}
		return nil
	}
	byID := map[string]*reference{}
	for i := range s.references {
		byID[s.references[i].id] = &s.references[i]
	}
	delete(byID, "")
	for _, id := range e.includes {
		ref := byID[id]
		if ref == nil {
			return fail(Malformed, "the time-stamp names %q, which is no reference of the signature, or twice", id)
		}
		delete(byID, id)
		if err := write(ref); err != nil {
			return err
		}
	}
	return nil
}

// stampedArchive writes what an archive time-stamp is over, in the order of EN
// 319 132-1 §5.5.2.2: what all references cover, SignedInfo, SignatureValue and
// KeyInfo, the unsigned properties before it, the other Objects.
func (s *Signature) stampedArchive(e stampElement, w io.Writer) error {
	if e.node.Space != xades141Namespace || len(e.includes) > 0 {
		return fail(Unsupported, "archive time-stamps of XAdES before 1.4.1, or over parts named one by one, are not supported")
	}
	return s.archived(w, e.method, e.node)
}

// archived writes what an archive time-stamp at a node would be over; nil: at
// the end of the unsigned properties.
func (s *Signature) archived(w io.Writer, m method, before *c14n.Node) error {
	for i := range s.references {
		if err := s.references[i].write(s.doc, w, &m); err != nil {
			return err
		}
	}
	parts := []*c14n.Node{s.info, s.value}
	if s.keyInfo != nil {
		parts = append(parts, s.keyInfo)
	}
	if s.unsigned != nil {
		for _, c := range s.unsigned.Elements() {
			if c == before {
				break
			}
			parts = append(parts, c)
		}
	}
	for _, n := range append(parts, s.objects...) {
		if err := s.doc.canonicalize(w, n, m, nil); err != nil {
			return err
		}
	}
	return nil
}

// stampedReferences writes what the time-stamps over references to
// certificates and revocation data are over (EN 319 132-1 §A.1.5).
func (s *Signature) stampedReferences(e stampElement, w io.Writer) error {
	if len(e.includes) > 0 {
		return fail(Unsupported, "a time-stamp over parts named one by one is not supported")
	}
	v2 := strings.HasSuffix(e.node.Local, "V2")
	wanted := map[string]bool{"CompleteRevocationRefs": true, "AttributeRevocationRefs": true,
		"CompleteCertificateRefs": !v2, "AttributeCertificateRefs": !v2, "CompleteCertificateRefsV2": v2, "AttributeCertificateRefsV2": v2}
	if strings.HasPrefix(e.node.Local, "SigAndRefs") {
		wanted["SignatureTimeStamp"] = true
		if err := s.doc.canonicalize(w, s.value, e.method, nil); err != nil {
			return err
		}
	}
	for _, c := range s.unsigned.Elements() {
		if c == e.node {
			break
		}
		if wanted[c.Local] && isXAdES(c.Space) {
			if err := s.doc.canonicalize(w, c, e.method, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
