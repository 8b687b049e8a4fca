package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/formats/inspect"
	"sigillo/hsm"
	"sigillo/signing"
)

// A document that never leaves its owner is signed by its digest: only after its
// holder has confirmed that somebody else inspected it, whom the journal names. The
// signature is good beside the document, for openssl too, and for no other.
func TestSignedByDigest(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	content := []byte("Perizia riservata n. 7.\n")
	sum := sha256.Sum256(content)
	var doc signing.Document
	err := c.do(t.Context(), http.MethodPost, "/documents/digests", signing.Declaration{Name: "perizia.pdf",
		SHA256: hex.EncodeToString(sum[:]), InspectedBy: "Ufficio protocollo,  anti-macro 3.1"}, &doc)
	if err != nil {
		t.Fatal(err)
	}
	if doc.Report.Verdict != inspect.Confirm || len(doc.Forms) != 1 || doc.Forms[0] != signing.CAdESDetached ||
		doc.Report.Findings[0].Quote != "Ufficio protocollo, anti-macro 3.1" {
		t.Errorf("%+v", doc)
	}
	if !h.journalled(t, "document.declared", "inspected_by", "Ufficio protocollo, anti-macro 3.1") {
		t.Error("the journal does not say who inspected it")
	}
	var tx signing.Transaction
	order := signing.Order{Document: doc.ID, Form: signing.CAdESDetached, Level: signing.BLT}
	err = c.do(t.Context(), http.MethodPost, "/transactions", signing.Request{Credential: c.holder.Credential, Documents: []signing.Order{order}}, &tx)
	if err == nil || !strings.Contains(err.Error(), string(signing.Unconfirmed)) {
		t.Errorf("prepared without confirmation: %v", err)
	}
	for _, o := range []signing.Order{{Document: doc.ID, Form: signing.CAdES}, {Document: doc.ID, Form: signing.CAdESDetached, Level: signing.BLTA}} {
		if _, err := c.prepare(t.Context(), o); err == nil {
			t.Errorf("%+v was prepared", o)
		}
	}
	if tx, err = c.prepare(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if !h.journalled(t, "signature.prepared", "confirmed", "inspect.elsewhere") {
		t.Error("the journal does not say what was confirmed")
	}
	if tx, err = c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t)); err != nil || tx.State != signing.Delivered {
		t.Fatalf("%s: %v", tx.State, err)
	}
	dir := t.TempDir()
	path, err := c.download(t.Context(), tx, 0, dir)
	if err != nil || filepath.Base(path) != "perizia.pdf.p7s" {
		t.Fatalf("%s: %v", path, err)
	}
	for text, good := range map[string]bool{string(content): true, "Perizia riservata n. 8.\n": false} {
		beside := filepath.Join(dir, "perizia.pdf")
		if err := os.WriteFile(beside, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("openssl", "cms", "-verify", "-inform", "DER", "-in", path, "-content", beside, "-binary",
			"-CAfile", h.Layout.Root(), "-purpose", "any", "-out", os.DevNull).CombinedOutput()
		if (err == nil) != good {
			t.Errorf("%q: %v\n%s", text, err, out)
		}
	}
}

// Who has inspected a document that is not here must be said.
func TestDeclarationsAreWhole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	sum := strings.Repeat("ab", sha256.Size)
	for name, d := range map[string]signing.Declaration{
		"nobody":     {Name: "a.pdf", SHA256: sum},
		"blank":      {Name: "a.pdf", SHA256: sum, InspectedBy: " \t  "},
		"short":      {Name: "a.pdf", SHA256: sum[2:], InspectedBy: "Ufficio protocollo"},
		"no digest":  {Name: "a.pdf", SHA256: strings.Repeat("zz", sha256.Size), InspectedBy: "Ufficio protocollo"},
		"in capital": {Name: "a.pdf", SHA256: strings.ToUpper(sum), InspectedBy: "Ufficio protocollo"},
	} {
		if err := c.do(t.Context(), http.MethodPost, "/documents/digests", d, nil); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
