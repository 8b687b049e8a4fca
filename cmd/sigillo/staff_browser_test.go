package main

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sigillo/auth"
	"sigillo/auth/staff"
	"sigillo/hsm"
	"sigillo/signing"
	"sigillo/store"
)

// A holder who was invited activates the signature in a browser, with a slip of the hand,
// signs in, and suspends the certificate with the emergency code, without signing in.
func TestActivateInBrowser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	n := demoPeople[0]
	hand, err := h.Invite(t.Context(), n, "operator")
	if err != nil {
		t.Fatal(err)
	}
	password := randomWords()
	tab := newTab(t)
	tab.do("open", chromedp.Navigate(h.url+"/lang/it?next=/activate"), chromedp.WaitVisible("#code"))
	tab.shot("activate")
	fill := func(code, password, again string) {
		t.Helper()
		tab.do("fill", chromedp.SendKeys("#code", code), chromedp.SendKeys("#password", password),
			chromedp.SendKeys("#again", again), chromedp.Click("main form button[type=submit]"))
	}
	fill("0000-0000", password, password)
	tab.do("refused", chromedp.WaitVisible("main > .summary"))
	tab.says("a wrong code", "Codice non riconosciuto")
	tab.shot("activate-refused")
	tab.do("again", chromedp.Navigate(h.url+"/activate"), chromedp.WaitVisible("#code"))
	fill(strings.ToLower(hand.Code), password, password)
	tab.do("QR code", chromedp.WaitVisible("img.qr"))
	tab.shot("activate-code")
	secret, err := base32Secret(strings.ReplaceAll(tab.hidden("#secret"), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	otp := early(secret)
	tab.do("wrong code", chromedp.SendKeys("#password", password), chromedp.SendKeys("#otp", wrongOTP(otp)),
		chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("main > .summary"))
	tab.shot("activate-again")
	otp = early(secret)
	used := earliest(time.Now())
	tab.do("confirm", chromedp.SendKeys("#password", password), chromedp.SendKeys("#otp", otp),
		chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("#emergency-code"))
	tab.shot("activated")
	code := strings.TrimSpace(tab.text("#emergency-code"))
	if !emergencyCode.MatchString(code) {
		t.Fatalf("emergency code %q", code)
	}
	token, err := h.SignIn(t.Context(), n.Username, signing.Evidence{Password: []byte(password), OTP: auth.TOTP(secret, time.Unix((used+1)*30, 0)), Client: "test"}, auth.Visit{Face: auth.Programs})
	if err != nil || token.Token == "" {
		t.Fatal(err)
	}

	tab.do("suspend", chromedp.Navigate(h.url+"/lang/en?next=/suspend"), chromedp.WaitVisible("#who"))
	tab.shot("emergency")
	tab.do("wrong", chromedp.SendKeys("#who", n.Username), chromedp.SendKeys("#code", "0000 0000 0000 0000"),
		chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("main > .summary"))
	tab.shot("emergency-refused")
	tab.do("right", chromedp.SendKeys("#code", strings.ToLower(code)),
		chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible(".verdict.good"))
	tab.shot("emergency-done")
	tab.says("the page", "The certificate is suspended")
	if s := h.status(t, h.serialByName(t, n.Username)); s != store.CertSuspended {
		t.Errorf("the certificate is %s", s)
	}
}

// hidden is the text of an element that is not shown.
func (h *holderTab) hidden(selector string) string {
	h.t.Helper()
	s, err := chromedp.Run(h.ctx, chromedp.Evaluate[string](`document.querySelector("`+selector+`").textContent`))
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// serialByName is the serial number of the one certificate of a holder.
func (h *house) serialByName(t testing.TB, username string) string {
	t.Helper()
	var row store.Holder
	err := h.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.HolderByUsername(username)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := h.Signing.Credentials(t.Context(), row.ID)
	if err != nil || len(list) != 1 {
		t.Fatal(err)
	}
	return list[0].Serial
}

// A member signs in at the administration's page of a real house, reads a proposal,
// approves it with a fresh code, and hands the activation code over; then takes a call.
func TestAdminInBrowser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ada := h.holder(t, hsm.P256)
	serial := h.serialOf(t, ada)
	emergency, err := h.NewEmergencyCode(t.Context(), serial, "test")
	if err != nil {
		t.Fatal(err)
	}
	staffed := h.appointed(t, staff.Security, staff.Certification)
	sara, carlo := staffed[0], staffed[1]
	n := colleagues[staff.RegistrationOperator]
	n.Role = staff.RegistrationOperator
	p, err := h.ProposeAppointment(t.Context(), carlo.Member, n)
	if err != nil {
		t.Fatal(err)
	}
	tab := newTab(t)
	tab.do("open", chromedp.Navigate(h.url+"/lang/it?next=/admin"), chromedp.WaitVisible("#otp"))
	tab.do("sign in", chromedp.SendKeys("#username", sara.Username), chromedp.SendKeys("#password", sara.password),
		chromedp.SendKeys("#otp", sara.otp()), chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("#open"))
	tab.shot("admin")
	tab.do("proposal", chromedp.Click(`a[href="/admin/proposals/`+p.ID+`"]`), chromedp.WaitVisible("#otp"))
	tab.says("the proposal", "Olga")
	tab.do("approve", chromedp.SendKeys("#password", sara.password), chromedp.SendKeys("#otp", sara.otp()),
		chromedp.Click(`form[action$="/approve"] button`), chromedp.WaitVisible("#activation-code"))
	tab.shot("admin-done")
	now, err := h.Activate(t.Context(), tab.text("#activation-code"), []byte(randomWords()), "test")
	if err != nil || !now.Staff || now.Username != n.Username {
		t.Errorf("%+v: %v", now, err)
	}
	tab.do("call", chromedp.Navigate(h.url+"/admin/holders"), chromedp.WaitVisible("#caller"), chromedp.SendKeys("#caller", ada.holder.Username),
		chromedp.SendKeys("#code", emergency), chromedp.Click(`form[action="/admin/emergency"] button`), chromedp.WaitVisible(".notice"))
	tab.shot("admin-holders")
	if s := h.status(t, serial); s != store.CertSuspended {
		t.Errorf("the certificate is %s", s)
	}
	if !h.journalled(t, "emergency.accepted", "", "") || !h.journalled(t, "proposal.approved", "proposer", carlo.ID) {
		t.Error("the journal lacks what was done")
	}
}
