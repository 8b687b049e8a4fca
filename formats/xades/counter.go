package xades

import (
	"io"

	"sigillo/formats/c14n"
)

// counterPackaging is the packaging of a counter-signature in Prepared.
const counterPackaging Packaging = "counter-signature"

// counter reads a CounterSignature (EN 319 132-1 §5.2.7.2).
func (r *reader) counter(n *c14n.Node) error {
	all := n.Elements()
	if len(all) != 1 || !isSignature(all[0]) {
		return fail(Malformed, "CounterSignature does not hold one Signature")
	}
	r.s.Countersignatures = append(r.s.Countersignatures, Signature{})
	r.d.read(&r.s.Countersignatures[len(r.s.Countersignatures)-1], all[0], r.s)
	return nil
}

// PrepareCounter computes what has to be signed for a counter-signature: a
// signature of the value of another one, by somebody who has seen it. index is
// that of Signatures. The document is signed and assembled as with Prepare.
// Kinds: as Prepare.
func PrepareCounter(doc io.ReaderAt, size int64, index int, o Options) (*Prepared, error) {
	if o.Packaging != "" || o.Parallel || o.Element != "" || len(o.Properties.ContentStamps) > 0 {
		return nil, fail(BadOptions, "a counter-signature has no packaging and no content time-stamps")
	}
	a, err := o.algorithm()
	if err != nil {
		return nil, err
	}
	tree, src, err := parse(doc, size)
	if err != nil {
		return nil, err
	}
	d := newDocument(tree, nil)
	all, err := d.signatures()
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(all) {
		return nil, fail(BadOptions, "the document has no signature number %d", index)
	}
	s := &all[index]
	id, ok := "", false
	if s.value != nil {
		id, ok = s.value.Attr("", "Id")
	}
	if s.problem != nil || s.space() != xadesNamespace || !ok || d.ids[id] != s.value {
		return nil, &Error{Kind: Unsupported, Msg: "the signature cannot be counter-signed: it is broken, of an old version, or its SignatureValue has no Id of its own", Err: s.problem}
	}
	at := s.append()
	if err := allow(d, all, int(at.At), false); err != nil {
		return nil, err
	}
	p := &Prepared{Size: size, SHA256: src.sha256, Encoding: tree.Encoding(), At: at.At, Skip: at.Skip, Name: at.Name,
		Before: at.Before + "<xades:CounterSignature" + declare(s.host(), "xades") + ">", After: "</xades:CounterSignature>" + at.After}
	p.ID = identifier(src.sha256, o)
	o.Packaging = counterPackaging
	return p, p.fill(a, o, []part{{uri: "#" + id, kind: counterType, transforms: transformXML(string(c14n.Exclusive)),
		write: canonicalPart(s.value, c14n.Exclusive, false)}})
}
