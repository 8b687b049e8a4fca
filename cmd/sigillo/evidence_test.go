package main

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/appliance"
	"sigillo/pki"
	"sigillo/store"
	"sigillo/tsa/accounts"
	"sigillo/vault"
)

// An old copy of the vault's state is put in its place: the appliance starts, makes
// no time-stamp before somebody has looked, says so everywhere, and the journals
// show it although each of them is whole.
func TestVaultSetBack(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	h := open(t, dir)
	h.stop()
	state, old := filepath.Join(dir, "vault", "vault.db"), filepath.Join(t.TempDir(), "old.db")
	putBack(t, state, old)
	stamp := func() error {
		digest := sha256.Sum256([]byte("a document"))
		_, err := h.Stamps.Stamp(t.Context(), crypto.SHA256, digest[:], accounts.House)
		return err
	}
	for range 3 { // the vault's journal goes on
		h = open(t, dir)
		if err := stamp(); err != nil {
			t.Fatal(err)
		}
		h.stop()
	}
	verify := func() (code int, out string) {
		var b bytes.Buffer
		code = dispatch(t.Context(), env{out: &b, err: &b}, []string{"journal", "verify", "--dir", dir})
		return code, b.String()
	}
	if code, out := verify(); code != 0 {
		t.Fatalf("before: %s", out)
	}
	putBack(t, old, state)
	for range 4 { // until the vault's journal is longer than it was
		h = open(t, dir)
		if err := stamp(); err == nil {
			t.Error("stamped")
		}
		if err := h.Health(t.Context()); err == nil || !strings.Contains(err.Error(), "time-stamping") {
			t.Errorf("health: %v", err)
		}
		if !h.journalled(t, "vault.set-back", "", "") {
			t.Error("the journal of the appliance does not know")
		}
		h.stop()
	}
	if code, out := verify(); code == 0 || !strings.Contains(out, "vault journal: BROKEN") {
		t.Errorf("after: %d %s", code, out)
	}
	phrase, err := os.ReadFile(filepath.Join(dir, "vault", "tsa-passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	h = open(t, dir)
	if _, err := h.Vault.ActivateUnit(t.Context(), "tsu-1", vault.Consent{Operator: "anna", Passphrase: phrase}); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h = open(t, dir) // it was told once
	if err := stamp(); err != nil {
		t.Errorf("after somebody looked: %v", err)
	}
}

// putBack copies a database that is closed.
func putBack(t *testing.T, from, to string) {
	t.Helper()
	for _, rest := range []string{"-wal", "-shm"} {
		_ = os.Remove(to + rest)
		if _, err := os.Stat(from + rest); err == nil {
			t.Fatalf("%s was left", from+rest)
		}
	}
	if out, err := exec.Command("cp", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// count is how often an event is in the journal.
func (h *house) count(t *testing.T, event string) (n int) {
	t.Helper()
	for _, e := range h.events(t, "") {
		if e.Event == event {
			n++
		}
	}
	return n
}

// Old copies of the vault's state and of the appliance's are put in their place
// together, so that neither knows more than the other. The units are started by their
// passphrase file, but nothing is stamped: the record of time-stamps knows more.
func TestBothSetBack(t *testing.T) {
	t.Parallel()
	dir, old := newFolder(t), t.TempDir()
	h := open(t, dir)
	h.stop()
	states := []string{filepath.Join("vault", "vault.db"), "appliance.db"}
	for _, s := range states {
		putBack(t, filepath.Join(dir, s), filepath.Join(old, filepath.Base(s)))
	}
	h = open(t, dir) // stamps the revocation lists
	h.stop()
	for _, s := range states {
		putBack(t, filepath.Join(old, filepath.Base(s)), filepath.Join(dir, s))
	}
	for range 2 {
		h = open(t, dir)
		digest := sha256.Sum256([]byte("a document"))
		if _, err := h.Stamps.Stamp(t.Context(), crypto.SHA256, digest[:], accounts.House); err == nil {
			t.Error("stamped")
		}
		s, err := h.Vault.TimeStamping(t.Context())
		if err != nil || s.Units[0].State != vault.UnitStopped || !strings.Contains(s.Units[0].Reason, "set back") {
			t.Errorf("%s %q, %v", s.Units[0].State, s.Units[0].Reason, err)
		}
		for _, event := range []string{"vault.disagrees", "journal.set-back"} {
			if h.count(t, event) != 1 {
				t.Errorf("%s is in the journal %d times", event, h.count(t, event))
			}
		}
		h.stop()
	}
	phrase, err := os.ReadFile(filepath.Join(dir, "vault", "tsa-passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	h = open(t, dir)
	if _, err := h.Vault.ActivateUnit(t.Context(), "tsu-1", vault.Consent{Operator: "anna", Passphrase: phrase}); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h = open(t, dir)
	if err := h.Health(t.Context()); err != nil {
		t.Errorf("after somebody looked: %v", err)
	}
}

// The vault's state is lost: the appliance says which file to put back, begins no
// other, and goes on once it is there.
func TestVaultStateLost(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	state := filepath.Join(dir, "vault", "vault.db")
	if err := os.Rename(state, state+".kept"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a, err := appliance.Open(t.Context(), dir, appliance.Options{Log: quiet()})
		if err == nil {
			a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "put "+state+" back from the backup") {
			t.Errorf("%v", err)
		}
	}
	if _, err := os.Stat(state); err == nil {
		t.Error("a new state was begun")
	}
	if err := os.Rename(state+".kept", state); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Health(t.Context()); err != nil {
		t.Error(err)
	}
}

// The lists of a running house bear a time-stamp that proves when they were
// published (CAD art. 36 c. 3).
func TestListsAreStamped(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if err := h.PKI.PublishCRLs(t.Context()); err != nil {
		t.Fatal(err)
	}
	var list store.CRL
	err := h.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
		list, err = tx.LatestCRL(pki.IssuingCA)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	crl, token := filepath.Join(dir, "list.crl"), filepath.Join(dir, "list.tst")
	if err := errors.Join(os.WriteFile(crl, list.DER, 0o600), os.WriteFile(token, list.Timestamp, 0o600)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "ts", "-verify", "-data", crl, "-in", token, "-token_in", "-CAfile", h.Layout.Root()).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("Verification: OK")) {
		t.Errorf("%v: %s", err, out)
	}
}
