package store

import (
	"context"
	"database/sql"
)

// SQLite takes as long to read most of our statements as to run them. The writer's
// connection keeps those it has read: which they are is noted while transactions run,
// and they are prepared between two of them, since there is one connection.

// maxPrepared is far more than there are statements in this room; those made of a
// variable number of parts could be many.
const maxPrepared = 256

// prepared is touched by who has the turn to write only.
type prepared struct {
	ready  map[string]*sql.Stmt
	wanted map[string]bool
}

// find returns a statement that is prepared, or has it prepared for the next time.
func (p *prepared) find(query string) *sql.Stmt {
	if s := p.ready[query]; s != nil {
		return s
	}
	if len(p.ready)+len(p.wanted) < maxPrepared {
		if p.wanted == nil {
			p.wanted = map[string]bool{}
		}
		p.wanted[query] = true
	}
	return nil
}

// prepare prepares what was wanted. What cannot be is run as it was before.
func (p *prepared) prepare(db *sql.DB) {
	for query := range p.wanted {
		if s, err := db.PrepareContext(context.Background(), query); err == nil {
			if p.ready == nil {
				p.ready = map[string]*sql.Stmt{}
			}
			p.ready[query] = s
		}
	}
	clear(p.wanted)
}

// run runs a statement that changes rows.
func (tx *Tx) run(ctx context.Context, query string, args []any) (sql.Result, error) {
	if tx.prepared != nil {
		if s := tx.prepared.find(query); s != nil {
			return tx.tx.StmtContext(ctx, s).ExecContext(ctx, args...)
		}
	}
	return tx.tx.ExecContext(ctx, query, args...)
}

// ask runs a statement that returns rows.
func (tx *Tx) ask(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if tx.prepared != nil {
		if s := tx.prepared.find(query); s != nil {
			return tx.tx.StmtContext(ctx, s).QueryContext(ctx, args...)
		}
	}
	return tx.tx.QueryContext(ctx, query, args...)
}
