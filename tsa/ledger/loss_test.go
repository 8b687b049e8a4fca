package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sigillo/store"
)

// whole is a ledger as it was before something happened to it, with what others kept
// of it.
type whole struct {
	files map[string][]byte
	older map[string][]byte // two entries earlier, and in the middle of each segment
	noted Head
	state []byte
	names []string // of the segments
	index string   // file of the database
	used  int64    // at noted, of lot l
	end   int64
}

const lostSegment = 16 << 10

// newWhole records entries, notes the head two before the end, and closes.
func newWhole(t *testing.T) *whole {
	t.Helper()
	dir := quickDir(t)
	w := &whole{files: map[string][]byte{}, older: map[string][]byte{}, index: filepath.Join(t.TempDir(), "index.db")}
	db, err := store.Open(t.Context(), w.index, store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	l := openTest(t, dir, Options{SegmentSize: lostSegment, Index: db, IndexShare: 1})
	for n := int64(1); n <= 52; n++ {
		put(t, l, made("tsu", swapped(n), "acme", "l"))
		segment := l.w.segment.first
		if n == segment+3 {
			path := filepath.Join(dir, segmentName(segment))
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			w.older[filepath.Base(path)] = data[:l.state().end]
		}
		if n == 50 {
			w.noted, w.state = l.State()
			w.used = l.UsedOfLot("acme", "l")
		}
	}
	w.end = l.Head().Seq
	<-indexed(l, w.end)
	if err := errors.Join(l.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		w.names = append(w.names, filepath.Base(path))
		w.files[filepath.Base(path)] = data
	}
	if len(w.names) < 4 {
		t.Fatalf("%d segments: the test shows less than it should", len(w.names))
	}
	if _, ok := firstOf(w.names[len(w.names)-1]); !ok || w.last() > 46 {
		t.Fatal("the last segment begins after the noted head")
	}
	return w
}

// swapped gives serial numbers as they come in when two are under way at a time, also
// over the end of a segment.
func swapped(n int64) int64 {
	switch {
	case n == 1:
		return 1
	case n%2 == 0:
		return n + 1
	}
	return n - 1
}

func (w *whole) last() int64 {
	first, _ := firstOf(w.names[len(w.names)-1])
	return first
}

// at is the folder with the files that there are left.
func (w *whole) at(t *testing.T, change func(files map[string][]byte)) string {
	t.Helper()
	dir := filepath.Join(quickDir(t), "stamps")
	files := map[string][]byte{}
	for name, data := range w.files {
		files[name] = bytes.Clone(data)
	}
	change(files)
	for name, data := range files {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// contents reads the files of a folder, the lock aside.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "lock" {
			continue
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// endAt cuts a segment after an entry, and some bytes more.
func endAt(t *testing.T, data []byte, seq int64, more int) []byte {
	t.Helper()
	h, at, hash, err := readHead(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	s := readBatches(bytes.NewReader(data), h, at, int64(len(data)), hash)
	for s.next <= seq {
		if _, err := s.read(); err != nil {
			t.Fatal(err)
		}
	}
	return data[:s.place+int64(more)]
}

// What is missing is missed by whoever knows of it, nothing is changed, and when the
// loss is accepted the ledger goes on: no number is given twice, and nothing that was
// used comes back.
func TestLost(t *testing.T) {
	t.Parallel()
	w := newWhole(t)
	clear := func(f map[string][]byte) {
		for name := range f {
			delete(f, name)
		}
	}
	for name, c := range map[string]struct {
		change  func(t *testing.T, w *whole, f map[string][]byte)
		indexed bool // the index is there
		unnoted bool // no head is
		want    Kind
		says    string
		gap     func(w *whole) Gap
		unknown int64
	}{
		"nothing":    {change: func(*testing.T, *whole, map[string][]byte) {}},
		"index gone": {change: func(*testing.T, *whole, map[string][]byte) {}},
		"zeros written ahead of a full segment": {change: func(_ *testing.T, w *whole, f map[string][]byte) {
			f[w.names[1]] = append(f[w.names[1]], make([]byte, 5000)...)
		}},
		"two segments have changed places": {change: func(_ *testing.T, w *whole, f map[string][]byte) {
			f[w.names[1]], f[w.names[2]] = f[w.names[2]], f[w.names[1]]
		}, want: Damaged, says: "begins with entry"},
		"a segment ends in something else": {change: func(_ *testing.T, w *whole, f map[string][]byte) {
			f[w.names[1]] = append(f[w.names[1]], pattern(100, 1)...)
		}, want: Damaged, says: "no whole batch"},
		"a full segment is cut inside of its head": {change: func(_ *testing.T, w *whole, f map[string][]byte) { f[w.names[1]] = f[w.names[1]][:50] },
			want: Damaged, says: "cut short"},
		"cut before the noted head": {change: func(t *testing.T, w *whole, f map[string][]byte) {
			f[w.names[len(w.names)-1]] = endAt(t, f[w.names[len(w.names)-1]], 49, 0)
		}, want: Lost, says: "the entries 50 to 50", gap: func(*whole) Gap { return Gap{From: 50, To: 50} }},
		"cut inside of a batch before it": {change: func(t *testing.T, w *whole, f map[string][]byte) {
			f[w.names[len(w.names)-1]] = endAt(t, f[w.names[len(w.names)-1]], 49, 100)
		}, want: Lost, says: "the entries 50 to 50", gap: func(*whole) Gap { return Gap{From: 50, To: 50} }},
		"a batch after it was not finished": {change: func(t *testing.T, w *whole, f map[string][]byte) {
			f[w.names[len(w.names)-1]] = endAt(t, f[w.names[len(w.names)-1]], 50, 100)
		}},
		"cut before what is indexed": {change: func(t *testing.T, w *whole, f map[string][]byte) {
			f[w.names[len(w.names)-1]] = endAt(t, f[w.names[len(w.names)-1]], 50, 100)
		}, indexed: true, want: Lost, says: "the entries 51 to 52", gap: func(*whole) Gap { return Gap{From: 51, To: 52} }, unknown: 2},
		"all gone": {change: func(_ *testing.T, _ *whole, f map[string][]byte) { clear(f) }, indexed: true,
			want: Lost, says: "whole folder", gap: func(*whole) Gap { return Gap{From: 1, To: 52} }, unknown: 2},
		"all gone, the index knows": {change: func(_ *testing.T, _ *whole, f map[string][]byte) { clear(f) }, indexed: true, unnoted: true,
			want: Lost, says: "the entries 1 to 52", gap: func(*whole) Gap { return Gap{From: 1, To: 52} }, unknown: 52},
		"all gone with the index": {change: func(_ *testing.T, _ *whole, f map[string][]byte) { clear(f) },
			want: Lost, says: "the entries 1 to 50", gap: func(*whole) Gap { return Gap{From: 1, To: 50} }},
		"last segment gone": {change: func(_ *testing.T, w *whole, f map[string][]byte) { delete(f, w.names[len(w.names)-1]) },
			want: Lost, says: "back", gap: func(w *whole) Gap { return Gap{From: w.last(), To: 50} }},
		"last segment as it once was": {change: func(_ *testing.T, w *whole, f map[string][]byte) {
			f[w.names[len(w.names)-1]] = w.older[w.names[len(w.names)-1]]
		}, want: Lost, says: "put back", gap: func(w *whole) Gap { return Gap{From: w.last() + 4, To: 50} }},
		"first segment gone": {change: func(_ *testing.T, w *whole, f map[string][]byte) { delete(f, w.names[0]) }, unnoted: true, indexed: true,
			want: Lost, says: segmentName(1), gap: func(w *whole) Gap { n, _ := firstOf(w.names[1]); return Gap{From: 1, To: n - 1} }},
		"a segment gone": {change: func(_ *testing.T, w *whole, f map[string][]byte) { delete(f, w.names[1]) }, indexed: true,
			want: Lost, gap: func(w *whole) Gap {
				a, _ := firstOf(w.names[1])
				b, _ := firstOf(w.names[2])
				return Gap{From: a, To: b - 1}
			}},
		"a segment as it once was": {change: func(_ *testing.T, w *whole, f map[string][]byte) { f[w.names[1]] = w.older[w.names[1]] }, indexed: true, unnoted: true,
			want: Lost, gap: func(w *whole) Gap {
				a, _ := firstOf(w.names[1])
				b, _ := firstOf(w.names[2])
				return Gap{From: a + 4, To: b - 1}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := w.at(t, func(f map[string][]byte) { c.change(t, w, f) })
			index := filepath.Join(t.TempDir(), "index.db")
			if c.indexed {
				data, err := os.ReadFile(w.index)
				if err == nil {
					err = os.WriteFile(index, data, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			o := Options{SegmentSize: lostSegment, Index: openIndex(t, index), IndexShare: 1}
			state := w.state
			if c.unnoted {
				state = nil
			} else {
				o.Known = []Head{w.noted}
			}
			before := contents(t, dir)
			l, err := Open(dir, o)
			wantKind(t, err, c.want)
			if err == nil {
				<-indexed(l, l.Head().Seq)
				verify(t, l, w.noted)
				_ = l.Close()
				return
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %q", err, c.says)
			}
			if after := contents(t, dir); !reflect.DeepEqual(after, before) {
				t.Errorf("files were changed")
			}
			if c.gap == nil { // what is damaged is not lost
				_, err := AcceptLoss(dir, o, state, func(Loss) error { t.Error("accepted"); return nil })
				wantKind(t, err, c.want)
				return
			}
			acceptLoss(t, w, dir, o, state, c.gap(w), c.unknown)
		})
	}
}

// acceptLoss accepts it and looks at how the ledger goes on.
func acceptLoss(t *testing.T, w *whole, dir string, o Options, state []byte, want Gap, unknown int64) {
	t.Helper()
	refusal := errors.New("not journalled")
	before := contents(t, dir)
	if _, err := AcceptLoss(dir, o, state, func(Loss) error { return refusal }); !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	if after := contents(t, dir); len(after) < len(before) || len(after) > len(before)+1 {
		t.Errorf("refused, and there are %d files where %d were", len(after), len(before))
	}
	if want.To >= w.noted.Seq { // the end: nobody knows how much there was
		want.To, want.Free = want.To+Spare, Spare
	}
	var told Loss
	loss, err := AcceptLoss(dir, o, state, func(l Loss) error { told = l; return nil })
	if err != nil {
		t.Fatal(err)
	}
	if len(loss.Gaps) != 1 || loss.Gaps[0] != want || !reflect.DeepEqual(told, loss) || loss.Unknown != unknown || loss.Charged != want.Len()-unknown {
		t.Fatalf("lost %+v, told %+v, want %+v", loss, told, want)
	}
	if l, err := Open(dir, o); err == nil { // nobody was told
		_ = l.Close()
		t.Fatal("an unknown gap passes")
	}
	o.Lost = loss.Gaps
	l := openTest(t, dir, o)
	put(t, l, made("tsu", 1000, "acme", "l"))
	if got := l.Head().Seq; got <= want.To {
		t.Errorf("it goes on with entry %d, %d is given", got, want.To)
	}
	if used := l.UsedOfLot("acme", "l"); used != l.Head().Seq-unknown-want.Free || used > w.end+1 {
		t.Errorf("%d are used of %d", used, l.Head().Seq)
	}
	if r := verify(t, l, o.Known...); r.Lost != want.Len() || r.Free != want.Free {
		t.Errorf("verify: %+v", r)
	}
	head := l.Head()
	_ = l.Close()
	o.Known = append(o.Known, head)
	l = openTest(t, dir, o)
	<-indexed(l, head.Seq)
	found, err := l.Lookup(t.Context(), Query{Account: "acme"})
	if err != nil || int64(len(found)) != l.Head().Seq-want.Len()-want.Free {
		t.Errorf("%d found, %v", len(found), err)
	}
	_ = l.Close()
	if _, err := AcceptLoss(dir, o, state, func(Loss) error { return nil }); KindOf(err) != NotFound {
		t.Errorf("nothing is missing, and it is accepted: %v", err)
	}
	o.Lost = nil
	_, err = Open(dir, o)
	wantKind(t, err, Lost)
	aside := openTest(t, dir, Options{ReadOnly: true})
	if _, err := aside.Verify(context.Background()); KindOf(err) != Damaged {
		t.Errorf("a loss that nobody accepted is not found: %v", err)
	}
}

// An acceptance that was broken off after it was recorded is not taken for done; and
// what is put back after a loss was accepted fits.
func TestLossBrokenOffAndUndone(t *testing.T) {
	t.Parallel()
	w := newWhole(t)
	last := w.names[len(w.names)-1]
	dir := w.at(t, func(f map[string][]byte) { delete(f, last) })
	o := Options{SegmentSize: lostSegment, Lost: []Gap{{From: w.last(), To: 50}}}
	_, err := Open(dir, o)
	wantKind(t, err, Lost)
	o.Known = []Head{w.noted}
	_, err = Open(dir, o)
	wantKind(t, err, Lost)
	if _, err := AcceptLoss(dir, o, w.state, func(Loss) error { return nil }); err != nil {
		t.Fatal(err)
	}
	l := openTest(t, dir, o)
	put(t, l, made("tsu", 1000, "acme", "l"))
	_ = l.Close()
	if head := l.Head(); head.Seq != 51 {
		t.Errorf("it goes on with %d", head.Seq)
	}
}

// A file that turns up after its loss was accepted fits, with the entries of which
// nobody knew when it was: no number of theirs was given again.
func TestLostFileTurnsUp(t *testing.T) {
	t.Parallel()
	w := newWhole(t)
	last := w.names[len(w.names)-1]
	for name, ends := range map[string]int64{"as it was": 52, "as far as was known": 50, "shorter": 49, "it does not": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := w.at(t, func(f map[string][]byte) { delete(f, last) })
			o := Options{SegmentSize: lostSegment, Known: []Head{w.noted}, IndexShare: 1,
				Index: openIndex(t, filepath.Join(t.TempDir(), "index.db"))}
			loss, err := AcceptLoss(dir, o, w.state, func(Loss) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			o.Lost = loss.Gaps
			again := func(serial int64, lost, found int64) {
				t.Helper()
				l := openTest(t, dir, o)
				put(t, l, made("tsu", serial, "acme", "l"))
				<-indexed(l, l.Head().Seq)
				if r := verify(t, l, w.noted, l.Head()); r.Lost != lost || r.Entries-r.Lost-r.Free != found {
					t.Errorf("%+v; want %d lost and %d there", r, lost, found)
				}
				list, err := l.Lookup(t.Context(), Query{Account: "acme"})
				if err != nil || int64(len(list)) != found {
					t.Errorf("%d found, %v; want %d", len(list), err, found)
				}
				_ = l.Close()
			}
			there := w.last() - 1
			again(1000, 50-there, there+1)
			if ends > 0 {
				if err := os.WriteFile(filepath.Join(dir, last), endAt(t, w.files[last], ends, 0), 0o600); err != nil {
					t.Fatal(err)
				}
				there = ends
			}
			for n := range int64(2) {
				again(1001+n, max(50-there, 0), there+2+n)
			}
		})
	}
}

// A ledger that is whole in itself and long enough, but another.
func TestKnownHeadOfAnother(t *testing.T) {
	t.Parallel()
	l := openTest(t, t.TempDir(), Options{})
	for n := range int64(3) {
		put(t, l, made("tsu", n+1, "a", ""))
	}
	head := l.Head()
	_ = l.Close()
	for i, h := range []Head{{2, head.Hash}, {3, [32]byte{1}}, {1, [32]byte{}}} {
		if _, err := Open(l.dir, Options{Known: []Head{h}}); KindOf(err) != Damaged {
			t.Errorf("%d: %v", i, err)
		}
	}
	l = openTest(t, l.dir, Options{Known: []Head{head, {}}})
	if fmt.Sprint(l.Head()) != fmt.Sprint(head) {
		t.Error("the head has changed")
	}
}

// Files of another ledger are refused by their number, all of them or one in between.
func TestFilesOfAnother(t *testing.T) {
	t.Parallel()
	w, other := newWhole(t), newWhole(t)
	id, ok := StateOf(w.state)
	if !ok {
		t.Fatal("the state does not say which ledger it is of")
	}
	for name, c := range map[string]struct {
		change func(f map[string][]byte)
		o      Options
		state  []byte
		want   Kind
		loss   bool // AcceptLoss only, which knows by the state
	}{
		"all":      {change: func(f map[string][]byte) { clear(f); maps.Copy(f, other.files) }, o: Options{ID: id}, want: Foreign},
		"the last": {change: func(f map[string][]byte) { f[w.names[len(w.names)-1]] = other.files[w.names[len(w.names)-1]] }, o: Options{ID: id}, want: Foreign},
		"all, by the state": {change: func(f map[string][]byte) { clear(f); maps.Copy(f, other.files) },
			o: Options{Known: []Head{{Seq: 60}}}, state: w.state, want: Foreign, loss: true},
		"one in between": {change: func(f map[string][]byte) { f[w.names[1]] = other.files[w.names[1]] }, want: Damaged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := w.at(t, c.change)
			before := contents(t, dir)
			c.o.SegmentSize = lostSegment
			if !c.loss {
				_, err := Open(dir, c.o)
				if wantKind(t, err, c.want); !strings.Contains(err.Error(), "another ledger") {
					t.Error(err)
				}
			}
			_, err := AcceptLoss(dir, c.o, c.state, func(Loss) error { t.Error("accepted"); return nil })
			if wantKind(t, err, c.want); !strings.Contains(err.Error(), "another ledger") {
				t.Error(err)
			}
			if after := contents(t, dir); !reflect.DeepEqual(after, before) {
				t.Error("files were changed")
			}
		})
	}
}
