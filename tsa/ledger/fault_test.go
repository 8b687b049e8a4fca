package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// A fault is how a system call goes wrong.
type fault string

const (
	refused  fault = "refused"  // nothing happened, and it says so
	half     fault = "half"     // half of a write happened
	unheard  fault = "unheard"  // it happened, and says that it did not
	diskFull fault = "diskFull" // ENOSPC after half of it
)

// faulty is the real disk, but one call, counted over all that change something,
// goes wrong; with lasting all after it do.
type faulty struct {
	system
	mu      sync.Mutex
	at      int
	how     fault
	lasting bool
	calls   int
	hit     string // what went wrong
}

var errDisk = fmt.Errorf("injected: %w", syscall.EIO)

func (d *faulty) strike(what string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	if d.calls == d.at || d.lasting && d.at > 0 && d.calls > d.at {
		d.hit = what
		return true
	}
	return false
}

func (d *faulty) do(what string, f func() error) error {
	if !d.strike(what) {
		return f()
	}
	if d.how == unheard {
		_ = f()
	}
	if d.how == diskFull {
		return fmt.Errorf("injected: %w", syscall.ENOSPC)
	}
	return errDisk
}

func (d *faulty) open(path string, flag int) (file, error) {
	var f file
	err := d.do("open", func() (err error) {
		f, err = d.system.open(path, flag)
		return err
	})
	if err != nil {
		if f != nil {
			_ = f.Close()
		}
		return nil, err
	}
	return &faultyFile{f, d}, nil
}

func (d *faulty) rename(from, to string) error {
	return d.do("rename", func() error { return d.system.rename(from, to) })
}
func (d *faulty) remove(path string) error {
	return d.do("remove", func() error { return d.system.remove(path) })
}
func (d *faulty) syncDir(path string) error {
	return d.do("syncDir", func() error { return nil }) // as far as this test can see
}

type faultyFile struct {
	file
	d *faulty
}

func (f *faultyFile) WriteAt(b []byte, at int64) (int, error) {
	n := 0
	err := f.d.do("write", func() (err error) {
		n, err = f.file.WriteAt(b, at)
		return err
	})
	if err != nil && (f.d.how == half || f.d.how == diskFull) {
		n, _ = f.file.WriteAt(b[:len(b)/2], at)
	}
	return n, err
}

func (f *faultyFile) truncate(size int64) error {
	return f.d.do("truncate", func() error { return f.file.truncate(size) })
}
func (f *faultyFile) reserve(size int64) error {
	return f.d.do("reserve", func() error { return f.file.reserve(size) })
}
func (f *faultyFile) sync() error { return f.d.do("sync", func() error { return nil }) }

// quickDir is a folder in memory where the system has one: these tests are about
// what the ledger does, not about the disk.
func quickDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "ledger")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Each system call goes wrong in each way, once or from then on. Whatever happens:
// what was acknowledged is there after opening again, what was refused for certain
// is not, sums and chain are right, and the ledger goes on.
func TestFaults(t *testing.T) {
	t.Parallel()
	hits := map[string]bool{}
	for _, how := range []fault{refused, half, unheard, diskFull} {
		for _, lasting := range []bool{false, true} {
			for at := 1; ; at++ {
				hit := runFaults(t, at, how, lasting)
				if hit == "" {
					break
				}
				hits[hit] = true
			}
		}
	}
	for _, what := range []string{"open", "write", "sync", "rename", "syncDir", "reserve", "truncate"} {
		if !hits[what] {
			t.Errorf("no fault hit %s; the test shows less than it should", what)
		}
	}
}

func runFaults(t *testing.T, at int, how fault, lasting bool) (hit string) {
	t.Helper()
	dir := filepath.Join(quickDir(t), "ledger")
	defer os.RemoveAll(dir)
	d := &faulty{at: at, how: how, lasting: lasting}
	name := fmt.Sprintf("%s %d lasting=%v", how, at, lasting)
	certain, unknown := map[int64]bool{}, map[int64]bool{}
	for range 2 { // opened, filled, closed, twice
		l, err := open(dir, Options{SegmentSize: 8 << 10}, d)
		if err != nil {
			continue
		}
		for i := range int64(7) {
			serial := int64(len(certain)+len(unknown)) + 100*i + 1 + l.w.units["tsu"].top()
			err := l.Append(t.Context(), made("tsu", serial, "a", "l"))
			switch {
			case err == nil:
				certain[serial] = true
			case KindOf(err) == Stopped:
				unknown[serial] = true
			case how == diskFull && KindOf(err) != Full && !errors.Is(err, syscall.EIO):
				t.Fatalf("%s: %v is not of the kind Full", name, err)
			}
		}
		_ = l.Close()
	}
	l, err := open(dir, Options{SegmentSize: 8 << 10}, &faulty{})
	if err != nil {
		t.Fatalf("%s (%s): open again: %v", name, d.hit, err)
	}
	list, err := l.Lookup(t.Context(), Query{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[int64]bool{}
	for _, e := range list {
		found[e.Serial] = true
		if !certain[e.Serial] && !unknown[e.Serial] {
			t.Fatalf("%s (%s): %d was refused and is there", name, d.hit, e.Serial)
		}
	}
	for serial := range certain {
		if !found[serial] {
			t.Fatalf("%s (%s): %d was acknowledged and is missing", name, d.hit, serial)
		}
	}
	if l.Used("a") != int64(len(list)) || l.UsedOfLot("a", "l") != int64(len(list)) {
		t.Fatalf("%s: %d used, %d entries", name, l.Used("a"), len(list))
	}
	put(t, l, made("tsu", 1<<40, "a", "l"))
	verify(t, l)
	_ = l.Close()
	return d.hit
}

// top is for tests: numbers go on where they were.
func (w *window) top() int64 {
	if w == nil {
		return 0
	}
	return w.max
}

// batchesOf returns where the batches of the last segment begin and the last ends.
func batchesOf(t testing.TB, dir string) (path string, places []int64) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
	if err != nil || len(names) == 0 {
		t.Fatal("no segments", err)
	}
	path = names[len(names)-1]
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	h, at, hash, err := readHead(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	s := readBatches(bytes.NewReader(data), h, at, int64(len(data)), hash)
	for {
		places = append(places, s.place)
		if _, err := s.read(); err != nil {
			return path, places
		}
	}
}

// A crash leaves any part of the last batch: cut at every byte, zeros after it, or
// old bytes after it. What is before stays, what is left of it is kept aside.
func TestTornEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openTest(t, dir, Options{})
	for i := range int64(4) {
		put(t, l, made("tsu", i+1, "a", ""))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path, places := batchesOf(t, dir)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last, end := places[3], places[4]
	tails := map[string][]byte{}
	for cut := last; cut < end; cut += 1 + (cut-last)/12 {
		tails[fmt.Sprintf("cut at %d", cut)] = data[:cut]
		tails[fmt.Sprintf("zeros from %d", cut)] = append(bytes.Clone(data[:cut]), make([]byte, 9000)...)
		noise := bytes.Clone(data)
		noise[cut] ^= 0x40
		tails[fmt.Sprintf("changed at %d", cut)] = noise
	}
	for name, tail := range tails {
		dir := quickDir(t)
		path := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(path, tail, 0o600); err != nil {
			t.Fatal(err)
		}
		var told []Event
		l := openTest(t, dir, Options{SegmentSize: 64 << 10, OnEvent: func(e Event) { told = append(told, e) }})
		if r := verify(t, l); r.Entries != 3 {
			t.Fatalf("%s: %d entries", name, r.Entries)
		}
		clean := len(bytes.TrimRight(tail[last:], "\x00")) == 0
		kept, _ := filepath.Glob(path + ".cut-*")
		if told := len(told) == 1 && told[0].Kind == "recovered"; told == clean || (len(kept) == 1) == clean {
			t.Fatalf("%s: told %v, kept %v", name, told, kept)
		}
		put(t, l, made("tsu", 5, "a", ""))
		verify(t, l)
		_ = l.Close()
	}
}

// A byte that changes before the last batch is damage: Open says so and touches
// nothing, Verify says so when the segment is not the last.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openTest(t, dir, Options{SegmentSize: 8 << 10})
	for i := range int64(20) {
		put(t, l, made("tsu", i+1, "a", ""))
	}
	head := l.Head()
	_ = l.Close()
	path, places := batchesOf(t, dir)
	whole, _ := os.ReadFile(path)
	for at := int64(0); at < places[len(places)-2]; at += 37 {
		changed := bytes.Clone(whole)
		changed[at] ^= 1
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, Options{}); KindOf(err) != Damaged {
			t.Fatalf("byte %d: %v", at, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(after, changed) {
			t.Fatalf("byte %d: the evidence was changed", at)
		}
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, dir, Options{SegmentSize: 8 << 10})
	names, _ := filepath.Glob(filepath.Join(dir, "*"+suffix))
	first, _ := os.ReadFile(names[0])
	for at := 0; at < len(first); at += 41 {
		changed := bytes.Clone(first)
		changed[at] ^= 0x10
		_ = os.WriteFile(names[0], changed, 0o600)
		if _, err := l.Verify(t.Context()); KindOf(err) != Damaged {
			t.Fatalf("byte %d of the first segment: %v", at, err)
		}
	}
	_ = os.WriteFile(names[0], first, 0o600)
	verify(t, l, head)
	_ = l.Close()
	for name, spoil := range map[string]func() (undo func()){
		"a segment is gone": func() func() {
			_ = os.Rename(names[1], names[1]+"x")
			return func() { _ = os.Rename(names[1]+"x", names[1]) }
		},
		"the first is gone": func() func() {
			_ = os.Rename(names[0], names[0]+"x")
			return func() { _ = os.Rename(names[0]+"x", names[0]) }
		},
		"the last is gone": func() func() {
			_ = os.Rename(path, path+"x")
			return func() { _ = os.Rename(path+"x", path) }
		},
		"two have changed places": func() func() {
			swap := func() {
				_ = os.Rename(names[0], names[0]+"x")
				_ = os.Rename(names[1], names[0])
				_ = os.Rename(names[0]+"x", names[1])
			}
			swap()
			return swap
		},
	} {
		undo := spoil()
		l, err := Open(dir, Options{ReadOnly: true})
		if err == nil {
			_, err = l.Verify(t.Context(), head)
		}
		if KindOf(err) != Damaged {
			t.Errorf("%s: %v", name, err)
		}
		undo()
	}
}

// Whoever can write the files can write another ledger, whole in itself: only a
// checkpoint that was kept elsewhere tells.
func TestRewritten(t *testing.T) {
	t.Parallel()
	var heads [2]Head
	var other *Ledger
	for i := range heads {
		other = openTest(t, t.TempDir(), Options{})
		for n := range int64(5) {
			e := made("tsu", n+1, "a", "")
			if i == 1 && n == 2 {
				e.Imprint = bytes.Repeat([]byte{1}, 32)
			}
			put(t, other, e)
		}
		heads[i] = other.Head()
	}
	verify(t, other)
	if _, err := other.Verify(t.Context(), heads[0]); KindOf(err) != Damaged || !strings.Contains(err.Error(), "checkpoint") {
		t.Errorf("another ledger passes for ours: %v", err)
	}
}
