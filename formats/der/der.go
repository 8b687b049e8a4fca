// Package der writes DER (X.690 §10, §11): the one encoding of a value that
// signatures and digests are made over.
//
// An element is made of its parts, which are elements already ([TLV]), or is appended
// piece by piece where its contents are a file or where memory counts ([AppendHeader],
// with [Size] for what is around it). Reading is no work of this package: each room
// reads as strictly as its standard wants.
package der

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"math/bits"
	"slices"
)

// Tags as they are written (X.690 §8.1.2): all of them fit one octet.
const (
	Boolean          = 0x01
	Integer          = 0x02
	BitString        = 0x03
	Octets           = 0x04
	Null             = 0x05
	ObjectIdentifier = 0x06
	UTF8             = 0x0c
	Printable        = 0x13
	Teletex          = 0x14
	IA5              = 0x16
	UTCTime          = 0x17
	GenTime          = 0x18
	BMP              = 0x1e
	Sequence         = 0x30
	Set              = 0x31
	Context0         = 0x80 // primitive [0]
	Context0Con      = 0xa0 // constructed [0]
)

// AppendHeader appends a tag and the shortest definite length, n octets (X.690
// §10.1). In memory n is an int; a file may be longer than one can say.
// Lengths as time-stamps have them take no loop.
func AppendHeader[N int | int64](dst []byte, tag byte, n N) []byte {
	switch {
	case n < 0x80:
		return append(dst, tag, byte(n))
	case n < 1<<8:
		return append(dst, tag, 0x81, byte(n))
	case n < 1<<16:
		return append(dst, tag, 0x82, byte(n>>8), byte(n))
	}
	octets := lengthOctets(n)
	dst = append(dst, tag, 0x80|byte(octets))
	for shift := 8 * (octets - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst
}

func lengthOctets[N int | int64](n N) int { return (bits.Len64(uint64(n)) + 7) / 8 }

// Size gives the size of an element with n octets of contents.
func Size[N int | int64](n N) N {
	if n < 0x80 {
		return 2 + n
	}
	return 2 + N(lengthOctets(n)) + n
}

// TLV gives the element with the parts as contents.
func TLV(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := AppendHeader(make([]byte, 0, Size(n)), tag, n)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// SetOf gives a SET OF in DER order (X.690 §11.6) under the given tag.
func SetOf(tag byte, members ...[]byte) []byte {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, bytes.Compare)
	return TLV(tag, sorted...)
}

// OID gives an OBJECT IDENTIFIER (X.690 §8.19); nil when it is not one.
func OID(oid asn1.ObjectIdentifier) []byte {
	if len(oid) < 2 || oid[0] < 0 || oid[0] > 2 || oid[1] < 0 || oid[0] < 2 && oid[1] > 39 || oid[1] > 1<<30 {
		return nil
	}
	body := appendBase128(make([]byte, 0, 16), 40*oid[0]+oid[1])
	for _, arc := range oid[2:] {
		if arc < 0 {
			return nil
		}
		body = appendBase128(body, arc)
	}
	return TLV(ObjectIdentifier, body)
}

func appendBase128(dst []byte, n int) []byte {
	shift := 0
	for n>>shift > 0x7f {
		shift += 7
	}
	for ; shift > 0; shift -= 7 {
		dst = append(dst, 0x80|byte(n>>shift))
	}
	return append(dst, byte(n&0x7f))
}

// Int gives an INTEGER.
func Int(n int64) []byte { return AppendInt(make([]byte, 0, 10), n) }

// AppendInt appends an INTEGER: as few octets as hold its bits and that of its sign
// (X.690 §8.3).
func AppendInt(dst []byte, n int64) []byte {
	octets := bits.Len64(uint64(n^n>>63))/8 + 1
	dst = append(dst, Integer, byte(octets))
	for shift := 8 * (octets - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst
}

// AppendUnsigned appends the INTEGER that is not negative and has these octets, the
// highest first; zeros before it do no harm.
func AppendUnsigned(dst, octets []byte) []byte {
	octets = bytes.TrimLeft(octets, "\x00")
	if len(octets) == 0 || octets[0] >= 0x80 { // a zero to say that it is not negative
		return append(append(AppendHeader(dst, Integer, len(octets)+1), 0), octets...)
	}
	return append(AppendHeader(dst, Integer, len(octets)), octets...)
}

// BigInt gives an INTEGER of any size and sign.
func BigInt(n *big.Int) []byte {
	if n.Sign() >= 0 {
		return AppendUnsigned(nil, n.Bytes())
	}
	inverse := new(big.Int).Not(n) // −n−1: the bits of n, each the other way
	out := AppendUnsigned(nil, inverse.Bytes())
	for i := len(out) - 1 - inverse.BitLen()/8; i < len(out); i++ {
		out[i] ^= 0xff
	}
	return out
}
