package cms

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/der"
)

// SignerOptions says who signs and how.
type SignerOptions struct {
	// Certificate is the signer's; its key decides the algorithm.
	Certificate *x509.Certificate
	// Chain is put beside it in the message: the issuers, in any order.
	Chain []*x509.Certificate
	// Hash is the digest of the content and of the signed attributes: SHA-256,
	// SHA-384 or SHA-512, with an Ed25519 key SHA-512 only (RFC 8419 §3.1).
	Hash crypto.Hash
	// PSS signs with RSASSA-PSS instead of PKCS#1 v1.5.
	PSS bool
	// SigningTime is the time the signer claims, to the second; zero leaves the
	// attribute out, as PAdES demands.
	SigningTime time.Time
	// ContentType is the type of the content; zero means id-data.
	ContentType asn1.ObjectIdentifier
	// Properties are signed beside the content (EN 319 122-1 §5.2).
	Properties ades.Properties
	// MIMEType says what the content is (§5.2.4.2); empty: not said.
	MIMEType string
	// Plain leaves out what only CAdES has, the signed reference to the
	// certificate, and names the algorithms as PKCS#7 programs of old expect them:
	// rsaEncryption for RSA, and digests with NULL parameters.
	Plain bool
	// OmitCertificates leaves all certificates out of the message, as RFC 3161
	// wants for a request without certReq.
	OmitCertificates bool
}

// Prepared is a signature that lacks only its value. It is plain data and may be
// stored as JSON; it holds nothing secret.
type Prepared struct {
	Hash          string                `json:"hash"`                  // "SHA-256", …
	Scheme        Scheme                `json:"scheme"`                // how the key must sign
	ContentType   asn1.ObjectIdentifier `json:"contentType,omitempty"` // none in a counter-signature
	ContentDigest []byte                `json:"contentDigest"`
	// Checksum is the CRC-32C of the content, if whoever read it took that too: see
	// [Prepared.AssembleAttached].
	Checksum *uint32 `json:"checksum,omitempty"`
	// Content is the encapsulated content when it is part of the signature
	// itself, as the TSTInfo of a time-stamp is.
	Content []byte `json:"content,omitempty"`
	// SignedAttributes is the DER SET OF Attribute that is signed (RFC 5652 §5.4).
	SignedAttributes []byte   `json:"signedAttributes"`
	Certificate      []byte   `json:"certificate"`            // the signer's, DER
	SignerIdentifier []byte   `json:"signerIdentifier"`       // DER IssuerAndSerialNumber
	Certificates     [][]byte `json:"certificates,omitempty"` // what is embedded, DER
	MaxSignature     int      `json:"maxSignature"`           // octets of the longest signature value
	Plain            bool     `json:"plain,omitempty"`        // as in SignerOptions

	signer *x509.Certificate // Certificate, if this process has read it already
}

// Prepare makes the signed attributes over the digest of a content: content-type,
// message-digest, signing-certificate-v2 and, if a time is given, signing-time
// (EN 319 122-1 §5.1, §5.2), and those of the properties.
func Prepare(contentDigest []byte, o SignerOptions) (*Prepared, error) {
	if len(o.ContentType) == 0 {
		o.ContentType = OIDData
	}
	for _, token := range o.Properties.ContentStamps {
		if err := checkContentStamp(token, o.Hash, contentDigest); err != nil {
			return nil, err
		}
	}
	return prepare(contentDigest, o)
}

// PrepareCounter makes the signed attributes of a counter-signature, which signs
// the value of a signature and has no content type (RFC 5652 §11.4).
func PrepareCounter(signature *SignerInfo, o SignerOptions) (*Prepared, error) {
	if o.MIMEType != "" || len(o.Properties.ContentStamps) > 0 || len(o.ContentType) > 0 {
		return nil, fail(BadOptions, "a counter-signature signs another signature: it has no content type, no MIME type and no content time-stamp")
	}
	if !o.Hash.Available() {
		return nil, fail(BadOptions, "digest algorithm %v cannot be used to sign; use SHA-256, SHA-384 or SHA-512", o.Hash)
	}
	level := 1
	for s := signature; s.parent != nil; s = s.parent {
		level++
	}
	if level > maxCounterDepth {
		return nil, fail(Limit, "there are %d levels of counter-signatures already, more cannot be read", maxCounterDepth)
	}
	return prepare(digestOf(o.Hash, signature.SignatureValue), o)
}

func prepare(contentDigest []byte, o SignerOptions) (*Prepared, error) {
	if o.Certificate == nil {
		return nil, fail(BadOptions, "a signature needs the signer's certificate")
	}
	alg, err := AlgorithmFor(o.Certificate.PublicKey, o.Hash, o.PSS)
	if err != nil {
		return nil, err
	}
	if alg.Scheme == Ed25519 && o.Hash != crypto.SHA512 {
		return nil, fail(BadOptions, "with an Ed25519 key the digest algorithm must be SHA-512 (RFC 8419)")
	}
	if len(contentDigest) != o.Hash.Size() {
		return nil, fail(BadOptions, "the digest has %d bytes; %v gives %d", len(contentDigest), o.Hash, o.Hash.Size())
	}
	p := &Prepared{
		Hash:             o.Hash.String(),
		Scheme:           alg.Scheme,
		ContentType:      o.ContentType,
		ContentDigest:    bytes.Clone(contentDigest),
		Certificate:      o.Certificate.Raw,
		SignerIdentifier: issuerAndSerial(o.Certificate),
		MaxSignature:     MaxSignatureSize(o.Certificate.PublicKey),
		Plain:            o.Plain,
		signer:           o.Certificate,
	}
	if p.SignedAttributes, err = signedAttributes(contentDigest, o); err != nil {
		return nil, err
	}
	if !o.OmitCertificates {
		p.Certificates = bundle(o.Certificate, o.Chain)
	}
	return p, nil
}

func signedAttributes(contentDigest []byte, o SignerOptions) ([]byte, error) {
	attrs := [][]byte{attribute(OIDMessageDigest, der.TLV(der.Octets, contentDigest))}
	if len(o.ContentType) > 0 {
		attrs = append(attrs, attribute(OIDContentType, der.OID(o.ContentType)))
	}
	if !o.Plain {
		attrs = append(attrs, attribute(OIDSigningCertificateV2, signingCertificateV2(o.Certificate, o.Hash)))
	}
	if !o.SigningTime.IsZero() {
		t, err := derTime(o.SigningTime)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, attribute(OIDSigningTime, t))
	}
	if o.MIMEType != "" {
		t, err := text(o.MIMEType)
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, attribute(OIDMIMEType, t))
	}
	properties, err := propertyAttributes(o.Properties)
	if err != nil {
		return nil, err
	}
	return der.SetOf(der.Set, append(attrs, properties...)...), nil
}

// derTime gives a Time: UTCTime for the years 1950 to 2049, GeneralizedTime for
// the others, both in UTC to the second (RFC 5652 §11.3).
func derTime(t time.Time) ([]byte, error) {
	t = t.UTC()
	switch y := t.Year(); {
	case y >= 1950 && y < 2050:
		return der.TLV(der.UTCTime, []byte(t.Format("060102150405Z"))), nil
	case y >= 1 && y < 10000:
		return der.TLV(der.GenTime, []byte(t.Format("20060102150405Z"))), nil
	}
	return nil, fail(BadOptions, "the signing time is outside the years 1 to 9999")
}

// bundle gives the certificates to embed, each once, in DER order.
func bundle(signer *x509.Certificate, chain []*x509.Certificate) [][]byte {
	out := [][]byte{signer.Raw}
	for _, c := range chain {
		if c != nil {
			out = append(out, c.Raw)
		}
	}
	slices.SortFunc(out, bytes.Compare)
	return slices.CompactFunc(out, bytes.Equal)
}

// DTBS gives the data to be signed: the DER encoding of the signed attributes.
func (p *Prepared) DTBS() []byte { return p.SignedAttributes }

// DTBSR gives the digest of the data to be signed, what the key is asked to sign
// unless it is an Ed25519 key, which signs DTBS: see [Algorithm.Input].
func (p *Prepared) DTBSR() []byte {
	h := p.HashAlgorithm()
	if !h.Available() {
		return nil
	}
	return digestOf(h, p.SignedAttributes)
}

// HashAlgorithm gives the digest algorithm, 0 if the stored name is unknown.
func (p *Prepared) HashAlgorithm() crypto.Hash { return HashByName(p.Hash) }

// Algorithm gives the signature algorithm the value must be made with.
func (p *Prepared) Algorithm() Algorithm {
	a := Algorithm{Scheme: p.Scheme, Hash: p.HashAlgorithm()}
	if a.Scheme == PSS && a.Hash != 0 {
		a.SaltLength = a.Hash.Size()
	}
	return a
}

// VerifySignature checks a signature value against the signer's certificate
// before it is put to use.
func (p *Prepared) VerifySignature(signature []byte) error {
	if p.incomplete() {
		return fail(BadOptions, "the prepared signature is incomplete")
	}
	c := p.signer
	if c == nil || !bytes.Equal(c.Raw, p.Certificate) {
		var err error
		if c, err = x509.ParseCertificate(p.Certificate); err != nil {
			return wrap(Malformed, err, "the prepared signature holds a broken certificate")
		}
	}
	return p.Algorithm().Verify(c.PublicKey, p.SignedAttributes, signature)
}
