package clock

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/facebook/time/ntp/chrony"
	"golang.org/x/sys/unix"
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
	// tokens: more than a millisecond and, in mode System, at most a second
	// (EN 319 421). It is the budget that all errors together must keep.
	Accuracy time.Duration
	// Chrony is the chronyd that disciplines this machine's clock: the path of its
	// command socket (/run/chrony/chronyd.sock) or a loopback address with its
	// command port (127.0.0.1:323). Empty: the kernel is the only witness.
	Chrony string
	// Second is another chronyd on other servers that only watches (chronyd -x),
	// named like Chrony. Empty: there is none.
	Second string
	// ReplyDir is where the sockets are made that chronyd answers to. chronyd's user
	// must be able to reach it. Empty: the folder of chronyd's own socket.
	ReplyDir string
	// MaxAge is how old the last measurement of a source may be, and how long the
	// gate may go without a round. Zero: 15 minutes.
	MaxAge time.Duration
	// Every is the time between two rounds of [Gate.Run], 1 to 5 seconds. Zero: 2 s.
	Every time.Duration
	// Grace is how long a kernel that says "not synchronised", after it was, only
	// refuses before it stops the clock. Zero: it stops at once. A restart of
	// chronyd makes the kernel say so for some seconds.
	Grace time.Duration
	// Latch keeps the stop. Needed in mode System.
	Latch Latch
	// OnEvent is told what happens, for the journal: before anything is allowed
	// (clock.ready, clock.lifted), and once the clock gives no more time
	// (clock.stopped). One call at a time; it may call [Gate.Status] and nothing
	// else of the gate. An error keeps what was to be allowed from happening; what
	// happened anyway is told again each round until it is taken. The context
	// ends after 5 seconds. Needed in mode System.
	OnEvent func(context.Context, Event) error
}

// system is what the gate needs of the machine; tests bring their own.
type system struct {
	adjtimex func(*unix.Timex) (int, error)
	mono     func() int64                          // nanoseconds of CLOCK_MONOTONIC since some start
	boot     func() int64                          // the same of CLOCK_BOOTTIME, which counts sleep
	wall     func() time.Time                      // the machine's clock, proven or not
	watchSet func(context.Context) <-chan struct{} // when the clock is set; nil: it cannot tell
	track    func(ctx context.Context, address, replyDir string) (*chrony.Tracking, error)
}

// pass allows stamps. It is replaced, never changed: whoever holds one sees figures
// that belong together.
type pass struct {
	offset int64 // the clock against the monotonic one
	until  int64 // monotonic: no longer without a new round
}

// Gate is the clock. It is safe for many goroutines.
//
// The atomic values are what a stamp touches; all else belongs to mu, and whoever
// holds mu also talks to the latch and the journal, so that what they hear has one
// order.
type Gate struct {
	c   Config
	sys system

	pass    atomic.Pointer[pass]  // nil: no time is given
	refusal atomic.Pointer[Error] // why; set after the latch has stored a stop
	last    atomic.Int64          // the latest time given, Unix nanoseconds
	page    atomic.Pointer[page]  // for Status
	refused atomic.Uint64         // times asked for and not given

	mu       sync.Mutex
	running  bool  // Run is at work
	had      bool  // the accuracy was shown since the start or the last lift
	offset   int64 // the clock against the monotonic one; holds once had
	asleep   int64 // CLOCK_BOOTTIME against CLOCK_MONOTONIC when offset was taken
	leap     leap
	unproven int64 // monotonic: since when the kernel does not vouch; 0: it does
	asked    int64 // monotonic: when the sources were asked last
	calm     int   // rounds without a warning
	state    State
	since    time.Time
	why      finding
	stop     Stop
	stored   bool   // the latch holds stop
	stopped  int64  // monotonic, when the stop came up in this process
	measured bool   // the first source measured the clock since
	persists string // what stands against a lift
	owed     []Event
	sources  [2]source
}

// source is a chronyd and what it said last.
type source struct {
	name, address string
	sample        *sample // nil: it has never answered well
	err           error   // of the last question
}

// New makes a gate. A stop that the latch kept still stands, and a latch that cannot
// be read is a stop. In mode System no time is given before [Gate.Run] has found it
// proven. The error is a BadConfig.
func New(ctx context.Context, c Config) (*Gate, error) {
	if c.Every == 0 {
		c.Every = 2 * time.Second
	}
	if c.MaxAge == 0 {
		c.MaxAge = 15 * time.Minute
	}
	if c.Every < time.Second || c.Every > 5*time.Second {
		return nil, fail(BadConfig, nil, "the time between two rounds is %v; choose 1 to 5 seconds", c.Every)
	}
	return build(ctx, c, machine())
}

func build(ctx context.Context, c Config, sys system) (*Gate, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	g := &Gate{c: c, sys: sys, state: StateWaiting, since: sys.wall().UTC()}
	if c.Chrony != "" {
		g.sources[0] = source{name: "chrony", address: c.Chrony}
	}
	if c.Second != "" {
		g.sources[1] = source{name: "second", address: c.Second}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.Mode == Unverified {
		g.state, g.why = StateWarn, finding{cause: CauseUnverified, reason: "the machine's clock is believed as it is"}
		g.publish(reading{})
		return g, nil
	}
	g.wait(finding{cause: CauseNotWatched, reason: "the watch has not begun"})
	stop, err := c.Latch.Load(ctx)
	if err != nil {
		stop = Stop{Since: g.since, Cause: CauseLatch, Reason: "the latch cannot be read: " + err.Error()}
	}
	if stop.Set() {
		g.stop, g.stored, g.stopped = stop, err == nil, sys.mono()
		g.measured, g.persists = c.Chrony == "", "nobody has looked at the clock yet"
		g.enter(StateStopped, finding{cause: stop.Cause, reason: stop.Reason})
		g.since = stop.Since
		g.refusal.Store(refusalOf(stop))
		// Told again: the process may have ended between the latch and the journal.
		g.owe(g.event("clock.stopped", ""))
	}
	g.publish(g.read())
	return g, nil
}

// check says what is wrong with a configuration.
func (c *Config) check() error {
	switch {
	case c.Mode != System && c.Mode != Unverified:
		return fail(BadConfig, nil, "the clock is %q; choose %q or, for demonstrations only, %q", c.Mode, System, Unverified)
	case c.Accuracy <= rounding:
		return fail(BadConfig, nil, "the accuracy is %v; it must be more than %v", c.Accuracy, rounding)
	case c.Mode == Unverified:
		return nil
	case c.Accuracy > time.Second:
		return fail(BadConfig, nil, "the accuracy is %v; one second is the most (EN 319 421)", c.Accuracy)
	case c.Latch == nil || c.OnEvent == nil:
		return fail(BadConfig, nil, "a proven clock needs a latch and a journal")
	case c.Second != "" && c.Chrony == "":
		return fail(BadConfig, nil, "there is a second source but no first; name chronyd's command socket in Chrony")
	case c.Second != "" && c.Second == c.Chrony:
		return fail(BadConfig, nil, "both sources are %q; the second has to be another chronyd", c.Second)
	case c.MaxAge < 2*c.Every:
		return fail(BadConfig, nil, "the maximum age is %v; less than two rounds is no use", c.MaxAge)
	case c.Grace < 0 || c.Grace > c.MaxAge:
		return fail(BadConfig, nil, "the grace is %v; choose 0 to the maximum age, %v", c.Grace, c.MaxAge)
	case c.ReplyDir != "" && !filepath.IsAbs(c.ReplyDir):
		return fail(BadConfig, nil, "the folder for answers is %q; name it with its whole path", c.ReplyDir)
	}
	return errors.Join(checkAddress("Chrony", c.Chrony), checkAddress("Second", c.Second))
}

// Verified says whether the times of this gate are proven (mode System). Stamps of
// another gate have to say that they are not.
func (g *Gate) Verified() bool { return g.c.Mode == System }

// Keeps is the accuracy that the gate is held to; who states a better one would
// promise what is not looked at.
func (g *Gate) Keeps() time.Duration { return g.c.Accuracy }

// tries is how often a stamp looks again when the watch renewed its pass meanwhile.
const tries = 3

// Now gives the time in UTC if it is proven to be within the accuracy, never earlier
// than one given before the call. Kinds of refusal: Waiting, LeapSecond, Stopped. A
// stop found here is stored before the refusal is returned.
func (g *Gate) Now(ctx context.Context) (time.Time, error) {
	if g.c.Mode == Unverified {
		return g.believe()
	}
	for range tries {
		p := g.pass.Load()
		if p == nil {
			return g.refuse()
		}
		r := g.read()
		cause := r.judge(p.offset, int64(g.c.Accuracy))
		if cause == "" && r.after > p.until {
			cause = CauseNotWatched
		}
		switch cause {
		case "":
			// The pass still standing means that no stop came before the time was read.
			if g.pass.Load() != nil {
				g.give(r.time)
				return time.Unix(0, r.time).UTC(), nil
			}
		case CauseLeap:
			g.refused.Add(1)
			return time.Time{}, refusedLeap
		default:
			g.object(ctx, p, r)
		}
	}
	return g.refuse()
}

var (
	refusedLeap = fail(LeapSecond, nil, "a leap second is passing; ask again in some seconds")
	refusedBusy = fail(Waiting, nil, "the clock is being looked at; ask again")
	refusedBack = fail(Waiting, nil, "the machine's clock was set back; it has to pass the last time given first")
	errNonsense = errors.New("the kernel's time is no time")
)

// refuse gives the error that stands for the present state. While a stop is being
// stored there is none, and it waits: nobody hears of a stop that is not stored.
func (g *Gate) refuse() (time.Time, error) {
	g.refused.Add(1)
	e := g.refusal.Load()
	if e == nil {
		g.mu.Lock()
		e = g.refusal.Load()
		g.mu.Unlock()
	}
	if e == nil { // allowed again meanwhile
		e = refusedBusy
	}
	return time.Time{}, e
}

// give notes the latest time given.
func (g *Gate) give(t int64) {
	for {
		last := g.last.Load()
		if t <= last || g.last.CompareAndSwap(last, t) {
			return
		}
	}
}

// believe is Now of an unverified clock.
func (g *Gate) believe() (time.Time, error) {
	last := g.last.Load()
	t := g.sys.wall().UnixNano()
	if t < last {
		g.refused.Add(1)
		return time.Time{}, refusedBack
	}
	g.give(t)
	return time.Unix(0, t).UTC(), nil
}
