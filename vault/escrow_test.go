package vault

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	"sigillo/store"
)

// TestEscrow shows what a thief of all there is can do with a graphometric credential, and
// not with another: open the secret, and so the key. docs/security.md says so.
func TestEscrow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := newCounter(t, r)
	c.enrolCustomer()
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	th := newThief(t, r)
	db, err := store.Open(context.Background(), r.cfg.StateDB, "vault")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var p profile
	var tpl store.Template
	err = db.Read(t.Context(), func(tx *store.Tx) error {
		row, err := tx.CounterRow(store.CounterProfile, c.cred.ID)
		if err == nil {
			err = json.Unmarshal(row.Record, &p)
		}
		if err == nil {
			tpl, err = tx.Template(c.cred.ID, p.Version)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	key, err := th.tok.Unseal(t.Context(), keyTemplates, templateContext(&p, &tpl), tpl.Wrapped)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := newGCM(key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := aead.Open(nil, make([]byte, captureIV), tpl.Sealed, templateContext(&p, &tpl))
	if err != nil {
		t.Fatal(err)
	}
	secret := [secretSize]byte(plain)
	if err := th.open(kekSecret(&secret, &c.cred), c.cred.wrapped()); err != nil {
		t.Errorf("with the escrowed secret: %v", err)
	}
	secret[0] ^= 1
	if err := th.open(kekSecret(&secret, &c.cred), c.cred.wrapped()); err == nil {
		t.Error("with another secret")
	}
	// The seal of other secrets does not open templates, nor the other way round.
	if _, err := th.tok.Unseal(t.Context(), keySeal, templateContext(&p, &tpl), tpl.Wrapped); err == nil {
		t.Error("the key of the OTP secrets opens templates")
	}
	if slices.Contains([]string{keyMaster, keyMAC, keySeal}, keyTemplates) {
		t.Error("a key with two uses")
	}
}
