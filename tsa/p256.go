package tsa

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"math/big"
	"sync"

	"filippo.io/nistec"
)

// p256 verifies signatures of one P-256 key, for the look at each token before it
// leaves. crypto/ecdsa is told the key with each call and starts from nothing; this
// knows it beforehand and keeps multiples of it and of the generator, so that the
// two scalar multiplications become 52 additions of points.
//
// It can only be wrong by refusing: that two numbers of 256 bits are equal by
// mistake does not happen, and what does not match is shown to crypto/ecdsa, which
// has the last word. So the sums that need other formulas, which are as rare as
// collisions, are left to it too.
type p256 struct {
	pub *ecdsa.PublicKey
	key multiples
}

var (
	p256Order = elliptic.P256().Params().N
	p256Prime = elliptic.P256().Params().P
	// p256Excess is how much p is greater than the order: coordinates less than that
	// have two numbers modulo the order.
	p256Excess = new(big.Int).Sub(p256Prime, p256Order)

	p256Generator = sync.OnceValue(func() multiples { return newMultiples(nistec.NewP256Point().SetGenerator()) })

	errSignature = errors.New("the signature value does not match")
)

func newP256(pub *ecdsa.PublicKey) (*p256, error) {
	b, err := pub.Bytes()
	if err != nil {
		return nil, err
	}
	q, err := nistec.NewP256Point().SetBytes(b)
	if err != nil {
		return nil, err
	}
	p256Generator()
	return &p256{pub, newMultiples(q)}, nil
}

// verify checks an ECDSA-Sig-Value over a SHA-256 digest (FIPS 186-5 §6.4.2).
func (v *p256) verify(digest [sha256.Size]byte, signature []byte) error {
	if v.matches(&digest, signature) || ecdsa.VerifyASN1(v.pub, digest[:], signature) {
		return nil
	}
	return errSignature
}

// matches reports whether the signature is right; one of the rare sums is not.
func (v *p256) matches(digest *[sha256.Size]byte, signature []byte) bool {
	r, s, ok := p256Numbers(signature)
	if !ok {
		return false
	}
	w := s.ModInverse(s, p256Order)
	u := new(big.Int).SetBytes(digest[:])
	var u1, u2 [32]byte
	u.Mul(u, w)
	u.Mod(u, p256Order).FillBytes(u1[:])
	u.Mul(r, w)
	u.Mod(u, p256Order).FillBytes(u2[:])
	var t terms
	t.of(p256Generator(), &u1)
	t.of(v.key, &u2)
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
		if r.Cmp(p256Excess) >= 0 {
			return false
		}
		r.Add(r, p256Order)
	}
}

// p256Numbers reads an ECDSA-Sig-Value in DER: two numbers from 1 to the order
// less one. Its length always fits one octet.
func p256Numbers(b []byte) (r, s *big.Int, ok bool) {
	if len(b) < 2 || b[0] != 0x30 || int(b[1]) != len(b)-2 || b[1] >= 0x80 {
		return nil, nil, false
	}
	r, b, ok = p256Number(b[2:])
	if !ok {
		return nil, nil, false
	}
	s, b, ok = p256Number(b)
	return r, s, ok && len(b) == 0
}

func p256Number(b []byte) (n *big.Int, rest []byte, ok bool) {
	if len(b) < 3 || b[0] != 0x02 || b[1] < 1 || b[1] > 33 || int(b[1]) > len(b)-2 {
		return nil, nil, false
	}
	v, rest := b[2:2+b[1]], b[2+b[1]:]
	if v[0]&0x80 != 0 || len(v) > 1 && v[0] == 0 && v[1]&0x80 == 0 {
		return nil, nil, false // negative, or not in its shortest form
	}
	n = new(big.Int).SetBytes(v)
	return n, rest, n.Sign() > 0 && n.Cmp(p256Order) < 0
}
