package web

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"sigillo/auth/graphometric"
	"sigillo/auth/staff"
	"sigillo/signing"
	counters "sigillo/signing/counter"
)

// counterTest is a customer's tablet and an operator's browser, at the same counter.
type counterTest struct {
	*testing.T
	w        *wall
	till     *till
	office   *office
	tablet   *stroll
	operator *stroll
}

// newCounterTest begins with a tablet that is not registered, and an operator signed in.
func newCounterTest(t *testing.T) *counterTest {
	t.Helper()
	bin := chromium(t)
	c := &counterTest{T: t, office: newOffice(staff.RegistrationOperator)}
	c.w = build(t, withTill(&c.till, c.office))
	shots, axe := os.Getenv("SIGILLO_SCREENSHOTS"), readAxe(t)
	if shots == "" {
		shots = t.TempDir()
	}
	c.tablet, c.operator = open(t, c.w, bin, "it"), open(t, c.w, bin, "it")
	for _, s := range []*stroll{c.tablet, c.operator} {
		s.shots, s.axe = filepath.Join(shots, "counter"), axe
	}
	c.size(1280, 800)
	c.operator.run("sign in", chromedp.EmulateViewport(1280, 900), chromedp.Navigate(c.w.url+"/counter"), chromedp.WaitVisible("#otp"),
		chromedp.SendKeys("#username", "sara"), chromedp.SendKeys("#password", testPassword), chromedp.SendKeys("#otp", "111111"),
		chromedp.Click("main button[type=submit]"), chromedp.WaitVisible("#who"))
	if at := eval[string](c.operator, `location.pathname`); at != "/counter" {
		t.Fatalf("after signing in the operator is at %s", at)
	}
	return c
}

func (c *counterTest) size(width, height int64) {
	c.Helper()
	c.tablet.run("size", chromedp.EmulateViewport(width, height))
}

// see waits until the tablet shows something.
func (c *counterTest) see(selector string) {
	c.Helper()
	c.tablet.run("tablet: "+selector, chromedp.WaitVisible(selector))
}

// views takes the picture at the sizes that tablets have, and examines the page at each.
func (c *counterTest) views(name string) {
	c.Helper()
	c.look(name)
	if os.Getenv("SIGILLO_SCREENSHOTS") == "" {
		return
	}
	for _, size := range [][2]int64{{1024, 768}, {820, 1180}} {
		c.size(size[0], size[1])
		c.look(name + map[int64]string{1024: "-small", 820: "-portrait"}[size[0]])
	}
	c.size(1280, 800)
}

// register gives the tablet its place.
func (c *counterTest) register() {
	c.Helper()
	c.tablet.run("open", chromedp.Navigate(c.w.url+"/tablet"))
	c.see("#register")
	c.views("01-register")
	c.office.become(staff.Technical) // who registers tablets
	defer c.office.become(staff.RegistrationOperator)
	c.operator.run("invite", chromedp.Navigate(c.w.url+"/counter"), chromedp.WaitVisible("#name"), chromedp.SendKeys("#name", "Sportello 2"), chromedp.SendKeys("#centre", "Filiale di Prova"),
		chromedp.Click("form[action='/counter/tablets'] button"), chromedp.WaitVisible(".once-code"))
	c.operator.shot("operator-01-code")
	code := eval[string](c.operator, `document.querySelector(".once-code").textContent`)
	c.tablet.run("wrong code", chromedp.SendKeys("#code", "XXXX"), chromedp.Click("#register button"), chromedp.WaitVisible("#said.bad"))
	c.tablet.run("code", script(`document.getElementById("code").value = ""`), chromedp.SendKeys("#code", code), chromedp.Click("#register button"), chromedp.WaitVisible(".tablet-waiting"))
	c.views("02-pending")
	shown := eval[string](c.tablet, `document.querySelector(".tablet-code").textContent`)
	c.operator.run("confirm", chromedp.Navigate(c.w.url+"/counter/tablets"), chromedp.WaitVisible("#same-t-1"))
	c.operator.shot("operator-02-confirm")
	if got := eval[string](c.operator, `document.querySelector(".tablet-code").textContent`); got != shown || len(got) < 8 {
		c.Errorf("the operator sees %q, the tablet shows %q", got, shown)
	}
	c.operator.run("confirm", chromedp.Click("#same-t-1"), chromedp.SendKeys("#password-t-1", testPassword), chromedp.SendKeys("#otp-t-1", "123456"),
		chromedp.Click("form[action$='/confirm'] button[type=submit]"), chromedp.WaitVisible(".notice"))
	c.see(".tablet-welcome")
	c.views("03-idle")
}

// identify fills in how the customer was identified.
func (c *counterTest) identify() {
	c.Helper()
	c.operator.run("identify", chromedp.SendKeys("#number", "CA00000AA"), chromedp.SendKeys("#issuer", "Comune di Prova"),
		script(`document.getElementById("expires").value = "2031-05-20"; document.getElementById("tablet-0").checked = true`))
}

// begin shows that the operator is there.
func (c *counterTest) begin() {
	c.Helper()
	c.operator.run("begin", chromedp.WaitVisible("#otp"), chromedp.SendKeys("#otp", "123456"), chromedp.Click("form[action$='/begin'] button[type=submit]"), chromedp.WaitVisible(".mirror"))
}

// sign writes a signature and confirms it; vary is whose hand it is.
func (c *counterTest) sign(vary, noise float64) []reading {
	c.Helper()
	x, y, width, height := c.field()
	wrote := strokes(110, x+width*.2, y+height*.5, width*.5, vary)
	for i := range wrote {
		wrote[i].x += noise * float64(i%7)
		wrote[i].force *= 1 + noise/40
	}
	c.rewrite(wrote)
	return wrote
}

// rewrite writes exactly those readings, and confirms.
func (c *counterTest) rewrite(wrote []reading) {
	c.Helper()
	c.tablet.write(input.DispatchMouseEventPointerTypePen, wrote)
	c.tablet.run("confirm", chromedp.WaitVisible("#confirm:not([disabled])"))
}

func (c *counterTest) confirm(then string) {
	c.Helper()
	c.tablet.run("confirm", chromedp.Click("#confirm"), chromedp.WaitVisible(then))
}

// enrol has the customer give six signatures, and a second person confirm.
func (c *counterTest) enrol() {
	c.Helper()
	c.operator.run("find", chromedp.Navigate(c.w.url+"/counter?who=0012345678"), chromedp.WaitVisible(".customer"))
	c.operator.shot("operator-03-customer")
	c.operator.run("enrol", chromedp.Click(".customer .btn-primary"), chromedp.WaitVisible("#number"))
	c.identify()
	c.operator.shot("operator-04-enrol")
	c.operator.run("open", chromedp.Click("form[action='/counter/enrol'] button[type=submit]"), chromedp.WaitVisible("#otp"))
	c.operator.shot("operator-05-presence")
	c.begin()
	c.see("#agree")
	c.views("04-consent")
	c.tablet.run("agree", chromedp.Click("#agree"), chromedp.Click("#agreed"))
	c.sign(1, 0)
	c.look("05-enrol")
	c.confirm(".sample.done")
	c.sign(3, 0) // another hand
	c.confirm("#said.warn")
	c.look("06-differs")
	c.operator.run("not taken", chromedp.WaitVisible(".mirror-warn"))
	c.operator.shot("operator-06-not-taken")
	for i := 2; i <= 6; i++ {
		if i == 4 {
			c.see("#go-on")
			c.views("07-pause")
			c.tablet.run("go on", chromedp.Click("#go-on"))
		}
		c.sign(1, float64(i)/10)
		if i < 6 {
			c.confirm(map[bool]string{true: "#go-on", false: ".sample.now"}[i == 3])
			c.tablet.run("taken", until(`document.querySelectorAll(".sample.done").length === `+string(rune('0'+i))))
		} else {
			c.confirm(".end-mark.busy")
		}
	}
	c.look("08-wait")
	c.operator.run("second", chromedp.WaitVisible("#second-name"))
	c.operator.shot("operator-07-second")
	c.operator.run("second", chromedp.SendKeys("#second-name", "olga"), chromedp.SendKeys("#otp-second", "123456"), chromedp.Click("form[action$='/finish'] button[type=submit]"), chromedp.WaitVisible(".once-code"))
	c.operator.shot("operator-08-enrolled")
	c.see(".end.good")
	c.views("09-enrolled")
}

// look takes a picture of what is on the tablet's screen, and examines it as shot does: one
// of the whole page changes the page's size, and a signature would be lost by that.
func (c *counterTest) look(name string) {
	c.Helper()
	c.tablet.run(name, chromedp.Sleep(150*time.Millisecond))
	if eval[bool](c.tablet, `document.documentElement.scrollWidth > innerWidth || [...document.querySelectorAll("button")].some((b) => b.offsetParent && b.getBoundingClientRect().right > innerWidth + 1)`) {
		c.Errorf("%s: something is beyond the right edge", name)
	}
	if step := eval[string](c.tablet, `document.getElementById("tablet").dataset.step`); step == "sign" || step == "read" || step == "consent" {
		if eval[bool](c.tablet, `document.documentElement.scrollHeight > innerHeight + 1 || document.querySelector(".bar-actions").getBoundingClientRect().bottom > innerHeight`) {
			c.Errorf("%s: the buttons are not on the screen", name)
		}
	}
	c.tablet.audit("tablet-" + name)
	if err := os.MkdirAll(c.tablet.shots, 0o700); err != nil {
		c.Fatal(err)
	}
	png, err := chromedp.Run(c.tablet.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.tablet.shots, "tablet-"+name+".png"), png, 0o600); err != nil {
		c.Fatal(err)
	}
}

// dossier has the operator open one of two documents, and the customer read them.
func (c *counterTest) dossier() {
	c.Helper()
	dir := c.TempDir()
	var files []string
	for _, name := range []string{"Contratto di conto corrente.pdf", "Lettera con macro.docx"} {
		files = append(files, filepath.Join(dir, name))
		if err := os.WriteFile(files[len(files)-1], []byte("%PDF-1.7 "+name), 0o600); err != nil {
			c.Fatal(err)
		}
	}
	c.operator.run("dossier", chromedp.Navigate(c.w.url+"/counter/dossier?customer=0012345678"), chromedp.WaitVisible("#number"))
	c.identify()
	c.operator.run("files", chromedp.SendKeys("#reference", "2026/8841"), chromedp.SetUploadFiles("#file", files))
	c.operator.shot("operator-09-dossier")
	c.operator.run("open", chromedp.Click("form[action='/counter/dossier'] button[type=submit]"), chromedp.WaitVisible("form[action$='/begin']"))
	c.operator.shot("operator-10-open")
	c.begin()
	c.see("#sheet")
}

// read turns every page, up to the field for the signature.
func (c *counterTest) read() {
	c.Helper()
	for i := 0; i < 40; i++ {
		c.tablet.run("page", until(`!document.getElementById("port") || !document.getElementById("port").hasAttribute("aria-busy")`))
		if eval[bool](c.tablet, `!!document.getElementById("field")`) {
			return
		}
		before := eval[string](c.tablet, `document.getElementById("where").textContent + document.getElementById("paper-title").textContent`)
		if i == 1 {
			c.views("10-read")
			c.operator.run("mirror", chromedp.WaitVisible(".mirror-sheet"), chromedp.Sleep(500*time.Millisecond))
			c.operator.shot("operator-11-mirror")
		}
		if eval[bool](c.tablet, `!document.getElementById("findings").hidden`) {
			c.views("11-findings")
			c.tablet.run("not yet", script(`document.getElementById("port").scrollTo(0, 1e6)`), until(`document.getElementById("next").textContent.includes("→")`), chromedp.Click("#next"), chromedp.WaitVisible("#said.warn"), chromedp.Click("#accept"), chromedp.WaitNotVisible("#findings"))
		}
		if i == 0 { // what is further down is shown first
			c.tablet.run("down", chromedp.Click("#next"), until(`document.getElementById("port").scrollTop > 100`))
			if got := eval[string](c.tablet, `document.getElementById("where").textContent`); got != "Pagina 1 di 3" {
				c.Errorf("the first button press turned to %s", got)
			}
		}
		c.tablet.run("next", script(`document.getElementById("port").scrollTo(0, 1e6)`), until(`document.getElementById("next").textContent.includes("→")`), chromedp.Click("#next"),
			until(`!document.getElementById("where") || document.getElementById("where").textContent + document.getElementById("paper-title").textContent !== `+quote(before)))
	}
	c.Fatal("there is no end of pages")
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// TestCounter walks a counter's day: a tablet is registered, a customer enrolled, a dossier
// read and signed.
func TestCounter(t *testing.T) {
	c := newCounterTest(t)
	c.register()
	c.enrol()
	c.dossier()
	c.read()
	c.views("12-sign")
	c.tablet.run("read again", chromedp.Click("[data-reread]"), chromedp.WaitVisible("#reread[open]"), chromedp.Click("[data-turn='1']"), until(`document.getElementById("reread-where").textContent === "Pagina 2 di 3" && document.getElementById("reread-sheet").complete && document.getElementById("reread-sheet").naturalWidth > 0`))
	c.look("12-reread")
	c.tablet.run("back", chromedp.Click("[data-close]"))
	c.tablet.run("left", chromedp.Click("#left"))
	c.look("13-left")
	c.tablet.run("right", chromedp.Click("#left"))
	c.tablet.run("stop", chromedp.Click("[data-ask-leave]"), chromedp.WaitVisible("#leave[open]"))
	c.look("14-leave")
	c.tablet.run("stay", chromedp.Click("[data-stay]"))
	c.sign(1, 0.25)
	c.look("15-signed")
	c.confirm(".end.good")
	c.views("16-done")
	c.operator.run("done", chromedp.WaitVisible(".copies"))
	c.operator.shot("operator-12-done")
	for _, p := range []struct{ name, path string }{{"13-home", "/counter"}, {"14-tablets", "/counter/tablets"}, {"15-report", "/counter/report"}, {"16-new", "/counter/customers/new"}} {
		c.operator.run(p.name, chromedp.Navigate(c.w.url+p.path), chromedp.WaitVisible("h1"))
		c.operator.shot("operator-" + p.name)
	}
	var calls []string
	for _, call := range c.till.calls {
		if call != "read" && call != "device" {
			calls = append(calls, call)
		}
	}
	if got := strings.Join(calls, ", "); got != "invite Sportello 2, register pointer, register pointer, confirm, enrol, begin, consent, submit, submit, submit, submit, submit, submit, submit, finish olga, dossier 2026/8841, begin, accept, submit" {
		t.Errorf("calls: %s", got)
	}
	if !eval[bool](c.tablet, `performance.getEntriesByType("resource").every(e => e.name.startsWith(location.origin) || e.name.startsWith("data:"))`) {
		t.Error("something was loaded from elsewhere")
	}
}

// until waits for an expression to be true.
func until(expression string) chromedp.Action[chromedp.Void] {
	return script(`new Promise((done) => { const look = () => ` + "`${" + `(() => ` + expression + `)()` + "}`" + ` === "true" ? done(1) : setTimeout(look, 30); look(); })`)
}

// script runs on the page; a promise is waited for.
func script(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[any](expression, chromedp.EvalAwaitPromise))
		return err
	})
}

// field waits for the field for a signature to be ready, and gives its place on the screen.
func (c *counterTest) field() (x, y, width, height float64) {
	c.Helper()
	c.see("#field")
	c.tablet.run("ready", until(`!document.getElementById("box").classList.contains("inked") && document.getElementById("said").textContent !== "" && document.getElementById("confirm").disabled`))
	box := eval[[4]float64](c.tablet, `(({ x, y, width, height }) => [x, y, width, height])(document.getElementById("field").getBoundingClientRect())`)
	return box[0], box[1], box[2], box[3]
}

// quickly makes the tablet one in use, and the customer one who is enrolled with the hand 1.
func (c *counterTest) quickly() {
	c.Helper()
	c.till.mu.Lock()
	c.till.tablet.State, c.till.tablet.Class = counters.TabletInvited, "pointer"
	c.till.mu.Unlock()
	c.tablet.run("register", chromedp.Navigate(c.w.url+"/tablet"), chromedp.WaitVisible("#register"), chromedp.SendKeys("#code", tillCode), chromedp.Click("#register button"), chromedp.WaitVisible(".tablet-waiting"))
	if err := c.till.change("active", func() error { c.till.tablet.State = counters.TabletActive; return nil }); err != nil {
		c.Fatal(err)
	}
	c.see(".tablet-welcome")
	c.till.mu.Lock()
	defer c.till.mu.Unlock()
	var shape [64]float64
	wrote := strokes(110, 0, 0, 460, 1)[12:122]
	for i := range shape {
		shape[i] = wrote[i*len(wrote)/64].y
	}
	c.till.samples, c.till.customer.Enrolled = [][64]float64{shape}, true
}

// signing opens a dossier in which every page was seen: the customer may sign.
func (c *counterTest) signing() {
	c.Helper()
	doc, err := c.w.rooms.Upload(c.Context(), testHolder, "Contratto.pdf", strings.NewReader("%PDF"))
	if err != nil {
		c.Fatal(err)
	}
	_, err = c.till.OpenDossier(c.Context(), staff.Member{}, counters.NewDossier{Tablet: "t-1", Documents: []signing.Order{{Document: doc.ID}},
		Identification: counters.Identification{Number: "1", Expires: time.Now().Add(time.Hour)}})
	if err != nil {
		c.Fatal(err)
	}
	err = c.till.change("signing", func() error {
		c.till.session.State = counters.Signing
		for n := 1; n <= doc.Pages; n++ {
			c.till.shown[doc.ID][n] = true
		}
		return nil
	})
	if err != nil {
		c.Fatal(err)
	}
	c.see("#field")
}

func (c *counterTest) state() (counters.State, string) {
	c.till.mu.Lock()
	defer c.till.mu.Unlock()
	return c.till.session.State, c.till.session.Why
}

// TestCounterRefuses: hands that are not the customer's, copies, and what is no pen.
func TestCounterRefuses(t *testing.T) {
	c := newCounterTest(t)
	c.quickly()

	// Three tries of another hand.
	c.signing()
	for try := 1; try <= 3; try++ {
		c.sign(3, float64(try)/10)
		if try < 3 {
			c.confirm("#said.warn")
			c.tablet.run("next try", until(`document.querySelector(".sign-head .tag").textContent.includes("`+string(rune('1'+try))+`")`))
		} else {
			c.confirm(".end-mark.stop")
		}
	}
	c.look("20-refused")
	if state, why := c.state(); state != counters.Refused || why != counters.WhyUnrecognised {
		t.Errorf("after three tries: %s %s", state, why)
	}

	// A copy of a signature, to the reading; not the match that it was the first time.
	c.signing()
	c.sign(1, 0)
	c.confirm(".end.good")
	c.till.mu.Lock()
	copied := string(c.till.seen[len(c.till.seen)-1])
	c.till.mu.Unlock()
	c.signing()
	c.field()
	c.tablet.run("copy", script(`(async () => {
		const seal = await import("`+c.w.srv.assets.Base+`/static/seal.js"), root = document.getElementById("tablet").dataset;
		const say = async (path, fields) => (await fetch("/tablet/" + path, { method: "POST", body: new URLSearchParams({ token: root.token, session: root.session, ...fields }), headers: { Accept: "application/json" } })).json();
		const a = await say("arm", {});
		const s = await seal.seal("tablet", { nonce: seal.bytes(a.nonce), publicKey: seal.bytes(a.publicKey), context: seal.bytes(a.context) }, new TextEncoder().encode(`+quote(copied)+`), a.started + 5);
		const packet = window.packet = { nonce: seal.text(s.nonce), ephemeral: seal.text(s.ephemeral), sealed: seal.text(s.sealed), signature: seal.text(s.signature), started: s.started };
		await say("submit", packet);
	})()`), chromedp.WaitVisible(".end-mark.stop"))

	// What was sealed for one session is nothing in another.
	c.signing()
	c.field()
	if got := evalAwait[string](c.tablet, `(async () => { const root = document.getElementById("tablet").dataset;
		const r = await fetch("/tablet/submit", { method: "POST", body: new URLSearchParams({ token: root.token, session: root.session, ...window.packet }), headers: { Accept: "application/json" } });
		return r.status + " " + (await r.json()).kind; })()`); got != "409 counter-stale" {
		t.Errorf("a signature of another session: %s", got)
	}
	if got := evalAwait[string](c.tablet, `(async () => { const root = document.getElementById("tablet").dataset;
		const r = await fetch("/tablet/submit", { method: "POST", body: new URLSearchParams({ token: root.token, session: "s-1", ...window.packet }), headers: { Accept: "application/json" } });
		return r.status + " " + (await r.json()).kind; })()`); got != "409 counter-state" {
		t.Errorf("a signature for another session: %s", got)
	}

	// That used up what the page had been given for a signature. It gets more.
	c.sign(1, 0.8)
	c.confirm("#said.bad")

	// A mouse and a finger are told to be none; with a pen it goes on.
	x, y, width, height := c.field()
	c.tablet.run("the pen is put down", chromedp.Sleep(1700*time.Millisecond)) // before, it is the hand that holds it
	c.tablet.write(input.DispatchMouseEventPointerTypeMouse, strokes(40, x+width*.3, y+height*.5, width*.3, 1))
	c.tablet.run("mouse", chromedp.WaitVisible("#said.warn"))
	c.look("21-mouse")
	ctx, cancel := context.WithTimeout(c.tablet.ctx, 20*time.Second)
	defer cancel()
	for _, e := range []input.DispatchTouchEventParams{{Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: []*input.TouchPoint{{X: x + 100, Y: y + 100}}}, {Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}}} {
		if _, err := chromedp.Call(ctx, input.DispatchTouchEvent, e); err != nil {
			t.Fatal(err)
		}
	}
	c.tablet.run("finger", until(`document.getElementById("said").textContent.includes("dito")`))
	if eval[bool](c.tablet, `!document.getElementById("confirm").disabled`) {
		t.Error("what was written without a pen can be confirmed")
	}

	// A pen without pressure is told so before anything is sent.
	flat := strokes(60, x+width*.2, y+height*.5, width*.5, 1)
	for i := range flat {
		if flat[i].down {
			flat[i].force = 0.5
		}
	}
	c.rewrite(flat)
	c.tablet.run("flat", chromedp.Click("#confirm"), until(`document.getElementById("said").textContent.includes("pressione")`))

	// A signature that is done again: what was cleared is not sent.
	c.sign(3, 0)
	c.tablet.run("redo", chromedp.Click("#redo"), until(`document.getElementById("confirm").disabled`))
	c.sign(1, 0.9)
	c.confirm(".end.good")
}

// TestCounterInterrupted: a browser that is closed or loses its network in the middle.
func TestCounterInterrupted(t *testing.T) {
	c := newCounterTest(t)
	c.quickly()
	c.signing()
	c.sign(1, 0)
	// The page is loaded anew while something is written: it comes back to the same field,
	// with nothing in it.
	c.tablet.run("reload", chromedp.Reload())
	x, y, width, height := c.field()
	if n := len(c.till.seen); n != 0 {
		t.Errorf("%d signatures were sent", n)
	}
	// The browser goes away, and what it had written with it; another page of it goes on.
	c.tablet.run("away", chromedp.Navigate("about:blank"))
	c.tablet.run("back", chromedp.Navigate(c.w.url+"/tablet"))
	c.field()
	// The operator breaks off while the customer writes.
	c.tablet.write(input.DispatchMouseEventPointerTypePen, strokes(110, x+width*.2, y+height*.5, width*.5, 1)[:70])
	c.operator.run("cancel", chromedp.Navigate(c.w.url+"/counter/sessions/"+c.till.session.ID), chromedp.WaitVisible("#reason"), chromedp.Click("form[action$='/cancel'] button"), chromedp.WaitVisible(".verdict"))
	c.operator.shot("operator-20-cancelled")
	c.see(".end-mark.stop")
	if state, why := c.state(); state != counters.Cancelled || why != counters.WhyOperator {
		t.Errorf("%s %s", state, why)
	}
	// The customer does not want to.
	c.signing()
	c.field()
	c.tablet.run("leave", chromedp.Click("[data-ask-leave]"), chromedp.WaitVisible("#leave[open]"), chromedp.Click("[data-leave=customer]"), chromedp.WaitVisible(".end-mark.stop"))
	// The network: the signature is kept, and sent when it is back.
	c.signing()
	c.sign(1, 0.3)
	c.tablet.run("offline", script(`window.real = window.fetch; window.fetch = (a, o) => a.includes("submit") ? Promise.reject(new TypeError("offline")) : window.real(a, o)`),
		chromedp.Click("#confirm"), until(`document.getElementById("said").textContent.includes("non è partita")`))
	c.tablet.run("online", script(`window.fetch = window.real`), chromedp.Click("#confirm"), chromedp.WaitVisible(".end.good"))
	// A tablet that was revoked shows so.
	if err := c.till.change("revoked", func() error { c.till.tablet.State = counters.TabletRevoked; return nil }); err != nil {
		t.Fatal(err)
	}
	c.see("#again")
	c.look("22-revoked")
	c.tablet.run("again", chromedp.Click("#again"), chromedp.WaitVisible("#register"))
}

// TestCounterPad: a customer signs on a signature pad; the page is on the operator's machine.
func TestCounterPad(t *testing.T) {
	c := newCounterTest(t)
	pad, err := os.ReadFile("testdata/pad.js")
	if err != nil {
		t.Fatal(err)
	}
	// The pad is there on every page of this browser, as one that was allowed before.
	ctx, cancel := context.WithTimeout(c.tablet.ctx, 20*time.Second)
	defer cancel()
	plugged := string(pad) + `; window.pad = new Pad("STU-530", true); navigator.hid.pads.push(window.pad);`
	if _, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: plugged}); err != nil {
		t.Fatal(err)
	}
	c.tablet.run("register", chromedp.Navigate(c.w.url+"/tablet"), chromedp.WaitVisible("#register"), chromedp.Click("#class-stu"), chromedp.SendKeys("#code", tillCode), chromedp.Click("#register button"), chromedp.WaitVisible(".tablet-waiting"))
	if err := c.till.change("active", func() error { c.till.tablet.State, c.till.customer.Enrolled = counters.TabletActive, true; return nil }); err != nil {
		t.Fatal(err)
	}
	c.see(".tablet-welcome")
	var shape [64]float64
	for i := range shape {
		shape[i] = 1500 + 300*math.Sin(float64(i)/6)
	}
	c.till.samples = [][64]float64{shape}
	c.signing()
	c.tablet.run("ready", until(`pad.ink === 1 && pad.image && document.getElementById("said").textContent !== ""`))
	if got := eval[int](c.tablet, `pad.image.filter((b) => b !== 255).length`); got < 200 {
		t.Errorf("%d bytes of the pad's picture are not white", got)
	}
	write := `for (let i = 0; i < 30; i++) pad.write(1000, 1500, 0, false);
		for (let i = 0; i < 256; i++) pad.write(1000 + 20 * i, Math.round(1500 + 300 * Math.sin(i / 24)), 200 + i, true);
		pad.write(6200, 1500, 0, false);`
	c.tablet.run("write", script(write), until(`!document.getElementById("confirm").disabled`))
	c.look("23-pad")
	// The button on the pad: once to clear, once to confirm.
	press := func(x string) string {
		return `pad.write(` + x + `, pad.y - 100, 400, true); pad.write(` + x + `, pad.y - 100, 0, false)`
	}
	c.tablet.run("clear", script(press("500")), until(`document.getElementById("confirm").disabled && pad.ink === 1`))
	c.tablet.run("again", script(write), until(`!document.getElementById("confirm").disabled`), script(press("pad.x - 500")), chromedp.WaitVisible(".end.good"))
	if eval[bool](c.tablet, `pad.ink === 1 || !!pad.image || pad.opened`) {
		t.Error("something is left on the pad")
	}
	sample, err := graphometric.ParseCapture(c.till.seen[0])
	if err != nil || sample.Device.Class != "wacom-stu" || math.Abs(sample.Device.Rate-200) > 1 {
		t.Fatalf("%+v %v", sample, err)
	}
	if err := sample.Check(); err != nil {
		t.Error(err)
	}
}

// TestCounterCrowded: where so many wait that the server answers at once, pages ask now and
// then, and not as fast as they can; a page that could not be had is asked for again at once.
func TestCounterCrowded(t *testing.T) {
	c := newCounterTest(t)
	c.register()
	looks := func(crowded bool) (n int) {
		c.till.mu.Lock()
		defer c.till.mu.Unlock()
		n, c.till.crowded = c.till.looks, crowded
		close(c.till.changed)
		c.till.changed = make(chan struct{})
		return n
	}
	before := looks(true)
	c.tablet.run("wait", chromedp.Sleep(2*time.Second))
	if n := looks(false) - before; n > 20 {
		t.Errorf("the tablet asked %d times in two seconds", n)
	}
	c.operator.run("open", chromedp.Navigate(c.w.url+"/counter/enrol?customer=0012345678"), chromedp.WaitVisible("#number"))
	c.identify()
	c.till.mu.Lock()
	c.till.broken = 2
	c.till.mu.Unlock()
	c.operator.run("open", chromedp.Click("form[action='/counter/enrol'] button[type=submit]"), chromedp.WaitVisible("#otp"))
	c.see(".end-mark.busy") // and does not wait for another change first
	looks(true)
	before = looks(true)
	c.operator.run("wait", chromedp.Sleep(2*time.Second))
	if n := looks(false) - before; n > 40 {
		t.Errorf("tablet and operator asked %d times in two seconds", n)
	}
}

// TestCounterSilence: a network that goes away without a word does not hold the tablet for
// ever. What waits for half a minute is made to wait for less.
func TestCounterSilence(t *testing.T) {
	c := newCounterTest(t)
	c.quickly()
	c.signing()
	c.field()
	leave := []chromedp.Action[chromedp.Void]{chromedp.Click("[data-ask-leave]"), chromedp.WaitVisible("#leave[open]"), chromedp.Click("[data-leave=customer]")}
	c.tablet.run("silence", script(`window.later = window.setTimeout; window.setTimeout = (f, ms) => window.later(f, ms === 30000 ? 300 : ms);
		window.real = window.fetch; window.fetch = (a, o) => a.includes("leave") ? new Promise((_, no) => o.signal && o.signal.addEventListener("abort", () => no(new TypeError("gone")))) : window.real(a, o)`))
	c.tablet.run("leave", append(leave, until(`document.getElementById("said").textContent === document.getElementById("tablet").dataset.offline`))...)
	c.tablet.run("network", script(`window.fetch = window.real`))
	c.tablet.run("leave", append(leave, chromedp.WaitVisible(".end-mark.stop"))...)
}
