package crash

import (
	"context"
	"fmt"

	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

// ledgerArchive reads the ledger beside the process that writes it.
type ledgerArchive struct {
	dir  string
	last int64
	seen map[string]int64 // entries by account
}

// since visits what was archived since the last call; own says that the appliance
// stamped for itself, as it does its revocation lists.
func (l *ledgerArchive) since(ctx context.Context, visit func(own bool, imprint []byte, serial uint64, token []byte) error) error {
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
			if err := visit(e.Account == accounts.House, e.Imprint, uint64(e.Serial), token); err != nil {
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
