package main

import (
	"bytes"
	"crypto"
	"net/http"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"sigillo/appliance"
	"sigillo/formats/cms"
	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
	"sigillo/signing"
)

// The token hangs in the keys of some holders: the next one who signs is told to come
// back later, in a clear answer; sign-ins, time-stamps, the status of certificates
// and the health go on. When the token moves again those who waited have their
// signatures.
func TestTokenHangs(t *testing.T) {
	t.Parallel()
	module, env, set := hsmtest.Slow(t)
	dir := newFolder(t)
	cfg, err := appliance.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.HSM.Module, cfg.HSM.Environment = module, append(cfg.HSM.Environment, env...)
	cfg.HSM.Files = []string{filepath.Dir(module)}
	if err := cfg.Save(dir); err != nil {
		t.Fatal(err)
	}
	h := open(t, dir)
	type attempt struct {
		c   *client
		tx  signing.Transaction
		otp string
		err error
	}
	// As many as may use the token at a time, and one more.
	attempts := make([]attempt, 2*runtime.NumCPU()+1)
	for i := range attempts {
		c := h.signedIn(t, hsm.P256)
		attempts[i] = attempt{c: c, tx: c.prepared(t, signing.XAdES)}
	}
	guest := h.holder(t, hsm.P256)
	set("0 hold")
	var waiting sync.WaitGroup
	first := make(chan struct{}, len(attempts))
	for i := range attempts {
		a := &attempts[i]
		a.otp = a.c.mustOTP(t)
		waiting.Go(func() {
			_, a.err = a.c.sign(t.Context(), a.tx.ID, a.c.holder.Password, a.otp)
			first <- struct{}{}
		})
	}
	if err := guest.signIn(t.Context(), guest.holder.Password, guest.mustOTP(t)); err != nil {
		t.Errorf("nobody can sign in: %v", err)
	}
	if err := h.Health(t.Context()); err != nil {
		t.Errorf("the health: %v", err)
	}
	q, err := cms.MarshalTimestampRequest(crypto.SHA256, make([]byte, 32), nil, true)
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := http.Post(h.url+"/tsa", "application/timestamp-query", bytes.NewReader(q))
	if err != nil || stamp.StatusCode != http.StatusOK {
		t.Errorf("no time-stamp: %v, %v", stamp, err)
	}
	stamp.Body.Close()
	<-first // the one for whom there was no place
	set("0")
	waiting.Wait()
	refused := 0
	for _, a := range attempts {
		if a.err == nil {
			continue
		}
		refused++
		if p := refusal(t, a.err); p.Status != http.StatusServiceUnavailable || p.Kind != string(signing.Busy) {
			t.Errorf("refused as %d %s: %s", p.Status, p.Kind, p.Detail)
		} else if n, err := strconv.Atoi(p.Retry); err != nil || n < 1 || n > 30 {
			t.Errorf("Retry-After: %q", p.Retry)
		}
	}
	if refused != 1 {
		t.Errorf("%d were refused", refused)
	}
}
