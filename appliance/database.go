package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"

	"sigillo/audit"
	"sigillo/store"
)

// Whoever begins a new database in the place of one that was lost has an appliance
// without certificates, holders, accounts and journal, which knows nothing of what its
// keys have signed. Only the provisioning makes one; it is there from then on, and its
// journal is never empty.

// lostDatabase says that the appliance's database is not there, or empty.
func (a *Appliance) lostDatabase() error {
	return fmt.Errorf("appliance: the appliance's database is missing: put %s back from the backup, without any -wal and -shm beside it. No other is begun: it would know neither certificates and accounts nor the journal", a.Layout.Database())
}

// findDatabase sees that there is one, and leaves none behind.
func (a *Appliance) findDatabase() error {
	f, err := os.Stat(a.Layout.Database())
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && f.Size() == 0:
		return a.lostDatabase()
	case err != nil:
		return fmt.Errorf("appliance: %w", err)
	}
	return nil
}

// openDatabase opens the database that findDatabase has seen, and sees that it is not
// one that was begun since.
func (a *Appliance) openDatabase(ctx context.Context) (err error) {
	if a.DB, err = store.Open(ctx, a.Layout.Database(), store.Appliance); err != nil {
		return err
	}
	a.journal = audit.New(a.DB, a.opt.Now)
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		_, err := tx.JournalHead()
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return a.lostDatabase()
	}
	return err
}
