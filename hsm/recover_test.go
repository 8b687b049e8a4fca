package hsm_test

import (
	"context"
	"crypto"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
)

// alone runs the test again in a process of its own, where the library belongs to
// it alone, and reports whether this is that process.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv("HSM_TEST_ALONE") != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "HSM_TEST_ALONE=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skip(string(out))
	}
	return false
}

// everything is a token with a key of each kind, and what is done with them.
type everything struct {
	tok  *hsm.Token
	key  *hsm.Signer
	fast *hsm.Signer
	d    [32]byte
	w    hsm.Wrapped
}

func newEverything(t *testing.T, tok *hsm.Token) *everything {
	t.Helper()
	check(t, tok.GenerateMaster(ctx, "master"), tok.GenerateMACKey(ctx, "mac"))
	e := &everything{tok: tok, d: secret(t)}
	var err error
	e.key, err = tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	e.fast, err = tok.GenerateFastSigner(ctx, "fast", hsm.P256)
	check(t, err)
	e.w, err = tok.GenerateWrapped(ctx, "master", e.d, hsm.P256, nil)
	check(t, err)
	check(t, e.use()...)
	return e
}

// use does everything once.
func (e *everything) use() []error {
	digest := make([]byte, 32)
	_, err1 := e.key.Sign(nil, digest, crypto.SHA256)
	_, err2 := e.fast.Sign(nil, digest, crypto.SHA256)
	_, err3 := e.tok.MAC(ctx, "mac", nil)
	err4 := e.tok.UseWrapped(ctx, "master", e.d, e.w, func(k crypto.Signer) error {
		_, err := k.Sign(nil, digest, crypto.SHA256)
		return err
	})
	has, err5 := e.tok.Has("key")
	if err5 == nil && !has {
		err5 = errors.New("the key is not there")
	}
	return []error{err1, err2, err3, err4, err5}
}

// gone wants every use to say that the token is gone.
func (e *everything) gone(t *testing.T) {
	t.Helper()
	for i, err := range e.use() {
		if hsm.KindOf(err) != hsm.TokenGone {
			t.Errorf("use %d: %v", i, err)
		}
	}
}

// back wants everything to work, soon and then at once.
func (e *everything) back(t *testing.T) {
	t.Helper()
	comesBack(t, e.key)
	check(t, e.use()...)
}

// tokenDir is the directory of a SoftHSM token.
func tokenDir(t *testing.T) string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(filepath.Dir(os.Getenv("SOFTHSM2_CONF")), "tokens", "*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("%q, %v", dirs, err)
	}
	return dirs[0]
}

// TestTokenAwayAndBack takes the files of a real token away and puts them back, as
// an operator does who remounts a disk. SoftHSM would not see them any more.
func TestTokenAwayAndBack(t *testing.T) {
	t.Parallel()
	if !alone(t) {
		return
	}
	e := newEverything(t, open(t))
	dir := tokenDir(t)
	for range 2 {
		away := filepath.Join(t.TempDir(), "away")
		check(t, os.Rename(dir, away))
		e.gone(t)
		e.gone(t)
		check(t, os.Rename(away, dir))
		e.back(t)
	}
}

// TestTokenInitialisedAnew has another process initialise the token anew, and then
// puts the old one back. The new one's PIN is not tried: it is another token.
func TestTokenInitialisedAnew(t *testing.T) {
	t.Parallel()
	if !alone(t) {
		return
	}
	util, err := exec.LookPath("softhsm2-util")
	if err != nil {
		t.Skip("missing the program softhsm2-util")
	}
	cfg := hsmtest.Token(t)
	e := newEverything(t, openFaultyConfig(t, cfg, &hsm.Faults{}))
	dir, kept := tokenDir(t), filepath.Join(t.TempDir(), "kept")
	check(t, os.CopyFS(kept, os.DirFS(dir)))
	anew := func(args ...string) {
		t.Helper()
		args = append(args, "--label", cfg.Token, "--so-pin", "12345678", "--pin", string(cfg.PIN))
		if out, err := exec.Command(util, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	check(t, os.RemoveAll(dir))
	anew("--init-token", "--free")
	e.gone(t)
	other := tokenDir(t)
	check(t, os.RemoveAll(other), os.CopyFS(dir, os.DirFS(kept)))
	e.back(t)
}

// TestLibraryPulledAway ends the login, all sessions and the library itself behind
// the pool's back, as another user of the library in this process could.
func TestLibraryPulledAway(t *testing.T) {
	t.Parallel()
	if !alone(t) {
		return
	}
	for name, token := range map[string]func(testing.TB) hsm.Config{"softhsm": hsmtest.Token, "nss": hsmtest.NSS} {
		t.Run(name, func(t *testing.T) {
			tok := openFaultyConfig(t, token(t), &hsm.Faults{})
			check(t, tok.GenerateMACKey(ctx, "mac"))
			key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
			check(t, err)
			for what, pull := range tok.Pull() {
				if name == "nss" && what == "library" {
					continue // softokn unloads what it computes with, and now and then calls it afterwards
				}
				for range 3 {
					check(t, pull())
					_, err1 := key.Sign(nil, make([]byte, 32), crypto.SHA256)
					_, err2 := tok.MAC(ctx, "mac", nil)
					if err := errors.Join(err1, err2); err != nil {
						t.Errorf("%s: %v", what, err)
					}
				}
			}
		})
	}
}

// TestIll: a token that answers everything with CKR_GENERAL_ERROR is opened anew;
// one such answer now and then is the request's fault.
func TestIll(t *testing.T) {
	t.Parallel()
	var ill atomic.Bool
	var opened atomic.Int32
	f := &hsm.Faults{Before: func(call string) error {
		switch {
		case call == "login":
			opened.Add(1)
			ill.Store(false)
		case ill.Load() && call == "sign":
			return hsm.RV(pkcs11.CKR_GENERAL_ERROR)
		}
		return nil
	}}
	tok := openFaulty(t, f)
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	opened.Store(0)
	ill.Store(true)
	for range 2 {
		_, err := key.Sign(nil, make([]byte, 32), crypto.SHA256)
		wantKind(t, err, hsm.Failed)
	}
	if opened.Load() != 0 {
		t.Error("opened anew after two failures")
	}
	_, err = key.Sign(nil, make([]byte, 32), crypto.SHA256)
	check(t, err)
	if opened.Load() != 1 {
		t.Errorf("opened anew %d times", opened.Load())
	}
}

// TestManyWaitForATokenThatIsGone: those who come while somebody tries to bring it
// back end with their context, and the token is not tried once for each.
func TestManyWaitForATokenThatIsGone(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	var tries atomic.Int32
	hang := make(chan struct{})
	f := &hsm.Faults{Before: func(call string) error {
		if !away.Load() {
			return nil
		}
		if call == "open" {
			tries.Add(1)
			<-hang
		}
		return hsm.RV(pkcs11.CKR_DEVICE_REMOVED)
	}}
	tok := openFaulty(t, f)
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	away.Store(true)
	var wg, late sync.WaitGroup
	for i := range 40 {
		soon, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		group := &late
		if i == 0 {
			cancel()
			soon, cancel, group = ctx, func() {}, &wg
		}
		group.Go(func() {
			defer cancel()
			if _, err := key.SignContext(soon, make([]byte, 32), crypto.SHA256); err == nil {
				t.Error("signed")
			}
		})
		if i == 0 {
			for tries.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}
	late.Wait() // while the first one hangs in the token
	close(hang)
	wg.Wait()
	if n := tries.Load(); n > 4 {
		t.Errorf("the token was tried %d times", n)
	}
	away.Store(false)
	comesBack(t, key)
}
