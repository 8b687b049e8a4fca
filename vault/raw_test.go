package vault

import (
	"context"
	"database/sql"
	"io"
	"testing"

	_ "modernc.org/sqlite"
)

type (
	ctx    = context.Context
	reader = io.Reader
)

// execRaw runs SQL behind the store's back, also beside a running vault.
func execRaw(t *testing.T, path, query string) sql.Result {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	res, err := db.Exec(query)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// rawExec writes to a database behind the store's back.
func rawExec(t *testing.T, path, query string) {
	t.Helper()
	res := execRaw(t, path, query)
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s changed nothing: %v", query, err)
	}
}

// count runs a query that gives one number.
func count(t *testing.T, path, query string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
