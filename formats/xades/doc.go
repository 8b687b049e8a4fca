// Package xades makes, raises and checks XAdES signatures (ETSI EN 319 132-1,
// baseline levels B-B to B-LTA).
//
// # Making one
//
//	p, err := xades.Prepare(doc, size, options)
//	value := sign(p.DTBSR())                     // elsewhere; Ed25519 signs p.DTBS()
//	imprint, err := p.StampDigest(value, h)      // for B-T
//	err = p.Assemble(w, doc, size, value, token)
//
// Prepared can be stored as JSON between the steps and holds no content.
//
// A signature can stand in the document (Enveloped), or the document in the
// signature (Enveloping, EnvelopingXML), or both in one element
// (InternallyDetached), or in two files (Detached; PrepareDetached for several,
// of which digests are enough, and for ASiC containers). A document that a
// signature goes into is never written anew: Prepare finds the byte where it
// goes, Assemble copies what stands before and after, in whatever encoding the
// document is. Only an element without content, <a/>, becomes <a>…</a>, which
// is the same to canonical XML. All that is put in is ASCII.
//
// An enveloped signature covers all but itself, so a second one of the kind
// would break it, and is refused. Signatures made with Options.Parallel leave
// all signatures out of what they cover, by the XPath filter that EU DSS uses
// too: any number of them live in one document and know nothing of each other.
// A signature of one element (Options.Element) leaves the rest of the document
// to others. PrepareCounter signs the value of another signature.
//
// The document is canonicalised with Canonical XML 1.0, which keeps every
// namespace declaration under the signature, SignedInfo and SignedProperties
// with Exclusive XML Canonicalization, so that they do not depend on what the
// document declares around them.
//
// # Italian invoices
//
// The exchange of electronic invoices (Sistema di Interscambio) says on
// fatturapa.gov.it, "Firmare la FatturaPA", what it takes: XAdES-BES, enveloped
// and nothing else; References with URI="" or URI="#…" with the Id of the
// document, never without URI; a signing time with its time zone; a time-stamp
// is not needed. The file keeps its name and ends in .xml. That is what the zero
// Options make: one Reference with URI="" and the enveloped-signature
// transform. Do not sign invoices with Parallel: of other transforms the
// exchange says nothing. The page names the older ETSI TS 101 903, where the
// certificate is in SigningCertificate; what is written here is the
// SigningCertificateV2 of EN 319 132-1, which baseline requires.
//
// # Raising them
//
// PrepareTimestamp, AddEvidence and PrepareArchive raise signatures to B-T, B-LT
// and B-LTA or renew that, ours and those of others. They only append: to the
// unsigned properties of a signature, which are made if they are missing. A
// broken signature is not raised, and no addition is made under another
// signature. What the signer's certificate needs goes into CertificateValues
// and RevocationValues, what only time-stamps need, and all that comes later,
// into TimeStampValidationData.
//
// # Checking one
//
// Signatures reads the signatures of a document, and Read those over files
// beside it; Verify checks one. The reader expects to be lied to: references
// are resolved by Id once, and an Id that occurs twice, however it is spelled,
// resolves to nothing; the SignedProperties that count are those in the one
// Object of the same Signature; every other Object must be covered; transforms
// come from a short list of exact patterns, among them the XPath expressions
// that take signatures away, and there is no XPath here; of a Manifest every
// reference must be right. All signatures of a document share one budget of work.
//
// A signature may be right and cover little. Coverage says in one word what it
// covers, Covers names every part and gives its octets, and Verify tells
// NotCovering where something of the document is left open to change. Where a
// signature leaves all signatures out of what it covers, an element named
// Signature can be added by anybody: whoever judges the document must look at
// all signatures that Signatures lists, as a false one does not verify.
//
// Limits: documents that a signature goes into, and all that are read, are held
// in memory (limits of package c14n); files beside a signature are streamed.
// Archive time-stamps before XAdES 1.4.1 are listed but cannot be checked, and
// distributed time-stamps (Include), attribute certificates and signed
// assertions are not supported.
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
	// Weak: by MD5, which proves nothing.
	Weak Kind = "weak"
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
