// Package jades makes, raises and checks JAdES signatures (ETSI TS 119 182-1
// v1.2.1): JSON Web Signatures (RFC 7515) that say what an advanced electronic
// signature has to say.
//
// # What one looks like
//
// A JWS is a protected header, a payload and a signature value, each in
// base64url. The value is over the octets
//
//	BASE64URL(header) '.' BASE64URL(payload)
//
// and everything that the signer has to say stands in the header: when (iat),
// with which certificate (x5c and its thumbprint), in which role, under which
// policy. What others add later (time-stamps, certificates, revocation data,
// counter-signatures) is a list named etsiU in the unprotected header. Its
// entries are written here as base64url strings, the form whose archive
// time-stamps need no canonical JSON; entries found as plain objects are read and
// kept as they are.
//
// There are three serialisations. Compact is header.payload.value on one line and
// has no place for etsiU, so it ends at level B-B; raising it turns it into
// flattened JSON, which holds the same signature. General JSON holds several
// signatures of one payload.
//
// The payload is the document (enveloping), or it is empty and the header's sigD
// names the documents by URI and digest (detached, mechanism ObjectIdByURIHash,
// §5.2.8.3.3). The latter is the one for large documents, which are then read as
// a stream and never held.
//
// # Making one
//
//	p, err := jades.Prepare(doc, size, options)
//	value := sign(p.DTBSR())                     // elsewhere
//	imprint, err := p.StampDigest(value, h)      // for B-T
//	err = p.Assemble(w, doc, size, value, token)
//
// Prepared can be stored as JSON between the steps and holds no document content.
// Hence DTBS is nil for an enveloping signature, whose data to be signed are the
// document; [Prepared.DTBSOf] makes them again, for keys (Ed25519) that sign the
// data themselves.
//
// # Reading one
//
// Signatures reads all signatures of a file; nothing is believed before
// [Signature.Verify]. The reader refuses what two readers could understand in two
// ways: a name that stands twice, a name of a JWS in other letters (etsiu), a
// critical parameter it does not know, base64 with padding or stray bits, the
// algorithms "none" and HMAC, a thumbprint of another certificate than x5c begins
// with, and parameters in the unprotected header that belong under the signature.
//
// Limits: the referencing mechanism HttpHeaders, JWK and x5u keys, attribute
// certificates and canonical JSON for plain etsiU are reported as unsupported.
package jades

import (
	"errors"
	"fmt"

	"sigillo/formats/cms"
)

// Kind says what sort of thing went wrong. The kinds of package cms come through
// unchanged.
type Kind = cms.Kind

// NotJWS: the input is neither a compact nor a JSON serialised JWS.
const NotJWS Kind = "not-jws"

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "jades: " + e.Msg + ": " + e.Err.Error()
	}
	return "jades: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package or of cms, and "" for others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return cms.KindOf(err)
}

func fail(k Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

func wrap(k Kind, err error, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...), Err: err}
}
