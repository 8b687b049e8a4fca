package clock

import (
	"context"
	"time"
)

// Mode says what the gate believes.
type Mode string

const (
	// System believes the kernel's clock as far as the kernel and the time daemons
	// vouch for it.
	System Mode = "system"
	// Unverified believes the machine's clock as it is. For demonstrations and
	// development machines only; it is visible in [Status] and [Gate.Verified].
	Unverified Mode = "unverified"
)

// Config is what a gate is made of.
type Config struct {
	// Mode is [System] or [Unverified]. There is no default.
	Mode Mode
	// Accuracy is the declared accuracy, the same as the units state in their
	// tokens (EN 319 421: one second or better). More than a millisecond.
	Accuracy time.Duration
	// Chrony is the chronyd that disciplines this machine's clock: the path of its
	// command socket (/run/chrony/chronyd.sock) or a loopback address and port
	// (127.0.0.1:323). Empty: the kernel is the only witness.
	Chrony string
	// Second is another chronyd on other servers that only watches (chronyd -x),
	// named like Chrony. Empty: there is none.
	Second string
	// ReplyDir is where the sockets are made that chronyd answers to. chronyd's user
	// must be able to reach it. Empty: the folder of chronyd's own socket.
	ReplyDir string
	// MaxAge is how old the last measurement of a source may be, and how long a
	// source may be silent. Zero: 15 minutes.
	MaxAge time.Duration
	// Every is the time between two rounds of [Gate.Run], 1 to 5 seconds. Zero: 2 s.
	Every time.Duration
	// Grace is how long a kernel that says "not synchronised", after it was, only
	// refuses before it stops the clock. Zero: it stops at once. A restart of
	// chronyd makes the kernel say so for some seconds.
	Grace time.Duration
	// Latch keeps the stop. Needed in mode System.
	Latch Latch
	// OnEvent is told what happens, for the journal. It is called with the state
	// already refusing and before anything is allowed, one call at a time; it may
	// call [Gate.Status] and nothing else of the gate. An error of a stop's event is
	// repeated until it succeeds; an error of a lift's event prevents the lift.
	// Needed in mode System.
	OnEvent func(context.Context, Event) error
}

// Gate is the clock. It is safe for many goroutines.
type Gate struct{}

// New makes a gate. A stop that the latch has kept still stands. In mode System no
// time is given before [Gate.Run] has found it proven.
func New(ctx context.Context, c Config) (*Gate, error) { panic("not yet") }

// Run watches the clock until ctx ends. It must run for the whole life of a gate in
// mode System: without it there is no time.
func (g *Gate) Run(ctx context.Context) { panic("not yet") }

// Now gives the time in UTC if it is proven to be within the accuracy. Kinds of
// refusal: Waiting, LeapSecond, Stopped.
func (g *Gate) Now(ctx context.Context) (time.Time, error) { panic("not yet") }

// Verified says whether the times of this gate are proven (mode System). Stamps of
// another gate have to say that they are not.
func (g *Gate) Verified() bool { panic("not yet") }

// Status gives the state for the operator's page and the metrics.
func (g *Gate) Status() Status { panic("not yet") }

// Lift removes the stop in the name of an operator, who the caller has
// authenticated and authorised (DPCM 22/2/2013 art. 52). It looks at everything
// afresh and refuses with StillWrong while the clock is not proven right, and with
// Unavailable if the lift cannot be journalled and stored.
func (g *Gate) Lift(ctx context.Context, operator string) error { panic("not yet") }
