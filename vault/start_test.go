package vault

import (
	"context"
	"os"
	"strings"
	"testing"

	"sigillo/store"
)

// TestStateLost: a vault that has its keys and not its state begins no other, but in
// provisioning. Put back, it goes on.
func TestStateLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	path, kept := r.cfg.StateDB, r.cfg.StateDB+".kept"
	lost := r.cfg
	lost.Provision = false
	refused := func(name string) {
		t.Helper()
		ctx, end := context.WithCancel(t.Context())
		defer end()
		err := Serve(ctx, lost, end)
		if KindOf(err) != Lost || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Rename(path, kept); err != nil {
		t.Fatal(err)
	}
	refused("gone")
	if _, err := os.Stat(path); err == nil {
		t.Error("a new state was begun")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("empty")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), path, "vault") // all tables, nothing in them
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	refused("blank")
	refused("blank, again")
	if err := os.Rename(kept, path); err != nil {
		t.Fatal(err)
	}
	r.cfg.Provision = false
	r.start()
	if r.events()["vault.started"] != 2 {
		t.Error("it is not the state that was put back")
	}
}
