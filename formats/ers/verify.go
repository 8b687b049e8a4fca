package ers

import (
	"bytes"
	"crypto"

	"sigillo/formats/cms"
	"sigillo/formats/der"
	"sigillo/formats/internal/ber"
)

// Document is a document that a record shall be of.
type Document struct {
	Name string
	// Digest gives its digest; it is asked once for each algorithm and chain.
	Digest func(crypto.Hash) ([]byte, error)
}

// Imprint gives the function that says what time-stamp j of chain i must be over,
// if the record is of the documents (§4.3, §5.3):
//
//	the first of the first chain     the documents
//	a further one of a chain         the time-stamp before it
//	the first of a further chain     the documents with all chains before
//
// The documents are only asked where they are needed. The function fails with
// Mismatch if a document or the time-stamp before is not in the first list of the
// tree, ContentMissing if documents are needed and there are none, Unsupported for
// an algorithm that is not known.
func (r *Record) Imprint(i, j int, documents []Document) func(crypto.Hash) ([]byte, error) {
	return func(h crypto.Hash) ([]byte, error) {
		s := r.Chains[i].Stamps[j]
		if !s.Hash.Available() {
			return nil, fail(cms.Unsupported, "the digest algorithm of a hash tree is not known")
		}
		if s.Hash != h {
			return nil, fail(cms.Mismatch, "a time-stamp is over a digest of %v, its tree is of %v (§4.1)", h, s.Hash)
		}
		if j > 0 && r.Chains[i].Stamps[0].Hash != s.Hash {
			return nil, fail(cms.Mismatch, "a chain uses two digest algorithms (§5.3)")
		}
		if j > 0 {
			var readings [][][]byte
			for _, token := range variants(r.Chains[i].Stamps[j-1].Token) {
				readings = append(readings, [][]byte{sum(s.Hash, token)})
			}
			return s.over(readings)
		}
		if len(documents) == 0 {
			return nil, fail(cms.ContentMissing, "the documents are needed")
		}
		return r.overDocuments(i, documents)
	}
}

// sequences gives the first n chains in DER, and as they stand where that is
// another.
func (r *Record) sequences(n int) [][]byte {
	out, raw := [][]byte{r.sequence(n)}, make([][]byte, n)
	for k := range raw {
		raw[k] = r.Chains[k].raw
	}
	if b := der.TLV(der.Sequence, raw...); !bytes.Equal(b, out[0]) {
		out = append(out, b)
	}
	return out
}

// variants gives an element as it stands and, where that is another, in DER: the
// RFC wants DER, but tokens are kept as they came.
func variants(b []byte) [][]byte {
	out := [][]byte{b}
	if definite, err := ber.Definite(b); err == nil && !bytes.Equal(definite, b) {
		out = append(out, definite)
	}
	return out
}

// over computes the root over one of several readings of the same hashes: the one
// that the token states, else the first that is in the tree.
func (s Stamp) over(readings [][][]byte) ([]byte, error) {
	var first []byte
	var wrong error
	for _, hashes := range readings {
		root, err := climb(s.Hash, s.Tree, hashes)
		switch {
		case err == nil && bytes.Equal(root, s.imprint):
			return root, nil
		case err == nil && first == nil:
			first = root
		case wrong == nil:
			wrong = err
		}
	}
	if first != nil {
		return first, nil
	}
	return nil, wrong
}

// overDocuments computes the root over the documents in chain i. Where chains went
// before there are two ways to put the digests together, see the package comment.
func (r *Record) overDocuments(i int, documents []Document) ([]byte, error) {
	s := r.Chains[i].Stamps[0]
	digests, err := digestsOf(s.Hash, documents)
	if err != nil {
		return nil, err
	}
	return s.over(r.readings(i, digests))
}

// readings gives the hashes that documents have in the first list of chain i, in
// each way in which they can be put together.
func (r *Record) readings(i int, digests [][]byte) (out [][][]byte) {
	if i == 0 {
		return [][][]byte{digests}
	}
	h := r.Chains[i].Stamps[0].Hash
	for _, all := range r.sequences(i) {
		before := sum(h, all)
		plain, sorted := make([][]byte, len(digests)), make([][]byte, len(digests))
		for k, v := range digests {
			plain[k], sorted[k] = sum(h, v, before), node(h, v, before)
		}
		out = append(out, plain, sorted)
	}
	return out
}

// Verify checks the whole record but the trust in the time-stamps: that each is
// over what it must be, later than the one before, and rightly signed (§5.3). For
// those who have no validator at hand; the error is of the first fault. Of time-
// stamps without their certificate NoCertificate is told by package cms.
func (r *Record) Verify(documents []Document) error {
	var before *cms.Token
	for i, c := range r.Chains {
		for j, s := range c.Stamps {
			t, err := cms.ParseToken(s.Token)
			if err != nil {
				return &Error{cms.Malformed, "a time-stamp cannot be read", err}
			}
			if before != nil && t.Info.GenTime.Before(before.Info.GenTime) {
				return fail(cms.Mismatch, "a time-stamp of %v is renewed by one of %v", before.Info.GenTime, t.Info.GenTime)
			}
			if err := t.Verify(r.Imprint(i, j, documents)); err != nil {
				return err
			}
			before = t
		}
	}
	return nil
}

// Group says how many documents the record says belong together: the hashes in the
// first list of the first tree, 1 without a tree. Where another program put the
// neighbours of a single document beside it they are counted too, see the package
// comment.
func (r *Record) Group() int {
	s := r.Chains[0].Stamps[0]
	if len(s.Tree) == 0 {
		return 1
	}
	return len(s.Tree[0])
}

// Has reports whether the record is of a document: whether its digest is in the
// first chain. Several documents of which one is not make [Record.Imprint] fail.
func (r *Record) Has(d Document) (bool, error) {
	s := r.Chains[0].Stamps[0]
	v, err := d.Digest(s.Hash)
	if err != nil {
		return false, err
	}
	root, err := climb(s.Hash, s.Tree, [][]byte{v})
	if KindOf(err) == cms.Mismatch || err == nil && !bytes.Equal(root, s.imprint) {
		return false, nil
	}
	return err == nil, err
}
