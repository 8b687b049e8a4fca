package main

import (
	"encoding/base32"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"sigillo/appliance"
	"sigillo/auth"
	"sigillo/hsm"
	"sigillo/signing"
)

// newLocalHouse is an appliance whose address is a domain, as passkeys need it.
func newLocalHouse(t *testing.T, change ...func(*appliance.Config)) *house {
	t.Helper()
	dir := newFolder(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.BaseURL = fmt.Sprintf("http://localhost:%d", ln.Addr().(*net.TCPAddr).Port)
	for _, f := range change {
		f(&cfg)
	}
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	h := openOn(t, dir, ln)
	h.url = cfg.BaseURL
	return h
}

// withAuthenticator gives a browser Chromium's virtual authenticator.
func (h *holderTab) withAuthenticator() {
	h.t.Helper()
	if _, err := chromedp.Call(h.ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		h.t.Fatal(err)
	}
	_, err := chromedp.Call(h.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	if err != nil {
		h.t.Fatal(err)
	}
}

// visit goes to a page and waits for something on it.
func (h *holderTab) visit(what, url, selector string) {
	h.t.Helper()
	h.do(what, chromedp.Navigate(url), chromedp.WaitVisible(selector))
}

// TestPasskeyInBrowser: a holder adds a passkey, and signs in, signs, and looks after
// the own factors with it: a real browser, vault and token.
func TestPasskeyInBrowser(t *testing.T) {
	t.Parallel()
	h := newLocalHouse(t)
	c := h.holder(t, hsm.P256)
	tab := newTab(t)
	tab.withAuthenticator()
	const usePasskey = "[data-use=passkey]"

	tab.do("open", chromedp.Navigate(h.url+"/lang/en?next=/"), chromedp.WaitVisible("#username"))
	tab.do("sign in with a code", chromedp.SendKeys("#username", c.holder.Username), chromedp.SendKeys("#password", c.holder.Password),
		chromedp.SendKeys("#otp", c.mustOTP(t)), chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("#file"))
	tab.visit("passkey", h.url+"/security/devices/add?kind=passkey", "#label")
	tab.shot("passkey-add")
	tab.do("add the passkey", chromedp.SendKeys("#label", "My laptop"), chromedp.SendKeys("#password", c.holder.Password), chromedp.SendKeys("#otp", c.mustOTP(t)),
		chromedp.Click("main button[type=submit]"), chromedp.WaitVisible(".notice"))
	tab.says("the security page", "My laptop")
	tab.shot("security")

	tab.do("sign out", chromedp.Click(".site-out button"), chromedp.WaitVisible("#username"))
	tab.do("sign in with the passkey", chromedp.SendKeys("#username", c.holder.Username), chromedp.SendKeys("#password", c.holder.Password),
		chromedp.Click(usePasskey), chromedp.WaitVisible("#file"))
	if !h.journalled(t, "holder.signed-in", "methods", "pwd pop") {
		t.Error("the journal does not say that it was a passkey")
	}
	tab.do("upload", chromedp.SetUploadFiles("#file", []string{absolute(t, "contratto.pdf")}),
		chromedp.Click("#upload button[type=submit]"), chromedp.WaitVisible("#order button[type=submit]"))
	tab.do("prepare", chromedp.Click("#order button[type=submit]"), chromedp.WaitVisible("#otp"))
	tab.shot("sign-passkey")
	tab.do("sign with the passkey", chromedp.SendKeys("#password", c.holder.Password), chromedp.Click("main "+usePasskey), chromedp.WaitVisible("a[download]"))
	if state := h.lastTransaction(t, c); state != signing.Delivered {
		t.Errorf("the transaction is %s", state)
	}

	tab.visit("app", h.url+"/security/devices/add?kind=totp", "#label")
	tab.do("add an app with the passkey", chromedp.SendKeys("#label", "New phone"), chromedp.SendKeys("#password", c.holder.Password),
		chromedp.Click(usePasskey), chromedp.WaitVisible("#secret"))
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(tab.text("#secret"), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	tab.shot("device-qr")
	tab.do("confirm", chromedp.SendKeys("#code", auth.TOTP(secret, time.Now())), chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible(".notice"))
	tab.visit("codes", h.url+"/security/codes", "#password")
	tab.do("recovery codes", chromedp.SendKeys("#password", c.holder.Password), chromedp.Click(usePasskey), chromedp.WaitVisible(".codes"))
	tab.shot("codes")
	codes := strings.Fields(tab.text(".codes"))
	if len(codes) != auth.RecoveryCodes {
		t.Errorf("%d codes: %q", len(codes), codes)
	}

	const another = "sette gatti viola sul tetto"
	tab.visit("password", h.url+"/security/password", "#new")
	tab.shot("password")
	tab.do("change the password", chromedp.SendKeys("#password", c.holder.Password), chromedp.SendKeys("#new", another), chromedp.SendKeys("#repeated", another),
		chromedp.Click(usePasskey), chromedp.WaitVisible("#username"))
	if list, err := h.Sessions(t.Context(), h.holderID(t, c)); err != nil || len(list) != 0 {
		t.Errorf("sessions live on: %+v, %v", list, err)
	}
	tab.do("sign in with the new password and a recovery code", chromedp.SendKeys("#username", c.holder.Username), chromedp.SendKeys("#password", another),
		chromedp.SendKeys("#otp", codes[0]), chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("#file"))
	tab.visit("document", h.url+"/documents/"+h.lastDocument(t, c), "#order button[type=submit]")
	tab.do("prepare again", chromedp.Click("#order button[type=submit]"), chromedp.WaitVisible("#otp"))
	tab.do("sign under the new password", chromedp.SendKeys("#password", another), chromedp.Click("main "+usePasskey), chromedp.WaitVisible("a[download]"))
	if state := h.lastTransaction(t, c); state != signing.Delivered {
		t.Errorf("the second transaction is %s", state)
	}
}

// lastDocument is the identifier of the holder's youngest document.
func (h *house) lastDocument(t *testing.T, c *client) string {
	t.Helper()
	list, err := h.Signing.Documents(t.Context(), h.holderID(t, c))
	if err != nil || len(list) == 0 {
		t.Fatalf("%d documents, %v", len(list), err)
	}
	return list[0].ID
}
