package web

import (
	"net/url"
	"strings"
	"testing"
)

// TestSessionsPage: a holder sees where the account is open, and ends it there.
func TestSessionsPage(t *testing.T) {
	t.Parallel()
	w := build(t)
	agent := []string{"User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"}
	strange := w.browser()
	form := url.Values{"token": {strange.token("/signin")}, "username": {testUser}, "password": {testPassword}, "otp": {"111111"}}
	if r := strange.post("/signin", form, agent...); r.StatusCode != 303 {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	p := w.program()
	b := w.browser().signIn("222222")
	page := b.get("/security/sessions")
	for _, want := range []string{"Firefox, Windows", "this one", "127.0.0.1", "Password and one-time code", `<span class="tag neutral">program</span>`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(page.body, "/end\""); n != 4 { // three sessions, and all the others
		t.Errorf("%d buttons", n)
	}
	var theirs string
	for _, s := range w.rooms.hall.list() {
		if strings.Contains(s.Agent, "Firefox") {
			theirs = s.Ref()
		}
	}
	token := url.Values{"token": {b.token("/security/sessions")}}
	end := "/security/sessions/" + theirs + "/end"
	if r := b.post(end, url.Values{}); r.StatusCode != 403 {
		t.Errorf("without the form's token: %d", r.StatusCode)
	}
	for range 2 { // a button pressed twice
		if r := b.post(end, token); r.StatusCode != 303 || r.Header.Get("Location") != "/security/sessions?ended=1" {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
	}
	if r := strange.get("/", agent...); r.StatusCode != 303 || r.Header.Get("Location") != "/signin?ended=1" {
		t.Errorf("the ended session: %d to %s", r.StatusCode, r.Header.Get("Location"))
	}
	if r := b.post("/security/sessions/others/end", token); r.StatusCode != 303 {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	p.want(p.call("GET", "/documents", nil), 401, nil)
	if r := b.get("/"); r.StatusCode != 200 {
		t.Errorf("the own session ended with the others: %d", r.StatusCode)
	}
	own := w.rooms.hall.list()[0].Ref()
	if r := b.post("/security/sessions/"+own+"/end", token); r.Header.Get("Location") != "/signin?out=1" {
		t.Errorf("ending the own session leads to %s", r.Header.Get("Location"))
	}
	if r := b.get("/"); r.StatusCode != 303 {
		t.Errorf("%d", r.StatusCode)
	}
}

// TestSessionCopied: a cookie in another browser, or as a bearer token, ends the
// session.
func TestSessionCopied(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	if r := b.get("/", "User-Agent", "another"); r.StatusCode != 303 {
		t.Errorf("%d", r.StatusCode)
	}
	if r := b.get("/"); r.StatusCode != 303 {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
	b = w.browser().signIn("222222")
	thief := &program{browser: w.browser(), bearer: b.cookies[sessionCookie]}
	thief.want(thief.call("GET", "/documents", nil), 401, nil)
	if r := b.get("/"); r.StatusCode != 303 {
		t.Errorf("%d", r.StatusCode)
	}
	p := w.program()
	b = w.browser()
	b.cookies[sessionCookie] = p.bearer
	if r := b.get("/"); r.StatusCode != 303 {
		t.Errorf("a bearer token in a cookie: %d", r.StatusCode)
	}
	if len(w.rooms.hall.list()) != 0 {
		t.Error("copied sessions live on")
	}
}

func TestSessionsByProgram(t *testing.T) {
	t.Parallel()
	w := build(t)
	p := &program{browser: w.browser()}
	var out Session
	p.want(p.call("POST", "/session", map[string]string{"username": testUser, "password": testPassword, "otp": "000001", "label": "nightly", "browser": "known"},
		"User-Agent", "curl/8.5.0"), 200, &out)
	p.bearer = out.Token
	if out.Browser == "" || w.rooms.browser != "known" {
		t.Errorf("%+v after %q", out, w.rooms.browser)
	}
	other := w.browser().signIn("111111")
	var all []SessionInfo
	p.want(p.call("GET", "/sessions", nil), 200, &all)
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	for _, s := range all {
		if s.Current != (s.Label == "nightly") || s.Current != (s.Agent == "curl/8.5.0") || s.Current != (s.Face == "programs") || len(s.Methods) != 2 {
			t.Errorf("%+v", s)
		}
		if strings.Contains(out.Token, s.ID) || s.ID == "" {
			t.Errorf("ID %q", s.ID)
		}
		if !s.Current {
			p.want(p.call("DELETE", "/sessions/"+s.ID, nil), 204, nil)
			p.want(p.call("DELETE", "/sessions/"+s.ID, nil), 404, nil)
		}
	}
	if r := other.get("/"); r.StatusCode != 303 {
		t.Errorf("%d", r.StatusCode)
	}
	w.browser().signIn("222222")
	w.browser().signIn("333333")
	var ended EndedSessions
	p.want(p.call("DELETE", "/sessions", nil), 200, &ended)
	if ended.Ended != 2 {
		t.Errorf("%+v", ended)
	}
	p.want(p.call("GET", "/sessions", nil), 200, &all)
	if len(all) != 1 || !all[0].Current {
		t.Errorf("%+v", all)
	}
}

// TestBrowserKnown: what the vault gave the browser comes back with the next
// sign-in and with a signature, in a cookie that outlives the session.
func TestBrowserKnown(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	if w.rooms.browser != "" || b.cookies[browserCookie] != "seen-"+testUser {
		t.Fatalf("%q, %v", w.rooms.browser, b.cookies)
	}
	b.post("/signout", url.Values{"token": {b.token("/")}})
	r := b.post("/signin", url.Values{"token": {b.token("/signin")}, "username": {testUser}, "password": {testPassword}, "otp": {"222222"}})
	if w.rooms.browser != "seen-"+testUser {
		t.Errorf("it brings %q", w.rooms.browser)
	}
	for _, c := range r.Cookies() {
		if c.Name == browserCookie && (c.MaxAge < 3500 || !c.HttpOnly) {
			t.Errorf("%+v", c)
		}
	}
}

func TestBrowserName(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		"": "", "Mozilla/5.0": "", "curl/8.5.0": "curl", "python-requests/2.32 x": "python-requests", "nonsense": "nonsense",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0":        "Edge, Windows",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36":                            "Chrome, Linux",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile Safari/604.1": "Safari, iPhone",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": "Samsung Internet, Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:143.0) Gecko/20100101 Firefox/143.0":                                             "Firefox, macOS",
		"Mozilla/5.0 (compatible; <script>)": "",
	} {
		if got := browserName(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}
