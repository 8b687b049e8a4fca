package main

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"sigillo/appliance"
	"sigillo/hsm"
	"sigillo/web/oauth"
)

// application is one that is registered with an appliance, and the browser of a holder
// whom it sends there.
type application struct {
	t *testing.T
	h *house
	oauth2.Config
	browser *http.Client
}

const callback = "https://app.example/cb"

// application registers one.
func (h *house) application(t *testing.T, change ...func(*oauth.Client)) *application {
	t.Helper()
	c := oauth.Client{ID: "gestionale", Name: "Gestionale Pratiche", Method: oauth.ClientSecret, Redirects: []string{callback}}
	for _, f := range change {
		f(&c)
	}
	secret, err := oauth.NewRegistry(h.DB, nil).Add(t.Context(), c, "test")
	if err != nil {
		t.Fatal(err)
	}
	jar, _ := cookiejar.New(nil)
	return &application{t: t, h: h, Config: oauth2.Config{ClientID: c.ID, ClientSecret: secret, RedirectURL: callback, Scopes: []string{oauth.Service},
		Endpoint: oauth2.Endpoint{AuthURL: h.url + "/oauth2/authorize", TokenURL: h.url + "/oauth2/token", AuthStyle: oauth2.AuthStyleInHeader}},
		browser: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (a *application) read(res *http.Response, err error) (*http.Response, string) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res, string(data)
}

var (
	formToken  = regexp.MustCompile(`name="token" value="([0-9a-f]{32})"`)
	formAction = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
)

// consent has the holder fill the page at an address in, and gives the answer.
func (a *application) consent(at, username, password, otp string) (*http.Response, string) {
	a.t.Helper()
	_, page := a.read(a.browser.Get(at))
	token, action := formToken.FindStringSubmatch(page), formAction.FindStringSubmatch(page)
	if token == nil || action == nil {
		a.t.Fatalf("no form: %s", page)
	}
	return a.read(a.browser.PostForm(a.h.url+html.UnescapeString(action[1]), url.Values{"token": {token[1]}, "username": {username}, "password": {password}, "otp": {otp}}))
}

// token is the whole way to an access token.
func (a *application) token(at, verifier, username, password, otp string) *oauth2.Token {
	a.t.Helper()
	res, page := a.consent(at, username, password, otp)
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.StatusCode != http.StatusSeeOther || to.Query().Get("code") == "" {
		a.t.Fatalf("%d to %q: %s", res.StatusCode, res.Header.Get("Location"), page)
	}
	token, err := a.Exchange(context.Background(), to.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		a.t.Fatal(err)
	}
	return token
}

// TestApplicationAsksHolder: the vault judges what a holder types into the page for an
// application, and the tokens outlive the service.
func TestApplicationAsksHolder(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	h := open(t, dir)
	c := h.holder(t, hsm.P256)
	app := h.application(t)
	verifier := oauth2.GenerateVerifier()
	at := app.AuthCodeURL("x", oauth2.S256ChallengeOption(verifier))
	otp := c.mustOTP(t)
	for name, who := range map[string][3]string{
		"stranger": {"nobody", c.holder.Password, otp}, "wrong password": {c.holder.Username, "x", otp}, "wrong code": {c.holder.Username, c.holder.Password, wrongOTP(otp)},
	} {
		if res, _ := app.consent(at, who[0], who[1], who[2]); res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusTooManyRequests {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	c = h.holder(t, hsm.P256) // one that is not locked out
	token := app.token(at, verifier, c.holder.Username, c.holder.Password, c.mustOTP(t))
	if !h.journalled(t, "oauth.consented", "scope", "service") || !h.journalled(t, "holder.recognised", "", "") || !h.journalled(t, "oauth.token-given", "for", "authorization_code") {
		t.Error("not journalled")
	}
	for _, e := range h.events(t, "") {
		if detail := string(e.Detail); strings.Contains(detail, token.AccessToken) || strings.Contains(detail, token.RefreshToken) || strings.Contains(detail, app.ClientSecret) {
			t.Errorf("a secret is in the journal: %s", detail)
		}
	}
	h.stop()
	h = open(t, dir)
	app.Endpoint.TokenURL = h.url + "/oauth2/token"
	token.Expiry = token.Expiry.AddDate(-1, 0, 0)
	next, err := app.TokenSource(t.Context(), token).Token()
	if err != nil {
		t.Fatal(err)
	}
	opened, err := oauthServer(h.Appliance).Access(t.Context(), next.AccessToken, nil)
	if err != nil || opened.Holder != h.holderID(t, c) || opened.Application != app.ClientID || opened.Scope != oauth.Service {
		t.Errorf("%+v %v", opened, err)
	}
	var m struct{ Issuer string }
	_, text := app.read(http.Get(h.url + "/.well-known/oauth-authorization-server"))
	if err := json.Unmarshal([]byte(text), &m); err != nil || m.Issuer != h.Config.BaseURL {
		t.Errorf("metadata: %s", text)
	}
}

// TestOAuthOff: the doors can be closed.
func TestOAuthOff(t *testing.T) {
	t.Parallel()
	dir := newFolder(t)
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.OAuth.Off = true
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	h := open(t, dir)
	for _, path := range []string{"/oauth2/authorize", "/.well-known/oauth-authorization-server"} {
		res, err := http.Get(h.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}
