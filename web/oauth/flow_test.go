package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"sigillo/web/oauth"
)

// TestService walks the way of scope service: token, refresh, revocation.
func TestService(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.tokens("app", asked())
	if first.Type != "Bearer" || first.Scope != "service" || first.Expires != 3600 || first.Refresh == "" {
		t.Errorf("tokens: %+v", first)
	}
	if got := d.opens(first.Access, ""); got != "app service h-1" {
		t.Errorf("the access token opens %q", got)
	}
	if d.opens(first.Refresh, "") != "" {
		t.Error("a refresh token opens something")
	}
	next := d.read(d.call("/oauth2/token", "app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}}))
	if d.opens(next.Access, "") == "" || next.Refresh == first.Refresh {
		t.Errorf("refreshed: %+v", next)
	}
	if d.opens(first.Access, "") == "" {
		t.Error("a refresh has ended the access token before it")
	}
	// An access token ends alone, a refresh token takes all with it; CSC clients look for
	// the endpoint elsewhere too.
	for _, c := range []struct {
		path, token, first, next string
	}{
		{"/oauth2/revoke", first.Access, "", "app service h-1"},
		{"/oauth2/revoke", "nonsense", "", "app service h-1"},
		{"/revoke", next.Refresh, "", ""},
	} {
		if r := d.call(c.path, "app", url.Values{"token": {c.token}}); r.StatusCode != http.StatusNoContent {
			t.Errorf("revoke: %d %s", r.StatusCode, r.body)
		}
		if a, b := d.opens(first.Access, ""), d.opens(next.Access, ""); a != c.first || b != c.next {
			t.Errorf("after the revocation of %s the tokens open %q and %q", c.token, a, b)
		}
	}
}

// TestCredential walks the way of scope credential in all its words.
func TestCredential(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	details := func(kind, more string) string {
		return `[{"type":"` + kind + `","credentialID":"` + cred + `","hashAlgorithmOID":"2.16.840.1.101.3.4.2.1","numSignatures":2,` + more +
			`"documentDigests":[{"hash":"` + hash("a") + `","label":"uno.pdf"},{"hash":"` + pad(hash("b")) + `","label":"due.pdf"}]}]`
	}
	none := []string{"credentialID", "-", "hashes", "-", "hashAlgorithmOID", "-", "numSignatures", "-"}
	for name, c := range map[string]struct {
		client string
		q      url.Values
		typ    string
		docs   bool
	}{
		"v2":                {"app", ordered(), "Bearer", false},
		"v2 without count":  {"app", ordered("numSignatures", "-"), "Bearer", false},
		"v1":                {"v1", ordered("client_id", "v1", "hash", hash("a")+","+hash("b"), "hashes", "-", "hashAlgorithmOID", "-", "code_challenge", "-", "code_challenge_method", "-"), "SAD", false},
		"v1 with proof key": {"v1", ordered("client_id", "v1", "hash", hash("a")+","+pad(hash("b")), "hashes", "-", "hashAlgorithmOID", "-"), "SAD", false},
		"qualifier":         {"app", ordered("credentialID", "-", "signatureQualifier", "eu_eidas_aes"), "Bearer", false},
		"details":           {"app", ordered(append(none, "authorization_details", details("credential", ""))...), "Bearer", false},
		"details of 2025":   {"app", ordered(append(none, "scope", "-", "authorization_details", details("https://cloudsignatureconsortium.org/2025/credential", `"locations":["x"],`))...), "Bearer", false},
		"documents":         {"app", ordered(append(none, "authorization_details", strings.ReplaceAll(details("credential", ""), `"label"`, `"hashType":"SDR","label"`))...), "Bearer", true},
		"public client":     {"phone", ordered("client_id", "phone", "redirect_uri", "http://127.0.0.1:51234/cb"), "Bearer", false},
	} {
		p := exchange(d.code(c.q), "redirect_uri", c.q.Get("redirect_uri"))
		if c.q.Get("code_challenge") == "" {
			p.Del("code_verifier")
		}
		if d.secrets[c.client] == "" {
			p.Set("client_id", c.client)
		}
		if text := c.q.Get("authorization_details"); text != "" { // as the EUDI client sends it once more
			p.Set("authorization_details", text)
		}
		got := d.read(d.call("/oauth2/token", c.client, p))
		if got.Type != c.typ || got.Scope != "credential" || got.Expires < 290 || got.Expires > 300 || got.Refresh != "" || got.Credential != cred {
			t.Errorf("%s: %+v", name, got)
		}
		if (c.q.Get("authorization_details") != "") != json.Valid(got.Details) {
			t.Errorf("%s: authorization_details %s", name, got.Details)
		}
		a, err := d.srv.Access(t.Context(), got.Access, nil)
		if err != nil || a.Scope != oauth.Credential || a.Handle != got.Access || a.Application != c.client || a.Holder != holderID {
			t.Errorf("%s: %+v %v", name, a, err)
		}
		o := d.rooms.orders[len(d.rooms.orders)-1]
		if len(o.Digests) != 2 || base64.RawURLEncoding.EncodeToString(o.Digests[1]) != hash("b") || o.Hash.String() != "SHA-256" ||
			o.Application != c.client || o.Documents != c.docs || o.Description != "Contratto" || o.Credential != cred {
			t.Errorf("%s: ordered %+v", name, o)
		}
		if d.call("/oauth2/revoke", c.client, params(map[string]string{"token": got.Access, "client_id": c.client})); d.opens(got.Access, "") != "" || d.rooms.dropped[len(d.rooms.dropped)-1] != got.Access {
			t.Errorf("%s: revoked, and still there", name)
		}
	}
}

func pad(s string) string { return s + strings.Repeat("=", (4-len(s)%4)%4) }

// TestPushed: what was pushed is shown and granted, and nothing that is added later.
func TestPushed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, client := range []string{"app", "phone"} {
		redirect := map[string]string{"app": callback, "phone": "app.example:/cb"}[client]
		r := d.call("/oauth2/pushed_authorize", client, ordered("client_id", client, "redirect_uri", redirect))
		got := d.read(r)
		if r.StatusCode != http.StatusCreated || got.Expires != 600 || !strings.HasPrefix(got.URI, "urn:ietf:params:oauth:request_uri:") {
			t.Fatalf("%s: %d %s", client, r.StatusCode, r.body)
		}
		v := d.visitor()
		q := url.Values{"client_id": {client}, "request_uri": {got.URI}, "state": {"another"}, "hashes": {hash("evil")}, "scope": {"service"}}
		v.get(q) // to look at the page again is no harm
		page := v.get(q)
		if !strings.Contains(page.body, "Contratto") {
			t.Errorf("%s: not on the page", client)
		}
		a := d.answer(v.decide(page), redirect)
		if a.Get("state") != "s-1" || a.Get("code") == "" {
			t.Errorf("%s: %v", client, a)
		}
		o := d.rooms.orders[len(d.rooms.orders)-1]
		if len(o.Digests) != 2 {
			t.Errorf("%s: %d digests", client, len(o.Digests))
		}
	}
}

// TestPage: what is signed is shown, by name and digest, and texts of the application
// cannot pass for ours.
func TestPage(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	v := d.visitor()
	page := v.get(ordered("description", "Contratto \u202e<b>", "lang", "it"))
	for _, want := range []string{"Contratto [U&#43;202E]&lt;b&gt;", "Application app", "app.example", "SHA-256", "Ada Lovelace", "ca978112 ca1bbdca", "Autorizza 2 firme", `lang="it"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self' https://app.example") {
		t.Errorf("policy %s", policy)
	}
	if english := v.get(ordered("lang", "en")); !strings.Contains(english.body, "Authorise 2 signatures") || !strings.Contains(english.body, "&amp;lang=it") {
		t.Error("no English page, or no way from it to Italian")
	}
	// A mistake brings the page again, with what was typed and the same request.
	again := v.decide(page, "password", "wrong")
	if again.StatusCode != http.StatusForbidden || !strings.Contains(again.body, `value="ada"`) || strings.Contains(again.body, "wrong") {
		t.Errorf("%d", again.StatusCode)
	}
	if a := d.answer(v.decide(again), callback); a.Get("code") == "" {
		t.Errorf("no code after a mistake: %v", a)
	}
	// Refusing needs no factors.
	v = d.visitor()
	if a := d.answer(v.decide(v.get(ordered()), "decision", "refuse", "password", "-"), callback); a.Get("error") != "access_denied" || a.Get("state") != "s-1" {
		t.Errorf("refused: %v", a)
	}
	// A form that is not ours, or of another browser, decides nothing.
	if r := d.visitor().decide(v.get(asked())); r.StatusCode != http.StatusForbidden {
		t.Errorf("another browser's form: %d", r.StatusCode)
	}
	for status, want := range map[string]int{"suspended": http.StatusConflict, "revoked": http.StatusConflict} {
		d.rooms.status = status
		if r := v.decide(v.get(ordered()), "username", "nobody"); r.StatusCode != want {
			t.Errorf("%s: %d", status, r.StatusCode)
		}
	}
}

// TestClientLibrary has golang.org/x/oauth2 as the application.
func TestClientLibrary(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var m struct{ Authorization_endpoint, Token_endpoint string }
	for _, at := range []string{"oauth-authorization-server", "openid-configuration"} {
		req, err := http.NewRequest("GET", d.url+"/.well-known/"+at, nil)
		if err := json.Unmarshal([]byte(d.do(d.http(""), req, err).body), &m); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, d.http(""))
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		app := oauth2.Config{ClientID: "app", ClientSecret: d.secrets["app"], RedirectURL: callback, Scopes: []string{"service"},
			Endpoint: oauth2.Endpoint{AuthURL: m.Authorization_endpoint, TokenURL: m.Token_endpoint, AuthStyle: style}}
		secret := oauth2.GenerateVerifier()
		at, err := url.Parse(app.AuthCodeURL("xyz", oauth2.S256ChallengeOption(secret)))
		if err != nil {
			t.Fatal(err)
		}
		v := d.visitor()
		a := d.answer(v.decide(v.get(at.Query())), callback)
		token, err := app.Exchange(ctx, a.Get("code"), oauth2.VerifierOption(secret))
		if err != nil || a.Get("state") != "xyz" || d.opens(token.AccessToken, "") != "app service h-1" {
			t.Fatalf("%v %+v", err, token)
		}
		token.Expiry = token.Expiry.AddDate(-1, 0, 0)
		next, err := app.TokenSource(ctx, token).Token()
		if err != nil || next.AccessToken == token.AccessToken || next.RefreshToken == token.RefreshToken {
			t.Errorf("refresh: %v %+v", err, next)
		}
	}
	machine := clientcredentials.Config{ClientID: "machine", ClientSecret: d.secrets["machine"], TokenURL: m.Token_endpoint}
	token, err := machine.Token(ctx)
	if err != nil || token.RefreshToken != "" || d.opens(token.AccessToken, "") != "machine service " {
		t.Errorf("for itself: %v %+v", err, token)
	}
}

// TestGrants: the holder sees what was granted and ends it.
func TestGrants(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	token := d.tokens("app", asked())
	all, err := d.srv.Grants(t.Context(), holderID)
	if err != nil || len(all) != 1 || all[0].Application != "app" || all[0].Name != "Application app" || all[0].Scope != oauth.Service || !all[0].Used.IsZero() {
		t.Fatalf("%+v %v", all, err)
	}
	d.opens(token.Access, "")
	d.later(90 * time.Second)
	d.opens(token.Access, "")
	all, err = d.srv.Grants(t.Context(), holderID)
	if err != nil || all[0].Used.Sub(all[0].Created) < 90*time.Second {
		t.Errorf("granted %v, last used %v: %v", all[0].Created, all[0].Used, err)
	}
	for _, c := range []struct{ holder, opens string }{{"h-2", "app service h-1"}, {holderID, ""}} {
		if err := d.srv.EndGrant(t.Context(), c.holder, all[0].ID); err != nil {
			t.Fatal(err)
		}
		if got := d.opens(token.Access, ""); got != c.opens {
			t.Errorf("ended by %s: the token opens %q", c.holder, got)
		}
	}
	if !slices.Equal(d.rooms.dropped, []string{""}) {
		t.Errorf("of what was authorised %q ended", d.rooms.dropped)
	}
	// An application that is removed has nothing any more, at once.
	token, order := d.tokens("app", asked()), d.tokens("app", ordered())
	if err := d.clients.Remove(t.Context(), "app", "test"); err != nil {
		t.Fatal(err)
	}
	if d.opens(token.Access, "") != "" || d.opens(order.Access, "") != "" {
		t.Error("tokens of an application that was removed")
	}
}
