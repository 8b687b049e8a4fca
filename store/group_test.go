package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// together runs writers that end in one group: the first waits in its function until
// all others are in line, in their order.
func together(t *testing.T, db *DB, fns ...func(*Tx) error) []error {
	t.Helper()
	errs := make([]error, len(fns))
	began := make(chan struct{})
	var wg sync.WaitGroup
	for i, fn := range fns {
		wg.Go(func() {
			errs[i] = db.WriteShared(context.Background(), func(tx *Tx) error {
				if i == 0 {
					close(began)
					inLine(db, len(fns)-1)
				}
				return fn(tx)
			})
		})
		if i == 0 {
			<-began
		} else if i < len(fns)-1 { // the last one lets them go
			inLine(db, i)
		}
	}
	wg.Wait()
	return errs
}

// inLine waits until so many are in line.
func inLine(db *DB, n int) {
	for {
		db.turns.mu.Lock()
		now := len(db.turns.line)
		db.turns.mu.Unlock()
		if now >= n {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func put(key string) func(*Tx) error {
	return func(tx *Tx) error { return tx.PutHolder(Holder{ID: key, Username: key, Created: t0}) }
}

func stored(t *testing.T, db *DB, key string) bool {
	t.Helper()
	var found bool
	read(t, db, func(tx *Tx) error {
		_, err := tx.Holder(key)
		if found = err == nil; !found {
			wantKind(t, err, NotFound)
		}
		return nil
	})
	return found
}

// TestGroupFailures: one of a group that fails, in whatever way, takes nothing of the
// others with it and leaves nothing of its own.
func TestGroupFailures(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for name, fail := range map[string]func(*Tx) error{
		"an error":   func(tx *Tx) error { _ = put("bad")(tx); return boom },
		"a conflict": func(tx *Tx) error { _ = put("bad")(tx); return put("one")(tx) },
		"its context ends": func(tx *Tx) error {
			ctx, cancel := context.WithCancel(context.Background())
			tx.ctx = ctx
			_ = put("bad")(tx)
			cancel()
			return put("worse")(tx)
		},
		"an error that it swallows": func(tx *Tx) error {
			ctx, cancel := context.WithCancel(context.Background())
			tx.ctx = ctx
			_ = put("bad")(tx)
			cancel()
			_ = put("worse")(tx)
			return nil
		},
	} {
		for _, place := range []int{0, 1, 2} {
			t.Run(fmt.Sprint(name, " at ", place), func(t *testing.T) {
				t.Parallel()
				db := openTest(t, Appliance)
				if name == "a conflict" {
					write(t, db, put("one"))
				}
				fns := []func(*Tx) error{put("a"), put("b"), put("c")}
				fns[place] = fail
				errs := together(t, db, fns...)
				for i, key := range []string{"a", "b", "c"} {
					if (errs[i] != nil) != (i == place) || stored(t, db, key) != (i != place) {
						t.Errorf("%s: %v, stored: %v", key, errs[i], stored(t, db, key))
					}
				}
				if name == "an error" && errs[place] != boom {
					t.Errorf("not the very error: %v", errs[place])
				}
				if stored(t, db, "bad") || stored(t, db, "worse") {
					t.Error("something of the failed one is stored")
				}
				write(t, db, put("after"))
			})
		}
	}
}

// TestGroupPanics: a panic, or the end of the goroutine, in the midst of a group.
func TestGroupPanics(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(){"panic": func() { panic("boom") }, "goexit": runtime.Goexit} {
		for _, place := range []int{0, 1, 2} {
			db := openTest(t, Appliance)
			fns := []func(*Tx) error{put("a"), put("b"), put("c")}
			var wg sync.WaitGroup
			errs := make([]error, 3)
			began := make(chan struct{})
			for i, fn := range fns {
				wg.Go(func() {
					defer func() { _ = recover() }()
					errs[i] = db.WriteShared(context.Background(), func(tx *Tx) error {
						if i == 0 {
							close(began)
							inLine(db, 2)
						}
						if err := fn(tx); i != place {
							return err
						}
						end()
						return nil
					})
				})
				if i == 0 {
					<-began
				} else if i == 1 {
					inLine(db, i)
				}
			}
			wg.Wait()
			for i, key := range []string{"a", "b", "c"} {
				if stored(t, db, key) != (i != place) {
					t.Errorf("%s at %d: %s stored: %v, %v", name, place, key, stored(t, db, key), errs[i])
				}
			}
			write(t, db, put("after"))
		}
	}
}

// TestGroupFull: when the disk is full for one of a group, SQLite may have rolled back
// all of it: all are told, and nothing is stored.
func TestGroupFull(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	var pages int
	if err := db.write.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if _, err := db.write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+2)); err != nil {
		t.Fatal(err)
	}
	large := func(tx *Tx) error { return tx.PutSetting("large", make([]byte, 1<<20)) }
	errs := together(t, db, put("a"), large, put("c"))
	wantKind(t, errs[0], Full)
	wantKind(t, errs[1], Full)
	if errs[2] != nil { // a new group
		t.Error(errs[2])
	}
	if stored(t, db, "a") || !stored(t, db, "c") {
		t.Error("what is stored is not what was told")
	}
}

// TestGroupNotBeforeCommit: nobody in a group returns before its rows are there for
// all to see; also who was refused for what another has written in it.
func TestGroupNotBeforeCommit(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	var seen atomic.Int32
	look := func(key string, want Kind) {
		if err := db.WriteShared(context.Background(), put(key)); KindOf(err) != want {
			t.Error(err)
		}
		if !stored(t, db, key) {
			t.Errorf("%s: told before it is stored", key)
		}
		seen.Add(1)
	}
	var wg sync.WaitGroup
	hold := make(chan struct{})
	wg.Go(func() {
		_ = db.WriteShared(context.Background(), func(*Tx) error { <-hold; return nil })
	})
	for {
		db.turns.mu.Lock()
		taken := db.turns.taken
		db.turns.mu.Unlock()
		if taken {
			break
		}
		runtime.Gosched()
	}
	wg.Go(func() { look("k", "") })
	inLine(db, 1)
	for range 7 {
		wg.Go(func() { look("k", Conflict) })
	}
	inLine(db, 8)
	close(hold)
	wg.Wait()
	if seen.Load() != 8 {
		t.Errorf("%d", seen.Load())
	}
}

// TestGroupAndOthers: those who do not share are not in a group: what their function
// has done is stored when their turn is over, whoever shares behind them.
func TestGroupAndOthers(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				key := fmt.Sprint(i, "-", j)
				do := db.WriteShared
				if i%4 == 0 {
					do = db.Write
				}
				err := do(context.Background(), func(tx *Tx) error {
					if i%4 == 0 && db.open.members != 0 {
						t.Error("somebody who does not share is in a group")
					}
					return put(key)(tx)
				})
				if err != nil || !stored(t, db, key) {
					t.Error(key, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestGroupCancelled: who stops waiting for the turn is out, and the others go on.
func TestGroupCancelled(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i%7)*time.Millisecond)
			defer cancel()
			key := fmt.Sprint("k", i)
			err := db.WriteShared(ctx, put(key))
			if stored(t, db, key) != (err == nil) {
				t.Errorf("%s: %v, stored: %v", key, err, stored(t, db, key))
			}
		})
	}
	wg.Wait()
	write(t, db, put("after"))
}

// BenchmarkWrite is a small durable transaction, alone and with 32 at a time.
func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct {
		name    string
		clients int
		write   func(*DB, context.Context, func(*Tx) error) error
	}{{"alone/c1", 1, (*DB).Write}, {"alone/c32", 32, (*DB).Write}, {"shared/c1", 1, (*DB).WriteShared}, {"shared/c32", 32, (*DB).WriteShared}} {
		b.Run(c.name, func(b *testing.B) {
			db, err := Open(b.Context(), b.TempDir()+"/b.db", Appliance)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			var n atomic.Int64
			b.SetParallelism(max(1, c.clients/runtime.GOMAXPROCS(0)))
			if c.clients == 1 {
				for b.Loop() {
					if err := c.write(db, b.Context(), put(fmt.Sprint(n.Add(1)))); err != nil {
						b.Fatal(err)
					}
				}
				return
			}
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := c.write(db, context.Background(), put(fmt.Sprint(n.Add(1)))); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
