package main

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sigillo/appliance"
	"sigillo/hsm"
)

// TestPhoneInBrowser: a holder registers a phone on the pages, and is told why there is
// no second code at once. The rest of the way is TestCodeByCourier's.
func TestPhoneInBrowser(t *testing.T) {
	t.Parallel()
	p := mailProvider(t)
	dir := newFolder(t)
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Courier = p.cfg
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	h := open(t, dir)
	c, number := h.holder(t, hsm.P256), aNumber()
	tab := newTab(t)
	const send, submit = "[data-use=send]", "main button[type=submit]"
	code := func() string { return sentDigits.FindString(p.next(t, number[1:])) }
	tab.do("open", chromedp.Navigate(h.url+"/lang/it?next=/"), chromedp.WaitVisible("#username"))
	tab.do("sign in", chromedp.SendKeys("#username", c.holder.Username), chromedp.SendKeys("#password", c.holder.Password),
		chromedp.SendKeys("#otp", c.mustOTP(t)), chromedp.Click(submit), chromedp.WaitVisible("#file"))
	tab.visit("phone", h.url+"/security/devices/add?kind=phone", "#to")
	tab.shot("phone-add")
	tab.do("add the phone", chromedp.SendKeys("#to", number), chromedp.SendKeys("#password", c.holder.Password),
		chromedp.SendKeys("#otp", c.mustOTP(t)), chromedp.Click(submit), chromedp.WaitVisible("#code"))
	tab.do("ask for a code", chromedp.Click(send))
	tab.do("confirm", chromedp.SendKeys("#code", code()), chromedp.Click(submit), chromedp.WaitVisible(".notice"))
	tab.shot("phone-added")
	tab.visit("home", h.url+"/", "#file")
	tab.do("upload", chromedp.SetUploadFiles("#file", []string{absolute(t, "contratto.pdf")}), chromedp.Click("#upload button[type=submit]"),
		chromedp.WaitVisible("#order button[type=submit]"))
	tab.do("prepare", chromedp.Click("#order button[type=submit]"), chromedp.WaitVisible(send))
	// One code a minute: the page says so, and for how long.
	tab.do("ask again", chromedp.Click(send))
	said, err := chromedp.Run(tab.ctx, chromedp.Poll[bool](`document.querySelector(".factor-status").textContent.includes("Puoi chiederne un altro tra")`,
		chromedp.WithPollingTimeout(30*time.Second)))
	if err != nil || !said {
		t.Errorf("%v: %s", err, tab.text("main"))
	}
	tab.shot("sign-code-soon")
	tab.visit("activation", h.url+"/activate", "#part")
	tab.shot("activate-two-parts")
}
