// Package vault is the private-key side of the appliance: a process of its own,
// the only one that loads the PKCS#11 module and knows the token's PIN.
//
// It listens on a Unix socket and speaks a small typed protocol (see wire.go).
// It trusts the process at the other end with nothing. The records of holders
// and credentials live in the web process's database, but each carries a MAC of
// the token, so a record is either the one the vault made or refused. A holder's
// key can be used in one way only:
//
//   - Authorise checks both factors of the holder here, with an OTP that was
//     never used before, and mints a SAD (signature activation data, ETSI EN 419
//     241-1): a token bound to the holder, the credential, its key, the exact
//     digests, and five minutes. ExtendSAD mints another for what one has not signed
//     yet, until a quarter of an hour after the holder was there.
//   - Sign consumes digests of that SAD, each once, journals the intent, lets the
//     token derive and unwrap the key, signs exactly those digests, checks the
//     signatures and answers.
//
// Which record of a credential is the current one the vault remembers: one from before
// the password was changed, or of a credential that was destroyed, is refused although
// its MAC is right (credstate.go).
//
// A credential may be made for the automatic procedure instead. Its holder can give a
// delegation, once and with both factors, and until it ends SADs are minted within its
// bounds without the holder (delegate.go says what that means for the control of the
// key).
//
// The password is needed by the arithmetic: the key that unwraps a holder's key
// is derived in the token from a value that only the stretched password gives,
// and which travels sealed inside the SAD. The OTP is needed by policy: the
// vault refuses without it, mathematics does not. The host is trusted; this is
// not a certified signature creation device, and docs/security.md says so.
//
// A credential may be graphometric: at a counter, where an operator shows a second factor, a
// handwritten signature on a registered tablet releases the key for exact digests
// (captureops.go, capturematch.go). What signatures are compared with, and the secret that
// the key hangs from, rest encrypted under keys of their own (profilestate.go says what that
// means for the control of the key).
//
// With [Config].TSA the vault is the back end of the time-stamping authority too:
// package tsa runs here, with the clock that proves the time, the serial numbers and
// the keys of the units. The service in front, which knows the accounts and keeps the
// archive, has stamps made over a stream of its own ([Client.Stamp]); it can choose
// neither time nor number, nor have anything else signed with those keys. A unit is
// made, certified, activated and ended by the responsible of the time-stamping
// service, who gives a passphrase (passphrase.go, units.go). The state of all that is
// in rows under MACs, bound to each other (tsastate.go).
//
// A vault that dies and is started again by its supervisor goes on stamping: the
// service kept the ticket of the activation in memory, and orders that were not
// answered are sent again. After a start of the machine somebody has to give the
// passphrase, but where a file holds it.
//
// What the vault itself remembers is little and local: what of each holder's devices
// was used and which record of the factors counts (holderstate.go, change.go), what
// was used of the SADs of the last minutes, the current record of each credential, the
// delegations, the state of the time-stamping service, and a hash-chained journal.
// Each row carries a MAC, so an edit of the file is noticed; rows of SADs, credentials
// and delegations are compared with the journal, so that one that was removed or put
// back as it was once is noticed too. Going back to an older copy of the whole file is
// not, and gains the repetition of a code within its ninety seconds, of a signature
// over the same digests, the use of a credential or delegation that was ended since
// with what else that takes: the factors of then, or the service.
//
// Every intent is durable before the token is asked, every result before the
// answer leaves. Requests carry identifiers: one that is sent again because the
// vault died meanwhile gets the answer it would have got.
package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigillo/hsm"
	"sigillo/store"
)

// Kind says what went wrong. It is the same on both ends of the socket.
type Kind string

// The kinds of [Error].
const (
	// WrongPassword and WrongOTP are told apart for the journal and the lock-out
	// only. They take the same time; a face must not tell them apart to the user.
	WrongPassword Kind = "WrongPassword"
	WrongOTP      Kind = "WrongOTP"
	// ReusedOTP: the code was right but has been used; wait for the next one.
	ReusedOTP Kind = "ReusedOTP"
	// WantsPasskey: the code was right, but who has a passkey changes the factors with
	// that, or with a recovery code.
	WantsPasskey Kind = "WantsPasskey"
	// WeakPassword: the new password is too weak, or was stolen elsewhere.
	WeakPassword Kind = "WeakPassword"
	// Locked: too many failures in a row; RetryAfter says how long to wait.
	Locked Kind = "Locked"
	// BadSAD: not a SAD of this vault, or not for this request.
	BadSAD Kind = "BadSAD"
	// SpentSAD: the SAD has been used by another request.
	SpentSAD Kind = "SpentSAD"
	// ExpiredSAD: the SAD is too old; authorise again.
	ExpiredSAD Kind = "ExpiredSAD"
	// Mismatch: the handwritten signature is not near enough; sign again, Left says how
	// often that is possible.
	Mismatch Kind = "Mismatch"
	// Unrecognised: the handwritten signature was refused, and no other one is looked at in
	// this capture: go another way.
	Unrecognised Kind = "Unrecognised"
	// SignatureLocked: handwritten signatures of this customer were not recognised too often;
	// RetryAfter says how long none is looked at. Nothing else of the customer is locked.
	SignatureLocked Kind = "SignatureLocked"
	// BadSample: what the tablet sent is not a signature that could be compared; Msg says
	// why. It is no attempt: arm and sign again.
	BadSample Kind = "BadSample"
	// StaleCapture: the capture was not armed for this, or armed anew, or it came too late:
	// arm and sign again.
	StaleCapture Kind = "StaleCapture"
	// Tampered: a record is not as the vault left it. Nothing is done with it.
	Tampered Kind = "Tampered"
	// NotAllowed: the request is understood and refused.
	NotAllowed Kind = "NotAllowed"
	// TokenGone: the token cannot be reached.
	TokenGone Kind = "TokenGone"
	// Busy: too much to do at the moment; try again.
	Busy Kind = "Busy"
	// Undelivered: the courier could not deliver a text. What it told is good for
	// nothing else.
	Undelivered Kind = "Undelivered"
	// Full: there is no space left for the vault's state. Nothing was done.
	Full Kind = "Full"
	// Lost: the vault's state is missing. The vault does not start.
	Lost Kind = "Lost"
	// Unavailable: the vault does not answer on its socket.
	Unavailable Kind = "Unavailable"
	// BadRequest: the request makes no sense.
	BadRequest Kind = "BadRequest"
	// Failed: something below failed; the vault's log has the cause.
	Failed Kind = "Failed"
)

var kinds = map[Kind]bool{
	WrongPassword: true, WrongOTP: true, ReusedOTP: true, WantsPasskey: true, WeakPassword: true, Locked: true, BadSAD: true, SpentSAD: true,
	ExpiredSAD: true, Tampered: true, NotAllowed: true, TokenGone: true, Busy: true, Full: true,
	Lost: true, Unavailable: true, BadRequest: true, Failed: true, Undelivered: true,
	Mismatch: true, Unrecognised: true, SignatureLocked: true, BadSample: true, StaleCapture: true,
}

// Error is the error of this package. Msg tells the user what to do and holds
// nothing secret. Err stays on the side where it arose.
type Error struct {
	Kind       Kind
	Msg        string
	Err        error
	RetryAfter time.Duration // with Locked, SignatureLocked and Busy: how long to wait
	Left       int           // with Mismatch: attempts
	Reason     string        // with BadSample: a graphometric.Reason, for faces
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("vault: %s: %v", e.Msg, e.Err)
	}
	return "vault: " + e.Msg
}

// Unwrap returns the cause, if there is one on this side of the socket.
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

// retryAfter is how long err says to wait.
func retryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

func fail(k Kind, msg string) error { return &Error{Kind: k, Msg: msg} }

func failf(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, args...)}
}

// because turns an error of a room below into one of this room.
func because(err error, msg string) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	kind := Failed
	var he *hsm.Error
	var se *store.Error
	switch {
	case errors.As(err, &he):
		switch he.Kind {
		case hsm.TokenGone:
			kind = TokenGone
		case hsm.Busy:
			kind = Busy
		case hsm.Unsupported:
			kind = NotAllowed
		}
	case errors.As(err, &se):
		switch se.Kind {
		case store.Busy:
			kind = Busy
		case store.Full:
			kind = Full
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		kind = Busy
	}
	return &Error{Kind: kind, Msg: msg, Err: err}
}
