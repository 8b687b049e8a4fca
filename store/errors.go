package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Kind says what sort of failure an [Error] is. Callers decide on the Kind,
// people read the message.
type Kind string

// The kinds of failure.
const (
	// NotFound: there is no such row.
	NotFound Kind = "NotFound"
	// Conflict: the row exists already, is not in the state the caller
	// expected, or breaks a constraint. Nothing was changed.
	Conflict Kind = "Conflict"
	// Busy: somebody else holds the database; the same call may succeed later.
	Busy Kind = "Busy"
	// Full: the disk (or the quota) is full; nothing was written.
	Full Kind = "Full"
	// Failed: anything else.
	Failed Kind = "Failed"
)

// Error is the one error type of this package.
type Error struct {
	Kind Kind
	Msg  string // what was being done and what the reader can do about it
	Err  error  // the cause, may be nil
}

// Error leaves the driver's words out where the message says it all in ours; they
// are in Err. Of a fault without a name they are all that there is.
func (e *Error) Error() string {
	switch {
	case e.Err == nil, e.Kind == NotFound, e.Kind == Conflict, e.Kind == Busy:
		return e.Msg
	}
	return e.Msg + ": " + e.Err.Error()
}

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

func errorf(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
}

// wrap maps an error of the driver to an *Error. what says what was being
// done, such as "store: put certificate".
func wrap(what string, err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	switch k := kindOfCause(err); k {
	case NotFound:
		return &Error{NotFound, what + ": no such row", err}
	case Conflict:
		return &Error{Conflict, what + ": conflicts with what is stored", err}
	case Busy:
		return &Error{Busy, what + ": the database is in use by another process, try again", err}
	case Full:
		return &Error{Full, what + ": the disk is full, free some space and try again", err}
	default:
		return &Error{Failed, what, err}
	}
}

func kindOfCause(err error) Kind {
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return NotFound
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Full
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Failed
	}
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return Failed
	}
	switch se.Code() & 0xff { // the low byte is the primary result code
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return Busy
	case sqlite3.SQLITE_FULL:
		return Full
	case sqlite3.SQLITE_IOERR:
		// A failing fsync is how ENOSPC and a dying disk reach SQLite. We
		// cannot tell them apart, and the caller must do the same in both
		// cases: stop writing and look at the disk.
		return Full
	case sqlite3.SQLITE_CONSTRAINT:
		return Conflict
	}
	return Failed
}
