// Package p256 verifies signatures of a P-256 key that is known beforehand, each in a
// quarter to a third of the time that crypto/ecdsa takes. What leaves the house is
// verified before it does; with a key of the token that is used again and again, that
// would cost as much as the signature.
//
// All values are public: what is computed with them takes longer for some than for
// others.
package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"math/big"
	"sync"

	"filippo.io/nistec"
)

// Key is a public key with multiples of it, made once. crypto/ecdsa is told the key
// with each call and starts from nothing; here the two scalar multiplications become 52
// to 63 additions of points. It may be used by several goroutines.
//
// It can only be wrong by refusing: that two numbers of 256 bits are equal by
// mistake does not happen, and what does not match is shown to crypto/ecdsa, which
// has the last word. So the sums that need other formulas, which are as rare as
// collisions, are left to it too.
type Key struct {
	pub *ecdsa.PublicKey
	key multiples
}

// Size says how many multiples are kept.
type Size int

const (
	Small Size = 7  // 150 KB, made in the time of some 20 verifications
	Large Size = 10 // 850 KB, made in some milliseconds; each verification takes a fifth less
)

var (
	order = elliptic.P256().Params().N
	prime = elliptic.P256().Params().P
	// excess is how much p is greater than the order: coordinates less than that
	// have two numbers modulo the order.
	excess = new(big.Int).Sub(prime, order)

	generator = sync.OnceValue(func() *multiples {
		m := newMultiples(nistec.NewP256Point().SetGenerator(), Large)
		return &m
	})
)

// ErrSignature: the signature is not one over the digest by the key.
var ErrSignature = errors.New("the signature value does not match")

// New makes the multiples. It fails for a key that is not on P-256.
func New(pub *ecdsa.PublicKey, size Size) (*Key, error) {
	if pub.Curve != elliptic.P256() {
		return nil, errors.New("the key is not one of P-256")
	}
	b, err := pub.Bytes()
	if err != nil {
		return nil, err
	}
	q, err := nistec.NewP256Point().SetBytes(b)
	if err != nil {
		return nil, err
	}
	generator()
	return &Key{pub, newMultiples(q, size)}, nil
}

// Verify checks an ECDSA-Sig-Value over a digest of 256 bits (FIPS 186-5 §6.4.2).
func (v *Key) Verify(digest [sha256.Size]byte, signature []byte) error {
	if v.matches(&digest, signature) || ecdsa.VerifyASN1(v.pub, digest[:], signature) {
		return nil
	}
	return ErrSignature
}

// matches reports whether the signature is right; one of the rare sums is not.
func (v *Key) matches(digest *[sha256.Size]byte, signature []byte) bool {
	r, s, ok := readNumbers(signature)
	if !ok {
		return false
	}
	w := s.ModInverse(s, order)
	u := new(big.Int).SetBytes(digest[:])
	var u1, u2 [32]byte
	u.Mul(u, w)
	u.Mod(u, order).FillBytes(u1[:])
	u.Mul(r, w)
	u.Mod(u, order).FillBytes(u2[:])
	var t terms
	t.of(generator(), &u1)
	t.of(&v.key, &u2)
	sum, ok := t.sum()
	if !ok || sum.z == (fe{}) {
		return false
	}
	// x/z² = r modulo the order, without the division.
	var zz fe
	zz.mul(&sum.z, &sum.z)
	for {
		e := newElement(r.FillBytes(u1[:]))
		if e.mul(&e, &zz); e == sum.x {
			return true
		}
		if r.Cmp(excess) >= 0 {
			return false
		}
		r.Add(r, order)
	}
}

// readNumbers reads an ECDSA-Sig-Value in DER: two numbers from 1 to the order
// less one. Its length always fits one octet.
func readNumbers(b []byte) (r, s *big.Int, ok bool) {
	if len(b) < 2 || b[0] != 0x30 || int(b[1]) != len(b)-2 || b[1] >= 0x80 {
		return nil, nil, false
	}
	r, b, ok = readNumber(b[2:])
	if !ok {
		return nil, nil, false
	}
	s, b, ok = readNumber(b)
	return r, s, ok && len(b) == 0
}

func readNumber(b []byte) (n *big.Int, rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 0x02 || b[1] < 1 || b[1] > 33 || int(b[1]) > len(b)-2 {
		return nil, nil, false
	}
	v, rest := b[2:2+b[1]], b[2+b[1]:]
	if v[0]&0x80 != 0 || len(v) > 1 && v[0] == 0 && v[1]&0x80 == 0 {
		return nil, nil, false // negative, or not in its shortest form
	}
	n = new(big.Int).SetBytes(v)
	return n, rest, n.Sign() > 0 && n.Cmp(order) < 0
}
