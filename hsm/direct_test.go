package hsm_test

import (
	"crypto"
	"testing"

	"sigillo/hsm"
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
	tok := open(t)
	key, err := tok.GenerateSigner(ctx, "key", hsm.P256)
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
