package cms

import (
	"errors"
	"fmt"
)

// Kind says what sort of thing went wrong.
type Kind string

const (
	// NotCMS: the input is not a ContentInfo with a SignedData in it.
	NotCMS Kind = "not-cms"
	// Malformed: the input starts well and then breaks the syntax.
	Malformed Kind = "malformed"
	// Limit: the input is larger, deeper or more numerous than [Limits] allow.
	Limit Kind = "limit"
	// Unsupported: well-formed, but an algorithm or form this package does not do.
	Unsupported Kind = "unsupported"
	// Weak: an algorithm that is no longer safe to rely on. Of what verifies it says
	// that all else is right.
	Weak Kind = "weak"
	// NoCertificate: the signer's certificate is not in the message.
	NoCertificate Kind = "no-certificate"
	// Mismatch: a digest, content type or certificate reference is another one.
	Mismatch Kind = "mismatch"
	// ContentMissing: something that is signed is not there.
	ContentMissing Kind = "content-missing"
	// BadSignature: the signature value is not of this key over these bytes.
	BadSignature Kind = "bad-signature"
	// BadOptions: the caller asked for something that cannot be made.
	BadOptions Kind = "bad-options"
	// Refused: a time-stamping authority answered with a refusal.
	Refused Kind = "refused"
	// Failed: reading or writing failed underneath.
	Failed Kind = "failed"
)

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "cms: " + e.Msg + ": " + e.Err.Error()
	}
	return "cms: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package, and "" for any other.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func fail(k Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

func wrap(k Kind, err error, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...), Err: err}
}
