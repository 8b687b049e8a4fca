package web

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"sigillo/formats/cms"
	"sigillo/tsa/accounts"
	"sigillo/tsa/ledger"
)

// askDesk posts a request and gives the token of the answer.
func (b *browser) stamp(path string, query []byte, header ...string) reply {
	b.w.t.Helper()
	return b.do("POST", path, mediaStampQuery, bytes.NewReader(query), header...)
}

func basic(user, password string) []string {
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}
}

// Whatever refuses a request, the answer has status 200 and says why in the
// protocol's own words: clients show nothing of any other.
func TestStampAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	b := build(t, withDesk(d, StampPageOff)).browser()
	query := string(stampQuery(t, 1))
	chunked := func(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }
	const granted = cms.FailureInfo(-1)
	for name, c := range map[string]struct {
		path, contentType string
		body              io.Reader
		header            []string
		want              cms.FailureInfo
		text              string
	}{
		"known length":         {"/tsa", mediaStampQuery, strings.NewReader(query), nil, granted, ""},
		"chunked":              {"/tsa", mediaStampQuery, chunked(query), nil, granted, ""},
		"trailing slash":       {"/tsa/", mediaStampQuery, strings.NewReader(query), nil, granted, ""},
		"a query in the path":  {"/tsa?x=y", mediaStampQuery, strings.NewReader(query), nil, granted, ""},
		"parameters":           {"/tsa", mediaStampQuery + "; charset=binary", strings.NewReader(query), nil, granted, ""},
		"other case":           {"/tsa", "Application/Timestamp-Query", strings.NewReader(query), nil, granted, ""},
		"octet-stream":         {"/tsa", "application/octet-stream", strings.NewReader(query), nil, granted, ""},
		"no type":              {"/tsa", "", strings.NewReader(query), nil, granted, ""},
		"no type, other site":  {"/tsa", "", strings.NewReader(query), []string{"Sec-Fetch-Site", "cross-site"}, cms.BadDataFormat, "another site"},
		"form":                 {"/tsa", "application/x-www-form-urlencoded", strings.NewReader(query), nil, cms.BadDataFormat, mediaStampQuery},
		"text":                 {"/tsa", "text/plain", strings.NewReader(query), nil, cms.BadDataFormat, mediaStampQuery},
		"multipart":            {"/tsa", "multipart/form-data; boundary=x", strings.NewReader(query), nil, cms.BadDataFormat, mediaStampQuery},
		"answer for a query":   {"/tsa", mediaStampReply, strings.NewReader(query), nil, cms.BadDataFormat, mediaStampQuery},
		"empty":                {"/tsa", mediaStampQuery, strings.NewReader(""), nil, cms.BadDataFormat, ""},
		"noise":                {"/tsa", mediaStampQuery, strings.NewReader("hello"), nil, cms.BadDataFormat, ""},
		"two requests":         {"/tsa", mediaStampQuery, strings.NewReader(query + query), nil, cms.BadDataFormat, ""},
		"at the limit":         {"/tsa", mediaStampQuery, zeros(stampLimit), nil, cms.BadDataFormat, ""},
		"over, chunked":        {"/tsa", mediaStampQuery, zeros(stampLimit + 1), nil, cms.BadDataFormat, "larger than 16384"},
		"over, announced":      {"/tsa", mediaStampQuery, strings.NewReader(strings.Repeat("x", stampLimit+1)), nil, cms.BadDataFormat, "larger"},
		"a file by mistake":    {"/tsa", mediaStampQuery, strings.NewReader(strings.Repeat("x", bodyLimit+1)), nil, cms.BadDataFormat, "send a digest"},
		"a file, chunked":      {"/tsa", mediaStampQuery, zeros(3 << 20), nil, cms.BadDataFormat, "send a digest"},
		"address of a policy":  {"/tsa/fast", mediaStampQuery, strings.NewReader(query), nil, granted, ""},
		"escaped policy":       {"/tsa/f%61st", mediaStampQuery, strings.NewReader(query), nil, granted, ""},
		"other request header": {"/tsa", mediaStampQuery, strings.NewReader(query), []string{"Cookie", "a=b", "Accept", "text/html"}, granted, ""},
	} {
		r := b.do("POST", c.path, c.contentType, c.body, c.header...)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != mediaStampReply || r.Header.Get("Cache-Control") != "no-store" ||
			r.Header.Get("X-Content-Type-Options") != "nosniff" || r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v %.60q", name, r.StatusCode, r.Header, r.body)
			continue
		}
		res, err := cms.ParseResponse([]byte(r.body))
		switch {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want == granted:
			if token, err := tokenOf(r.body); err != nil || token.Info.Hash == 0 {
				t.Errorf("%s: %v", name, err)
			}
		case res.Refusal == nil || res.Refusal.FailureInfo != c.want || !strings.Contains(res.Refusal.Text, c.text):
			t.Errorf("%s: %+v", name, res.Refusal)
		}
	}
	if d.under != "" && d.under != "fast" {
		t.Errorf("policy %q", d.under)
	}
	if _, ok := d.until.Deadline(); !ok {
		t.Error("a request may take for ever")
	}
}

// What is below /tsa and is no address for requests does not take them.
func TestStampAddresses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	b := build(t, withDesk(d, StampPageOff)).browser()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"POST", "/tsa/a/b", 404}, {"POST", "/tsax", 404}, {"POST", "/tsa/account", 405}, {"POST", "/tsa/account/tokens", 405},
		{"PUT", "/tsa", 405}, {"DELETE", "/tsa/fast", 405}, {"OPTIONS", "/tsa", 405}, {"GET", "/tsa/nothing", 404},
		{"GET", "/tsa/fast", 303}, {"HEAD", "/tsa", 200}, {"GET", "/tsa", 200}, {"POST", "//tsa", 200},
	} {
		r := b.do(c.method, c.path, mediaStampQuery, strings.NewReader(""))
		if r.StatusCode != c.status || c.status == 405 && (!strings.Contains(r.Header.Get("Allow"), "GET") ||
			strings.Contains(r.Header.Get("Allow"), "POST") != (c.method != "POST")) {
			t.Errorf("%s %s: %d, Allow %q", c.method, c.path, r.StatusCode, r.Header.Get("Allow"))
		}
	}
}

// Who the caller is reaches the room below as he said it; who says it wrongly is
// asked in both ways.
func TestStampCallers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := build(t, withDesk(d, StampPageOff))
	b := w.browser()
	query := stampQuery(t, 2)
	for name, c := range map[string]struct {
		header []string
		status int
	}{
		"basic":              {basic(deskUser, deskPassword), 200},
		"basic, other case":  {[]string{"Authorization", strings.Replace(basic(deskUser, deskPassword)[1], "Basic", "bASIC", 1)}, 200},
		"bearer":             {[]string{"Authorization", "Bearer " + deskBearer}, 200},
		"nothing":            {nil, 401},
		"wrong password":     {basic(deskUser, "x"), 401},
		"wrong token":        {[]string{"Authorization", "Bearer x"}, 401},
		"no colon":           {[]string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(deskUser))}, 401},
		"no base64":          {[]string{"Authorization", "Basic ***"}, 401},
		"no value":           {[]string{"Authorization", "Basic"}, 401},
		"another scheme":     {[]string{"Authorization", "Digest username=acme"}, 401},
		"longer than it may": {basic(deskUser, strings.Repeat("x", 2000)), 401},
	} {
		r := b.stamp("/tsa", query, c.header...)
		if r.StatusCode != c.status {
			t.Errorf("%s: %d %q", name, r.StatusCode, r.body)
		}
		if told := strings.Contains(r.body, "nobody is known"); c.status == 401 && told != d.caller.Addr.IsValid() {
			t.Errorf("%s: reason told %t: %q", name, told, r.body)
		}
		d.caller = accounts.Caller{}
		ways := strings.Join(r.Header.Values("WWW-Authenticate"), "; ")
		if asked := strings.Contains(ways, "Basic realm=") && strings.Contains(ways, "Bearer realm="); asked != (c.status == 401) {
			t.Errorf("%s: asked for %q", name, ways)
		}
	}
	// Where anybody may stamp too: what is sent is looked at, also when it is empty.
	d.anonymous = true
	for header, status := range map[string]int{"": 200, "Authorization:\r\n": 401, "Authorization: \t\r\n": 401, "Authorization: Basic\r\n": 401,
		"authorization:\r\n": 401, "Authorization:\r\nAuthorization: Bearer " + deskBearer + "\r\n": 401} {
		x := w.wire()
		x.send("POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Type: " + mediaStampQuery + "\r\n" + header + "Content-Length: " + itoa(len(query)) + "\r\n\r\n" + string(query))
		if res, body := x.receive(); res.StatusCode != status {
			t.Errorf("%q: %d %q", header, res.StatusCode, body)
		}
	}
	b.stamp("/tsa", query, basic("a", "b:c")...)
	if d.caller.Username != "a" || string(d.caller.Password) != "b:c" || d.caller.Addr.String() != "127.0.0.1" || d.caller.Certificate != nil {
		t.Errorf("caller %+v", d.caller)
	}
}

// A handler that fails answers as one that refuses, and the stack stays here.
func TestStampPanic(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.panics = true
	w := build(t, withDesk(d, StampPageOff))
	r := w.browser().stamp("/tsa", stampQuery(t, 1))
	res, err := cms.ParseResponse([]byte(r.body))
	if r.StatusCode != 200 || err != nil || res.Refusal == nil || res.Refusal.FailureInfo != cms.SystemFailure {
		t.Errorf("%d %q", r.StatusCode, r.body)
	}
	if log := w.log.String(); !strings.Contains(log, "on purpose") || !strings.Contains(log, "desk_test.go") {
		t.Errorf("log: %s", log)
	}
}

func TestStampMetrics(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := build(t, withDesk(d, StampPageOff), func(c *Config) { c.Metrics = []Metrics{extra{}} })
	b := w.browser()
	for range 3 {
		b.stamp("/tsa", stampQuery(t, 1), basic(deskUser, deskPassword)...)
	}
	b.stamp("/tsa", stampQuery(t, 1))
	m := b.get("/metrics").body
	for _, want := range []string{
		`sigillo_http_request_seconds_count{method="POST",route="/tsa",status="200"} 3`,
		`sigillo_http_request_seconds_count{method="POST",route="/tsa",status="401"} 1`, "sigillo_extra 1\n",
	} {
		if !strings.Contains(m, want) {
			t.Errorf("%s is missing in\n%s", want, m)
		}
	}
	if log := w.log.String(); strings.Contains(log, "/tsa") {
		t.Errorf("stamps are in the access log: %s", log)
	}
}

type extra struct{}

func (extra) WriteMetrics(w io.Writer) { fmt.Fprint(w, "sigillo_extra 1\n") }

// wire is a connection on which a test decides about every octet.
type wire struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func (w *wall) wire() *wire {
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{w.t, conn, bufio.NewReader(conn)}
}

func (w *wire) send(s string) {
	w.t.Helper()
	if _, err := io.WriteString(w.conn, s); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) receive() (*http.Response, string) {
	w.t.Helper()
	res, err := http.ReadResponse(w.r, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return res, string(body)
}

func (w *wire) ended() bool {
	_, err := w.r.ReadByte()
	return err == io.EOF
}

// The transports that real clients speak: HTTP/1.0 (osslsigncode), keep-alive of
// both versions, pipelines, chunks, 100-continue (.NET), a body that dribbles.
func TestStampTransports(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	w := build(t, withDesk(d, StampPageOff))
	query := string(stampQuery(t, 3))
	head := "Host: x\r\nContent-Type: " + mediaStampQuery + "\r\n"
	length := fmt.Sprintf("Content-Length: %d\r\n", len(query))
	chunks := fmt.Sprintf("5;ext=1\r\n%s\r\n%x\r\n%s\r\n0\r\nX-Trailer: y\r\n\r\n", query[:5], len(query)-5, query[5:])
	good := func(c *wire) *http.Response {
		t.Helper()
		res, body := c.receive()
		if _, err := tokenOf(body); err != nil || res.StatusCode != 200 {
			t.Errorf("%d %q: %v", res.StatusCode, body, err)
		}
		return res
	}

	c := w.wire()
	c.send("POST /tsa HTTP/1.0\r\n" + head + length + "\r\n" + query)
	good(c)
	if !c.ended() {
		t.Error("HTTP/1.0: the connection stays open")
	}

	c = w.wire()
	for range 3 {
		c.send("POST /tsa HTTP/1.0\r\nConnection: keep-alive\r\n" + head + length + "\r\n" + query)
		if res := good(c); !strings.EqualFold(res.Header.Get("Connection"), "keep-alive") {
			t.Errorf("HTTP/1.0: %v", res.Header)
		}
	}

	c = w.wire() // one after the other, of all kinds, sent at once
	one := "POST /tsa HTTP/1.1\r\n" + head + length + "\r\n" + query
	other := "POST /tsa HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n" + chunks
	page := "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
	c.send(strings.Repeat(one+other+page, 10))
	for range 10 {
		good(c)
		good(c)
		if res, body := c.receive(); res.StatusCode != 200 || !strings.Contains(body, "ok") {
			t.Errorf("pipelined page: %d %q", res.StatusCode, body)
		}
	}

	c = w.wire()
	c.send("POST /tsa HTTP/1.1\r\n" + head + length + "Expect: 100-continue\r\n\r\n")
	if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100") {
		t.Errorf("100-continue: %q", line)
	}
	_, _ = c.r.ReadString('\n')
	c.send(query)
	good(c)

	c = w.wire()
	c.send("POST /tsa HTTP/1.1\r\n" + head + length + "\r\n")
	for i := range query {
		c.send(query[i : i+1])
		if i%20 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	good(c)

	c = w.wire() // no length and no chunks: there is no body (RFC 9112 §6.3)
	c.send("POST /tsa HTTP/1.1\r\n" + head + "\r\n")
	if _, body := c.receive(); !strings.Contains(body, "TimeStampReq") {
		t.Errorf("no body: %q", body)
	}
}

// A request that does not arrive whole is not stamped, not even when what has
// arrived would do; and one that is too long leaves the connection usable.
func TestStampBrokenBodies(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.anonymous = true
	w := build(t, withDesk(d, StampPageOff))
	query := string(stampQuery(t, 4))
	head := "POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Type: " + mediaStampQuery + "\r\n"
	for name, sent := range map[string]string{
		"length":       head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(query)+1) + query,
		"in a chunk":   head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s", len(query), query[:10]),
		"after chunks": head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(query), query),
		"bad chunk":    head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n" + query,
	} {
		c := w.wire()
		c.send(sent)
		_ = c.conn.(*net.TCPConn).CloseWrite()
		res, err := http.ReadResponse(c.r, nil)
		if err == nil && res.StatusCode < 400 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	if len(d.entries) != 0 {
		t.Errorf("%d stamped", len(d.entries))
	}
	c := w.wire()
	c.send(head + fmt.Sprintf("Content-Length: %d\r\n\r\n", stampLimit+1) + strings.Repeat("x", stampLimit+1) +
		head + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(query)) + query)
	if _, body := c.receive(); !strings.Contains(body, "larger") {
		t.Errorf("too long: %q", body)
	}
	if _, body := c.receive(); len(d.entries) != 1 {
		t.Errorf("the next request of the connection: %q", body)
	}
}

// All requests of a second share their context; none outlives the server.
func TestPatience(t *testing.T) {
	t.Parallel()
	p := patience{base: t.Context(), time: time.Minute}
	a, b := p.context(), p.context()
	if a != b {
		t.Error("two contexts within a second")
	}
	deadline, ok := a.Deadline()
	if left := time.Until(deadline); !ok || left < time.Minute-time.Second || left > time.Minute+2*time.Second {
		t.Errorf("deadline in %v", left)
	}
	e := *p.now.Load()
	e.renew = time.Now()
	p.now.Store(&e)
	if c := p.context(); c == a || a.Err() != nil {
		t.Errorf("the next second: same %t, the old one %v", c == a, a.Err())
	}
}

// The kinds of the rooms behind the desk have a status each.
func TestStampKinds(t *testing.T) {
	t.Parallel()
	for kind, status := range map[accounts.Kind]int{accounts.Unknown: 401, accounts.NotPermitted: 403, accounts.LockedOut: 429,
		accounts.RateLimited: 503, accounts.Busy: 503, accounts.NotFound: 404, accounts.Failed: 500} {
		if got := KindOf(&accounts.Error{Kind: kind}).status(); got != status {
			t.Errorf("%s: %d", kind, got)
		}
	}
	for kind, status := range map[ledger.Kind]int{ledger.NotFound: 404, ledger.TooMany: 400, ledger.BadQuery: 400, ledger.Busy: 503,
		ledger.Stopped: 503, ledger.Damaged: 500, ledger.Failed: 500} {
		if got := KindOf(&ledger.Error{Kind: kind}).status(); got != status {
			t.Errorf("%s: %d", kind, got)
		}
	}
}

// Credentials of any shape are read or refused, and nothing of them stays behind.
func FuzzStampCredentials(f *testing.F) {
	f.Add([]byte(basic(deskUser, deskPassword)[1]))
	f.Add([]byte("Bearer " + deskBearer))
	f.Add([]byte("Basic "))
	f.Add([]byte("basic Og=="))
	f.Fuzz(func(t *testing.T, header []byte) {
		var call stampCall
		var caller accounts.Caller
		ok := call.credentials(&caller, header)
		if ok && caller.Bearer != "" && (caller.Username != "" || caller.Password != nil) {
			t.Fatalf("%q says two things: %+v", header, caller)
		}
		if ok && len(caller.Password) > 0 {
			again := base64.StdEncoding.EncodeToString(append([]byte(caller.Username+":"), caller.Password...))
			if raw, err := base64.StdEncoding.DecodeString(again); err != nil || !bytes.Contains(raw, caller.Password) {
				t.Fatalf("%q was read as %+v", header, caller)
			}
		}
		call.forget()
		if call.held != 0 || len(header) > 0 && bytes.ContainsFunc(call.secret[:], func(r rune) bool { return r != 0 }) {
			t.Fatalf("%q stays behind", header)
		}
	})
}
