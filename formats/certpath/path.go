package certpath

import (
	"crypto/x509"
	"encoding/asn1"
	"time"

	"sigillo/formats/certpath/policy"
)

// Constraints are the inputs of RFC 5280 §6.1.1 beside the path and the time.
// The zero value accepts any policy and name.
type Constraints struct {
	// Policies is the user-initial-policy-set; empty: any policy.
	Policies []x509.OID
	// RequireExplicitPolicy: the path must be valid for a policy of Policies.
	RequireExplicitPolicy bool
	// InhibitPolicyMapping: no policy mapping is allowed in the path.
	InhibitPolicyMapping bool
	// InhibitAnyPolicy: anyPolicy in a certificate matches no policy.
	InhibitAnyPolicy bool
	// Names are initial permitted and excluded subtrees, as the DER of a
	// NameConstraints (§4.2.1.10); nil: none.
	Names []byte
	// Extensions are critical extensions that the caller processes itself.
	Extensions []asn1.ObjectIdentifier
}

// FaultKind says which rule a certificate of a path breaks.
type FaultKind string

// The kinds of Fault.
const (
	NotYetValid     FaultKind = "not-yet-valid"     // before notBefore; Detail is that, RFC 3339
	Expired         FaultKind = "expired"           // after notAfter; Detail is that, RFC 3339
	NameChaining    FaultKind = "name-chaining"     // issuer is not the subject above
	NotCA           FaultKind = "not-ca"            // issued another one without basicConstraints cA
	KeyUsage        FaultKind = "key-usage"         // issued another one without keyCertSign
	PathLength      FaultKind = "path-length"       // more below it than pathLenConstraint allows
	NameConstraints FaultKind = "name-constraints"  // a name that an authority above may not certify
	NoPolicy        FaultKind = "no-policy"         // a policy is required and none is valid, or anyPolicy is mapped
	Critical        FaultKind = "unknown-extension" // a critical extension that is not processed
	BadExtension    FaultKind = "bad-extension"     // an extension that cannot be read
	Weak            FaultKind = "weak"              // signed with SHA-1, or a key too short (ETSI TS 119 312); not part of RFC 5280
	TooLong         FaultKind = "too-long"          // a path of more certificates than are looked at
	Revoked         FaultKind = "revoked"           // of [Sources.Check]; Detail is since when, RFC 3339
	OnHold          FaultKind = "on-hold"           // of [Sources.Check]; Detail is since when, RFC 3339
	NoStatus        FaultKind = "no-status"         // of [Sources.Check]: nothing fresh and authentic says it is good
)

// Fault is a rule that a certificate of a path breaks.
type Fault struct {
	Kind        FaultKind
	Certificate *x509.Certificate
	Detail      string
}

// Check is RFC 5280 §6.1 without revocation and without the signatures, which
// [Search.Paths] has checked. At the zero time validity dates are not looked
// at. All faults are given, from the anchor down; none means valid.
//
// The anchor's dates and policies are the business of who trusts it (§6.1.1),
// but it must be an authority, and its path length and name constraints count.
// If it is the only certificate of the path it is checked as any other.
func (p Path) Check(at time.Time, c Constraints) []Fault {
	if len(p) == 0 || len(p) > maxLength {
		return []Fault{{Kind: TooLong}}
	}
	k := &checker{path: p, at: at, c: c}
	k.initial()
	for i := len(p) - 1; i >= 0; i-- {
		k.certificate(i)
	}
	_, faults := p.policies(c)
	return append(k.faults, faults...)
}

// Policies gives the policies of the user-initial-policy-set for which the path
// is valid, as the authority under its anchor names them (RFC 9618 §5.5 (g));
// anyPolicy is among them when all are. nil if the path is valid for none.
func (p Path) Policies(c Constraints) []x509.OID {
	if len(p) == 0 || len(p) > maxLength {
		return nil
	}
	out, _ := p.policies(c)
	return out
}

// checker is one walk down a path.
type checker struct {
	path   Path
	at     time.Time
	c      Constraints
	names  nameChecker
	faults []Fault
}

func (k *checker) fault(kind FaultKind, c *x509.Certificate, detail string) {
	k.faults = append(k.faults, Fault{kind, c, detail})
}

func (k *checker) initial() {
	if k.c.Names == nil {
		return
	}
	nc, ok := readNameConstraints(k.c.Names)
	if !ok {
		k.fault(BadExtension, nil, "the initial name constraints cannot be read")
		return
	}
	k.names.constraints = append(k.names.constraints, nc)
}

// certificate checks path[i]; 0 is the end, the last the anchor.
func (k *checker) certificate(i int) {
	c, anchor := k.path[i], i == len(k.path)-1
	if why := weakKey(c.PublicKey); why != "" {
		k.fault(Weak, c, why)
	}
	if !anchor || i == 0 {
		k.member(i, c)
	}
	if i > 0 {
		k.authority(i, c)
	}
}

// member is §6.1.3 (a) to (c) and unknown extensions.
func (k *checker) member(i int, c *x509.Certificate) {
	switch {
	case k.at.IsZero():
	case k.at.Before(c.NotBefore):
		k.fault(NotYetValid, c, rfc3339(c.NotBefore))
	case k.at.After(c.NotAfter):
		k.fault(Expired, c, rfc3339(c.NotAfter))
	}
	if oid := unknownCritical(c, k.c.Extensions); oid != "" {
		k.fault(Critical, c, oid)
	}
	if i < len(k.path)-1 {
		if !sameName(c.RawIssuer, k.path[i+1].RawSubject) {
			k.fault(NameChaining, c, "")
		}
		if a, err := SignedWith(c); err != nil || weakHash(a.Hash) {
			k.fault(Weak, c, a.Hash.String())
		}
	}
	if i > 0 && selfIssued(c) {
		return // its names are not constrained, for it is the authority itself
	}
	if why := k.names.check(c); why != "" {
		k.fault(NameConstraints, c, why)
	}
}

// authority is §6.1.4 (g), (k) to (n) for a certificate that issued another one.
func (k *checker) authority(i int, c *x509.Certificate) {
	if !isCA(c) {
		k.fault(NotCA, c, "")
	}
	if lacksUsage(c, x509.KeyUsageCertSign) {
		k.fault(KeyUsage, c, "")
	}
	below := 0 // intermediates below c that are not self-issued
	for _, b := range k.path[1:i] {
		if !selfIssued(b) {
			below++
		}
	}
	if (c.MaxPathLen > 0 || c.MaxPathLenZero) && below > c.MaxPathLen {
		k.fault(PathLength, c, "")
	}
	v := extension(c, nameConstraintsID)
	if v == nil {
		return
	}
	nc, ok := readNameConstraints(v)
	if !ok {
		k.fault(BadExtension, c, "nameConstraints")
		return
	}
	k.names.constraints = append(k.names.constraints, nc)
}

// policies is the part of §6.1 that is about policies.
func (p Path) policies(c Constraints) (valid []x509.OID, faults []Fault) {
	s := policy.Settings{RequireExplicit: c.RequireExplicitPolicy, InhibitMapping: c.InhibitPolicyMapping, InhibitAny: c.InhibitAnyPolicy}
	for _, o := range c.Policies {
		if der, err := o.MarshalBinary(); err == nil {
			s.Initial = append(s.Initial, policy.OID(der))
		}
	}
	if len(s.Initial) < len(c.Policies) {
		return nil, []Fault{{NoPolicy, p[0], "an initial policy is no object identifier"}}
	}
	below := p[:len(p)-1]
	said := make([]policy.Certificate, len(below))
	for i, c := range below {
		var bad string
		if said[len(below)-1-i], bad = policies(c); bad != "" {
			faults = append(faults, Fault{BadExtension, c, bad})
		}
	}
	if faults != nil {
		return nil, faults
	}
	r := policy.Evaluate(said, s)
	if r.At != policy.None {
		return nil, []Fault{{NoPolicy, p[max(len(below)-1-r.At, 0)], string(r.Why)}}
	}
	for _, o := range r.Policies {
		var oid x509.OID
		if oid.UnmarshalBinary([]byte(o)) == nil {
			valid = append(valid, oid)
		}
	}
	return valid, nil
}

func rfc3339(t time.Time) string { return t.UTC().Format(time.RFC3339) }
