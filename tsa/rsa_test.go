package tsa

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"testing"
)

// What crypto/rsa accepts is accepted, and nothing else: each byte of the signature
// matters, and so do the padding, the length and the value being below the modulus.
func TestRSA(t *testing.T) {
	t.Parallel()
	for _, bits := range []int{3072, 3074} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		k := newRSA(&key.PublicKey)
		digest := sha256.Sum256([]byte("text"))
		value, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		if !k.matches(digest, value) {
			t.Fatalf("%d bits: a good signature was refused", bits)
		}
		for i := range value {
			value[i] ^= 1
			if k.matches(digest, value) {
				t.Fatalf("%d bits: byte %d does not matter", bits, i)
			}
			value[i] ^= 1
		}
		other := digest
		other[31] ^= 1
		above := new(big.Int).Add(new(big.Int).SetBytes(value), key.N)
		long := above.FillBytes(make([]byte, len(value)+1))
		if k.matches(other, value) || k.matches(digest, value[1:]) || k.matches(digest, append([]byte{0}, value...)) ||
			k.matches(digest, long) || k.matches(digest, long[1:]) {
			t.Errorf("%d bits: another digest, length or a value above the modulus was accepted", bits)
		}
		// Signatures that are right but for the encoding: another hash, and none.
		for _, h := range []crypto.Hash{0, crypto.SHA384} {
			d := make([]byte, 48)
			copy(d, digest[:])
			if h == 0 {
				d = digest[:]
			}
			if value, err = rsa.SignPKCS1v15(nil, key, h, d); err != nil || k.matches(digest, value) {
				t.Errorf("%d bits: another encoding was accepted, %v", bits, err)
			}
		}
	}
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if newRSA(&small.PublicKey) != nil {
		t.Error("a key of 2048 bits is left to crypto/rsa")
	}
}
