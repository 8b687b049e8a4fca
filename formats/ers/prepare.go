package ers

import (
	"bytes"
	"crypto"
	"iter"
	"slices"

	"sigillo/formats/cms"
	"sigillo/formats/der"
	"sigillo/formats/internal/ber"
)

// Group are the digests of documents that belong together and get one record; most
// have one.
type Group [][]byte

// maxGroup bounds the documents of a group.
const maxGroup = 1 << 16

// Prepared are records that lack only their time-stamp. It is plain data.
type Prepared struct {
	Hash string `json:"hash"` // of the tree: "SHA-256", …
	// Groups are the hashes of which each record's first list consists, ascending;
	// one in most.
	Groups [][][]byte `json:"groups"`
	// Records are what is renewed, in DER; nil when new records are made.
	Records [][]byte `json:"records,omitempty"`
	// NewChain says that the renewal begins a new chain (hash-tree renewal).
	NewChain bool `json:"newChain,omitempty"`

	tree *tree
}

// Prepare makes the tree over documents that are given by their digests (§4.2). A
// document that is there twice has one leaf, and so the same record. The error has
// the kind BadOptions.
func Prepare(h crypto.Hash, groups []Group) (*Prepared, error) {
	p := &Prepared{Hash: h.String()}
	for _, g := range groups {
		first, err := firstList(h, g)
		if err != nil {
			return nil, err
		}
		p.Groups = append(p.Groups, first)
	}
	return p, p.grow()
}

// firstList puts the hashes of a group in order, each once.
func firstList(h crypto.Hash, g Group) ([][]byte, error) {
	if len(g) == 0 || len(g) > maxGroup {
		return nil, fail(cms.BadOptions, "a group has between 1 and %d documents", maxGroup)
	}
	list := slices.Clone(g)
	if len(list) > 1 {
		slices.SortFunc(list, bytes.Compare)
		list = slices.CompactFunc(list, bytes.Equal)
	}
	for _, v := range list {
		if len(v) != h.Size() {
			return nil, fail(cms.BadOptions, "a digest has not the length of %v", h)
		}
	}
	return list, nil
}

// grow builds the tree.
func (p *Prepared) grow() error {
	h := cms.HashByName(p.Hash)
	if h != crypto.SHA256 && h != crypto.SHA384 && h != crypto.SHA512 {
		return fail(cms.BadOptions, "the tree is of SHA-256, SHA-384 or SHA-512")
	}
	if len(p.Groups) == 0 || p.Records != nil && len(p.Records) != len(p.Groups) {
		return fail(cms.BadOptions, "there is nothing to make a record of")
	}
	leaves := make([][]byte, len(p.Groups))
	for i, g := range p.Groups {
		if len(g) == 0 {
			return fail(cms.BadOptions, "a group has no documents")
		}
		leaves[i] = node(h, g...)
	}
	p.tree = newTree(h, leaves)
	return nil
}

// PrepareRenewal makes the time-stamp renewal of records (§5.2): one stamp over
// their newest tokens. All must use the same digest algorithm, which stays the
// same in a chain, and have their evidence in ([Record.WithEvidence]).
func PrepareRenewal(records []*Record) (*Prepared, error) {
	p := &Prepared{}
	for _, r := range records {
		s := r.Last()
		if p.Hash == "" {
			p.Hash = s.Hash.String()
		}
		if s.Hash.String() != p.Hash {
			return nil, fail(cms.BadOptions, "the records use %s and %v: renew them apart", p.Hash, s.Hash)
		}
		if !s.Hash.Available() {
			return nil, fail(cms.Unsupported, "the digest algorithm of the record is not known")
		}
		if len(r.Tokens()) >= maxStamps {
			return nil, fail(cms.Limit, "the record has %d time-stamps already", maxStamps)
		}
		token, err := ber.Definite(s.Token)
		if err != nil {
			return nil, under(err)
		}
		p.Groups = append(p.Groups, [][]byte{sum(s.Hash, token)})
		p.Records = append(p.Records, r.Marshal())
	}
	return p, p.grow()
}

// sequence is the ArchiveTimeStampSequence of the first n chains in DER: atsc(i)
// of §5.2 step 3, with its own tag and length.
func (r *Record) sequence(n int) []byte {
	chains := make([][]byte, n)
	for i := range chains {
		chains[i] = r.Chains[i].der
	}
	return der.TLV(der.Sequence, chains...)
}

func sum(h crypto.Hash, parts ...[]byte) []byte {
	d := h.New()
	for _, p := range parts {
		d.Write(p)
	}
	return d.Sum(nil)
}

// HashAlgorithm gives the digest algorithm of the imprint, 0 if the stored name is
// unknown.
func (p *Prepared) HashAlgorithm() crypto.Hash { return cms.HashByName(p.Hash) }

// Imprint gives what the time-stamp has to be over: the root of the tree; nil if the
// Prepared is broken.
func (p *Prepared) Imprint() []byte {
	if p.tree == nil && p.grow() != nil {
		return nil
	}
	return p.tree.root()
}

// Assemble gives the records in DER, one for each group, in their order. They are
// made one by one, for they all have the token in them.
func (p *Prepared) Assemble(token []byte) (iter.Seq2[int, []byte], error) {
	if p.tree == nil {
		if err := p.grow(); err != nil {
			return nil, err
		}
	}
	t, err := cms.ParseToken(token)
	if err != nil {
		return nil, &Error{cms.Malformed, "the time-stamp cannot be read", err}
	}
	h := p.tree.h
	if t.Info.Hash != h || !bytes.Equal(t.Info.Imprint, p.tree.root()) {
		return nil, fail(cms.Mismatch, "the time-stamp is over other data")
	}
	if token, err = ber.Definite(token); err != nil {
		return nil, under(err)
	}
	records := make([]*Record, len(p.Records))
	for i, b := range p.Records {
		if records[i], err = Parse(b); err != nil {
			return nil, err
		}
	}
	return func(yield func(int, []byte) bool) {
		for i, g := range p.Groups {
			s := newStamp(h, p.tree.reduced(g), token)
			r := &Record{}
			if len(records) > 0 {
				r = records[i]
			}
			if n := len(r.Chains); n == 0 || p.NewChain {
				r = r.withChain(n, chainOf([]Stamp{s}), h)
			} else {
				r = r.withChain(n-1, chainOf(append(slices.Clone(r.Chains[n-1].Stamps), s)), h)
			}
			if !yield(i, r.Marshal()) {
				return
			}
		}
	}, nil
}
