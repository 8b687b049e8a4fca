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

// rawExec writes to a database behind the store's back.
func rawExec(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	res, err := db.Exec(query)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		t.Fatalf("%s changed nothing: %v", query, err)
	}
}
