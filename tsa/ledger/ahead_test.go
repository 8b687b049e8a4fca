package ledger

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Under load zeros are written ahead of the batches. They never hit one, a copy made
// at any moment opens without a word about them, and closing takes them away.
func TestAhead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(quickDir(t), "ledger")
	l := openTest(t, dir, Options{SegmentSize: 6 << 20})
	path := filepath.Join(dir, segmentName(1))
	size := func() int64 {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	record := func(from, to int64) {
		t.Helper()
		var group sync.WaitGroup
		for c := range int64(16) {
			group.Go(func() {
				for n := from + c; n < to; n += 16 {
					e := made("tsu", n, "a", "")
					e.GenTime = t0
					if err := l.Append(t.Context(), e); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	}
	record(1, 200)
	if l.state().end != size() {
		t.Error("zeros for nothing: there is no load yet")
	}
	record(200, 1000)
	for limit := time.Now().Add(10 * time.Second); size() < l.state().end+aheadStep; {
		if time.Now().After(limit) {
			t.Fatal("nothing was written ahead")
		}
		time.Sleep(time.Millisecond)
	}
	copied, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := l.Head()
	elsewhere := quickDir(t)
	if err := os.WriteFile(filepath.Join(elsewhere, segmentName(1)), copied, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		again, err := Open(elsewhere, Options{SegmentSize: 6 << 20, ReadOnly: readOnly, OnEvent: func(e Event) { t.Error(e) }})
		if err != nil {
			t.Fatal(err)
		}
		if verify(t, again); again.Head() != head {
			t.Errorf("the copy ends at %d, not at %d", again.Head().Seq, head.Seq)
		}
		_ = again.Close()
	}
	record(1000, 12000) // over the end of the segment, the zeros always a step ahead
	if r := verify(t, l); r.Entries != 11999 || r.Segments < 2 {
		t.Errorf("%+v", r)
	}
	end := l.state().end
	last := filepath.Join(dir, segmentName(l.state().segments[len(l.state().segments)-1]))
	_ = l.Close()
	if st, err := os.Stat(last); err != nil || st.Size() != end {
		t.Errorf("zeros are left after closing: %d bytes, not %d", st.Size(), end)
	}
}

// Whoever opens the ledger for reading while it is written sees what was durable at
// some moment, whole, and never damage.
func TestBeside(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(quickDir(t), "ledger")
	l := openTest(t, dir, Options{SegmentSize: 3 << 20})
	const total = 16_000
	var group sync.WaitGroup
	for c := range int64(8) {
		group.Go(func() {
			for n := c + 1; n <= total; n += 8 {
				e := made("tsu", n, "a", "")
				e.GenTime = t0
				if err := l.Append(t.Context(), e); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	seen, looks := int64(0), 0
	for ; seen < total && !t.Failed(); looks++ {
		before := l.Head().Seq
		aside, err := Open(dir, Options{ReadOnly: true})
		if err != nil {
			t.Error(err)
			break
		}
		r, err := aside.Verify(t.Context())
		if err != nil || r.Entries < before || r.Entries < seen {
			t.Errorf("%d entries, %d were durable: %v", r.Entries, before, err)
		}
		seen = r.Entries
		_ = aside.Close()
	}
	group.Wait()
	verify(t, l)
	if looks < 5 {
		t.Errorf("only %d looks; the test shows little", looks)
	}
}
