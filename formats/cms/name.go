package cms

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"
)

// attributes are the names of attributes that crypto/x509 shows by number.
var attributes = map[string]string{
	"2.5.4.4":                    "SN",
	"2.5.4.12":                   "title",
	"2.5.4.42":                   "GN",
	"2.5.4.46":                   "dnQualifier",
	"2.5.4.65":                   "pseudonym",
	"2.5.4.97":                   "organizationIdentifier", // EN 319 412-1 §5.1.4
	"0.9.2342.19200300.100.1.25": "DC",
	"1.2.840.113549.1.9.1":       "emailAddress",
}

var commonName = asn1.ObjectIdentifier{2, 5, 4, 3}

// ReadableName gives a Name in DER for people, after RFC 4514: the last attribute
// first, and those of European certificates by their names. It may hold characters
// that drive a terminal. What is no Name gives "".
func ReadableName(raw []byte) string {
	var name pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &name); err != nil || len(rest) > 0 {
		return ""
	}
	out := make([]string, 0, len(name))
	for _, set := range name {
		parts := make([]string, len(set))
		for i, a := range set {
			label, known := attributes[a.Type.String()]
			_, isText := a.Value.(string)
			if known && isText { // written as a name is, under its own label
				a.Type = commonName
			}
			parts[i] = pkix.RDNSequence{{a}}.String()
			if known && isText {
				parts[i] = label + strings.TrimPrefix(parts[i], "CN")
			}
		}
		out = append(out, strings.Join(parts, "+"))
	}
	slices.Reverse(out)
	return strings.Join(out, ",")
}
