package main

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sigillo/auth"
	"sigillo/auth/staff"
	counters "sigillo/signing/counter"
	"sigillo/vault"
)

// TestStaffPasskeys: members add passkeys, in a real browser. With one a tablet is confirmed,
// with the other a session begun; a code is then not enough. With recovery codes and a new
// password the operator goes on as a holder does.
func TestStaffPasskeys(t *testing.T) {
	t.Parallel()
	h := newLocalHouse(t)
	ctx := t.Context()
	team := h.appointed(t, staff.Technical, staff.RegistrationOperator)
	tina, olga := team[0], team[1]
	by := h.named(t, "olga")
	c, err := h.Counter.RegisterCustomer(ctx, by, counters.NewCustomer{GivenName: "Ada", Surname: "Esempio", FiscalCode: "SMPDAA80A41H501X", Identification: identity})
	if err != nil {
		t.Fatal(err)
	}
	tab := newTab(t)
	tab.withAuthenticator()
	const usePasskey = "main [data-use=passkey]"
	signIn := func(c *clerk, code string) {
		t.Helper()
		tab.do("sign in", chromedp.WaitVisible("#username"), chromedp.SendKeys("#username", c.Username), chromedp.SendKeys("#password", c.password),
			chromedp.SendKeys("#otp", code), chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible(".site-out"))
	}
	addPasskey := func(c *clerk) {
		t.Helper()
		signIn(c, c.otp())
		tab.visit("factors", h.url+"/admin/security", "main a[href$='kind=passkey']")
		tab.visit("passkey", h.url+"/admin/security/devices/add?kind=passkey", "#label")
		tab.do("add the passkey", chromedp.SendKeys("#label", "Key of "+c.Username), chromedp.SendKeys("#password", c.password), chromedp.SendKeys("#otp", c.otp()),
			chromedp.Click("main button[type=submit]"), chromedp.WaitVisible(".notice"))
		tab.says("the page of the factors", "Key of "+c.Username)
		if !h.journalled(t, "staff.device-added", "kind", string(vault.Passkey)) {
			t.Error("the journal does not say that a member has a passkey")
		}
	}
	tab.do("open", chromedp.Navigate(h.url+"/lang/en?next=/admin/signin"))
	addPasskey(tina)
	tab.shot("admin-security")
	p := h.pending(t, tina)
	tab.visit("tablets", h.url+"/counter/tablets", "#same-"+p.id)
	tab.shot("tablets-passkey")
	confirm := "form[action$='/confirm'] "
	tab.do("confirm with a code", chromedp.Click("#same-"+p.id), chromedp.SendKeys(confirm+"[name=password]", tina.password), chromedp.SendKeys(confirm+"[name=otp]", tina.otp()),
		chromedp.Click(confirm+"button[type=submit]"), chromedp.WaitVisible(".summary"))
	tab.do("confirm with the passkey", chromedp.Click("#same-"+p.id), chromedp.SendKeys(confirm+"[name=password]", tina.password), chromedp.Click(usePasskey), chromedp.WaitVisible(".notice"))
	tab.do("sign out", chromedp.Click(".site-out button"))
	addPasskey(olga)

	p.state(t)
	s, err := h.Counter.OpenEnrolment(ctx, by, counters.NewEnrolment{Holder: c.ID, Tablet: p.id, Identification: identity})
	if err != nil {
		t.Fatal(err)
	}
	tab.visit("session", h.url+"/counter/sessions/"+s.ID, "#otp")
	tab.shot("counter-begin-passkey")
	tab.do("begin with a code", chromedp.SendKeys("#otp", olga.otp()), chromedp.Click("form[action$='/begin'] button[type=submit]"), chromedp.WaitVisible(".summary"))
	tab.do("begin with the passkey", chromedp.WaitVisible(usePasskey), chromedp.Click(usePasskey))
	for began := time.Now(); s.State != counters.Reading; time.Sleep(50 * time.Millisecond) {
		if s, err = h.Counter.Session(ctx, by, s.ID); err != nil || time.Since(began) > time.Minute {
			t.Fatalf("%+v %v", s, err)
		}
	}
	if s, err = h.Counter.Cancel(ctx, by, s.ID, counters.WhyOperator); err != nil {
		t.Fatal(err)
	}

	tab.visit("codes", h.url+"/admin/security/codes", "#password")
	tab.do("recovery codes", chromedp.SendKeys("#password", olga.password), chromedp.Click(usePasskey), chromedp.WaitVisible(".codes"))
	codes := strings.Fields(tab.text(".codes"))
	if len(codes) != auth.RecoveryCodes {
		t.Fatalf("%d codes: %q", len(codes), codes)
	}
	const another = "sette gatti viola sul tetto"
	tab.visit("password", h.url+"/admin/security/password", "#new")
	tab.do("change the password", chromedp.SendKeys("#password", olga.password), chromedp.SendKeys("#new", another), chromedp.SendKeys("#repeated", another),
		chromedp.Click(usePasskey), chromedp.WaitVisible("#username"))
	olga.password = another
	signIn(olga, codes[0])
	h.must(t, "", "journal", "verify")
}
