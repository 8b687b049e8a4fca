package ledger

import (
	"crypto"
	"encoding/asn1"
	"time"
)

// Limits of an entry. The first is what a reader reserves memory for.
const (
	MaxToken = 1 << 17 // bytes of Token, certificates included
	MaxName  = 200     // bytes of Unit, Account, Lot each
	MaxNonce = 255     // bytes of Nonce
)

// Entry is one token that was issued and all that is recorded about it.
type Entry struct {
	Seq     int64                 // given by the ledger: from 1, without gaps
	Unit    string                // name of the time-stamping unit
	Serial  int64                 // of the token, positive, never twice per unit
	GenTime time.Time             // as the token states it; kept in nanoseconds, UTC
	Policy  asn1.ObjectIdentifier // as the token states it
	Hash    crypto.Hash           // of the imprint
	Imprint []byte                // Hash.Size() bytes
	Nonce   []byte                // content octets of the INTEGER; nil when the request had none
	Account string                // who asked, never ""
	Lot     string                // the prepaid lot it was taken from; "" for an account without lots

	// Token is the token as delivered (ContentInfo, DER), and
	// Token[Certs[0]:Certs[1]] its certificates field, which is stored once per
	// unit; equal indexes: it has none. Both are for Append: what Lookup returns
	// has neither, see [Ledger.Token].
	Token []byte
	Certs [2]int

	// Unverified says that Policy is [Options.Unverified], on what Lookup returns.
	Unverified bool

	segment int64 // first sequence number of the segment it is in
	place   int64 // of its frame in the segment
}

// Head is the state of the ledger after an entry: Hash covers all entries up to
// Seq, and with them all of the ledger before. The zero Head is that of nothing.
type Head struct {
	Seq  int64
	Hash [32]byte
}

// Query selects entries; fields that are zero select nothing away.
type Query struct {
	Digest   []byte
	Serial   int64
	Unit     string
	Account  string
	From, To time.Time // GenTime in [From, To)
	After    int64     // only entries with a greater Seq: to go on where an answer ended
	Limit    int       // at most so many; 0 or more than MaxLimit means MaxLimit. Export takes 0 as all.
	Newest   bool      // Lookup: from the end, newest first (After is then the upper end, when set)
}

// MaxLimit is the most entries that Lookup returns at once.
const MaxLimit = 1000

// Month is how many stamps an account used in a month (UTC) of a lot.
type Month struct {
	Account, Lot string
	Month        string // "2026-11"
	Stamps       int64
}
