package cades

import (
	"errors"
	"fmt"

	"sigillo/formats/cms"
)

// Kind says what sort of thing went wrong. The kinds of package cms come through
// unchanged.
type Kind = cms.Kind

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "cades: " + e.Msg + ": " + e.Err.Error()
	}
	return "cades: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package or of cms, and "" for others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return cms.KindOf(err)
}

func fail(k Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}
