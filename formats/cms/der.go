package cms

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"slices"
)

// Tags as they are written (X.690 §8.1.2): all of them fit one octet.
const (
	tagBoolean     = 0x01
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctets      = 0x04
	tagNull        = 0x05
	tagOID         = 0x06
	tagUTF8        = 0x0c
	tagPrintable   = 0x13
	tagTeletex     = 0x14
	tagIA5         = 0x16
	tagBMP         = 0x1e
	tagUTCTime     = 0x17
	tagGenTime     = 0x18
	tagSequence    = 0x30
	tagSet         = 0x31
	tagContext0    = 0x80 // primitive [0]
	tagContext0Con = 0xa0 // constructed [0]
)

var derNull = []byte{0x05, 0x00}

// appendHeader appends tag and the shortest definite length (X.690 §10.1).
func appendHeader(dst []byte, tag byte, n int64) []byte {
	dst = append(dst, tag)
	if n < 0x80 {
		return append(dst, byte(n))
	}
	octets := lengthOctets(n)
	dst = append(dst, 0x80|byte(octets))
	for i := octets - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

func lengthOctets(n int64) int {
	octets := 0
	for ; n > 0; n >>= 8 {
		octets++
	}
	return octets
}

// tlvSize gives the size of an element with n octets of contents.
func tlvSize(n int64) int64 {
	if n < 0x80 {
		return n + 2
	}
	return n + 2 + int64(lengthOctets(n))
}

// tlv gives the DER element with the parts as contents.
func tlv(tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := appendHeader(make([]byte, 0, tlvSize(int64(n))), tag, int64(n))
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// setOf gives a SET OF in DER order (X.690 §11.6) under the given tag.
func setOf(tag byte, members ...[]byte) []byte {
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, bytes.Compare)
	return tlv(tag, sorted...)
}

// derOID encodes an identifier (X.690 §8.19); nil when it is not one.
func derOID(oid asn1.ObjectIdentifier) []byte {
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
	return tlv(tagOID, body)
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

// derInt encodes an INTEGER in the shortest two's complement (X.690 §8.3).
func derInt(n *big.Int) []byte {
	if n.Sign() < 0 {
		der, err := asn1.Marshal(n)
		if err != nil { // cannot happen: every integer has an encoding
			return nil
		}
		return der
	}
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		return tlv(tagInteger, []byte{0}, b)
	}
	return tlv(tagInteger, b)
}

func derSmall(n byte) []byte { return []byte{tagInteger, 1, n} }

// algorithm gives an AlgorithmIdentifier; params nil means absent.
func algorithm(oid asn1.ObjectIdentifier, params []byte) []byte {
	return tlv(tagSequence, derOID(oid), params)
}

// attribute gives an Attribute with one value (RFC 5652 §5.3).
func attribute(oid asn1.ObjectIdentifier, value []byte) []byte {
	return tlv(tagSequence, derOID(oid), tlv(tagSet, value))
}
