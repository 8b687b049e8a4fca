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
	"github.com/chromedp/chromedp/kb"

	"sigillo/signing"
	"sigillo/vault"
)

// TestBrowser walks the main job in a real browser, with the script, in both
// languages and at two widths, and has axe-core examine every page of it. Set
// SIGILLO_SCREENSHOTS to a folder to get pictures to look at, in all four
// combinations.
func TestBrowser(t *testing.T) {
	bin := chromium(t)
	axe := readAxe(t)
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
		t.Run(name, func(t *testing.T) { walk(t, bin, axe, filepath.Join(shots, name), c.lang, c.width) })
	}
}

func chromium(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("Debian package chromium is not installed")
	}
	return bin
}

type stroll struct {
	t     *testing.T
	ctx   context.Context
	w     *wall
	shots string
	axe   string // source of axe-core; empty when it is not there
}

// open starts a browser that ends with the test.
func open(t *testing.T, w *wall, bin, lang string) *stroll {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(bin), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("accept-lang", lang),
		chromedp.Flag("force-prefers-reduced-motion", true)) // pages scroll at once: a click would miss what moves
	alloc, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), opts...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	// The browser lives as long as the context of this first call.
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatal(err)
	}
	return &stroll{t: t, ctx: ctx, w: w}
}

func walk(t *testing.T, bin, axe, shots, lang string, width int64) {
	d := newDesk(t)
	d.verified = width > 1000
	l := &locksmith{codes: 3, devices: []vault.DeviceStatus{{ID: "d1", Kind: vault.TOTP, Label: "Telefono", Confirmed: true}, {ID: "d2", Kind: vault.Phone, To: "*********4567"}}}
	w := build(t, withLocksmith(l), withDesk(d, StampPageHolders), func(c *Config) { c.UnverifiedClock = !d.verified })
	s := open(t, w, bin, lang)
	s.shots, s.axe = shots, axe
	dir := t.TempDir()
	var files []string
	for _, f := range []formFile{{"Contratto di locazione.pdf", "%PDF-1.7 a"}, {"Lettera con macro.docx", "PK"}, {"Modulo script.pdf", "%PDF-1.7 b"},
		{"Lettera con campi.docx", "PK b"}, {"Contratto in due versioni.pdf", "%PDF-1.7 c"}} {
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
	s.viewer()
	s.run("confirm", chromedp.Navigate(w.url+"/documents/d-2"), chromedp.WaitVisible("#confirmed"))
	s.shot("06-document-confirm")
	s.run("refuse", chromedp.Navigate(w.url+"/documents/d-3"), chromedp.WaitVisible(".verdict.bad"))
	s.shot("07-document-refused")
	s.run("differs", chromedp.Navigate(w.url+"/documents/d-5"), chromedp.WaitVisible(".pair"))
	s.shot("07-document-differs")
	s.run("convertible", chromedp.Navigate(w.url+"/documents/d-4"), chromedp.WaitVisible("form[action$='/convert']"))
	s.shot("07-document-convertible")
	s.run("convert", chromedp.Click("form[action$='/convert'] button"), chromedp.WaitVisible(".viewer"))
	if at := eval[string](s, `location.pathname`); at != "/documents/d-6" {
		t.Errorf("the converted document is at %s", at)
	}
	s.shot("07-document-converted")
	s.run("choose two", chromedp.Navigate(w.url+"/"), chromedp.WaitVisible(".selectable"), chromedp.Click("input[value=d-1]"),
		chromedp.Click("input[value=d-2]"), chromedp.Click("form[action='/together'] button"), chromedp.WaitVisible("#confirmed"))
	s.shot("08-together")
	s.run("prepare", chromedp.Click("#confirmed"), chromedp.Click("#order button[type=submit]"), chromedp.WaitVisible("#otp"))
	s.shot("09-sign")
	s.fill("333333", testPassword)
	s.run("sign", chromedp.Click("main button[type=submit]"), chromedp.WaitVisible(".done-head"))
	s.shot("10-result")
	for _, p := range []string{"history", "certificates", "certificates/c-1/suspend", "security/sessions", "security", "security/devices/add?kind=phone", "security/devices/d2/confirm", "security/devices/d1/remove", "security/devices/d1/resync", "security/codes", "security/password", "api/v1/docs", "nowhere"} {
		s.run(p, chromedp.Navigate(w.url+"/"+p), chromedp.WaitVisible("h1"))
		s.shot("11-" + strings.NewReplacer("/", "-", "?", "-").Replace(p))
	}
	if !eval[bool](s, `performance.getEntriesByType("resource").every(e => e.name.startsWith(location.origin) || e.name.startsWith("data:"))`) {
		t.Error("something was loaded from elsewhere")
	}
	if len(w.rooms.txs) != 1 || len(w.rooms.txs["t-1"].Items) != 2 {
		t.Error("one transaction of two documents expected")
	}
	s.otherPages()
	s.stampPages()
}

// otherPages are those that the main job does not lead to.
func (s *stroll) otherPages() {
	s.w.rooms.mu.Lock()
	s.w.rooms.txs["t-w"] = &signing.Transaction{ID: "t-w", State: signing.Authorised, Items: []signing.Item{{Name: "a.pdf"}}}
	s.w.rooms.txs["t-f"] = &signing.Transaction{ID: "t-f", State: signing.Failed, Error: "busy", Items: []signing.Item{{Name: "a.pdf", Document: "d-1"}}}
	s.w.rooms.suspended = true
	s.w.rooms.mu.Unlock()
	for _, p := range []struct{ name, path string }{{"all", "/documents/d-1?view=all"}, {"failed", "/transactions/t-f"},
		{"suspended", "/certificates?suspended=1"}, {"no-credential", "/documents/d-1"}, {"blocked", "/together?document=d-1&document=d-3"},
		{"working", "/transactions/t-w"}} {
		s.run(p.name, chromedp.Navigate(s.w.url+p.path), chromedp.WaitVisible("h1"))
		if p.name == "working" {
			eval[bool](s, `window.stop(); true`) // or it refreshes while it is examined
		}
		s.shot("12-" + p.name)
	}
	s.run("idle", chromedp.Navigate(s.w.url+"/"), chromedp.WaitVisible("h1"))
	eval[bool](s, `for (const id of ["idle", "upload-progress"]) document.getElementById(id).hidden = false; true`)
	s.shot("13-idle")
}

// TestSignByKeyboard signs in and signs with the keyboard alone: the order of
// the focus is that of the page, and one always sees where it is.
func TestSignByKeyboard(t *testing.T) {
	w := build(t)
	doc, err := w.rooms.Upload(t.Context(), testHolder, "a.pdf", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	tx, err := w.rooms.Prepare(t.Context(), testHolder, signing.Request{Credential: testCred,
		Documents: []signing.Order{{Document: doc.ID, Form: signing.PAdES, Level: signing.BT}}})
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, w, chromium(t), "en")
	s.run("open", chromedp.EmulateViewport(1280, 600), chromedp.Navigate(w.url+"/signin?next=/transactions/"+tx.ID), chromedp.WaitVisible("#otp"))
	if id := s.focus().ID; id != "username" {
		t.Fatalf("the focus begins on %q", id)
	}
	s.run("sign in", chromedp.KeyEvent(testUser+kb.Tab+testPassword+kb.Tab+"111111"+kb.Enter), chromedp.WaitVisible("#warning"))

	s.tab()
	if at := s.focus(); at.Name != "#main" {
		t.Errorf("the first stop is %+v, not the link that skips to the content", at)
	}
	s.run("skip", chromedp.KeyEvent(kb.Enter))
	var stops []string
	for at := s.tab(); at.Name != "/"; at = s.tab() { // the last one cancels
		if stops = append(stops, at.Name); len(stops) > 20 {
			break
		}
	}
	if got := strings.Join(stops, " "); got != "/documents/d-1 /documents/d-1#pages SUMMARY password otp button submit" {
		t.Errorf("stops after the skip link: %s", got)
	}
	back := chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift))
	s.run("back to the password", back, back, back, back)
	s.run("sign", chromedp.KeyEvent(testPassword+kb.Tab+"222222"+kb.Tab+kb.Tab+kb.Enter), chromedp.WaitVisible(".done-head"))
}

// focused is the element that has the focus.
type focused struct {
	ID      string `json:"id"`
	Name    string `json:"name"`    // of a field, address of a link, type of a button
	Visible bool   `json:"visible"` // on the screen, not covered, with an outline
	Why     string `json:"why"`
}

func (s *stroll) focus() focused {
	s.t.Helper()
	return eval[focused](s, `(() => {
		const e = document.activeElement, r = e.getBoundingClientRect(), c = getComputedStyle(e);
		const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
		const seen = r.width > 1 && r.height > 1 && r.top >= 0 && r.bottom <= innerHeight && (e.contains(top) || top && top.contains(e));
		const ring = e.matches(":focus-visible") && c.outlineStyle !== "none" && parseFloat(c.outlineWidth) >= 2;
		return { id: e.id, name: e.getAttribute("href") || e.name || e.type || e.tagName, visible: !!(seen && ring),
			why: JSON.stringify([r.left, r.top, r.width, r.height, innerHeight, c.outline, top && top.outerHTML.slice(0, 80)]) };
	})()`)
}

// tab goes on to the next stop and makes sure that one sees it.
func (s *stroll) tab() focused {
	s.t.Helper()
	s.run("tab", chromedp.KeyEvent(kb.Tab), chromedp.Sleep(300*time.Millisecond)) // scrolling is smooth
	at := s.focus()
	if !at.Visible {
		s.t.Errorf("the focus on %q (%q) is not to be seen: %s", at.Name, at.ID, at.Why)
	}
	return at
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
// fulfil in a browser: no sideways scrolling, no broken image, nothing that
// axe-core objects to.
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
	s.audit(name)
}
