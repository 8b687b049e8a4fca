package pki

import (
	"errors"
	"fmt"

	"sigillo/store"
)

// Kind says what sort of failure an [Error] is.
type Kind string

// The kinds of failure.
const (
	BadRequest     Kind = "BadRequest"     // the request is wrong; the message says what
	NotFound       Kind = "NotFound"       // no such certificate, authority or list
	Conflict       Kind = "Conflict"       // the certificate's state does not allow it
	Exists         Kind = "Exists"         // the ceremony was held already
	Refused        Kind = "Refused"        // the linter objects to the certificate; nothing was signed
	KeyUnavailable Kind = "KeyUnavailable" // the key cannot be used now; try again
	Unpublished    Kind = "Unpublished"    // the status was changed and is durable, the list does not show it yet
	Busy           Kind = "Busy"
	Full           Kind = "Full"
	Failed         Kind = "Failed"
)

// Error is the one error type of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
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

func errorf(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Msg: "pki: " + fmt.Sprintf(format, args...)}
}

func wrap(k Kind, what string, err error) error {
	return &Error{Kind: k, Msg: "pki: " + what, Err: err}
}

// stored gives an error of the store its Kind here; errors of this package pass.
func stored(what string, err error) error {
	var own *Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	kinds := map[store.Kind]Kind{store.NotFound: NotFound, store.Conflict: Conflict, store.Busy: Busy, store.Full: Full}
	k, ok := kinds[store.KindOf(err)]
	if !ok {
		k = Failed
	}
	return wrap(k, what, err)
}
