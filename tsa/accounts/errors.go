package accounts

import (
	"errors"
	"fmt"
	"time"
)

// Kind says why a caller gets no stamp, or why a change was not made.
type Kind string

// The kinds of [Error].
const (
	// Unknown: nobody is known by these credentials (HTTP 401).
	Unknown Kind = "Unknown"
	// NotPermitted: the caller is known and may not: suspended, closed, from
	// another network (PKIFailureInfo badRequest, RFC 3161 §2.4.2).
	NotPermitted Kind = "NotPermitted"
	// Exhausted: no stamp is left.
	Exhausted Kind = "Exhausted"
	// RateLimited: too many at once; the same call succeeds later.
	RateLimited Kind = "RateLimited"
	// LockedOut: too many wrong passwords came from the address; Wait says for how
	// long none is looked at. It is said of the address alone, so it tells nothing
	// about which user names there are.
	LockedOut Kind = "LockedOut"
	// BadChange: the change makes no sense; Msg says what to do.
	BadChange Kind = "BadChange"
	// NotFound: there is no such account, lot or credential.
	NotFound Kind = "NotFound"
	// Conflict: the name is taken, or somebody else changed the same meanwhile.
	Conflict Kind = "Conflict"
	// Busy: another process holds the database; the same call succeeds later.
	Busy Kind = "Busy"
	// Full: the disk is full; nothing was changed.
	Full Kind = "Full"
	// Failed: anything else.
	Failed Kind = "Failed"
)

// Error is the error of this package. Msg holds nothing secret.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
	Wait time.Duration // of LockedOut: how long to wait; else 0
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "accounts: " + e.Msg + ": " + e.Err.Error()
	}
	return "accounts: " + e.Msg
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
