package ledger

import (
	"bytes"
	"context"
	"encoding/asn1"
	"errors"
	"slices"
	"sort"

	"sigillo/store"
)

// search is a query on one state of the ledger and of its index.
type search struct {
	l        *Ledger
	q        Query
	from, to int64 // GenTime, nanoseconds
	st       state
	indexed  store.StampSegment // zero: nothing is
	byIndex  bool               // the index finds the entries up to indexed.Last
	r        *reader
}

func (l *Ledger) search(q Query) *search {
	s := &search{l: l, q: q, from: nanos(q.From), to: nanos(q.To)}
	if q.To.IsZero() {
		s.to = 1<<63 - 1
	}
	if l.indexer != nil { // before the state: what is indexed is in it
		s.indexed = l.indexer.last()
		s.byIndex = s.indexed.Last > 0 && (len(q.Digest) > 0 || q.Serial != 0 || q.Account != "")
	}
	s.st = l.state()
	s.r = newReader(l, s.st)
	return s
}

// found is an entry that the query selects.
type found struct {
	*stored
	unit           string
	segment, place int64
}

func (s *search) entry(f *found) Entry {
	e := f.stored.entry(f.unit, f.segment, f.place)
	e.Unverified = s.l.isUnverified(e.Policy)
	return e
}

func (l *Ledger) isUnverified(policy asn1.ObjectIdentifier) bool {
	return len(l.o.Unverified) > 0 && l.o.Unverified.Equal(policy)
}

func (s *search) matches(e *stored, unit string) bool {
	q := &s.q
	return e.time >= s.from && e.time < s.to &&
		(q.Serial == 0 || e.serial == q.Serial) &&
		(q.Unit == "" || unit == q.Unit) &&
		(q.Account == "" || string(e.account) == q.Account) &&
		(len(q.Digest) == 0 || bytes.Equal(e.imprint, q.Digest))
}

// Lookup returns the entries that a query selects, in the order in which they were
// recorded (which is nearly, not exactly, that of their times), or newest first.
// The answer is complete: it holds every entry that was durable when Lookup began.
func (l *Ledger) Lookup(ctx context.Context, q Query) ([]Entry, error) {
	if q.Limit <= 0 || q.Limit > MaxLimit {
		q.Limit = MaxLimit
	}
	s := l.search(q)
	defer s.r.close()
	if q.Newest {
		return s.newest(ctx)
	}
	var list []Entry
	err := s.each(ctx, q.Limit, func(f *found) error {
		list = append(list, s.entry(f))
		return nil
	})
	return list, err
}

// each visits up to limit entries in their order; a limit of 0 is none.
func (s *search) each(ctx context.Context, limit int, visit func(*found) error) error {
	n := 0
	counted := func(f *found) error {
		if err := visit(f); err != nil {
			return err
		}
		if n++; n == limit {
			return errEnough
		}
		return nil
	}
	start := s.q.After
	if s.byIndex && start < s.indexed.Last {
		if err := s.rows(ctx, false, counted); err != nil {
			return enough(err)
		}
		start = s.indexed.Last
	}
	return enough(s.scan(ctx, start, counted))
}

func enough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// rows visits what the index selects up to where it has got.
func (s *search) rows(ctx context.Context, newest bool, visit func(*found) error) error {
	f := store.StampFilter{
		Serial: s.q.Serial, Unit: s.q.Unit, Imprint: s.q.Digest, Account: s.q.Account,
		From: s.from, To: s.to, After: s.q.After, Before: s.indexed.Last + 1, Newest: newest,
	}
	if newest {
		f.After = 0
		if s.q.After > 0 {
			f.Before = min(f.Before, s.q.After)
		}
	}
	s.narrow(&f)
	for f.After < f.Before-1 {
		if err := ctx.Err(); err != nil {
			return fail(Failed, err, "the lookup was broken off")
		}
		var list []store.Stamp
		err := s.l.o.Index.Read(ctx, func(tx *store.Tx) (err error) {
			list, err = tx.Stamps(f, store.MaxRows)
			return err
		})
		if err != nil {
			return fail(Failed, err, "read the index")
		}
		for _, row := range list {
			if err := s.row(row, visit); err != nil {
				return err
			}
			if newest {
				f.Before = row.Seq
			} else {
				f.After = row.Seq
			}
		}
		if len(list) < store.MaxRows {
			return nil
		}
	}
	return nil
}

// narrow bounds the sequence numbers by the times that the indexed segments hold.
func (s *search) narrow(f *store.StampFilter) {
	for i, segment := range s.st.segments {
		r, whole := s.l.indexer.rangeOf(segment)
		if !whole || r.Latest >= s.from && r.Earliest < s.to {
			break
		}
		if i+1 < len(s.st.segments) {
			f.After = max(f.After, s.st.segments[i+1]-1)
		}
	}
	for i := len(s.st.segments) - 1; i >= 0; i-- {
		segment := s.st.segments[i]
		r, whole := s.l.indexer.rangeOf(segment)
		if segment > s.indexed.Segment {
			continue // not indexed
		}
		if !whole || r.Latest >= s.from && r.Earliest < s.to {
			break
		}
		f.Before = min(f.Before, segment)
	}
}

// row reads the entry that a row of the index points to. The ledger is the truth:
// a row that does not fit is a broken index, not an answer.
func (s *search) row(row store.Stamp, visit func(*found) error) error {
	e, unit, err := s.r.entry(row.Segment, row.Place)
	if err != nil {
		return err
	}
	if e.seq != row.Seq || !s.matches(&e, unit) {
		return fail(Damaged, nil, "the index does not fit the ledger at entry %d; delete it while the service is stopped, it is made anew", row.Seq)
	}
	return visit(&found{&e, unit, row.Segment, row.Place})
}

// skips says whether no entry of a segment can be in the time asked for.
func (s *search) skips(segment int64) bool {
	if s.l.indexer == nil || s.from == nanos(Query{}.From) && s.to == 1<<63-1 {
		return false
	}
	r, whole := s.l.indexer.rangeOf(segment)
	return whole && (r.Latest < s.from || r.Earliest >= s.to)
}

// segmentOf returns the place in the list of the segment in which an entry is.
func (st *state) segmentOf(seq int64) int {
	return max(sort.Search(len(st.segments), func(i int) bool { return st.segments[i] > seq })-1, 0)
}

// scan visits what matches after an entry by reading the segments.
func (s *search) scan(ctx context.Context, after int64, visit func(*found) error) error {
	if after >= s.st.head.Seq {
		return nil
	}
	for i := s.st.segmentOf(after + 1); i < len(s.st.segments); i++ {
		if s.skips(s.st.segments[i]) {
			continue
		}
		if err := s.segment(ctx, s.st.segments[i], after, visit); err != nil {
			return err
		}
	}
	return nil
}

// segment visits what matches after an entry in one segment.
func (s *search) segment(ctx context.Context, segment, after int64, visit func(*found) error) error {
	at := position{segment: segment}
	if s.indexed.Segment == segment && after >= s.indexed.Last {
		at = position{segment, s.indexed.Next, s.indexed.Last + 1} // there is a shorter way
	}
	stop := false
	_, err := s.r.batches(ctx, at, func(b *batch) error {
		if stop {
			return errEnough
		}
		if b.first+int64(b.entries)-1 <= after {
			return nil
		}
		err := s.r.entries(b, func(e *stored, unit string, place int64) error {
			if e.seq <= after || !s.matches(e, unit) {
				return nil
			}
			return visit(&found{e, unit, segment, place})
		})
		stop = errors.Is(err, errEnough)
		return err
	})
	if err == nil && stop {
		return errEnough
	}
	return err
}

// newest returns the last entries that match, the newest first.
func (s *search) newest(ctx context.Context) ([]Entry, error) {
	var list []Entry
	lower, upper := int64(0), s.st.head.Seq
	if s.q.After > 0 {
		upper = min(upper, s.q.After-1)
	}
	if s.byIndex {
		lower = s.indexed.Last
	}
	for i := s.st.segmentOf(upper); i >= 0 && len(list) < s.q.Limit && upper > lower; i-- {
		segment := s.st.segments[i]
		if !s.skips(segment) {
			var part []Entry
			err := s.segment(ctx, segment, lower, func(f *found) error {
				if f.seq > upper {
					return errEnough
				}
				if part = append(part, s.entry(f)); len(part) > 2*s.q.Limit {
					part = append(part[:0], part[len(part)-s.q.Limit:]...)
				}
				return nil
			})
			if enough(err) != nil {
				return nil, err
			}
			slices.Reverse(part)
			list = append(list, part[:min(len(part), s.q.Limit-len(list))]...)
		}
		if segment <= lower+1 {
			break
		}
	}
	if !s.byIndex || len(list) == s.q.Limit {
		return list, nil
	}
	err := s.rows(ctx, true, func(f *found) error {
		if list = append(list, s.entry(f)); len(list) == s.q.Limit {
			return errEnough
		}
		return nil
	})
	return list, enough(err)
}

// Each visits all entries that a query selects, in their order, for work on the
// whole archive, such as evidence records over the tokens of a year. token reads the
// token of the entry; it is good until visit returns. Each ends at the first error
// and returns it. Query.Limit 0 means all; Newest is not for Each.
func (l *Ledger) Each(ctx context.Context, q Query, visit func(e Entry, token func() ([]byte, error)) error) error {
	if q.Newest || q.Limit < 0 {
		return fail(BadQuery, nil, "the ledger is gone through from the oldest to the newest")
	}
	s := l.search(q)
	defer s.r.close()
	return s.each(ctx, q.Limit, func(f *found) error {
		return visit(s.entry(f), func() ([]byte, error) { return s.r.whole(f.stored) })
	})
}

// Token returns the token of an entry that Lookup has returned, byte for byte as
// it was delivered.
func (l *Ledger) Token(e Entry) ([]byte, error) {
	r := newReader(l, l.state())
	defer r.close()
	return r.token(e)
}

func (r *reader) token(e Entry) ([]byte, error) {
	if e.segment == 0 {
		return nil, fail(NotFound, nil, "the entry does not come from Lookup")
	}
	s, _, err := r.entry(e.segment, e.place)
	if err != nil {
		return nil, err
	}
	if s.seq != e.Seq {
		return nil, fail(NotFound, nil, "the entry is not of this ledger")
	}
	return r.whole(&s)
}

// whole puts the certificates of an entry of the open segment back.
func (r *reader) whole(s *stored) ([]byte, error) {
	d, err := r.declaration(s.declared)
	if err != nil {
		return nil, err
	}
	return s.whole(d.certs), nil
}
