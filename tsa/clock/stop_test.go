package clock

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Nobody hears of a stop before the latch has stored it and the journal was told,
// however many ask.
func TestStoredBeforeRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	var stored, told atomic.Bool
	begun, goOn := make(chan struct{}), make(chan struct{})
	b.g.c.Latch = latchFunc(func(context.Context, Stop) error {
		close(begun)
		<-goOn
		stored.Store(true)
		return nil
	})
	b.g.c.OnEvent = func(ctx context.Context, ev Event) error {
		if ev.Name == "clock.stopped" {
			if !stored.Load() {
				t.Error("the journal before the latch")
			}
			if s := b.g.Status(); s.Budget == 0 { // allowed in there
				t.Error(s)
			}
			told.Store(true)
		}
		return nil
	}
	b.round()
	b.do(func() { b.ahead += 1e10 })
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if i > 0 {
				<-begun
			}
			_, err := b.g.Now(context.Background())
			if KindOf(err) != Stopped || !stored.Load() || !told.Load() {
				t.Errorf("%v, stored %v, told %v", err, stored.Load(), told.Load())
			}
		})
	}
	<-begun
	time.Sleep(20 * time.Millisecond) // let them all wait; a wrong one answers in this time
	close(goOn)
	wg.Wait()
}

type latchFunc func(context.Context, Stop) error

func (f latchFunc) Load(context.Context) (Stop, error)      { return Stop{}, nil }
func (f latchFunc) Store(ctx context.Context, s Stop) error { return f(ctx, s) }

// The asker who found it may be gone: the stop is stored all the same.
func TestStopOutlivesAsker(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.round()
	b.do(func() { b.ahead += 1e10 })
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := b.g.Now(ctx); KindOf(err) != Stopped {
		t.Fatal(err)
	}
	b.wants(t, "gone", StateStopped, CauseStep)
	if got := b.names(); !slices.Equal(got, []string{"clock.ready", "clock.stopped"}) {
		t.Fatalf("the journal has %v", got)
	}
}

// A latch that fails leaves the clock stopped and is tried again.
func TestLatchFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.round()
	b.memory.fail("store", errors.New("disk full"))
	b.do(func() { b.ahead += 1e10 })
	b.wants2(t, "stopped", Stopped)
	if s := b.g.Status(); s.State != StateStopped || !s.Unstored {
		t.Fatalf("%+v", s)
	}
	if err := b.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != Unavailable && KindOf(err) != StillWrong {
		t.Fatal(err)
	}
	b.round()
	b.wants2(t, "still", Stopped)
	b.memory.fail("store", nil)
	b.round()
	b.wants(t, "stored", StateStopped, CauseStep)
	if b.g.Status().Unstored {
		t.Fatal("not stored")
	}
	// A lift that cannot be stored has not happened.
	b.round()
	b.names()
	b.memory.fail("store", errors.New("disk full"))
	if err := b.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != Unavailable {
		t.Fatal(err)
	}
	b.wants(t, "lift not stored", StateStopped, CauseStep)
	if got := b.names(); !slices.Equal(got, []string{"clock.lifted", "clock.lift.refused"}) {
		t.Fatalf("the journal has %v", got)
	}
}

// A latch that cannot be read is a stop.
func TestLatchUnreadable(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.memory.fail("load", errors.New("damaged"))
	b.open(t, b.g.c)
	b.wants2(t, "at once", Stopped)
	b.round()
	b.round()
	b.wants(t, "and stays", StateStopped, CauseLatch)
	if err := b.g.Lift(t.Context(), "A. Rossi"); err != nil {
		t.Fatal(err)
	}
	b.wants(t, "lifted", StateOK, "")
}

// A journal that fails keeps the clock from starting, does not keep it from stopping,
// and hears of the stop before it can be lifted.
func TestJournalFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	broken := errors.New("disk full")
	b.memory.fail("clock.ready", broken)
	b.round()
	b.wants(t, "not journalled", StateWaiting, CauseJournal)
	b.memory.fail("clock.ready", nil)
	b.round()
	b.wants(t, "journalled", StateOK, "")

	b.memory.fail("clock.stopped", broken)
	b.do(func() { b.ahead += 1e10 })
	b.wants2(t, "stopped", Stopped)
	b.wants(t, "stopped", StateStopped, CauseStep)
	b.round()
	b.round()
	if s := b.g.Status(); s.Unjournalled != 1 || s.Persists != "" {
		t.Fatalf("%+v", s)
	}
	if err := b.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != Unavailable {
		t.Fatal(err)
	}
	b.memory.fail("clock.stopped", nil)
	b.memory.fail("clock.lifted", broken)
	if err := b.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != Unavailable {
		t.Fatal(err)
	}
	b.wants(t, "lift not journalled", StateStopped, CauseStep)
	b.memory.fail("clock.lifted", nil)
	if err := b.g.Lift(t.Context(), "A. Rossi"); err != nil {
		t.Fatal(err)
	}
	if got := b.names(); !slices.Equal(got, []string{"clock.ready", "clock.stopped", "clock.lifted", "clock.ready"}) {
		t.Fatalf("the journal has %v", got)
	}
}

// A reason that quotes nonsense is still one that every journal takes.
func TestPlain(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{
		{"the clock was set by 2s", "the clock was set by 2s"}, {"è", "è"}, {"a\nb\x00c\xff", "a b c?"},
		{strings.Repeat("è", 600), strings.Repeat("è", 501) + "…"},
	} {
		if got := plain(c[0]); got != c[1] {
			t.Errorf("%q: %q", c[0], got)
		}
	}
	b := newBench(t, nil)
	b.round()
	b.do(func() { b.failure = errors.New("bad\xff\n" + strings.Repeat("x", 5000)) })
	b.wants2(t, "stopped", Stopped)
	if ev := b.memory.last; ev.Name != "clock.stopped" || len(ev.Reason) > 1010 || strings.Contains(ev.Reason, "\n") || !utf8.ValidString(ev.Reason) || b.memory.stop.Reason != ev.Reason {
		t.Fatalf("%+v", ev)
	}
}

// What the journal did not take comes before what happened later.
func TestJournalOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.round()
	b.memory.fail("clock.warn", errors.New("disk full"))
	b.do(func() { b.src["/two"].offset = 0.1 })
	b.round()
	b.wants(t, "warned", StateWarn, CauseDiffer)
	b.do(func() { b.ahead += 1e10 })
	b.wants2(t, "stopped", Stopped)
	b.memory.fail("clock.warn", nil)
	b.round()
	if got := b.names(); !slices.Equal(got, []string{"clock.ready", "clock.warn", "clock.stopped"}) {
		t.Fatalf("the journal has %v", got)
	}
}

// A time that was read before a stop is not given after it.
func TestStopWhileReading(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.round()
	inner := b.g.sys.adjtimex
	b.g.sys.adjtimex = func(tx *unix.Timex) (int, error) {
		state, err := inner(tx)
		b.g.sys.adjtimex = inner
		b.do(func() { b.src["/one"].offset = 2 })
		b.g.round(context.Background())
		return state, err
	}
	b.wants2(t, "stopped meanwhile", Stopped)
	b.wants(t, "afterwards", StateStopped, CauseSourceBound)
}

// Who lifts is named, there must be something to lift, and the first source must
// have measured since.
func TestLift(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.round()
	if err := b.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != NotStopped {
		t.Fatal(err)
	}
	b.names()
	b.do(func() { b.src["/one"].ago = 5 * time.Second })
	b.do(func() { b.ahead += 1e10 })
	b.wants2(t, "stopped", Stopped)
	for _, bad := range []string{"", "a\nb", "\x00", strings.Repeat("x", 257), "a\xff"} {
		if err := b.g.Lift(t.Context(), bad); KindOf(err) != BadOperator {
			t.Fatalf("%q: %v", bad, err)
		}
	}
	b.pass(4 * time.Second)
	if err := b.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != StillWrong || !strings.Contains(err.Error(), "has not measured") {
		t.Fatal(err)
	}
	b.pass(2 * time.Second)
	if err := b.g.Lift(t.Context(), "A. Rossi"); err != nil {
		t.Fatal(err)
	}
	b.wants(t, "lifted", StateOK, "")
	if ev := b.memory.events; len(ev) != 4 || ev[1].Name != "clock.lift.refused" || ev[2].Operator != "A. Rossi" || ev[2].Cause != CauseStep {
		t.Fatalf("%+v", ev)
	}
	if err := b.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != NotStopped {
		t.Fatal(err)
	}
}

// Where the clock was ahead and has been put right, no time comes before those given.
func TestNeverEarlier(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.round()
	given, err := b.g.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.do(func() { b.ahead -= 5e9 })
	b.round()
	b.wants(t, "set back", StateStopped, CauseStep)
	b.pass(2 * time.Second)
	if err := b.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != StillWrong || !strings.Contains(err.Error(), "before the last one") {
		t.Fatal(err)
	}
	b.pass(2 * time.Second)
	if err := b.g.Lift(t.Context(), "A. Rossi"); err != nil {
		t.Fatal(err)
	}
	if got, err := b.g.Now(t.Context()); err != nil || got.Before(given) {
		t.Fatalf("%v, %v after %v", got, err, given)
	}
}

// Between two readings of the monotonic clock a goroutine may lose its processor for
// long: that is no step.
func TestSlowReading(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	inner := b.g.sys.adjtimex
	var slow bool
	b.g.sys.adjtimex = func(tx *unix.Timex) (int, error) {
		if slow {
			b.pass(300 * time.Millisecond)
		}
		state, err := inner(tx)
		if slow {
			b.pass(700 * time.Millisecond)
		}
		return state, err
	}
	b.round()
	slow = true
	b.wants(t, "slow", StateOK, "")
	b.round()
	b.wants(t, "slow round", StateOK, "")

	b = newBench(t, nil) // and as long as it is slow it is not where a start takes its measure
	inner = b.g.sys.adjtimex
	b.g.sys.adjtimex = func(tx *unix.Timex) (int, error) { defer b.pass(time.Second); return inner(tx) }
	b.round()
	b.wants(t, "slow start", StateWaiting, CauseStarting)
	b.g.sys.adjtimex = inner
	b.round()
	b.wants(t, "later", StateOK, "")
}

// Every cause has its sentence in both languages.
func TestTexts(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "cause.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		v, ok := node.(*ast.ValueSpec)
		if !ok || len(v.Names) != 1 || !strings.HasPrefix(v.Names[0].Name, "Cause") {
			return true
		}
		n++
		c := Cause(strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`))
		it, en := c.Text("it"), c.Text("en")
		if it == string(c) || en == string(c) || it == en || !strings.HasSuffix(it, ".") || !strings.HasSuffix(en, ".") {
			t.Errorf("%s: %q, %q", c, it, en)
		}
		return true
	})
	if n != len(texts) || n < 20 {
		t.Errorf("%d causes, %d texts", n, len(texts))
	}
	if Cause("x").Text("it") != "x" {
		t.Error("an unknown cause")
	}
}
