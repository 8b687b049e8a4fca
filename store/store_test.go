package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// openTest opens a fresh database under a name that a careless DSN breaks on.
func openTest(t *testing.T, s Schema) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "a b?c%20#d.db"), s)
}

func openAt(t *testing.T, path string, s Schema) *DB {
	t.Helper()
	db, err := open(t.Context(), path, s, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func write(t *testing.T, db *DB, fn func(*Tx) error) {
	t.Helper()
	if err := db.Write(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, db *DB, fn func(*Tx) error) {
	t.Helper()
	if err := db.Read(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, k Kind) {
	t.Helper()
	if KindOf(err) != k {
		t.Fatalf("got %q (%v), want %q", KindOf(err), err, k)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	info, err := os.Stat(db.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	write(t, db, func(tx *Tx) error { return tx.PutSetting("k", []byte("v")) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), db.Path(), Vault); err == nil || !strings.Contains(err.Error(), "appliance's database") {
		t.Errorf("the other schema's file opens: %v", err)
	}
	if _, err := Open(t.Context(), db.Path(), "else"); err == nil {
		t.Error("an unknown schema opens")
	}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "no", "folder.db"), Vault); err == nil {
		t.Error("a missing folder is made")
	}
	again := openAt(t, db.Path(), Appliance)
	read(t, again, func(tx *Tx) error {
		v, err := tx.Setting("k")
		if string(v) != "v" {
			t.Errorf("setting %q after reopening", v)
		}
		return err
	})
	write(t, again, func(tx *Tx) error {
		_, err := tx.tx.Exec(`INSERT INTO appliance_version (version_id, is_applied) VALUES (99999, 1)`)
		return err
	})
	if _, err := Open(t.Context(), db.Path(), Appliance); err == nil || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("a newer program's file opens: %v", err)
	}
}

func TestOpenNotADatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path, Appliance)
	wantKind(t, err, Failed)
}

// The settings that durability and safety rest on hold on every connection.
func TestPragmas(t *testing.T) {
	t.Parallel()
	db := openTest(t, Vault)
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "200"}
	for name, pool := range map[string]*sql.DB{"writer": db.write, "reader": db.read} {
		for pragma, value := range want {
			var got string
			if err := pool.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != value {
				t.Errorf("%s: %s = %q, want %q (%v)", name, pragma, got, value, err)
			}
		}
	}
}

func TestRollback(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	boom := errors.New("boom")
	if err := db.Write(t.Context(), func(tx *Tx) error {
		if err := tx.PutSetting("k", nil); err != nil {
			return err
		}
		return boom
	}); err != boom { // must be the very error
		t.Fatalf("got %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Write(t.Context(), func(tx *Tx) error {
			_ = tx.PutSetting("k", nil)
			panic("boom")
		})
	}()
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Write(ctx, func(tx *Tx) error {
		err := tx.PutSetting("k", nil)
		cancel()
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled before the commit: %v", err)
	}
	read(t, db, func(tx *Tx) error {
		_, err := tx.Setting("k")
		wantKind(t, err, NotFound)
		return nil
	})
}

func TestReadIsASnapshotAndCannotWrite(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	read(t, db, func(tx *Tx) error {
		if err := tx.PutSetting("k", nil); err == nil {
			t.Error("Read wrote")
		}
		if _, err := tx.tx.Exec(`INSERT INTO settings (key, value) VALUES ('k', '')`); err == nil {
			t.Error("the reader's connection can write")
		}
		_, err := tx.Setting("k")
		wantKind(t, err, NotFound)
		write(t, db, func(tx *Tx) error { return tx.PutSetting("k", []byte("v")) })
		_, err = tx.Setting("k")
		wantKind(t, err, NotFound) // still
		return nil
	})
	read(t, db, func(tx *Tx) error {
		_, err := tx.Setting("k")
		return err
	})
}

// Writers of one process take turns; a read-modify-write loses nothing.
func TestConcurrentWriters(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	const writers, rounds = 8, 25
	seen := make(map[int64]bool)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range rounds {
				var n int64
				err := db.Write(context.Background(), func(tx *Tx) (err error) {
					n, err = tx.NextCRLNumber("ca")
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if seen[n] {
					t.Errorf("%d was given out twice", n)
				}
				seen[n] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i := range int64(writers * rounds) {
		if !seen[1+i] {
			t.Fatalf("number %d is missing", 1+i)
		}
	}
}

// Another process (another set of connections) that holds the database makes us
// fail with Busy, and in time.
func TestBusy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shared.db")
	ours, theirs := openAt(t, path, Appliance), openAt(t, path, Appliance)
	write(t, theirs, func(tx *Tx) error {
		if err := tx.PutSetting("k", []byte("theirs")); err != nil {
			return err
		}
		start := time.Now()
		err := ours.Write(t.Context(), func(tx *Tx) error { return tx.PutSetting("k", []byte("ours")) })
		wantKind(t, err, Busy)
		if took := time.Since(start); took < 100*time.Millisecond || took > 3*time.Second {
			t.Errorf("Busy after %v, the time-out is 200 ms", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		// Our own process holds the only writer: waiting ends with the context.
		wantKind(t, theirs.Write(ctx, func(*Tx) error { return nil }), Busy)
		// Readers are not kept out.
		read(t, ours, func(tx *Tx) error {
			_, err := tx.Setting("k")
			wantKind(t, err, NotFound)
			return nil
		})
		return nil
	})
	write(t, ours, func(tx *Tx) error { return tx.PutSetting("k", []byte("ours")) })
}

// A database knows which of the two it is.
func TestSchema(t *testing.T) {
	t.Parallel()
	for _, s := range []Schema{Appliance, Vault} {
		if got := openTest(t, s).Schema(); got != s {
			t.Errorf("%q, want %q", got, s)
		}
	}
}

// A full disk (here: a full database) is Full, nothing of the transaction
// stays, not even when the caller goes on after the error, and what was there
// can be read.
func TestFull(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	write(t, db, func(tx *Tx) error { return tx.PutSetting("before", []byte("kept")) })
	var pages int
	if err := db.write.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	if _, err := db.write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+2)); err != nil {
		t.Fatal(err)
	}
	err := db.Write(t.Context(), func(tx *Tx) error {
		if err := tx.PutSetting("small", []byte("x")); err != nil {
			return err
		}
		return tx.PutSetting("large", make([]byte, 1<<20))
	})
	wantKind(t, err, Full)
	err = db.Write(t.Context(), func(tx *Tx) error {
		_ = tx.PutSetting("small", []byte("x"))
		_ = tx.PutSetting("large", make([]byte, 1<<20)) // SQLite has rolled back by itself
		_ = tx.PutSetting("after", []byte("x"))         // and would commit this alone
		return nil
	})
	wantKind(t, err, Full)
	read(t, db, func(tx *Tx) error {
		for _, k := range []string{"small", "large", "after"} {
			_, err := tx.Setting(k)
			wantKind(t, err, NotFound)
		}
		_, err := tx.Setting("before")
		return err
	})
	if _, err := db.write.Exec("PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	write(t, db, func(tx *Tx) error { return tx.PutSetting("large", make([]byte, 1<<20)) })
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	db := openTest(t, Appliance)
	err := db.Write(t.Context(), func(tx *Tx) error { return tx.PutSession(Session{Holder: "nobody"}) })
	wantKind(t, err, Conflict) // foreign key
	if KindOf(nil) != "" || KindOf(errors.New("x")) != Failed {
		t.Error("KindOf of nil or of a foreign error")
	}
	var e *Error
	if !errors.As(err, &e) || e.Unwrap() == nil || e.Error() == "" {
		t.Errorf("%#v", err)
	}
}
