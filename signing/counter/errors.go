package counter

import (
	"errors"
	"time"
)

// Kind tells what went wrong, for the edges to map.
type Kind string

// The kinds of [Error]. Errors of the signing room pass through as they are.
const (
	NotFound     Kind = "not-found"     // no such session, tablet, customer or document at this centre
	NotPermitted Kind = "not-permitted" // the role has no right to it, or the member no centre
	SamePerson   Kind = "same-person"   // it takes a second person
	Invalid      Kind = "invalid"       // what was filled in makes no sense; Msg says what
	BadState     Kind = "bad-state"     // the session is past this step, or not there yet
	TabletBusy   Kind = "tablet-busy"   // the tablet has a session
	TabletAway   Kind = "tablet-away"   // the tablet was not heard of lately
	NoProfile    Kind = "no-profile"    // the customer has to be enrolled first
	NoConsent    Kind = "no-consent"    // the customer has not consented, or has withdrawn
	Unread       Kind = "unread"        // not every page was shown yet
	Stale        Kind = "stale"         // what was captured is too old, or of another session: sign again
	WrongCode    Kind = "wrong-code"    // no registration code that is good now
	Unknown      Kind = "unknown"       // no tablet has this token
	TooMany      Kind = "too-many"      // too many sessions, documents, pages or tablets
	Unavailable  Kind = "unavailable"   // the vault or the database cannot be reached; nothing was lost
	Internal     Kind = "internal"      // a fault of ours
)

// Error is the one error type of this room. Msg tells the user what to do.
type Error struct {
	Kind       Kind
	Msg        string
	RetryAfter time.Duration
	Err        error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "counter: " + e.Msg + ": " + e.Err.Error()
	}
	return "counter: " + e.Msg
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: "" for nil, Internal for an error that is not of this
// package.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

func fail(k Kind, msg string, err error) error { return &Error{Kind: k, Msg: msg, Err: err} }
