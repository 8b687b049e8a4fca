package pdf

import (
	"errors"
	"fmt"
)

// Kind says what went wrong, so that a caller can decide without reading the message.
type Kind string

// The kinds of errors of this package.
const (
	NotPDF      Kind = "NotPDF"      // the file does not begin with a PDF header
	Truncated   Kind = "Truncated"   // the end of the file is missing
	Malformed   Kind = "Malformed"   // the file departs from ISO 32000-1 and is not repaired
	Encrypted   Kind = "Encrypted"   // a password would be needed, or another one
	Unsupported Kind = "Unsupported" // well formed, but outside of what this package does
	Limit       Kind = "Limit"       // more than Limits allow
	Unreadable  Kind = "Unreadable"  // the underlying reader failed
	Unwritable  Kind = "Unwritable"  // the underlying writer failed
)

// Error is the error of every function of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "pdf: " + e.Msg + ": " + e.Err.Error()
	}
	return "pdf: " + e.Msg
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

func malformed(format string, args ...any) error { return failure(Malformed, format, args...) }
