package tsa_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sigillo/formats/cms/cmstest"
	"sigillo/tsa"
)

// Many requesters on two nodes with two units each, with restarts between: no
// serial number twice, and no later number of a unit with an earlier time.
func TestSerialsOfNodes(t *testing.T) {
	t.Parallel()
	pki := cmstest.New(t)
	type maker struct {
		id     *cmstest.Identity
		number uint32
	}
	var makers []maker
	for node := range uint32(2) {
		for unit := range uint32(2) {
			n, err := tsa.UnitNumber(node*127, unit*1023)
			if err != nil {
				t.Fatal(err)
			}
			makers = append(makers, maker{pki.TSU(t, "p256"), n})
		}
	}
	const restarts, workers, each = 2, 4, 25
	var mu sync.Mutex
	all := map[string][]tsa.Stamp{}
	live := func(a *tsa.Authority) {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range each {
					s, err := a.Stamp(context.Background(), request(t, crypto.SHA256, nil, false))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					all[s.Unit] = append(all[s.Unit], s)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	}
	var wg sync.WaitGroup
	for _, m := range makers {
		c := &counters{gap: 3} // each its own: nodes share no database
		wg.Go(func() {
			for range restarts {
				a := newAuthority(t, wall{}, c)
				add(t, a, unitConfig(m.id, fmt.Sprint(m.number), m.number))
				live(a)
			}
		})
	}
	wg.Wait()
	checkSerials(t, all, restarts*workers*each)
}

func checkSerials(t *testing.T, all map[string][]tsa.Stamp, each int) {
	t.Helper()
	seen := map[int64]bool{}
	for unit, stamps := range all {
		if len(stamps) != each {
			t.Fatalf("unit %s made %d stamps", unit, len(stamps))
		}
		slices.SortFunc(stamps, func(a, b tsa.Stamp) int { return int(a.Serial&(1<<46-1) - b.Serial&(1<<46-1)) })
		for i, s := range stamps {
			if s.Serial < 1 || seen[s.Serial] {
				t.Fatalf("serial %d is given twice or not positive", s.Serial)
			}
			seen[s.Serial] = true
			if i > 0 && s.GenTime.Before(stamps[i-1].GenTime) {
				t.Fatalf("unit %s: serial %d has an earlier time than the one before", unit, s.Serial)
			}
		}
	}
	if len(all) != 4 {
		t.Fatalf("%d units stamped", len(all))
	}
}

// After a crash nothing is stamped before the promise of the run before has passed:
// a short wait is waited, a long one means a clock that was set back.
func TestNoTimeBeforeTheCrash(t *testing.T) {
	t.Parallel()
	id := cmstest.New(t).TSU(t, "p256")
	c := &counters{}
	start := time.Now().Truncate(time.Millisecond)
	req := request(t, crypto.SHA256, nil, false)
	live := func(clock tsa.Clock) (tsa.Stamp, error) {
		a := newAuthority(t, clock, c)
		add(t, a, unitConfig(id, "tsu", 1))
		return a.Stamp(context.Background(), req)
	}
	if s, err := live(&hand{t: start}); err != nil || !s.GenTime.Equal(start) {
		t.Fatalf("the first stamp: %v, %v", s.GenTime, err)
	}
	promise := c.promised["tsu"]
	if d := promise.Sub(start); d <= 0 || d > 2*time.Second {
		t.Fatalf("the promise reaches %v ahead", d)
	}
	if _, err := live(&hand{t: start.Add(-time.Hour)}); tsa.KindOf(err) != tsa.TimeNotAvailable {
		t.Fatalf("with the clock an hour behind: %v", err)
	}
	if !c.promised["tsu"].Equal(promise) {
		t.Fatalf("the promise was taken back to %v", c.promised["tsu"])
	}
	// A clock that runs: the stamp comes as soon as the promise has passed.
	s, err := live(running{time.Until(start.Add(promise.Sub(start) / 2))})
	if err != nil || s.GenTime.Before(promise) || s.GenTime.After(promise.Add(5*time.Second)) {
		t.Fatalf("stamped at %v, %v; the promise was %v", s.GenTime, err, promise)
	}
	// A clock that stands still is not waited for forever.
	c.promised["tsu"] = start.Add(time.Hour + 50*time.Millisecond)
	if _, err := live(&hand{t: start.Add(time.Hour)}); tsa.KindOf(err) != tsa.TimeNotAvailable {
		t.Fatalf("with a clock that stands still: %v", err)
	}
	if s, err := live(&hand{t: start.Add(2 * time.Hour)}); err != nil || !s.GenTime.Equal(start.Add(2*time.Hour)) {
		t.Fatalf("after the promise: %v, %v", s.GenTime, err)
	}
}

// running is the machine's clock, moved.
type running struct{ by time.Duration }

func (r running) Now(context.Context) (time.Time, error) { return time.Now().Add(r.by), nil }

// held is a Counter that answers when it is let.
type held struct {
	counters
	let chan struct{}
}

func (h *held) Reserve(ctx context.Context, unit string, n int64, until time.Time) (int64, time.Time, error) {
	select {
	case <-h.let:
	case <-ctx.Done():
		return 0, time.Time{}, ctx.Err()
	}
	return h.counters.Reserve(ctx, unit, n, until)
}

// While the Counter is busy, stamps go on as far as the promise reaches and no
// further; then they wait, and no longer than their requester does.
func TestPromiseIsKept(t *testing.T) {
	t.Parallel()
	start := time.Now().Truncate(time.Millisecond)
	clock := &hand{t: start}
	c := &held{let: make(chan struct{}, 100)}
	a := newAuthority(t, clock, c)
	add(t, a, unitConfig(cmstest.New(t).TSU(t, "p256"), "tsu", 1))
	req := request(t, crypto.SHA256, nil, false)
	at := func(d, patience time.Duration) error {
		clock.set(start.Add(d), nil)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s, err := a.Stamp(ctx, req)
		if err == nil && !s.GenTime.Equal(start.Add(d)) {
			t.Errorf("at %v: stamped %v", d, s.GenTime)
		}
		return err
	}
	if err := at(0, 20*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("without a number: %v", err)
	}
	c.let <- struct{}{}
	for _, d := range []time.Duration{0, 499, 501, 999, 1000} { // milliseconds
		if err := at(d*time.Millisecond, time.Minute); err != nil {
			t.Fatalf("after %d ms: %v", d, err)
		}
	}
	if err := at(1001*time.Millisecond, 20*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("past the promise: %v", err)
	}
	close(c.let)
	if err := at(1700*time.Millisecond, time.Minute); err != nil {
		t.Fatalf("after the Counter answered: %v", err)
	}
	if err := at(time.Hour, time.Minute); err != nil {
		t.Fatalf("after an hour without stamps: %v", err)
	}
	if n := c.calls.Load(); n > 6 {
		t.Errorf("the Counter was asked %d times for 7 stamps", n)
	}
}

// A Counter that fails stops the stamps when the numbers are used up, and they come
// back with it; one that runs backwards stops the unit for good.
func TestCounterFails(t *testing.T) {
	t.Parallel()
	clock := &hand{t: time.Now()}
	c := &counters{err: errors.New("disk full")}
	a := newAuthority(t, clock, c)
	add(t, a, unitConfig(cmstest.New(t).TSU(t, "p256"), "tsu", 1))
	req := request(t, crypto.SHA256, nil, false)
	stampKind := func() tsa.Kind {
		_, err := a.Stamp(context.Background(), req)
		return tsa.KindOf(err)
	}
	if got := stampKind(); got != tsa.Unavailable {
		t.Fatalf("without numbers: %q", got)
	}
	c.fail(nil)
	if got := stampKind(); got != "" {
		t.Fatalf("with numbers: %q", got)
	}
	c.fail(errors.New("disk full"))
	if got := stampKind(); got != "" {
		t.Fatalf("with numbers in hand: %q", got)
	}
	clock.set(time.Now().Add(time.Minute), nil)
	if got := stampKind(); got != tsa.Unavailable {
		t.Fatalf("past the promise: %q", got)
	}
	c.fail(nil)
	if got := stampKind(); got != "" {
		t.Fatalf("the Counter is back: %q", got)
	}
	c.mu.Lock()
	c.next["tsu"] -= 5
	c.mu.Unlock()
	clock.set(time.Now().Add(2*time.Minute), nil)
	for range 2 {
		if got := stampKind(); got != tsa.Stopped {
			t.Fatalf("with a Counter that was set back: %q", got)
		}
	}
	if u := a.Units(context.Background())[0]; u.State != tsa.UnitStopped || u.Reason == "" {
		t.Fatalf("the list says %+v", u)
	}
}

// A unit whose numbers cannot be stored says so and is not current, and who only looks
// on learns when that is over: a service that is not asked because it is not well
// would never be well again.
func TestUnitInTrouble(t *testing.T) {
	t.Parallel()
	tsu := cmstest.New(t).TSU(t, "p256")
	synctest.Test(t, func(t *testing.T) {
		clock := &hand{t: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
		c := &counters{}
		a := newAuthority(t, clock, c)
		add(t, a, unitConfig(tsu, "tsu", 1))
		is := func(current bool, calls int64) {
			t.Helper()
			before := c.calls.Load()
			u := a.Units(context.Background())[0]
			synctest.Wait()
			if u.Current != current || (u.Trouble == "") != current || u.State != tsa.UnitActive || c.calls.Load()-before != calls {
				t.Fatalf("%+v after %d calls, want current %v and %d calls", u, c.calls.Load()-before, current, calls)
			}
		}
		synctest.Wait() // the first numbers
		is(true, 0)
		c.fail(errors.New("disk full"))
		clock.set(clock.t.Add(time.Minute), nil) // past the promise
		if _, err := a.Stamp(context.Background(), request(t, crypto.SHA256, nil, false)); tsa.KindOf(err) != tsa.Unavailable {
			t.Fatal(err)
		}
		is(false, 0) // it was tried just now
		time.Sleep(1100 * time.Millisecond)
		is(false, 1)
		is(false, 0)
		c.fail(nil)
		time.Sleep(1100 * time.Millisecond)
		clock.set(clock.t, errors.New("not synchronised"))
		calls := c.calls.Load()
		a.Units(context.Background())
		if synctest.Wait(); c.calls.Load() != calls {
			t.Fatal("a promise was made about a time that nobody vouches for")
		}
		clock.set(clock.t, nil)
		is(false, 1) // it is over while that was asked
		is(true, 0)
	})
}

// A clock that steps back, or cannot vouch for its time, stops the stamps until it
// has caught up.
func TestAuthorityTimeNeverRunsBack(t *testing.T) {
	t.Parallel()
	start := time.Now()
	clock := &hand{t: start}
	a := newAuthority(t, clock, &counters{})
	add(t, a, unitConfig(cmstest.New(t).TSU(t, "p256"), "tsu", 1))
	req := request(t, crypto.SHA256, nil, false)
	for _, step := range []struct {
		to   time.Duration
		err  error
		want tsa.Kind
	}{
		{0, nil, ""}, {0, nil, ""}, {-time.Millisecond, nil, tsa.TimeNotAvailable}, {-time.Hour, nil, tsa.TimeNotAvailable}, {0, nil, ""},
		{0, errors.New("not synchronised"), tsa.TimeNotAvailable}, {time.Second, nil, ""}, {0, nil, tsa.TimeNotAvailable}, {time.Hour, nil, ""},
	} {
		clock.set(start.Add(step.to), step.err)
		if _, err := a.Stamp(context.Background(), req); tsa.KindOf(err) != step.want {
			t.Fatalf("at %v: %v", step.to, err)
		}
	}
}
