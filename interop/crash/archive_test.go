package crash

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver

	"sigillo/tsa/ledger"
)

// archiveOf finds the archive of an appliance: the ledger, or in appliances of
// older make a table of the database.
func archiveOf(dir string) archive {
	if path := filepath.Join(dir, "stamps"); exists(path) {
		return &ledgerArchive{dir: path}
	}
	return &tableArchive{path: filepath.Join(dir, "appliance.db")}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// ledgerArchive reads the ledger as another process.
type ledgerArchive struct {
	dir  string
	last int64
	seen map[string]int64 // entries by account
}

func (l *ledgerArchive) since(ctx context.Context, visit func([]byte, uint64, []byte) error) error {
	book, err := ledger.Open(l.dir, ledger.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer book.Close()
	if l.seen == nil {
		l.seen = map[string]int64{}
	}
	for {
		entries, err := book.Lookup(ctx, ledger.Query{After: l.last, Limit: ledger.MaxLimit})
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			if e.Seq != l.last+1 {
				return fmt.Errorf("entry %d comes after entry %d", e.Seq, l.last)
			}
			l.last = e.Seq
			l.seen[e.Account]++
			token, err := book.Token(e)
			if err != nil {
				return err
			}
			if err := visit(e.Imprint, uint64(e.Serial), token); err != nil {
				return err
			}
		}
	}
}

// verify checks the chain, and that the sums per account, which quotas are counted
// by, are those of the entries.
func (l *ledgerArchive) verify(ctx context.Context) error {
	book, err := ledger.Open(l.dir, ledger.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer book.Close()
	report, err := book.Verify(ctx)
	if err != nil {
		return err
	}
	if report.Entries != l.last {
		return fmt.Errorf("the ledger has %d entries, %d were seen", report.Entries, l.last)
	}
	for account, n := range l.seen {
		if used := report.Totals.Accounts[account].Stamps; used != n {
			return fmt.Errorf("account %s is charged %d stamps and has %d in the archive", account, used, n)
		}
	}
	return nil
}

// tableArchive reads the table tokens.
type tableArchive struct {
	path string
	last int64
}

func (a *tableArchive) since(ctx context.Context, visit func([]byte, uint64, []byte) error) error {
	db, err := sql.Open("sqlite", "file:"+a.path+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, `SELECT rowid, serial, imprint, der FROM tokens WHERE rowid > ? ORDER BY rowid`, a.last)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var imprint, token []byte
		if err := rows.Scan(&a.last, &name, &imprint, &token); err != nil {
			return err
		}
		_, number, _ := strings.Cut(name, "/")
		serial, err := strconv.ParseUint(number, 16, 64)
		if err != nil {
			return err
		}
		if err := visit(imprint, serial, token); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (a *tableArchive) verify(context.Context) error { return nil }
