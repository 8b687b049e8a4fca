package web

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

// What is wrong with an export before its first octet is an answer with a reason,
// and the connection goes on.
func TestExportRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := build(t, withDesk(d, StampPageOff))
	me := basic(deskUser, deskPassword)
	for name, c := range map[string]struct {
		err    error
		query  string
		status int
		text   string
	}{
		"too many":      {&ledger.Error{Kind: ledger.TooMany, Msg: "x"}, "format=zip", 400, "100000"},
		"newest":        {&ledger.Error{Kind: ledger.BadQuery, Msg: "x"}, "format=csv&newest=1", 400, "newest=1 is for json alone"},
		"format":        {nil, "format=accounting", 400, "csv or zip"},
		"limit":         {nil, "format=zip&limit=100001", 400, "100000 as zip"},
		"limit of json": {nil, "limit=1001", 400, "1000 as json"},
		"ledger":        {&ledger.Error{Kind: ledger.Damaged, Msg: "secret path"}, "format=csv", 500, ""},
		"busy":          {&ledger.Error{Kind: ledger.Busy, Msg: "secret path"}, "format=csv", 503, "busy"},
	} {
		d.mu.Lock()
		d.before = c.err
		d.mu.Unlock()
		wire := w.wire()
		for range 2 {
			wire.send("GET /tsa/account/tokens?" + c.query + " HTTP/1.1\r\nHost: x\r\nAccept-Language: en\r\n" + me[0] + ": " + me[1] + "\r\n\r\n")
			r, body := wire.receive()
			if r.StatusCode != c.status || !strings.Contains(body, c.text) || strings.Contains(body, "secret") || r.Header.Get("Content-Disposition") != "" {
				t.Errorf("%s: %d %v %s", name, r.StatusCode, r.Header, body)
			}
		}
	}
	d.mu.Lock()
	d.before = nil
	d.mu.Unlock()
	if r := w.browser().get("/tsa/account/tokens?format=zip&limit=100000", me...); r.StatusCode != 200 {
		t.Errorf("as many as a zip holds: %d", r.StatusCode)
	}
}

// An export that fails on its way is no whole file to any client, and the log says
// why.
func TestExportBreaksOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		panics bool
		logged string
	}{"error": {false, "disk is on fire"}, "panic": {true, "panic in a handler"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.within, d.panics = &ledger.Error{Kind: ledger.Failed, Msg: "the disk is on fire"}, c.panics
			w := build(t, withDesk(d, StampPageOff))
			req, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/tsa/account/tokens?format=csv", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth(deskUser, deskPassword)
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			data, err := io.ReadAll(res.Body)
			if res.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || len(data) == 0 {
				t.Errorf("%d, %d octets, %v", res.StatusCode, len(data), err)
			}
			for deadline := time.Now().Add(10 * time.Second); !strings.Contains(w.log.String(), "broke off"); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the log does not say that it broke off:\n%s", w.log.String())
				}
			}
			if !strings.Contains(w.log.String(), c.logged) {
				t.Errorf("the log does not say why:\n%s", w.log.String())
			}
			d.mu.Lock()
			d.within = nil
			d.mu.Unlock()
			if r := w.browser().get("/tsa/account", basic(deskUser, deskPassword)...); r.StatusCode != 200 {
				t.Errorf("afterwards: %d", r.StatusCode)
			}
		})
	}
}

// Who is locked out is told for how long and what to do, whoever it is.
func TestLockedOutOfAccount(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.err = &accounts.Error{Kind: accounts.LockedOut, Msg: "x", Wait: 4 * time.Minute}
	b := build(t, withDesk(d, StampPageOff)).browser()
	var last string
	for _, user := range []string{deskUser, "nobody"} {
		r := b.get("/tsa/account", basic(user, "wrong")...)
		if r.StatusCode != 429 || r.Header.Get("Retry-After") != "240" || !strings.Contains(r.body, "none from there is looked at for 4 minutes") ||
			last != "" && r.body != last {
			t.Errorf("%s: %d %v %s", user, r.StatusCode, r.Header, r.body)
		}
		last = r.body
	}
	b.lang = "it"
	if r := b.get("/tsa/account", basic(deskUser, "wrong")...); !strings.Contains(r.body, "per 4 minuti") {
		t.Errorf("in Italian: %s", r.body)
	}
}
