package cms

import (
	"crypto"
	_ "crypto/sha1" // old signatures are verified, and reported as weak
	_ "crypto/sha256"
	_ "crypto/sha3"
	_ "crypto/sha512"
	"encoding/asn1"
)

// Object identifiers of RFC 5652, RFC 5035, RFC 3161 and EN 319 122-1.
var (
	OIDData       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	OIDSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	OIDTSTInfo    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}

	OIDContentType          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	OIDMessageDigest        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	OIDSigningTime          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	OIDSigningCertificate   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	OIDSigningCertificateV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	OIDSignatureTimeStamp   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 14}
	OIDCounterSignature     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 6}
	OIDContentTimeStamp     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 20}
	OIDArchiveTimeStampV3   = asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 4}

	OIDCommitmentType    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 16}
	OIDSignerLocation    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 17}
	OIDSignaturePolicy   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 15}
	OIDSignerAttributes  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 18} // before EN 319 122-1
	OIDSignerAttributeV2 = asn1.ObjectIdentifier{0, 4, 0, 19122, 1, 1}
	OIDMIMEType          = asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 1}

	// Attributes of the extended forms that the baseline profiles leave out
	// (EN 319 122-1 Annex A).
	OIDCertificateValues     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 23}
	OIDRevocationValues      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 24}
	OIDCertificateReferences = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 21}
	OIDRevocationReferences  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 22}
	OIDCompleteTimeStamp     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 25} // CAdES-C-timestamp
	OIDReferencesTimeStamp   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 26}
	OIDArchiveTimeStamp      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 27}
	OIDArchiveTimeStampV2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 48}

	OIDTimeStamping = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
)

var (
	oidRSA       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidPSS       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidEd25519   = asn1.ObjectIdentifier{1, 3, 101, 112}
	oidRole      = asn1.ObjectIdentifier{2, 5, 4, 72}
	oidPolicyURI = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 5, 1}

	oidHashIndexV1 = asn1.ObjectIdentifier{0, 4, 0, 1733, 2, 5}
	oidHashIndexV2 = asn1.ObjectIdentifier{0, 4, 0, 19122, 1, 4}
	oidHashIndexV3 = asn1.ObjectIdentifier{0, 4, 0, 19122, 1, 5}

	oidOCSPResponse = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 16, 2}
	oidBasicOCSP    = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}

	oidExtKeyUse = asn1.ObjectIdentifier{2, 5, 29, 37}
)

// hashInfo is one row of the table of digests: its own identifier and those of
// the signature algorithms that name it (RFC 5754, RFC 5758, RFC 8017).
type hashInfo struct {
	hash       crypto.Hash
	oid        asn1.ObjectIdentifier
	rsa, ecdsa asn1.ObjectIdentifier
}

var hashTable = []hashInfo{
	{crypto.SHA256, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}},
	{crypto.SHA384, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 2}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 12}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 3}},
	{crypto.SHA512, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 3}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 13}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 4}},
	{crypto.SHA224, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 4}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 14}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 1}},
	{crypto.SHA3_256, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 8}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 14}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 10}},
	{crypto.SHA3_384, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 9}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 15}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 11}},
	{crypto.SHA3_512, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 10}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 16}, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 12}},
	{crypto.SHA1, asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}, asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 5}, asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 1}},
}

// HashOID gives the object identifier of a digest algorithm, nil if unknown.
func HashOID(h crypto.Hash) asn1.ObjectIdentifier {
	for _, i := range hashTable {
		if i.hash == h {
			return i.oid
		}
	}
	return nil
}

// HashByOID gives the digest algorithm of an object identifier, 0 if unknown.
func HashByOID(oid asn1.ObjectIdentifier) crypto.Hash {
	for _, i := range hashTable {
		if i.oid.Equal(oid) {
			return i.hash
		}
	}
	return 0
}

// HashByName gives the digest algorithm of a name as crypto.Hash spells it
// ("SHA-256"), 0 if unknown.
func HashByName(name string) crypto.Hash {
	for _, i := range hashTable {
		if i.hash.String() == name {
			return i.hash
		}
	}
	return 0
}

// strong reports whether h is accepted as the digest of a signature: 128 bits of
// collision resistance or more (ETSI TS 119 312).
func strong(h crypto.Hash) bool {
	return h != 0 && h != crypto.SHA1 && h != crypto.SHA224 && h.Available()
}

func digestOf(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}
