package tsa

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// block is how many serial numbers a unit has in hand at most, and how many are
	// lost by a restart at most. Half of it lasts longer than a durable write takes,
	// at any rate that signatures can be made at.
	block = 1 << 14
	// horizon is how far the promise about the time reaches ahead, and how long
	// stamping waits after a crash at most.
	horizon = time.Second
	// patience is how long a stamp waits for a promise of before to pass. A longer
	// one means that the clock was set back.
	patience = 2 * horizon
	// reserveLimit bounds one call of the Counter.
	reserveLimit = 10 * time.Second
	// reservePause is how long nothing is reserved ahead of need after a failure,
	// retryPause before somebody who looks on has it tried again.
	reservePause = 50 * time.Millisecond
	retryPause   = time.Second
)

// numbers gives a unit its times and serial numbers, in one step: a higher number
// never has an earlier time. It holds three promises:
//
//   - No number is given twice: all come from the Counter, which has them durably
//     before the first is used.
//   - No time is stated after the one that was promised to the Counter, and after a
//     restart none before the promise of the run before.
//   - No time is stated before one already stated.
//
// The Counter is asked ahead of need, in the background, so that a stamp waits for
// it only when the unit was idle for a while. mu guards all below it and is never
// held while the Counter works.
type numbers struct {
	clock   Clock
	counter Counter
	name    string // of the unit, for the Counter
	number  int64  // of the unit, in its place in the serial number
	from    int64  // the time of use: nanoseconds since 1970, both inclusive
	to      int64

	mu      sync.Mutex
	stopped string // why; "": it runs
	spans   []span // numbers in hand, lowest first
	have    int64  // how many those are
	end     int64  // one after the highest number ever seen
	last    int64  // the time stated last, in nanoseconds since 1970
	until   int64  // the promise made
	after   int64  // the promise of the run before: until then nothing is stated

	asked   bool          // the Counter has answered once
	filling chan struct{} // closed when the Counter has answered; nil: it is not being asked
	failure error         // of the last call
	failed  time.Time
}

type span struct{ next, end int64 } // next ≤ n < end

// take chooses the time and the serial number of the next stamp.
func (u *numbers) take(ctx context.Context) (at time.Time, serial int64, refused *Error) {
	for try := 0; ; try++ {
		at, serial, wait, refused := u.tryTake(ctx, try)
		if refused != nil || serial > 0 {
			return at, serial, refused
		}
		if err := wait(ctx); err != nil {
			return at, 0, fail(Unavailable, err, "the request was given up before its turn came")
		}
	}
}

// tries is how often a stamp waits: more often means that the promise has always
// passed by when the Counter returns, or that the clock stands still.
const tries = 4

// tryTake gives a number, or what has to be waited for.
func (u *numbers) tryTake(ctx context.Context, try int) (at time.Time, serial int64, wait func(context.Context) error, refused *Error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stopped != "" {
		return at, 0, nil, fail(Stopped, nil, "the unit was stopped: %s", u.stopped)
	}
	at, err := u.clock.Now(ctx)
	if err != nil {
		return at, 0, nil, fail(TimeNotAvailable, err, "the time cannot be shown to be right; try again later")
	}
	at = at.UTC().Truncate(time.Millisecond)
	now := at.UnixNano()
	switch {
	case now < u.from:
		return at, 0, nil, fail(NotValid, nil, "the time of use of the unit has not begun")
	case now > u.to:
		return at, 0, nil, fail(NotValid, nil, "the time of use of the unit is over")
	case now < u.last:
		return at, 0, nil, fail(TimeNotAvailable, nil, "the clock is behind a time that was already stamped; try again later")
	case !u.asked || u.have == 0 || now > u.until:
		if u.failure != nil && try > 0 || try >= tries {
			return at, 0, nil, fail(Unavailable, u.failure, "the serial numbers of the unit are not available; try again later")
		}
		u.fill(at)
		return at, 0, waitFor(u.filling), nil
	case u.after-now > int64(patience), now < u.after && try >= tries:
		return at, 0, nil, fail(TimeNotAvailable, nil, "the clock is behind a time that may have been stamped before the restart; try again later")
	case now < u.after:
		return at, 0, sleep(time.Duration(u.after - now)), nil
	}
	first := &u.spans[0]
	serial = u.number | first.next
	if first.next++; first.next == first.end {
		u.spans = u.spans[1:]
	}
	u.have--
	u.last = now
	if u.have < block/2 || u.until-now < int64(horizon/2) {
		if u.failure == nil || time.Since(u.failed) > reservePause {
			u.fill(at)
		}
	}
	return at, serial, nil, nil
}

// waitFor waits until the Counter has answered.
func waitFor(done <-chan struct{}) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func sleep(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill asks the Counter in the background, once at a time. u.mu is held.
func (u *numbers) fill(at time.Time) {
	if u.filling != nil {
		return
	}
	done := make(chan struct{})
	u.filling = done
	n := max(block-u.have, 1)
	// Never a promise before one already made: times up to that may have been stated.
	until := max(at.Add(horizon).UnixNano(), u.until)
	go func() {
		// Not the requester's context: the next stamps need the numbers too.
		ctx, cancel := context.WithTimeout(context.Background(), reserveLimit)
		defer cancel()
		first, before, err := u.counter.Reserve(ctx, u.name, n, time.Unix(0, until).UTC())
		u.mu.Lock()
		defer u.mu.Unlock()
		u.filling = nil
		close(done)
		u.filled(first, n, before, until, err)
	}()
}

// filled takes in what the Counter answered, and does not trust it blindly: a store
// that was set back would give numbers a second time. u.mu is held.
func (u *numbers) filled(first, n int64, before time.Time, until int64, err error) {
	if err == nil && (first < 1 || first < u.end || first > maxCount-n) {
		err = errors.New("the counter gives numbers that are not after those it gave before")
		u.stopped = "its serial numbers run backwards, the store was set back or is full; give the key a new unit number"
	}
	if u.failure = err; err != nil {
		u.failed = time.Now()
		return
	}
	if !u.asked {
		u.asked = true
		if !before.IsZero() {
			u.after = before.UnixNano()
		}
	}
	u.until = until
	u.have += n
	if i := len(u.spans) - 1; i >= 0 && u.spans[i].end == first {
		u.spans[i].end += n
	} else {
		u.spans = append(u.spans, span{first, first + n})
	}
	u.end = first + n
}

// trouble says why there are no numbers; "": there are, or nobody has asked yet. u.mu
// is held.
func (u *numbers) trouble(now time.Time) string {
	if u.failure == nil || u.stopped != "" || u.have > 0 && now.UnixNano() <= u.until {
		return ""
	}
	return "its serial numbers cannot be stored"
}

// retry asks the Counter again for a unit that is in trouble, once a second.
func (u *numbers) retry(at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.trouble(at) != "" && time.Since(u.failed) > retryPause {
		u.fill(at.UTC().Truncate(time.Millisecond))
	}
}

// stop ends the giving of numbers; the first reason stays.
func (u *numbers) stop(reason string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stopped == "" {
		u.stopped = cmp.Or(reason, "no reason given")
	}
}
