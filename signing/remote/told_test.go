package remote

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// Who has one thing refused again and again does not fill the journal; what is left out
// is told, others are not concerned, and what is given is always there.
func TestRefusalsTold(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now := testNow
	s := New(Config{DB: db, Now: func() time.Time { return now }})
	note := func(event, actor, kind string) {
		s.note(t.Context(), audit.Event{Actor: actor, Event: event, Subject: "c", Detail: map[string]string{"kind": kind}})
	}
	for range 5 * toldPerHour {
		note("signature.refused", "h", "locked")
	}
	note("signature.refused", "h", "busy")
	note("signature.refused", "i", "locked")
	for range 2 * toldPerHour {
		note("signature.grant-revoked", "h", "")
	}
	now = now.Add(time.Hour)
	note("signature.refused", "h", "locked")
	var all []store.JournalEntry
	if err := db.Read(t.Context(), func(tx *store.Tx) (err error) {
		all, err = tx.Journal(1, 1000)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(all) != toldPerHour+2+2*toldPerHour+1 || !strings.Contains(string(all[len(all)-1].Detail), fmt.Sprintf(`"omitted-before":"%d"`, 4*toldPerHour)) {
		t.Errorf("%d entries, the last %s", len(all), all[len(all)-1].Detail)
	}
}
