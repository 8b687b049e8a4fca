package ber

import (
	"bytes"

	"sigillo/formats/cms"
	"sigillo/formats/der"
)

// Constructed is the bit of a tag octet that says so.
const Constructed = 0x20

// Definite gives an element with definite, shortest lengths and whole octet
// strings, as DER wants it; one that is so already is given as it is. Members of
// sets keep their order. The digests of signatures stay what they are: those over
// attributes are over their DER, those over contents over octets.
func Definite(b []byte) ([]byte, error) {
	if n := skipDefinite(b, 64); n > 0 && n == len(b) {
		return b, nil
	}
	s := New(bytes.NewReader(b), int64(len(b)), Limits{Headers: 64 * (len(b) + 1), Memory: 64 * int64(len(b)+1), Depth: 64})
	e, err := s.Root()
	if err != nil {
		return nil, err
	}
	return definite(e, b)
}

func definite(e Element, b []byte) ([]byte, error) {
	if e.Tag&0x1f == 0x1f { // no format of ours has them
		return nil, fail(cms.Malformed, "an element has a tag number above 30")
	}
	if !e.Constructed {
		return der.TLV(e.Tag, b[e.Start:e.End]), nil
	}
	if e.Is(OctetTag) {
		value, err := e.Octets()
		return der.TLV(OctetTag, value), err
	}
	children, err := e.Children(1 << 20)
	if err != nil {
		return nil, err
	}
	parts := make([][]byte, len(children))
	for i, c := range children {
		if parts[i], err = definite(c, b); err != nil {
			return nil, err
		}
	}
	return der.TLV(e.Tag|Constructed, parts...), nil
}

// skipDefinite gives the size of the element at the start of b if it and all in it
// are as Definite writes them, 0 if not.
func skipDefinite(b []byte, depth int) int {
	if len(b) < 2 || depth == 0 || b[0]&^Constructed == endOfConts || b[0]&0x1f == 0x1f || b[0] == OctetTag|Constructed {
		return 0
	}
	size, n := 2, int(b[1])
	if n >= 0x80 {
		octets := n & 0x7f
		if octets == 0 || octets > 4 || len(b) < 2+octets {
			return 0
		}
		n = 0
		for _, c := range b[2 : 2+octets] {
			n = n<<8 | int(c)
		}
		if der.Size(n)-n != 2+octets {
			return 0
		}
		size += octets
	}
	if n > len(b)-size {
		return 0
	}
	if b[0]&Constructed == 0 {
		return size + n
	}
	for in := b[size : size+n]; len(in) > 0; {
		k := skipDefinite(in, depth-1)
		if k == 0 {
			return 0
		}
		in = in[k:]
	}
	return size + n
}
