package appliance

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigillo/audit"
	"sigillo/store"
	"sigillo/tsa/ledger"
	"sigillo/vault"
)

// archive is as much of an appliance as keeps the record of time-stamps.
type archive struct {
	*Appliance
	t    *testing.T
	says vault.TimeStamping // what the vault says
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{t: t, says: vault.TimeStamping{Units: []vault.Unit{{Name: "tsu-1"}, {Name: "tsu-2"}}}}
	a.Appliance = &Appliance{Layout: Layout{t.TempDir()}, opt: Options{Now: time.Now}, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	a.databases()
	t.Cleanup(func() { a.stop() })
	if err := a.openLedger(t.Context(), &a.says); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *archive) databases() {
	a.t.Helper()
	var err error
	if a.DB, err = store.Open(a.t.Context(), a.Layout.Database(), store.Appliance); err == nil {
		a.index, err = store.Open(a.t.Context(), a.Layout.StampIndex(), store.Appliance)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	a.journal = audit.New(a.DB, time.Now)
}

// stamp has the vault make a stamp and records it.
func (a *archive) stamp(n int) {
	a.t.Helper()
	for range n {
		u := &a.says.Units[0]
		u.Stamps++
		u.Reserved++
		sum := sha256.Sum256([]byte{byte(u.Reserved), byte(u.Reserved >> 8)})
		err := a.Ledger.Append(a.t.Context(), ledger.Entry{Unit: u.Name, Serial: u.Reserved, GenTime: time.Now(), Policy: asn1.ObjectIdentifier{1, 2, 3},
			Hash: crypto.SHA256, Imprint: sum[:], Account: "acme", Lot: "l", Token: bytes.Repeat([]byte{1}, 500)})
		if err != nil {
			a.t.Fatal(err)
		}
	}
}

// note puts the head where checkpoint puts it.
func (a *archive) note() {
	a.t.Helper()
	if err := a.noteHead(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	h, id := a.Ledger.Head(), a.Ledger.ID()
	a.says.Archive = vault.Archive{Seq: h.Seq, Hash: h.Hash[:], Ledger: id[:], Made: a.says.Made()}
}

func (a *archive) stop() {
	a.t.Helper()
	if a.Ledger != nil {
		if err := a.Ledger.Close(); err != nil {
			a.t.Error(err)
		}
	}
	a.index.Close()
	a.DB.Close()
	a.Ledger, a.notedHead = nil, 0
}

// remove removes files and folders while nothing runs.
func (a *archive) remove(paths ...string) {
	a.t.Helper()
	for _, path := range paths {
		for _, end := range []string{"", "-wal", "-shm"} {
			err := os.RemoveAll(path + end)
			for tries := 0; errors.Is(err, syscall.ENOTEMPTY) && tries < 1000; tries++ { // somebody writes there
				err = os.RemoveAll(path + end)
			}
			if err != nil {
				a.t.Fatal(err)
			}
		}
	}
}

func (a *archive) entries(event string) []store.JournalEntry {
	a.t.Helper()
	var list []store.JournalEntry
	err := a.DB.Read(a.t.Context(), func(tx *store.Tx) (err error) {
		list, err = tx.JournalOfEvent(aboutStamps, event, 0)
		return err
	})
	if err != nil {
		a.t.Fatal(err)
	}
	return list
}

// The record is compared with the journal, the vault and the index before anything is
// recorded. What is missing in all of them goes unnoticed; all else does not, and what
// a crash leaves is no loss.
func TestRecordLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gone    func(l Layout) []string
		change  func(a *archive)
		lost    string // what the message says; "": it starts
		used    int64  // after the loss was accepted
		unknown int64
	}{
		"nothing gone":   {},
		"the index gone": {gone: func(l Layout) []string { return []string{l.StampIndex()} }},
		"the record gone": {gone: func(l Layout) []string { return []string{l.Ledger()} },
			lost: "the entries 1 to 13", used: 10, unknown: 3},
		"record and index gone": {gone: func(l Layout) []string { return []string{l.Ledger(), l.StampIndex()} },
			lost: "the entries 1 to 10", used: 10},
		"record and index gone, and the vault was never shown it": {gone: func(l Layout) []string { return []string{l.Ledger(), l.StampIndex()} },
			change: func(a *archive) { a.says.Archive = vault.Archive{} }, lost: "the entries 1 to 10", used: 10},
		"record, index and journal gone": {gone: func(l Layout) []string { return []string{l.Ledger(), l.StampIndex(), l.Database()} },
			lost: "the entries 1 to 10", used: 0, unknown: 10},
		"all gone, and the vault was never shown it": {gone: func(l Layout) []string { return []string{l.Ledger(), l.StampIndex(), l.Database()} },
			change: func(a *archive) { a.says.Archive, a.says.Units[1].Stamps = vault.Archive{}, underWay },
			lost:   "some 65549 time-stamps", used: 0, unknown: 65549},
		"the vault was never shown it, and little is missing": {gone: func(l Layout) []string { return []string{l.Ledger(), l.StampIndex(), l.Database()} },
			change: func(a *archive) { a.says.Archive, a.says.Units[1].Stamps = vault.Archive{}, underWay-13 }},
		"as many under way as can be": {change: func(a *archive) { a.says.Units[1].Stamps = underWay }},
		"more made than can be under way": {change: func(a *archive) { a.says.Units[1].Stamps = underWay + 1 },
			lost: "ends with entry 13", used: 13, unknown: underWay + 1},
		"the vault has forgotten its last minutes": {change: func(a *archive) { a.says.Units[0].Stamps = 4 }},
		"the vault says nothing": {change: func(a *archive) {
			a.says.Fault, a.says.Archive, a.says.Units[1].Stamps = "tampered", vault.Archive{}, 1<<40
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newArchive(t)
			a.stamp(10)
			a.note()
			a.stamp(3)
			for c.used+c.unknown == 13 && a.indexed() < 13 {
				time.Sleep(5 * time.Millisecond)
			}
			a.stop()
			if c.gone != nil {
				a.remove(c.gone(a.Layout)...)
			}
			if c.change != nil {
				c.change(a)
			}
			a.databases()
			err := a.openLedger(t.Context(), &a.says)
			if c.lost == "" {
				if err != nil {
					t.Fatal(err)
				}
				a.note()
				a.stamp(1)
				return
			}
			if ledger.KindOf(err) != ledger.Lost || !strings.Contains(err.Error(), c.lost) || !strings.Contains(err.Error(), "accept-loss") {
				t.Fatalf("%v; want %q", err, c.lost)
			}
			a.lost(c.used, c.unknown)
		})
	}
}

func (a *archive) indexed() (last int64) {
	a.index.Read(a.t.Context(), func(tx *store.Tx) error {
		s, err := tx.LastStampSegment()
		last = s.Last
		return err
	})
	return last
}

// lost is what follows when entries are missing: refused once more, and then accepted.
func (a *archive) lost(used, unknown int64) {
	t := a.t
	t.Helper()
	if a.Ledger != nil {
		a.Ledger.Close()
		a.Ledger = nil
	}
	if err := a.openLedger(t.Context(), &a.says); ledger.KindOf(err) != ledger.Lost {
		t.Fatalf("at the second try: %v", err)
	}
	if a.Ledger != nil {
		a.Ledger.Close()
	}
	if n := len(a.entries(missedEvent)); n != 1 {
		t.Errorf("journalled %d times", n)
	}
	loss, err := a.acceptLoss(t.Context(), &a.says, "anna", "the disk burnt")
	if err != nil {
		t.Fatal(err)
	}
	if loss.Unknown != unknown || len(a.entries(lossEvent)) != 1 || !bytes.Contains(a.entries(lossEvent)[0].Detail, []byte("the disk burnt")) {
		t.Errorf("%+v, journal %v", loss, a.entries(lossEvent))
	}
	for range 2 {
		if err := a.openLedger(t.Context(), &a.says); err != nil {
			t.Fatal(err)
		}
		if got := a.Ledger.UsedOfLot("acme", "l"); got != used {
			t.Errorf("%d are used, want %d", got, used)
		}
		a.stamp(1)
		used++
		a.note()
		w, err := a.witnesses(t.Context(), &a.says)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := a.Ledger.Verify(t.Context(), w.known()...); err != nil || r.Lost == 0 {
			t.Errorf("%+v, %v", r, err)
		}
		if err := a.Ledger.Close(); err != nil {
			t.Fatal(err)
		}
	}
	a.Ledger = nil
	if _, err := a.acceptLoss(t.Context(), &a.says, "anna", "again"); ledger.KindOf(err) != ledger.NotFound {
		t.Errorf("accepted again: %v", err)
	}
}

// A head is noted once, and never one that lies behind the last.
func TestHeadNeverGoesBack(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.note()
	if n := len(a.entries(headEvent)); n != 0 {
		t.Errorf("%d heads of nothing", n)
	}
	a.stamp(3)
	a.note()
	a.note()
	a.notedHead = 0 // as after a start
	a.note()
	if n := len(a.entries(headEvent)); n != 1 {
		t.Errorf("one head is noted %d times", n)
	}
	// Another record comes into its place while it runs.
	other := newArchive(t)
	for n := 1; n <= 3; n++ {
		other.stamp(1)
		own := a.Ledger
		a.Ledger, a.notedHead = other.Ledger, 0
		if err := a.noteHead(t.Context()); ledger.KindOf(err) != ledger.Lost {
			t.Errorf("of %d entries: %v", n, err)
		}
		a.Ledger = own
	}
	if n := len(a.entries(headEvent)); n != 1 {
		t.Errorf("%d heads were noted", n)
	}
}

// A record whose file is taken away while it is written to is no health, and the
// journal says so; what it had reached is still noted.
func TestRecordTakenAway(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	a.stamp(3)
	a.remove(a.Layout.Ledger())
	if err := a.stampsHealth(t.Context()); ledger.KindOf(err) != ledger.Stopped {
		t.Errorf("health: %v", err)
	}
	for a.Ledger.Err() == nil { // the writer has been told to look
		time.Sleep(time.Millisecond)
	}
	for deadline := time.Now().Add(10 * time.Second); len(a.entries("stamps.stopped")) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the journal says nothing")
		}
	}
	if text := string(a.entries("stamps.stopped")[0].Detail); !strings.Contains(text, "/proc/") || !strings.Contains(text, "entry 3") {
		t.Error(text)
	}
	a.note()
	if len(a.entries(headEvent)) != 1 {
		t.Error("what it had reached was not noted")
	}
}

// The record of another appliance in the place of this one's is neither opened nor
// taken for what is left of it, whichever of those who know the difference is left.
func TestRecordOfAnother(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gone func(l Layout) []string
		long int // entries of the other
	}{
		"shorter":              {long: 3},
		"longer":               {long: 20},
		"the index gone":       {gone: func(l Layout) []string { return []string{l.StampIndex()} }, long: 20},
		"only the vault knows": {gone: func(l Layout) []string { return []string{l.StampIndex(), l.Database()} }, long: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, other := newArchive(t), newArchive(t)
			a.stamp(10)
			a.note()
			a.stop()
			other.stamp(c.long)
			other.stop()
			defer other.databases() // closed once more at the end
			own := a.Layout.Ledger() + ".own"
			if err := os.Rename(a.Layout.Ledger(), own); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(a.Layout.Ledger(), os.DirFS(other.Layout.Ledger())); err != nil {
				t.Fatal(err)
			}
			if c.gone != nil {
				a.remove(c.gone(a.Layout)...)
			}
			a.databases()
			err := a.openLedger(t.Context(), &a.says)
			if ledger.KindOf(err) != ledger.Foreign || !strings.Contains(err.Error(), "another ledger") || strings.Contains(err.Error(), "accept-loss") {
				t.Errorf("opened: %v", err)
			}
			_, err = a.acceptLoss(t.Context(), &a.says, "anna", "it is gone")
			if ledger.KindOf(err) != ledger.Foreign || !strings.Contains(err.Error(), "another ledger") || len(a.entries(lossEvent)) != 0 {
				t.Errorf("accepted: %v", err)
			}
			a.remove(a.Layout.Ledger())
			if err := os.Rename(own, a.Layout.Ledger()); err != nil {
				t.Fatal(err)
			}
			if err := a.openLedger(t.Context(), &a.says); err != nil {
				t.Fatal(err)
			}
			if got := a.Ledger.UsedOfLot("acme", "l"); got != 10 {
				t.Errorf("%d are used", got)
			}
		})
	}
}
