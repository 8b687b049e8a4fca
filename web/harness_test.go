package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// wall is a running server with its rooms, its log and its address.
type wall struct {
	t     testing.TB
	rooms *rooms
	pub   *publisher
	srv   *Server
	url   string
	leave func() // has the server shut down
	log   *lockedBuffer
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

// build starts a server on a free port of the loopback address.
func build(t testing.TB, change ...func(*Config)) *wall {
	t.Helper()
	w := &wall{t: t, rooms: newRooms(t), pub: newPublisher(t, time.Now()), log: &lockedBuffer{}}
	cfg := Config{Signing: w.rooms, Accounts: w.rooms, Status: w.pub, Health: w.pub,
		Zone: time.UTC, Log: slog.New(slog.NewTextHandler(w.log, nil))}
	for _, f := range change {
		f(&cfg)
	}
	srv, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	w.srv, w.url, w.leave = srv, "http://"+ln.Addr().String(), cancel
	return w
}

// browser keeps cookies like one and does not follow redirects by itself.
type browser struct {
	w       *wall
	client  *http.Client
	cookies map[string]string
	lang    string
}

func (w *wall) browser() *browser {
	transport := &http.Transport{}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &browser{w: w, cookies: map[string]string{}, lang: "en", client: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

type reply struct {
	*http.Response
	body string
}

func (b *browser) do(method, path, contentType string, body io.Reader, header ...string) reply {
	b.w.t.Helper()
	req, err := http.NewRequest(method, b.w.url+path, body)
	if err != nil {
		b.w.t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	req.Header.Set("Accept-Language", b.lang)
	for k, v := range b.cookies {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.w.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		b.w.t.Fatalf("%s %s: %v", method, path, err)
	}
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 || c.Value == "" {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	return reply{res, string(data)}
}

func (b *browser) get(path string, header ...string) reply {
	b.w.t.Helper()
	return b.do("GET", path, "", nil, header...)
}

var tokenField = regexp.MustCompile(`name="token" value="([0-9a-f]{32})"`)

// token is the form token of a page.
func (b *browser) token(path string) string {
	b.w.t.Helper()
	page := b.get(path)
	m := tokenField.FindStringSubmatch(page.body)
	if m == nil {
		b.w.t.Fatalf("no form token on %s (%d)", path, page.StatusCode)
	}
	return m[1]
}

func (b *browser) post(path string, fields url.Values, header ...string) reply {
	b.w.t.Helper()
	return b.do("POST", path, "application/x-www-form-urlencoded", strings.NewReader(fields.Encode()), header...)
}

func (b *browser) signIn(otp string) *browser {
	b.w.t.Helper()
	r := b.post("/signin", url.Values{"token": {b.token("/signin")}, "username": {testUser}, "password": {testPassword}, "otp": {otp}})
	if r.StatusCode != http.StatusSeeOther {
		b.w.t.Fatalf("sign-in: %d %s", r.StatusCode, r.body)
	}
	return b
}

type formFile struct{ name, data string }

func multipartBody(t testing.TB, token string, files ...formFile) (string, *bytes.Buffer) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	if token != "" {
		if err := m.WriteField("token", token); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range files {
		part, err := m.CreateFormFile("file", f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return m.FormDataContentType(), &b
}

func (b *browser) upload(files ...formFile) reply {
	b.w.t.Helper()
	contentType, body := multipartBody(b.w.t, b.token("/"), files...)
	return b.do("POST", "/documents", contentType, body)
}

// program is a client of the REST interface.
type program struct {
	*browser
	bearer string
}

func (w *wall) program() *program {
	p := &program{browser: w.browser()}
	var out Session
	p.want(p.call("POST", "/session", map[string]string{"username": testUser, "password": testPassword, "otp": "000001"}), 200, &out)
	p.bearer = out.Token
	return p
}

func (p *program) call(method, path string, body any, header ...string) reply {
	p.w.t.Helper()
	var r io.Reader
	contentType := ""
	switch body := body.(type) {
	case nil:
	case io.Reader:
		r, contentType = body, "application/octet-stream"
	default:
		data, err := json.Marshal(body)
		if err != nil {
			p.w.t.Fatal(err)
		}
		r, contentType = bytes.NewReader(data), "application/json"
	}
	if p.bearer != "" {
		header = append([]string{"Authorization", "Bearer " + p.bearer}, header...)
	}
	return p.do(method, "/api/v1"+path, contentType, r, header...)
}

func (p *program) want(r reply, status int, into any) {
	p.w.t.Helper()
	if r.StatusCode != status {
		p.w.t.Fatalf("%s %s: %d, want %d: %s", r.Request.Method, r.Request.URL.Path, r.StatusCode, status, r.body)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(r.body), into); err != nil {
			p.w.t.Fatalf("%v in %s", err, r.body)
		}
	}
}
