package attacks

import "regexp"

// open is a part of a form that the standards leave open to change.
type open struct {
	form   string
	part   *regexp.Regexp
	kind   *regexp.Regexp
	remark string // a code that the report must have then
	reason string
}

func re(s string) *regexp.Regexp { return regexp.MustCompile("^(?:" + s + ")$") }

var anything = re(".*")

// How the same values are written in BER, and in XML.
const (
	berWritten = `ASN\.1 (indefinite|length not minimal|in pieces|reversed|swapped|doubled|empty element after|number|retagged|zero before|length wrong|identifier .*|value)`
	xmlWritten = `XML (comment before|comment in the text|instruction in the text|namespace added|CDATA|character reference|prefix renamed|space before|space in the text|text changed|text cut)( of spaces)?`
)

// harmless are the changes that may pass, each with the reason.
var harmless = []open{
	{"CAdES", re(`certificates|crls`), anything, "", "certificates and lists of a message are hints (RFC 5652 §5.1): the signer is fixed by a signed digest, issuers and lists by their own signatures"},
	{"CAdES", re(`.*(stamp|archive) certificates`), anything, "", "so are those of a time-stamp"},
	{"CAdES", re(`.*(stamp|archive|counter|unsigned)`), re(`octets .*|ASN\.1 .*`), "", "an unsigned attribute that is none any more is less proof; version and list of digest algorithms of a time-stamp mean nothing"},
	{"CAdES", re(`digest algorithms|version|.*signer version|.*counter version`), anything, "", "they repeat what the signers say, and no standard lets them decide (RFC 5652 §5.1)"},
	{"CAdES", re(`.*`), re(berWritten), "", "the digest is over the content's octets and the DER of the signed attributes, whatever encoding they came in (RFC 5652 §5.4)"},
	{"CAdES", re(`.*signature algorithm|.*digest algorithm`), anything, "", "parameters that the algorithm does not have (RFC 5754 §2)"},
	{"CAdES", re(`signers?( .*)?`), re(`ASN\.1 (doubled|deleted|swapped)|graft.*`), "", "a signer or unsigned attribute that is missing, doubled or added is another signature over the same content, or less proof of this one"},
	{"CAdES", re(`file`), re(`ASN\.1 wrapped|ASN\.1 zero after|octets appended`), "", "padding after the message"},
	{"time-stamp", re(`certificates|digest algorithms|version|signer version`), anything, "", "as in CAdES"},
	{"time-stamp", re(`.*`), re(berWritten), "", "as in CAdES"},
	{"time-stamp", re(`file`), anything, "", "the status of a response is not signed; the token in it is"},
	{"time-stamp", re(`signer signature algorithm|signer`), anything, "", "as in CAdES"},

	{"XAdES", anything, re(xmlWritten), "", "the same in canonical form, or between the elements of a signature"},
	{"XAdES", re(`fattura`), re(`octets .*`), "", "white space in tags"},
	{"XAdES", re(`.*Signature`), re(`XML deleted`), "", "a parallel signature less"},
	{"XAdES", re(`file|fattura|internally-detached|Signature`), re(`XML (pro|epi)log|octets (ap|pre)pended`), "", "white space and comments around the document element have no place in the canonical form without comments"},
	{"XAdES", re(`.*(KeyInfo|CertificateValues|RevocationValues|TimeStampValidationData).*`), anything, "", "certificates and lists are hints: the signer is fixed by a signed digest, issuers and lists by their own signatures"},
	{"XAdES", re(`.*(SignatureTimeStamp|ArchiveTimeStamp|UnsignedProperties|UnsignedSignatureProperties|CounterSignature).*`), anything, "", "unsigned properties that no time-stamp is over: to take them away is to have less proof"},
	{"XAdES", re(`.*(SignatureValue|QualifyingProperties|SignedProperties|Signature/Object|Signature/SignedInfo|KeyInfo)`), re(`XML (attribute.*|second Id|swapped|text before)`), "", "attributes of elements that are not signed, and text in lists of certificates and the like, mean nothing"},
	{"XAdES", re(`.*SignatureValue`), anything, "", "white space and unused bits of base64"},
	{"XAdES", anything, re(`XML (copied|moved|swapped)|graft.*|XML wrapping, forged in the unsigned properties`), "", "into unsigned properties, where it means nothing; or a genuine signature of the same document"},

	{"JAdES", anything, re(`JSON (space|swapped|renamed \\u.*|text|renamed|renamed )|octets (ap|pre)pended`), "", "other spellings of the same JSON strings, order of members, white space (RFC 8259)"},
	{"JAdES", anything, re(`JSON (unprotected .*|other type)`), "", "members that are not understood must be ignored (RFC 7515 §7.2.1)"},
	{"JAdES", re(`(signatures\[\]/)?header.*`), anything, "", "the unprotected header: to take its members away is to have less proof"},
	{"JAdES", re(`signatures(\[\])?`), anything, "", "a signature that is missing, doubled, or a genuine one of the same document"},
	{"JAdES", anything, re(`graft.*|JSON serialised otherwise`), "", "a genuine signature of the same document, or the same in another serialisation"},

	{"ASiC", re(`lettera\.txt|allegati/nota\.txt`), re(`ZIP (name like another|file added)`), "uncovered-meta", "a file in META-INF that means nothing here and is remarked"},
	{"ASiC", re(`lettera\.txt|allegati/nota\.txt`), re(`octets flipped`), "", "bits after the end of packed data"},
	{"ASiC", re(`META-INF.*`), re(`graft.*|ZIP .*`), "", "a genuine signature of the same documents, a signature less, or a file that means nothing here and is remarked"},
	{"ASiC", anything, re(`ZIP (comment.*|attributes|flags|extra|method|swapped|written anew|renamed.*)|graft.*`), "", "what a ZIP file says of times, attributes and order is no part of the documents"},
	{"ASiC", re(`header of .*|directory`), re(`octets .*`), "", "times, attributes and versions in a ZIP file"},
	{"ASiC", re(`a file in META-INF|container|mimetype`), anything, "", "a file that means nothing here and is remarked; the media type is for those who guess types"},
	{"ASiC", re(`META-INF/manifest\.xml.*`), anything, "", "the list of OpenDocument is not signed"},
	{"ASiC", re(`META-INF/[^:]*\.(p7s|tst)(: .*)?`), anything, "", "inside of a signature file: as in CAdES, which is tested apart"},
	{"ASiC", re(`META-INF/[^:]*signatures[^:]*\.xml(: .*)?`), anything, "", "inside of a signature file: as in XAdES, which is tested apart"},

	{"PAdES", re(`ETSI\.\S+: .*`), anything, "", "inside of the CMS message: as in CAdES, which is tested apart"},
	{"PAdES", re(`value of .*`), anything, "", "the case of hexadecimal digits, and the same"},
	{"PAdES", re(`field Tx|appearance of a field`), anything, "added-form-", "fields may be filled in after a signature that does not forbid it, and the report says so (ISO 32000-2 §12.8.2.2)"},
	{"PAdES", re(`object that nothing leads to|XRef|ObjStm|/Info|nothing but a section`), anything, "", "an object that nothing in the document leads to shows nothing"},
	{"PAdES", re(`DSS|field Sig|signature.*|Page|form|catalog|Annot|\*pdf\.Stream|pdf\..*|Catalog|Metadata`), re(`PDF .*`), "", "evidence, or a time-stamp that was added later: to take it away is to have less proof"},
	{"PAdES", re(`after the last signature|revision \d+|file`), re(`octets .*|PDF cut.*`), "", "an end of line, evidence that no signature is over, or an earlier revision as it was signed"},
	{"PAdES", re(`white space|a comment|octets`), re(`PDF tail`), "", "an end of line"},
	{"PAdES, annotations permitted", re(`Annot|Page`), anything, "added-annotation", "the certification permits annotations, and the report says so (ISO 32000-2 table 257)"},
}

func init() { // a certified document is a document
	for _, h := range harmless {
		if h.form == "PAdES" {
			h.form = "PAdES, annotations permitted"
			harmless = append(harmless, h)
		}
	}
}
