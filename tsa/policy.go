package tsa

import (
	"crypto"
	"encoding/asn1"
	"time"
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
