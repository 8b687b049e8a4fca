package counter

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"sigillo/signing/counter/callback"
)

// bank is an application that is told.
type bank struct {
	mu   sync.Mutex
	got  []Ended
	fail error
}

func (b *bank) post(_ context.Context, a callback.Address, _ time.Time, body []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var e Ended
	if err := json.Unmarshal(body, &e); err != nil || a.URL != "https://core.example/ended" {
		return errors.New("not for me")
	}
	b.got = append(b.got, e)
	return b.fail
}

func (r *rig) listen() *bank {
	b := &bank{}
	r.cfg.Callbacks = map[string]callback.Address{"core": {URL: "https://core.example/ended", Secret: make([]byte, 32)}}
	r.cfg.Post = b.post
	return b
}

func TestCallback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.enrolled()
	b := r.listen()
	open := func() Session {
		s, err := r.OpenDossier(t.Context(), r.oreste, NewDossier{Holder: r.holder, Tablet: r.tablet, Identification: passport,
			Documents: r.brought(r.oreste, 1), Reference: "P-9", Callback: "core"})
		r.must(err)
		s, err = r.Begin(t.Context(), r.oreste, s.ID, otp("1"))
		r.must(err)
		return s
	}
	s := open()
	r.must(r.CallBack(t.Context()))
	if len(b.got) != 0 {
		t.Fatal("told before the end")
	}
	r.readAll(s)
	_, err := r.Submit(t.Context(), r.tablet, s.ID, r.captured(s.ID))
	r.must(err)
	b.fail = errors.New("the application is down")
	for range 3 { // once, and not again before its time
		r.must(r.CallBack(t.Context()))
	}
	if len(b.got) != 1 {
		t.Fatalf("%+v", b.got)
	}
	l := r.listen() // after a restart, too
	r.restart()
	r.cfg.Callbacks, r.cfg.Post = map[string]callback.Address{"core": {URL: "https://core.example/ended"}}, l.post
	r.clock.pass(pauses[0])
	r.must(r.CallBack(t.Context()))
	r.must(r.CallBack(t.Context()))
	if len(l.got) != 1 || l.got[0].Session != s.ID || l.got[0].State != Done || l.got[0].Reference != "P-9" || l.got[0].Transaction == "" {
		t.Fatalf("%+v", l.got)
	}
	r.journalled(s.ID, "counter.callback")

	// One that never answers is given up, after a day.
	r.awake(r.tablet)
	s = open()
	r.must(second(r.Leave(t.Context(), r.tablet, s.ID, WhyPen)))
	l.fail = errors.New("down for good")
	for range 2 * len(pauses) {
		r.must(r.CallBack(t.Context()))
		r.clock.pass(8 * time.Hour)
	}
	if len(l.got) != 1+len(pauses)+1 || l.got[1].Why != WhyPen {
		t.Errorf("%d messages", len(l.got))
	}
	r.journalled(s.ID, "counter.callback-given-up")
	if slices.Contains(r.events(s.ID), "counter.callback") {
		t.Error("nobody was told")
	}
}

// Who opens a session names an address of the configuration, and can give no other.
func TestCallbackUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.listen()
	for _, name := range []string{"other", "https://169.254.169.254/"} {
		_, err := r.OpenEnrolment(t.Context(), r.oreste, NewEnrolment{Holder: r.holder, Tablet: r.tablet, Identification: passport, Callback: name})
		r.wants(Invalid, err)
	}
}
