// Package validate says what a signed file is worth, and why.
//
// Validate takes a PDF, a CMS file (.p7m, .p7s), an XML document or a
// time-stamp (.tsr, .tst) and follows ETSI EN 319 102-1 for every signature it
// finds, in these steps; each can only lower the result:
//
//  1. Format and integrity: the signature is well-formed, covers the whole
//     document, its digests and its value are right.
//  2. The certificate is the one the signature names under its own protection.
//  3. Time-stamps: one that is right, made by a certificate we trust, proves
//     that the signature existed at its time. Without one the signature is
//     only known to exist now.
//  4. A path from the certificate to one of the given anchors, valid at the
//     proven time.
//  5. Algorithms and key lengths that can still be relied upon.
//  6. Revocation of every certificate of the path, from the given lists and
//     answers and those inside the signature.
//
// The indication is TOTAL_PASSED when nothing speaks against the signature,
// TOTAL_FAILED when the signature is broken, INDETERMINATE when something is
// missing or the standard does not let us decide. Reasons are in Italian and
// English. The package has no network and no clock: what it should know about
// the world comes in Options.
//
// # Choices
//
//   - A certificate on hold (suspended) gives INDETERMINATE, TRY_LATER, with
//     the time of suspension, as EN 319 102-1 §5.2.6.4 asks, unless a
//     time-stamp proves the signature is older than the suspension. Once
//     released it is as good as before: the newest list decides.
//   - A certificate revoked before the proven time gives INDETERMINATE,
//     REVOKED_NO_POE: nothing proves that the signature is older.
//   - A time-stamp that is present must be right; a wrong one gives
//     INDETERMINATE although the signature could stand without it.
//   - A PDF signature followed by later revisions is INDETERMINATE: what they
//     changed is not analysed here.
//   - Certificates with name constraints, policy constraints or mappings, or
//     critical extensions unknown to us are not accepted in a path.
//   - Time-stamps of certificates that have expired since are not proofs:
//     validation of archived signatures (LT, LTA) is not done here.
//
// # JSON
//
// A Report marshals to this shape, which only grows:
//
//	{
//	  "file": "contratto-firmato.pdf",
//	  "format": "pdf",                          // pdf, cms, xml, timestamp
//	  "validated": "2026-11-21T10:30:00Z",      // the time of Options
//	  "indication": "TOTAL_PASSED",             // the worst of all signatures; NO_SIGNATURE_FOUND when there is none
//	  "signatures": [{
//	    "form": "PAdES",                        // PAdES, CAdES, XAdES, PDF (a signature that is no PAdES), RFC3161
//	    "level": "B-T",                         // B-B, B-T, or "" when it is no baseline level we know
//	    "indication": "TOTAL_PASSED",
//	    "sub_indication": "",                   // EN 319 102-1 Table 5 and 6; absent when passed
//	    "signer": "Ada Prova",
//	    "issuer": "Issuing CA",
//	    "serial": "0a1b",                       // lower-case hexadecimal
//	    "signing_time": "2026-11-21T10:29:58Z", // what the signer claims; absent when nothing
//	    "timestamp": "2026-11-21T10:29:59Z",    // the proven time; absent without a valid time-stamp
//	    "field": "Signature1",                  // of a PDF
//	    "reasons": [{"code": "valid", "it": "…", "en": "…"}]
//	  }]
//	}
package validate

import (
	"errors"
	"fmt"
)

// Kind names what went wrong, for callers that decide on it.
type Kind string

// The kinds of Error.
const (
	// Unreadable: not a file of a kind we know, or broken before any signature could be read.
	Unreadable Kind = "unreadable"
	// Encrypted: a PDF that needs a password.
	Encrypted Kind = "encrypted"
	// Limit: too large.
	Limit Kind = "limit"
	// BadOptions: the options make no sense: no time, a revocation list that cannot be read, content for a file that has its own.
	BadOptions Kind = "bad-options"
	// Failed: the file could not be read from its storage.
	Failed Kind = "failed"
)

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "validate: " + e.Msg + ": " + e.Err.Error()
	}
	return "validate: " + e.Msg
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
