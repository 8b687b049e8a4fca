package signing

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sigillo/formats/inspect"
	"sigillo/store"
)

// A hundred jobs of one holder leave half of the places to others, who don't wait
// behind them either when every place is taken.
func TestTurns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ places, share int }{{1, 1}, {2, 1}, {4, 2}, {16, 8}} {
		synctest.Test(t, func(t *testing.T) {
			turns := newTurns(c.places)
			running, done, next := map[string]int{}, []string{}, make(chan struct{})
			job := func(holder string) {
				release, err := turns.take(t.Context(), holder)
				if err != nil {
					return // the test has failed
				}
				turns.mu.Lock()
				running[holder]++
				turns.mu.Unlock()
				select {
				case <-next:
				case <-t.Context().Done():
				}
				turns.mu.Lock()
				running[holder]--
				done = append(done, holder)
				turns.mu.Unlock()
				release()
			}
			bring := func(holder string, n int) {
				for range n {
					go job(holder)
				}
				synctest.Wait()
			}
			bring("a", 100)
			if running["a"] != c.share {
				t.Errorf("%d places: one holder has %d", c.places, running["a"])
			}
			bring("b", 100)
			if want := min(c.share, c.places-c.share); running["b"] != want {
				t.Errorf("%d places: another holder has %d", c.places, running["b"])
			}
			bring("c", 1)
			for range 200 {
				next <- struct{}{}
				synctest.Wait()
				if running["a"] > c.share || running["b"] > c.share || running["a"]+running["b"]+running["c"] > c.places {
					t.Fatalf("%d places: %v have one", c.places, running)
				}
			}
			next <- struct{}{}
			synctest.Wait()
			// Before him go what the two others have running or in the line of all.
			if at := slices.Index(done, "c"); at > 2*c.share {
				t.Errorf("%d places: one document came after %d of others", c.places, at)
			}
			if len(done) != 201 || len(turns.kept) != 0 {
				t.Errorf("%d places: %d jobs are done, %d holders kept", c.places, len(done), len(turns.kept))
			}
		})
	}
}

// Who gives up waiting is out of both lines, and takes no place with him.
func TestTurnsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(4)
		had := map[rune][]func(){}
		take := func(holders string) {
			for _, h := range holders {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				release, err := turns.take(ctx, string(h))
				cancel()
				if err != nil {
					t.Fatalf("%s, %c: %v", holders, h, err)
				}
				had[h] = append(had[h], release)
			}
		}
		free := func(holders string) {
			for _, h := range holders {
				had[h][0]()
				had[h] = had[h][1:]
			}
		}
		take("aabc")
		for holder, says := range map[string]string{"a": "your other documents", "b": "documents of others", "d": "documents of others"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			_, err := turns.take(ctx, holder)
			cancel()
			if KindOf(err) != Busy || !strings.Contains(err.Error(), says) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", holder, err)
			}
		}
		if len(turns.kept) != 3 {
			t.Errorf("%d holders kept", len(turns.kept))
		}
		free("aac")
		take("aab") // b has had one all the time
		free("aabb")
		if len(turns.kept) != 0 {
			t.Errorf("%d holders kept", len(turns.kept))
		}
	})
}

// demanding are the jobs for which holders wait in turn.
func demanding(s *Service) map[string]func(ctx context.Context, holder string) error {
	return map[string]func(ctx context.Context, holder string) error{
		"upload": func(ctx context.Context, holder string) error {
			_, err := s.Upload(ctx, holder, "a.pdf", strings.NewReader("document"))
			return err
		},
		"draw": func(ctx context.Context, holder string) error {
			_, err := s.draw(ctx, store.Document{ID: newID(), Holder: holder})
			return err
		},
		"convert": func(ctx context.Context, holder string) error {
			d := store.Document{Holder: holder, Path: filepath.Join(s.path("incoming"), "x")}
			_, err := s.convert(ctx, d, d.Path+".pdf")
			return err
		},
	}
}

// While one holder's inspections take all the time there is, another holder's document
// comes in, is drawn again and is converted; of his own nothing more is begun.
func TestHoldersTakeTurns(t *testing.T) {
	t.Parallel()
	s := room(t, &painter{pages: 1})
	s.turns = newTurns(4)
	err := s.cfg.DB.Write(t.Context(), func(tx *store.Tx) error {
		return tx.PutHolder(store.Holder{ID: "g", Username: "bea", Created: time.Now()})
	})
	if err != nil {
		t.Fatal(err)
	}
	quick := s.cfg.Inspect
	begun, end := make(chan struct{}, 10), make(chan struct{})
	s.cfg.Inspect = func(ctx context.Context, path, name string) inspect.Report {
		if name == "slow.pdf" {
			begun <- struct{}{}
			<-end
		}
		return quick(ctx, path, name)
	}
	if err := writeNew(filepath.Join(s.path("incoming"), "x"), []byte("document")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 10)
	for range cap(ended) {
		go func() {
			_, err := s.Upload(t.Context(), "h", "slow.pdf", strings.NewReader("defective"))
			ended <- err
		}()
	}
	<-begun
	<-begun
	for name, job := range demanding(s) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := job(ctx, "g"); err != nil {
			t.Errorf("%s of another holder: %v", name, err)
		}
		cancel()
		ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := job(ctx, "h"); KindOf(err) != Busy {
			t.Errorf("%s of the same holder: %v", name, err)
		}
		cancel()
	}
	if len(begun) != 0 {
		t.Errorf("%d more of the same holder have begun", len(begun))
	}
	close(end)
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if len(s.turns.kept) != 0 {
		t.Errorf("%d holders kept", len(s.turns.kept))
	}
}
