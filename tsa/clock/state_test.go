package clock

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wrongs are the conditions of the table in the package comment, each with what it
// does to a clock that was right and to one that never was.
var wrongs = []struct {
	name   string
	do     func(*fake)
	before State // never shown
	after  State // shown before
	cause  Cause
	byNow  bool // a stamp finds it without a round
}{
	{"kernel not synchronised", func(f *fake) { f.status |= unix.STA_UNSYNC }, StateWaiting, StateStopped, CauseUnsynchronised, true},
	{"kernel in error", func(f *fake) { f.state = unix.TIME_ERROR }, StateWaiting, StateStopped, CauseUnsynchronised, true},
	{"kernel fails", func(f *fake) { f.failure = unix.EPERM }, StateWaiting, StateStopped, CauseKernelFails, true},
	{"kernel's time is no time", func(f *fake) { f.ahead = -f.now - 1 }, StateWaiting, StateStopped, CauseKernelFails, true},
	{"kernel's bound with the rounding", func(f *fake) { f.bound = 499_001 }, StateWaiting, StateStopped, CauseBound, true},
	{"kernel's bound just within", func(f *fake) { f.bound = 499_000 }, StateWaiting, StateWarn, CauseHalf, false},
	{"kernel's bound far off", func(f *fake) { f.bound = 16_000_000 }, StateWaiting, StateStopped, CauseBound, true},
	{"kernel's bound negative", func(f *fake) { f.bound = -1 }, StateWaiting, StateStopped, CauseBound, true},
	{"set forwards", func(f *fake) { f.ahead += 1_100_000 }, StateOK, StateStopped, CauseStep, true},
	{"set backwards", func(f *fake) { f.ahead -= 1_100_000 }, StateOK, StateStopped, CauseStep, true},
	{"set far", func(f *fake) { f.ahead += int64(200 * 24 * time.Hour) }, StateOK, StateStopped, CauseStep, true},
	{"set by next to nothing", func(f *fake) { f.ahead += 900_000 }, StateOK, StateOK, "", false},
	{"set, which drops the synchronisation", func(f *fake) { f.ahead += 3e9; f.status |= unix.STA_UNSYNC }, StateWaiting, StateStopped, "", true},
	{"suspended", func(f *fake) { f.ahead += 3e9; f.slept += 3e9 }, StateOK, StateStopped, CauseSuspended, true},
	{"first source off", func(f *fake) { f.src["/one"].offset = -2 }, StateWaiting, StateStopped, CauseSourceBound, false},
	{"first source certainly off, though only begun", func(f *fake) { f.src["/one"].offset = 2; f.src["/one"].skew = 1e6 }, StateWaiting, StateStopped, CauseSourceBound, false},
	{"first source coarse", func(f *fake) { f.src["/one"].dispersion = 0.4985 }, StateWaiting, StateStopped, CauseSourceBound, false},
	{"first source half used", func(f *fake) { f.src["/one"].delay = 0.6 }, StateWaiting, StateWarn, CauseHalf, false},
	{"first source of age", func(f *fake) { f.src["/one"].ago = 31 * time.Second }, StateWarn, StateWarn, CauseSourceOld, false},
	{"first source too old", func(f *fake) { f.src["/one"].ago = 61 * time.Second }, StateWaiting, StateStopped, CauseSourceLost, false},
	{"second source off", func(f *fake) { f.src["/two"].offset = 2 }, StateWaiting, StateStopped, CauseDisagree, false},
	{"second source off within the budget", func(f *fake) { f.src["/two"].offset = 0.1 }, StateWarn, StateWarn, CauseDiffer, false},
	{"second source coarse", func(f *fake) { f.src["/two"].dispersion = 0.6 }, StateWarn, StateWarn, CauseCoarse, false},
	{"second source off but admits it", func(f *fake) { f.src["/two"].offset = 0.6; f.src["/two"].dispersion = 0.7 }, StateWarn, StateWarn, CauseCoarse, false},
	{"second source of age", func(f *fake) { f.src["/two"].ago = 31 * time.Second }, StateWarn, StateWarn, CauseSecondOld, false},
	{"second source lost", func(f *fake) { f.src["/two"].ago = 61 * time.Second }, StateWarn, StateWarn, CauseSecondLost, false},
	{"both follow one server", func(f *fake) { f.src["/two"].ip = f.src["/one"].ip }, StateWarn, StateWarn, CauseSameServer, false},
	{"one announces a leap second", func(f *fake) { f.src["/two"].leap = 1 }, StateWarn, StateWarn, CauseLeapDiffers, false},
}

// What was shown and is lost stops the clock, at once where a stamp can see it;
// what was never shown is only waited for.
func TestConditions(t *testing.T) {
	t.Parallel()
	for _, c := range wrongs {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.wants(t, "at the start", StateWaiting, CauseNotWatched)
			b.do(func() { c.do(b.fake) })
			b.round()
			if s := b.g.Status().State; s != c.before {
				t.Fatalf("never shown: %s, want %s: %s", s, c.before, b.g.Status().Reason)
			}

			b = newBench(t, nil)
			b.round()
			b.wants(t, "when all is well", StateOK, "")
			b.names()
			b.do(func() { c.do(b.fake) })
			if _, err := b.g.Now(context.Background()); (KindOf(err) == Stopped) != c.byNow {
				t.Fatalf("before a round the stamp got %v", err)
			}
			b.round()
			cause := c.cause
			if c.name == "set, which drops the synchronisation" {
				cause = CauseStep
			}
			b.wants(t, "after it", c.after, cause)
			var events []string
			if c.after == StateStopped {
				events = []string{"clock.stopped"}
			} else if c.after == StateWarn {
				events = []string{"clock.warn"}
			}
			if got := b.names(); !slices.Equal(got, events) {
				t.Fatalf("the journal has %v, want %v", got, events)
			}
		})
	}
}

// A stop stays when its cause has gone, in this gate and the next, until it is lifted.
func TestStopNeedsLift(t *testing.T) {
	t.Parallel()
	for _, c := range wrongs {
		if c.after != StateStopped {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.round()
			right := b.fake.copy()
			b.do(func() { c.do(b.fake) })
			b.round()
			stopped := b.g.Status()
			if stopped.State != StateStopped {
				t.Fatal(stopped.State)
			}
			stillWrong := c.cause != CauseStep && c.cause != CauseSuspended // those are over as soon as they were
			if stillWrong && c.cause != "" {
				if err := b.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != StillWrong {
					t.Fatalf("lifted while it persists: %v", err)
				}
				b.wants(t, "after a lift refused", StateStopped, stopped.Cause)
			}
			b.do(func() { b.fake.set(right) })
			b.round()
			b.wants(t, "with the cause gone", StateStopped, stopped.Cause)

			b.names()
			b.open(t, b.g.c) // a restart
			b.wants(t, "restarted", StateStopped, stopped.Cause)
			b.round()
			b.wants(t, "restarted, after a round", StateStopped, stopped.Cause)
			if s := b.g.Status(); !s.Since.Equal(stopped.Since) || s.Reason != stopped.Reason {
				t.Fatalf("restarted: %v %q, want %v %q", s.Since, s.Reason, stopped.Since, stopped.Reason)
			}
			if got := b.names(); got[len(got)-1] != "clock.stopped" || b.memory.last.Reason != stopped.Reason {
				t.Fatalf("restarted, the journal has %v", got)
			}
			if err := b.g.Lift(t.Context(), "A. Rossi"); err != nil {
				t.Fatal(err)
			}
			b.wants(t, "lifted", StateOK, "")
			if got := b.names(); !slices.Equal(got, []string{"clock.lifted", "clock.ready"}) {
				t.Fatalf("the journal has %v", got)
			}
			b.round()
			b.wants(t, "a round later", StateOK, "")
		})
	}
}

func (f *fake) copy() *fake {
	c := &fake{state: f.state, status: f.status, bound: f.bound, failure: f.failure, ahead: f.ahead, src: map[string]*fakeSource{}}
	for k, s := range f.src {
		v := *s
		c.src[k] = &v
	}
	return c
}

// set makes the machine as it was, but for the time that has passed.
func (f *fake) set(c *fake) {
	f.state, f.status, f.bound, f.failure, f.ahead = c.state, c.status, c.bound, c.failure, c.ahead
	for k, s := range c.src {
		*f.src[k] = *s
	}
}

// A source that does not answer ages, is warned of, and then is lost; of the first
// the clock stops, of the second it does not.
func TestSilence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		source string
		old    Cause
		end    State
		lost   Cause
	}{
		{"/one", CauseSourceOld, StateStopped, CauseSourceLost},
		{"/two", CauseSecondOld, StateWarn, CauseSecondLost},
	} {
		b := newBench(t, nil)
		b.round()
		b.do(func() { b.src[c.source].silent = errors.New("no answer") })
		for range 29 {
			b.round()
		}
		b.wants(t, "young enough", StateOK, "")
		b.round()
		b.round()
		b.wants(t, "half its time", StateWarn, c.old)
		for range 28 {
			b.round()
		}
		b.wants(t, "just young enough", StateWarn, c.old)
		b.round()
		b.round()
		b.wants(t, "too old", c.end, c.lost)
		if c.end == StateWarn { // and back, after three good rounds
			b.do(func() { b.src[c.source].silent = nil })
			b.round()
			b.round()
			b.wants(t, "two good rounds", StateWarn, c.lost)
			b.round()
			b.wants(t, "three good rounds", StateOK, "")
			if got := b.names(); !slices.Equal(got, []string{"clock.ready", "clock.warn", "clock.warn", "clock.ok"}) {
				t.Fatalf("the journal has %v", got)
			}
		}
	}
}

// A first source that is silent for long uses up the budget by itself, before its age.
func TestSilenceUsesBudget(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Accuracy = 20 * time.Millisecond })
	b.round()
	b.do(func() { b.src["/one"].silent = errors.New("no answer") })
	b.pass(35 * time.Second) // 2 ms + 17.5 ms + 1 ms
	if _, err := b.g.Now(t.Context()); KindOf(err) != Stopped {
		t.Fatal(err)
	}
	b.wants(t, "used up", StateStopped, CauseSourceBound)
}

// Without anybody's rounds there is soon no time, found by the stamp itself.
func TestStalledWatch(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config) { c.Chrony, c.Second = "", "" })
	b.round()
	b.wants(t, "at first", StateOK, "")
	b.pass(59 * time.Second)
	b.wants(t, "in time", StateOK, "")
	b.pass(2 * time.Second)
	if _, err := b.g.Now(t.Context()); KindOf(err) != Stopped {
		t.Fatal(err)
	}
	b.wants(t, "stalled", StateStopped, CauseNotWatched)
}

// What chronyd may say without vouching for anything: it is as if it were silent.
func TestNoVouching(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*fakeSource){
		"not synchronised":        func(s *fakeSource) { s.leap = 3 },
		"no reference":            func(s *fakeSource) { s.refID = 0 },
		"its own clock":           func(s *fakeSource) { s.refID = local },
		"stratum 0":               func(s *fakeSource) { s.stratum = 0 },
		"stratum 16":              func(s *fakeSource) { s.stratum = 16 },
		"measured in the future":  func(s *fakeSource) { s.ago = -time.Hour },
		"negative dispersion":     func(s *fakeSource) { s.dispersion = -1 },
		"figures beyond all use":  func(s *fakeSource) { s.offset = 1e30 },
		"only begun":              func(s *fakeSource) { s.skew = 501 },
		"dispersion beyond sense": func(s *fakeSource) { s.dispersion = 2e6 },
	} {
		b := newBench(t, nil)
		b.do(func() { do(b.src["/one"]) })
		b.round()
		b.wants(t, name, StateWaiting, CauseSourceLost)

		b = newBench(t, nil)
		b.round()
		b.do(func() { do(b.src["/one"]) })
		b.round()
		b.wants(t, name+", after it was good", StateOK, "")
		b.pass(time.Minute)
		b.round()
		b.wants(t, name+", for too long", StateStopped, CauseSourceLost)
	}
}

// Within the grace a kernel that lost its synchronisation only refuses; a clock that
// was set meanwhile stops all the same.
func TestGrace(t *testing.T) {
	t.Parallel()
	grace := func(c *Config) { c.Grace = 10 * time.Second }
	b := newBench(t, grace)
	b.round()
	b.do(func() { b.status = unix.STA_UNSYNC })
	b.wants2(t, "the stamp that finds it", Waiting)
	b.wants(t, "lost", StateWaiting, CauseUnsynchronised)
	for range 9 {
		b.round()
	}
	b.wants(t, "within the grace", StateWaiting, CauseUnsynchronised)
	b.do(func() { b.status = 0 })
	b.round()
	b.wants(t, "back", StateOK, "")
	if got := b.names(); !slices.Equal(got, []string{"clock.ready", "clock.waiting", "clock.ready"}) {
		t.Fatalf("the journal has %v", got)
	}
	b.do(func() { b.status = unix.STA_UNSYNC })
	b.round()
	b.wants(t, "lost again", StateWaiting, CauseUnsynchronised) // the grace begins anew
	for range 12 {
		b.round()
	}
	b.wants(t, "after the grace", StateStopped, CauseUnsynchronised)

	b = newBench(t, grace)
	b.round()
	b.do(func() { b.status = unix.STA_UNSYNC })
	b.round()
	b.do(func() { b.ahead += 1e9 })
	b.round()
	b.wants(t, "set within the grace", StateStopped, CauseStep)
}

func (b *bench) wants2(t *testing.T, when string, k Kind) {
	t.Helper()
	if _, err := b.g.Now(context.Background()); KindOf(err) != k {
		t.Fatalf("%s: %v, want %s", when, err, k)
	}
}

// The page is drawn for people and machines: it survives JSON, and ages go on.
func TestStatus(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.round()
	if _, err := b.g.Now(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.pass(3 * time.Second)
	s := b.g.Status()
	if s.Sources[0].Age != 3 || s.Sources[0].Silent != 3 || s.Looked != 3 {
		t.Fatalf("the ages stand still: %+v", s)
	}
	if s.Bound < 0.0029 || s.Bound > 0.0031 || s.Budget != 0.5 || s.Leap != "none" || s.Kernel.TAI != 37 || !s.Kernel.Synchronised {
		t.Fatalf("%+v", s)
	}
	if s.Sources[0].State != "good" || s.Sources[0].Server != "192.0.2.1" || s.Sources[1].Name != "second" || *s.Differ != 0 {
		t.Fatalf("%+v", s.Sources)
	}
	j, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Status
	if err := json.Unmarshal(j, &back); err != nil || back.State != StateOK || !back.LastTime.Equal(*s.LastTime) {
		t.Fatalf("%v: %s", err, j)
	}
}
