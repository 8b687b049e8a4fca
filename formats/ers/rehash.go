package ers

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sigillo/formats/cms"
)

// Missing are the documents of a record that were not given for its hash-tree
// renewal, the cause of an error of the kind ContentMissing.
type Missing struct {
	Record  int         // which of the records
	Hash    crypto.Hash // the digest algorithm of its first chain
	Digests [][]byte    // theirs, as they stand in the first chain
}

func (m *Missing) Error() string {
	const shown = 8
	var list []string
	for _, v := range m.Digests[:min(shown, len(m.Digests))] {
		list = append(list, hex.EncodeToString(v))
	}
	if n := len(m.Digests) - shown; n > 0 {
		list = append(list, fmt.Sprintf("and %d more", n))
	}
	return fmt.Sprintf("%v %s", m.Hash, strings.Join(list, ", "))
}

// Renewal are the choices of a hash-tree renewal.
type Renewal struct {
	// Hash is the digest algorithm of the new tree.
	Hash crypto.Hash
	// Only has the records renewed for the documents given, also if there are hashes
	// of others beside theirs: of documents that were deleted (§5.2 step 2), or of
	// neighbours in the tree. The new chain does not prove these.
	Only bool
}

// PrepareHashTreeRenewal makes the hash-tree renewal of records (§5.2): a new chain
// over the documents of each, digested anew, and the whole record before.
//
// A document that is left out is proven by no later time-stamp, and once the old
// chain has lost its strength by none at all; and that the documents of a group
// belong together is only proven while each chain has them all (§5.3). So all must
// be given: each hash in the first list of a chain must be of one of them. Else the
// error is of the kind ContentMissing and its cause is [*Missing]. Where other
// programs wrote the neighbours in the tree into the first list nobody can tell them
// from a group, see the package comment; who knows says so with [Renewal.Only].
//
// Documents that a record is not of give the kind Mismatch, an algorithm of the
// record that is not known Unsupported.
func PrepareHashTreeRenewal(n Renewal, records []*Record, documents [][]Document) (*Prepared, error) {
	if len(records) != len(documents) {
		return nil, fail(cms.BadOptions, "each record needs its documents")
	}
	p := &Prepared{Hash: n.Hash.String(), NewChain: true}
	if len(records) == 0 || cms.HashByName(p.Hash) != n.Hash || !n.Hash.Available() {
		return nil, fail(cms.BadOptions, "the tree is of SHA-256, SHA-384 or SHA-512")
	}
	for i, r := range records {
		if len(r.Chains) >= maxChains || len(r.Tokens()) >= maxStamps {
			return nil, fail(cms.Limit, "the record has %d chains already", len(r.Chains))
		}
		missing, err := r.missing(documents[i])
		if err != nil {
			return nil, err
		}
		if len(missing) > 0 && !n.Only {
			return nil, &Error{cms.ContentMissing, fmt.Sprintf("the record is of %d documents more than were given", len(missing)),
				&Missing{Record: i, Hash: r.Chains[0].Stamps[0].Hash, Digests: missing}}
		}
		digests, err := digestsOf(n.Hash, documents[i])
		if err != nil {
			return nil, err
		}
		list, err := firstList(n.Hash, digests)
		if err != nil {
			return nil, err
		}
		before := sum(n.Hash, r.sequence(len(r.Chains)))
		for k, v := range list {
			list[k] = sum(n.Hash, v, before)
		}
		slices.SortFunc(list, bytes.Compare)
		p.Groups = append(p.Groups, list)
		p.Records = append(p.Records, r.Marshal())
	}
	return p, p.grow()
}

// missing gives the hashes in the first chain that are of none of the documents. It
// gives none if nothing can be lost: a document that is proven has a hash in every
// chain, so where one has only those of the documents the others were lost before.
func (r *Record) missing(documents []Document) (out [][]byte, err error) {
	if len(documents) == 0 {
		return nil, fail(cms.BadOptions, "each record needs its documents")
	}
	complete := false
	for i := range r.Chains {
		s := r.Chains[i].Stamps[0]
		root, err := r.Imprint(i, 0, documents)(s.Hash)
		if err == nil && !bytes.Equal(root, s.imprint) {
			err = fail(cms.Mismatch, "the record is not of this document")
		}
		if err != nil {
			return nil, err
		}
		digests, err := digestsOf(s.Hash, documents)
		if err != nil {
			return nil, err
		}
		left := s.leftOver(r.readings(i, digests))
		complete = complete || len(left) == 0
		if i == 0 {
			out = left
		}
	}
	if complete {
		return nil, nil
	}
	return out, nil
}

// leftOver gives the hashes in the first list that are not among those of documents.
func (s Stamp) leftOver(readings [][][]byte) (out [][]byte) {
	if len(s.Tree) == 0 {
		return nil
	}
	own := map[string]bool{}
	for _, hashes := range readings {
		for _, v := range hashes {
			own[string(v)] = true
		}
	}
	for _, v := range s.Tree[0] {
		if !own[string(v)] {
			out = append(out, v)
		}
	}
	return out
}

func digestsOf(h crypto.Hash, documents []Document) ([][]byte, error) {
	out := make([][]byte, len(documents))
	for k, d := range documents {
		v, err := d.Digest(h)
		if err != nil {
			return nil, err
		}
		out[k] = v
	}
	return out, nil
}
