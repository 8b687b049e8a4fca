package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"testing"
)

// Few digests and many, keys with multiples and without: the verdict is the same.
func TestVerifiers(t *testing.T) {
	t.Parallel()
	var c verifiers
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		for _, n := range []int{1, manyDigests, 1} {
			key, err := ecdsa.GenerateKey(curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range []crypto.Hash{crypto.SHA256, crypto.SHA384} {
				digest, other := make([]byte, h.Size()), make([]byte, h.Size())
				rand.Read(digest)
				sig, err := ecdsa.SignASN1(rand.Reader, key, digest)
				if err != nil {
					t.Fatal(err)
				}
				good := c.of(&key.PublicKey, spki, n)
				if !good(digest, sig, h) {
					t.Errorf("%s, %d, %v: a good signature is refused", curve.Params().Name, n, h)
				}
				sig[len(sig)-1] ^= 1
				if good(other, sig, h) || good(digest, sig, h) || good(digest, nil, h) {
					t.Errorf("%s, %d, %v: a bad signature is taken", curve.Params().Name, n, h)
				}
			}
		}
	}
	if len(c.keys) != 1 {
		t.Errorf("the multiples of %d keys are kept, want those of the one that signs many", len(c.keys))
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxVerifiers + 3 {
		c.of(&key.PublicKey, fmt.Append(nil, i), manyDigests)
	}
	if len(c.keys) > maxVerifiers {
		t.Errorf("the multiples of %d keys are kept", len(c.keys))
	}
}
