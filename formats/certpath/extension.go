package certpath

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/certpath/policy"
)

// Extensions by the last arc of id-ce, 2.5.29.
const (
	keyUsageID           = 15
	subjectAltNameID     = 17
	basicConstraintsID   = 19
	nameConstraintsID    = 30
	distributionPointsID = 31
	policiesID           = 32
	mappingsID           = 33
	policyConstraintsID  = 36
	inhibitAnyID         = 54
	noRevAvailID         = 56
)

// processed are the extensions whose criticality needs no further thought:
// their rules are carried out here, by the caller (extended key usage), or have
// no effect on validity.
var processed = []int{14, keyUsageID, subjectAltNameID, basicConstraintsID, nameConstraintsID, distributionPointsID,
	policiesID, mappingsID, 35, policyConstraintsID, 37, 46, inhibitAnyID}

var (
	oidAuthorityInfoAccess = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidNoCheck             = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}
)

// extension gives the value of id-ce n, nil if it is not there.
func extension(c *x509.Certificate, n int) []byte {
	for _, e := range c.Extensions {
		if isCE(e.Id, n) {
			return e.Value
		}
	}
	return nil
}

func isCE(id asn1.ObjectIdentifier, n int) bool {
	return len(id) == 4 && id[0] == 2 && id[1] == 5 && id[2] == 29 && id[3] == n
}

// unknownCritical gives a critical extension that nobody processes, "" if there
// is none.
func unknownCritical(c *x509.Certificate, known []asn1.ObjectIdentifier) string {
	for _, e := range c.Extensions {
		if !e.Critical || e.Id.Equal(oidAuthorityInfoAccess) || e.Id.Equal(oidNoCheck) || slices.ContainsFunc(known, e.Id.Equal) {
			continue
		}
		if !slices.ContainsFunc(processed, func(n int) bool { return isCE(e.Id, n) }) {
			return e.Id.String()
		}
	}
	return ""
}

// policies reads what a certificate says about policies. what names the
// extension that cannot be read.
func policies(c *x509.Certificate) (out policy.Certificate, what string) {
	out = policy.Certificate{SelfIssued: selfIssued(c), Require: policy.None, InhibitMapping: policy.None, InhibitAny: policy.None}
	if v := extension(c, policiesID); v != nil && !readPolicies(v, &out) {
		return out, "certificatePolicies"
	}
	if v := extension(c, mappingsID); v != nil && !readMappings(v, &out) {
		return out, "policyMappings"
	}
	if v := extension(c, policyConstraintsID); v != nil {
		in, body := cryptobyte.String(v), cryptobyte.String(nil)
		if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() || !readCertCount(&body, 0, &out.Require) ||
			!readCertCount(&body, 1, &out.InhibitMapping) || !body.Empty() {
			return out, "policyConstraints"
		}
	}
	if v := extension(c, inhibitAnyID); v != nil {
		in := cryptobyte.String(v)
		if !readSkip(&in, cbasn1.INTEGER, &out.InhibitAny) || !in.Empty() {
			return out, "inhibitAnyPolicy"
		}
	}
	return out, ""
}

func readPolicies(v []byte, out *policy.Certificate) bool {
	in, body := cryptobyte.String(v), cryptobyte.String(nil)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() || body.Empty() {
		return false
	}
	out.Policies = []policy.OID{}
	for !body.Empty() {
		var info, oid cryptobyte.String
		if !body.ReadASN1(&info, cbasn1.SEQUENCE) || !info.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) {
			return false
		}
		out.Policies = append(out.Policies, policy.OID(oid))
	}
	seen := make(map[policy.OID]bool, len(out.Policies))
	for _, p := range out.Policies {
		if seen[p] { // §4.2.1.4: not more than once
			return false
		}
		seen[p] = true
	}
	return true
}

func readMappings(v []byte, out *policy.Certificate) bool {
	in, body := cryptobyte.String(v), cryptobyte.String(nil)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() || body.Empty() {
		return false
	}
	for !body.Empty() {
		var pair, issuer, subject cryptobyte.String
		if !body.ReadASN1(&pair, cbasn1.SEQUENCE) || !pair.ReadASN1(&issuer, cbasn1.OBJECT_IDENTIFIER) ||
			!pair.ReadASN1(&subject, cbasn1.OBJECT_IDENTIFIER) || !pair.Empty() {
			return false
		}
		out.Mappings = append(out.Mappings, policy.Mapping{Issuer: policy.OID(issuer), Subject: policy.OID(subject)})
	}
	return true
}

// readCertCount reads an optional SkipCerts with an implicit tag.
func readCertCount(in *cryptobyte.String, n uint8, out *int) bool {
	tag := cbasn1.Tag(n).ContextSpecific()
	return !in.PeekASN1Tag(tag) || readSkip(in, tag, out)
}

// readSkip reads SkipCerts ::= INTEGER (0..MAX); more than any path is long is
// as good as very many.
func readSkip(in *cryptobyte.String, tag cbasn1.Tag, out *int) bool {
	var v cryptobyte.String
	if !in.ReadASN1(&v, tag) || len(v) == 0 || v[0]&0x80 != 0 {
		return false
	}
	*out = 1 << 16
	if len(v) <= 2 {
		*out = 0
		for _, b := range v {
			*out = *out<<8 | int(b)
		}
	}
	return true
}

// isCA reports an authority's certificate (§4.2.1.9).
func isCA(c *x509.Certificate) bool { return c.BasicConstraintsValid && c.IsCA }

// lacksUsage reports a keyUsage that does not have a bit; without the extension
// every use is allowed (§4.2.1.3).
func lacksUsage(c *x509.Certificate, bit x509.KeyUsage) bool {
	return extension(c, keyUsageID) != nil && c.KeyUsage&bit == 0
}

// generalName is one GeneralName (§4.2.1.6).
type generalName struct {
	tag   int // of the choice
	value []byte
}

const (
	otherName = 0
	emailName = 1
	dnsName   = 2
	dirName   = 4
	uriName   = 6
	ipName    = 7
)

// readGeneralName reads one from in.
func readGeneralName(in *cryptobyte.String) (g generalName, ok bool) {
	var tag cbasn1.Tag
	var body cryptobyte.String
	if !in.ReadAnyASN1(&body, &tag) || tag&0xc0 != 0x80 {
		return g, false
	}
	g = generalName{int(tag & 0x1f), body}
	if g.tag == dirName {
		var name cryptobyte.String // Name is a CHOICE, so its tag is explicit
		if !body.ReadASN1Element(&name, cbasn1.SEQUENCE) || !body.Empty() {
			return g, false
		}
		g.value = name
	}
	return g, g.tag <= 8
}

// readGeneralNames reads those to the end of in.
func readGeneralNames(in cryptobyte.String) ([]generalName, bool) {
	var out []generalName
	for !in.Empty() {
		g, ok := readGeneralName(&in)
		if !ok {
			return nil, false
		}
		out = append(out, g)
	}
	return out, true
}

// key is the same for names that match.
func (g generalName) key() string {
	if g.tag == dirName {
		return "\x04" + canonical(g.value)
	}
	return string([]byte{byte(g.tag)}) + string(g.value)
}

// altNames reads subjectAltName.
func altNames(c *x509.Certificate) ([]generalName, bool) {
	v := extension(c, subjectAltNameID)
	if v == nil {
		return nil, true
	}
	in, body := cryptobyte.String(v), cryptobyte.String(nil)
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, false
	}
	return readGeneralNames(body)
}
