package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/appliance"
	"sigillo/formats/inspect"
	"sigillo/hsm"
	"sigillo/signing"
)

// withPolicy is a folder whose documents are judged by a policy of its own.
func withPolicy(t *testing.T, text string) string {
	t.Helper()
	dir := newFolder(t)
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Inspection.Policy = "own.toml"
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "own.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A house that has decided to sign files of any format does so, and refuses what its
// policy says and the standard one does not; the journal names the policy.
func TestOwnPolicy(t *testing.T) {
	t.Parallel()
	h := open(t, withPolicy(t, "name = \"any-format\"\nbase = \"standard\"\nallow = [\"format.unknown\"]\nrefuse = [\"text.invisible\"]\n"))
	c := h.signedIn(t, hsm.P256)
	doc, err := c.put(t.Context(), "dati.bin", strings.NewReader("\x00\x01\x02\x03"))
	if err != nil || doc.Report.Verdict != inspect.Allow || len(doc.Report.Findings) != 1 {
		t.Fatalf("%+v, %v", doc.Report, err)
	}
	tx, err := c.prepare(t.Context(), signing.Order{Document: doc.ID, Form: signing.CAdES, Level: signing.BB})
	if err != nil {
		t.Fatal(err)
	}
	if done, err := c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t)); err != nil || done.State != signing.Delivered {
		t.Errorf("%s: %v", done.State, err)
	}
	if !strings.HasPrefix(doc.Report.Policy, "any-format sha256:") || !h.journalled(t, "document.inspected", "policy", doc.Report.Policy) {
		t.Errorf("the journal does not name the policy %q", doc.Report.Policy)
	}
	doc, err = c.put(t.Context(), "nota.txt", strings.NewReader("zero\u200bwidth\n"))
	if err != nil || doc.Report.Verdict != inspect.Refuse {
		t.Errorf("%+v, %v", doc.Report, err)
	}
}

// With a policy that cannot be read nothing starts: to judge by another one would be
// to sign what the house refuses.
func TestBrokenPolicy(t *testing.T) {
	t.Parallel()
	dir := withPolicy(t, "name = \"own\"\nrefuse = [\"text.invisble\"]\n")
	_, err := appliance.Open(t.Context(), dir, appliance.Options{Log: quiet()})
	if err == nil || !strings.Contains(err.Error(), "inspection.policy") || !strings.Contains(err.Error(), "text.invisble") {
		t.Errorf("%v", err)
	}
}
