package appliance

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sigillo/auth"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// hall is an appliance of which there are only the database and the sessions.
func hall(t *testing.T) (*Appliance, *time.Time) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "a.db"), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	a := &Appliance{DB: db, opt: Options{Now: clock}, sessions: auth.NewSessions(sessionStore{db, clock}, clock)}
	for _, id := range []string{"ada", "bob"} {
		h := store.Holder{ID: id, Username: id, Factors: factorsWith(t, "salt of "+id), Created: now}
		if err := db.Write(t.Context(), func(tx *store.Tx) error { return tx.PutHolder(h) }); err != nil {
			t.Fatal(err)
		}
	}
	return a, &now
}

func factorsWith(t *testing.T, salt string) []byte {
	t.Helper()
	b, err := json.Marshal(vault.Factors{Holder: "h", Salt: []byte(salt)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var visitor = auth.Visit{Face: auth.Pages, Client: "192.0.2.1", Agent: "Firefox"}

func (a *Appliance) enter(t *testing.T, holder string) string {
	t.Helper()
	token, err := a.sessions.Start(t.Context(), auth.Opening{Holder: holder, Methods: []string{"pwd", "otp"},
		Epoch: epochOf(vault.Factors{Salt: []byte("salt of " + holder)}), Visit: visitor})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// entries are what the journal has of an event: the detail "why", or else the methods.
func entries(t *testing.T, a *Appliance, event string) (out []string) {
	t.Helper()
	err := a.DB.Read(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Journal(1, 1000)
		for _, e := range all {
			detail := map[string]string{}
			if e.Event != event {
				continue
			}
			if err := json.Unmarshal(e.Detail, &detail); err != nil {
				return err
			}
			out = append(out, e.Actor+" "+detail["why"]+detail["methods"])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSessionsOfHolder(t *testing.T) {
	t.Parallel()
	a, now := hall(t)
	first := a.enter(t, "ada")
	*now = now.Add(time.Minute)
	second, third, bobs := a.enter(t, "ada"), a.enter(t, "ada"), a.enter(t, "bob")
	h, s, err := a.Session(t.Context(), second, visitor)
	if err != nil || h.ID != "ada" || s.Client != "192.0.2.1" {
		t.Fatalf("%+v, %+v, %v", h, s, err)
	}
	list, err := a.Sessions(t.Context(), "ada")
	if err != nil || len(list) != 3 || !list[0].Seen.After(list[2].Seen) {
		t.Fatalf("%+v, %v", list, err)
	}
	_, theirs, err := a.Session(t.Context(), bobs, visitor)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{theirs.Ref(), "", "x"} {
		if err := a.EndSession(t.Context(), "ada", ref); signing.KindOf(err) != signing.NotFound {
			t.Errorf("%q of another: %v", ref, err)
		}
	}
	if n, err := a.endOthers(t.Context(), "ada", s.Ref()); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for token, want := range map[string]bool{first: false, second: true, third: false, bobs: true} {
		if _, _, err := a.Session(t.Context(), token, visitor); (err == nil) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if err := a.EndSession(t.Context(), "ada", s.Ref()); err != nil {
		t.Error(err)
	}
	if err := a.SignOut(t.Context(), bobs); err != nil {
		t.Error(err)
	}
	if err := a.SignOut(t.Context(), bobs); err != nil {
		t.Error(err)
	}
	want := []string{"ada ended-by-holder", "ada ended-by-holder", "ada ended-by-holder", "bob signed-out"}
	if got := entries(t, a, "session.ended"); !slices.Equal(got, want) {
		t.Errorf("journal: %q", got)
	}
	if got := entries(t, a, "holder.signed-in"); len(got) != 4 || got[0] != "ada pwd otp" {
		t.Errorf("journal: %q", got)
	}
}

// TestSessionsEndByThemselves: by the clock, by another password, by being too many.
func TestSessionsEndByThemselves(t *testing.T) {
	t.Parallel()
	a, now := hall(t)
	idle := a.enter(t, "ada")
	*now = now.Add(auth.SessionIdle)
	if list, err := a.Sessions(t.Context(), "ada"); len(list) != 0 || err != nil {
		t.Errorf("%+v, %v", list, err)
	}
	if _, _, err := a.Session(t.Context(), idle, visitor); auth.KindOf(err) != auth.SessionExpired {
		t.Errorf("%v", err)
	}
	a.enter(t, "ada")
	*now = now.Add(auth.SessionLife)
	if err := a.forgetSessions(t.Context()); err != nil {
		t.Error(err)
	}
	token, bobs := a.enter(t, "ada"), a.enter(t, "bob")
	err := a.DB.Write(t.Context(), func(tx *store.Tx) error { return tx.SetFactors("ada", factorsWith(t, "another salt")) })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := a.Session(t.Context(), token, visitor); err == nil {
			t.Error("a session of the former password lives")
		}
	}
	var last string
	for range auth.MaxSessions {
		*now = now.Add(time.Second)
		last = a.enter(t, "bob")
	}
	if list, err := a.Sessions(t.Context(), "bob"); len(list) != auth.MaxSessions || err != nil {
		t.Errorf("%d sessions, %v", len(list), err)
	}
	if _, _, err := a.Session(t.Context(), bobs, visitor); auth.KindOf(err) != auth.NoSession {
		t.Errorf("the oldest one lives: %v", err)
	}
	if _, _, err := a.Session(t.Context(), last, visitor); err != nil {
		t.Error(err)
	}
	want := []string{"appliance idle", "appliance idle", "ada factors-changed", "appliance too-many"}
	if got := entries(t, a, "session.ended"); !slices.Equal(got, want) {
		t.Errorf("journal: %q", got)
	}
}
