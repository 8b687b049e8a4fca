package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
	"time"
)

// Writers that wait for each other can share a commit, since it is the fsync that
// costs. They take turns, as they would without it; but who finds another of these
// next in line leaves the transaction open to that one, and the last one, or the one
// who finds it full, commits for all. Nobody's call returns before the commit that its
// rows are in, nor, when it was refused, before the commit of what it saw. A function
// that fails is rolled back to where it began and takes nothing else with it. Nobody
// waits for others to come.

// The bounds of a group: those in it wait for the last.
const (
	groupMembers = 64
	groupTime    = 10 * time.Millisecond
)

// group is a transaction that several writers share.
type group struct {
	tx      *sql.Tx
	members int // whose functions are done and good
	began   time.Time
	done    chan struct{} // closed when it has been committed, or not
	err     error         // of the commit; once done is closed
}

// turns lets one writer after another in, in the order they came.
type turns struct {
	mu    sync.Mutex
	taken bool      // guarded by mu
	line  []*waiter // guarded by mu
}

type waiter struct {
	shares bool
	come   chan struct{} // closed when the turn has come
}

// take waits for the turn.
func (t *turns) take(ctx context.Context, shares bool) error {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return nil
	}
	mine := &waiter{shares: shares, come: make(chan struct{})}
	t.line = append(t.line, mine)
	t.mu.Unlock()
	select {
	case <-mine.come:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.line, mine)
	if i < 0 { // it came meanwhile
		return nil
	}
	t.line = slices.Delete(t.line, i, i+1)
	return ctx.Err()
}

// pass gives the turn to the next in line. With shared it does so only if that one
// shares, and reports whether it did.
func (t *turns) pass(shared bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if shared && (len(t.line) == 0 || !t.line[0].shares) {
		return false
	}
	if len(t.line) == 0 {
		t.taken = false
		return true
	}
	close(t.line[0].come)
	t.line = slices.Delete(t.line, 0, 1)
	return true
}

// WriteShared is Write for many at a time: its commit is shared with those who wait
// with it. It may wait for the fn of another WriteShared, so fn must not wait for
// anything, such as a lock that is held by somebody who calls WriteShared. What fn sees
// of others may be committed together with its own only: it must tell nobody before
// WriteShared has returned.
func (db *DB) WriteShared(ctx context.Context, fn func(*Tx) error) error {
	return db.inLine(ctx, true, fn)
}

// inLine is Write and WriteShared.
func (db *DB) inLine(ctx context.Context, shares bool, fn func(*Tx) error) error {
	const what = "store: write"
	if err := db.turns.take(ctx, shares); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return &Error{Busy, what + ": no turn within the time allowed, try again", err}
		}
		return wrap(what, err)
	}
	g, err := db.inTurn(ctx, shares, fn)
	if g == nil {
		return err
	}
	<-g.done
	if g.err != nil {
		return g.err
	}
	return err
}

// inTurn runs fn in the group that is open, or a new one, and passes the turn on. It
// returns the group whose end the caller has to wait for; nil when there is none.
func (db *DB) inTurn(ctx context.Context, shares bool, fn func(*Tx) error) (*group, error) {
	defer func() { // also when fn panics
		if db.open != nil && shares && !db.open.full() && db.turns.pass(true) {
			return
		}
		db.finish(nil)
		db.turns.pass(false)
	}()
	if db.open == nil {
		// The transaction outlives the context of who begins it.
		inner, err := db.write.BeginTx(context.WithoutCancel(ctx), nil)
		if err != nil {
			return nil, wrap("store: write", err)
		}
		db.open = &group{tx: inner, began: time.Now(), done: make(chan struct{})}
	}
	g := db.open
	err := db.member(ctx, g, fn)
	if db.open == nil { // it has ended the group
		return nil, err
	}
	return g, err
}

// member runs fn as one of a group: all of it is kept, or nothing. It ends the group
// when it is the first and failed, or when the database did.
func (db *DB) member(ctx context.Context, g *group, fn func(*Tx) error) (err error) {
	const what = "store: write"
	first := g.members == 0
	if !first {
		if _, err := db.savepoint(g, "SAVEPOINT member"); err != nil {
			db.finish(wrap(what, err))
			return wrap(what, err)
		}
	}
	tx := &Tx{ctx: ctx, tx: g.tx, writable: true, prepared: &db.stmts}
	kept := false
	defer func() {
		switch {
		case kept:
			g.members++
		case tx.lost != nil: // SQLite may have rolled everything back
			db.finish(tx.lost)
		case first: // there is nothing else in it
			db.finish(nil)
		default:
			if _, back := g.tx.Exec("ROLLBACK TO member; RELEASE member"); back != nil {
				db.finish(wrap(what, back))
			}
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.broken != nil {
		return tx.broken
	}
	if err := ctx.Err(); err != nil { // as if it had been noticed by a statement
		return wrap(what+": commit", err)
	}
	if !first {
		if _, err := db.savepoint(g, "RELEASE member"); err != nil {
			tx.lost = wrap(what, err)
			return tx.lost
		}
	}
	kept = true
	return nil
}

// savepoint runs one of the statements around a member.
func (db *DB) savepoint(g *group, statement string) (sql.Result, error) {
	if s := db.stmts.find(statement); s != nil {
		return g.tx.Stmt(s).Exec()
	}
	return g.tx.Exec(statement)
}

func (g *group) full() bool { return g.members >= groupMembers || time.Since(g.began) > groupTime }

// finish commits the open group, if there is anything to commit and nothing has
// failed, and lets its members go. Who calls it has the turn.
func (db *DB) finish(failed error) {
	g := db.open
	if g == nil {
		return
	}
	db.open = nil
	if failed == nil && g.members > 0 {
		failed = wrap("store: write: commit", g.tx.Commit())
	}
	_ = g.tx.Rollback() // no effect after Commit
	g.err = failed
	close(g.done)
	db.stmts.prepare(db.write)
}
