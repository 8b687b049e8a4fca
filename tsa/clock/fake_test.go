package clock

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/facebook/time/ntp/chrony"
	"golang.org/x/sys/unix"
)

// fake is a machine whose clocks stand until they are moved. Its kernel and its two
// chronyd say what the test wants.
type fake struct {
	mu      sync.Mutex
	now     int64 // monotonic
	slept   int64 // what CLOCK_BOOTTIME has more
	ahead   int64 // Unix time - monotonic
	state   int
	status  int32
	bound   int64 // microseconds
	failure error
	src     map[string]*fakeSource
}

type fakeSource struct {
	offset, dispersion, delay, skew float64
	ago                             time.Duration // of the last measurement
	leap, stratum                   uint16
	refID                           uint32
	ip                              string
	silent                          error
}

// at0 is when the tests begin: noon of a day that ends in a leap second if they say so.
var at0 = time.Date(2027, 6, 30, 12, 0, 0, 0, time.UTC)

func newFake() *fake {
	return &fake{now: 5e9, ahead: at0.UnixNano() - 5e9, bound: 2000, src: map[string]*fakeSource{
		"/one": {dispersion: 0.001, delay: 0.002, stratum: 2, refID: 1, ip: "192.0.2.1"},
		"/two": {dispersion: 0.002, delay: 0.020, stratum: 3, refID: 2, ip: "192.0.2.2"},
	}}
}

func (f *fake) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now += int64(d)
}

func (f *fake) do(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) system() system {
	return system{
		adjtimex: func(tx *unix.Timex) (int, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if tx.Modes != 0 {
				panic("the clock was to be set")
			}
			t := f.now + f.ahead
			tx.Status, tx.Maxerror, tx.Esterror, tx.Tai = f.status|unix.STA_NANO, f.bound, f.bound/2, 37
			tx.Time.Sec, tx.Time.Usec = t/1e9, t%1e9
			return f.state, f.failure
		},
		mono:     func() int64 { f.mu.Lock(); defer f.mu.Unlock(); return f.now },
		boot:     func() int64 { f.mu.Lock(); defer f.mu.Unlock(); return f.now + f.slept },
		wall:     func() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return time.Unix(0, f.now+f.ahead) },
		watchSet: func(context.Context) <-chan struct{} { return nil },
		track: func(_ context.Context, address, _ string) (*chrony.Tracking, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			s := f.src[address]
			if s.silent != nil {
				return nil, s.silent
			}
			return &chrony.Tracking{RefID: s.refID, IPAddr: net.ParseIP(s.ip), Stratum: s.stratum, LeapStatus: s.leap,
				RefTime: time.Unix(0, f.now+f.ahead-int64(s.ago)), CurrentCorrection: s.offset,
				RootDelay: s.delay, RootDispersion: s.dispersion, SkewPPM: s.skew}, nil
		},
	}
}

// memory is a latch and a journal that can fail.
type memory struct {
	mu     sync.Mutex
	stop   Stop
	stores int
	events []Event
	last   Event
	broken map[string]error // by "load", "store" or the name of an event
}

func (m *memory) Load(context.Context) (Stop, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stop, m.broken["load"]
}

func (m *memory) Store(ctx context.Context, s Stop) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.broken["store"]); err != nil {
		return err
	}
	m.stop = s
	m.stores++
	return nil
}

func (m *memory) event(ctx context.Context, ev Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.broken[ev.Name]); err != nil {
		return err
	}
	m.events, m.last = append(m.events, ev), ev
	return nil
}

// names are the events so far, and forgets them.
func (m *memory) names() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ev := range m.events {
		names = append(names, ev.Name)
	}
	m.events = nil
	return names
}

func (m *memory) fail(what string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken == nil {
		m.broken = map[string]error{}
	}
	m.broken[what] = err
}

// bench is a gate on a fake machine whose rounds the test makes itself.
type bench struct {
	*fake
	*memory
	g *Gate
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	b := &bench{fake: newFake(), memory: &memory{}}
	c := Config{Mode: System, Accuracy: 500 * time.Millisecond, Chrony: "/one", Second: "/two",
		MaxAge: time.Minute, Every: time.Second, Latch: b.memory, OnEvent: b.event}
	if change != nil {
		change(&c)
	}
	b.open(t, c)
	return b
}

func (b *bench) open(t *testing.T, c Config) {
	t.Helper()
	g, err := build(t.Context(), c, b.system())
	if err != nil {
		t.Fatal(err)
	}
	g.running = true // the test makes the rounds that Run would
	b.g = g
}

// round lets a second pass and looks at everything.
func (b *bench) round() {
	b.pass(time.Second)
	b.g.round(context.Background())
}

// wants checks state, cause and what a stamp gets.
func (b *bench) wants(t *testing.T, when string, state State, cause Cause) {
	t.Helper()
	s := b.g.Status()
	if s.State != state || s.Cause != cause {
		t.Fatalf("%s: %s (%s: %s), want %s (%s)", when, s.State, s.Cause, s.Reason, state, cause)
	}
	got, err := b.g.Now(context.Background())
	want := map[State]Kind{StateWaiting: Waiting, StateStopped: Stopped}[state]
	if KindOf(err) != want || (err == nil) != (want == "") || (err == nil) == got.IsZero() {
		t.Fatalf("%s: in state %s a stamp got %v, %v", when, state, got, err)
	}
	if (b.memory.stop.Cause != "") != (state == StateStopped) {
		t.Fatalf("%s: in state %s the latch holds %+v", when, state, b.memory.stop)
	}
}
