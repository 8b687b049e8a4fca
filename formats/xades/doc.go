// Package xades makes and checks XAdES signatures that live inside the XML
// document they sign (ETSI EN 319 132-1, baseline levels B-B and B-T).
//
// # Making one
//
// The signature is enveloped: a ds:Signature becomes the last child of the
// document element, and a Reference with URI="" and the enveloped-signature
// transform covers all the rest, which is the one form the Italian invoice
// exchange (Sistema di Interscambio) accepts. The document is never
// written anew. Prepare finds the byte where the signature goes; Assemble
// copies what stands before and after. Only a document element without
// content, <a/>, becomes <a>…</a>, which is the same to canonical XML.
//
// The document is canonicalised with Canonical XML 1.0, which keeps every
// namespace declaration under the signature, SignedInfo and SignedProperties
// with Exclusive XML Canonicalization, so that they do not depend on what the
// document declares around them.
//
//	p, err := xades.Prepare(doc, size, options)
//	value := sign(p.DTBSR())                     // elsewhere
//	imprint, err := p.StampDigest(value, h)      // for B-T
//	err = p.Assemble(w, doc, size, value, token)
//
// Prepared can be stored as JSON between the steps.
//
// # Checking one
//
// Signatures reads the signatures of a document and Verify checks one. The
// reader expects to be lied to: references are resolved by Id once, and an Id
// that occurs twice resolves to nothing; the SignedProperties that count are
// those in the Object of the same Signature; transforms come from a short
// list; a Signature may not carry objects beside its QualifyingProperties;
// and a signature that does not cover the whole document is not accepted as a
// signature of the document.
//
// Limits: other packagings (enveloping, detached), counter-signatures, XPath
// transforms, and adding a second enveloped signature are not supported and
// are refused or reported as unsupported.
package xades

import (
	"errors"
	"fmt"

	"sigillo/formats/c14n"
)

// Kind names what went wrong, for callers that decide on it.
type Kind string

// The kinds of Error.
const (
	// BadOptions: the options cannot make a baseline signature.
	BadOptions Kind = "bad-options"
	// AlreadySigned: the document has a signature; a second enveloped one would break it.
	AlreadySigned Kind = "already-signed"
	// Changed: the document is not the one that was prepared.
	Changed Kind = "changed"
	// WrongSignature: the signature value is not one of the prepared data by the prepared certificate.
	WrongSignature Kind = "wrong-signature"
	// Malformed: the document or the signature breaks a rule of XML, XMLDSig or XAdES.
	Malformed Kind = "malformed"
	// Unsupported: well-formed, but outside what this package checks.
	Unsupported Kind = "unsupported"
	// Limit: too large.
	Limit Kind = "limit"
	// HashFailure: a signed part was changed.
	HashFailure Kind = "hash-failure"
	// SignatureFailure: the signature value does not fit the signed data and the certificate.
	SignatureFailure Kind = "signature-failure"
	// NoCertificate: the signer's certificate is not in the signature.
	NoCertificate Kind = "no-certificate"
	// Unbound: the signature does not say under its protection which certificate made it.
	Unbound Kind = "unbound"
	// NotCovering: the signature is right but does not cover the whole document.
	NotCovering Kind = "not-covering"
	// ContentMissing: the signature is right as far as it can be seen, but a file that it covers is not at hand.
	ContentMissing Kind = "content-missing"
	// Failed: reading or writing failed.
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
		return "xades: " + e.Msg + ": " + e.Err.Error()
	}
	return "xades: " + e.Msg
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

func fail(k Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

// fromXML wraps an error of the XML parser or canonicaliser.
func fromXML(err error) error {
	k := Malformed
	switch c14n.KindOf(err) {
	case c14n.Limit:
		k = Limit
	case c14n.Unsupported, c14n.DTD, c14n.Encoding:
		k = Unsupported
	case "":
		k = Failed
	}
	return &Error{Kind: k, Msg: "the XML document cannot be processed", Err: err}
}

// Namespaces and identifiers of XMLDSig (W3C), XAdES (ETSI EN 319 132-1) and
// ASiC (ETSI EN 319 162-1).
const (
	dsNamespace       = "http://www.w3.org/2000/09/xmldsig#"
	xadesNamespace    = "http://uri.etsi.org/01903/v1.3.2#"
	xades141Namespace = "http://uri.etsi.org/01903/v1.4.1#"
	xades122Namespace = "http://uri.etsi.org/01903/v1.2.2#"
	xades111Namespace = "http://uri.etsi.org/01903/v1.1.1#"
	pssNamespace      = "http://www.w3.org/2007/05/xmldsig-more#"
	asicNamespace     = "http://uri.etsi.org/02918/v1.2.1#"
	oldASiCNamespace  = "http://uri.etsi.org/2918/v1.2.1#"

	envelopedTransform = dsNamespace + "enveloped-signature"
	base64Transform    = dsNamespace + "base64"
	xpathTransform     = "http://www.w3.org/TR/1999/REC-xpath-19991116"
	filter2Transform   = "http://www.w3.org/2002/06/xmldsig-filter2"

	objectType           = dsNamespace + "Object"
	manifestType         = dsNamespace + "Manifest"
	signedPropertiesType = "http://uri.etsi.org/01903#SignedProperties"
	counterType          = "http://uri.etsi.org/01903#CountersignedSignature"
)

// isXAdES reports whether a namespace is one of XAdES.
func isXAdES(space string) bool {
	switch space {
	case xadesNamespace, xades141Namespace, xades122Namespace, xades111Namespace:
		return true
	}
	return false
}

// isPropertiesType reports whether a Reference says of itself that it is to the
// SignedProperties; each version of XAdES has an identifier of its own for that.
func isPropertiesType(uri string) bool {
	return uri == signedPropertiesType || uri == xades122Namespace+"SignedProperties" || uri == xades111Namespace+"SignedProperties"
}
