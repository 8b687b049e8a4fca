package hsm_test

import (
	"bytes"
	"crypto"
	"testing"

	"sigillo/hsm"
)

// TestRewrap: the key goes from one secret to another, and only its holder can move it.
func TestRewrap(t *testing.T) {
	t.Parallel()
	f := &hsm.Faults{}
	tok := master(t, f)
	for _, kt := range []hsm.KeyType{hsm.P256, hsm.P384, hsm.RSA2048, hsm.RSA3072} {
		from, to, other := secret(t), secret(t), secret(t)
		w, err := tok.GenerateWrapped(ctx, "master", from, kt, nil)
		check(t, err)
		anew, err := tok.Rewrap(ctx, "master", from, to, w)
		check(t, err)
		if bytes.Equal(anew.Blob, w.Blob) || !bytes.Equal(anew.SPKI, w.SPKI) || anew.Type != kt {
			t.Errorf("%s: not wrapped anew", kt)
		}
		sign := func(key crypto.Signer) error {
			for _, h := range hashes {
				verify(t, key, h)
			}
			return nil
		}
		check(t, tok.UseWrapped(ctx, "master", to, anew, sign))
		never := func(crypto.Signer) error { t.Errorf("%s: a key opened", kt); return nil }
		for name, err := range map[string]error{
			"the old secret":  tok.UseWrapped(ctx, "master", from, anew, never),
			"the new for old": tok.UseWrapped(ctx, "master", to, w, never),
		} {
			if hsm.KindOf(err) != hsm.WrongSecret {
				t.Errorf("%s: %s: %v", kt, name, err)
			}
		}
		for name, bad := range map[string]hsm.Wrapped{
			"a changed blob": {Type: kt, SPKI: w.SPKI, Blob: flipped(w.Blob)},
			"no blob":        {Type: kt, SPKI: w.SPKI},
			"a long blob":    {Type: kt, SPKI: w.SPKI, Blob: make([]byte, 9<<10)},
		} {
			if _, err := tok.Rewrap(ctx, "master", from, to, bad); hsm.KindOf(err) != hsm.WrongSecret {
				t.Errorf("%s: %s: %v", kt, name, err)
			}
		}
		if _, err := tok.Rewrap(ctx, "master", other, to, w); hsm.KindOf(err) != hsm.WrongSecret {
			t.Errorf("%s: another's secret: %v", kt, err)
		}
		// A blob that is kept with another's public key does not come back.
		stranger, err := tok.GenerateWrapped(ctx, "master", from, kt, nil)
		check(t, err)
		if _, err := tok.Rewrap(ctx, "master", from, to, hsm.Wrapped{Type: kt, SPKI: stranger.SPKI, Blob: w.Blob}); err == nil {
			t.Errorf("%s: wrapped with another public key", kt)
		}
		if _, _, _, objects, _ := f.Count(); objects != 0 {
			t.Errorf("%s: %d objects left in the token", kt, objects)
		}
	}
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}
