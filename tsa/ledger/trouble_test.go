package ledger

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// narrow is the real disk, on which writes of batches fail while full is set.
type narrow struct {
	system
	full  atomic.Bool
	tries atomic.Int64 // that failed
}

type narrowFile struct {
	file
	d *narrow
}

func (d *narrow) open(path string, flag int) (file, error) {
	f, err := d.system.open(path, flag)
	return narrowFile{f, d}, err
}

func (f narrowFile) WriteAt(b []byte, at int64) (int, error) {
	if f.d.full.Load() {
		f.d.tries.Add(1)
		return 0, fmt.Errorf("injected: %w", syscall.ENOSPC)
	}
	return f.file.WriteAt(b, at)
}

// A disk that is full for a while is told twice: when it begins, and when it is over
// with what it has cost; also when it is full now and then. Meanwhile one in a second
// is let through to try.
func TestFullDiskIsToldOnce(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(t0.UnixNano())
	var told []Event
	d := &narrow{}
	l, err := open(quickDir(t), Options{OnEvent: func(e Event) { told = append(told, e) },
		now: func() time.Time { return nanoTime(clock.Load()) }}, d)
	if err != nil {
		t.Fatal(err)
	}
	serial := int64(0)
	try := func(want Kind) {
		t.Helper()
		serial++
		if err := l.Append(t.Context(), made("tsu", serial, "a", "l")); KindOf(err) != want {
			t.Fatalf("%v, want %q", err, want)
		}
	}
	ready := func(want Kind) {
		t.Helper()
		if err := l.Ready(); KindOf(err) != want {
			t.Fatalf("ready: %v, want %q", err, want)
		}
	}
	try("")
	ready("")
	d.full.Store(true)
	for range 50 {
		try(Full)
	}
	if len(told) != 1 || told[0].Kind != "full" {
		t.Fatalf("told on a full disk: %+v", told)
	}
	ready(Full)
	clock.Add(int64(probeEvery))
	ready("") // the one that tries
	ready(Full)
	d.full.Store(false)
	try("")
	ready("")
	d.full.Store(true) // on the verge
	try(Full)
	d.full.Store(false)
	try("")
	if len(told) != 1 {
		t.Fatalf("told on the verge: %+v", told[1:])
	}
	clock.Add(int64(calm))
	try("")
	try("")
	if len(told) != 2 || told[1].Kind != "recording" || !strings.Contains(told[1].Text, "51 batches failed, with 51 time-stamps") {
		t.Fatalf("told at the end: %+v", told)
	}
	d.full.Store(true)
	try(Full)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(told) != 4 || !strings.Contains(told[3].Text, "closed; ") || !strings.Contains(told[3].Text, "1 batches") {
		t.Errorf("told at the close: %+v", told[2:])
	}
	clock.Add(int64(calm))
	ready(Stopped)
	beside := openTest(t, l.dir, Options{ReadOnly: true})
	if err := beside.Ready(); KindOf(err) != Stopped {
		t.Errorf("opened for reading: %v", err)
	}
	if got := d.tries.Load(); got != 52 {
		t.Errorf("%d batches failed", got)
	}
}

// A disk that did not confirm stops the ledger: no stamp is made for it any more.
func TestReadyAfterStop(t *testing.T) {
	t.Parallel()
	d := &faulty{how: refused}
	l, err := open(quickDir(t), Options{}, d)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	put(t, l, made("tsu", 1, "a", ""))
	d.mu.Lock()
	d.at = d.calls + 2 // the write, then the sync
	d.mu.Unlock()
	wantKind(t, l.Append(t.Context(), made("tsu", 2, "a", "")), Stopped)
	wantKind(t, l.Ready(), Stopped)
}
