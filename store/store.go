// Package store keeps Sigillo's rows.
//
// There are two databases with two schemas: the appliance's (holders,
// certificates, documents, transactions, the journal) and the vault's (one-time
// password steps, spent activation data, its own journal), which belongs to
// another process and knows nothing of the first.
//
// What a caller may rely on:
//
//   - When [DB.Write] returns nil the rows are on the disk: write-ahead log with
//     synchronous=FULL, one fsync per commit, which [DB.WriteShared] shares with others.
//     When it returns an error nothing of
//     the transaction is stored. (One exception no database can avoid: if the
//     error is of Kind Failed and came from the commit itself, the process does
//     not know. Intents exist for that.)
//   - Writers never overlap. In this process one connection writes; other
//     processes are kept out by BEGIN IMMEDIATE, and waiting for them ends after
//     the busy time-out with Kind Busy.
//   - [DB.Read] sees one snapshot and cannot write.
//   - A transition of a state is compare-and-set: the caller names the state it
//     believes in, and gets Conflict when the row has moved on.
//
// Times are kept in milliseconds; a time read back is UTC and has lost what was
// smaller. The zero time is stored as 0 and comes back as the zero time.
//
// Rows are plain structs, one file per subject. The SQL is what SQLite and
// PostgreSQL both understand.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Schema names one of the two sets of tables.
type Schema string

// The two schemas.
const (
	Appliance Schema = "appliance"
	Vault     Schema = "vault"
)

// MaxRows is the most rows that a list method returns; a limit that is not
// positive or is larger means MaxRows.
const MaxRows = 1000

// busyTimeout is how long a statement waits for another process's lock.
const busyTimeout = 5 * time.Second

// readers is how many snapshots may be open at once. More than a few bring
// nothing on the machines this runs on, and each holds a page cache.
const readers = 8

// DB is an open database. It is safe for concurrent use.
type DB struct {
	path   string
	schema Schema
	write  *sql.DB // exactly one connection; BEGIN means BEGIN IMMEDIATE
	read   *sql.DB // query_only connections
	turns  turns   // of those who write
	open   *group  // of who has the turn; nil: none is open
	stmts  prepared
}

// Open opens the database file at path, creating it (mode 0600) if needed, and
// brings its tables up to the version this program knows. The folder must
// exist. A database of the other schema or of a newer program is refused.
func Open(ctx context.Context, path string, s Schema) (*DB, error) {
	return open(ctx, path, s, busyTimeout)
}

func open(ctx context.Context, path string, s Schema, busy time.Duration) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, &Error{Failed, "store: open " + path, err}
	}
	if err := create(abs); err != nil {
		return nil, err
	}
	db := &DB{path: abs, schema: s}
	// What is deleted or replaced can be a wrapped key, or what unlocks one: SQLite
	// writes zeros over it. See Erase.
	db.write, err = sql.Open("sqlite", dsn(abs, busy, "immediate", "query_only(0)", "secure_delete(1)"))
	if err == nil {
		db.read, err = sql.Open("sqlite", dsn(abs, busy, "deferred", "query_only(1)"))
	}
	if err != nil {
		_ = db.Close()
		return nil, wrap("store: open "+path, err)
	}
	db.write.SetMaxOpenConns(1)
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	if err := migrate(ctx, db.write, s); err != nil {
		_ = db.Close()
		return nil, wrap("store: open "+path, err)
	}
	return db, nil
}

// create makes an empty file only its owner can read, before SQLite would make
// one with the process's umask; the log and shared-memory files inherit its mode.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return wrap("store: create "+path, err)
	}
	if err := f.Close(); err != nil {
		return wrap("store: create "+path, err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return wrap("store: create "+path, err)
	}
	defer dir.Close()
	return wrap("store: create "+path, dir.Sync()) // the name itself must survive a power cut
}

func dsn(path string, busy time.Duration, lock string, modes ...string) string {
	q := url.Values{"_txlock": {lock}, "_pragma": append([]string{
		// The time-out comes first: switching to WAL may have to wait.
		fmt.Sprintf("busy_timeout(%d)", busy.Milliseconds()),
		"journal_mode(WAL)",
		"synchronous(FULL)",
		"foreign_keys(1)",
		"trusted_schema(0)",
	}, modes...)}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// Path returns the absolute path of the database file.
func (db *DB) Path() string { return db.path }

// Schema returns which of the two databases this is; Open has made sure of it.
func (db *DB) Schema() Schema { return db.schema }

// Close closes all connections. Transactions that are still open fail.
func (db *DB) Close() error {
	var errs []error
	for _, d := range []*sql.DB{db.read, db.write} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return wrap("store: close", errors.Join(errs...))
}

// Write runs fn in a transaction that may write and commits it. It returns fn's
// error unchanged, after rolling back. The Tx must not be used after fn returns,
// and fn must not call Write of the same DB: it would wait for itself.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	return db.inLine(ctx, false, fn)
}

// Erase takes what was deleted or replaced out of the write-ahead log too, where it
// stands in older pages until others are written over them. It waits for those who read;
// Kind Busy if that takes too long: what was committed is in the database nevertheless, and
// the log is for the next Erase, or for Close. What the disk itself remembers is out of
// reach.
func (db *DB) Erase(ctx context.Context) error {
	const what = "store: erase"
	if err := db.turns.take(ctx, false); err != nil {
		return wrap(what, err)
	}
	defer db.turns.pass(false)
	var busy, pages, written int
	err := db.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &written)
	if err == nil && busy != 0 {
		return errorf(Busy, "%s: somebody reads the database, try again", what)
	}
	return wrap(what, err)
}

// Read runs fn on one snapshot of the database.
func (db *DB) Read(ctx context.Context, fn func(*Tx) error) error {
	const what = "store: read"
	inner, err := db.read.BeginTx(ctx, nil)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return &Error{Busy, what + ": no turn within the time allowed, try again", err}
		}
		return wrap(what, err)
	}
	defer inner.Rollback() // ends the snapshot, also when fn panics
	tx := &Tx{ctx: ctx, tx: inner}
	if err := fn(tx); err != nil {
		return err
	}
	return tx.broken
}

// cause puts the context's error in the place of what database/sql says when a
// context's end has rolled the transaction back behind our back.
func cause(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Tx is a transaction; its methods are the queries. It belongs to one goroutine.
type Tx struct {
	ctx      context.Context
	tx       *sql.Tx
	writable bool
	prepared *prepared // nil: none
	// broken is the first failure that is not an answer (NotFound, Conflict).
	// SQLite rolls a transaction back by itself on a full disk, and the
	// statements after that would each commit alone: none may run.
	broken error
	lost   error // broken by the database, not by the end of the context
}

// statement is the context for statements: SQLite would roll the whole transaction
// back if it were interrupted in one that writes, and others may share it. So the
// context is looked at between statements, of which none takes long.
func (tx *Tx) statement(what string) (context.Context, error) {
	if tx.broken != nil {
		return nil, tx.broken
	}
	if !tx.writable {
		return tx.ctx, nil
	}
	if err := tx.ctx.Err(); err != nil {
		return nil, tx.fail(what, err)
	}
	return context.WithoutCancel(tx.ctx), nil
}

func (tx *Tx) fail(what string, err error) error {
	err = wrap("store: "+what, cause(tx.ctx, err))
	switch KindOf(err) {
	case "", NotFound, Conflict:
	default:
		if tx.broken == nil {
			tx.broken = err
			if tx.ctx.Err() == nil || !errors.Is(err, tx.ctx.Err()) {
				tx.lost = err
			}
		}
	}
	return err
}

// exec runs one statement and returns the number of rows it changed.
func (tx *Tx) exec(what, query string, args ...any) (int64, error) {
	ctx, err := tx.statement(what)
	if err != nil {
		return 0, err
	}
	if !tx.writable {
		return 0, errorf(Failed, "store: %s inside Read; this is a mistake in the program", what)
	}
	res, err := tx.run(ctx, query, args)
	if err != nil {
		return 0, tx.fail(what, err)
	}
	n, err := res.RowsAffected()
	return n, tx.fail(what, err)
}

// put runs an INSERT.
func (tx *Tx) put(what, query string, args ...any) error {
	_, err := tx.exec(what, query, args...)
	return err
}

// change runs an UPDATE that must hit exactly one row, else NotFound.
func (tx *Tx) change(what, query string, args ...any) error {
	n, err := tx.exec(what, query, args...)
	if err == nil && n != 1 {
		return errorf(NotFound, "store: %s: no such row", what)
	}
	return err
}

// transition runs an UPDATE … WHERE id = ? AND state = ?. If it hits no row,
// exists tells a missing row (NotFound) from one in another state (Conflict).
func (tx *Tx) transition(what, from string, exists func() (string, error), query string, args ...any) error {
	n, err := tx.exec(what, query, args...)
	if err != nil || n == 1 {
		return err
	}
	state, err := exists()
	if err != nil {
		return err
	}
	return errorf(Conflict, "store: %s: is %q, not %q", what, state, from)
}

// one reads a single row, Kind NotFound when there is none.
func one[T any](tx *Tx, what string, into func(*T) []any, query string, args ...any) (T, error) {
	var v, zero T
	ctx, err := tx.statement(what)
	if err != nil {
		return zero, err
	}
	rows, err := tx.ask(ctx, query, args)
	if err != nil {
		return zero, tx.fail(what, err)
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return zero, tx.fail(what, err)
		}
		return zero, tx.fail(what, sql.ErrNoRows)
	}
	if err := rows.Scan(into(&v)...); err != nil {
		return zero, tx.fail(what, err)
	}
	return v, tx.fail(what, rows.Close())
}

// many reads all rows of a query, which bears its own LIMIT.
func many[T any](tx *Tx, what string, into func(*T) []any, query string, args ...any) ([]T, error) {
	ctx, err := tx.statement(what)
	if err != nil {
		return nil, err
	}
	rows, err := tx.ask(ctx, query, args)
	if err != nil {
		return nil, tx.fail(what, err)
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var v T
		if err := rows.Scan(into(&v)...); err != nil {
			return nil, tx.fail(what, err)
		}
		list = append(list, v)
	}
	return list, tx.fail(what, rows.Err())
}

func limited(n int) int {
	if n <= 0 || n > MaxRows {
		return MaxRows
	}
	return n
}

// ms is the stored form of a time.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// instant scans a stored time.
type instant struct{ t *time.Time }

func at(t *time.Time) instant { return instant{t} }

func (i instant) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T, not as an integer", v)
	}
	if *i.t = (time.Time{}); n != 0 {
		*i.t = time.UnixMilli(n).UTC()
	}
	return nil
}

// bytes is the stored form of a value that must not be NULL.
func bytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
