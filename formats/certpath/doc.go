// Package certpath answers the questions that a signature leaves open about
// certificates: which way leads from this one to somebody we trust, was every
// certificate on it good for that at a given time, and what did its authorities
// say about its being revoked. It is the certificate half of ETSI EN 319 102-1;
// which of the answers count for a signature, and what proves since when it
// exists, is the business of the caller.
//
// # Paths
//
// [Search.Paths] finds all paths from a certificate to a trust anchor, by names
// (compared as RFC 5280 §7.1 says, not octet by octet), with key identifiers as
// a hint for the order only (RFC 4158 §3.5.12), and checks the signatures on
// them. It knows no time. [Path.Check] is RFC 5280 §6.1 complete: validity,
// names, basic constraints with self-issued certificates, key usage, name
// constraints, and policies by the graph of RFC 9618 (package policy). A caller
// walks the paths until one has no faults:
//
//	for path := range search.Paths(leaf) {
//		if faults := path.Check(at, certpath.Constraints{}); len(faults) == 0 {
//			…
//		}
//	}
//
// # Revocation
//
// [Sources] hold revocation lists and OCSP answers. [Sources.Statuses] gives
// every authentic statement in them about one certificate: lists that are
// complete, one of several (issuingDistributionPoint), indirect, signed by
// another key or another authority, deltas put together with their base, and
// answers of the issuer or of the responder it named (RFC 5280 §6.3, RFC 6960).
// Nothing is decided there, since what is fresh enough depends on the purpose;
// [Sources.Check] decides as RFC 5280 does.
//
// # Cost
//
// All of it is bounded, since paths and lists come with the signature and so
// from the one who may wish us ill: signature checks, steps of the search,
// length of paths, size of keys, nodes of the policy graph. What costs is the
// signatures; a [Cache] remembers which key signed what, and lists already read
// and sorted, so that a service which validates for years with the same few
// authorities checks each of their signatures once.
//
// # What is not done
//
//   - DSA, and RSA with MD5 or older digests, are not verified at all: ETSI
//     TS 119 312 knows them no more. Paths with them are not found.
//   - SHA-1 and short keys are verified and reported as [Weak] faults, since a
//     signature may be proven to be older than their weakness.
//   - Elliptic curves other than P-224, P-256, P-384 and P-521 are not known to
//     the Go library; certificates with them are not read.
//   - [ParseCertificate] reads what crypto/x509 reads, and also certificates with
//     negative serial numbers and with distribution points named relative to
//     their issuer. What else crypto/x509 refuses (DER that is not minimal,
//     doubled extensions, strings that are not of their type, DSA keys without
//     parameters) is refused.
//   - Name constraints on kinds of names other than DNS, e-mail, URI, IP address
//     and directory name: a critical constraint on another kind that is used
//     below it is a fault.
package certpath

import (
	"errors"
	"fmt"
)

// Kind says what sort of thing went wrong.
type Kind string

// The kinds of Error.
const (
	// Malformed: the input is not what it should be.
	Malformed Kind = "malformed"
	// Unsupported: well-formed, but an algorithm or form this package does not do.
	Unsupported Kind = "unsupported"
	// BadSignature: the signature is not by this key over these octets.
	BadSignature Kind = "bad-signature"
	// Limit: larger or more numerous than allowed, or the budget is spent.
	Limit Kind = "limit"
)

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "certpath: " + e.Msg + ": " + e.Err.Error()
	}
	return "certpath: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package, "" for others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func fail(k Kind, cause error, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...), Err: cause}
}
