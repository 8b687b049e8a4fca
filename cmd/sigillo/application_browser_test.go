package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"

	"sigillo/appliance"
	"sigillo/auth/courier"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/signing/remote"
	"sigillo/web/oauth"
)

// telephone gets the codes that a house sends to it, through a provider's HTTP interface.
type telephone struct {
	number string
	texts  chan string
}

func newTelephone(t *testing.T) (p *telephone, configure func(*appliance.Config)) {
	p = &telephone{number: "+393331234567", texts: make(chan string, 8)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ To, Text string }
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.To != p.number {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		p.texts <- in.Text
	}))
	t.Cleanup(srv.Close)
	return p, func(c *appliance.Config) {
		c.Courier = courier.Config{Driver: courier.DriverHTTP, HTTP: courier.HTTP{URL: srv.URL, Fields: map[string]any{"to": "{to}", "text": "{text}"}}}
	}
}

var smsDigits = regexp.MustCompile(`\b\d{6}\b`)

// code waits for the next code; what it is for must be said with it.
func (p *telephone) code(t *testing.T, purpose string) string {
	t.Helper()
	select {
	case text := <-p.texts:
		if !strings.Contains(text, purpose) {
			t.Errorf("the text does not say %q: %s", purpose, text)
		}
		return smsDigits.FindString(text)
	case <-time.After(30 * time.Second):
		t.Fatal("no code was sent")
		return ""
	}
}

// audit has axe-core examine the page that is shown, for WCAG 2.1 A and AA and good
// practice, as the tests of package web do with all others.
func (h *holderTab) audit(name string) {
	h.t.Helper()
	h.shot(name)
	axe, err := os.ReadFile("../../web/assets/node_modules/axe-core/axe.min.js")
	if err != nil {
		h.t.Logf("%s: axe-core is missing: run 'npm ci --ignore-scripts' in web/assets", name)
		return
	}
	found, err := chromedp.Run(h.ctx, chromedp.Evaluate[[]string](string(axe)+`
		;axe.run(document, {runOnly: {type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}, resultTypes: ["violations"]})
		.then((r) => r.violations.map((v) => v.id + ": " + v.help + ": " + v.nodes.map((n) => n.target.join(" ")).join(", ")))`, chromedp.EvalAwaitPromise))
	if err != nil {
		h.t.Fatalf("%s: axe-core: %v", name, err)
	}
	for _, v := range found {
		h.t.Errorf("%s: %s", name, v)
	}
	wide, err := chromedp.Run(h.ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > window.innerWidth`))
	if err != nil || wide {
		h.t.Errorf("%s: the page is wider than the window: %v", name, err)
	}
}

// browserApplication is an application with a page that the browser comes back to.
func (h *house) browserApplication(t *testing.T) *application {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "<!DOCTYPE html><html lang=en><title>app</title><h1>The application</h1><p id=answer>%s</p>", r.URL.Query().Encode())
	}))
	t.Cleanup(page.Close)
	app := h.application(t, func(c *oauth.Client) { c.Redirects = []string{page.URL + "/cb"} })
	app.RedirectURL = page.URL + "/cb"
	return app
}

// exchanged is the token that the application gets for the code which the browser has
// come back with.
func (a *application) exchanged(tab *holderTab, verifier string) *oauth2.Token {
	a.t.Helper()
	answer, err := url.ParseQuery(tab.text("#answer"))
	if err != nil || answer.Get("code") == "" {
		a.t.Fatalf("the application was told %v, %v", answer, err)
	}
	token, err := a.Exchange(context.Background(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		a.t.Fatal(err)
	}
	return token
}

// asksFor is the address of the page where one digest is authorised.
func (a *application) asksFor(credential, label string, digest [32]byte, verifier, lang string) string {
	details, _ := json.Marshal([]any{map[string]any{"type": "https://cloudsignatureconsortium.org/2025/credential", "credentialID": credential,
		"hashAlgorithmOID": oidSHA256, "numSignatures": 1, "documentDigests": []any{
			map[string]any{"hash": base64.StdEncoding.EncodeToString(digest[:]), "label": label, "hashType": "DTBSR"}}}})
	return a.AuthCodeURL("x", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("scope", "credential"),
		oauth2.SetAuthURLParam("authorization_details", string(details)), oauth2.SetAuthURLParam("lang", lang))
}

// signs has a digest signed and gives the status; sad is empty when the token is one.
func (a *application) signs(bearer, sad, credential string, digest [32]byte) int {
	in := map[string]any{"credentialID": credential, "hashes": []string{base64.StdEncoding.EncodeToString(digest[:])},
		"hashAlgorithmOID": oidSHA256, "signAlgo": oidECDSASHA256, "operationMode": "S"}
	if sad != "" {
		in["SAD"] = sad
	}
	return a.ask("v2/signatures/signHash", bearer, in, nil)
}

// TestApplicationFactorsInBrowser: on the pages for applications a holder uses a passkey,
// and in another browser a code that is sent; then sees what was granted, and ends it. A
// real browser, vault, token and courier.
func TestApplicationFactorsInBrowser(t *testing.T) {
	t.Parallel()
	phone, configure := newTelephone(t)
	h := newLocalHouse(t, configure)
	c, app := h.holder(t, hsm.P256), h.browserApplication(t)
	app.t = t
	verifier := oauth2.GenerateVerifier()
	one, two, three, four := sha256.Sum256([]byte("one")), sha256.Sum256([]byte("two")), sha256.Sum256([]byte("three")), sha256.Sum256([]byte("four"))
	const passkey = "[data-use=passkey]"

	tab := newTab(t)
	tab.withAuthenticator()
	tab.do("sign in", chromedp.Navigate(h.url+"/lang/en?next=/"), chromedp.WaitVisible("#username"), chromedp.SendKeys("#username", c.holder.Username),
		chromedp.SendKeys("#password", c.holder.Password), chromedp.SendKeys("#otp", c.mustOTP(t)), chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("#file"))
	tab.visit("passkey", h.url+"/security/devices/add?kind=passkey", "#label")
	tab.do("add a passkey", chromedp.SendKeys("#password", c.holder.Password), chromedp.SendKeys("#otp", c.mustOTP(t)), chromedp.Click("main button[type=submit]"), chromedp.WaitVisible(".notice"))
	tab.visit("phone", h.url+"/security/devices/add?kind=phone", "#to")
	tab.do("add a phone", chromedp.SendKeys("#to", "+39 333 123 4567"), chromedp.SendKeys("#password", c.holder.Password), chromedp.Click(passkey), chromedp.WaitVisible("[data-use=send]"))
	tab.do("send a code", chromedp.Click("[data-use=send]"))
	tab.do("confirm the phone", chromedp.SendKeys("#code", phone.code(t, "confirm this phone")), chromedp.Click("main button[type=submit]"), chromedp.WaitVisible(".notice"))

	factors := func(what string, use chromedp.Action[chromedp.Void]) {
		t.Helper()
		tab.do(what, chromedp.SendKeys("#username", c.holder.Username), chromedp.SendKeys("#password", c.holder.Password), use, chromedp.WaitVisible("#answer"))
	}
	tab.visit("consent", app.AuthCodeURL("x", oauth2.S256ChallengeOption(verifier))+"&lang=en", "#otp")
	tab.audit("application-consent")
	factors("consent with the passkey", chromedp.Click(passkey))
	service := app.exchanged(tab, verifier)
	tab.visit("authorise", app.asksFor(c.holder.Credential, "Contract.pdf", one, verifier, "en"), "#otp")
	tab.audit("application-authorise")
	factors("authorise with the passkey", chromedp.Click(passkey))
	if status := app.signs(app.exchanged(tab, verifier).AccessToken, "", c.holder.Credential, one); status != http.StatusOK {
		t.Errorf("authorised with the passkey: %d", status)
	}

	// What waits for the holder here.
	var left struct{ Handle string }
	app.leave(service.AccessToken, c.holder.Credential, two, &left)
	tab.visit("requests", h.url+"/requests", "input[name=password]")
	tab.audit("application-requests")
	tab.says("the request", "Gestionale Pratiche")
	tab.do("approve with the passkey", chromedp.SendKeys("input[name=password]", c.holder.Password), chromedp.Click(passkey), chromedp.WaitVisible(".notice"))
	if status := app.signs(service.AccessToken, app.outcome(service.AccessToken, left.Handle), c.holder.Credential, two); status != http.StatusOK {
		t.Errorf("approved with the passkey: %d", status)
	}

	// Another browser, without a passkey, which the house does not know.
	other := newTab(t)
	other.do("a phone's width", chromedp.EmulateViewport(390, 844))
	other.visit("authorise", app.asksFor(c.holder.Credential, "Contratto.pdf", three, verifier, "it"), "#otp")
	other.do("send a code to nobody", chromedp.Click("[data-use=send]"))
	other.do("send a code", chromedp.SendKeys("#username", c.holder.Username), chromedp.Click("[data-use=send]"), chromedp.WaitVisible(".factor-status"))
	code := phone.code(t, "firmare 1 documento")
	other.audit("application-authorise-phone")
	other.do("authorise with the code", chromedp.SendKeys("#password", c.holder.Password), chromedp.SendKeys("#otp", code),
		chromedp.Click("main .panel form:not(.refuse) button[type=submit]"), chromedp.WaitVisible("#answer"))
	if status := app.signs(app.exchanged(other, verifier).AccessToken, "", c.holder.Credential, three); status != http.StatusOK {
		t.Errorf("authorised with the code: %d", status)
	}
	if len(phone.texts) != 0 {
		t.Error("more codes were sent than asked for")
	}

	// What was granted ends, with what was authorised and is not signed.
	app.leave(service.AccessToken, c.holder.Credential, four, &left)
	tab.visit("approve another", h.url+"/requests", "input[name=password]")
	tab.do("approve another", chromedp.SendKeys("input[name=password]", c.holder.Password), chromedp.Click(passkey), chromedp.WaitVisible(".notice"))
	unsigned := app.outcome(service.AccessToken, left.Handle)
	app.leave(service.AccessToken, c.holder.Credential, one, &left)
	tab.visit("applications", h.url+"/security/applications", "main table")
	tab.audit("application-grants")
	tab.says("the applications", "Gestionale Pratiche")
	tab.do("end", chromedp.Click("main table form button"), chromedp.WaitVisible(".notice"))
	tab.audit("application-grants-none")
	if status := app.ask("v2/credentials/list", service.AccessToken, map[string]any{}, nil); status != http.StatusUnauthorized {
		t.Errorf("a token of what was ended: %d", status)
	}
	if _, err := h.Remote.Grant(unsigned); signing.KindOf(err) != remote.NoGrant {
		t.Errorf("an authorisation of what was ended: %v", err)
	}
	if waiting := h.Remote.Asked(t.Context(), h.holderID(t, c)); len(waiting) != 0 {
		t.Errorf("%d requests of what was ended wait", len(waiting))
	}
	tab.visit("sessions", h.url+"/security/sessions", "form[action='/security/browsers/forget']")
	tab.do("forget the browsers", chromedp.Click("form[action='/security/browsers/forget'] button"), chromedp.WaitVisible(".notice"))
	tab.audit("sessions-forgotten")
}

// leave leaves a request for the holder on the page.
func (a *application) leave(bearer, credential string, digest [32]byte, into *struct{ Handle string }) {
	a.t.Helper()
	status := a.ask("v2/credentials/authorize", bearer, map[string]any{"credentialID": credential, "numSignatures": 1, "hashes": []string{base64.StdEncoding.EncodeToString(digest[:])},
		"hashAlgorithmOID": oidSHA256, "description": "Pratica 2026/114", "authData": []any{map[string]any{"id": "PAGE"}}}, into)
	if status != http.StatusAccepted {
		a.t.Fatalf("leave: %d", status)
	}
}

// outcome is the SAD of a request that was approved.
func (a *application) outcome(bearer, handle string) string {
	a.t.Helper()
	var out struct{ SAD string }
	a.ask("v2/credentials/authorizeCheck", bearer, map[string]any{"handle": handle}, &out)
	return out.SAD
}
