package vault

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigillo/auth"
)

// post is a courier that lays what it gets on a table.
type post struct {
	texts chan [2]string
	err   error
}

func (p *post) Send(_ context.Context, to, text string) error {
	p.texts <- [2]string{to, text}
	return p.err
}

var sixDigits = regexp.MustCompile(`\b[0-9]{6}\b`)

// next returns the next code that was sent.
func (p *post) next(t *testing.T, to string, says ...string) string {
	t.Helper()
	select {
	case got := <-p.texts:
		if got[0] != to {
			t.Errorf("sent to %s", got[0])
		}
		for _, s := range says {
			if !strings.Contains(got[1], s) {
				t.Errorf("%q does not say %q", got[1], s)
			}
		}
		return sixDigits.FindString(got[1])
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was sent")
	}
	return ""
}

func (p *post) silent(t *testing.T) {
	t.Helper()
	select {
	case got := <-p.texts:
		t.Fatalf("%q was sent", got)
	case <-time.After(50 * time.Millisecond):
	}
}

const number = "+393331234567"

// newPhoneRig starts a vault with a courier, and a holder with a phone.
func newPhoneRig(t *testing.T) (*rig, *holder, *post, string) {
	r := newRig(t)
	p := &post{texts: make(chan [2]string, 64)}
	r.cfg.Courier = p
	r.restart()
	h := r.newHolder("h", "p256")
	id, _ := h.addDevice(NewDevice{Kind: Phone, To: number, Label: "my phone"})
	c := DeviceConfirmation{Factors: h.factors, Device: id, Client: "test"}
	if _, err := r.c.SendCode(t.Context(), c, CodeRequest{Language: "it-IT"}); err != nil {
		t.Fatal(err)
	}
	want(t, h.confirm(id, "x"), WrongOTP)
	want(t, h.confirm(id, p.next(t, number, "confermare questo telefono")), "")
	r.clock.move(resendAfter)
	return r, h, p, id
}

func TestSendCode(t *testing.T) {
	t.Parallel()
	r, h, p, _ := newPhoneRig(t)
	a := Authentication{Factors: h.factors, Evidence: Evidence{Client: "test"}}
	answer, err := r.c.SendCode(t.Context(), a, CodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	code := p.next(t, number, "sign in", "5 minutes")
	unknown, err := r.c.SendCode(t.Context(), Authentication{Evidence: Evidence{Client: "test"}}, CodeRequest{})
	if err != nil || unknown != answer {
		t.Errorf("of a stranger: %+v, %v; of one who exists %+v", unknown, err, answer)
	}
	p.silent(t)
	got, err := r.c.Authenticate(t.Context(), Authentication{Factors: h.factors, Evidence: Evidence{Password: []byte(goodPassword), OTP: code, Client: "test"}})
	if err != nil || got.Methods[1] != "sms" {
		t.Fatal(got, err)
	}
	want(t, h.authenticate(goodPassword, code), ReusedOTP)
	// To sign: the text says how many documents.
	r.clock.move(resendAfter)
	b := h.authorisation("tx", 3)
	b.Browser = got.Browser
	if _, err := r.c.SendCode(t.Context(), b, CodeRequest{Language: "en"}); err != nil {
		t.Fatal(err)
	}
	b.OTP = p.next(t, number, "sign 3 documents")
	// It is good for them and for nothing else.
	want(t, h.authenticate(goodPassword, b.OTP), WrongOTP)
	other := b
	other.Password, other.Digests, other.Request = []byte(goodPassword), digests(3), "evil"
	_, err = r.c.Authorise(t.Context(), other)
	want(t, err, WrongOTP)
	s, err := r.c.Authorise(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.c.Sign(t.Context(), h.activation(b, s)); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"SELECT count(*) FROM holder_states WHERE instr(record, '" + b.OTP + "') > 0",
		"SELECT count(*) FROM journal WHERE instr(detail, '" + b.OTP + "') > 0 OR instr(detail, '" + number + "') > 0"} {
		if n := count(t, r.cfg.StateDB, q); n != 0 {
			t.Errorf("the code or the number is written down: %s", q)
		}
	}
	if n := r.events(); n["code.sent"] != 3 {
		t.Errorf("journal: %v", n)
	}
}

func TestSendCodeLimits(t *testing.T) {
	t.Parallel()
	r, h, p, id := newPhoneRig(t)
	known := h.signIn()
	a := Authentication{Factors: h.factors, Evidence: Evidence{Client: "test"}}
	ask := func(browser, device string) error {
		b := a
		b.Browser = browser
		_, err := r.c.SendCode(t.Context(), b, CodeRequest{Device: device})
		return err
	}
	try := func(code string) error { return h.authenticate(goodPassword, code) }
	// Three tries.
	want(t, ask("", ""), "")
	code := p.next(t, number)
	for range sentTries {
		want(t, try("x"), WrongOTP)
	}
	want(t, try(code), WrongOTP)
	h.signIn()
	// Five minutes, over a start of the vault.
	r.clock.move(resendAfter)
	want(t, ask("", id), "")
	code = p.next(t, number)
	r.restart()
	r.clock.move(ChallengeLife)
	want(t, try(code), WrongOTP)
	// A new one takes the place of the former.
	want(t, ask("", ""), "")
	code = p.next(t, number)
	r.clock.move(resendAfter)
	want(t, ask("", ""), "")
	last := p.next(t, number)
	if code != last {
		want(t, try(code), WrongOTP)
	}
	want(t, try(last), "")
	// Once a minute and ten times a day: strangers are not told, the holder's browser is.
	want(t, ask("", ""), "")
	p.silent(t)
	for range sentPerDay - 5 {
		r.clock.move(resendAfter)
		want(t, ask("", ""), "")
		p.next(t, number)
	}
	r.clock.move(resendAfter)
	want(t, ask("", ""), "")
	p.silent(t)
	want(t, ask(known.Browser, ""), "") // in a count of its own
	p.next(t, number)
	want(t, ask(known.Browser, ""), Locked)
	want(t, ask(known.Browser, "none"), NotAllowed)
	r.clock.move(24 * time.Hour)
	want(t, ask("", ""), "")
	p.next(t, number)
	// Whoever changes the record gets nothing sent.
	a.Factors.Devices = append([]Device(nil), a.Factors.Devices...)
	a.Factors.Devices[1].To = "+15550001111"
	want(t, ask("", ""), Tampered)
	p.silent(t)
}

func TestCourierFails(t *testing.T) {
	t.Parallel()
	r, h, p, _ := newPhoneRig(t)
	known := h.signIn()
	p.err = errors.New("the gateway is down")
	a := Authentication{Factors: h.factors, Evidence: Evidence{Client: "test", Browser: known.Browser}}
	if _, err := r.c.SendCode(t.Context(), a, CodeRequest{}); KindOf(err) != Undelivered || strings.Contains(err.Error(), "gateway") {
		t.Errorf("the holder is not told, or too much: %v", err)
	}
	p.next(t, number)
	a.Browser = "" // a stranger learns nothing
	if _, err := r.c.SendCode(t.Context(), a, CodeRequest{}); err != nil {
		t.Error(err)
	}
	p.next(t, number)
	for range 100 {
		if r.events()["code.undelivered"] == 2 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the journal does not say that the code did not get there")
}

// TestPhoneUnconfirmed: a phone that was not confirmed does not count.
func TestPhoneUnconfirmed(t *testing.T) {
	t.Parallel()
	r, h, p, _ := newPhoneRig(t)
	id, _ := h.addDevice(NewDevice{Kind: Phone, To: "anna@example.org"})
	p.next(t, number, "a device was added")
	a := Authentication{Factors: h.factors, Evidence: Evidence{Client: "test"}}
	if _, err := r.c.SendCode(t.Context(), a, CodeRequest{Device: id}); err != nil {
		t.Fatal(err)
	}
	p.silent(t)
	for _, to := range []string{"", "333123456", "+39", "+39333123456789012", "anna", "anna@", "a\nb@example.org", "a b@example.org", "+39333 123456"} {
		_, err := r.c.AddDevice(t.Context(), NewDevice{Factors: h.factors, Evidence: h.evidence(goodPassword), Kind: Phone, To: to})
		if KindOf(err) != BadRequest {
			t.Errorf("%q: %v", to, err)
		}
	}
	if m := h.means(); m.Devices[1].To != "…4567" || m.Devices[2].Confirmed {
		t.Errorf("%+v", m)
	}
}

// TestNotice: a change of the factors is told over the phones that count.
func TestNotice(t *testing.T) {
	t.Parallel()
	r, h, p, id := newPhoneRig(t)
	h.addDevice(NewDevice{Kind: TOTP})
	notice := func(says string) {
		t.Helper()
		if code := p.next(t, number, says); code != "" {
			t.Errorf("a notice has a code in it: %s", code)
		}
	}
	notice("a device was added")
	if _, err := r.c.RecoveryCodes(t.Context(), NewCodes{Factors: h.factors, Evidence: h.evidence(goodPassword)}); err != nil {
		t.Fatal(err)
	}
	notice("codici di recupero")
	h.changePassword(otherPassword)
	notice("la password è stata cambiata")
	f, err := r.c.RemoveDevice(t.Context(), DeviceRemoval{Factors: h.factors, Evidence: h.evidence(otherPassword), Device: id})
	if err != nil {
		t.Fatal(err)
	}
	notice("a device was removed") // the phone itself hears of it
	h.factors = f
	want(t, r.c.AdoptFactors(t.Context(), f), "")
	if _, err := r.c.RecoveryCodes(t.Context(), NewCodes{Factors: h.factors, Evidence: h.evidence(otherPassword)}); err != nil {
		t.Fatal(err)
	}
	p.silent(t)
}

// TestStrangersCodes: strangers who ask for codes, and guess, do not spoil the one the
// holder's own browser asked for.
func TestStrangersCodes(t *testing.T) {
	t.Parallel()
	r, h, p, _ := newPhoneRig(t)
	known := h.signIn()
	a := Authentication{Factors: h.factors, Evidence: Evidence{Client: "test"}}
	b := a
	b.Browser = known.Browser
	if _, err := r.c.SendCode(t.Context(), b, CodeRequest{}); err != nil {
		t.Fatal(err)
	}
	code := p.next(t, number)
	if _, err := r.c.SendCode(t.Context(), a, CodeRequest{}); err != nil {
		t.Fatal(err)
	}
	p.next(t, number)
	for range auth.FreeFailures + 1 {
		want(t, h.from("", goodPassword, "x"), WrongOTP)
	}
	want(t, h.from("", goodPassword, "x"), Locked)
	want(t, h.from(known.Browser, goodPassword, code), "")
}
