package hsm_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
)

// TestSessions lets many goroutines share few sessions: no session serves two of
// them at a time, none is opened beyond the limit, keys are searched once.
func TestSessions(t *testing.T) {
	t.Parallel()
	cfg := hsmtest.Token(t)
	cfg.Sessions = 3
	f := &hsm.Faults{}
	tok := openFaultyConfig(t, cfg, f)
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	_, _, searched, _, _ := f.Count()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 20 {
				if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	opened, closed, searches, _, shared := f.Count()
	if shared != "" {
		t.Errorf("one session was used for %s at the same time", shared)
	}
	if opened > 1+3+1 || closed != 1 { // to keep the login, the pool, and one to write
		t.Errorf("%d sessions were opened and %d closed", opened, closed)
	}
	if searches != searched {
		t.Errorf("%d searches while signing", searches-searched)
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	cfg := hsmtest.Token(t)
	cfg.Sessions = 1
	tok := openFaultyConfig(t, cfg, &hsm.Faults{})
	check(t, tok.GenerateMaster(ctx, "master"), tok.GenerateMACKey(ctx, "mac"))
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	d := secret(t)
	w, err := tok.GenerateWrapped(ctx, "master", d, hsm.P256, nil)
	check(t, err)
	if d := tok.Longest(); d != 0 {
		t.Errorf("nothing is under way for %v", d)
	}
	check(t, tok.UseWrapped(ctx, "master", d, w, func(crypto.Signer) error {
		if tok.Longest() == 0 {
			t.Error("nothing is under way")
		}
		// The only session is ours now.
		soon, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err := key.SignContext(soon, make([]byte, 32), crypto.SHA256)
		wantKind(t, err, hsm.Busy)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v does not say why", err)
		}
		_, err = tok.MAC(soon, "mac", nil)
		wantKind(t, err, hsm.Busy)
		_, err = tok.SelfTest(soon)
		wantKind(t, err, hsm.Busy)
		return nil
	}))
	_, err = key.Sign(nil, make([]byte, 32), crypto.SHA256)
	check(t, err)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	wantKind(t, tok.UseWrapped(gone, "master", d, w, func(crypto.Signer) error { return nil }), hsm.Busy)
	wantKind(t, tok.GenerateMACKey(gone, "other"), hsm.Busy)
	if has, err := tok.Has("other"); has || err != nil {
		t.Errorf("a key was made after the context ended: %v", err)
	}
}

// failOnce fails the n-th call of that name.
type failOnce struct {
	call  string
	after atomic.Int32
	err   error
}

func (x *failOnce) before(call string) error {
	if call == x.call && x.after.Add(-1) == 0 {
		return x.err
	}
	return nil
}

// TestRecovers breaks one call with each return code that says that something we
// hold is void. The operation must succeed, on new sessions or handles.
func TestRecovers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		code   uint
		reopen bool // the token must be opened anew
	}{
		{"no memory", pkcs11.CKR_DEVICE_MEMORY, false},
		{"no session", pkcs11.CKR_SESSION_COUNT, false},
		{"object handle", pkcs11.CKR_OBJECT_HANDLE_INVALID, false},
		{"key handle", pkcs11.CKR_KEY_HANDLE_INVALID, false},
		{"session handle", pkcs11.CKR_SESSION_HANDLE_INVALID, true},
		{"session closed", pkcs11.CKR_SESSION_CLOSED, true},
		{"logged out", pkcs11.CKR_USER_NOT_LOGGED_IN, true},
		{"device removed", pkcs11.CKR_DEVICE_REMOVED, true},
		{"device error", pkcs11.CKR_DEVICE_ERROR, true},
		{"token not present", pkcs11.CKR_TOKEN_NOT_PRESENT, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var fault failOnce
			f := &hsm.Faults{Before: func(call string) error { return fault.before(call) }}
			tok := openFaulty(t, f)
			check(t, tok.GenerateMaster(ctx, "master"))
			key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
			check(t, err)
			d := secret(t)
			w, err := tok.GenerateWrapped(ctx, "master", d, hsm.P256, nil)
			check(t, err)
			opened, _, searched, _, _ := f.Count()

			fault.call, fault.err = "sign", hsm.RV(test.code)
			fault.after.Store(1)
			_, err = key.Sign(nil, make([]byte, 32), crypto.SHA256)
			check(t, err)
			room := test.code == pkcs11.CKR_DEVICE_MEMORY || test.code == pkcs11.CKR_SESSION_COUNT
			if o, _, s, _, _ := f.Count(); s == searched && !room || o == opened || test.reopen && o < opened+2 {
				t.Errorf("%d sessions opened, %d searches: nothing was renewed", o-opened, s-searched)
			}

			fault.call = "derive"
			fault.after.Store(1)
			uses := 0
			check(t, tok.UseWrapped(ctx, "master", d, w, func(key crypto.Signer) error {
				uses++
				_, err := key.Sign(nil, make([]byte, 32), crypto.SHA256)
				return err
			}))
			// What fails inside use is not repeated: it may have had effects.
			fault.call = "sign"
			fault.after.Store(1)
			err = tok.UseWrapped(ctx, "master", d, w, func(key crypto.Signer) error {
				uses++
				_, err := key.Sign(nil, make([]byte, 32), crypto.SHA256)
				return err
			})
			if err == nil || uses != 2 {
				t.Errorf("use was called %d times, error %v", uses, err)
			}
			if test.reopen {
				wantKind(t, err, hsm.TokenGone)
			}
			_, err = key.Sign(nil, make([]byte, 32), crypto.SHA256)
			check(t, err)
		})
	}
}

// TestErrorsCloseSessions: after any error the session is not used again.
func TestErrorsCloseSessions(t *testing.T) {
	t.Parallel()
	var fault failOnce
	f := &hsm.Faults{Before: func(call string) error { return fault.before(call) }}
	tok := openFaulty(t, f)
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	opened, closed, _, _, _ := f.Count()
	fault.call, fault.err = "sign", hsm.RV(pkcs11.CKR_FUNCTION_FAILED)
	fault.after.Store(1)
	_, err = key.Sign(nil, make([]byte, 32), crypto.SHA256)
	wantKind(t, err, hsm.Failed)
	if o, c, _, _, _ := f.Count(); o != opened || c != closed+1 {
		t.Errorf("%d opened, %d closed after a failure", o-opened, c-closed)
	}
	_, err = key.Sign(nil, make([]byte, 32), crypto.SHA256)
	check(t, err)
}

// TestTokenGone takes the token away for a while.
func TestTokenGone(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	f := &hsm.Faults{Before: func(string) error {
		if away.Load() {
			return hsm.RV(pkcs11.CKR_TOKEN_NOT_PRESENT)
		}
		return nil
	}}
	tok := openFaulty(t, f)
	check(t, tok.GenerateMACKey(ctx, "mac"))
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	away.Store(true)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			_, err := key.Sign(nil, make([]byte, 32), crypto.SHA256)
			wantKind(t, err, hsm.TokenGone)
			_, err = tok.MAC(ctx, "mac", nil)
			wantKind(t, err, hsm.TokenGone)
			_, err = tok.Has("key")
			wantKind(t, err, hsm.TokenGone)
		})
	}
	wg.Wait()
	away.Store(false)
	comesBack(t, key)
}

// comesBack waits until a key signs again.
func comesBack(t *testing.T, key *hsm.Signer) {
	t.Helper()
	var err error
	for range 100 {
		if _, err = key.Sign(nil, make([]byte, 32), crypto.SHA256); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the token did not come back: %v", err)
}

// TestWrongPINAfterReturn: somebody changed the PIN while the token was away.
func TestWrongPINAfterReturn(t *testing.T) {
	t.Parallel()
	var refuse atomic.Bool
	var logins atomic.Int32
	f := &hsm.Faults{Before: func(call string) error {
		switch {
		case !refuse.Load() || call == "open":
			return nil
		case call == "login":
			logins.Add(1)
			return hsm.RV(pkcs11.CKR_PIN_INCORRECT)
		default:
			return hsm.RV(pkcs11.CKR_USER_NOT_LOGGED_IN)
		}
	}}
	tok := openFaulty(t, f)
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	refuse.Store(true)
	for range 20 {
		_, err = key.Sign(nil, make([]byte, 32), crypto.SHA256)
		wantKind(t, err, hsm.WrongPIN)
	}
	if n := logins.Load(); n != 1 {
		t.Errorf("the PIN was tried %d times: tokens lock after a few", n)
	}
}

// TestTokenRemoved removes the files of a real SoftHSM token under our feet.
func TestTokenRemoved(t *testing.T) {
	t.Parallel()
	tok := open(t)
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	tokens := filepath.Join(filepath.Dir(os.Getenv("SOFTHSM2_CONF")), "tokens")
	dirs, err := filepath.Glob(filepath.Join(tokens, "*"))
	check(t, err)
	removed := 0
	for _, dir := range dirs {
		raw, err := os.ReadFile(filepath.Join(dir, "token.object"))
		if err == nil && bytes.Contains(raw, []byte(tok.Info().Label)) {
			check(t, os.RemoveAll(dir))
			removed++
		}
	}
	if removed != 1 {
		t.Fatalf("found %d directories of the token", removed)
	}
	// SoftHSM goes on to believe in the token, but has no keys for it any more.
	for range 2 {
		sig, err := key.Sign(nil, make([]byte, 32), crypto.SHA256)
		if sig != nil {
			t.Errorf("signed %x", sig)
		}
		wantKind(t, err, hsm.TokenGone)
		if _, err := tok.GenerateSigner(ctx, "other", hsm.P256); err == nil {
			t.Error("made a key in a token without a place")
		}
	}
}
