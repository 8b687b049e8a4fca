package main

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/appliance"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

// The record of time-stamps is lost with its index: the appliance does not begin a
// new one, until an operator takes the loss upon himself; and then goes on behind it.
func TestArchiveLost(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	stamp := func(h *house) {
		t.Helper()
		if _, err := h.Stamps.Stamp(t.Context(), crypto.SHA256, make([]byte, 32), accounts.House); err != nil {
			t.Fatal(err)
		}
	}
	type what struct{ good, bad string }
	run := func(want what, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		code := dispatch(t.Context(), env{in: strings.NewReader(""), out: &out, err: &errs}, append(args, "--dir", dir))
		if good := want.good != ""; good != (code == exitGood) || !strings.Contains(out.String(), want.good) || !strings.Contains(errs.String(), want.bad) {
			t.Fatalf("sigillo %v: exit %d, %s%s", args, code, out.String(), errs.String())
		}
	}
	h := open(t, dir)
	for range 3 {
		stamp(h)
	}
	had := h.Ledger.Used(accounts.House) // the revocation lists are stamped too
	h.stop()
	all := fmt.Sprintf("the entries 1 to %d", had)
	run(what{bad: "nothing is missing"}, "tsa", "accept-loss", "--reason", "none")
	for _, path := range []string{h.Layout.Ledger(), h.Layout.StampIndex()} {
		kept := filepath.Join(t.TempDir(), "kept")
		if err := errors.Join(os.Rename(path, kept), os.RemoveAll(path+"-wal"), os.RemoveAll(path+"-shm")); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		a, err := appliance.Open(t.Context(), dir, appliance.Options{Log: quiet()})
		if err == nil {
			a.Close()
		}
		if ledger.KindOf(err) != ledger.Lost || !strings.Contains(err.Error(), all) || !strings.Contains(err.Error(), "accept-loss") {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(h.Layout.Ledger()); err == nil {
		t.Error("a new record was begun")
	}
	run(what{bad: all}, "tsa", "find")
	run(what{bad: "--reason"}, "tsa", "accept-loss")
	run(what{good: fmt.Sprintf("lost: %d time-stamps, %s\n%d of them stay counted for the accounts that had them\nof what was stamped after those", had, all, had)}, "tsa", "accept-loss", "--operator", "anna", "--reason", "the disk burnt")
	h = open(t, dir)
	stamp(h)
	now := h.Ledger.Used(accounts.House)
	if now <= had {
		t.Errorf("%d are used, %d were", now, had)
	}
	if !h.journalled(t, "stamps.loss-accepted", "reason", "the disk burnt") || !h.journalled(t, "stamps.head", "seq", fmt.Sprint(had)) {
		t.Error("the loss is not in the journal")
	}
	h.stop()
	run(what{good: fmt.Sprintf("intact, %d tokens in 1 files\n  %d tokens are lost", now-had, had)}, "tsa", "verify")
	file := filepath.Join(t.TempDir(), "export")
	for bad, args := range map[string][]string{"export format": {"--format", "xml"}, "--limit": {"--limit", "0"}} {
		run(what{bad: bad}, append([]string{"tsa", "export", "--out", file}, args...)...)
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%q leaves a file", args)
		}
	}
	run(what{bad: "--limit"}, "tsa", "find", "--limit", "-1")
}
