package xades

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"io"
	"math/big"
	"strings"
	"time"

	"sigillo/formats/c14n"
	"sigillo/formats/cms"
)

const closeSignature = "</ds:Signature>"

func openSignature(id string) string {
	if id != "" {
		id = ` Id="` + id + `"`
	}
	return `<ds:Signature xmlns:ds="` + dsNamespace + `"` + id + `>`
}

// digestXML writes DigestMethod and DigestValue.
func digestXML(h crypto.Hash, value []byte) string {
	return `<ds:DigestMethod Algorithm="` + digestURIs[h] + `"/><ds:DigestValue>` + base64.StdEncoding.EncodeToString(value) + `</ds:DigestValue>`
}

func transformsXML(algorithms ...string) string {
	var b strings.Builder
	b.WriteString("<ds:Transforms>")
	for _, a := range algorithms {
		b.WriteString(`<ds:Transform Algorithm="` + a + `"/>`)
	}
	b.WriteString("</ds:Transforms>")
	return b.String()
}

// signedInfoXML writes the two references of a baseline signature: the
// document and the signed properties (EN 319 132-1 §6.3).
func signedInfoXML(id string, a Algorithm, document, properties []byte) string {
	return `<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="` + string(c14n.Exclusive) + `"/>` + methodXML(a) +
		`<ds:Reference Id="` + id + `-document" URI="">` + transformsXML(envelopedTransform, string(c14n.C14N10)) + digestXML(a.Hash, document) + `</ds:Reference>` +
		`<ds:Reference Type="` + signedPropertiesType + `" URI="#` + id + `-properties">` + transformsXML(string(c14n.Exclusive)) + digestXML(a.Hash, properties) + `</ds:Reference>` +
		`</ds:SignedInfo>`
}

func keyInfoXML(certificates []*x509.Certificate) string {
	var b strings.Builder
	b.WriteString("<ds:KeyInfo><ds:X509Data>")
	for _, c := range certificates {
		b.WriteString("<ds:X509Certificate>" + base64.StdEncoding.EncodeToString(c.Raw) + "</ds:X509Certificate>")
	}
	b.WriteString("</ds:X509Data></ds:KeyInfo>")
	return b.String()
}

// propertiesXML writes SignedProperties (EN 319 132-1 §5.2): signing time,
// the certificate by digest and issuer, the media type of the document.
func propertiesXML(id string, h crypto.Hash, o Options) string {
	digest := h.New()
	digest.Write(o.Certificate.Raw)
	media := o.MediaType
	if media == "" {
		media = "text/xml"
	}
	return `<xades:SignedProperties Id="` + id + `-properties"><xades:SignedSignatureProperties>` +
		`<xades:SigningTime>` + o.SigningTime.UTC().Format(time.RFC3339) + `</xades:SigningTime>` +
		`<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>` + digestXML(h, digest.Sum(nil)) + `</xades:CertDigest>` +
		`<xades:IssuerSerialV2>` + base64.StdEncoding.EncodeToString(issuerSerial(o.Certificate)) + `</xades:IssuerSerialV2>` +
		`</xades:Cert></xades:SigningCertificateV2></xades:SignedSignatureProperties>` +
		`<xades:SignedDataObjectProperties><xades:DataObjectFormat ObjectReference="#` + id + `-document">` +
		`<xades:MimeType>` + escape(media) + `</xades:MimeType></xades:DataObjectFormat></xades:SignedDataObjectProperties></xades:SignedProperties>`
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;").Replace

// issuerSerial is the IssuerSerial of RFC 5035 §4: GeneralNames with the
// issuer's directoryName, and the serial number.
func issuerSerial(c *x509.Certificate) []byte {
	type serial struct {
		Names  []asn1.RawValue
		Number *big.Int
	}
	der, err := asn1.Marshal(serial{
		Names:  []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: c.RawIssuer}},
		Number: c.SerialNumber,
	})
	if err != nil {
		return nil // a parsed certificate has a serial number
	}
	return der
}

// objectXML writes the Object with the qualifying properties; unsigned is
// what goes into UnsignedSignatureProperties.
func (p *Prepared) objectXML(unsigned string) string {
	if unsigned != "" {
		unsigned = "<xades:UnsignedProperties><xades:UnsignedSignatureProperties>" + unsigned + "</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
	}
	return `<ds:Object><xades:QualifyingProperties xmlns:xades="` + xadesNamespace + `" Target="#` + p.ID + `">` + p.Properties + unsigned + `</xades:QualifyingProperties></ds:Object>`
}

// valueXML writes SignatureValue from a value as crypto.Signer gives it,
// after checking it against the certificate.
func (p *Prepared) valueXML(signature []byte) (string, error) {
	cert, err := x509.ParseCertificate(p.Certificate)
	digest := p.DTBSR()
	if err != nil || digest == nil {
		return "", &Error{Kind: Malformed, Msg: "the prepared signature is damaged", Err: err}
	}
	value, err := xmlValue(cert.PublicKey, signature)
	if err != nil {
		return "", err
	}
	a := Algorithm{Key: ECDSA, Hash: p.HashAlgorithm(), PSS: p.PSS, Salt: p.HashAlgorithm().Size()}
	if _, ok := cert.PublicKey.(*rsa.PublicKey); ok {
		a.Key = RSA
	} else if _, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok {
		return "", fail(BadOptions, "the certificate's key is neither RSA nor ECDSA")
	}
	if ok, err := a.check(cert.PublicKey, digest, value); err != nil {
		return "", err
	} else if !ok {
		return "", fail(WrongSignature, "the signature value was not made over this document with the key of this certificate")
	}
	return `<ds:SignatureValue Id="` + p.ID + `-value">` + base64.StdEncoding.EncodeToString(value) + `</ds:SignatureValue>`, nil
}

// StampDigest is the imprint of the signature time-stamp: the digest of the
// canonical SignatureValue element (EN 319 132-1 §5.3). signature is as
// crypto.Signer gives it.
func (p *Prepared) StampDigest(signature []byte, h crypto.Hash) ([]byte, error) {
	value, err := p.valueXML(signature)
	if err != nil {
		return nil, err
	}
	form, err := canonical(value, "SignatureValue")
	if err != nil {
		return nil, err
	}
	if !h.Available() {
		return nil, fail(BadOptions, "the digest algorithm of the time-stamp is not available")
	}
	d := h.New()
	d.Write(form)
	return d.Sum(nil), nil
}

// Assemble writes the signed document. signature is as crypto.Signer gives it
// (ECDSA as DER); token is a DER TimeStampToken over StampDigest, or nil for
// level B-B. Nothing is written when the document is not the prepared one, the
// signature value does not verify or the token stamps something else. Kinds: Changed, WrongSignature,
// BadOptions, Failed.
func (p *Prepared) Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error {
	if err := p.unchanged(doc, size); err != nil {
		return err
	}
	if p.Stamped != (len(token) > 0) {
		return fail(BadOptions, "a time-stamp token is required for level B-T and not allowed for B-B")
	}
	value, err := p.valueXML(signature)
	if err != nil {
		return err
	}
	stamp := ""
	if len(token) > 0 {
		if err := p.checkToken(signature, token); err != nil {
			return err
		}
		stamp = `<xades:SignatureTimeStamp><ds:CanonicalizationMethod Algorithm="` + string(c14n.Exclusive) + `"/>` +
			`<xades:EncapsulatedTimeStamp>` + base64.StdEncoding.EncodeToString(token) + `</xades:EncapsulatedTimeStamp></xades:SignatureTimeStamp>`
	}
	text := openSignature(p.ID) + p.SignedInfo + value + p.KeyInfo + p.objectXML(stamp) + closeSignature
	if p.Skip > 0 {
		text = ">" + text + "</" + p.Name + ">"
	}
	for _, part := range []io.Reader{
		io.NewSectionReader(doc, 0, p.At),
		strings.NewReader(text),
		io.NewSectionReader(doc, p.At+p.Skip, size-p.At-p.Skip),
	} {
		if _, err := io.Copy(w, part); err != nil {
			return &Error{Kind: Failed, Msg: "the signed document cannot be written", Err: err}
		}
	}
	return nil
}

// checkToken refuses a token that does not stamp this signature value: the file
// would look like level B-T and have no provable time.
func (p *Prepared) checkToken(signature, token []byte) error {
	t, err := cms.ParseToken(token)
	if err != nil {
		return &Error{Kind: BadOptions, Msg: "the time-stamp token cannot be read", Err: err}
	}
	imprint, err := p.StampDigest(signature, t.Info.Hash)
	if err != nil {
		return err
	}
	if !bytes.Equal(imprint, t.Info.Imprint) {
		return fail(BadOptions, "the time-stamp is not over this signature value")
	}
	return nil
}

// unchanged makes sure the document is still the one that was prepared.
func (p *Prepared) unchanged(doc io.ReaderAt, size int64) error {
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(doc, 0, size)); err != nil {
		return &Error{Kind: Failed, Msg: "the document cannot be read", Err: err}
	}
	if size != p.Size || !bytes.Equal(h.Sum(nil), p.SHA256) || p.At < 0 || p.Skip < 0 || p.At+p.Skip > size {
		return fail(Changed, "the document is not the one the signature was prepared for")
	}
	return nil
}
