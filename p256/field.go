package p256

import (
	"encoding/binary"
	"math/big"
	"math/bits"

	"filippo.io/nistec"
)

// fe is an element of the field of P-256 in Montgomery form: x stands for x·2^256
// modulo p, always less than p, lowest limb first. It is for public values only:
// what it does may take longer for one than for another.
type fe [4]uint64

// p = 2^256 - 2^224 + 2^192 + 2^96 - 1, in limbs; the third is zero.
const (
	prime0 = 1<<64 - 1
	prime1 = 1<<32 - 1
	prime3 = 1<<64 - 1<<32 + 1
)

var (
	feOne    = fe{1, 0xffffffff00000000, 0xffffffffffffffff, 0xfffffffe}  // 2^256 mod p
	feSquare = fe{3, 0xfffffffbffffffff, 0xfffffffffffffffe, 0x4fffffffd} // 2^512 mod p
)

// newElement reads 32 octets in big-endian order; a value of p or more comes out
// reduced.
func newElement(b []byte) fe {
	var z fe
	for i := range z {
		z[i] = binary.BigEndian.Uint64(b[24-8*i:])
	}
	z.mul(&z, &feSquare)
	return z
}

// mul sets z = x·y/2^256 mod p, limb after limb of y. After each limb m·p is added
// to make t divisible by 2^64: since p is -1 modulo 2^64, m is the lowest limb of t
// itself, and m·p = -m + m·2^96 + m·prime3·2^192, of which the first part clears
// that limb.
func (z *fe) mul(x, y *fe) {
	var t0, t1, t2, t3, t4, c uint64
	for _, d := range y {
		h0, l0 := bits.Mul64(x[0], d)
		h1, l1 := bits.Mul64(x[1], d)
		h2, l2 := bits.Mul64(x[2], d)
		h3, l3 := bits.Mul64(x[3], d)
		l1, c = bits.Add64(l1, h0, 0)
		l2, c = bits.Add64(l2, h1, c)
		l3, c = bits.Add64(l3, h2, c)
		h3 += c
		t0, c = bits.Add64(t0, l0, 0)
		t1, c = bits.Add64(t1, l1, c)
		t2, c = bits.Add64(t2, l2, c)
		t3, c = bits.Add64(t3, l3, c)
		t4, c = bits.Add64(t4, h3, c)
		t5 := c

		m := t0
		high, low := bits.Mul64(m, prime3)
		t0, c = bits.Add64(t1, m<<32, 0)
		t1, c = bits.Add64(t2, m>>32, c)
		t2, c = bits.Add64(t3, low, c)
		t3, c = bits.Add64(t4, high, c)
		t4 = t5 + c
	}
	z.reduce(t0, t1, t2, t3, t4)
}

// reduce sets z to a value less than 2p, less p if it is p or more.
func (z *fe) reduce(t0, t1, t2, t3, t4 uint64) {
	r0, b := bits.Sub64(t0, prime0, 0)
	r1, b := bits.Sub64(t1, prime1, b)
	r2, b := bits.Sub64(t2, 0, b)
	r3, b := bits.Sub64(t3, prime3, b)
	_, b = bits.Sub64(t4, 0, b)
	keep := -b // all ones: it was less than p
	z[0] = t0&keep | r0&^keep
	z[1] = t1&keep | r1&^keep
	z[2] = t2&keep | r2&^keep
	z[3] = t3&keep | r3&^keep
}

func (z *fe) double(x *fe) {
	z.reduce(x[0]<<1, x[1]<<1|x[0]>>63, x[2]<<1|x[1]>>63, x[3]<<1|x[2]>>63, x[3]>>63)
}

func (z *fe) sub(x, y *fe) {
	t0, b := bits.Sub64(x[0], y[0], 0)
	t1, b := bits.Sub64(x[1], y[1], b)
	t2, b := bits.Sub64(x[2], y[2], b)
	t3, b := bits.Sub64(x[3], y[3], b)
	add := -b // all ones: it went below zero
	var c uint64
	z[0], c = bits.Add64(t0, add, 0) // prime0 is all ones
	z[1], c = bits.Add64(t1, prime1&add, c)
	z[2], c = bits.Add64(t2, 0, c)
	z[3], _ = bits.Add64(t3, prime3&add, c)
}

// invert sets z = 1/x; it is slow.
func (z *fe) invert(x *fe) {
	var plain fe
	plain.mul(x, &fe{1})
	var b [32]byte
	for i, limb := range plain {
		binary.BigEndian.PutUint64(b[24-8*i:], limb)
	}
	n := new(big.Int).SetBytes(b[:])
	n.ModInverse(n, prime).FillBytes(b[:])
	*z = newElement(b[:])
}

// affine is a point that is not the one at infinity.
type affine struct{ x, y fe }

// jacobian is the point (x/z², y/z³), the one at infinity if z is zero.
type jacobian struct{ x, y, z fe }

// add adds q to p, or reports false: the two are equal or opposite, and other
// formulas are needed.
func (p *jacobian) add(q *affine) bool {
	if p.z == (fe{}) {
		p.x, p.y, p.z = q.x, q.y, feOne
		return true
	}
	var zz, u, s, h, hh, hhh, v fe
	zz.mul(&p.z, &p.z)
	u.mul(&q.x, &zz)
	s.mul(&q.y, &p.z)
	s.mul(&s, &zz)
	h.sub(&u, &p.x)
	if h == (fe{}) {
		return false
	}
	s.sub(&s, &p.y)
	hh.mul(&h, &h)
	hhh.mul(&hh, &h)
	v.mul(&p.x, &hh)
	p.x.mul(&s, &s)
	p.x.sub(&p.x, &hhh)
	u.double(&v)
	p.x.sub(&p.x, &u)
	v.sub(&v, &p.x)
	v.mul(&v, &s)
	hhh.mul(&hhh, &p.y)
	p.y.sub(&v, &hhh)
	p.z.mul(&p.z, &h)
	return true
}

// multiples are those of one point: points[i*half+j-1] is j·2^(i·window) times it, for j
// from 1 to half. A digit from -half to half is one look-up and perhaps a change of
// sign.
type multiples struct {
	window  int // bits
	half    int // 2^(window-1)
	windows int // how many: the carry of the last digit fits too
	points  []affine
}

// maxTerms is how many digits two scalars have, one of them with the generator's table.
const maxTerms = 256/int(Large) + 1 + 256/int(Small) + 1

// newMultiples makes what the processor's caches hold. What is added up here are
// different multiples of a point of a large prime order: no two are equal or opposite.
// Windows of up to 7 bits, and of 8, 9, 10 and 12, work: [multiples.digit] reads two octets.
func newMultiples(base *nistec.P256Point, size Size) multiples {
	m := multiples{window: int(size), half: 1 << (size - 1), windows: 256/int(size) + 1}
	m.points = make([]affine, m.windows*m.half)
	base = nistec.NewP256Point().Set(base)
	sums := make([]jacobian, m.half)
	for i := range m.windows {
		row := m.points[i*m.half : (i+1)*m.half]
		row[0] = newAffine(base)
		row[1] = newAffine(base.Double(base))
		sum := jacobian{row[1].x, row[1].y, feOne}
		for j := 2; j < m.half; j++ {
			sum.add(&row[0])
			sums[j] = sum
		}
		normalise(row[2:], sums[2:])
		for range m.window - 1 {
			base.Double(base)
		}
	}
	return m
}

func newAffine(p *nistec.P256Point) affine {
	b := p.Bytes() // 4, x, y
	return affine{newElement(b[1:33]), newElement(b[33:])}
}

// normalise gives the points with z = 1. One inversion serves for all: before is
// the product of all z up to a point, and the inverse of the last one is taken back
// from point to point.
func normalise(out []affine, points []jacobian) {
	before := make([]fe, len(points))
	product := feOne
	for i := range points {
		before[i] = product
		product.mul(&product, &points[i].z)
	}
	var inverse, z, zz fe
	inverse.invert(&product)
	for i := len(points) - 1; i >= 0; i-- {
		z.mul(&inverse, &before[i])
		inverse.mul(&inverse, &points[i].z)
		zz.mul(&z, &z)
		out[i].x.mul(&points[i].x, &zz)
		zz.mul(&zz, &z)
		out[i].y.mul(&points[i].y, &zz)
	}
}

// terms are the multiples that make up a sum.
type terms struct {
	points [maxTerms]affine
	minus  uint64 // bit i: the point i is to be subtracted
	n      int
}

// of adds the terms of k times the point, k in big-endian octets. A digit above half
// of its range is written as what lacks to the next one. The points are fetched before
// anything is computed with them: they lie all over the table, and the processor waits
// for many at once instead of for one after the other.
func (t *terms) of(m *multiples, k *[32]byte) {
	carry := 0
	for i := range m.windows {
		d := carry + m.digit(k, i*m.window)
		if carry = 0; d > m.half {
			d -= 2 * m.half
			carry = 1
		}
		if d == 0 {
			continue
		}
		if d < 0 {
			t.minus |= 1 << t.n
			d = -d
		}
		t.points[t.n] = m.points[i*m.half+d-1]
		t.n++
	}
}

// sum adds the terms up, or reports false as [jacobian.add] does.
func (t *terms) sum() (sum jacobian, ok bool) {
	for i := range t.points[:t.n] {
		p := &t.points[i]
		if t.minus>>i&1 != 0 {
			p.y.sub(&fe{}, &p.y)
		}
		if !sum.add(p) {
			return sum, false
		}
	}
	return sum, true
}

// digit gives a window's bits of k from the given one, counted from the lowest.
func (m *multiples) digit(k *[32]byte, from int) int {
	at := 31 - from/8
	v := int(k[at])
	if at > 0 {
		v |= int(k[at-1]) << 8
	}
	return v >> (from % 8) & (2*m.half - 1)
}
