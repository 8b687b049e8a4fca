package tsa

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// System is the clock of the operating system with the kernel as witness. The
// kernel is told by the synchronising daemon how far the clock may be off and lets
// that bound grow while it hears nothing, so a daemon that died stops the stamps
// by itself. With chrony this needs rtcsync in its configuration. The time and the
// bound come from one system call, so nothing can change between them.
type System struct {
	// Accuracy is what must be kept, the same as the unit states in its tokens.
	Accuracy time.Duration

	adjtimex func(*unix.Timex) (int, error) // for tests; nil: the system's
}

// Keeps gives the accuracy that the clock is held to: see [Clock].
func (s System) Keeps() time.Duration { return s.Accuracy }

// rounding is how much the cut to whole milliseconds may take from genTime.
const rounding = time.Millisecond

// Now gives the time if the kernel vouches for it.
func (s System) Now(context.Context) (time.Time, error) {
	ask := s.adjtimex
	if ask == nil {
		ask = unix.Adjtimex
	}
	var tx unix.Timex // modes 0: only asks, needs no privilege
	state, err := ask(&tx)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking the kernel for the state of the clock: %w", err)
	}
	if state == unix.TIME_ERROR || tx.Status&unix.STA_UNSYNC != 0 {
		return time.Time{}, fmt.Errorf("the clock is not synchronised; is the time daemon running, and for chrony is rtcsync set?")
	}
	if state == unix.TIME_OOP { // 23:59:60 has no GeneralizedTime that all read alike
		return time.Time{}, fmt.Errorf("a leap second is being inserted")
	}
	bound := time.Duration(tx.Maxerror) * time.Microsecond
	if bound < 0 || bound+rounding > s.Accuracy {
		return time.Time{}, fmt.Errorf("the clock may be off by %v; the accuracy to keep is %v", bound, s.Accuracy)
	}
	nanos := int64(tx.Time.Usec) * 1000
	if tx.Status&unix.STA_NANO != 0 {
		nanos = int64(tx.Time.Usec)
	}
	return time.Unix(int64(tx.Time.Sec), nanos).UTC(), nil
}

// Unproven is the clock of the operating system without any proof that it is
// right. It is for demonstrations and development machines only: a stamp made with
// it states an accuracy that nobody has checked.
type Unproven struct{}

// Now gives the time of the operating system, whatever it is.
func (Unproven) Now(context.Context) (time.Time, error) { return time.Now().UTC(), nil }
