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
	// NotPermitted: this requester may not have this stamp: account, quota, rate.
	NotPermitted Kind = "not-permitted"
	// Stopped: the unit was stopped and stays so until somebody acts.
	Stopped Kind = "stopped"
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

// Refusal is the one table from errors to what the requester is told (RFC 3161
// §2.4.2). Causes stay inside: only messages of this package go out.
func Refusal(err error) cms.Refusal {
	var e *Error
	if !errors.As(err, &e) {
		return cms.Refusal{FailureInfo: cms.SystemFailure, Text: "the time-stamp could not be made; try again later"}
	}
	r := cms.Refusal{FailureInfo: cms.SystemFailure, Text: e.Msg}
	var of *cms.Refusal
	switch e.Kind {
	case BadRequest:
		if errors.As(e.Err, &of) {
			return *of
		}
		r.FailureInfo = cms.BadRequest
	case NotPermitted: // "transaction not permitted or supported"
		r.FailureInfo = cms.BadRequest
	case UnacceptedHash:
		r.FailureInfo = cms.BadAlg
	case UnacceptedPolicy:
		r.FailureInfo = cms.UnacceptedPolicy
	case TimeNotAvailable:
		r.FailureInfo = cms.TimeNotAvailable
	}
	return r
}
