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
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"sigillo/hsm"
	"sigillo/signing"
)

// tab opens a page in Debian's Chromium.
func tab(t *testing.T, width, height int) (context.Context, string) {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("the package chromium is not installed")
	}
	downloads := t.TempDir()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(width, height),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("lang", "it"),
		chromedp.Env("LANGUAGE=it"), chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(cancel)
	return ctx, downloads
}

// shot saves a screenshot of the whole page when SIGILLO_SCREENSHOTS names a
// folder.
func shot(name string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		dir := os.Getenv("SIGILLO_SCREENSHOTS")
		if dir == "" {
			return nil
		}
		var png []byte
		if err := chromedp.FullScreenshot(&png, 100).Do(ctx); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	})
}

// The whole flow of a holder in a browser, on a real appliance: sign in,
// upload, read the report and the pages, sign, download, look at the history,
// have a document refused, suspend the certificate.
func TestHolderInBrowser(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.holder(t, hsm.P256)
	ctx, downloads := tab(t, 1280, 900)
	contract, err := filepath.Abs(document("contratto.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs(document("contratto-javascript.pdf"))
	if err != nil {
		t.Fatal(err)
	}
	var report, done, history, refused, suspended, url string
	run(t, ctx, "sign in",
		browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(downloads),
		chromedp.Navigate(h.url),
		chromedp.WaitVisible("#username"),
		shot("1-accesso"),
		chromedp.SendKeys("#username", c.holder.Username),
		chromedp.SendKeys("#password", c.holder.Password),
		chromedp.SendKeys("#otp", c.mustOTP(t)),
		chromedp.Submit("#otp"),
		chromedp.WaitVisible("#file"))
	run(t, ctx, "upload",
		chromedp.SetUploadFiles("#file", []string{contract}),
		shot("2-caricamento"),
		chromedp.Click("#upload button[type=submit]"),
		chromedp.WaitVisible(".verdict"),
		chromedp.WaitVisible("img.sheet"),
		chromedp.Poll(`document.querySelector("img.sheet").naturalWidth > 500`, nil),
		chromedp.Text(".verdict", &report),
		shot("3-documento"))
	run(t, ctx, "prepare",
		chromedp.Evaluate(`(() => { const c = document.querySelector("input[name=confirmed]"); if (c) c.click() })()`, nil),
		chromedp.Click(`form[action="/transactions"] button[type=submit]`),
		chromedp.WaitVisible("#otp"),
		shot("4-firma"))
	run(t, ctx, "sign",
		chromedp.SendKeys("#password", c.holder.Password),
		chromedp.SendKeys("#otp", c.mustOTP(t)),
		chromedp.Submit("#otp"),
		chromedp.WaitVisible("a[download]"),
		chromedp.Text("main", &done),
		shot("5-risultato"))
	run(t, ctx, "download",
		chromedp.Click("a[download]"),
		waitFile(downloads))
	run(t, ctx, "history",
		chromedp.Navigate(h.url+"/history"),
		chromedp.Text("main", &history),
		shot("6-cronologia"))
	run(t, ctx, "refusal",
		chromedp.Navigate(h.url+"/lang/en"),
		chromedp.Navigate(h.url),
		chromedp.SetUploadFiles("#file", []string{script}),
		chromedp.Click("#upload button[type=submit]"),
		chromedp.WaitVisible(".verdict"),
		chromedp.Text(".verdict", &refused),
		shot("7-refused"))
	run(t, ctx, "suspend",
		chromedp.Navigate(h.url+"/certificates"),
		shot("8-certificates"),
		chromedp.Click(`a[href*="/suspend"]`),
		chromedp.WaitVisible(`form[action$="/suspend"]`),
		chromedp.Evaluate(`document.querySelectorAll('form[action$="/suspend"] input[type=checkbox]').forEach(c => c.checked || c.click())`, nil),
		chromedp.Click(`form[action$="/suspend"] button[type=submit]`),
		chromedp.Sleep(500*time.Millisecond),
		chromedp.Location(&url),
		chromedp.Text("main", &suspended),
		shot("9-suspended"))
	for what, text := range map[string][2]string{
		"the report":     {report, "rma"}, // «firma» in some form
		"the result":     {done, "contratto-firmato.pdf"},
		"the validation": {done, "TOTAL_PASSED"},
		"the history":    {history, "contratto"},
		"the refusal":    {strings.ToLower(refused), "javascript"},
		"the suspension": {strings.ToLower(suspended), "suspended"},
	} {
		if !strings.Contains(text[0], text[1]) {
			t.Errorf("%s does not say %q:\n%s", what, text[1], text[0])
		}
	}
	signed := filepath.Join(downloads, "contratto-firmato.pdf")
	if j := pdfsig(t.Context(), signed); j.err != nil {
		t.Error(j.err)
	}
	list, err := h.Signing.Credentials(t.Context(), h.holderID(t, c))
	if err != nil || len(list) != 1 || list[0].Status != "suspended" {
		t.Errorf("the certificate is %+v, %v", list, err)
	}
	if state := h.lastTransaction(t, c); state != signing.Delivered {
		t.Errorf("the transaction is %s", state)
	}
}

func run(t *testing.T, ctx context.Context, what string, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var text string
		_ = chromedp.Run(ctx, chromedp.Text("body", &text))
		t.Fatalf("%s: %v\n%s", what, err, text)
	}
}

// waitFile waits until a download is complete.
func waitFile(dir string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			entries, err := os.ReadDir(dir)
			if err != nil {
				return err
			}
			if len(entries) == 1 && !strings.HasSuffix(entries[0].Name(), ".crdownload") {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}

// On a telephone, without JavaScript, in English: a form that works.
func TestSignInWithoutScript(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	c := h.holder(t, hsm.P256)
	ctx, _ := tab(t, 390, 844)
	var main string
	run(t, ctx, "sign in",
		emulation.SetScriptExecutionDisabled(true),
		chromedp.Navigate(h.url+"/lang/en"),
		chromedp.Navigate(h.url),
		shot("phone-1-signin"),
		chromedp.SendKeys("#username", c.holder.Username, chromedp.ByQuery),
		chromedp.SendKeys("#password", c.holder.Password, chromedp.ByQuery),
		chromedp.SendKeys("#otp", c.mustOTP(t)+"\r", chromedp.ByQuery),
		chromedp.WaitReady("#file", chromedp.ByQuery),
		chromedp.TextContent("main", &main, chromedp.ByQuery),
		shot("phone-2-home"))
	if !strings.Contains(main, "Upload") {
		t.Errorf("the page is not in English:\n%s", main)
	}
}
