package graphometric

import (
	"errors"
	"fmt"
)

// Kind says what is wrong in a way that a program can act on and a face can put
// into the reader's language.
type Kind string

// The kinds of [Error].
const (
	// Unusable: the sample cannot be used; Reason says why.
	Unusable Kind = "Unusable"
	// TooLarge: there are more points, bytes or samples than the limits allow.
	TooLarge Kind = "TooLarge"
	// Malformed: what was read does not have the form it should have.
	Malformed Kind = "Malformed"
	// NotReady: the enrolment has too few samples for a profile, or was given up.
	NotReady Kind = "NotReady"
	// Failed: something below failed; Err has the cause.
	Failed Kind = "Failed"
)

// Error is the error of this package. Msg tells the user what to do and says
// nothing of the signature itself.
type Error struct {
	Kind   Kind
	Reason Reason // of Unusable: in a word, for the operator's face
	Msg    string
	Err    error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("graphometric: %s: %v", e.Msg, e.Err)
	}
	return "graphometric: " + e.Msg
}

// Unwrap returns the cause, if there is one.
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

// Reason is a word for the operator: why a sample was not taken, or what is to
// be seen to. Faces have the sentence for each.
type Reason string

// The reasons. All but [Weak] go with a sample that was not taken.
const (
	// TooShort: it took less than half a second, or the pen hardly moved.
	TooShort Reason = "too-short"
	// TooLong: it took longer than [MaxDuration].
	TooLong Reason = "too-long"
	// TooFewPoints: fewer readings than a signature has; the device is too slow or
	// it was a dot.
	TooFewPoints Reason = "too-few-points"
	// TooManyPoints: more than [MaxPoints].
	TooManyPoints Reason = "too-many-points"
	// TooSimple: a straight line or a single stroke of the pen.
	TooSimple Reason = "too-simple"
	// UseThePen: it was written with a mouse or a finger.
	UseThePen Reason = "use-the-pen"
	// ConstantPressure: the device reports no pressure, so that it is no pen.
	ConstantPressure Reason = "constant-pressure"
	// BadReadings: readings that no pen gives: not a number, out of range, or back
	// in time.
	BadReadings Reason = "bad-readings"
	// Differs: it differs from the others of the enrolment.
	Differs Reason = "differs"
	// Copy: it is the same as one of the others, as no hand can write it.
	Copy Reason = "copy"
	// OtherDevice: it is of another class of device than the others, or than the
	// profile.
	OtherDevice Reason = "other-device"
	// Weak: the signature is easily imitated, or varies much. It is a warning.
	Weak Reason = "weak"
)
