// Package auth answers one question: who is asking?
//
// It holds the arithmetic of the two factors a holder signs with, the sessions
// of the web face and the delays of the lock-out. It has no database, no
// network and no clock of its own: times come in as arguments, records go out
// through a small interface.
//
// The first factor is a password. It is stretched with Argon2id (RFC 9106) and
// the result, never the password, feeds everything else: [Derive] makes from it
// one value per purpose (HKDF-SHA-256, RFC 5869), so that the value a verifier
// is made of says nothing about the value that unlocks a key. The second factor
// is a one-time password, by the clock (RFC 6238) or by a counter (RFC 4226), or a
// passkey (package auth/passkey). [MatchTOTP] takes the last step that was used and
// accepts only a later one, because RFC 6238 §5.2 wants each code to be good once;
// whoever calls it keeps that number durably before anything is done with the
// answer.
//
// The vault process is the only one that ever sees a holder's secrets next to
// these functions; the web process uses the sessions and the policy.
package auth

import (
	"errors"
	"fmt"
)

// Kind says what went wrong in a way that a program can act on and a face can
// put into the reader's language.
type Kind string

// The kinds of [Error].
const (
	// TooShort: the password has fewer than [MinPassword] characters.
	TooShort Kind = "TooShort"
	// TooLong: the password has more than [MaxPassword] bytes.
	TooLong Kind = "TooLong"
	// TooWeak: the password is a well-known one, or too regular to count.
	TooWeak Kind = "TooWeak"
	// WasBreached: the password is on the list of those that were stolen elsewhere.
	WasBreached Kind = "Breached"
	// ContainsName: the password is, or contains, the user name.
	ContainsName Kind = "ContainsName"
	// NotText: the password is not valid UTF-8 or has control characters.
	NotText Kind = "NotText"
	// NoSession: the token names no session; sign in again.
	NoSession Kind = "NoSession"
	// SessionExpired: the session was idle, or alive, for too long.
	SessionExpired Kind = "SessionExpired"
	// Failed: something below failed; Err has the cause.
	Failed Kind = "Failed"
)

// Error is the error of this package. Msg tells the user what to do and holds
// nothing secret.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("auth: %s: %v", e.Msg, e.Err)
	}
	return "auth: " + e.Msg
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err: "" for nil, Failed for an error that is not
// of this package.
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
