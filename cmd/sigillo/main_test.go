package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"sigillo/appliance"
	"sigillo/auth"
	"sigillo/formats/view"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/signing/cage"
	"sigillo/signing/worker"
	"sigillo/store"
	"sigillo/web"
)

// TestMain lets the test binary be the sigillo program too: the vault, the
// inspection workers and the renderer's cage are started from it, and scripts call it by name.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "vault" || os.Args[1] == "courier" || os.Args[1] == worker.Command || os.Args[1] == cage.Command || os.Args[1] == view.Command) {
		os.Exit(Main())
	}
	testscript.Main(m, map[string]func(){
		"sigillo":  func() { os.Exit(Main()) },
		"tamper":   func() { os.Exit(tamper()) },
		"register": func() { os.Exit(playHolder()) },
	})
}

// testdata is the folder of the test documents.
const testdata = "../../testdata/documents"

// document gives the path of a test document.
func document(name string) string { return filepath.Join(testdata, name) }

// house is a running appliance for tests: its vault is a real process, its
// token a real SoftHSM token, its service listens on loopback.
type house struct {
	*appliance.Appliance
	url  string
	stop func()
}

// provisioned is an appliance folder made once and copied for each test that
// needs one, because a key ceremony takes a while.
var provisioned = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "sigillo-test-")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "appliance")
	cfg := appliance.DefaultConfig()
	cfg.MaxUploadMB = 5
	return dir, appliance.Init(context.Background(), dir, cfg, appliance.Options{Log: quiet()}, io.Discard)
})

func quiet() *slog.Logger {
	if testing.Verbose() {
		return slog.Default()
	}
	return slog.New(slog.DiscardHandler)
}

// newFolder gives the test a provisioned appliance folder of its own.
func newFolder(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(appliance.DefaultConfig().HSM.Module); err != nil {
		t.Skip("the package softhsm2 is not installed")
	}
	from, err := provisioned()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "appliance")
	if out, err := exec.Command("cp", "-a", from, dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	rewrite(t, dir, from, dir)
	return dir
}

// rewrite changes the paths in a copied appliance's configuration files.
func rewrite(t testing.TB, dir, from, to string) {
	t.Helper()
	for _, f := range []string{"sigillo.toml", "vault/softhsm2.conf"} {
		path := filepath.Join(dir, f)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.ReplaceAll(data, []byte(from), []byte(to)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// open starts the appliance in dir and serves it until the test ends.
func open(t testing.TB, dir string) *house {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return openOn(t, dir, ln)
}

// openOn is open on a listener that is there already.
func openOn(t testing.TB, dir string, ln net.Listener) *house {
	t.Helper()
	a, err := appliance.Open(t.Context(), dir, appliance.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	face := webConfig(a)
	face.Log = quiet()
	srv, err := web.New(face)
	if err != nil {
		t.Fatal(err)
	}
	serving, end := context.WithCancel(context.Background())
	served := make(chan struct{})
	go func() {
		defer close(served)
		srv.Serve(serving, ln, nil)
	}()
	h := &house{Appliance: a, url: "http://" + ln.Addr().String()}
	h.stop = sync.OnceFunc(func() {
		end()
		<-served
		a.Close()
	})
	t.Cleanup(h.stop)
	return h
}

// newHouse is a fresh appliance, running.
func newHouse(t testing.TB) *house { return open(t, newFolder(t)) }

var people atomic.Int64

// holder registers an invented holder and gives its client. Of its OTPs one
// was used at registration; two more are at hand without waiting.
func (h *house) holder(t testing.TB, kt hsm.KeyType) *client {
	t.Helper()
	n := demoPeople[0]
	n.Username, n.KeyType = fmt.Sprintf("ada%d", people.Add(1)), kt
	d, err := addDemoHolder(t.Context(), h.Appliance, n)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newClient(h.url, d)
	if err != nil {
		t.Fatal(err)
	}
	c.used = auth.OTPStep(time.Now()) - 1
	return c
}

// signedIn is a holder with an open session.
func (h *house) signedIn(t testing.TB, kt hsm.KeyType) *client {
	t.Helper()
	c := h.holder(t, kt)
	if err := c.signIn(t.Context(), c.holder.Password, c.mustOTP(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *client) mustOTP(t testing.TB) string {
	t.Helper()
	otp, err := c.otp(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return otp
}

// events gives the names and details of the journal's entries about subject;
// every entry when subject is empty.
func (h *house) events(t testing.TB, subject string) []store.JournalEntry {
	t.Helper()
	var out []store.JournalEntry
	err := h.DB.Read(t.Context(), func(tx *store.Tx) error {
		for from := int64(1); ; {
			rows, err := tx.Journal(from, 500)
			if err != nil || len(rows) == 0 {
				return err
			}
			for _, e := range rows {
				if subject == "" || e.Subject == subject {
					out = append(out, e)
				}
			}
			from = rows[len(rows)-1].Seq + 1
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// journalled says whether an event with this detail is in the journal.
func (h *house) journalled(t testing.TB, event, key, value string) bool {
	t.Helper()
	for _, e := range h.events(t, "") {
		var d map[string]string
		_ = json.Unmarshal(e.Detail, &d)
		if e.Event == event && (key == "" || d[key] == value) {
			return true
		}
	}
	return false
}

// holderID is the identifier of a client's holder.
func (h *house) holderID(t testing.TB, c *client) string {
	t.Helper()
	var row store.Holder
	err := h.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.HolderByUsername(c.holder.Username)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return row.ID
}

// lastTransaction is the state of a holder's newest transaction.
func (h *house) lastTransaction(t testing.TB, c *client) signing.State {
	t.Helper()
	list, err := h.Signing.Transactions(t.Context(), h.holderID(t, c))
	if err != nil || len(list) == 0 {
		t.Fatalf("no transaction: %v", err)
	}
	return list[0].State
}
