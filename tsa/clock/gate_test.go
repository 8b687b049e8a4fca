package clock

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What cannot be a provable clock is refused with what to do.
func TestConfig(t *testing.T) {
	t.Parallel()
	m := &memory{}
	good := Config{Mode: System, Accuracy: time.Second, Chrony: "/run/chrony/chronyd.sock", Second: "127.0.0.1:324",
		Latch: m, OnEvent: m.event}
	if _, err := New(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no mode":                func(c *Config) { c.Mode = "" },
		"another mode":           func(c *Config) { c.Mode = "unproven" },
		"no accuracy":            func(c *Config) { c.Accuracy = 0 },
		"accuracy of rounding":   func(c *Config) { c.Accuracy = time.Millisecond },
		"accuracy over a second": func(c *Config) { c.Accuracy = time.Second + 1 },
		"no latch":               func(c *Config) { c.Latch = nil },
		"no journal":             func(c *Config) { c.OnEvent = nil },
		"second without first":   func(c *Config) { c.Chrony = "" },
		"one source twice":       func(c *Config) { c.Second = c.Chrony },
		"source elsewhere":       func(c *Config) { c.Chrony = "192.0.2.1:323" },
		"source by name":         func(c *Config) { c.Chrony = "localhost:323" },
		"source without port":    func(c *Config) { c.Chrony = "127.0.0.1" },
		"source at port 0":       func(c *Config) { c.Second = "[::1]:0" },
		"relative socket":        func(c *Config) { c.Chrony = "chronyd.sock" },
		"long socket":            func(c *Config) { c.Chrony = "/" + strings.Repeat("x", 107) },
		"relative folder":        func(c *Config) { c.ReplyDir = "run" },
		"rounds too often":       func(c *Config) { c.Every = time.Millisecond },
		"rounds too seldom":      func(c *Config) { c.Every = time.Minute },
		"age below rounds":       func(c *Config) { c.MaxAge = 3 * time.Second },
		"negative grace":         func(c *Config) { c.Grace = -1 },
		"grace beyond age":       func(c *Config) { c.Grace = time.Hour },
	} {
		c := good
		change(&c)
		if g, err := New(t.Context(), c); KindOf(err) != BadConfig || g != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(t.Context(), Config{Mode: Unverified, Accuracy: time.Minute}); err != nil {
		t.Error(err) // demonstrations need nothing
	}
}

// The unverified clock says what it is, gives the machine's time, and refuses to go
// back, without a latch.
func TestUnverified(t *testing.T) {
	t.Parallel()
	f := newFake()
	g, err := build(t.Context(), Config{Mode: Unverified, Accuracy: time.Second}, f.system())
	if err != nil {
		t.Fatal(err)
	}
	s := g.Status()
	if g.Verified() || s.Verified || s.Mode != Unverified || s.State != StateWarn || s.Cause != CauseUnverified {
		t.Fatalf("%+v", s)
	}
	if got, err := g.Now(t.Context()); err != nil || !got.Equal(at0) {
		t.Fatal(got, err)
	}
	f.do(func() { f.ahead -= 1e9 })
	if got, err := g.Now(t.Context()); KindOf(err) != Waiting || !got.IsZero() {
		t.Fatal(got, err)
	}
	f.pass(time.Second)
	if got, err := g.Now(t.Context()); err != nil || !got.Equal(at0) {
		t.Fatal(got, err)
	}
	if err := g.Lift(t.Context(), "A. Rossi"); KindOf(err) != NotStopped {
		t.Fatal(err)
	}
	if s := g.Status(); s.Refused != 1 || !s.LastTime.Equal(at0) {
		t.Fatalf("%+v", s)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g.Run(ctx) // ends with its context
}

// Times are never earlier than one that was given before the call, whoever got it,
// and no stop comes of many asking at once.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{System, Unverified} {
		g := realGate(t, mode)
		var latest atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 2000 {
					before := latest.Load()
					got, err := g.Now(context.Background())
					if err != nil || got.UnixNano() < before {
						t.Errorf("%v, %v after %v: %s", got, err, time.Unix(0, before), g.Status().Reason)
						return
					}
					for l := latest.Load(); got.UnixNano() > l && !latest.CompareAndSwap(l, got.UnixNano()); l = latest.Load() {
					}
				}
			})
		}
		wg.Wait()
	}
}

// realGate is a gate on the machine's clocks, whose kernel says that it is right.
func realGate(t testing.TB, mode Mode) *Gate {
	t.Helper()
	sys := machine()
	inner := sys.adjtimex
	sys.adjtimex = func(tx *unix.Timex) (int, error) {
		_, err := inner(tx)
		tx.Status &^= unix.STA_UNSYNC
		tx.Maxerror = 1000
		return unix.TIME_OK, err
	}
	m := &memory{}
	g, err := build(context.Background(), Config{Mode: mode, Accuracy: time.Second, MaxAge: time.Hour, Every: time.Second,
		Latch: m, OnEvent: m.event}, sys)
	if err != nil {
		t.Fatal(err)
	}
	g.running = true
	for range 100 {
		g.round(context.Background())
		if g.Status().State != StateWaiting {
			return g
		}
		runtime.Gosched() // the machine is busy
	}
	t.Fatal(g.Status().Reason)
	return nil
}

// Against the real kernel: either it vouches and there is a time near the system's,
// or there is none. Which depends on the machine.
func TestRealKernel(t *testing.T) {
	t.Parallel()
	m := &memory{}
	g, err := New(t.Context(), Config{Mode: System, Accuracy: time.Second, Latch: m, OnEvent: m.event})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := g.Now(t.Context()); KindOf(err) != Waiting || !got.IsZero() {
		t.Fatalf("unwatched: %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx) }()
	for g.Status().Cause == CauseNotWatched {
		time.Sleep(time.Millisecond)
	}
	got, err := g.Now(t.Context())
	t.Logf("%v, %v; %+v", got, err, g.Status().Kernel)
	if err == nil && time.Since(got).Abs() > time.Second || err != nil && (KindOf(err) != Waiting || !got.IsZero()) {
		t.Fatalf("%v, %v", got, err)
	}
	// A kernel that was synchronised long ago says so still, and how far off it may be.
	if s := g.Status(); (s.Kernel.Synchronised && s.Bound < s.Budget/2) != (err == nil) {
		t.Fatalf("%v; %+v", err, s)
	}
	cancel()
	<-done
	if _, err := g.Now(t.Context()); KindOf(err) != Waiting || g.Status().Cause != CauseNotWatched || m.stop.Set() {
		t.Fatalf("after Run: %v, latch %+v", err, m.stop)
	}
}

// A stamp allocates nothing for its time.
func TestNowAllocates(t *testing.T) {
	for _, mode := range []Mode{System, Unverified} {
		g := realGate(t, mode)
		if n := testing.AllocsPerRun(1000, func() { g.Now(context.Background()) }); n >= 1 {
			t.Errorf("%s: %v allocations", mode, n)
		}
	}
}

// Setting the clock is noticed: the timer arms without a privilege, is silent while
// nobody sets the clock, and ends with its context. With SIGILLO_SET_CLOCK=1, as
// root, the test sets the machine's clock by a microsecond (by nothing is no setting to
// the kernel): that makes it drop its synchronisation until the daemon's next word, so
// it is not done unasked.
func TestWatchSet(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	set := watchSet(ctx)
	if set == nil {
		t.Fatal("the kernel has no such timer")
	}
	if os.Getenv("SIGILLO_SET_CLOCK") == "1" {
		if _, err := unix.Adjtimex(&unix.Timex{Modes: unix.ADJ_SETOFFSET, Time: unix.Timeval{Usec: 1}}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-set:
		case <-time.After(5 * time.Second):
			t.Fatal("not noticed")
		}
		return
	}
	select {
	case <-set:
		t.Fatal("it cries wolf")
	case <-time.After(20 * time.Millisecond):
	}
}

// A set clock that the watch is told of stops the gate without a stamp or a round.
func TestToldOfSet(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	set := make(chan struct{})
	b.g.sys.watchSet = func(context.Context) <-chan struct{} { return set }
	b.g.c.Every = time.Hour // no second round; the fake clocks stand still
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.g.Run(ctx) }()
	defer func() { cancel(); <-done }()
	set <- struct{}{} // taken after the first round
	set <- struct{}{}
	if s := b.g.Status(); s.State != StateOK {
		t.Fatalf("%+v", s)
	}
	b.do(func() { b.ahead += 1e9 })
	set <- struct{}{}
	set <- struct{}{} // the one before is done
	if s := b.g.Status(); s.State != StateStopped || s.Cause != CauseStep {
		t.Fatalf("%+v", s)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	inner := errors.New("inner")
	err := error(fail(Waiting, inner, "outer"))
	if err.Error() != "clock: outer: inner" || !errors.Is(err, inner) || KindOf(err) != Waiting || KindOf(inner) != "" {
		t.Fatal(err)
	}
}

// cpu reports the processor time of the thread, which other programs on the machine
// do not add to.
func cpu(b *testing.B) func() {
	runtime.LockOSThread()
	used := func() int64 {
		var ru unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_THREAD, &ru); err != nil {
			b.Fatal(err)
		}
		return ru.Utime.Nano() + ru.Stime.Nano()
	}
	start := used()
	return func() {
		b.ReportMetric(float64(used()-start)/float64(b.N), "cpu-ns/op")
		runtime.UnlockOSThread()
	}
}

func BenchmarkNow(b *testing.B) {
	for _, mode := range []Mode{System, Unverified} {
		g := realGate(b, mode)
		b.Run(string(mode), func(b *testing.B) {
			b.ReportAllocs()
			defer cpu(b)()
			for b.Loop() {
				if _, err := g.Now(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(mode)+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := g.Now(context.Background()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	b.Run("adjtimex", func(b *testing.B) { // the floor
		var tx unix.Timex
		defer cpu(b)()
		for b.Loop() {
			tx = unix.Timex{}
			unix.Adjtimex(&tx)
		}
	})
	b.Run("refused", func(b *testing.B) {
		b.ReportAllocs()
		g := realGate(b, System)
		g.halt(context.Background(), found(anomaly, CauseStep, "for the benchmark"))
		for b.Loop() {
			g.Now(context.Background())
		}
	})
}

func BenchmarkRound(b *testing.B) {
	g := realGate(b, System)
	b.ReportAllocs()
	for b.Loop() {
		g.round(context.Background())
	}
}
