package xades

import (
	"crypto"
	"crypto/rsa"
	"math/big"
	"testing"

	"sigillo/formats/cms"
)

// An RSA key of a size that would keep the reader busy is not tried.
func TestHugeRSAKeyIsRefused(t *testing.T) {
	t.Parallel()
	odd := func(bits uint) *big.Int { n := new(big.Int).Lsh(big.NewInt(1), bits-1); return n.SetBit(n, 0, 1) }
	for _, c := range []struct {
		name string
		key  *rsa.PublicKey
		kind Kind
	}{
		{"largest", &rsa.PublicKey{N: odd(16384), E: 65537}, ""},
		{"modulus", &rsa.PublicKey{N: odd(16385), E: 65537}, Unsupported},
		{"exponent", &rsa.PublicKey{N: odd(2048), E: 1<<31 + 1}, Unsupported},
	} {
		for _, scheme := range []cms.Scheme{cms.PKCS1, cms.PSS} {
			a := cms.Algorithm{Scheme: scheme, Hash: crypto.SHA256, SaltLength: 32}
			ok, err := check(a, c.key, make([]byte, 32), make([]byte, c.key.Size()))
			if ok || KindOf(err) != c.kind {
				t.Errorf("%s: got %v, %v", c.name, ok, err)
			}
		}
	}
}
