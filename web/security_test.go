package web

import (
	"bytes"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// facePosts are the addresses of the face that change something, found in the
// router, so that a new one can't be forgotten.
func facePosts(s *Server) []string {
	var out []string
	for _, r := range s.app.GetRoutes(true) {
		if r.Method == fiber.MethodPost && faceOf(r.Path) == facePages && r.Path != "/" {
			path := strings.NewReplacer(":id", "d-1", ":n", "1", ":seq", "0").Replace(r.Path)
			if !slices.Contains(out, path) {
				out = append(out, path)
			}
		}
	}
	return out
}

// TestForgedFormsAreRefused: no token, a wrong one, one of another session,
// the right one from another origin; nothing may reach the rooms.
func TestForgedFormsAreRefused(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	token := b.token("/")
	other := w.browser().signIn("222222").token("/")
	before := w.browser().token("/signin")
	paths := facePosts(w.srv)
	if len(paths) < 6 {
		t.Fatalf("only %v found", paths)
	}
	for _, path := range paths {
		for name, c := range map[string]struct {
			token  string
			header []string
		}{
			"none":           {"", nil},
			"wrong":          {strings.Repeat("0", 32), nil},
			"other session":  {other, nil},
			"before sign-in": {before, nil},
			"other origin":   {token, []string{"Origin", "https://evil.example"}},
			"null origin":    {token, []string{"Origin", "null"}},
			"cross-site":     {token, []string{"Sec-Fetch-Site", "cross-site"}},
		} {
			var r reply
			if path == "/documents" {
				contentType, body := multipartBody(t, c.token, formFile{"a.pdf", "x"})
				r = b.do("POST", path, contentType, body, c.header...)
			} else {
				r = b.post(path, url.Values{"token": {c.token}, "username": {testUser}, "password": {testPassword}, "otp": {"999999"}}, c.header...)
			}
			if r.StatusCode != http.StatusForbidden || !strings.Contains(r.body, "Form out of date") {
				t.Errorf("%s, token %s: %d", path, name, r.StatusCode)
			}
		}
	}
	if len(w.rooms.documents)+len(w.rooms.txs) != 0 || w.rooms.suspended || w.rooms.usedOTP["999999"] || b.get("/").StatusCode != 200 {
		t.Error("a forged form had an effect")
	}
	same := b.post("/signout", url.Values{"token": {token}}, "Origin", w.url, "Sec-Fetch-Site", "same-origin")
	if same.StatusCode != http.StatusSeeOther {
		t.Errorf("own origin: %d", same.StatusCode)
	}
}

func TestConfiguredOrigin(t *testing.T) {
	t.Parallel()
	w := build(t, func(c *Config) { c.Origins = []string{"https://sign.example.org"} })
	b := w.browser().signIn("111111")
	r := b.post("/signout", url.Values{"token": {b.token("/")}}, "Origin", "https://sign.example.org")
	if r.StatusCode != http.StatusSeeOther {
		t.Errorf("configured origin: %d", r.StatusCode)
	}
}

// TestTokenAfterFile: the token must be known before a document is read.
func TestTokenAfterFile(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	contentType, body := multipartBody(t, "", formFile{"a.pdf", "x"})
	if r := b.do("POST", "/documents", contentType, body); r.StatusCode != 403 || len(w.rooms.documents) != 0 {
		t.Errorf("%d, %d stored", r.StatusCode, len(w.rooms.documents))
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser()
	base := w.srv.assets.Base
	want := map[string]string{
		"Content-Security-Policy": contentPolicy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "X-Frame-Options": "DENY",
	}
	for path, cache := range map[string]string{
		"/signin": "no-store", "/nowhere": "no-store", "/api/v1/documents": "no-store", "/healthz": "no-store",
		"/api/v1/docs": "no-store", base + "/static/sigillo.css": "public, max-age=31536000, immutable",
	} {
		r := b.get(path)
		for k, v := range want {
			if r.Header.Get(k) != v {
				t.Errorf("%s: %s is %q", path, k, r.Header.Get(k))
			}
		}
		if r.Header.Get("Permissions-Policy") == "" || r.Header.Get("Cache-Control") != cache || r.Header.Get("Server") != "" {
			t.Errorf("%s: %v", path, r.Header)
		}
	}
	if strings.Contains(contentPolicy, "unsafe") {
		t.Error("inline code is allowed")
	}
	b.signIn("111111").upload(formFile{"a.pdf", "x"})
	for _, path := range []string{"/", "/documents/d-1", "/documents/d-1/pages/1", "/history"} {
		if r := b.get(path); r.Header.Get("Cache-Control") != "no-store" || r.StatusCode != 200 {
			t.Errorf("%s: %d, %q", path, r.StatusCode, r.Header.Get("Cache-Control"))
		}
	}
}

// What our own style sheets ask for the content policy allows: fonts from our files,
// images from there or from the sheet itself.
func TestStyleSheetsKeepThePolicy(t *testing.T) {
	t.Parallel()
	a, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	sheets := 0
	for name, file := range a.files {
		if path.Ext(name) != ".css" {
			continue
		}
		sheets++
		for _, m := range regexp.MustCompile(`url\(["']?([a-z]+:[^)]{0,24})`).FindAllSubmatch(file.plain, -1) {
			if !bytes.HasPrefix(m[1], []byte("data:image/")) {
				t.Errorf("%s asks for %s", name, m[1])
			}
		}
	}
	if sheets == 0 {
		t.Error("no style sheet")
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		w := build(t, func(c *Config) { c.Secure = secure })
		b := w.browser()
		for _, path := range []string{"/signin", "/lang/en"} {
			r := b.get(path)
			cookies := r.Cookies()
			if len(cookies) != 1 {
				t.Fatalf("%s: %v", path, cookies)
			}
			for _, c := range cookies {
				if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure != secure || c.Path != "/" ||
					strings.HasPrefix(c.Name, "__Host-") != secure {
					t.Errorf("%s: %v", path, c)
				}
			}
			if (r.Header.Get("Strict-Transport-Security") != "") != secure {
				t.Errorf("HSTS with Secure %t", secure)
			}
		}
		b.signIn("111111")
		if b.cookies[w.srv.cookieName(sessionCookie)] == "" {
			t.Error("no session cookie")
		}
	}
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/history": "/history", "/documents/d-1?page=2": "/documents/d-1?page=2", "": "/", "history": "/",
		"//evil.example": "/", "https://evil.example/": "/", `/\evil.example`: "/", "/a\r\nSet-Cookie: x=y": "/",
		"javascript:alert(1)": "/", "/" + strings.Repeat("a", 600): "/",
	} {
		if got := localPath(in); got != want {
			t.Errorf("localPath(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestHolderLanguage: the registered language is spoken to a holder whose
// browser asks for none of ours, and yields to whatever asks.
func TestHolderLanguage(t *testing.T) {
	t.Parallel()
	w := build(t)
	w.rooms.locale = "en"
	for _, c := range []struct{ cookie, accept, want string }{
		{"", "", "en"},
		{"", "fr", "en"},
		{"", "it", "it"},
		{"it", "fr", "it"},
	} {
		b := w.browser()
		b.signIn(map[string]string{"": "11111", "fr": "22222", "it": "33333"}[c.accept] + map[string]string{"": "1", "it": "2"}[c.cookie])
		b.lang = c.accept
		if c.cookie != "" {
			b.cookies[languageCookie] = c.cookie
		}
		if r := b.get("/history"); r.Header.Get("Content-Language") != c.want {
			t.Errorf("cookie %q, Accept-Language %q: %q, want %q", c.cookie, c.accept, r.Header.Get("Content-Language"), c.want)
		}
	}
	p := w.program()
	for accept, want := range map[string]string{"": "Not found", "fr": "Not found", "it": "Non trovato"} {
		p.lang = accept
		if r := p.call("GET", "/documents/d-9", nil); r.StatusCode != http.StatusNotFound || !strings.Contains(r.body, want) {
			t.Errorf("Accept-Language %q: %d %s", accept, r.StatusCode, r.body)
		}
	}
	w.rooms.mu.Lock()
	w.rooms.locale = "xx"
	w.rooms.mu.Unlock()
	b := w.browser().signIn("444444")
	b.lang = "fr"
	if r := b.get("/history"); r.Header.Get("Content-Language") != "it" {
		t.Errorf("a language that we do not speak: %q", r.Header.Get("Content-Language"))
	}
}

// TestLanguageLink: the choice is kept and one comes back to where one was.
func TestLanguageLink(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser()
	if page := b.get("/signin"); !strings.Contains(page.body, `<html lang="en">`) {
		t.Error("Accept-Language is ignored")
	}
	r := b.get("/lang/it?next=%2Fsignin")
	if r.StatusCode != 303 || r.Header.Get("Location") != "/signin" {
		t.Fatalf("%d %s", r.StatusCode, r.Header.Get("Location"))
	}
	page := b.get("/signin")
	if !strings.Contains(page.body, `<html lang="it">`) || page.Header.Get("Content-Language") != "it" {
		t.Error("the choice is not kept")
	}
	if r := b.get("/lang/en?next=https%3A%2F%2Fevil.example"); r.Header.Get("Location") != "/" {
		t.Errorf("open redirect: %q", r.Header.Get("Location"))
	}
}
