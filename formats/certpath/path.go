package certpath

import (
	"crypto/x509"
	"encoding/asn1"
	"time"
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
	return nil
}

// Policies gives the policies of the user-initial-policy-set for which the path
// is valid, as its anchor's authority names them (RFC 9618 §5.6); anyPolicy
// alone when all are.
func (p Path) Policies(c Constraints) []x509.OID {
	return nil
}
