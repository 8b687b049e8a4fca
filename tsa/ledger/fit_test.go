package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/store"
)

// cutRows takes rows out of an index that goes on saying that it has them.
func cutRows(t *testing.T, tx *store.Tx, from, to int64) (gone []store.Stamp) {
	t.Helper()
	gone, err := tx.Stamps(store.StampFilter{From: nanos(Query{}.From), After: from - 1, Before: to + 1}, 1000)
	if err != nil || int64(len(gone)) != to-from+1 {
		t.Fatalf("%d rows, %v", len(gone), err)
	}
	list, err := tx.StampSegments(0, 100)
	if err == nil {
		err = tx.CutStamps(list[0], from, to)
	}
	for _, r := range list {
		if err == nil {
			err = tx.PutStampSegment(r)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return gone
}

// An index that does not fit is not searched: it is made anew at the start, and named
// by Verify. What only a comparison of all rows shows, Verify shows.
func TestIndexThatDoesNotFit(t *testing.T) {
	t.Parallel()
	const total = 30
	for name, c := range map[string]struct {
		change func(t *testing.T, tx *store.Tx)
		later  bool // only Verify finds it
		own    bool // only who holds the ledger can tell
	}{
		"nothing":                    {},
		"rows gone at the beginning": {change: func(t *testing.T, tx *store.Tx) { cutRows(t, tx, 1, 3) }},
		"a row gone in between":      {change: func(t *testing.T, tx *store.Tx) { cutRows(t, tx, 14, 14) }},
		"the last row gone":          {change: func(t *testing.T, tx *store.Tx) { cutRows(t, tx, total, total) }},
		"all rows gone":              {change: func(t *testing.T, tx *store.Tx) { cutRows(t, tx, 1, total) }},
		"rows shifted": {change: func(t *testing.T, tx *store.Tx) {
			rows := cutRows(t, tx, 1, total)
			for i := range rows {
				rows[i].Seq += 1000
			}
			if err := tx.PutStamps(rows); err != nil {
				t.Fatal(err)
			}
		}},
		"a segment gone": {change: func(t *testing.T, tx *store.Tx) {
			list, err := tx.StampSegments(0, 100)
			if err == nil {
				err = tx.CutStamps(list[1], list[1].Segment, list[1].Last)
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		"a row too many": {own: true, change: func(t *testing.T, tx *store.Tx) {
			if err := tx.PutStamps([]store.Stamp{{Seq: total + 5, Unit: "x", Serial: 1, Account: "a"}}); err != nil {
				t.Fatal(err)
			}
		}},
		"a row of another account": {later: true, change: func(t *testing.T, tx *store.Tx) {
			rows := cutRows(t, tx, 9, 9)
			rows[0].Account = "mallory"
			if err := tx.PutStamps(rows); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := quickDir(t)
			var told []string
			o := Options{SegmentSize: lostSegment, IndexShare: 1, Index: openIndex(t, filepath.Join(t.TempDir(), "index.db")),
				OnEvent: func(e Event) { told = append(told, e.Kind) }}
			l := openTest(t, dir, o)
			for n := range int64(total) {
				put(t, l, made("tsu", n+1, "acme", "l"))
			}
			if <-indexed(l, total); len(l.state().segments) < 3 {
				t.Fatal("the test shows less than it should")
			}
			_ = l.Close()
			if c.change != nil {
				if err := o.Index.Write(t.Context(), func(tx *store.Tx) error { c.change(t, tx); return nil }); err != nil {
					t.Fatal(err)
				}
			}
			aside := o
			aside.ReadOnly = true
			l = openTest(t, dir, aside)
			if r := verify(t, l); (r.Index != nil) != (c.change != nil && !c.own) {
				t.Errorf("verify says of the index: %v", r.Index)
			}
			if list, err := l.Lookup(t.Context(), Query{Account: "acme"}); !c.later && (err != nil || len(list) != total) {
				t.Errorf("beside: %d found, %v", len(list), err)
			}
			_ = l.Close()
			l = openTest(t, dir, o)
			<-indexed(l, total)
			renewed := strings.Contains(strings.Join(told, " "), "index-renewed")
			if renewed != (c.change != nil && !c.later) {
				t.Errorf("told %q", told)
			}
			if list, err := l.Lookup(t.Context(), Query{Account: "acme"}); !c.later && (err != nil || len(list) != total) {
				t.Errorf("%d found, %v", len(list), err)
			}
			if r := verify(t, l); (r.Index != nil) != c.later {
				t.Errorf("at last: %v", r.Index)
			}
		})
	}
}

// Beside the process that holds the ledger the index may know more than was there a
// moment ago; that is no fault of it.
func TestIndexGoesOnMeanwhile(t *testing.T) {
	t.Parallel()
	dir := quickDir(t)
	o := Options{SegmentSize: lostSegment, IndexShare: 1, Index: openIndex(t, filepath.Join(t.TempDir(), "index.db"))}
	l := openTest(t, dir, o)
	for n := range int64(60) {
		put(t, l, made("tsu", n+1, "acme", "l"))
	}
	<-indexed(l, 60)
	segments := l.state().segments
	_ = l.Close()
	if len(segments) < 4 {
		t.Fatalf("%d segments: the test shows less than it should", len(segments))
	}
	last := segments[len(segments)-1]
	if err := os.Remove(filepath.Join(dir, segmentName(last))); err != nil { // not begun yet
		t.Fatal(err)
	}
	o.ReadOnly = true
	l = openTest(t, dir, o)
	if r := verify(t, l); r.Index != nil {
		t.Error(r.Index)
	}
	if list, err := l.Lookup(t.Context(), Query{Account: "acme"}); err != nil || int64(len(list)) != last-1 {
		t.Errorf("%d found, %v; want %d", len(list), err, last-1)
	}
	// One in between is missed beside, too.
	if err := os.Remove(filepath.Join(dir, segmentName(segments[1]))); err != nil {
		t.Fatal(err)
	}
	_, err := Open(dir, o)
	wantKind(t, err, Lost)
}
