package tsa

import (
	"crypto"
	"encoding/asn1"
	"slices"
	"time"

	"sigillo/formats/der"
)

// Policy is a time-stamp policy: under its identifier the authority states how
// exact its time is and by which units it stamps which digests.
type Policy struct {
	// Name is for people: in the journal and on pages.
	Name string
	// OID is what requests ask for and tokens state (RFC 3161 §2.4.1, §2.4.2).
	OID asn1.ObjectIdentifier
	// Hashes are the digest algorithms of imprints that are accepted; none means
	// SHA-256, SHA-384 and SHA-512 (EN 319 422 §5). SHA-3 is accepted where it is
	// named here, SHA-1 only under [Policy2013].
	Hashes []crypto.Hash
	// Accuracy is stated in the tokens: between a millisecond and the second that
	// EN 319 421 allows. The clock must keep it.
	Accuracy time.Duration
	// Series names the units that stamp under this policy: those whose
	// [UnitConfig] names the same.
	Series string
	// Qualified puts the statement esi4-qtstStatement-1 into the tokens: they are
	// qualified electronic time-stamps (EN 319 422 §9.1).
	Qualified bool

	sha1 bool // SHA-1 may be among Hashes
}

// Policy2013 gives a policy with the digests of the Italian rules of 22 February
// 2013: SHA-256, and SHA-1 for programs of that time. SHA-1 no longer protects what
// is stamped: whoever sets this policy up wants it for customers who cannot do
// otherwise. No policy is like this unless it is made here.
func Policy2013(name string, oid asn1.ObjectIdentifier, accuracy time.Duration, series string) Policy {
	return Policy{
		Name: name, OID: oid, Accuracy: accuracy, Series: series,
		Hashes: []crypto.Hash{crypto.SHA256, crypto.SHA1}, sha1: true,
	}
}

// policy is a Policy that was checked, in the form that requests are held against.
type policy struct {
	Policy
	element []byte // OBJECT IDENTIFIER as a request has it
	hashes  uint64 // bit h: digests of crypto.Hash h are accepted
	index   int    // in the authority's list
}

var defaultHashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

func newPolicy(p Policy) (*policy, error) {
	out := &policy{Policy: p, element: der.OID(p.OID)}
	switch {
	case out.element == nil:
		return nil, fail(BadConfig, nil, "policy %q needs an object identifier", p.Name)
	case p.Series == "":
		return nil, fail(BadConfig, nil, "policy %q needs a series of units", p.Name)
	case p.Accuracy < time.Millisecond || p.Accuracy > time.Second:
		return nil, fail(BadConfig, nil, "the accuracy of policy %q must be between a millisecond and a second", p.Name)
	}
	out.OID = slices.Clone(p.OID)
	if len(p.Hashes) == 0 {
		out.Hashes = defaultHashes
	}
	out.Hashes = slices.Clone(out.Hashes)
	for _, h := range out.Hashes {
		switch h {
		case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512:
		case crypto.SHA1:
			if !p.sha1 {
				return nil, fail(BadConfig, nil, "policy %q must not accept SHA-1; if it is for programs of before 2014, make it by Policy2013", p.Name)
			}
		default:
			return nil, fail(BadConfig, nil, "policy %q accepts a digest algorithm that is too weak or not known; use SHA-256, SHA-384 or SHA-512", p.Name)
		}
		out.hashes |= 1 << h
	}
	return out, nil
}

func (p *policy) accepts(h crypto.Hash) bool { return p.hashes&(1<<h) != 0 }
