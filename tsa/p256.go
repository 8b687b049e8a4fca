package tsa

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"math/big"

	"filippo.io/nistec"
)

// p256 verifies signatures of one P-256 key, for the look at each token before it
// leaves. crypto/ecdsa is told the key with each call and starts from nothing; this
// knows it beforehand and keeps multiples of it, so that what takes crypto/ecdsa a
// scalar multiplication, with its doublings, takes this 22 additions.
//
// Nothing here is secret, so nothing needs to take the same time for all values.
type p256 struct {
	// multiples[i*p256Half+j-1] is j·2^(i·p256Window)·Q, for j from 1 to p256Half: a
	// digit from -p256Half to p256Half is one look-up and one change of sign.
	multiples []nistec.P256Point
}

const (
	p256Window  = 12 // bits; [bits] reads two octets, so 9, 10 and 12 would do
	p256Half    = 1 << (p256Window - 1)
	p256Windows = 256/p256Window + 1 // the carry of the last digit fits too
)

var (
	p256Order    = elliptic.P256().Params().N
	errSignature = errors.New("the signature value does not match")
)

// newP256 takes some ten milliseconds and four megabytes.
func newP256(pub *ecdsa.PublicKey) (*p256, error) {
	b, err := pub.Bytes()
	if err != nil {
		return nil, err
	}
	base, err := nistec.NewP256Point().SetBytes(b)
	if err != nil {
		return nil, err
	}
	v := &p256{multiples: make([]nistec.P256Point, p256Windows*p256Half)}
	for i := range p256Windows {
		row := v.multiples[i*p256Half : (i+1)*p256Half]
		row[0].Set(base)
		for j := 1; j < p256Half; j++ {
			row[j].Add(&row[j-1], base)
		}
		base.Double(&row[p256Half-1]) // 2·2^(w-1)
	}
	return v, nil
}

// verify checks an ECDSA-Sig-Value over a SHA-256 digest (FIPS 186-5 §6.4.2).
func (v *p256) verify(digest [sha256.Size]byte, signature []byte) error {
	r, s, ok := p256Numbers(signature)
	if !ok {
		return errSignature
	}
	w := s.ModInverse(s, p256Order)
	u := new(big.Int).SetBytes(digest[:])
	var u1, u2 [32]byte
	u.Mul(u, w)
	u.Mod(u, p256Order).FillBytes(u1[:])
	u.Mul(r, w)
	u.Mod(u, p256Order).FillBytes(u2[:])
	sum, err := nistec.NewP256Point().ScalarBaseMult(u1[:])
	if err != nil {
		return err
	}
	v.addMultiple(sum, &u2)
	x, err := sum.BytesX() // an error: the sum is the point at infinity
	if err != nil {
		return errSignature
	}
	if u.SetBytes(x); u.Cmp(p256Order) >= 0 {
		u.Sub(u, p256Order)
	}
	if u.Cmp(r) != 0 {
		return errSignature
	}
	return nil
}

// addMultiple adds k·Q, k in big-endian octets and less than 2^256. A digit above
// half of its range is written as what lacks to the next one.
func (v *p256) addMultiple(sum *nistec.P256Point, k *[32]byte) {
	var negative nistec.P256Point
	carry := 0
	for i := range p256Windows {
		digit := carry + bits(k, i*p256Window)
		if carry = 0; digit > p256Half {
			digit -= 2 * p256Half
			carry = 1
		}
		row := v.multiples[i*p256Half:]
		switch {
		case digit > 0:
			sum.Add(sum, &row[digit-1])
		case digit < 0:
			sum.Add(sum, negative.Negate(&row[-digit-1]))
		}
	}
}

// bits gives p256Window bits of k from the given one, counted from the lowest.
func bits(k *[32]byte, from int) int {
	at := 31 - from/8
	v := int(k[at])
	if at > 0 {
		v |= int(k[at-1]) << 8
	}
	return v >> (from % 8) & (2*p256Half - 1)
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
