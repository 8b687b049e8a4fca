package cms

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sigillo/formats/ades"
	"sigillo/formats/der"
)

// maxText bounds a string among the properties, in octets.
const maxText = 4096

// propertyAttributes gives the signed attributes of what a signer may say.
func propertyAttributes(p ades.Properties) ([][]byte, error) {
	var out [][]byte
	if len(p.Commitments) > 0 {
		var values [][]byte
		for _, c := range p.Commitments {
			if c.OID() == nil {
				return nil, fail(BadOptions, "commitment type %q is not known", c)
			}
			values = append(values, der.TLV(der.Sequence, der.OID(c.OID())))
		}
		out = append(out, der.TLV(der.Sequence, der.OID(OIDCommitmentType), der.SetOf(der.Set, values...)))
	}
	if len(p.ClaimedRoles) > 0 {
		value, err := signerAttributes(p.ClaimedRoles)
		if err != nil {
			return nil, err
		}
		out = append(out, attribute(OIDSignerAttributeV2, value))
	}
	if p.Place != nil {
		value, err := signerLocation(*p.Place)
		if err != nil {
			return nil, err
		}
		out = append(out, attribute(OIDSignerLocation, value))
	}
	if p.Policy != nil {
		value, err := signaturePolicy(*p.Policy)
		if err != nil {
			return nil, err
		}
		out = append(out, attribute(OIDSignaturePolicy, value))
	}
	for _, token := range p.ContentStamps {
		out = append(out, attribute(OIDContentTimeStamp, token))
	}
	return out, nil
}

func text(s string) ([]byte, error) {
	if len(s) > maxText || !utf8.ValidString(s) {
		return nil, fail(BadOptions, "a text to be signed is not UTF-8 or has more than %d bytes", maxText)
	}
	return der.TLV(der.UTF8, []byte(s)), nil
}

// signerAttributes gives the SignerAttributeV2 with each role as a claimed
// attribute of type id-at-role (EN 319 122-1 §5.2.6.1).
func signerAttributes(roles []string) ([]byte, error) {
	var claimed []byte
	for _, r := range roles {
		t, err := text(r)
		if err != nil {
			return nil, err
		}
		claimed = append(claimed, attribute(oidRole, t)...)
	}
	return der.TLV(der.Sequence, der.TLV(der.Context0Con, der.TLV(der.Sequence, claimed))), nil
}

// signerLocation gives the SignerLocation (EN 319 122-1 §5.2.5). Its postal
// address has lines without names: street, postal code, province, those that are
// said.
func signerLocation(p ades.Place) ([]byte, error) {
	var country, city, postal, lines []byte
	var err error
	if p.Country != "" {
		if country, err = text(p.Country); err != nil {
			return nil, err
		}
		country = der.TLV(der.Context0Con, country)
	}
	if p.City != "" {
		if city, err = text(p.City); err != nil {
			return nil, err
		}
		city = der.TLV(der.Context0Con|1, city)
	}
	for _, line := range []string{p.Street, p.PostalCode, p.Province} {
		if line == "" {
			continue
		}
		t, err := text(line)
		if err != nil {
			return nil, err
		}
		lines = append(lines, t...)
	}
	if lines != nil {
		postal = der.TLV(der.Context0Con|2, der.TLV(der.Sequence, lines))
	}
	if country == nil && city == nil && postal == nil {
		return nil, fail(BadOptions, "a place must say something") // at least one is mandatory
	}
	return der.TLV(der.Sequence, country, city, postal), nil
}

// signaturePolicy gives the SignaturePolicyId with its digest, and the address of
// the text as SPURI qualifier (EN 319 122-1 §5.2.9.1).
func signaturePolicy(p ades.Policy) ([]byte, error) {
	oid := der.OID(p.OID)
	if oid == nil || !strong(p.Hash) || len(p.Digest) != p.Hash.Size() {
		return nil, fail(BadOptions, "a signature policy needs its object identifier and a digest of its text")
	}
	var qualifiers []byte
	if p.URI != "" {
		for _, c := range p.URI {
			if c <= ' ' || c > '~' {
				return nil, fail(BadOptions, "the address of the signature policy is not a URI")
			}
		}
		qualifiers = der.TLV(der.Sequence, der.TLV(der.Sequence, der.OID(oidPolicyURI), der.TLV(der.IA5, []byte(p.URI))))
	}
	digest := der.TLV(der.Sequence, algorithm(HashOID(p.Hash), nil), der.TLV(der.Octets, p.Digest))
	return der.TLV(der.Sequence, oid, digest, qualifiers), nil
}

// checkContentStamp refuses a content time-stamp over something else than the
// content; one whose digest algorithm differs from the signature's cannot be
// compared here.
func checkContentStamp(token []byte, h crypto.Hash, contentDigest []byte) error {
	t, err := ParseToken(token)
	if err != nil {
		return err
	}
	if err := checkImprintHash(t.Info.Hash); err != nil {
		return err
	}
	if t.Info.Hash == h && !bytes.Equal(t.Info.Imprint, contentDigest) {
		return fail(Mismatch, "the content time-stamp is over another document")
	}
	return nil
}

// Properties gives what the signer signed beside the content. Commitment types
// and roles that are of another kind than [ades.Properties] can say are left out;
// the lines of a postal address come as Street, one per line.
func (si *SignerInfo) Properties() (ades.Properties, error) {
	var p ades.Properties
	for _, a := range si.SignedAttributes {
		for _, v := range a.Values {
			if err := readProperty(&p, a.Type, v); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

const propertyDepth = 16

func readProperty(p *ades.Properties, t asn1.ObjectIdentifier, raw []byte) error {
	e, _, err := next(raw, propertyDepth)
	if err != nil {
		return err
	}
	switch {
	case t.Equal(OIDCommitmentType):
		err = readCommitment(p, e)
	case t.Equal(OIDSignerAttributeV2), t.Equal(OIDSignerAttributes):
		err = readRoles(p, e)
	case t.Equal(OIDSignerLocation):
		err = readPlace(p, e)
	case t.Equal(OIDSignaturePolicy):
		err = readPolicy(p, e)
	case t.Equal(OIDContentTimeStamp):
		p.ContentStamps = append(p.ContentStamps, raw)
	}
	return err
}

func readCommitment(p *ades.Properties, e element) error {
	f, err := fields(e.body, propertyDepth, 2)
	if err != nil || len(f) == 0 {
		return fail(Malformed, "the commitment type is broken")
	}
	oid, err := readOID(f[0])
	if err != nil {
		return err
	}
	if c := ades.CommitmentByOID(oid); c != "" {
		p.Commitments = append(p.Commitments, c)
	}
	return nil
}

// readRoles reads the claimed attributes of a SignerAttributeV2, or of the
// SignerAttribute before it, which starts the same way.
func readRoles(p *ades.Properties, e element) error {
	parts, err := fields(e.body, propertyDepth, 64)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if !part.is(der.Context0) {
			continue
		}
		list, _, err := next(part.body, propertyDepth)
		if err != nil {
			return err
		}
		if list.is(der.Sequence) && !list.constructed {
			return fail(Malformed, "the claimed attributes are broken")
		}
		attrs, err := parseAttributes(list, DefaultLimits)
		if err != nil {
			return err
		}
		for _, a := range attrs {
			for _, v := range a.Values {
				if role, err := readText(v); err == nil && a.Type.Equal(oidRole) {
					p.ClaimedRoles = append(p.ClaimedRoles, role)
				}
			}
		}
	}
	return nil
}

func readPlace(p *ades.Properties, e element) error {
	parts, err := fields(e.body, propertyDepth, 3)
	if err != nil {
		return err
	}
	place := &ades.Place{}
	for _, part := range parts {
		if part.is(der.Context0 | 2) {
			list, _, err := next(part.body, propertyDepth)
			if err != nil {
				return err
			}
			lines, err := members(list, propertyDepth, 6)
			if err != nil {
				return err
			}
			var texts []string
			for _, l := range lines {
				t, err := readText(l)
				if err != nil {
					return err
				}
				texts = append(texts, t)
			}
			place.Street = strings.Join(texts, "\n")
			continue
		}
		t, err := readText(part.body)
		switch {
		case err != nil:
			return err
		case part.is(der.Context0):
			place.Country = t
		case part.is(der.Context0 | 1):
			place.City = t
		}
	}
	p.Place = place
	return nil
}

func readPolicy(p *ades.Properties, e element) error {
	if e.is(der.Null) {
		return nil // implied: nothing is named
	}
	f, err := fields(e.body, propertyDepth, 3)
	if err != nil {
		return err
	}
	if !e.is(der.Sequence) || len(f) == 0 {
		return fail(Malformed, "the signature policy is broken")
	}
	policy := &ades.Policy{}
	if policy.OID, err = readOID(f[0]); err != nil {
		return err
	}
	if len(f) > 1 {
		d, err := fields(f[1].body, propertyDepth, 2)
		if err != nil || len(d) != 2 {
			return fail(Malformed, "the digest of the signature policy is broken")
		}
		if policy.Hash, _, err = parseDigestAlgorithm(d[0]); err != nil {
			return err
		}
		if policy.Digest, err = octets(d[1], propertyDepth); err != nil {
			return err
		}
	}
	if len(f) > 2 {
		qualifiers, err := fields(f[2].body, propertyDepth, 16)
		if err != nil {
			return err
		}
		for _, q := range qualifiers {
			pair, err := fields(q.body, propertyDepth, 2)
			if err != nil || len(pair) != 2 {
				return fail(Malformed, "a qualifier of the signature policy is broken")
			}
			if oid, err := readOID(pair[0]); err == nil && oid.Equal(oidPolicyURI) {
				if policy.URI, err = readText(pair[1].raw); err != nil {
					return err
				}
			}
		}
	}
	p.Policy = policy
	return nil
}

// MIMEType gives what the signer says the content is, "" if nothing.
func (si *SignerInfo) MIMEType() string {
	for _, a := range si.SignedAttributes {
		if a.Type.Equal(OIDMIMEType) && len(a.Values) == 1 {
			if t, err := readText(a.Values[0]); err == nil {
				return t
			}
		}
	}
	return ""
}

// readText reads a DirectoryString or an IA5String.
func readText(raw []byte) (string, error) {
	e, rest, err := next(raw, propertyDepth)
	if err != nil {
		return "", err
	}
	broken := fail(Malformed, "a text among the signed attributes is broken")
	if len(rest) > 0 || e.class != 0 || e.constructed || len(e.body) > 4*maxText {
		return "", broken
	}
	switch e.tag {
	case der.UTF8, der.IA5, der.Printable:
		if !utf8.Valid(e.body) {
			return "", broken
		}
		return string(e.body), nil
	case der.Teletex: // what is found in it is Latin-1
		runes := make([]rune, len(e.body))
		for i, c := range e.body {
			runes[i] = rune(c)
		}
		return string(runes), nil
	case der.BMP:
		if len(e.body)%2 != 0 {
			return "", broken
		}
		units := make([]uint16, len(e.body)/2)
		for i := range units {
			units[i] = uint16(e.body[2*i])<<8 | uint16(e.body[2*i+1])
		}
		return string(utf16.Decode(units)), nil
	}
	return "", broken
}
