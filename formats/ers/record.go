package ers

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/der"
	"sigillo/formats/internal/ber"
)

// Bounds of a record.
const (
	// MaxSize is the largest record in octets that is looked at: the tokens of
	// renewed ones carry lists of millions of octets.
	MaxSize   = 64 << 20
	maxChains = 32
	maxStamps = 64       // in all chains
	maxLists  = 64       // of a reduced hash tree: more documents than there are atoms to write them
	maxHashes = maxGroup // in one list
	minHash   = 16       // octets of a hash: no algorithm of any use has fewer
)

// Record is an EvidenceRecord (§3.1).
type Record struct {
	// Chains are the ArchiveTimeStampChains, the oldest first.
	Chains []Chain
	// Encrypted says that the record is of documents that were encrypted
	// (encryptionInfo, §6): it proves what they were then.
	Encrypted bool

	algorithms [][]byte // digestAlgorithms, each as it stands
	optional   []byte   // cryptoInfos and encryptionInfo as they stand
}

// Chain is an ArchiveTimeStampChain: time-stamps, each over the one before.
type Chain struct {
	Stamps []Stamp
	raw    []byte
	der    []byte // the same in DER, which it is unless it came otherwise
}

// Stamp is an ArchiveTimeStamp (§4.1).
type Stamp struct {
	// Hash is the digest algorithm of the tree: that of digestAlgorithm, or of the
	// token where that is absent; 0 if it is not known.
	Hash crypto.Hash
	// Tree is the reduced hash tree, from the document up; nil: none.
	Tree [][][]byte
	// Token is the TimeStampToken as it stands.
	Token []byte

	before  []byte // all fields before the token, as they stand
	imprint []byte // that the token states; nil when it cannot be read
}

// Parse reads an evidence record. What is none gives the kind NotCMS.
func Parse(b []byte) (*Record, error) {
	if len(b) > MaxSize {
		return nil, fail(cms.Limit, "the record has %d octets, more than the %d allowed", len(b), MaxSize)
	}
	src := ber.New(bytes.NewReader(b), int64(len(b)), ber.Limits{Headers: 8 << 20, Memory: 4*int64(len(b)) + 1<<10, Depth: 32})
	root, err := src.Root()
	if err != nil {
		return nil, under(err)
	}
	if !root.Is(ber.Sequence) {
		return nil, fail(cms.NotCMS, "the data are no evidence record")
	}
	f, err := root.Children(5)
	if err != nil {
		return nil, under(err)
	}
	if len(f) < 3 || !f[0].Is(ber.Integer) || !f[1].Is(ber.Sequence) || !f[len(f)-1].Is(ber.Sequence) {
		return nil, fail(cms.NotCMS, "the data are no evidence record")
	}
	r := &Record{}
	if err := r.read(f); err != nil {
		return nil, under(err)
	}
	return r, nil
}

// read takes the fields (§3.1).
func (r *Record) read(f []ber.Element) error {
	if v, err := f[0].Value(); err != nil || len(v) != 1 || v[0] != 1 {
		return fail(cms.Unsupported, "the evidence record is not of version 1")
	}
	algorithms, err := f[1].Children(maxStamps)
	if err != nil {
		return err
	}
	for _, a := range algorithms {
		raw, err := a.Bytes()
		if err != nil {
			return err
		}
		r.algorithms = append(r.algorithms, raw)
	}
	last := byte(0)
	for _, o := range f[2 : len(f)-1] {
		if !o.Is(ber.Context0) && !o.Is(ber.Context1) || o.Tag <= last {
			return fail(cms.Malformed, "the evidence record has a field out of its place")
		}
		last = o.Tag
		r.Encrypted = r.Encrypted || o.Is(ber.Context1)
		raw, err := o.Bytes()
		if err != nil {
			return err
		}
		r.optional = append(r.optional, raw...)
	}
	chains, err := f[len(f)-1].Children(maxChains)
	if err != nil {
		return err
	}
	n := 0
	for _, e := range chains {
		c, err := readChain(e)
		if err != nil {
			return err
		}
		if n += len(c.Stamps); n > maxStamps {
			return fail(cms.Limit, "the evidence record has more than %d time-stamps", maxStamps)
		}
		r.Chains = append(r.Chains, c)
	}
	if n == 0 {
		return fail(cms.Malformed, "the evidence record has no time-stamp")
	}
	return nil
}

func readChain(e ber.Element) (c Chain, err error) {
	stamps, err := e.Children(maxStamps)
	if err != nil {
		return c, err
	}
	if !e.Is(ber.Sequence) || len(stamps) == 0 {
		return c, fail(cms.Malformed, "a chain of the evidence record has no time-stamp")
	}
	if c.raw, err = e.Bytes(); err != nil {
		return c, err
	}
	for _, s := range stamps {
		stamp, err := readStamp(s, c.raw[s.From-e.From:s.To-e.From])
		if err != nil {
			return c, err
		}
		c.Stamps = append(c.Stamps, stamp)
	}
	if c.der, err = ber.Definite(c.raw); err != nil { // of what no format here has: it is hashed as it stands
		c.der = c.raw
	}
	return c, nil
}

func readStamp(e ber.Element, raw []byte) (s Stamp, err error) {
	f, err := e.Children(4)
	if err != nil {
		return s, err
	}
	if !e.Is(ber.Sequence) || len(f) == 0 || !f[len(f)-1].Is(ber.Sequence) {
		return s, fail(cms.Malformed, "a time-stamp of the evidence record is broken")
	}
	token := f[len(f)-1]
	s.Token, s.before = raw[token.From-e.From:token.To-e.From], raw[e.Start-e.From:token.From-e.From]
	named, last := false, byte(0)
	for _, o := range f[:len(f)-1] {
		if o.Tag <= last {
			return s, fail(cms.Malformed, "a time-stamp of the evidence record has a field out of its place")
		}
		switch last = o.Tag; o.Tag {
		case ber.Context0: // [0] IMPLICIT AlgorithmIdentifier
			named = true
			if s.Hash, err = readAlgorithm(o); err != nil {
				return s, err
			}
		case ber.Context1: // attributes: none are known
		case ber.Context2:
			if s.Tree, err = readTree(o); err != nil {
				return s, err
			}
		default:
			return s, fail(cms.Malformed, "a time-stamp of the evidence record has a field that is not known")
		}
	}
	if t, err := cms.ParseToken(s.Token); err == nil { // else it is told when the time-stamp is judged
		s.imprint = t.Info.Imprint
		if !named { // that of the time-stamp (§4.1)
			s.Hash = t.Info.Hash
		}
	}
	return s, nil
}

// readAlgorithm reads an AlgorithmIdentifier under any tag.
func readAlgorithm(e ber.Element) (crypto.Hash, error) {
	f, err := e.Children(2)
	if err != nil {
		return 0, err
	}
	if len(f) == 0 || !f[0].Is(ber.OID) || f[0].To-f[0].From > 64 {
		return 0, fail(cms.Malformed, "a digest algorithm of the evidence record is broken")
	}
	raw, err := f[0].Bytes()
	if err != nil {
		return 0, err
	}
	var oid asn1.ObjectIdentifier
	in := cryptobyte.String(raw)
	if !in.ReadASN1ObjectIdentifier(&oid) {
		return 0, fail(cms.Malformed, "a digest algorithm of the evidence record is broken")
	}
	return cms.HashByOID(oid), nil
}

func readTree(e ber.Element) ([][][]byte, error) {
	lists, err := e.Children(maxLists)
	if err != nil {
		return nil, err
	}
	tree := make([][][]byte, 0, len(lists))
	for _, l := range lists {
		if !l.Is(ber.Sequence) {
			return nil, fail(cms.Malformed, "a hash tree of the evidence record is broken")
		}
		hashes, err := l.Children(maxHashes)
		if err != nil {
			return nil, err
		}
		list := make([][]byte, 0, len(hashes))
		for _, h := range hashes {
			if !h.Is(ber.OctetTag) || h.End-h.Start > 1<<10 || h.End-h.Start < minHash {
				return nil, fail(cms.Malformed, "a hash tree of the evidence record is broken")
			}
			v, err := h.Octets()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		if len(list) == 0 {
			return nil, fail(cms.Malformed, "a hash tree of the evidence record has an empty list")
		}
		tree = append(tree, list)
	}
	return tree, nil
}

// Marshal gives the record in DER. What was read keeps its octets, but for the
// lengths around the chains.
func (r *Record) Marshal() []byte {
	chains := make([][]byte, len(r.Chains))
	for i, c := range r.Chains {
		chains[i] = c.raw
	}
	return der.TLV(der.Sequence, der.Int(1), der.TLV(der.Sequence, r.algorithms...), r.optional, der.TLV(der.Sequence, chains...))
}

// Last gives the newest time-stamp: what a renewal is over.
func (r *Record) Last() Stamp {
	c := r.Chains[len(r.Chains)-1]
	return c.Stamps[len(c.Stamps)-1]
}

// Tokens gives all time-stamps, the oldest first.
func (r *Record) Tokens() (out [][]byte) {
	for _, c := range r.Chains {
		for _, s := range c.Stamps {
			out = append(out, s.Token)
		}
	}
	return out
}

// WithEvidence gives the record with evidence in its newest time-stamp: what shows
// that this is good now, and must be under the next (§4.2, §5.2). What is in it
// already is not repeated.
func (r *Record) WithEvidence(e ades.Evidence) (*Record, error) {
	s := r.Last()
	sd, err := cms.ParseBytes(s.Token, cms.Limits{})
	if err != nil {
		return nil, &Error{cms.Malformed, "the newest time-stamp cannot be read", err}
	}
	if sd, err = sd.Add(cms.Additions{Evidence: e}); err != nil {
		return nil, &Error{cms.Unsupported, "the newest time-stamp takes no evidence", err}
	}
	var token bytes.Buffer
	if err := sd.Write(&token); err != nil {
		return nil, &Error{cms.Failed, "writing the time-stamp", err}
	}
	if s.Token, err = ber.Definite(token.Bytes()); err != nil {
		return nil, under(err)
	}
	c := r.Chains[len(r.Chains)-1]
	return r.withChain(len(r.Chains)-1, chainOf(append(slices.Clone(c.Stamps[:len(c.Stamps)-1]), s)), 0), nil
}

// withChain gives the record with chain i replaced or, behind the last, added, and
// the algorithm among those that it names (§3.1).
func (r *Record) withChain(i int, c Chain, h crypto.Hash) *Record {
	out := *r
	out.Chains = append(slices.Clone(r.Chains[:i]), c)
	if h == 0 {
		return &out
	}
	a := algorithm(der.Sequence, h)
	if !slices.ContainsFunc(r.algorithms, func(x []byte) bool { return sameAlgorithm(x, a) }) {
		out.algorithms = append(slices.Clone(r.algorithms), a)
	}
	return &out
}

// sameAlgorithm compares the identifiers, with whatever parameters.
func sameAlgorithm(a, b []byte) bool {
	oid := func(x []byte) (id cryptobyte.String) {
		in := cryptobyte.String(x)
		if !in.ReadASN1(&in, cbasn1.SEQUENCE) || !in.ReadASN1Element(&id, cbasn1.OBJECT_IDENTIFIER) {
			return nil
		}
		return id
	}
	x := oid(a)
	return x != nil && bytes.Equal(x, oid(b))
}

// algorithm gives an AlgorithmIdentifier without parameters (RFC 5754 §2) under a
// tag.
func algorithm(tag byte, h crypto.Hash) []byte {
	return der.TLV(tag, der.OID(cms.HashOID(h)))
}

// chainOf encodes a chain. Stamps that were read keep their octets.
func chainOf(stamps []Stamp) Chain {
	parts := make([][]byte, len(stamps))
	for i, s := range stamps {
		parts[i] = der.TLV(der.Sequence, s.before, s.Token)
	}
	raw := der.TLV(der.Sequence, parts...)
	return Chain{Stamps: stamps, raw: raw, der: raw}
}

// newStamp makes an ArchiveTimeStamp.
func newStamp(h crypto.Hash, tree [][][]byte, token []byte) Stamp {
	s := Stamp{Hash: h, Tree: tree, Token: token, before: algorithm(der.Context0Con, h)}
	if len(tree) == 0 {
		return s
	}
	lists := make([][]byte, len(tree))
	for i, l := range tree {
		hashes := make([][]byte, len(l))
		for j, v := range l {
			hashes[j] = der.TLV(der.Octets, v)
		}
		lists[i] = der.TLV(der.Sequence, hashes...)
	}
	s.before = append(s.before, der.TLV(der.Context0Con|2, lists...)...)
	return s
}
