package counter

import (
	"context"
	"errors"
	"time"

	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// Kind tells what went wrong, for the edges to map.
type Kind string

// The kinds of [Error]. Errors of the rooms signing and auth/staff pass through as they
// are: what a member has no right to, factors that are wrong, certificates that cannot
// sign.
const (
	NotFound     Kind = "not-found"     // no such session, tablet, customer or document at this centre
	NotPermitted Kind = "not-permitted" // the member may not do this
	SamePerson   Kind = "same-person"   // it takes a second person
	SignedOut    Kind = "signed-out"    // the second person has not signed in anywhere
	Invalid      Kind = "invalid"       // what was filled in makes no sense; Msg says what
	BadState     Kind = "bad-state"     // the session is past this step, or not there yet
	TabletBusy   Kind = "tablet-busy"   // the tablet, or the customer, has a session
	TabletAway   Kind = "tablet-away"   // the tablet was not heard of lately
	NoProfile    Kind = "no-profile"    // the customer has to be enrolled first
	NoConsent    Kind = "no-consent"    // the customer has not consented, or has withdrawn
	Unread       Kind = "unread"        // not every page was shown yet, or the findings are not accepted
	Locked       Kind = "locked"        // the customer's signature was not recognised too often; RetryAfter says for how long none is looked at
	Stale        Kind = "stale"         // what was captured cannot be used: sign again
	WrongCode    Kind = "wrong-code"    // no registration code that is good now
	Unknown      Kind = "unknown"       // no tablet has this token
	TooMany      Kind = "too-many"      // too many documents, pages or tablets
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

// fromStore gives an error of the database its meaning; nil stays nil, and what is of
// another room stays what it is.
func fromStore(err error) error {
	var e *store.Error
	if !errors.As(err, &e) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fail(Unavailable, "who asked has gone, or it took too long; try again", err)
	}
	switch e.Kind {
	case store.NotFound:
		return fail(NotFound, "there is no such thing here", err)
	case store.Conflict:
		return fail(BadState, "it was changed in the meantime; look again", err)
	case store.Busy, store.Full:
		return fail(Unavailable, "the database is busy or full; try again", err)
	}
	return fail(Internal, "the database failed", err)
}

// fromVault gives an error of the vault its meaning; nil stays nil.
func fromVault(err error) error {
	if err == nil {
		return nil
	}
	msg := "the vault refuses this"
	var e *vault.Error
	if errors.As(err, &e) && e.Msg != "" {
		msg = e.Msg
	}
	switch vault.KindOf(err) {
	case vault.StaleCapture, vault.BadSample:
		return fail(Stale, msg, err)
	case vault.SignatureLocked:
		return &Error{Kind: Locked, Msg: msg, RetryAfter: e.RetryAfter, Err: err}
	case vault.NotAllowed, vault.BadRequest:
		return fail(BadState, msg, err)
	}
	return signing.FromVault(err)
}
