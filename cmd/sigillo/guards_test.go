package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigillo/appliance"
	"sigillo/formats/inspect"
	"sigillo/formats/view"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/signing/worker"
	"sigillo/store"
	"sigillo/vault"
)

// service is a signing room of its own on the house's database, with a fault
// put in.
func (h *house) service(t *testing.T, change func(*signing.Config)) *signing.Service {
	t.Helper()
	cfg := signing.Config{DB: h.DB, Vault: h.Vault, Certificates: h.PKI, Stamper: h.Stamps, Viewer: view.New(t.TempDir()),
		Inspect: func(ctx context.Context, path, name string) inspect.Report {
			r, _ := worker.Inspect(ctx, "", path, name)
			return r
		},
		Dir: h.Layout.Documents(), Log: quiet()}
	change(&cfg)
	s, err := signing.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// meanwhile does something while the vault checks the factors.
type meanwhile struct {
	signing.Activator
	do func()
}

func (m meanwhile) Authorise(ctx context.Context, a vault.Authorisation) (vault.SAD, error) {
	sad, err := m.Activator.Authorise(ctx, a)
	m.do()
	return sad, err
}

// A certificate that is suspended while the holder's factors are being checked
// does not sign.
func TestSuspendedMeanwhile(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.XAdES)
	id := h.holderID(t, c)
	s := h.service(t, func(cfg *signing.Config) {
		cfg.Vault = meanwhile{h.Vault, func() {
			if err := h.SuspendOwn(t.Context(), id, c.holder.Credential); err != nil {
				t.Error(err)
			}
		}}
	})
	_, err := s.Sign(t.Context(), id, tx.ID, signing.Evidence{Password: []byte(c.holder.Password), OTP: c.mustOTP(t), Client: "test"})
	if signing.KindOf(err) != signing.CertSuspended {
		t.Errorf("not refused as suspended: %v", err)
	}
	if h.journalled(t, "signature.intent", "", "") {
		t.Error("the token was going to be asked")
	}
	if state := h.lastTransaction(t, c); state != signing.Prepared {
		t.Errorf("the transaction is %s", state)
	}
	if err := h.SuspendOwn(t.Context(), id, c.holder.Credential); signing.KindOf(err) != signing.WrongState {
		t.Errorf("suspended twice: %v", err)
	}
}

// strangersRoot is a house whose validator trusts nobody.
type strangersRoot struct{ signing.Certificates }

func (strangersRoot) Roots() []*x509.Certificate { return nil }

// A signed file that our own validation refuses is not delivered, and the
// transaction is failed, once.
func TestNotVerified(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.PAdES)
	s := h.service(t, func(cfg *signing.Config) { cfg.Certificates = strangersRoot{h.PKI} })
	_, err := s.Sign(t.Context(), h.holderID(t, c), tx.ID, signing.Evidence{Password: []byte(c.holder.Password), OTP: c.mustOTP(t), Client: "test"})
	if signing.KindOf(err) != signing.NotVerified {
		t.Errorf("not refused: %v", err)
	}
	if n, err := s.Settle(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("settled %d: %v", n, err)
	}
	told := 0
	for _, e := range h.events(t, tx.ID) {
		if e.Event == "signature.not-verified" {
			told++
		}
	}
	if state := h.lastTransaction(t, c); state != signing.Failed || told != 1 {
		t.Errorf("the transaction is %s, journalled %d times", state, told)
	}
	h.empty(t, "signed")
}

// silent is a vault that does not answer in time.
type silent struct{ signing.Activator }

func (silent) Sign(context.Context, vault.Activation) ([][]byte, error) {
	return nil, &vault.Error{Kind: vault.Unavailable, Msg: "no answer"}
}

// When the vault gives no signature the transaction can be authorised again.
func TestSetBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.XAdES)
	s := h.service(t, func(cfg *signing.Config) { cfg.Vault = silent{h.Vault} })
	_, err := s.Sign(t.Context(), h.holderID(t, c), tx.ID, signing.Evidence{Password: []byte(c.holder.Password), OTP: c.mustOTP(t), Client: "test"})
	if signing.KindOf(err) != signing.KeyUnavailable {
		t.Errorf("refused as %v", err)
	}
	if state := h.lastTransaction(t, c); state != signing.Prepared || !h.journalled(t, "signature.interrupted", "kind", string(signing.KeyUnavailable)) {
		t.Errorf("the transaction is %s", state)
	}
}

// A transaction left authorised by a fault is set back when it is old, not
// while it may be under way.
func TestSettle(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.XAdES)
	h.force(t, tx.ID, "prepared", "authorised")
	if n, err := h.Signing.Settle(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("a fresh one was settled: %d, %v", n, err)
	}
	if n, err := h.Signing.Settle(t.Context(), 0); n != 1 || err != nil {
		t.Errorf("an old one was not settled: %d, %v", n, err)
	}
	if state := h.lastTransaction(t, c); state != signing.Prepared {
		t.Errorf("the transaction is %s", state)
	}
}

// A second service on the same folder is refused; a command beside it works.
func TestSecondService(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := appliance.Open(t.Context(), h.Layout.Dir, appliance.Options{Log: quiet()})
	if err == nil || !strings.Contains(err.Error(), "another service") {
		t.Errorf("not refused: %v", err)
	}
	beside, err := openBeside(t.Context(), h.Layout.Dir)
	if err != nil {
		t.Fatal(err)
	}
	beside.Close()
	if err := h.Health(t.Context()); err != nil {
		t.Errorf("after the command: %v", err)
	}
}

// A service that found a command's vault running has one of its own when the
// command ends.
func TestCommandsVault(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	command, err := openBeside(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if command.VaultPID() == 0 {
		t.Fatal("the command did not start a vault")
	}
	h := open(t, dir)
	command.Close()
	deadline := time.Now().Add(30 * time.Second)
	for h.VaultPID() == 0 || h.Health(t.Context()) != nil {
		if time.Now().After(deadline) {
			t.Fatal("the service has no vault")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := syscall.Kill(h.VaultPID(), 0); err != nil {
		t.Error(err)
	}
}

// Many documents that need confirmation fit into one transaction, and each
// item's journal entry names its own rules once.
func TestConfirmedBatch(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	var orders []signing.Order
	for i := range 20 {
		text := strings.Repeat("zero\u200bwidth and mixed\n", 60)
		doc, err := c.put(t.Context(), fmt.Sprintf("nota%d.txt", i), strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if doc.Report.Verdict != inspect.Confirm {
			t.Fatalf("verdict %s", doc.Report.Verdict)
		}
		orders = append(orders, signing.Order{Document: doc.ID, Form: signing.CAdES, Level: signing.BB})
	}
	tx, err := c.prepare(t.Context(), orders...)
	if err != nil || len(tx.Items) != len(orders) {
		t.Fatalf("%d items: %v", len(tx.Items), err)
	}
	for _, e := range h.events(t, tx.ID) {
		if strings.Count(string(e.Detail), "zero-width") > 1 {
			t.Errorf("an entry repeats itself: %s", e.Detail)
		}
	}
	done, err := c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t))
	if err != nil || done.State != signing.Delivered {
		t.Errorf("%s: %v", done.State, err)
	}
}

// Nobody sees or signs what belongs to another holder.
func TestOthersDocuments(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, b := h.signedIn(t, hsm.P256), h.signedIn(t, hsm.P256)
	tx := a.prepared(t, signing.XAdES)
	doc := tx.Items[0].Document
	for _, path := range []string{"/documents/" + doc, "/documents/" + doc + "/pages/1", "/transactions/" + tx.ID,
		"/transactions/" + tx.ID + "/items/0/content"} {
		if p := refusal(t, b.do(t.Context(), "GET", path, nil, nil)); p.Kind != string(signing.NotFound) {
			t.Errorf("%s: %s", path, p.Kind)
		}
	}
	_, err := b.sign(t.Context(), tx.ID, b.holder.Password, b.mustOTP(t))
	if p := refusal(t, err); p.Kind != string(signing.NotFound) {
		t.Errorf("signing: %s", p.Kind)
	}
	_, err = b.prepare(t.Context(), signing.Order{Document: doc, Form: signing.XAdES})
	if p := refusal(t, err); p.Kind != string(signing.NotFound) {
		t.Errorf("preparing: %s", p.Kind)
	}
	b.holder.Credential = a.holder.Credential
	_, err = b.prepare(t.Context(), signing.Order{Document: doc, Form: signing.XAdES})
	if p := refusal(t, err); p.Kind != string(signing.NotFound) {
		t.Errorf("another's credential: %s", p.Kind)
	}
}

var countdown = regexp.MustCompile(`in \d+ seconds?`)

// An unknown username is answered like a known one with a wrong password.
func TestUnknownUsername(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	known := h.holder(t, hsm.P256)
	stranger := &client{url: h.url, holder: demoHolder{Username: "nessuno"}}
	for i := range 7 {
		a := refusal(t, known.signIn(t.Context(), "wrong password", "000000"))
		b := refusal(t, stranger.signIn(t.Context(), "wrong password", "000000"))
		// How long the lock lasts is counted down between the two questions.
		a.Detail, b.Detail = countdown.ReplaceAllString(a.Detail, "in a while"), countdown.ReplaceAllString(b.Detail, "in a while")
		if (a.Retry == "") != (b.Retry == "") {
			t.Errorf("attempt %d: Retry-After %q and %q", i+1, a.Retry, b.Retry)
		}
		a.Retry, b.Retry = "", ""
		if *a != *b {
			t.Errorf("attempt %d: %+v, %+v", i+1, a, b)
		}
	}
	long := &client{url: h.url, holder: demoHolder{Username: strings.Repeat("x", 201)}}
	var p *problem
	if err := long.signIn(t.Context(), "wrong password", "000000"); !errors.As(err, &p) {
		t.Errorf("a very long name: %v", err)
	}
}

// The journals of a house that did its work are intact, and the command line
// finds what was changed in them: see the scripts.
func TestJournalOfAWorkingHouse(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	h := open(t, dir)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.CAdES)
	if _, err := c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t)); err != nil {
		t.Fatal(err)
	}
	want := []string{"signature.prepared", "signature.intent", "signature.done", "signature.delivered"}
	var got []string
	for _, e := range h.events(t, tx.ID) {
		got = append(got, e.Event)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the journal says %v", got)
	}
	h.stop()
	var out strings.Builder
	if code := runJournal(t.Context(), env{out: &out, err: &out}, []string{"verify", "--dir", filepath.Clean(dir)}); code != exitGood {
		t.Error(out.String())
	}
}

// Only the vault's process has the token's module in its memory.
func TestOnlyTheVaultLoadsTheModule(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.CAdES)
	if _, err := c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t)); err != nil {
		t.Fatal(err)
	}
	for who, pid := range map[string]int{"the service": os.Getpid(), "the vault": h.VaultPID()} {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		if err != nil {
			t.Fatal(err)
		}
		if loaded := strings.Contains(string(maps), "libsofthsm2"); loaded != (who == "the vault") {
			t.Errorf("%s has the module loaded: %v", who, loaded)
		}
	}
}

// A signature prepared for one certificate is not made when the credential has
// another by then: the prepared bytes name the old one.
func TestCertificateReplaced(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.signedIn(t, hsm.P256)
	tx := c.prepared(t, signing.XAdES)
	other := h.holder(t, hsm.P256)
	err := h.DB.Write(t.Context(), func(w *store.Tx) error {
		row, err := w.Credential(other.holder.Credential)
		if err != nil {
			return err
		}
		return w.SetCredentialCertificate(c.holder.Credential, row.Certificate)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t))
	if p := refusal(t, err); p.Kind != string(signing.WrongState) {
		t.Errorf("refused as %s: %s", p.Kind, p.Detail)
	}
}
