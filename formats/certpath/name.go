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
	parts, ok := rdns(raw)
	if !ok {
		return "\xff" + string(raw)
	}
	return joined(parts)
}

// joined puts parts together so that different parts give different strings.
func joined(parts []string) string {
	n := 0
	for _, p := range parts {
		n += len(p) + 4
	}
	b := make([]byte, 0, n)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return string(b)
}

// rdns gives each relative distinguished name of a Name in canonical form.
func rdns(raw []byte) ([]string, bool) {
	in, name := cryptobyte.String(raw), cryptobyte.String(nil)
	if len(raw) > maxName || !in.ReadASN1(&name, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, false
	}
	var out []string
	for !name.Empty() {
		var set cryptobyte.String
		if !name.ReadASN1(&set, cbasn1.SET) {
			return nil, false
		}
		rdn, ok := relativeName(set)
		if !ok {
			return nil, false
		}
		out = append(out, rdn)
	}
	return out, true
}

// relativeName is the canonical form of the inside of a RelativeDistinguishedName:
// its attributes, in an order of their own.
func relativeName(set cryptobyte.String) (string, bool) {
	var attributes []string
	for !set.Empty() {
		var a, oid, value cryptobyte.String
		var tag cbasn1.Tag
		if !set.ReadASN1(&a, cbasn1.SEQUENCE) || !a.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) ||
			!a.ReadAnyASN1(&value, &tag) || !a.Empty() {
			return "", false
		}
		text := string(value)
		switch tag {
		case cbasn1.PrintableString, cbasn1.UTF8String, cbasn1.IA5String:
			tag, text = cbasn1.UTF8String, folded(text)
		}
		attributes = append(attributes, joined([]string{string(oid), string([]byte{byte(tag)}), text}))
	}
	slices.Sort(attributes)
	return joined(attributes), true
}

// folded prepares a string for caseIgnoreMatch (RFC 4518): case folded,
// compatibility forms replaced, spaces at the ends dropped and others made one.
func folded(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			s = norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
			break
		}
	}
	return strings.Join(strings.Fields(strings.ToLower(s)), " ")
}

// sameName compares two names in DER.
func sameName(a, b []byte) bool {
	return bytes.Equal(a, b) || canonical(a) == canonical(b)
}

// selfIssued reports a certificate whose issuer is its subject (RFC 5280 §3.2).
func selfIssued(c *x509.Certificate) bool { return sameName(c.RawSubject, c.RawIssuer) }

// sameKey reports the same subject with the same key.
func sameKey(a, b *x509.Certificate) bool {
	return bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo) && sameName(a.RawSubject, b.RawSubject)
}
