package ledger

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"sigillo/store"
)

// How the index is filled: a transaction holds at least so many entries while
// there are more, and the writer of the database is free in between.
const (
	indexRows  = 1000
	indexShare = 0.1             // of one core, while stamps are made
	idleShare  = 0.5             // while few are
	fewStamps  = 500             // per second
	indexPause = 1 * time.Second // once all is indexed: each transaction is a sync beside those of the stamps
	indexRetry = 30 * time.Second
	ownerKey   = "ledger/index" // which ledger the index is of
)

// indexer fills the index behind the writer. Where it has got to is stored with
// the rows, so a crash costs nothing; and what it has not got to is read from the
// segments, so lookups are complete at any time.
type indexer struct {
	l      *Ledger
	kick   chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	ranges []store.StampSegment // by segment; the last is not finished

	misfit error // why the index is not used; only where it may not be made anew
}

// newIndexer opens the index and sees that it belongs to this ledger.
func newIndexer(l *Ledger) (*indexer, error) {
	x := &indexer{l: l, kick: make(chan struct{}, 1), done: make(chan struct{})}
	x.ctx, x.cancel = context.WithCancel(context.Background())
	id := hex.EncodeToString(l.w.segment.ledger[:])
	if err := x.own(id); err != nil {
		return nil, err
	}
	err := l.o.Index.Read(x.ctx, func(tx *store.Tx) error {
		for after := int64(0); ; {
			list, err := tx.StampSegments(after, store.MaxRows)
			if err != nil || len(list) == 0 {
				return err
			}
			x.ranges = append(x.ranges, list...)
			after = list[len(list)-1].Segment
		}
	})
	if err != nil {
		return nil, fail(Failed, err, "read the index")
	}
	if p := x.last(); p.Last > l.durable.head.Seq {
		if !l.o.ReadOnly {
			return nil, l.lost(Gap{From: l.durable.head.Seq + 1, To: p.Last}, "the end was cut off or an old copy was put back; find the missing segments")
		}
		x.ranges = x.until(l.durable) // it has gone on since the segments were listed
	}
	if !l.o.ReadOnly {
		if err := x.forget(); err != nil {
			return nil, err
		}
	}
	for _, r := range x.ranges {
		if _, ok := slices.BinarySearch(l.durable.segments, r.Segment); !ok && !l.accepted(r.Segment, r.Last) {
			return nil, l.lost(Gap{From: r.Segment, To: r.Last}, "put "+segmentName(r.Segment)+" back from the backup")
		}
	}
	return x, x.fit(id)
}

// lastIndexed is the last entry that an index knows, 0 for none, and of which ledger it
// is, "" for one that nothing was ever put into.
func lastIndexed(db *store.DB) (last int64, owner string, err error) {
	err = db.Read(context.Background(), func(tx *store.Tx) error {
		id, err := tx.Setting(ownerKey)
		if err != nil {
			return err
		}
		owner = string(id)
		s, err := tx.LastStampSegment()
		last = s.Last
		return err
	})
	if err != nil && store.KindOf(err) != store.NotFound {
		return 0, "", fail(Failed, err, "read the index")
	}
	return last, owner, nil
}

func (l *Ledger) foreignIndex() error {
	return fail(Foreign, nil, "the index in %s is not of the ledger in %s. If the files in there were put there from elsewhere, take them away and put the right ones back from the backup; if they are the right ones, delete the index: it is made anew", l.o.Index.Path(), l.dir)
}

// forget takes entries whose loss was accepted, and which are not there, out of the index.
func (x *indexer) forget() error {
	l := x.l
	kept := x.ranges[:0:0]
	for _, r := range x.ranges {
		end := r.Segment - 1
		if i, ok := slices.BinarySearch(l.durable.segments, r.Segment); ok {
			var err error
			if end, err = l.endOfSegment(i); err != nil {
				return err
			}
		}
		if r.Last > end {
			if !l.accepted(end+1, r.Last) {
				return l.lost(Gap{From: end + 1, To: r.Last}, "put "+segmentName(r.Segment)+" back from the backup")
			}
			err := l.o.Index.Write(x.ctx, func(tx *store.Tx) error { return tx.CutStamps(r, end+1, r.Last) })
			if err != nil {
				return fail(Failed, err, "take lost entries out of the index")
			}
			r.Last = end
		}
		if r.Last >= r.Segment {
			kept = append(kept, r)
		}
	}
	x.ranges = kept
	return nil
}

// own writes into an empty index whose it is, or compares.
func (x *indexer) own(id string) error {
	var found []byte
	err := x.l.o.Index.Read(x.ctx, func(tx *store.Tx) (err error) {
		found, err = tx.Setting(ownerKey)
		return err
	})
	switch {
	case err == nil && string(found) == id && !x.l.o.Rebuild:
		return nil
	case err == nil && string(found) != id && !x.l.o.Rebuild:
		return x.l.foreignIndex()
	case err != nil && store.KindOf(err) != store.NotFound:
		return fail(Failed, err, "read the index")
	}
	if x.l.o.ReadOnly {
		return nil // nothing is indexed yet
	}
	return x.renew(id)
}

// renew empties the index.
func (x *indexer) renew(id string) error {
	err := x.l.o.Index.Write(x.ctx, func(tx *store.Tx) error {
		if err := tx.DropStamps(); err != nil {
			return err
		}
		return tx.PutSetting(ownerKey, []byte(id))
	})
	if err != nil {
		return fail(Failed, err, "begin the index")
	}
	return nil
}

// until drops the ranges that reach past a state.
func (x *indexer) until(st state) []store.StampSegment {
	return slices.DeleteFunc(x.ranges, func(r store.StampSegment) bool { return r.Last > st.head.Seq })
}

// last is how far the index has got; the zero value before the first entry.
func (x *indexer) last() store.StampSegment {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.ranges) == 0 {
		return store.StampSegment{}
	}
	return x.ranges[len(x.ranges)-1]
}

// rangeOf returns what is known of the times in a segment that is wholly indexed.
func (x *indexer) rangeOf(segment int64) (r store.StampSegment, whole bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	i, ok := slices.BinarySearchFunc(x.ranges, segment, func(r store.StampSegment, s int64) int { return int(min(max(r.Segment-s, -1), 1)) })
	if !ok || i == len(x.ranges)-1 {
		return r, false
	}
	return x.ranges[i], true
}

func (x *indexer) wake() {
	select {
	case x.kick <- struct{}{}:
	default:
	}
}

func (x *indexer) stop() {
	x.cancel()
	<-x.done
}

func (x *indexer) sleep(d time.Duration) bool {
	select {
	case <-x.ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func (x *indexer) run() {
	defer close(x.done)
	broken := false
	for {
		began, before := time.Now(), x.l.Head().Seq
		n, err := x.step()
		switch {
		case x.ctx.Err() != nil:
			return
		case err != nil:
			if !broken { // said once, not every time
				x.l.tell("index-failed", "the index of the ledger is not being filled; lookups get slow, nothing is lost", err)
			}
			broken = true
			if !x.sleep(cmp.Or(x.l.o.retry, indexRetry)) {
				return
			}
			continue
		}
		if broken {
			broken = false
			x.l.tell("index-filled", "the index of the ledger is being filled again", nil)
		}
		if n == 0 {
			select {
			case <-x.ctx.Done():
				return
			case <-x.kick:
			}
			if !x.sleep(indexPause) {
				return
			}
			continue
		}
		if x.last().Last >= before && x.l.o.IndexShare < 1 { // it has caught up; what comes meanwhile goes together
			if !x.sleep(indexPause) {
				return
			}
			continue
		}
		took := time.Since(began)
		share := x.l.o.IndexShare
		if float64(x.l.Head().Seq-before) < fewStamps*took.Seconds() {
			share = max(share, idleShare)
		}
		if !x.sleep(time.Duration(float64(took) * (1/share - 1))) {
			return
		}
	}
}

// step indexes some whole batches of one segment and returns how many entries.
func (x *indexer) step() (int, error) {
	st, p := x.l.state(), x.last()
	if p.Last >= st.head.Seq {
		return 0, nil
	}
	i, ok := slices.BinarySearch(st.segments, p.Segment)
	if ok {
		if n, err := x.fill(st, p, position{p.Segment, p.Next, p.Last + 1}); n > 0 || err != nil {
			return n, err
		}
		i++
	}
	for _, first := range st.segments[i:] {
		if p.Segment != 0 && p.Last+1 != first && !x.l.accepted(p.Last+1, first-1) {
			return 0, fail(Damaged, nil, "the entries %d to %d are in no segment", p.Last+1, first-1)
		}
		next := store.StampSegment{Segment: first, Earliest: 1<<63 - 1, Latest: -1 << 63}
		if n, err := x.fill(st, next, position{first, 0, first}); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// fill indexes from a position of a segment on, of which next is what is indexed.
func (x *indexer) fill(st state, next store.StampSegment, at position) (int, error) {
	r := newReader(x.l, st)
	defer r.close()
	rows := make([]store.Stamp, 0, indexRows+maxWaiting)
	end, err := r.batches(x.ctx, at, func(b *batch) error {
		if len(rows) >= indexRows {
			return errEnough
		}
		return r.entries(b, func(s *stored, unit string, place int64) error {
			rows = append(rows, store.Stamp{
				Seq: s.seq, Unit: unit, Serial: s.serial, GenTime: s.time, Account: string(s.account),
				Imprint: slices.Clone(s.imprint), Segment: next.Segment, Place: place,
			})
			next.Last = s.seq
			next.Earliest, next.Latest = min(next.Earliest, s.time), max(next.Latest, s.time)
			return nil
		})
	})
	if err != nil && !errors.Is(err, io.EOF) || len(rows) == 0 {
		return 0, err
	}
	next.Next = end
	err = x.l.o.Index.Write(x.ctx, func(tx *store.Tx) error {
		if err := tx.PutStamps(rows); err != nil {
			return err
		}
		return tx.PutStampSegment(next)
	})
	if err != nil {
		return 0, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := len(x.ranges); n > 0 && x.ranges[n-1].Segment == next.Segment {
		x.ranges[n-1] = next
	} else {
		x.ranges = append(x.ranges, next)
	}
	return len(rows), nil
}
