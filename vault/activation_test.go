package vault

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigillo/auth"
)

var partInText = regexp.MustCompile(`[0-9A-Z]{4}(-[0-9A-Z]{4}){3}`)

// TestSendActivation: the part goes to the phone and to nobody else; what the service
// gets makes the code of both parts and of no other.
func TestSendActivation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := ActivationMessage{Activation: "activation-1", Subject: "h", To: number, By: "olga", Language: "it"}
	if _, err := r.c.SendActivation(t.Context(), m); KindOf(err) != NotAllowed {
		t.Errorf("without a courier: %v", err)
	}
	p := &post{texts: make(chan [2]string, 8)}
	r.cfg.Courier = p
	r.restart()
	got, err := r.c.SendActivation(t.Context(), m)
	if err != nil || got.To != "…4567" {
		t.Fatal(got, err)
	}
	text := <-p.texts
	part := partInText.FindString(text[1])
	if text[0] != number || part == "" || !strings.Contains(text[1], "nemmeno all'operatore") {
		t.Errorf("%q", text)
	}
	code, err := auth.NewActivationCode()
	if err != nil {
		t.Fatal(err)
	}
	if v := auth.JoinActivation(code, got.Kept); !auth.SameCode(v, auth.ActivationVerifier(code+" "+part)) || auth.SameCode(v, auth.ActivationVerifier(code)) {
		t.Error("the parts do not make the code")
	}
	for _, q := range []string{"SELECT count(*) FROM journal WHERE instr(detail, '" + part + "') > 0 OR instr(detail, '" + number + "') > 0"} {
		if n := count(t, r.cfg.StateDB, q); n != 0 {
			t.Error("the part or the number is in the journal")
		}
	}
	for name, bad := range map[string]ActivationMessage{
		"nowhere": {Activation: "a", Subject: "h", By: "olga"}, "no number": {Activation: "a", Subject: "h", By: "olga", To: "333"},
		"by nobody": {Activation: "a", Subject: "h", To: number}, "for nobody": {Activation: "a", By: "olga", To: number}, "of nothing": {Subject: "h", By: "olga", To: number},
	} {
		if _, err := r.c.SendActivation(t.Context(), bad); KindOf(err) != BadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.silent(t)
	p.err = errors.New("the gateway does not know " + number)
	if _, err := r.c.SendActivation(t.Context(), m); KindOf(err) != Undelivered || strings.Contains(err.Error(), number) {
		t.Errorf("%v", err)
	}
	if e := r.events(); e["activation.sent"] != 2 || e["activation.undelivered"] != 1 {
		t.Errorf("%v", e)
	}
}

// TestActivationsBounded: the courier and the journal are not for whoever asks without end.
func TestActivationsBounded(t *testing.T) {
	t.Parallel()
	var h hourly
	for i := range maxActivations {
		if wait := h.take(maxActivations, noon.Add(time.Duration(i)*time.Second)); wait != 0 {
			t.Fatalf("number %d has to wait %v", i, wait)
		}
	}
	if wait := h.take(maxActivations, noon.Add(40*time.Minute)); wait != 20*time.Minute {
		t.Errorf("one too many waits %v", wait)
	}
	if wait := h.take(maxActivations, noon.Add(time.Hour)); wait != 0 {
		t.Errorf("in the next hour: %v", wait)
	}
	r := newRig(t)
	v, done := r.direct()
	defer done()
	p := &post{texts: make(chan [2]string, 8)}
	v.cfg.Courier = p
	v.activations.began, v.activations.n = v.now(), maxActivations
	m := ActivationMessage{Activation: "activation-1", Subject: "h", To: number, By: "olga"}
	if _, err := v.sendActivation(t.Context(), &m); KindOf(err) != Busy {
		t.Errorf("one too many: %v", err)
	}
	p.silent(t)
	if n := count(t, r.cfg.StateDB, "SELECT count(*) FROM journal WHERE event = 'activation.sent'"); n != 0 {
		t.Error("what is not sent is in the journal")
	}
}
