package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sigillo/formats/inspect"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/tsa/clock"
)

// refusal gives the problem an operation was refused with.
func refusal(t *testing.T, err error) *problem {
	t.Helper()
	var p *problem
	if !errors.As(err, &p) {
		t.Fatalf("not refused with a problem document: %v", err)
	}
	if p.Title == "" || p.Detail == "" {
		t.Errorf("the problem says nothing: %+v", p)
	}
	return p
}

// empty fails when a folder of the appliance holds anything.
func (h *house) empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.Layout.Documents(), dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s was left in %s", e.Name(), dir)
	}
}

func (c *client) put(ctx context.Context, name string, r io.Reader) (signing.Document, error) {
	var doc signing.Document
	err := c.do(ctx, http.MethodPost, "/documents?name="+name, r, &doc)
	return doc, err
}

// What can't be taken in is refused with its reason, journalled, and leaves
// nothing behind.
func TestUploadsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	for _, tc := range []struct {
		name string
		body io.Reader
		kind signing.Kind
	}{
		{"empty.pdf", strings.NewReader(""), signing.Empty},
		{"big.bin", io.LimitReader(zeros{}, 5_000_001), signing.TooLarge},
	} {
		_, err := c.put(t.Context(), tc.name, tc.body)
		if p := refusal(t, err); p.Kind != string(tc.kind) {
			t.Errorf("%s: kind %s, want %s", tc.name, p.Kind, tc.kind)
		}
		if !h.journalled(t, "document.rejected", "kind", string(tc.kind)) {
			t.Errorf("%s: not in the journal", tc.name)
		}
	}
	h.empty(t, "incoming")
	h.empty(t, "documents")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Documents that the inspection refuses say why, are not kept, and can't be
// signed.
func TestDocumentsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	pdf, err := os.ReadFile(document("contratto.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ file, name, rule string }{
		{document("contratto-javascript.pdf"), "a.pdf", "javascript"},
		{document("troncato.pdf"), "b.pdf", "pdf.malformed"},
		{document("cifrato.pdf"), "c.pdf", "pdf.encrypted"},
		{document("macro.docm"), "d.docm", "macro"},
		{document("contratto.pdf"), "e.docx", "name.mismatch"},
	} {
		data := pdf
		if tc.file != document("contratto.pdf") {
			if data, err = os.ReadFile(tc.file); err != nil {
				t.Fatal(err)
			}
		}
		doc, err := c.put(t.Context(), tc.name, bytes.NewReader(data))
		if err != nil {
			t.Fatal(tc.name, err)
		}
		found := ""
		for _, f := range doc.Report.Findings {
			if strings.Contains(f.Rule, tc.rule) && f.Text.It != "" && f.Text.En != "" {
				found = f.Rule
			}
		}
		if doc.Report.Verdict != inspect.Refuse || found == "" {
			t.Errorf("%s: verdict %s, findings %+v", tc.name, doc.Report.Verdict, doc.Report.Findings)
		}
		_, err = c.prepare(t.Context(), signing.Order{Document: doc.ID, Form: signing.CAdES})
		if p := refusal(t, err); p.Kind != string(signing.Refused) {
			t.Errorf("%s: kind %s", tc.name, p.Kind)
		}
		if !h.journalled(t, "document.inspected", "verdict", "refuse") {
			t.Errorf("%s: not in the journal", tc.name)
		}
	}
	h.empty(t, "documents")
}

// prepared uploads the contract and prepares its signature.
func (c *client) prepared(t *testing.T, form signing.Form) signing.Transaction {
	t.Helper()
	name := map[signing.Form]string{signing.PAdES: "contratto.pdf", signing.CAdES: "lettera.docx", signing.XAdES: "fattura.xml"}[form]
	doc, err := c.upload(t.Context(), document(name))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := c.prepare(t.Context(), signing.Order{Document: doc.ID, Form: form, Level: signing.BT})
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// Two requests with one OTP: exactly one signs.
func TestOneOTPSignsOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	a, b := c.prepared(t, signing.XAdES), c.prepared(t, signing.XAdES)
	otp := c.mustOTP(t)
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, tx := range []signing.Transaction{a, b} {
		wg.Go(func() { _, errs[i] = c.sign(t.Context(), tx.ID, c.holder.Password, otp) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("not exactly one signed: %v, %v", errs[0], errs[1])
	}
	err := errs[0]
	if err == nil {
		err = errs[1]
	}
	if p := refusal(t, err); p.Kind != string(signing.ReusedOTP) {
		t.Errorf("the other was refused as %s", p.Kind)
	}
	if !h.journalled(t, "signature.refused", "kind", string(signing.ReusedOTP)) {
		t.Error("the refusal is not in the journal")
	}
}

// The same transaction signed twice at once: one signature, one delivery.
func TestOneTransactionSignsOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.XAdES)
	otp := c.mustOTP(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { c.sign(t.Context(), tx.ID, c.holder.Password, otp) })
	}
	wg.Wait()
	done := 0
	for _, e := range h.events(t, tx.ID) {
		if e.Event == "signature.delivered" {
			done++
		}
	}
	if done != 1 {
		t.Errorf("delivered %d times", done)
	}
}

// The vault is killed again and again while signatures are being made. Each
// request either delivers or is told to try again, and the state agrees.
func TestVaultKilled(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	delivered := 0
	for i := range 6 {
		c := h.signedIn(t, hsm.P256)
		tx := c.prepared(t, signing.PAdES)
		otp := c.mustOTP(t)
		go func() {
			time.Sleep(time.Duration(i) * 60 * time.Millisecond)
			if pid := h.VaultPID(); pid != 0 {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}()
		got, err := c.sign(t.Context(), tx.ID, c.holder.Password, otp)
		if err == nil {
			delivered++
			if got.State != signing.Delivered {
				t.Errorf("run %d: answered in state %s", i, got.State)
			}
			continue
		}
		if p := refusal(t, err); p.Kind != string(signing.KeyUnavailable) && p.Kind != string(signing.Busy) {
			t.Errorf("run %d: refused as %s: %s", i, p.Kind, p.Detail)
		}
		var now signing.Transaction
		if err := c.do(t.Context(), http.MethodGet, "/transactions/"+tx.ID, nil, &now); err != nil || now.State != signing.Prepared {
			t.Errorf("run %d: left in state %s, %v", i, now.State, err)
		}
	}
	if delivered == 0 {
		t.Error("no signature survived the kills")
	}
}

// The token's module is gone: signing says so, and works again when it is back.
func TestTokenUnplugged(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	link := filepath.Join(dir, "module.so")
	module := "/usr/lib/softhsm/libsofthsm2.so"
	if err := os.Symlink(module, link); err != nil {
		t.Fatal(err)
	}
	rewrite(t, dir, module, link)
	h := open(t, dir)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.XAdES)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(h.VaultPID(), syscall.SIGKILL)
	otp := c.mustOTP(t)
	_, err := c.sign(t.Context(), tx.ID, c.holder.Password, otp)
	if p := refusal(t, err); p.Kind != string(signing.KeyUnavailable) {
		t.Errorf("refused as %s: %s", p.Kind, p.Detail)
	}
	if !h.journalled(t, "signature.refused", "kind", string(signing.KeyUnavailable)) {
		t.Error("the refusal is not in the journal")
	}
	if err := os.Symlink(module, link); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for h.Health(t.Context()) != nil && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
	}
	done, err := c.sign(t.Context(), tx.ID, c.holder.Password, otp)
	if err != nil || done.State != signing.Delivered {
		t.Errorf("not signed after the token came back: %v", err)
	}
}

// The database is locked by somebody else: requests end in bounded time with
// a clear answer and work again afterwards.
func TestDatabaseLocked(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	other, err := store.Open(t.Context(), h.Layout.Database(), store.Appliance)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	locked, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		other.Write(context.Background(), func(*store.Tx) error {
			close(locked)
			<-release
			return nil
		})
	})
	<-locked
	started := time.Now()
	_, err = c.upload(t.Context(), document("fattura.xml"))
	took := time.Since(started)
	close(release)
	wg.Wait()
	if p := refusal(t, err); p.Kind != string(signing.Busy) || p.Status != http.StatusServiceUnavailable {
		t.Errorf("refused as %d %s", p.Status, p.Kind)
	}
	if took > 20*time.Second {
		t.Errorf("the answer took %s", took)
	}
	h.empty(t, "documents")
	h.empty(t, "incoming")
	if _, err := c.upload(t.Context(), document("fattura.xml")); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

// The disk is full: the upload is refused, nothing half-written stays, and
// with room again it works.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	docs := filepath.Join(dir, "documents")
	if err := syscall.Mount("tmpfs", docs, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("mounting a small file system needs root:", err)
	}
	t.Cleanup(func() { syscall.Unmount(docs, syscall.MNT_DETACH) })
	h := open(t, dir)
	c := h.signedIn(t, hsm.P256)
	_, err := c.put(t.Context(), "big.txt", io.LimitReader(letters{}, 2_000_000))
	if p := refusal(t, err); p.Kind != string(signing.DiskFull) || p.Status != http.StatusInsufficientStorage {
		t.Errorf("refused as %d %s", p.Status, p.Kind)
	}
	if !h.journalled(t, "document.rejected", "kind", string(signing.DiskFull)) {
		t.Error("not in the journal")
	}
	h.empty(t, "incoming")
	tx := c.prepared(t, signing.PAdES)
	fill := filepath.Join(docs, "fill")
	if err := os.WriteFile(fill, make([]byte, 2_000_000), 0o600); err == nil {
		t.Fatal("the disk did not fill up")
	}
	_, err = c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t))
	if p := refusal(t, err); p.Kind != string(signing.DiskFull) {
		t.Errorf("signing on a full disk: refused as %s: %s", p.Kind, p.Detail)
	}
	os.Remove(fill)
	// The signature is durable: the appliance finishes it by itself.
	if n, err := h.Signing.Settle(t.Context(), time.Hour); n != 1 || err != nil {
		t.Errorf("%d finished with room again: %v", n, err)
	}
	if state := h.lastTransaction(t, c); state != signing.Delivered {
		t.Errorf("the transaction is %s", state)
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "signed \n"[i%8]
	}
	return len(p), nil
}

// A transaction that was authorised or signed when the service died is settled
// at the next start.
func TestResolvedAtStart(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	h := open(t, dir)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.XAdES)
	done, err := c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t))
	if err != nil {
		t.Fatal(err)
	}
	lost := c.prepared(t, signing.XAdES)
	h.force(t, tx.ID, "delivered", "signed")
	h.force(t, lost.ID, "prepared", "authorised")
	if err := os.Remove(filepath.Join(h.Layout.Documents(), "signed", tx.ID+"-0")); err != nil {
		t.Fatal(err)
	}
	h.stop()
	h = open(t, dir)
	c.url = h.url
	var a, b signing.Transaction
	if err := c.do(t.Context(), http.MethodGet, "/transactions/"+tx.ID, nil, &a); err != nil {
		t.Fatal(err)
	}
	if err := c.do(t.Context(), http.MethodGet, "/transactions/"+lost.ID, nil, &b); err != nil {
		t.Fatal(err)
	}
	if a.State != signing.Delivered || a.Items[0].SHA256 != done.Items[0].SHA256 {
		t.Errorf("the signed transaction is %s with another file", a.State)
	}
	if b.State != signing.Prepared {
		t.Errorf("the authorised transaction is %s", b.State)
	}
	if !h.journalled(t, "signature.interrupted", "kind", "interrupted") {
		t.Error("the interruption is not in the journal")
	}
}

// force plays a crash: it puts a transaction back into an earlier state.
func (h *house) force(t *testing.T, id, from, to string) {
	t.Helper()
	err := h.DB.Write(t.Context(), func(tx *store.Tx) error { return tx.SetTransactionState(id, from, to, time.Now()) })
	if err != nil {
		t.Fatal(err)
	}
}

// The clock can't be shown to be right: no time-stamp is made, and the signature
// waits, durable, until it can be.
func TestClockNotShown(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	rewrite(t, dir, "'unverified'", "'system'")
	h := open(t, dir)
	state, err := h.Vault.TimeStamping(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if state.Clock.State != clock.StateWaiting {
		t.Skip("this machine's clock is synchronised, so the fault can't be shown on it")
	}
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.XAdES)
	_, err = c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t))
	if p := refusal(t, err); p.Kind != string(signing.TimeUnavailable) {
		t.Errorf("refused as %s: %s", p.Kind, p.Detail)
	}
	if _, err := stampFile(t.Context(), h.url+"/tsa", document("fattura.xml"), filepath.Join(t.TempDir(), "a.tsr")); err == nil {
		t.Error("a time-stamp was made")
	}
	h.stop()
	rewrite(t, dir, "'system'", "'unverified'")
	h = open(t, dir)
	if state := h.lastTransaction(t, c); state != signing.Delivered {
		t.Errorf("the transaction is %s after the clock is right again", state)
	}
}
