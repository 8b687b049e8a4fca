package appearance

import (
	"errors"
	"fmt"
)

// Kind says what went wrong, so that a caller can decide without reading the message.
type Kind string

// The kinds of errors of this package.
const (
	BadOptions Kind = "BadOptions" // sizes, layout or rotation that cannot be
	BadText    Kind = "BadText"    // text that is not UTF-8, or has characters that the font lacks
	BadImage   Kind = "BadImage"   // an image that is damaged, or of a kind that is not supported
	DoesNotFit Kind = "DoesNotFit" // the area is too small
	Limit      Kind = "Limit"      // a text or an image that is too large
)

// Error is the error of every function of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "appearance: " + e.Msg + ": " + e.Err.Error()
	}
	return "appearance: " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the first [Error] in err's chain, or "" when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func failure(kind Kind, format string, args ...any) error {
	return &Error{Kind: kind, Msg: fmt.Sprintf(format, args...)}
}
