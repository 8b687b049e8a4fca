package hsm_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"sync/atomic"
	"testing"

	"github.com/miekg/pkcs11"

	"sigillo/hsm"
	"sigillo/hsm/hsmtest"
)

// TestSignInsideStruct: a digest may lie in a struct that has pointers, although
// the rules of cgo for what they call a pointer to it would forbid that.
func TestSignInsideStruct(t *testing.T) {
	t.Parallel()
	tok := open(t)
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	s := &struct {
		digest [32]byte
		other  *int
	}{other: new(int)}
	if _, err := key.SignContext(ctx, s.digest[:], crypto.SHA256); err != nil {
		t.Fatal(err)
	}
}

// TestDestroySigner: the key is gone, for Signers that had it too, and the label is
// free.
func TestDestroySigner(t *testing.T) {
	t.Parallel()
	for name, generate := range map[string]func(*hsm.Token, context.Context, string, hsm.KeyType) (*hsm.Signer, error){
		"plain": (*hsm.Token).GenerateSigner, "fast": (*hsm.Token).GenerateFastSigner,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); testDestroy(t, generate) })
	}
}

func testDestroy(t *testing.T, generate func(*hsm.Token, context.Context, string, hsm.KeyType) (*hsm.Signer, error)) {
	tok := open(t)
	key, err := generate(tok, ctx, "key", hsm.P256)
	check(t, err)
	check(t, tok.GenerateMACKey(ctx, "mac"))
	check(t, tok.DestroySigner(ctx, "key"))
	if _, err := key.SignContext(ctx, make([]byte, 32), crypto.SHA256); hsm.KindOf(err) != hsm.NotFound {
		t.Errorf("a destroyed key signed: %v", err)
	}
	if err := tok.DestroySigner(ctx, "key"); hsm.KindOf(err) != hsm.NotFound {
		t.Errorf("destroyed twice: %v", err)
	}
	if err := tok.DestroySigner(ctx, "mac"); err == nil {
		t.Error("a MAC key was destroyed as a signing key")
	}
	other, err := tok.GenerateSigner(ctx, "key", hsm.P256)
	check(t, err)
	if _, err := key.SignContext(ctx, make([]byte, 32), crypto.SHA256); hsm.KindOf(err) != hsm.NotFound {
		t.Errorf("another key of the name signed for the old one: %v", err)
	}
	if _, err := other.SignContext(ctx, make([]byte, 32), crypto.SHA256); err != nil {
		t.Error(err)
	}
}

// TestSessionCopy: a fast signer works through a copy in a session, which protects
// the key as much; one that is not just like the key is not used; it comes back after
// the token was away; a key that does more than signing is refused still.
func TestSessionCopy(t *testing.T) {
	t.Parallel()
	cfg := hsmtest.Token(t)
	f := &hsm.Faults{}
	tok, err := hsm.OpenFaulty(cfg, f)
	check(t, err)
	t.Cleanup(func() { check(t, tok.Close()) })
	sign := func(k *hsm.Signer) {
		t.Helper()
		digest := sha256.Sum256([]byte("x"))
		sig, err := k.Sign(nil, digest[:], crypto.SHA256)
		if err != nil || !ecdsa.VerifyASN1(k.Public().(*ecdsa.PublicKey), digest[:], sig) {
			t.Errorf("sign: %v", err)
		}
	}
	fast, err := tok.GenerateFastSigner(ctx, "fast", hsm.P256)
	check(t, err)
	sign(fast)
	if !tok.Copied("fast") {
		t.Error("a fast signer is used as it stays")
	}
	if err := tok.TryToRead("fast"); err == nil {
		t.Error("the copy can be read or wrapped")
	}
	plain, err := tok.GenerateSigner(ctx, "plain", hsm.P256)
	check(t, err)
	sign(plain)
	if tok.Copied("plain") {
		t.Error("a key that is not modifiable was copied")
	}
	var lost atomic.Bool
	f.Before = func(call string) error {
		if call == "sign" && lost.CompareAndSwap(false, true) {
			return pkcs11.Error(pkcs11.CKR_DEVICE_REMOVED)
		}
		return nil
	}
	sign(fast)
	if !lost.Load() || !tok.Copied("fast") {
		t.Error("no copy after the token was away")
	}
	f.Copy = func(of, o uint, err error) (uint, error) { return of, err } // a token that copies nothing
	other, err := tok.GenerateFastSigner(ctx, "other", hsm.P256)
	check(t, err)
	sign(other)
	if tok.Copied("other") {
		t.Error("the key itself was taken for a copy")
	}
	f.Copy = nil
	check(t, tok.Widen("other"))
	fresh, err := hsm.Open(cfg)
	check(t, err)
	t.Cleanup(func() { check(t, fresh.Close()) })
	if _, err := fresh.Signer("other"); hsm.KindOf(err) != hsm.Conflict {
		t.Errorf("a key that also decrypts was accepted: %v", err)
	}
}
