package tsa

import (
	"errors"
	"fmt"

	"sigillo/formats/cms"
)

// Kind says why no time-stamp was made.
type Kind string

const (
	// BadConfig: the unit cannot be set up like this.
	BadConfig Kind = "bad-config"
	// BadRequest: the request itself is wrong; Err is the *cms.Refusal.
	BadRequest Kind = "bad-request"
	// UnacceptedHash: the unit does not stamp digests of this algorithm.
	UnacceptedHash Kind = "unaccepted-hash"
	// UnacceptedPolicy: the request asks for another policy than the unit's.
	UnacceptedPolicy Kind = "unaccepted-policy"
	// TimeNotAvailable: the clock cannot be shown to be right.
	TimeNotAvailable Kind = "time-not-available"
	// NotValid: the time is outside the validity of the unit's certificate or key.
	NotValid Kind = "not-valid"
	// Unavailable: the key, the serial numbers or the archive failed.
	Unavailable Kind = "unavailable"
)

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "tsa: " + e.Msg + ": " + e.Err.Error()
	}
	return "tsa: " + e.Msg
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

func fail(k Kind, err error, format string, a ...any) *Error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...), Err: err}
}

// refusal is the table from errors to what the requester is told. Causes stay
// inside: only the message goes out.
func (e *Error) refusal() cms.Refusal {
	var r *cms.Refusal
	switch e.Kind {
	case BadRequest:
		if errors.As(e.Err, &r) {
			return *r
		}
		return cms.Refusal{FailureInfo: cms.BadRequest, Text: e.Msg}
	case UnacceptedHash:
		return cms.Refusal{FailureInfo: cms.BadAlg, Text: e.Msg}
	case UnacceptedPolicy:
		return cms.Refusal{FailureInfo: cms.UnacceptedPolicy, Text: e.Msg}
	case TimeNotAvailable:
		return cms.Refusal{FailureInfo: cms.TimeNotAvailable, Text: e.Msg}
	}
	return cms.Refusal{FailureInfo: cms.SystemFailure, Text: e.Msg}
}
