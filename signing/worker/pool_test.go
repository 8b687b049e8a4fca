package worker

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"sigillo/formats/inspect"
)

// Each document is seen by a worker of its own, and by one that was ready if any was.
func TestPool(t *testing.T) {
	t.Parallel()
	p := NewPool("", 2)
	defer p.Close()
	path := document(t, "Il sottoscritto dichiara.\n")
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			name, want := "dichiarazione.txt", inspect.Allow
			if i%2 == 1 {
				name, want = fmt.Sprintf("dichiarazione %d.pdf", i), inspect.Refuse
			}
			if rep, err := p.Inspect(t.Context(), path, name); err != nil || rep.Verdict != want {
				t.Errorf("%s: %+v, %v", name, rep, err)
			}
		})
	}
	all.Wait()
	p.starts.Wait()
	if len(p.ready) != 2 {
		t.Errorf("%d workers are ready, want 2", len(p.ready))
	}
}

// Workers that died while they waited cost the document nothing.
func TestPoolWithTheDead(t *testing.T) {
	t.Parallel()
	p := NewPool("", 2)
	defer p.Close()
	p.starts.Wait()
	for range 2 {
		w := <-p.ready
		_ = syscall.Kill(w.cmd.Process.Pid, syscall.SIGKILL)
		for err := syscall.Kill(w.cmd.Process.Pid, 0); err == nil; err = syscall.Kill(w.cmd.Process.Pid, 0) {
			time.Sleep(time.Millisecond)
		}
		p.ready <- w
	}
	if rep, err := p.Inspect(t.Context(), document(t, "x\n"), "x.txt"); err != nil || rep.Verdict != inspect.Allow {
		t.Fatalf("%+v, %v", rep, err)
	}
}

// A pool that is closed leaves no process behind and still inspects.
func TestPoolClosed(t *testing.T) {
	t.Parallel()
	p := NewPool("", 3)
	p.starts.Wait()
	var waiting []*process
	for range 3 {
		w := <-p.ready
		waiting = append(waiting, w)
		p.ready <- w
	}
	p.Close()
	for _, w := range waiting {
		if err := syscall.Kill(w.cmd.Process.Pid, 0); err == nil {
			t.Error("a worker is left")
		}
	}
	if rep, err := p.Inspect(t.Context(), document(t, "x\n"), "x.txt"); err != nil || rep.Verdict != inspect.Allow {
		t.Fatalf("%+v, %v", rep, err)
	}
}

// What a document waits for besides its inspection: the start of a program, or the
// hand-over to one that is ready.
func BenchmarkInspect(b *testing.B) {
	path := document(b, "Il sottoscritto dichiara.\n")
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			if _, err := Inspect(b.Context(), "", path, "x.txt"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("pool", func(b *testing.B) {
		p := NewPool("", 2)
		defer p.Close()
		for b.Loop() {
			b.StopTimer()
			p.starts.Wait() // the rate is that of the starts; the wait of one document is measured
			b.StartTimer()
			if _, err := p.Inspect(b.Context(), path, "x.txt"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
