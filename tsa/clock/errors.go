package clock

import (
	"errors"
	"fmt"
)

// Kind says why there is no time, or why the clock cannot be worked with.
type Kind string

const (
	// BadConfig: the gate cannot be set up like this.
	BadConfig Kind = "bad-config"
	// Waiting: the accuracy is not shown yet, or its proof is missing for a moment.
	// It may come by itself; nobody has to act unless it lasts.
	Waiting Kind = "waiting"
	// LeapSecond: a leap second is being inserted or left out. It passes in seconds.
	LeapSecond Kind = "leap-second"
	// Stopped: an anomaly has stopped the clock. Only [Gate.Lift] starts it again.
	Stopped Kind = "stopped"
	// StillWrong: the stop cannot be lifted while its cause persists.
	StillWrong Kind = "still-wrong"
	// NotStopped: there is no stop to lift.
	NotStopped Kind = "not-stopped"
	// BadOperator: the name of the operator is not one.
	BadOperator Kind = "bad-operator"
	// Unavailable: the latch or the journal cannot be written or read.
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
		return "clock: " + e.Msg + ": " + e.Err.Error()
	}
	return "clock: " + e.Msg
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
