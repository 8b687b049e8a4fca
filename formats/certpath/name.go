package certpath

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxName bounds the names that are folded, in octets of DER; longer ones equal
// only themselves.
const maxName = 32 << 10

// canonical gives a string that is the same for names that match (RFC 5280
// §7.1): of attributes in PrintableString, UTF8String and IA5String case and
// superfluous spaces do not count, others are compared octet by octet. A name
// that cannot be read matches only itself.
func canonical(raw []byte) string {
	var buf [512]byte
	b, ok := appendName(buf[:0], raw)
	if !ok {
		return "\xff" + string(raw)
	}
	return string(b)
}

// joined puts parts together so that different parts give different strings.
func joined(parts []string) string {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return string(b)
}

// rdns gives each relative distinguished name of a Name in canonical form; the
// canonical name is all of them joined.
func rdns(raw []byte) ([]string, bool) {
	b, ok := appendName(nil, raw)
	if !ok {
		return nil, false
	}
	out := []string{}
	for len(b) > 0 {
		n := 4 + binary.BigEndian.Uint32(b)
		out = append(out, string(b[4:n]))
		b = b[n:]
	}
	return out, true
}

// appendName appends the canonical form of a Name: each relative name with its
// length before it. This is done several times for each certificate, so it takes
// no memory where it can do without.
func appendName(b, raw []byte) ([]byte, bool) {
	in, name := cryptobyte.String(raw), cryptobyte.String(nil)
	if len(raw) > maxName || !in.ReadASN1(&name, cbasn1.SEQUENCE) || !in.Empty() {
		return b, false
	}
	for !name.Empty() {
		var set cryptobyte.String
		if !name.ReadASN1(&set, cbasn1.SET) {
			return b, false
		}
		at, ok := len(b), false
		if b, ok = appendRelativeName(append(b, 0, 0, 0, 0), set); !ok {
			return b, false
		}
		binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	}
	return b, true
}

// relativeName is the canonical form of the inside of a RelativeDistinguishedName.
func relativeName(set cryptobyte.String) (string, bool) {
	b, ok := appendRelativeName(nil, set)
	return string(b), ok
}

// appendRelativeName appends the attributes of a RelativeDistinguishedName, each
// with its length before it, in an order of their own.
func appendRelativeName(b []byte, set cryptobyte.String) ([]byte, bool) {
	start, count, ok := len(b), 0, false
	for !set.Empty() {
		at := len(b)
		if b, ok = appendAttribute(append(b, 0, 0, 0, 0), &set); !ok {
			return b, false
		}
		binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
		count++
	}
	if count < 2 {
		return b, true
	}
	var attributes []string
	for rest := b[start:]; len(rest) > 0; {
		n := 4 + binary.BigEndian.Uint32(rest)
		attributes = append(attributes, string(rest[4:n]))
		rest = rest[n:]
	}
	slices.Sort(attributes)
	return append(b[:start], joined(attributes)...), true
}

// appendAttribute appends the next AttributeTypeAndValue of a set.
func appendAttribute(b []byte, set *cryptobyte.String) ([]byte, bool) {
	var a, oid, value cryptobyte.String
	var tag cbasn1.Tag
	if !set.ReadASN1(&a, cbasn1.SEQUENCE) || !a.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) || len(oid) > 255 ||
		!a.ReadAnyASN1(&value, &tag) || !a.Empty() {
		return b, false
	}
	b = append(append(b, byte(len(oid))), oid...)
	switch tag {
	case cbasn1.PrintableString, cbasn1.UTF8String, cbasn1.IA5String:
		return appendFolded(append(b, byte(cbasn1.UTF8String)), value), true
	}
	return append(append(b, byte(tag)), value...), true
}

// appendFolded prepares a string for caseIgnoreMatch (RFC 4518): case folded,
// compatibility forms replaced, spaces at the ends dropped and others made one.
func appendFolded(b, s []byte) []byte {
	start, space := len(b), false
	for _, c := range s {
		switch {
		case c >= 0x80:
			text := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(string(s))))
			return append(b[:start], strings.Join(strings.Fields(strings.ToLower(text)), " ")...)
		case c == ' ' || c >= '\t' && c <= '\r':
			space = len(b) > start
			continue
		case c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		if space {
			b, space = append(b, ' '), false
		}
		b = append(b, c)
	}
	return b
}

// sameName compares two names in DER.
func sameName(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var bufA, bufB [512]byte
	x, ok := appendName(bufA[:0], a)
	y, read := appendName(bufB[:0], b)
	return ok && read && bytes.Equal(x, y)
}

// selfIssued reports a certificate whose issuer is its subject (RFC 5280 §3.2).
func selfIssued(c *x509.Certificate) bool { return sameName(c.RawSubject, c.RawIssuer) }

// sameKey reports the same subject with the same key.
func sameKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo) && sameName(a.RawSubject, b.RawSubject)
}
