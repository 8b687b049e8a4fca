package xades

import (
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"sigillo/formats/ades"
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

// escape writes text or an attribute value. All but ASCII becomes a character
// reference, so that it can be put into a document in any encoding.
func escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r < 0x20 || r > 0x7e:
			fmt.Fprintf(&b, "&#x%X;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// element writes an element of the XAdES namespace with text, nothing for no text.
func element(local, text string) string {
	if text == "" {
		return ""
	}
	return "<xades:" + local + ">" + escape(text) + "</xades:" + local + ">"
}

// group writes an element around what is in it, nothing for nothing.
func group(local string, inner ...string) string {
	s := strings.Join(inner, "")
	if s == "" {
		return ""
	}
	return "<xades:" + local + ">" + s + "</xades:" + local + ">"
}

// encode is base64 without line breaks.
func encode(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// digestXML writes DigestMethod and DigestValue.
func digestXML(h crypto.Hash, value []byte) string {
	return `<ds:DigestMethod Algorithm="` + digestURIs[h] + `"/><ds:DigestValue>` + encode(value) + `</ds:DigestValue>`
}

func transformXML(algorithm string) string { return `<ds:Transform Algorithm="` + algorithm + `"/>` }

func methodOfXML(a c14n.Algorithm) string {
	return `<ds:CanonicalizationMethod Algorithm="` + string(a) + `"/>`
}

// signedInfoXML writes the references of a baseline signature: to what is
// signed and to the signed properties (EN 319 132-1 §6.3).
func signedInfoXML(id string, a cms.Algorithm, h crypto.Hash, parts []part, properties []byte) string {
	var b strings.Builder
	b.WriteString(`<ds:SignedInfo>` + methodOfXML(c14n.Exclusive) + methodXML(a))
	for i, p := range parts {
		b.WriteString(`<ds:Reference Id="` + referenceID(id, i) + `"`)
		if p.kind != "" {
			b.WriteString(` Type="` + p.kind + `"`)
		}
		b.WriteString(` URI="` + escape(p.uri) + `">`)
		if p.transforms != "" {
			b.WriteString("<ds:Transforms>" + p.transforms + "</ds:Transforms>")
		}
		b.WriteString(digestXML(h, p.digest) + `</ds:Reference>`)
	}
	b.WriteString(`<ds:Reference Type="` + signedPropertiesType + `" URI="#` + id + `-properties"><ds:Transforms>` + transformXML(string(c14n.Exclusive)) +
		`</ds:Transforms>` + digestXML(h, properties) + `</ds:Reference></ds:SignedInfo>`)
	return b.String()
}

// referenceID is the Id of the nth reference.
func referenceID(id string, n int) string {
	if n == 0 {
		return id + "-document"
	}
	return fmt.Sprintf("%s-document-%d", id, n+1)
}

func keyInfoXML(certificates []*x509.Certificate) string {
	var b strings.Builder
	b.WriteString("<ds:KeyInfo><ds:X509Data>")
	for _, c := range certificates {
		b.WriteString("<ds:X509Certificate>" + encode(c.Raw) + "</ds:X509Certificate>")
	}
	b.WriteString("</ds:X509Data></ds:KeyInfo>")
	return b.String()
}

// propertiesXML writes SignedProperties (EN 319 132-1 §5.2), in the order of
// its schema.
func propertiesXML(id string, h crypto.Hash, o Options, parts []part) string {
	p := o.Properties
	var signature, data []string
	signature = append(signature,
		element("SigningTime", o.SigningTime.UTC().Format(time.RFC3339)),
		`<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>`+digestXML(h, digestOf(h, o.Certificate.Raw))+`</xades:CertDigest>`+
			element("IssuerSerialV2", encode(cms.IssuerSerial(o.Certificate)))+`</xades:Cert></xades:SigningCertificateV2>`,
		policyXML(p.Policy))
	if place := p.Place; place != nil {
		signature = append(signature, group("SignatureProductionPlaceV2", element("City", place.City), element("StreetAddress", place.Street),
			element("StateOrProvince", place.Province), element("PostalCode", place.PostalCode), element("CountryName", place.Country)))
	}
	roles := ""
	for _, r := range p.ClaimedRoles {
		roles += element("ClaimedRole", r)
	}
	signature = append(signature, group("SignerRoleV2", group("ClaimedRoles", roles)))
	for i, part := range parts {
		if part.media != "" {
			data = append(data, `<xades:DataObjectFormat ObjectReference="#`+referenceID(id, i)+`">`+element("MimeType", part.media)+`</xades:DataObjectFormat>`)
		}
	}
	for _, c := range p.Commitments {
		data = append(data, group("CommitmentTypeIndication", group("CommitmentTypeId", element("Identifier", commitmentURI(c))), "<xades:AllSignedDataObjects/>"))
	}
	for _, token := range p.ContentStamps {
		data = append(data, stampXML("xades:AllDataObjectsTimeStamp", "", token))
	}
	return `<xades:SignedProperties Id="` + id + `-properties">` + group("SignedSignatureProperties", signature...) + group("SignedDataObjectProperties", data...) + `</xades:SignedProperties>`
}

// policyXML writes SignaturePolicyIdentifier (EN 319 132-1 §5.2.9).
func policyXML(p *ades.Policy) string {
	if p == nil {
		return ""
	}
	return group("SignaturePolicyIdentifier", group("SignaturePolicyId",
		`<xades:SigPolicyId><xades:Identifier Qualifier="OIDAsURN">urn:oid:`+p.OID.String()+`</xades:Identifier></xades:SigPolicyId>`,
		group("SigPolicyHash", digestXML(p.Hash, p.Digest)),
		group("SigPolicyQualifiers", group("SigPolicyQualifier", element("SPURI", p.URI)))))
}

// stampXML writes a time-stamp (EN 319 132-1 §5.1.4.4) of that qualified name,
// with the implicit mechanism; attributes stand in its tag.
func stampXML(name, attributes string, token []byte) string {
	before, after := aroundStamp(name, attributes)
	return before + encode(token) + after
}

func aroundStamp(name, attributes string) (before, after string) {
	return "<" + name + attributes + ">" + methodOfXML(c14n.Exclusive) + "<xades:EncapsulatedTimeStamp>", "</xades:EncapsulatedTimeStamp></" + name + ">"
}

// objectXML writes the Object with the qualifying properties; unsigned is
// what goes into UnsignedSignatureProperties.
func (p *Prepared) objectXML(unsigned string) string {
	return `<ds:Object><xades:QualifyingProperties xmlns:xades="` + xadesNamespace + `" Target="#` + p.ID + `">` + p.Properties +
		group("UnsignedProperties", group("UnsignedSignatureProperties", unsigned)) + `</xades:QualifyingProperties></ds:Object>`
}
