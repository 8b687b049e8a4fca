package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"sigillo/hsm"
	"sigillo/signing"
)

// holderTab is a holder's browser: Debian's Chromium on a running appliance.
type holderTab struct {
	t         *testing.T
	ctx       context.Context
	downloads string
}

func newTab(t *testing.T, more ...chromedp.ExecAllocatorOption) *holderTab {
	t.Helper()
	bin, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("the package chromium is not installed")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(bin), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900), chromedp.Flag("accept-lang", "it"),
		chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("force-prefers-reduced-motion", true)) // pages scroll at once: a click would miss what moves
	opts = append(opts, more...)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	h := &holderTab{t: t, ctx: ctx, downloads: t.TempDir()}
	// The browser lives as long as the context of this first call.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	_, err = chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: h.downloads})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *holderTab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, 60*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		h.t.Fatalf("%s: %v\n%s", what, err, h.text("body"))
	}
}

func (h *holderTab) text(selector string) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.ctx, 10*time.Second)
	defer cancel()
	s, err := chromedp.Run(ctx, chromedp.Text(selector))
	if err != nil {
		h.t.Errorf("%s: %v", selector, err)
	}
	return s
}

// shot saves a picture of the whole page when SIGILLO_SCREENSHOTS names a
// folder.
func (h *holderTab) shot(name string) {
	h.t.Helper()
	dir := os.Getenv("SIGILLO_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(h.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		h.t.Error(err)
	}
}

// says fails when the page's main part lacks a word.
func (h *holderTab) says(what, word string) {
	h.t.Helper()
	if text := h.text("main"); !strings.Contains(strings.ToLower(text), strings.ToLower(word)) {
		h.t.Errorf("%s does not say %q:\n%s", what, word, text)
	}
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(document(name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// The whole flow of a holder in a browser, on a real appliance: sign in,
// upload, read the report and the pages, sign, download, look at the history,
// have a document refused, suspend the certificate.
func TestHolderInBrowser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.holder(t, hsm.P256)
	tab := newTab(t)
	tab.do("open", chromedp.Navigate(h.url+"/lang/it?next=/"), chromedp.WaitVisible("#username"))
	tab.shot("signin")
	tab.do("sign in", chromedp.SendKeys("#username", c.holder.Username), chromedp.SendKeys("#password", c.holder.Password),
		chromedp.SendKeys("#otp", c.mustOTP(t)), chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("#file"))
	tab.do("upload", chromedp.SetUploadFiles("#file", []string{absolute(t, "contratto.pdf")}),
		chromedp.Click("#upload button[type=submit]"), chromedp.WaitVisible(".verdict"), chromedp.WaitVisible("img.sheet"))
	wide, err := chromedp.Run(tab.ctx, chromedp.Poll[bool](`document.querySelector("img.sheet").naturalWidth > 500`))
	if err != nil || !wide {
		t.Errorf("the page image is not shown: %v", err)
	}
	tab.shot("document")
	tab.do("prepare", chromedp.Click("#order button[type=submit]"), chromedp.WaitVisible("#otp"))
	tab.shot("sign")
	tab.do("sign", chromedp.SendKeys("#password", c.holder.Password), chromedp.SendKeys("#otp", c.mustOTP(t)),
		chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("a[download]"))
	tab.shot("result")
	tab.says("the result", "contratto-firmato.pdf")
	tab.says("the result", "TOTAL_PASSED")
	tab.do("download", chromedp.Click("a[download]"))
	if j := pdfsig(t.Context(), waitFile(t, tab.downloads, "contratto-firmato.pdf"), signing.BT); j.err != nil {
		t.Error(j.err)
	}
	tab.do("history", chromedp.Navigate(h.url+"/history"), chromedp.WaitVisible("h1"))
	tab.shot("history")
	tab.says("the history", "contratto")
	tab.do("refusal", chromedp.Navigate(h.url+"/lang/en?next=/"), chromedp.WaitVisible("#file"),
		chromedp.SetUploadFiles("#file", []string{absolute(t, "contratto-javascript.pdf")}),
		chromedp.Click("#upload button[type=submit]"), chromedp.WaitVisible(".verdict.bad"))
	tab.shot("refused")
	tab.says("the refusal", "JavaScript")
	id := h.holderID(t, c)
	tab.do("suspend", chromedp.Navigate(h.url+"/certificates/"+c.holder.Credential+"/suspend"), chromedp.WaitVisible("main form button[type=submit]"))
	tab.shot("suspend")
	// Not the heading, which the page before has too: going elsewhere before
	// the answer is there would break off one of the two navigations.
	tab.do("confirm", chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible(".notice"))
	waitSuspended(t, h, id)
	tab.do("certificates", chromedp.Navigate(h.url+"/certificates"), chromedp.WaitVisible("h1"))
	tab.shot("certificates")
	tab.says("the certificate", "suspended")
	if state := h.lastTransaction(t, c); state != signing.Delivered {
		t.Errorf("the transaction is %s", state)
	}
}

// waitFile waits until a download is complete.
func waitFile(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	for range 200 {
		if exists(path) && !exists(path+".crdownload") {
			return path
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s was not downloaded", name)
	return ""
}

// waitSuspended waits until the holder's certificate is seen as suspended.
func waitSuspended(t *testing.T, h *house, holder string) {
	t.Helper()
	for range 100 {
		list, err := h.Signing.Credentials(t.Context(), holder)
		if err == nil && len(list) == 1 && list[0].Status == "suspended" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the certificate was not suspended")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
