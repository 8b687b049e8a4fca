package xades

import (
	"bytes"
	"cmp"
	"crypto"
	"io"
	"slices"
	"strings"

	"sigillo/formats/ades"
	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

// Stamping is an extension that lacks only its time-stamp tokens. It holds no
// document content and can be stored as JSON.
type Stamping struct {
	Hash       string      `json:"hash"`
	Size       int64       `json:"size"`
	SHA256     []byte      `json:"sha256"`
	Encoding   string      `json:"encoding"`
	Insertions []insertion `json:"insertions"`
	Digests    [][]byte    `json:"imprints"`
}

// Imprints are what the tokens must be of, one each.
func (s *Stamping) Imprints() [][]byte { return s.Digests }

// Assemble writes the raised document. All bytes of the document stay, but for
// the "/>" of an element that was empty. Nothing is written when the document is
// not the prepared one or a token is of something else. Kinds: Changed,
// BadOptions, Failed.
func (s *Stamping) Assemble(w io.Writer, doc io.ReaderAt, size int64, tokens [][]byte) error {
	if err := sameDocument(doc, size, s.Size, s.SHA256); err != nil {
		return err
	}
	if len(tokens) != len(s.Digests) {
		return fail(BadOptions, "%d time-stamp tokens are needed, not %d", len(s.Digests), len(tokens))
	}
	all := slices.Clone(s.Insertions)
	next := 0
	for i := range all {
		if !all[i].Token {
			continue
		}
		if next == len(tokens) {
			return fail(Malformed, "the prepared extension is damaged")
		}
		t, err := cms.ParseToken(tokens[next])
		if err != nil {
			return &Error{Kind: BadOptions, Msg: "the time-stamp token cannot be read", Err: err}
		}
		if t.Info.Hash.String() != s.Hash || !bytes.Equal(t.Info.Imprint, s.Digests[next]) {
			return fail(BadOptions, "the time-stamp token number %d is of something else", next)
		}
		all[i].Before += encode(tokens[next])
		next++
	}
	return apply(w, doc, size, s.Encoding, all)
}

// raising is what the three extensions have in common.
type raising struct {
	d      *document
	src    source
	all    []Signature
	chosen []*Signature
	hash   crypto.Hash
	e      ades.Extension
}

// raise reads the signatures that are to be raised. They must be right: a broken
// signature does not become better.
func raise(doc io.ReaderAt, size int64, e ades.Extension, files Files) (*raising, error) {
	r := &raising{hash: e.Hash, e: e}
	if r.hash == 0 {
		r.hash = crypto.SHA256
	}
	if _, ok := hashNames[r.hash.String()]; !ok {
		return nil, fail(BadOptions, "stamp with SHA-256, SHA-384 or SHA-512, not %s", r.hash)
	}
	tree, src, err := parse(doc, size)
	if err != nil {
		return nil, err
	}
	r.d, r.src = newDocument(tree, files), src
	if r.all, err = r.d.signatures(); err != nil {
		return nil, err
	}
	indexes := e.Signatures
	if indexes == nil {
		for i := range r.all {
			indexes = append(indexes, i)
		}
	}
	if len(indexes) == 0 {
		return nil, fail(BadOptions, "the document has no signature to raise")
	}
	seen := map[int]bool{}
	for _, i := range indexes {
		if i < 0 || i >= len(r.all) || seen[i] {
			return nil, fail(BadOptions, "the document has no signature number %d, or it is named twice", i)
		}
		seen[i] = true
		s := &r.all[i]
		switch err := s.Verify(); KindOf(err) {
		case "", NotCovering, ContentMissing:
		default:
			return nil, err
		}
		if s.space() != xadesNamespace {
			return nil, fail(Unsupported, "the signature %s is of an old version of XAdES and cannot be raised", s.ID)
		}
		at := s.append()
		if err := allow(r.d, r.all, int(at.At), false); err != nil {
			return nil, err
		}
		r.chosen = append(r.chosen, s)
	}
	return r, nil
}

// space is the namespace of the XAdES version.
func (s *Signature) space() string {
	if s.qualifying == nil {
		return ""
	}
	return s.qualifying.Space
}

// append says where a last unsigned property goes and what has to stand around
// it where the elements it belongs in are not there yet.
func (s *Signature) append() insertion {
	in := func(n *c14n.Node) insertion {
		i := insertion{At: int64(n.CloseStart)}
		if n.Empty {
			i.Skip, i.Name = int64(n.End-n.CloseStart), qualified(n)
		}
		return i
	}
	if s.unsigned != nil {
		return in(s.unsigned)
	}
	var outer *c14n.Node
	for _, c := range s.qualifying.Elements() {
		if c.Local == "UnsignedProperties" {
			outer = c
		}
	}
	open, end := "<xades:UnsignedSignatureProperties"+declare(s.qualifying, "xades")+">", "</xades:UnsignedSignatureProperties>"
	if outer == nil {
		i := in(s.qualifying)
		i.Before, i.After = "<xades:UnsignedProperties"+declare(s.qualifying, "xades")+">"+open, end+"</xades:UnsignedProperties>"
		return i
	}
	i := in(outer)
	if inner := outer.Elements(); len(inner) > 0 { // UnsignedDataObjectProperties come after
		i = insertion{At: int64(inner[0].Start)}
	}
	i.Before, i.After = open, end
	return i
}

// host is the element whose namespaces hold where append puts something.
func (s *Signature) host() *c14n.Node {
	if s.unsigned != nil {
		return s.unsigned
	}
	return s.qualifying
}

// ours are the prefixes of what is written.
var ours = map[string]string{"ds": dsNamespace, "xades": xadesNamespace, "xades141": xades141Namespace}

// declare gives the declarations that make prefixes ours inside n; what is so
// already is not declared again.
func declare(n *c14n.Node, prefixes ...string) string {
	out := ""
	for _, p := range prefixes {
		if namespaceOf(n, p) != ours[p] {
			out += ` xmlns:` + p + `="` + ours[p] + `"`
		}
	}
	return out
}

// stamping makes a Stamping of insertions, each with a token, and their imprints.
func (r *raising) stamping(insertions []insertion, imprints [][]byte) *Stamping {
	order := make([]int, len(insertions))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(insertions[a].At, insertions[b].At) })
	s := &Stamping{Hash: r.hash.String(), Size: int64(len(r.src.text)), SHA256: r.src.sha256, Encoding: r.d.tree.Encoding()}
	for _, i := range order {
		s.Insertions = append(s.Insertions, insertions[i])
		s.Digests = append(s.Digests, imprints[i])
	}
	return s
}

// PrepareTimestamp raises signatures to level B-T: a SignatureTimeStamp over each
// signature value (EN 319 132-1 §5.3). Signatures need not be ours; they must be
// right, and no signature may cover the place where the time-stamp goes.
// Kinds: BadOptions, AlreadySigned, and those of Signatures and Verify.
func PrepareTimestamp(doc io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	r, err := raise(doc, size, e, OneFile(e.Content, e.ContentSize))
	if err != nil {
		return nil, err
	}
	var insertions []insertion
	var imprints [][]byte
	for _, s := range r.chosen {
		h := r.hash.New()
		if err := r.d.canonicalize(h, s.value, method{algorithm: c14n.Exclusive}, nil); err != nil {
			return nil, err
		}
		insertions = append(insertions, s.stampAfter("", "xades:SignatureTimeStamp"))
		imprints = append(imprints, h.Sum(nil))
	}
	return r.stamping(insertions, imprints), nil
}

// stampAfter plans a time-stamp after other new unsigned properties.
func (s *Signature) stampAfter(other, name string) insertion {
	i := s.append()
	prefix, _, _ := strings.Cut(name, ":")
	before, after := aroundStamp(name, declare(s.host(), slices.Compact([]string{"ds", "xades", prefix})...))
	i.Before, i.After, i.Token = i.Before+other+before, after+i.After, true
	return i
}

// AddEvidence raises signatures to level B-LT: certificates and revocation data
// are put in that they do not carry yet (EN 319 132-1 §5.4, §5.5.1).
// Kinds: BadOptions, AlreadySigned, and those of Signatures and Verify.
func AddEvidence(w io.Writer, doc io.ReaderAt, size int64, e ades.Extension) error {
	r, err := raise(doc, size, e, OneFile(e.Content, e.ContentSize))
	if err != nil {
		return err
	}
	return apply(w, strings.NewReader(r.src.text), size, r.d.tree.Encoding(), r.evidence())
}

// evidence plans the validation data of all chosen signatures.
func (r *raising) evidence() []insertion {
	var all []insertion
	for _, s := range r.chosen {
		i := s.append()
		i.Before += s.evidenceXML(r.e.Evidence)
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b insertion) int { return cmp.Compare(a.At, b.At) })
	return all
}

// PrepareArchive raises signatures to level B-LTA, or renews that: the evidence
// is put in, then an archive time-stamp over all there is (EN 319 132-1 §5.5.2).
// The content of a detached signature is needed.
// Kinds: BadOptions, AlreadySigned, ContentMissing, and those of Signatures and Verify.
func PrepareArchive(doc io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	return PrepareArchiveFiles(doc, size, e, OneFile(e.Content, e.ContentSize))
}

// PrepareArchiveFiles is PrepareArchive for signatures over several files.
func PrepareArchiveFiles(doc io.ReaderAt, size int64, e ades.Extension, files Files) (*Stamping, error) {
	r, err := raise(doc, size, e, files)
	if err != nil {
		return nil, err
	}
	// The imprints are of the document with the evidence in it.
	var with strings.Builder
	if err := apply(&with, strings.NewReader(r.src.text), size, r.d.tree.Encoding(), r.evidence()); err != nil {
		return nil, err
	}
	tree, err := c14n.ParseLimits(with.String(), c14n.DefaultLimits)
	if err != nil {
		return nil, fromXML(err)
	}
	after := newDocument(tree, files)
	all, err := after.signatures()
	if err != nil {
		return nil, err
	}
	var insertions []insertion
	var imprints [][]byte
	for _, s := range r.chosen {
		h := r.hash.New()
		if err := all[s.index(r.all)].archived(h, method{algorithm: c14n.Exclusive}, nil); err != nil {
			return nil, err
		}
		insertions = append(insertions, s.stampAfter(s.evidenceXML(e.Evidence), "xades141:ArchiveTimeStamp"))
		imprints = append(imprints, h.Sum(nil))
	}
	return r.stamping(insertions, imprints), nil
}

func (s *Signature) index(all []Signature) int {
	return slices.IndexFunc(all, func(o Signature) bool { return o.node == s.node })
}
