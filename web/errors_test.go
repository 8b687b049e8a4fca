package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"sigillo/signing"
)

// kindsOf reads the constants of type Kind in a source file, so that a kind
// added there and forgotten here is noticed.
func kindsOf(t *testing.T, file string) []Kind {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []Kind
	for _, decl := range tree.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			v := spec.(*ast.ValueSpec)
			if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "Kind" {
				continue
			}
			for _, value := range v.Values {
				text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, Kind(text))
			}
		}
	}
	return out
}

func TestEveryKindHasStatusAndTexts(t *testing.T) {
	t.Parallel()
	kinds := append(kindsOf(t, "../signing/types.go"), kindsOf(t, "errors.go")...)
	if len(kinds) < 30 {
		t.Fatalf("only %d kinds found", len(kinds))
	}
	ls := testLocales(t)
	known := map[Kind]bool{}
	for _, k := range kinds {
		known[k] = true
		if code, ok := statusOf[k]; !ok || code < 400 || code > 599 {
			t.Errorf("%s: status %d", k, code)
		}
		for _, code := range languages {
			for _, part := range []string{"title", "detail"} {
				if !ls[code].Has("error." + string(k) + "." + part) {
					t.Errorf("%s: no %s in %s", k, part, code)
				}
			}
		}
	}
	for k := range statusOf {
		if !known[k] {
			t.Errorf("status for the unknown kind %s", k)
		}
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{fmt.Errorf("in between: %w", refuse(signing.Locked)), "locked"},
		{fmt.Errorf("in between: %w", errTooLarge), "too-large"},
		{fiber.ErrNotFound, NoRoute},
		{fiber.ErrMethodNotAllowed, MethodNotAllowed},
		{fiber.NewError(431, "header too large"), "bad-request"},
		{fiber.NewError(502, "x"), "internal"},
		{context.DeadlineExceeded, Slow},
		{errors.New("anything"), "internal"},
	} {
		if got := KindOf(c.err); got != c.want {
			t.Errorf("KindOf(%v) = %s, want %s", c.err, got, c.want)
		}
	}
}

// TestErrorsAtEveryDoor: the same refusal as a problem document and as a page,
// each in the language asked for, with its Retry-After.
func TestErrorsAtEveryDoor(t *testing.T) {
	t.Parallel()
	w := build(t)
	p := w.program()
	b := w.browser().signIn("111111")
	for _, c := range []struct {
		err    error
		status int
		retry  string
	}{
		{&signing.Error{Kind: signing.Locked, RetryAfter: 90500 * time.Millisecond}, 429, "91"},
		{refuse(signing.Busy), 503, "2"},
		{refuse(signing.KeyUnavailable), 503, "5"},
		{refuse(signing.DiskFull), 507, ""},
		{refuse(signing.NotFound), 404, ""},
		{errors.New("secret detail of a fault"), 500, ""},
	} {
		w.rooms.mu.Lock()
		w.rooms.fault["Documents"] = c.err
		w.rooms.mu.Unlock()
		r := p.call("GET", "/documents", nil)
		var got Problem
		if err := json.Unmarshal([]byte(r.body), &got); err != nil {
			t.Fatal(err)
		}
		kind := KindOf(c.err)
		if r.StatusCode != c.status || got.Status != c.status || got.Kind != kind || got.Type != "urn:sigillo:problem:"+string(kind) ||
			r.Header.Get("Content-Type") != "application/problem+json" || r.Header.Get("Retry-After") != c.retry {
			t.Errorf("%s: %d %v %s", kind, r.StatusCode, r.Header, r.body)
		}
		page := b.get("/")
		if page.StatusCode != c.status || !strings.Contains(page.body, got.Title) || page.Header.Get("Retry-After") != c.retry {
			t.Errorf("%s as a page: %d", kind, page.StatusCode)
		}
		if strings.Contains(r.body+page.body, "secret detail") || strings.Contains(r.body+page.body, "said by the test") {
			t.Errorf("%s: the inner error leaks", kind)
		}
		italian := p.call("GET", "/documents", nil, "Accept-Language", "it")
		if strings.Contains(italian.body, got.Title) {
			t.Errorf("%s: not in Italian: %s", kind, italian.body)
		}
	}
	if !strings.Contains(w.log.String(), "secret detail of a fault") {
		t.Error("the log does not tell the cause of a fault")
	}
}

func TestNoSuchAddress(t *testing.T) {
	t.Parallel()
	w := build(t, withDesk(newDesk(t), StampPageOff))
	b := w.browser()
	for _, c := range []struct {
		method, path string
		status       int
		contentType  string
	}{
		{"GET", "/nowhere", 404, "text/html; charset=utf-8"},
		{"DELETE", "/signin", 405, "text/html; charset=utf-8"},
		{"GET", "/api/v1/nowhere", 401, "application/problem+json"},
		{"DELETE", "/tsa", 405, "text/plain; charset=utf-8"},
		{"GET", "/crl/UPPER.crl", 404, "text/plain; charset=utf-8"},
		{"GET", "/assets/old/static/sigillo.css", 404, "text/plain; charset=utf-8"},
		{"GET", "/lang/fr", 404, "text/html; charset=utf-8"},
	} {
		r := b.do(c.method, c.path, "", nil)
		if r.StatusCode != c.status || r.Header.Get("Content-Type") != c.contentType {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	p := w.program()
	if r := p.call("GET", "/nowhere", nil); r.StatusCode != 404 || !strings.Contains(r.body, `"no-route"`) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// TestPanicIsAnswered: a broken handler is an internal error, not a dropped
// connection, and its stack is for the log only.
func TestPanicIsAnswered(t *testing.T) {
	t.Parallel()
	w := build(t, func(c *Config) { c.Health = panicking{} })
	b := w.browser()
	r := b.get("/healthz")
	if r.StatusCode != http.StatusInternalServerError || strings.Contains(r.body, "boom") || strings.Contains(r.body, "goroutine") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if !strings.Contains(w.log.String(), "boom") {
		t.Error("the panic is not in the log")
	}
}

type panicking struct{}

func (panicking) Health(context.Context) error { panic("boom") }

// TestRefusedBeforeAnyHandler: what the HTTP library itself refuses is still
// answered in our manner.
func TestRefusedBeforeAnyHandler(t *testing.T) {
	t.Parallel()
	w := build(t)
	for name, text := range map[string]string{
		"long header": "GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("x", 2*headerLimit) + "\r\n\r\n",
		"no HTTP":     "hello\r\n\r\n",
		"bad length":  "POST /tsa HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if res.StatusCode < 400 || res.StatusCode > 499 || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", name, res.StatusCode, res.Header)
		}
		_ = conn.Close()
	}
	if r := w.browser().get("/healthz"); r.StatusCode != 200 {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}
