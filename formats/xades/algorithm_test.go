package xades

import (
	"crypto"
	"crypto/rsa"
	"math/big"
	"testing"
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
		for _, pss := range []bool{false, true} {
			a := Algorithm{Key: RSA, Hash: crypto.SHA256, PSS: pss, Salt: 32}
			ok, err := a.check(c.key, make([]byte, 32), make([]byte, c.key.Size()))
			if ok || KindOf(err) != c.kind {
				t.Errorf("%s: got %v, %v", c.name, ok, err)
			}
		}
	}
}
