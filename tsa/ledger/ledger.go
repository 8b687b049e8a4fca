// Package ledger keeps every token that was issued: the archive that the law
// wants for twenty years, the journal per token, and the account of what each
// customer has used, all in ONE record that is on the disk before the answer
// leaves. Because it is one record, the three can never disagree.
package ledger

import "sigillo/store"

// Options of [Open]; the zero value is good.
type Options struct {
	// SegmentSize is after how many bytes a new file is begun; 0 means 64 MiB.
	SegmentSize int64
	// Index is the database in which the places of the entries are noted, so that
	// lookups by digest, serial and account need not read the segments; nil: they
	// do. It can be thrown away: what is missing is filled in again.
	Index *store.DB
	// IndexShare is how much of one core the filling of the index may take under
	// load; 0 means 0.1.
	IndexShare float64
	// Rebuild empties the index first.
	Rebuild bool
	// ReadOnly opens the ledger beside the process that holds it: as it is at this
	// moment, changing nothing.
	ReadOnly bool
	// OnEvent is told what an operator should know. It is called by one goroutine
	// at a time and must return soon. May be nil.
	OnEvent func(Event)
}

// Event is something an operator should know.
type Event struct {
	Kind string // "recovered", "stopped", "full", "index-failed"
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
	Entries  int64
	Segments int
	Bytes    int64
	Head     Head
	Totals   Totals
}

// Exported says what an export holds.
type Exported struct {
	Entries int64
	LastSeq int64 // pass it as Query.After to go on
	More    bool  // it ended at Query.Limit and there may be more
}
