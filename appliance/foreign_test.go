package appliance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/tsa/ledger"
	"sigillo/vault"
)

// refused says that neither the start nor somebody who accepts a loss goes on, and that
// both texts have the words; nothing is accepted.
func (a *archive) refused(kind ledger.Kind, says ...string) {
	a.t.Helper()
	err := a.openLedger(a.t.Context(), &a.says)
	_, accepted := a.acceptLoss(a.t.Context(), &a.says, "anna", "it is gone")
	for _, err := range []error{err, accepted} {
		if ledger.KindOf(err) != kind {
			a.t.Fatalf("%v; want the kind %s", err, kind)
		}
		for _, text := range says {
			if !strings.Contains(err.Error(), text) {
				a.t.Errorf("%v; want %q", err, text)
			}
		}
	}
	if kind == ledger.Foreign && strings.Contains(err.Error(), "accept-loss") {
		a.t.Errorf("offers to accept it: %v", err)
	}
	if n := len(a.entries(lossEvent)); n != 0 {
		a.t.Errorf("%d losses are in the journal", n)
	}
}

// copyOf puts a database that is closed into the place of another.
func (a *archive) copyOf(from, to string) {
	a.t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		a.remove(to)
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// The index of another appliance, which knows more entries than there are here, is no
// witness of a loss; without it all is as it was.
func TestIndexOfAnotherAppliance(t *testing.T) {
	t.Parallel()
	a, other := newArchive(t), newArchive(t)
	a.stamp(5)
	a.note()
	a.stop()
	other.stamp(13)
	other.note()
	for other.indexed() < 13 {
		time.Sleep(5 * time.Millisecond)
	}
	if err := other.keepOwnHead(t.Context()); err != nil {
		t.Fatal(err)
	}
	other.stop()
	defer other.databases() // closed once more at the end
	a.copyOf(other.Layout.StampIndex(), a.Layout.StampIndex())
	a.databases()
	a.refused(ledger.Foreign, a.Layout.StampIndex(), "delete the index")
	a.index.Close()
	a.remove(a.Layout.StampIndex())
	a.DB.Close()
	a.databases()
	if err := a.openLedger(t.Context(), &a.says); err != nil {
		t.Fatal(err)
	}
	if err := a.checkOwnHead(t.Context()); err != nil {
		t.Error(err)
	}
	if got := a.Ledger.UsedOfLot("acme", "l"); got != 5 {
		t.Errorf("%d are used", got)
	}
	if r, err := a.verified(); err != nil || r.Lost != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// verified reads the whole record against what is known of it.
func (a *archive) verified() (ledger.Report, error) {
	w, err := a.witnesses(a.t.Context(), &a.says)
	if err != nil {
		return ledger.Report{}, err
	}
	return a.Ledger.Verify(a.t.Context(), w.known()...)
}

// With the database of another appliance in its place the text does not say that the
// record is the wrong one: nobody knows.
func TestDatabaseOfAnotherAppliance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		archive func(shown vault.Archive) vault.Archive // what the vault says of it
		says    func(l Layout) []string
	}{
		"the vault knows the record": {archive: func(shown vault.Archive) vault.Archive { return shown },
			says: func(l Layout) []string { return []string{l.Database(), l.VaultDB(), "one of the two"} }},
		"the vault was shown none": {archive: func(vault.Archive) vault.Archive { return vault.Archive{} },
			says: func(l Layout) []string { return []string{l.Ledger(), "Either", "of another appliance"} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, other := newArchive(t), newArchive(t)
			for _, x := range []*archive{a, other} {
				x.stamp(5)
				x.note()
				x.stop()
			}
			defer other.databases()
			a.copyOf(other.Layout.Database(), a.Layout.Database())
			a.databases()
			a.says.Archive = c.archive(a.says.Archive)
			a.refused(ledger.Foreign, c.says(a.Layout)...)
		})
	}
}

// What was saved when the file was taken away is named at the next start, and by who
// accepts a loss; put back, nothing was lost.
func TestSavedRecordIsNamed(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.stamp(5)
	place := filepath.Join(a.Layout.Ledger(), "0000000000000000001.ledger")
	a.remove(place)
	for a.Ledger.Look() == nil || len(a.entries("stamps.stopped")) == 0 {
		time.Sleep(time.Millisecond)
	}
	a.note()
	a.stop()
	found, err := filepath.Glob(place + ".saved-*")
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	a.databases()
	a.refused(ledger.Lost, found[0], place, "under this name")
	if err := os.Rename(found[0], place); err != nil {
		t.Fatal(err)
	}
	if err := a.openLedger(t.Context(), &a.says); err != nil {
		t.Fatal(err)
	}
	if got := a.Ledger.UsedOfLot("acme", "l"); got != 5 {
		t.Errorf("%d are used", got)
	}
}
