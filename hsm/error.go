package hsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// Kind says what went wrong in one word that a caller can act on.
type Kind string

// The kinds of error of this package.
const (
	NotFound    Kind = "not-found"    // no key of that label, or no token of that label
	Conflict    Kind = "conflict"     // the label is taken, or belongs to a key of another kind
	WrongSecret Kind = "wrong-secret" // a wrapped key or a sealed text does not open: wrong secret, wrong context, or changed
	WrongPIN    Kind = "wrong-pin"    // the token refused the PIN (or has locked it)
	TokenGone   Kind = "token-gone"   // module, slot or token cannot be reached; try again later
	Unsupported Kind = "unsupported"  // the token, or this package, does not do that
	Busy        Kind = "busy"         // no session came free before the context ended
	Failed      Kind = "failed"       // anything else
)

// Error is the error of this package. Msg is for the reader of a log or a
// screen; it holds labels and return codes, never a PIN, a secret or a digest.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "hsm: " + e.Msg
	}
	return "hsm: " + e.Msg + ": " + e.Err.Error()
}

// Unwrap returns the cause, often a pkcs11.Error.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the Kind of the first *Error in the chain of err, Failed for
// any other error and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Failed
}

func fail(k Kind, err error, format string, args ...any) *Error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...), Err: err}
}

// damage says how much of what we hold is void after a return code.
type damage int

const (
	damageNone    damage = iota // the call failed, nothing else
	damageHandles               // object handles are stale: look the keys up again
	damageRoom                  // the token has no room: close the sessions that rest
	damageSession               // sessions or the login are void: open and log in again
	damageDevice                // slot, token or library is gone: start from the slot list
)

// damageOf sorts the return codes of PKCS#11 v2.40 §5.1 by what must be thrown
// away. CKR_DEVICE_ERROR counts as a lost device: network tokens report a
// broken connection that way. A key that was there and is not any more counts as
// one too: SoftHSM goes on to believe in a token whose files have gone, and does
// not see them when they are back.
func damageOf(err error) damage {
	if _, ok := errors.AsType[*vanished](err); ok {
		return damageDevice
	}
	rv, ok := errors.AsType[pkcs11.Error](err)
	if !ok {
		return damageNone
	}
	switch uint(rv) {
	case pkcs11.CKR_OBJECT_HANDLE_INVALID, pkcs11.CKR_KEY_HANDLE_INVALID,
		pkcs11.CKR_UNWRAPPING_KEY_HANDLE_INVALID, pkcs11.CKR_WRAPPING_KEY_HANDLE_INVALID:
		return damageHandles
	case pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_USER_NOT_LOGGED_IN:
		return damageSession
	case pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_TOKEN_NOT_PRESENT,
		pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_SLOT_ID_INVALID, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED:
		return damageDevice
	case pkcs11.CKR_SESSION_COUNT, pkcs11.CKR_DEVICE_MEMORY:
		return damageRoom
	}
	return damageNone
}

// unspecific reports whether err says no more than that something is wrong, which
// may be the request or the token.
func unspecific(err error) bool {
	if _, judged := errors.AsType[*Error](err); judged {
		return false
	}
	return isRV(err, pkcs11.CKR_GENERAL_ERROR) || isRV(err, pkcs11.CKR_FUNCTION_FAILED)
}

// vanished is a key that this process has seen in the token and that is not there.
type vanished struct{ label string }

func (v *vanished) Error() string { return fmt.Sprintf("the key %q is not there any more", v.label) }

// typed turns any error into one of ours, keeping those that already are.
func typed(err error, doing string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fail(Busy, err, "%s: gave up waiting for the token", doing)
	}
	if damageOf(err) >= damageSession {
		return fail(TokenGone, err, "%s: the token cannot be reached; check that it is connected and its service runs", doing)
	}
	if rv, ok := errors.AsType[pkcs11.Error](err); ok {
		switch uint(rv) {
		case pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE:
			return fail(WrongPIN, err, "%s: the token refused the PIN", doing)
		case pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_USER_PIN_NOT_INITIALIZED:
			return fail(WrongPIN, err, "%s: the PIN is locked, expired or was never set; the security officer must set it", doing)
		case pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_FUNCTION_NOT_SUPPORTED:
			return fail(Unsupported, err, "%s: the token does not offer it", doing)
		case pkcs11.CKR_SESSION_COUNT:
			return fail(Busy, err, "%s: the token has no session left; lower the number of sessions", doing)
		case pkcs11.CKR_DEVICE_MEMORY:
			return fail(Busy, err, "%s: the token has no memory left at the moment", doing)
		}
	}
	return fail(Failed, err, "%s", doing)
}
