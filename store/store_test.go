package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

func openTest(t *testing.T, s Schema) *DB {
	t.Helper()
	return openAt(t, filepath.Join(t.TempDir(), "a b?c%20.db"), s) // a name that a careless DSN breaks on
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

func TestSmoke(t *testing.T) {
	for _, s := range []Schema{Appliance, Vault} {
		db := openTest(t, s)
		write(t, db, func(tx *Tx) error { return tx.PutSetting("k", []byte("v")) })
	}
}
