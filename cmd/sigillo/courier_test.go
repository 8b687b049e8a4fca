package main

import (
	"bytes"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"sigillo/appliance"
	"sigillo/auth/courier"
	"sigillo/hsm"
)

// wholeHouse is `sigillo serve` in a process of its own, with vault and courier: what
// each of them logs is here.
type wholeHouse struct {
	t    *testing.T
	dir  string
	url  string
	cmd  *exec.Cmd
	out  *lockedBuffer
	stop func()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serveFolder runs the appliance in dir as people run it.
func serveFolder(t *testing.T, dir string) *wholeHouse {
	t.Helper()
	ln := listenHere(t)
	addr := ln.Addr().String()
	ln.Close()
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listen, cfg.BaseURL = addr, "http://"+addr
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	h := &wholeHouse{t: t, dir: dir, url: cfg.BaseURL, out: &lockedBuffer{}}
	h.cmd = exec.Command(os.Args[0])
	h.cmd.Args = []string{"sigillo", "serve", "--dir", dir} // by this name the test is the program
	h.cmd.Stdout, h.cmd.Stderr = h.out, h.out
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h.stop = sync.OnceFunc(func() {
		_ = h.cmd.Process.Signal(syscall.SIGTERM)
		_ = h.cmd.Wait()
	})
	t.Cleanup(h.stop)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if res, err := http.Get(h.url + "/healthz"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return h
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not answer:\n%s", h.out)
		}
	}
}

// written counts what the databases have of a text, in any row of a table.
func (h *wholeHouse) written(database, query string, args ...any) (n int) {
	h.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(h.dir, database)+"?mode=ro")
	if err == nil {
		defer db.Close()
		err = db.QueryRow(query, args...).Scan(&n)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *wholeHouse) vaultSays(event string) int {
	return h.written("vault/vault.db", `SELECT count(*) FROM journal WHERE event = ?`, event)
}

// provider is where short messages arrive.
type provider struct {
	cfg   courier.Config
	texts chan string
	close func()
}

// mailProvider is a mail server that takes mail for telephones.
func mailProvider(t *testing.T) *provider {
	p := &provider{texts: make(chan string, 16)}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return mailSession{p}, nil }))
	srv.Domain = "localhost"
	ln := listenHere(t)
	go srv.Serve(ln)
	p.close = func() { srv.Close() }
	t.Cleanup(p.close)
	p.cfg = courier.Config{Driver: courier.DriverSMTP, TimeoutSeconds: 10, SMTP: courier.SMTP{Server: ln.Addr().String(), TLS: "none",
		From: "otp@example.org", To: "{digits}@sms.example.org"}}
	return p
}

type mailSession struct{ p *provider }

func (mailSession) Reset()                               {}
func (mailSession) Logout() error                        { return nil }
func (mailSession) Mail(string, *smtp.MailOptions) error { return nil }
func (mailSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s mailSession) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	s.p.texts <- m.Header.Get("To") + "|" + string(text)
	return err
}

// webProvider is one with an HTTP interface.
func webProvider(t *testing.T) *provider {
	p := &provider{texts: make(chan string, 16)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ To, Body string }
		if json.NewDecoder(r.Body).Decode(&in) != nil || r.Header.Get("Authorization") != "Bearer key" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		p.texts <- in.To + "|" + in.Body
		_, _ = io.WriteString(w, `{"status":"queued"}`)
	}))
	p.close = srv.Close
	t.Cleanup(srv.Close)
	secret := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(secret, []byte("key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.cfg = courier.Config{Driver: courier.DriverHTTP, TimeoutSeconds: 10, HTTP: courier.HTTP{URL: srv.URL, SecretFile: secret, Success: "queued",
		Headers: map[string]string{"Authorization": "Bearer {secret}"}, Fields: map[string]any{"to": "{to}", "body": "{text}"}}}
	return p
}

// next is the next text that arrived, to this address.
func (p *provider) next(t *testing.T, to string) string {
	t.Helper()
	select {
	case got := <-p.texts:
		rcpt, text, _ := strings.Cut(got, "|")
		if !strings.Contains(rcpt, to) {
			t.Errorf("sent to %q", rcpt)
		}
		return text
	case <-time.After(20 * time.Second):
		t.Fatal("nothing arrived")
		return ""
	}
}

var sentDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// phoneHolder is a holder with a page open, whose phone is registered.
type phoneHolder struct {
	*wholeHouse
	visitor
	c    *client
	p    *provider
	seen []string // codes
	said strings.Builder
}

// newPhoneHolder registers a holder, starts the house with the courier, signs in on the
// pages and adds a phone there.
func newPhoneHolder(t *testing.T, p *provider, number string) *phoneHolder {
	t.Helper()
	dir := newFolder(t)
	before := open(t, dir)
	c := before.holder(t, hsm.P256)
	before.stop()
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Courier = p.cfg
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	h := &phoneHolder{wholeHouse: serveFolder(t, dir), visitor: newVisitor(t, &http.Transport{}), c: c, p: p}
	must := func(what string, status int, at, body string) string {
		t.Helper()
		if status != http.StatusOK {
			t.Fatalf("%s: %d at %s: %s", what, status, at, body)
		}
		return at
	}
	status, at, body := h.fill(h.url+"/signin", h.url+"/signin", url.Values{"username": {c.holder.Username}, "password": {c.holder.Password}, "otp": {c.mustOTP(t)}})
	must("sign in", status, at, body)
	add := h.url + "/security/devices/add"
	status, at, body = h.fill(add+"?kind=phone", add, url.Values{"kind": {"phone"}, "label": {"telefono"}, "to": {number},
		"password": {c.holder.Password}, "otp": {c.mustOTP(t)}})
	confirm := must("add a phone", status, at, body)
	if !strings.HasSuffix(confirm, "/confirm") {
		t.Fatalf("after the phone was added: %s", confirm)
	}
	// Asked for as a stranger, since one code a minute is sent to each.
	h.forgetBrowser(func() { h.ask(confirm, confirm, url.Values{"confirm": {"yes"}}, http.StatusOK) })
	h.forgetBrowser(func() {
		status, at, body = h.fill(confirm, confirm, url.Values{"confirm": {"yes"}, "code": {h.code(number)}})
	})
	if must("confirm", status, at, body); !strings.Contains(at, "done=added") {
		t.Fatalf("after the confirmation: %s", at)
	}
	return h
}

// forgetBrowser does something in a browser that was never used before.
func (h *phoneHolder) forgetBrowser(do func()) {
	at, err := url.Parse(h.url)
	if err != nil {
		h.t().Fatal(err)
	}
	var kept []*http.Cookie
	for _, c := range h.Jar.Cookies(at) {
		if c.Name == "sigillo-browser" {
			kept = append(kept, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/"})
			h.Jar.SetCookies(at, []*http.Cookie{{Name: c.Name, Path: "/", MaxAge: -1}})
		}
	}
	if len(kept) != 1 {
		h.t().Fatal("the browser is not known")
	}
	do()
	h.Jar.SetCookies(at, kept)
}

func (h *phoneHolder) t() *testing.T { return h.visitor.t }

// ask has a code sent for the form on a page, as the script does; form is its address.
func (h *phoneHolder) ask(page, form string, fields url.Values, want int) (body string) {
	h.t().Helper()
	fields.Set("token", h.token(page))
	req, err := http.NewRequest(http.MethodPost, form+"/send", strings.NewReader(fields.Encode()))
	if err != nil {
		h.t().Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	status, _, body := h.read(h.Do(req))
	if status != want {
		h.t().Fatalf("asking for a code at %s: %d %s", page, status, body)
	}
	h.said.WriteString(body)
	return body
}

// code is the one that arrives.
func (h *phoneHolder) code(number string) string {
	h.t().Helper()
	text := h.p.next(h.t(), strings.TrimPrefix(number, "+"))
	code := sentDigits.FindString(text)
	if code == "" {
		h.t().Fatalf("no code in %q", text)
	}
	h.seen = append(h.seen, code)
	return code
}

// prepared is the address of the page on which a document is to be signed.
func (h *phoneHolder) prepared() string {
	h.t().Helper()
	doc := h.upload(h.url, document("fattura.xml"))
	id := path.Base(doc)
	status, at, body := h.fill(doc, h.url+"/transactions", url.Values{"document": {id}, "form-" + id: {"xades"}, "level": {"B-B"},
		"credential": {h.c.holder.Credential}, "confirmed": {"yes"}})
	if status != http.StatusOK || !strings.Contains(at, "/transactions/") {
		h.t().Fatalf("prepare: %d at %s: %s", status, at, body)
	}
	return at
}

// sign types password and code below a transaction.
func (h *phoneHolder) sign(transaction, code string) (status int, body string) {
	h.t().Helper()
	status, _, body = h.fill(transaction, transaction+"/sign", url.Values{"password": {h.c.holder.Password}, "otp": {code}})
	h.said.WriteString(body)
	return status, body
}

// keptSecret looks for the codes where they must not be.
func (h *phoneHolder) keptSecret(number string) {
	h.t().Helper()
	h.stop()
	for _, code := range h.seen {
		for what, text := range map[string]string{"logs": h.out.String(), "answers": h.said.String()} {
			if strings.Contains(text, code) {
				h.t().Errorf("a code is in the %s", what)
			}
		}
		for _, database := range []string{"appliance.db", "vault/vault.db"} {
			if n := h.written(database, `SELECT count(*) FROM journal WHERE instr(detail, ?) > 0`, `"`+code+`"`); n != 0 {
				h.t().Errorf("a code is in the journal of %s", database)
			}
		}
	}
	if len(h.seen) == 0 || strings.Contains(h.out.String(), number) || strings.Contains(h.out.String(), number[1:]) {
		h.t().Error("no code was seen, or the number is in the logs")
	}
	if n := h.written("vault/vault.db", `SELECT count(*) FROM journal WHERE instr(detail, ?) > 0`, number[1:]); n != 0 {
		h.t().Error("the number is in the journal")
	}
}

// aNumber is a number of nobody's.
func aNumber() string {
	var b [4]byte
	rand.Read(b[:])
	return fmt.Sprintf("+3900000%05d", (int(b[0])<<16|int(b[1])<<8|int(b[2]))%100000)
}

// TestCodeByCourier: a holder registers a phone and signs with a code that comes there,
// from the vault by the courier over a real mail server, or an HTTP interface. The code
// is good for that document, once.
func TestCodeByCourier(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *provider{"mail": mailProvider, "http": webProvider} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			number := aNumber()
			h := newPhoneHolder(t, start(t), number)
			one, other := h.prepared(), h.prepared()
			h.ask(one, one+"/sign", url.Values{}, http.StatusOK)
			code := h.code(number)
			// A second one at once is refused, clearly.
			if said := h.ask(one, one+"/sign", url.Values{}, http.StatusTooManyRequests); !strings.Contains(said, "code-soon") {
				t.Errorf("a second code at once: %s", said)
			}
			if status, body := h.sign(other, code); status != http.StatusForbidden || strings.Contains(body, "a download") {
				t.Errorf("the code of another document: %d", status)
			}
			if status, body := h.sign(one, code); status != http.StatusOK || !strings.Contains(body, "TOTAL_PASSED") {
				t.Fatalf("not signed: %d %s", status, body)
			}
			if status, _ := h.sign(other, code); status != http.StatusForbidden {
				t.Errorf("a used code, for another document: %d", status)
			}
			if n := h.written("appliance.db", `SELECT count(*) FROM transactions WHERE state = 'delivered'`); n != 1 {
				t.Errorf("%d documents were signed", n)
			}
			if h.vaultSays("code.sent") != 2 || h.vaultSays("code.undelivered") != 0 || h.vaultSays("device.confirmed") < 1 {
				t.Error("the vault's journal does not say what was sent")
			}
			h.keptSecret(number)
		})
	}
}

// TestCourierOutOfOrder: with a provider that is down or does not answer the holder is
// told, nothing hangs, and the journal says so. The app's code still signs.
func TestCourierOutOfOrder(t *testing.T) {
	t.Parallel()
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		number := aNumber()
		h := newPhoneHolder(t, mailProvider(t), number)
		tx := h.prepared()
		h.p.close()
		said := h.ask(tx, tx+"/sign", url.Values{}, http.StatusServiceUnavailable)
		if !strings.Contains(said, "undelivered") || strings.Contains(said, "127.0.0.1") || strings.Contains(said, "dial") {
			t.Errorf("the holder is told %s", said)
		}
		if status, body := h.sign(tx, h.c.mustOTP(t)); status != http.StatusOK || !strings.Contains(body, "TOTAL_PASSED") {
			t.Errorf("the app does not sign any more: %d", status)
		}
		if h.vaultSays("code.undelivered") != 1 {
			t.Error("not journalled")
		}
		h.keptSecret(number)
	})
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		number := aNumber()
		p := mailProvider(t)
		h := newPhoneHolder(t, p, number)
		tx := h.prepared()
		// From here on the server takes connections and says nothing.
		addr := p.cfg.SMTP.Server
		p.close()
		var silent net.Listener
		var err error
		for range 100 {
			if silent, err = net.Listen("tcp", addr); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { silent.Close() })
		h.Timeout = 20 * time.Second // who waits for longer than the provider has waits for ever
		h.ask(tx, tx+"/sign", url.Values{}, http.StatusOK)
		for deadline := time.Now().Add(30 * time.Second); h.vaultSays("code.undelivered") != 1; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("not journalled")
			}
		}
		h.keptSecret(number)
	})
}
