package ledger

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// A disk that is full fails every batch, and there may be hundreds in a second. So
// the operator is told when that begins and, with the number of stamps it has cost,
// when it is over; and whoever asks first ([Ledger.Ready]) has no stamp made that
// cannot be recorded.
const (
	// calm is for how long batches must be recorded again before the trouble is
	// over: a disk on the verge of being full fails now and then.
	calm = time.Minute
	// probeEvery is how often an entry is let through to see whether it is over.
	probeEvery = time.Second
)

// trouble is the state in which batches are not written. All but probe and err
// belong to the writer.
type trouble struct {
	since, last time.Time // the first and the last failure; zero: there is no trouble
	batches     int64     // that failed
	entries     int64     // that were in them

	probe atomic.Int64 // when the next entry may try, unix nanoseconds; 0: any may; never: none
	err   atomic.Pointer[Error]
}

const never = math.MaxInt64

// forGood lets no entry try any more.
func (t *trouble) forGood(err *Error) {
	t.err.Store(err)
	t.probe.Store(never)
}

// Ready says why an entry would not be recorded now; nil when there is nothing
// against trying. While the disk fails, one caller a second is let through.
func (l *Ledger) Ready() error {
	next := l.trouble.probe.Load()
	if next == 0 {
		return nil
	}
	now := l.o.now()
	if now.UnixNano() >= next && l.trouble.probe.CompareAndSwap(next, now.Add(probeEvery).UnixNano()) {
		return nil
	}
	return l.trouble.err.Load()
}

// failed takes in that a batch was not written.
func (l *Ledger) failed(g *group, err *Error) {
	t, now := &l.trouble, l.o.now()
	t.err.Store(err)
	t.probe.Store(now.Add(probeEvery).UnixNano())
	t.last = now
	t.batches++
	t.entries += int64(len(g.entries))
	if !t.since.IsZero() {
		return
	}
	t.since = now
	if err.Kind == Full {
		l.tell("full", "the disk of the ledger is full, no time-stamp is recorded or given out; free some space", err)
	} else {
		l.tell("failed", "the disk of the ledger takes no batch, no time-stamp is recorded or given out; look at the disk", err)
	}
}

// recorded takes in that one was.
func (l *Ledger) recorded() {
	t := &l.trouble
	if t.since.IsZero() {
		return
	}
	t.probe.Store(0)
	if l.o.now().Sub(t.last) >= calm {
		l.calmed("time-stamps are recorded again")
	}
}

// calmed tells the end of the trouble.
func (l *Ledger) calmed(how string) {
	t := &l.trouble
	l.tell("recording", fmt.Sprintf("%s; from %s to %s %d batches failed, with %d time-stamps that were not given out",
		how, t.since.UTC().Format(time.RFC3339), t.last.UTC().Format(time.RFC3339), t.batches, t.entries), nil)
	t.since, t.last, t.batches, t.entries = time.Time{}, time.Time{}, 0, 0
}
