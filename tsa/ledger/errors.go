package ledger

import (
	"errors"
	"fmt"
)

// Kind says what sort of failure an [Error] is.
type Kind string

// The kinds of failure.
const (
	// BadEntry: the entry is not well-formed or larger than the limits; nothing
	// was recorded.
	BadEntry Kind = "BadEntry"
	// Repeated: the unit has used this serial number, or one so much later that it
	// cannot be told any more; nothing was recorded, the token must not go out.
	Repeated Kind = "Repeated"
	// Backwards: the token's time does not fit its serial number: another token of
	// the unit with a smaller number has a later time, or the other way round.
	// Nothing was recorded, the token must not go out.
	Backwards Kind = "Backwards"
	// NotFound: there is no such entry.
	NotFound Kind = "NotFound"
	// Busy: another process holds the ledger, or the disk is so far behind that the
	// time allowed for waiting has passed; nothing was recorded.
	Busy Kind = "Busy"
	// Full: the disk is full; nothing was recorded, later calls may succeed.
	Full Kind = "Full"
	// Stopped: the ledger is closed, or the disk failed in a way that leaves open
	// what it holds. Nothing is recorded until the ledger is opened again.
	Stopped Kind = "Stopped"
	// Damaged: what is on the disk is not what was written.
	Damaged Kind = "Damaged"
	// Foreign: the files, or the index, are whole, but of another ledger.
	Foreign Kind = "Foreign"
	// BadQuery: the query, or the format of the answer, makes no sense.
	BadQuery Kind = "BadQuery"
	// Lost: entries that were recorded are missing. They are to be put back, or their
	// loss is to be accepted, see [AcceptLoss].
	Lost Kind = "Lost"
	// TooMany: the answer would be larger than the limit; narrow the query.
	TooMany Kind = "TooMany"
	// Failed: anything else.
	Failed Kind = "Failed"
)

// Error is the one error type of this package.
type Error struct {
	Kind Kind
	Msg  string // what was being done and what the reader can do about it
	Err  error  // the cause, may be nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "ledger: " + e.Msg + ": " + e.Err.Error()
	}
	return "ledger: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the Kind of the first [Error] in err's chain, "" for nil and
// Failed for an error of another make.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Failed
}

func fail(k Kind, cause error, format string, a ...any) *Error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...), Err: cause}
}
