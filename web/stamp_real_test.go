package web

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/formats/cms/cmstest"
	"sigillo/store"
	"sigillo/tsa/accounts"
	"sigillo/tsa/front"
	"sigillo/tsa/ledger"
)

// realFront is the front end of the time-stamping authority with real accounts
// and a real ledger, over the desk's authority with its software key. The account
// deskUser has so many stamps.
func realFront(t *testing.T, d *desk, stamps int64) (*front.Front, *ledger.Ledger) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "a.db"), store.Appliance)
	must(err)
	t.Cleanup(func() { _ = db.Close() })
	record, err := ledger.Open(filepath.Join(dir, "ledger"), ledger.Options{Index: db})
	must(err)
	t.Cleanup(func() { _ = record.Close() })
	book, err := accounts.Open(t.Context(), accounts.Config{DB: db, Usage: record, Argon2: auth.Argon2{MemoryKiB: 64, Time: 1, Threads: 1},
		Journal: func(tx *store.Tx, now time.Time, c accounts.Change) error {
			return audit.Append(tx, now, audit.Event{Actor: c.Actor, Event: c.Event, Subject: c.Subject, Detail: c.Detail})
		}})
	must(err)
	must(book.Create(t.Context(), "test", deskUser, accounts.Terms{Name: "Acme"}))
	_, _, err = book.SetPassword(t.Context(), "test", deskUser, deskUser, []byte(deskPassword), time.Time{})
	must(err)
	_, err = book.Buy(t.Context(), "test", deskUser, accounts.Lot{Quantity: stamps})
	must(err)
	f, err := front.New(front.Config{Backend: d.authority, Book: book, Ledger: record, Policies: deskPolicies})
	must(err)
	return f, record
}

// TestStampWithCurl has curl and openssl be the client, in every way that curl can
// send a request, until the lot is used up; then the archive is asked for what was
// given.
func TestStampWithCurl(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("Debian package curl is not installed")
	}
	d := newDesk(t)
	ways := [][]string{nil, {"--http1.0"}, {"-H", "Transfer-Encoding: chunked"}, {"-H", "Expect: 100-continue"}, {"-H", "Content-Type: application/octet-stream"}}
	f, record := realFront(t, d, int64(len(ways)))
	w := build(t, func(c *Config) { c.Stamps, c.Metrics = f, []Metrics{f} })
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(os.WriteFile(path("f"), []byte("a document"), 0o600), os.WriteFile(path("ca.pem"), cmstest.PEM(d.pki.Root, d.pki.CA), 0o600)); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v: %s", name, args, err, out)
		}
		return string(out)
	}
	me := []string{"-sS", "-u", deskUser + ":" + deskPassword}
	post := func(query string, way ...string) {
		t.Helper()
		args := append(append([]string{"-f", "--data-binary", "@" + query, "-o", path("f.tsr")}, me...), way...)
		if len(way) == 0 || !strings.Contains(strings.Join(way, " "), "Content-Type") {
			args = append(args, "-H", "Content-Type: "+mediaStampQuery)
		}
		run(curl, append(args, w.url+"/tsa")...)
	}
	for i, way := range ways {
		run("openssl", "ts", "-query", "-data", path("f"), "-sha256", "-cert", "-out", path("f.tsq"))
		post(path("f.tsq"), way...)
		out := run("openssl", "ts", "-verify", "-queryfile", path("f.tsq"), "-in", path("f.tsr"), "-CAfile", path("ca.pem"))
		if !strings.Contains(out, "Verification: OK") {
			t.Errorf("%v: %s", way, out)
		}
		if n := record.Used(deskUser); n != int64(i+1) {
			t.Errorf("%v: %d in the ledger", way, n)
		}
	}
	var account StampAccount
	if err := json.Unmarshal([]byte(run(curl, append(me, w.url+"/tsa/account")...)), &account); err != nil || account.Left == nil || *account.Left != 0 {
		t.Errorf("%+v, %v", account, err)
	}
	post(path("f.tsq"))
	if out := run("openssl", "ts", "-reply", "-in", path("f.tsr"), "-text"); !strings.Contains(out, "Rejected") || !strings.Contains(out, "no stamps left") {
		t.Errorf("after the last one: %s", out)
	}
	var list StampTokens
	if err := json.Unmarshal([]byte(run(curl, append(me, w.url+"/tsa/account/tokens?newest=1&limit=1")...)), &list); err != nil || len(list.Tokens) != 1 || !list.More {
		t.Fatalf("%+v, %v", list, err)
	}
	run(curl, append(me, "-f", "-o", path("again.tst"), w.url+list.Tokens[0].Token)...)
	out := run("openssl", "ts", "-verify", "-data", path("f"), "-in", path("again.tst"), "-token_in", "-CAfile", path("ca.pem"))
	if !strings.Contains(out, "Verification: OK") {
		t.Errorf("from the archive: %s", out)
	}
	if csv := run(curl, append(me, "-f", w.url+"/tsa/account/tokens?format=csv")...); strings.Count(csv, "\n") != len(ways)+1 || !strings.Contains(csv, list.Tokens[0].Digest) {
		t.Errorf("CSV: %s", csv)
	}
	if status := run(curl, "-sS", "-o", path("x"), "-w", "%{http_code}", "-u", deskUser+":wrong", "--data-binary", "@"+path("f.tsq"), "-H", "Content-Type: "+mediaStampQuery, w.url+"/tsa"); status != "401" {
		t.Errorf("wrong password: %s", status)
	}
	if m := w.browser().get("/metrics").body; !strings.Contains(m, "sigillo_tsa_granted_total 5\n") || !strings.Contains(m, `reason="exhausted"} 1`) {
		t.Errorf("metrics:\n%s", m)
	}
}
