package cms

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"slices"

	"sigillo/formats/der"
)

// header is the identifier and length of a BER element (X.690 §8.1).
type header struct {
	class       byte // 0 universal … 3 private
	constructed bool
	tag         int
	size        int   // octets of the header itself
	length      int64 // -1: indefinite
}

// maxHeader bounds a header: one tag octet, four more for a high tag number, one
// length octet and eight more.
const maxHeader = 14

func (h header) is(tag byte) bool {
	return h.class == tag>>6 && h.tag == int(tag&0x1f)
}

func (h header) endOfContents() bool {
	return h.class == 0 && h.tag == 0 && !h.constructed && h.length == 0
}

// readHeader reads the header at the start of b.
func readHeader(b []byte) (header, error) {
	var h header
	if len(b) < 2 {
		return h, fail(Malformed, "the data ends inside an element")
	}
	h.class, h.constructed, h.tag, h.size = b[0]>>6, b[0]&0x20 != 0, int(b[0]&0x1f), 1
	if h.tag == 0x1f {
		h.tag = 0
		for more := true; more; h.size++ {
			if h.size >= len(b) || h.size > 4 {
				return h, fail(Malformed, "an element has a tag number that is cut off or too large")
			}
			h.tag = h.tag<<7 | int(b[h.size]&0x7f)
			more = b[h.size]&0x80 != 0
		}
	}
	if h.class == 0 && !h.constructed && (h.tag == der.Sequence&0x1f || h.tag == der.Set&0x1f) {
		return h, fail(Malformed, "a SEQUENCE or SET is not marked as constructed (X.690 §8.9.1, §8.11.1)")
	}
	if h.size >= len(b) {
		return h, fail(Malformed, "the data ends inside an element")
	}
	first := b[h.size]
	h.size++
	switch n := int(first & 0x7f); {
	case first < 0x80:
		h.length = int64(first)
	case first == 0x80:
		if !h.constructed {
			return h, fail(Malformed, "a primitive element has an indefinite length")
		}
		h.length = -1
	case n > 8 || h.size+n > len(b):
		return h, fail(Malformed, "an element has a length that is cut off or too large")
	default:
		for _, c := range b[h.size : h.size+n] {
			h.length = h.length<<8 | int64(c)
		}
		h.size += n
		if h.length < 0 || h.length > 1<<62 {
			return h, fail(Malformed, "an element has an impossible length")
		}
	}
	if h.endOfContents() && h.size != 2 {
		// Those who walk over them count on two octets; so does X.690 §8.1.5.
		return h, fail(Malformed, "the end-of-contents octets are not 00 00")
	}
	return h, nil
}

// element is one BER element in memory.
type element struct {
	header
	raw  []byte // all of it
	body []byte // its contents, without end-of-contents octets
}

// next takes the first element off b. depth is how many levels may still be
// entered to find the end of an element of indefinite length.
func next(b []byte, depth int) (e element, rest []byte, err error) {
	h, err := readHeader(b)
	if err != nil {
		return e, nil, err
	}
	if depth <= 0 {
		return e, nil, fail(Limit, "elements are nested too deeply")
	}
	if h.length >= 0 {
		if h.length > int64(len(b)-h.size) {
			return e, nil, fail(Malformed, "the data ends inside an element")
		}
		end := h.size + int(h.length)
		return element{h, b[:end], b[h.size:end]}, b[end:], nil
	}
	for at := b[h.size:]; ; {
		child, after, err := next(at, depth-1)
		if err != nil {
			return e, nil, err
		}
		if child.endOfContents() {
			end := len(b) - len(after)
			return element{h, b[:end], b[h.size : end-2]}, after, nil
		}
		at = after
	}
}

// fields cuts the contents of a constructed element into at most limit elements.
func fields(body []byte, depth, limit int) ([]element, error) {
	var out []element
	for len(body) > 0 {
		if len(out) == limit {
			return nil, fail(Limit, "an element has more than %d members", limit)
		}
		e, rest, err := next(body, depth)
		if err != nil {
			return nil, err
		}
		out, body = append(out, e), rest
	}
	return out, nil
}

// octets gives the value of an OCTET STRING, also when it is cut into pieces
// (X.690 §8.7.3).
func octets(e element, depth int) ([]byte, error) {
	if !e.is(der.Octets) {
		return nil, fail(Malformed, "an OCTET STRING was expected")
	}
	return joined(e, depth)
}

// joined concatenates the pieces of a string type, whatever its own tag is.
func joined(e element, depth int) ([]byte, error) {
	if !e.constructed {
		return e.body, nil
	}
	if depth <= 0 {
		return nil, fail(Limit, "elements are nested too deeply")
	}
	var out []byte
	for body := e.body; len(body) > 0; {
		piece, rest, err := next(body, depth)
		if err != nil {
			return nil, err
		}
		value, err := octets(piece, depth-1)
		if err != nil {
			return nil, err
		}
		out, body = append(out, value...), rest
	}
	return out, nil
}

// normal re-encodes an element with definite shortest lengths and whole octet
// strings. Members of sets keep their order: the callers that need DER order
// know which sets are SET OF.
func normal(e element, depth int) ([]byte, error) {
	if depth <= 0 {
		return nil, fail(Limit, "elements are nested too deeply")
	}
	tag := e.raw[:1]
	if e.raw[0]&0x1f == 0x1f {
		return e.raw, nil // high tag numbers do not occur in signed attributes of any standard
	}
	if !e.constructed {
		return der.TLV(tag[0], e.body), nil
	}
	if e.is(der.Octets) {
		value, err := octets(e, depth)
		if err != nil {
			return nil, err
		}
		return der.TLV(der.Octets, value), nil
	}
	var parts [][]byte
	for body := e.body; len(body) > 0; {
		child, rest, err := next(body, depth)
		if err != nil {
			return nil, err
		}
		raw, err := normal(child, depth-1)
		if err != nil {
			return nil, err
		}
		parts, body = append(parts, raw), rest
	}
	return der.TLV(tag[0], parts...), nil
}

// readOID, readInt and readSmall read primitive values out of elements.

func readOID(e element) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	if !e.is(der.ObjectIdentifier) || e.constructed || len(e.body) > 64 {
		return nil, fail(Malformed, "an object identifier was expected")
	}
	if rest, err := asn1.Unmarshal(der.TLV(der.ObjectIdentifier, e.body), &oid); err != nil || len(rest) > 0 {
		return nil, fail(Malformed, "an object identifier is broken")
	}
	return oid, nil
}

func readInt(e element) (*big.Int, error) {
	if !e.is(der.Integer) || e.constructed || len(e.body) == 0 || len(e.body) > 8<<10 {
		return nil, fail(Malformed, "an INTEGER was expected")
	}
	n := new(big.Int).SetBytes(e.body)
	if e.body[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(e.body))))
	}
	return n, nil
}

func readSmall(e element) (int, error) {
	n, err := readInt(e)
	if err != nil {
		return 0, err
	}
	if !n.IsInt64() || n.Int64() < 0 || n.Int64() > 1<<30 {
		return 0, fail(Malformed, "an INTEGER is out of range")
	}
	return int(n.Int64()), nil
}

// TrimPadding gives the one BER element at the start of b and requires that only
// zero octets follow, as they do in the Contents of a PDF signature (ISO 32000-2
// §12.8.3.3).
func TrimPadding(b []byte) ([]byte, error) {
	e, rest, err := next(b, DefaultLimits.Depth)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(rest, func(c byte) bool { return c != 0 }) {
		return nil, fail(Malformed, "data other than zero octets follows the signature")
	}
	return bytes.Clone(e.raw), nil
}
