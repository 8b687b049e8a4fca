package appliance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// A database that was lost is told as lost, before anything is begun, and none is made in
// its place; so is an empty one.
func TestDatabaseLost(t *testing.T) {
	t.Parallel()
	for name, put := range map[string]func(path string) error{
		"missing": func(string) error { return nil },
		"empty":   func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := Layout{t.TempDir()}
			cfg := DefaultConfig()
			cfg.HSM.PINFile, cfg.HSM.Node = l.join("pin"), "node"
			if err := cfg.Save(l.Dir); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(l.Root(), []byte("a certificate"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := put(l.Database()); err != nil {
				t.Fatal(err)
			}
			opt := Options{Executable: filepath.Join(l.Dir, "none")} // no vault is started
			for _, beside := range []bool{false, true} {
				opt.Unattended = beside
				a, err := Open(t.Context(), l.Dir, opt)
				if err == nil {
					a.Close()
				}
				lost(t, l, err)
			}
			_, err := AcceptLoss(t.Context(), l.Dir, opt, "it is gone", func(*Appliance) (string, error) { return "anna", nil })
			lost(t, l, err)
			if f, err := os.Stat(l.Database()); err == nil && f.Size() > 0 || err != nil && name == "empty" {
				t.Errorf("the database now: %v, %v", f, err)
			}
		})
	}
}

func lost(t *testing.T, l Layout, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "put "+l.Database()+" back from the backup") {
		t.Error(err)
	}
}

// One that an older program began in the place of the lost one has tables and no rows.
func TestDatabaseBegunAnew(t *testing.T) {
	t.Parallel()
	open := func(l Layout) error {
		a := &Appliance{Layout: l, opt: Options{Now: time.Now}}
		err := a.openDatabase(t.Context())
		if a.DB != nil {
			a.DB.Close()
		}
		return err
	}
	l := Layout{t.TempDir()}
	db, err := store.Open(t.Context(), l.Database(), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lost(t, l, open(l))
	if err := audit.New(db, time.Now).Append(t.Context(), audit.Event{Actor: "a", Event: "b", Subject: "c"}); err != nil {
		t.Fatal(err)
	}
	if err := open(l); err != nil {
		t.Error(err)
	}
}
