package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
	"sigillo/auth/staff"
	counters "sigillo/signing/counter"
	"sigillo/vault"
)

// slate is a tablet in a browser, with a pen.
type slate struct{ *holderTab }

// until waits for an expression to be true on the page.
func (s slate) until(what, expression string) {
	s.t.Helper()
	s.do(what, chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		for {
			ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!!(`+expression+`)`))
			if err != nil || ok {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}))
}

// field waits for the field for a signature, and says where it is on the screen.
func (s slate) field() [4]float64 {
	s.t.Helper()
	s.do("field", chromedp.WaitVisible("#field"))
	s.until("ready", `!document.getElementById("box").classList.contains("inked") && document.getElementById("said").textContent !== "" && document.getElementById("confirm").disabled`)
	box, err := chromedp.Run(s.ctx, chromedp.Evaluate[[4]float64](`(({ x, y, width, height }) => [x, y, width, height])(document.getElementById("field").getBoundingClientRect())`))
	if err != nil {
		s.t.Fatal(err)
	}
	return box
}

// write has a hand write on the field, as fast as it does, and confirm.
func (s slate) write(hand *graphometric.Sample) {
	s.t.Helper()
	box := s.field()
	left, top, right, bottom := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range hand.Points {
		left, top, right, bottom = min(left, p.X), min(top, p.Y), max(right, p.X), max(bottom, p.Y)
	}
	const scale = 0.09 // CSS pixels for 0.01 mm, about as large as on a tablet
	if w, h := (right-left)*scale, (bottom-top)*scale; w > box[2]-20 || h > box[3]-20 {
		s.t.Fatalf("a signature of %.0f by %.0f does not fit the field of %.0f by %.0f", w, h, box[2], box[3])
	}
	x0, y0 := box[0]+box[2]/2-(right+left)/2*scale, box[1]+box[3]/2-(bottom+top)/2*scale
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	began, down := time.Now(), false
	for _, p := range hand.Points {
		at := began.Add(time.Duration(p.T) * time.Microsecond)
		time.Sleep(time.Until(at))
		e := input.DispatchMouseEventParams{Type: chromedp.MouseMoved, X: x0 + p.X*scale, Y: y0 + p.Y*scale, PointerType: input.DispatchMouseEventPointerTypePen,
			Force: p.Pressure, TiltX: p.TiltX, TiltY: p.TiltY, Timestamp: input.TimeSinceEpoch(float64(at.UnixNano()) / 1e9)}
		if p.Down {
			e.Button, e.Buttons = input.MouseButtonLeft, 1
		}
		switch {
		case p.Down && !down:
			e.Type, e.ClickCount = chromedp.MousePressed, 1
		case !p.Down && down:
			e.Type, e.Button, e.ClickCount = chromedp.MouseReleased, input.MouseButtonLeft, 1
		}
		down = p.Down
		if _, err := chromedp.Call(ctx, input.DispatchMouseEvent, e); err != nil {
			s.t.Fatal(err)
		}
	}
	s.do("written", chromedp.WaitVisible("#confirm:not([disabled])"))
}

// confirm sends what was written, and waits for the page to say what came of it.
func (s slate) confirm() {
	s.t.Helper()
	s.do("confirm", chromedp.Click("#confirm"))
	s.until("confirmed", `!document.querySelector(".say.busy") && !document.querySelector(".inked")`)
}

func (s slate) step() string {
	s.t.Helper()
	step, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](`document.getElementById("tablet").dataset.step`))
	if err != nil {
		s.t.Fatal(err)
	}
	return step
}

// A counter with everything real but the people: the appliance with its vault and token, an
// operator's browser, and a tablet's, on which made-up hands write. A customer is registered,
// enrolled, reads a contract and signs it; another hand is sent away.
func TestCounterInBrowsers(t *testing.T) {
	h := newHouse(t)
	team := h.appointed(t, staff.Certification, staff.Technical, staff.RegistrationOperator)
	carlo, tina, olga := team[0], team[1], team[2]
	by, ctx := h.named(t, "olga"), t.Context()
	tablet, operator := slate{newTab(t)}, newTab(t)
	tablet.do("size", chromedp.EmulateViewport(1280, 800))

	// The tablet comes to its counter.
	_, code, _, err := h.Counter.NewTabletCode(ctx, h.named(t, "tina"), counters.NewTablet{Name: "Sportello 1", Centre: branch})
	if err != nil {
		t.Fatal(err)
	}
	tablet.do("register", chromedp.Navigate(h.url+"/tablet"), chromedp.WaitVisible("#register"), chromedp.SendKeys("#code", code), chromedp.Click("#register button"), chromedp.WaitVisible(".tablet-waiting"))
	list, err := h.Counter.Tablets(ctx, h.named(t, "tina"))
	if err != nil || len(list) != 1 || list[0].Fingerprint != strings.TrimSpace(tablet.text(".tablet-code")) {
		t.Fatalf("%+v %v", list, err)
	}
	if _, err := h.Counter.ConfirmTablet(ctx, h.named(t, "tina"), list[0].ID, list[0].Fingerprint, vault.Evidence{Password: []byte(tina.password), OTP: tina.otp(), Client: "test"}); err != nil {
		t.Fatal(err)
	}
	tablet.do("idle", chromedp.WaitVisible(".tablet-welcome"))
	tablet.shot("counter-idle")

	// The operator registers a customer and opens the enrolment.
	operator.do("sign in", chromedp.Navigate(h.url+"/counter/customers/new"), chromedp.WaitVisible("#otp"), chromedp.SendKeys("#username", olga.Username),
		chromedp.SendKeys("#password", olga.password), chromedp.SendKeys("#otp", olga.otp()), chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("#fiscal-code"))
	identify := func() {
		t.Helper()
		operator.do("identify", chromedp.SendKeys("#number", "CA00000AA"), chromedp.SendKeys("#issuer", "Comune di Prova"), valued("#expires", "2031-05-20"))
	}
	identify()
	operator.do("customer", chromedp.SendKeys("#given-name", "Ada"), chromedp.SendKeys("#surname", "Esempio"), chromedp.SendKeys("#fiscal-code", "SMPDAA80A41H501X"), chromedp.SendKeys("#username", "0012345678"),
		chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("#tablet-0"))
	identify()
	operator.do("open", chromedp.Click("#tablet-0"), chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("form[action$='/begin']"))
	tablet.do("prepared", chromedp.WaitVisible(".end-mark.busy"))
	begin := func() {
		t.Helper()
		operator.do("begin", chromedp.SendKeys("#otp", olga.otp()), chromedp.Click("form[action$='/begin'] button[type=submit]"), chromedp.WaitVisible(".mirror"))
	}
	begin()

	// The customer agrees and gives the signatures.
	hand := synthetic.New(7)
	tablet.do("consent", chromedp.WaitVisible("#agree"))
	tablet.shot("counter-consent")
	tablet.do("agree", chromedp.Click("#agree"), chromedp.Click("#agreed"), chromedp.WaitVisible("#field"))
	for i := 0; i < 10 && tablet.step() == "sign"; i++ {
		if goOn, _ := chromedp.Run(tablet.ctx, chromedp.Evaluate[bool](`!!document.getElementById("pause")`)); goOn {
			tablet.do("pause", chromedp.Click("#go-on"))
		}
		tablet.write(hand.Sign(0, i))
		tablet.confirm()
	}
	tablet.do("enough", chromedp.WaitVisible(".end-mark.busy"))
	operator.do("second", chromedp.WaitVisible("#second-name"))
	operator.shot("counter-second")
	id := strings.TrimPrefix(operator.where(), "/counter/sessions/")
	s, err := h.Counter.FinishEnrolment(ctx, h.named(t, "carlo"), id, "", carlo.presence())
	if err != nil || s.State != counters.Done || s.Certificate == "" {
		t.Fatalf("%+v %v", s, err)
	}
	tablet.do("enrolled", chromedp.WaitVisible(".end.good"))
	operator.do("enrolled", chromedp.WaitVisible(".verdict.good"))

	// A dossier: read, signed, handed over.
	dossier := func() {
		t.Helper()
		operator.do("dossier", chromedp.Navigate(h.url+"/counter/dossier?customer=0012345678"), chromedp.WaitVisible("#number"))
		identify()
		operator.do("files", chromedp.Click("#tablet-0"), chromedp.SetUploadFiles("#file", []string{absolute(t, "contratto.pdf")}), chromedp.Click("main form button[type=submit]"), chromedp.WaitVisible("form[action$='/begin']"))
		begin()
		tablet.do("read", chromedp.WaitVisible("#sheet"))
		for range 60 {
			tablet.until("page", `!document.getElementById("port") || !document.getElementById("port").hasAttribute("aria-busy")`)
			if tablet.step() != "read" {
				break
			}
			tablet.do("next", chromedp.Click("#next"), chromedp.Sleep(100*time.Millisecond))
		}
		tablet.do("field", chromedp.WaitVisible("#field"))
	}
	dossier()
	for i := 0; i < 3 && tablet.step() == "sign"; i++ { // a hand may miss
		tablet.write(hand.Sign(0, 20+i))
		tablet.confirm()
	}
	tablet.do("signed", chromedp.WaitVisible(".end.good"))
	operator.do("signed", chromedp.WaitVisible(".copies"))
	operator.shot("counter-done")
	id = strings.TrimPrefix(operator.where(), "/counter/sessions/")
	if got, err := h.Counter.Session(ctx, by, id); err != nil || got.State != counters.Done || len(got.Documents) != 1 || !got.Documents[0].Signed || got.Device.Rate < 80 || got.Device.Levels < 100 {
		t.Fatalf("%+v %v", got, err)
	}

	// Another hand.
	dossier()
	other := synthetic.New(8)
	for i := 0; i < vault.MaxAttempts && tablet.step() == "sign"; i++ {
		tablet.write(other.Sign(0, i))
		tablet.confirm()
	}
	tablet.do("sent away", chromedp.WaitVisible(".end-mark.stop"))
	operator.do("sent away", chromedp.WaitVisible(".verdict.bad"))
	operator.shot("counter-refused")
	id = strings.TrimPrefix(operator.where(), "/counter/sessions/")
	if got, err := h.Counter.Session(ctx, by, id); err != nil || got.State != counters.Refused || got.Why != counters.WhyUnrecognised {
		t.Fatalf("%+v %v", got, err)
	}
	h.must(t, "", "journal", "verify")
}

// valued gives a field a value that is not typed.
func valued(selector, value string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).value = %q`, selector, value)))
		return err
	})
}

// where is the path of the page.
func (h *holderTab) where() string {
	h.t.Helper()
	s, err := chromedp.Run(h.ctx, chromedp.Evaluate[string](`location.pathname`))
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}
