// Package ledger keeps every token that was issued: the archive that the law wants
// for twenty years, the journal per token, and the account of what each customer
// has used, all in ONE record that is on the disk before the answer leaves. Because
// it is one record, the three cannot disagree, whatever crashes when.
//
// The ledger is a folder of segments: files to which batches are appended, and
// which are never written again once they are full. A batch is all the entries that
// waited while the one before was written: one write, one fdatasync, and all its
// callers go on. Nothing waits for a timer.
//
// What a reader may rely on:
//
//   - [Ledger.Append] returned nil: the entry is on the disk. It returned an error:
//     it is not there, and will not be; with one exception no program can avoid. If
//     the disk failed to confirm, nobody knows what it holds, the Kind is Stopped,
//     and nothing is recorded until the ledger is opened again and has looked.
//   - Each batch holds the SHA-256 of the one before, and each segment that of the
//     segment before: an entry cannot be changed, removed, inserted or moved without
//     [Ledger.Verify] finding it. Whoever can write the files can write another
//     ledger that is whole in itself; therefore [Ledger.Head] is signed in the HSM
//     from time to time, and Verify and [Ledger.CheckHead] are given the heads that
//     were signed.
//   - A crash leaves at most one batch in part, of which nobody was told. Open cuts
//     it off, keeps the pieces and says so. Damage anywhere else is an error, and
//     Open then changes nothing.
//   - A serial number comes once per unit, and times do not run against the serial
//     numbers. A token that would break this is refused and never leaves, whatever
//     the back end that made it believes.
//   - The head of a segment holds the sums of all segments before it, so that
//     starting reads one segment and the ends of the others, and what is used of a
//     prepaid lot is what the ledger holds tokens for, exactly.
//   - The file that is written to is at its place when an entry is confirmed. When it
//     is taken away, replaced or cut, everything stops at once.
//   - Files that were lost, cut, or put back as they once were, are missed by Open as
//     far as somebody knows of them. Nothing is recorded then until they are back or
//     their loss was accepted, see [AcceptLoss].
//
// The certificates of a token, two thirds of its bytes, are the same in all tokens
// of a unit; they are stored once per segment and put back by [Ledger.Token], which
// returns what was delivered byte for byte.
//
// To find entries by digest, serial number or account there is an index in a
// database, filled behind the writes at a pace that leaves the processor to those
// who stamp. Lookups take what the index knows and read the rest from the segments:
// they are always complete. The index holds nothing of its own; it can be deleted.
//
// The segments are good for copying while the ledger runs: all but the last never
// change, and the last only grows (it may end in zeros, written ahead).
package ledger

import (
	"encoding/asn1"
	"time"

	"sigillo/store"
)

// Options of [Open]; the zero value is good.
type Options struct {
	// SegmentSize is after how many bytes a new file is begun; 0 means 64 MiB.
	SegmentSize int64
	// Index is the database in which the places of the entries are noted, so that
	// lookups by digest, serial and account need not read the segments; nil: they
	// do. It can be thrown away: what is missing is filled in again.
	Index *store.DB
	// IndexShare is how much of one core the filling of the index may take under
	// load; 0 means 0.1. With 1 it never rests; else what comes within a second is
	// noted together.
	IndexShare float64
	// Rebuild empties the index first.
	Rebuild bool
	// ReadOnly opens the ledger beside the process that holds it: as it is at this
	// moment, changing nothing.
	ReadOnly bool
	// ID is which ledger it is, as others keep it; zero: nobody knows. The files of
	// another are not taken for this one's.
	ID [16]byte
	// Known are states that the ledger was at, as others keep them: a ledger that
	// has not been there is not opened for writing.
	Known []Head
	// Lost are the entries whose loss was accepted. They are not missed any more.
	Lost []Gap
	// Unverified is the policy of tokens whose time nobody vouched for: what states it
	// is marked in answers and exports; nil: nothing is.
	Unverified asn1.ObjectIdentifier
	// OnEvent is told what an operator should know. It is called by one goroutine
	// at a time and must return soon. May be nil.
	OnEvent func(Event)

	now   func() time.Time // nil: time.Now
	retry time.Duration    // of the index; 0: indexRetry
}

// Event is something an operator should know.
type Event struct {
	Kind string // "recovered", "stopped", "full", "failed", "recording" (again), "index-failed", "index-filled" (again), "index-renewed"
	Text string // in words
	Err  error
}

// Format is what [Ledger.Export] writes.
type Format string

// The formats of an export.
const (
	CSV        Format = "csv"        // one line per token
	Accounting Format = "accounting" // CSV, one line per account, lot and month
	Zip        Format = "zip"        // the tokens as files, and index.csv
)

// Totals are the sums over the whole ledger.
type Totals struct {
	Entries  int64
	Accounts map[string]Used
}

// Used is how many stamps an account has used.
type Used struct {
	Stamps int64
	Lots   map[string]int64 // of them by lot; "" is no key
}

// Report is what [Ledger.Verify] has looked at.
type Report struct {
	Entries  int64 // the number of the last
	Lost     int64 // of them, whose loss was accepted
	Free     int64 // numbers left free behind a loss, which nobody knows to have been given
	Segments int
	Bytes    int64
	Head     Head
	Totals   Totals
	Index    error // how the index does not fit the ledger: lookups miss entries; nil: it fits, as far as it goes
}

// Exported says what an export holds.
type Exported struct {
	Entries int64
	LastSeq int64 // pass it as Query.After to go on
	More    bool  // it ended at Query.Limit and there may be more
}
