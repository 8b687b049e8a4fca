package ledger

import (
	"bytes"
	"context"
	"fmt"

	"sigillo/store"
)

// An index with holes is worse than none: what it does not know is not found, and
// nobody is told. It cannot be whole because it says so. When it is opened it is
// therefore counted, as far as that is quick; [Ledger.Verify] compares every row.

// countRows is how many of the latest rows are counted when the index is opened, which
// takes a tenth of a second. Of older segments the first row and the last are looked for.
const countRows = 1_000_000

// fit throws an index away that does not fit the ledger, so that it is made anew. Beside
// the process that holds the ledger, it is merely not used.
func (x *indexer) fit(id string) error {
	var wrong error
	err := x.l.o.Index.Read(x.ctx, func(tx *store.Tx) (err error) {
		wrong, err = x.compare(tx)
		return err
	})
	if err != nil || wrong == nil {
		if err != nil && KindOf(err) == Failed {
			err = fail(Failed, err, "count the index")
		}
		return err
	}
	x.ranges = nil
	if x.l.o.ReadOnly {
		x.misfit = wrong
		return nil
	}
	x.l.tell("index-renewed", "the index does not fit the ledger and is made anew; until it is, lookups are slow", wrong)
	return x.renew(id)
}

// compare says what is wrong with the index, nil for nothing.
func (x *indexer) compare(tx *store.Tx) (wrong, err error) {
	l, n := x.l, 0
	for i, segment := range l.durable.segments {
		end, err := l.endOfSegment(i)
		if err != nil {
			return nil, err
		}
		if end < segment {
			continue // nothing was recorded in it
		}
		if n == len(x.ranges) {
			break
		}
		r := x.ranges[n]
		if n++; r.Segment != segment || r.Last > end || r.Last < end && n < len(x.ranges) {
			return fmt.Errorf("of %s, the entries to %d, it has segment %d to %d", segmentName(segment), end, r.Segment, r.Last), nil
		}
	}
	if n < len(x.ranges) {
		return fmt.Errorf("it has a segment %d, which the ledger has not", x.ranges[n].Segment), nil
	}
	counted := int64(0)
	for i := len(x.ranges) - 1; i >= 0; i-- {
		r := x.ranges[i]
		parts := []Gap{{From: r.Segment, To: r.Segment}, {From: r.Last, To: r.Last}}
		if counted < countRows {
			parts = []Gap{{From: r.Segment, To: r.Last}}
			counted += r.Last - r.Segment + 1
		}
		for _, p := range parts {
			if n, err := tx.CountStamps(p.From, p.To); err != nil || n != p.Len() {
				return fmt.Errorf("of the entries %d to %d it has %d", p.From, p.To, n), err
			}
		}
	}
	if l.o.ReadOnly {
		return nil, nil // the process that holds the ledger adds to it
	}
	last := int64(0)
	if n := len(x.ranges); n > 0 {
		last = x.ranges[n-1].Last
	}
	more, err := tx.Stamps(store.StampFilter{From: nanos(Query{}.From), After: last}, 1)
	if len(more) > 0 {
		return fmt.Errorf("it has an entry %d, and should end with %d", more[0].Seq, last), err
	}
	return nil, err
}

// endOfSegment is the last entry of a segment of which the place in the list is given.
// Where a loss was accepted behind it, it has to be read.
func (l *Ledger) endOfSegment(i int) (int64, error) {
	if i == len(l.durable.segments)-1 {
		return l.durable.head.Seq, nil
	}
	next := l.durable.segments[i+1]
	if !l.accepted(next-1, next-1) {
		return next - 1, nil
	}
	h, err := l.endOf(l.durable.segments[i])
	return h.Seq, err
}

// indexFollows refuses an index that goes further than the ledger, but is not of what
// the ledger holds: nothing is missing because of what that one says. Of its rows the
// one of the ledger's last entry is compared.
func (l *Ledger) indexFollows() error {
	if l.lastEntry == nil { // the last segment has none
		return nil
	}
	want := l.lastEntry
	var list []store.Stamp
	err := l.o.Index.Read(context.Background(), func(tx *store.Tx) (err error) {
		list, err = tx.Stamps(store.StampFilter{From: nanos(Query{}.From), After: want.seq - 1, Before: want.seq + 1}, 1)
		return err
	})
	if err != nil {
		return fail(Failed, err, "read the index")
	}
	if len(list) == 1 && want.is(&list[0]) {
		return nil
	}
	return fail(Foreign, nil, "the index in %s says that there are entries up to %d, but what it has of entry %d, the last in %s, is not what is there: it is not the index of these files. If the files were put there from elsewhere, put the right ones back; if they are the right ones, delete the index: it is made anew",
		l.o.Index.Path(), l.indexed, want.seq, l.dir)
}

// placed is an entry with where it is.
type placed struct {
	stored
	unit           string
	segment, place int64
}

// is says whether a row of the index is of this entry.
func (p *placed) is(row *store.Stamp) bool {
	return row.Seq == p.seq && row.Unit == p.unit && row.Serial == p.serial && row.GenTime == p.time && row.Account == string(p.account) &&
		bytes.Equal(row.Imprint, p.imprint) && row.Segment == p.segment && row.Place == p.place
}

// rowCheck compares the rows of the index with the entries, in their order.
type rowCheck struct {
	l     *Ledger
	upTo  int64 // the last entry that must have its row
	page  []store.Stamp
	wrong error // the first that does not fit
}

func newRowCheck(l *Ledger) *rowCheck {
	c := &rowCheck{l: l}
	if l.indexer != nil {
		c.upTo, c.wrong = l.indexer.last().Last, l.indexer.misfit
	}
	return c
}

// entry compares one; an error is that of the database.
func (c *rowCheck) entry(ctx context.Context, s *stored, unit string, segment, place int64) error {
	if c.wrong != nil || s.seq > c.upTo {
		return nil
	}
	if len(c.page) == 0 {
		err := c.l.o.Index.Read(ctx, func(tx *store.Tx) (err error) {
			c.page, err = tx.Stamps(store.StampFilter{From: nanos(Query{}.From), After: s.seq - 1, Before: c.upTo + 1}, store.MaxRows)
			return err
		})
		if err != nil {
			return fail(Failed, err, "read the index")
		}
	}
	if len(c.page) == 0 || c.page[0].Seq > s.seq {
		c.wrong = fmt.Errorf("entry %d is not in it", s.seq)
		return nil
	}
	row := c.page[0]
	c.page = c.page[1:]
	switch {
	case row.Seq < s.seq:
		c.wrong = fmt.Errorf("it has an entry %d, which the ledger has not", row.Seq)
	case !(&placed{*s, unit, segment, place}).is(&row):
		c.wrong = fmt.Errorf("what it has of entry %d is not what is in the ledger", s.seq)
	}
	return nil
}
