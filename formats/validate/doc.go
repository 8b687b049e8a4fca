// Package validate says what a signed file is worth, and why.
//
// Validate takes a PDF, a CMS file (.p7m, .p7s), an XML document, a JSON text, a
// container (ASiC), a time-stamp (.tsr, .tst), a document with its time-stamps
// (.tsd, .m7m) or an evidence record (.ers) and carries out the Signature
// Validation Algorithm of ETSI EN 319 102-1 V1.4.1 for every signature it finds.
// Each building block of the standard is one function that names its clause:
//
//	format, identification, cryptography  §5.2.2 §5.2.3 §5.2.7  the reader of each form
//	validationContext                     §5.2.4                the signature policy
//	freshUntil                            §5.2.5                revocation freshness
//	x509Validation                        §5.2.6                paths and revocation, with package certpath
//	signatureAcceptance                   §5.2.8                algorithms, with package policy
//	basicValidation                       §5.3                  all of these at the time of validation
//	judgeStamps                           §5.4                  time-stamps, newest first
//	withTime, claims                      §5.5                  what time-stamps prove about the signature
//	withArchivalData                      §5.6.3                what they prove about all the rest
//	pastCertificate, slideTime            §5.6.2.1 §5.6.2.2     paths at a time at which all of it existed
//	extractPOEs                           §5.6.2.3              proofs of existence
//	pastSignature                         §5.6.2.4
//
// The standard stops at the first thing that is wrong. Here all that is wrong is
// kept (type finding), each with the moment at which the trouble began: a
// certificate that is both expired and revoked needs a proof that is older than
// both. A finding whose trouble began after the proven time does not count.
//
// The indication is TOTAL_PASSED when nothing speaks against the signature,
// TOTAL_FAILED when it is broken or proven to be made at the wrong time,
// INDETERMINATE when something is missing or the standard does not let us decide.
// Reasons are in Italian and English. The package has no network and no clock:
// what it should know about the world comes in Options, what it may ask for
// through Fetcher. Collect tells which evidence a signature still lacks for a
// higher level.
//
// # Choices
//
//   - A certificate on hold (suspended) gives INDETERMINATE, TRY_LATER, with
//     the time of suspension, as §5.2.6.4 asks, unless a time-stamp proves the
//     signature is older than the suspension. Once released it is as good as
//     before: the newest list decides.
//   - Any other revocation counts from its earliest date in any authentic list
//     or answer, whatever newer or older ones leave out.
//   - Revocation information is fresh until its nextUpdate, or as the policy
//     says, and for everything that is older than it. It may be some minutes younger than
//     the time of validation, which was read before a responder was asked.
//   - When the control time slides back over information that is not fresh any
//     more, it slides to the end of its freshness (§5.2.5), not to its issue:
//     else no list could be older than the time-stamp that keeps it.
//   - An authority that expired or went out of service is no trouble for a
//     certificate that is proven to be older; the signer's is as old as the
//     signature, which holds its digest. One that was compromised leaves nothing
//     standing but what archive time-stamps prove, its own lists included.
//   - A time-stamp that is present must be right; a wrong one gives
//     INDETERMINATE although the signature could stand without it. One that
//     has only aged is no proof, but does not speak against the signature.
//   - Revisions of a PDF after the signature are compared object by object
//     (package changes); what the signature does not permit is INDETERMINATE.
//     What it permits does not speak against it, also where it shows on a page
//     and may lie over what was signed; the page is named.
//   - A document time-stamp of a PDF is reported with the signatures it covers.
//   - Of a .tsd, an .m7m and an evidence record the oldest time-stamp is a subject
//     of its own, with those that renew it as its time-stamps; if one of these is
//     wrong the result is INDETERMINATE. When the document is signed, in whatever
//     form, its signatures follow, each with all of those over it. A document of a
//     kind that is not known here is a document without signatures.
//   - An evidence record is of all the contents that are given, or TOTAL_FAILED.
//
// # JSON
//
// A Report marshals to this shape, which only grows:
//
//	{
//	  "file": "contratto-firmato.pdf",
//	  "format": "pdf",                           // pdf, cms, xml, json, asic, timestamp, tsd, m7m, evidence-record
//	  "form": "PAdES",                           // of all signatures, or of the container; "mixed"
//	  "validated": "2026-11-21T10:30:00Z",       // the time of Options
//	  "indication": "TOTAL_PASSED",              // the worst of all signatures; NO_SIGNATURE_FOUND when there is none
//	  "signatures": [{
//	    "id": "S1",                              // "parent" is the id of the signature it countersigns
//	    "form": "PAdES",                         // PAdES, CAdES, XAdES, JAdES, PDF (a signature that is no PAdES), RFC3161, RFC5544, RFC4998, M7M
//	    "level": "B-LTA",                        // B-B, B-T, B-LT, B-LTA, or "" when it is no baseline level
//	    "indication": "TOTAL_PASSED",
//	    "subIndication": "",                     // EN 319 102-1 Table 5 and 6; empty when passed
//	    "signer": "Ada Prova",
//	    "issuer": "Issuing CA",
//	    "serial": "0a1b",                        // lower-case hexadecimal
//	    "signingTime": "2026-11-21T10:29:58Z",   // what the signer claims; absent when nothing
//	    "bestSignatureTime": "2026-11-21T10:29:59Z", // since when it is proven to exist; absent without a proof
//	    "timestamps": [{"id": "T1", "kind": "signature", "time": "…", "indication": "…", "tsa": "TSU 1", …}],
//	    "coversWholeDocument": true,             // but for evidence added later
//	    "changes": [{"kind": "signature", "field": "Signature2", "page": 1}], // permitted ones after the signature, but for evidence and time-stamps; "page" where it shows
//	    "field": "Signature1",                   // of a PDF
//	    "reasons": [{"code": "valid", "it": "…", "en": "…"}],
//	    "covers": […], "algorithm": "…", "properties": {…}, "chain": [{…}], "evidence": [{…}]
//	  }],
//	  "policy": "sigillo-default 2026-11"
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
	// MissingEvidence: certificates or revocation information that a signature needs are nowhere to be had.
	MissingEvidence Kind = "missing-evidence"
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
