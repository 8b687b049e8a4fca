package web

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestBrowser walks the main job in a real browser, with the script, in both
// languages and at two widths. Set SIGILLO_SCREENSHOTS to a folder to get
// pictures to look at, in all four combinations.
func TestBrowser(t *testing.T) {
	bin, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("Debian package chromium is not installed")
	}
	shots := os.Getenv("SIGILLO_SCREENSHOTS")
	if shots == "" {
		shots = t.TempDir()
	}
	type walker struct {
		lang  string
		width int64
	}
	cases := []walker{{"it", 1280}, {"en", 390}}
	if os.Getenv("SIGILLO_SCREENSHOTS") != "" { // a person wants to look
		cases = append(cases, walker{"en", 1280}, walker{"it", 390})
	}
	for _, c := range cases {
		name := c.lang + "-" + map[int64]string{1280: "desktop", 390: "phone"}[c.width]
		t.Run(name, func(t *testing.T) { walk(t, bin, filepath.Join(shots, name), c.lang, c.width) })
	}
}

type stroll struct {
	t     *testing.T
	ctx   context.Context
	w     *wall
	shots string
}

func walk(t *testing.T, bin, shots, lang string, width int64) {
	w := build(t)
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(bin), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("accept-lang", lang))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	defer cancel()
	ctx, cancel := chromedp.NewContext(alloc)
	defer cancel()
	// The browser lives as long as the context of this first call.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	s := &stroll{t, ctx, w, shots}
	dir := t.TempDir()
	var files []string
	for _, f := range []formFile{{"Contratto di locazione.pdf", "%PDF-1.7 a"}, {"Lettera con macro.docx", "PK"}, {"Modulo script.pdf", "%PDF-1.7 b"}} {
		files = append(files, filepath.Join(dir, f.name))
		if err := os.WriteFile(files[len(files)-1], []byte(f.data), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	s.run("open", chromedp.EmulateViewport(width, 900), chromedp.Navigate(w.url+"/lang/"+lang+"?next=/"), chromedp.WaitVisible("#otp"))
	s.shot("01-signin")
	s.fill("222 222", "wrong password")
	s.run("refused", chromedp.SendKeys("#username", testUser), chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("main > .summary"))
	if focused := eval[string](s, `document.activeElement.className`); focused != "summary" {
		t.Errorf("focus is on %q, not on the error summary", focused)
	}
	s.shot("02-signin-refused")
	s.fill("111111", testPassword)
	s.run("sign in", chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("#file"))
	s.shot("03-home-empty")
	s.run("upload", chromedp.SetUploadFiles("#file", files), chromedp.Click("#upload button[type=submit]"), chromedp.WaitVisible(".selectable"))
	s.shot("04-home")
	s.run("document", chromedp.Navigate(w.url+"/documents/d-1"), chromedp.WaitVisible(".sheet"))
	s.shot("05-document")
	s.run("confirm", chromedp.Navigate(w.url+"/documents/d-2"), chromedp.WaitVisible("#confirmed"))
	s.shot("06-document-confirm")
	s.run("refuse", chromedp.Navigate(w.url+"/documents/d-3"), chromedp.WaitVisible(".verdict.bad"))
	s.shot("07-document-refused")
	s.run("choose two", chromedp.Navigate(w.url+"/"), chromedp.WaitVisible(".selectable"), chromedp.Click("input[value=d-1]"),
		chromedp.Click("input[value=d-2]"), chromedp.Click("form[action='/together'] button"), chromedp.WaitVisible("#confirmed"))
	s.shot("08-together")
	s.run("prepare", chromedp.Click("#confirmed"), chromedp.Click("#order button[type=submit]"), chromedp.WaitVisible("#otp"))
	s.shot("09-sign")
	s.fill("333333", testPassword)
	s.run("sign", chromedp.Click("main button[type=submit]"), chromedp.WaitVisible(".done-head"))
	s.shot("10-result")
	for _, p := range []string{"history", "certificates", "certificates/c-1/suspend", "api/v1/docs", "nowhere"} {
		s.run(p, chromedp.Navigate(w.url+"/"+p), chromedp.WaitVisible("h1"))
		s.shot("11-" + strings.ReplaceAll(p, "/", "-"))
	}
	if !eval[bool](s, `performance.getEntriesByType("resource").every(e => e.name.startsWith(location.origin) || e.name.startsWith("data:"))`) {
		t.Error("something was loaded from elsewhere")
	}
	if len(w.rooms.txs) != 1 || len(w.rooms.txs["t-1"].Items) != 2 {
		t.Error("one transaction of two documents expected")
	}
}

func (s *stroll) run(what string, actions ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if s.ctx.Err() != nil {
		s.t.Fatalf("%s: %v", what, s.ctx.Err())
	}
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		s.t.Fatalf("%s: %v\n%s\n%s", what, err, pageText(s), s.w.log.String())
	}
}

func pageText(s *stroll) string {
	text, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`document.documentElement.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

func eval[T any](s *stroll, expression string) T {
	s.t.Helper()
	v, err := chromedp.Run(s.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		s.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (s *stroll) fill(otp, password string) {
	s.t.Helper()
	s.run("fill", chromedp.SendKeys("#password", password), chromedp.SendKeys("#otp", otp))
}

// shot takes a picture of the whole page and checks what every page must
// fulfil in a browser: no sideways scrolling, no broken image.
func (s *stroll) shot(name string) {
	s.t.Helper()
	s.run(name, chromedp.Sleep(150*time.Millisecond))
	png, err := chromedp.Run(s.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	if eval[bool](s, `document.documentElement.scrollWidth > document.documentElement.clientWidth`) {
		s.t.Errorf("%s scrolls sideways", name)
	}
	if broken := eval[int](s, `Array.from(document.images).filter(i => i.complete && i.naturalWidth === 0).length`); broken > 0 {
		s.t.Errorf("%s has %d broken images", name, broken)
	}
	if err := os.MkdirAll(s.shots, 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.shots, name+".png"), png, 0o600); err != nil {
		s.t.Fatal(err)
	}
}
