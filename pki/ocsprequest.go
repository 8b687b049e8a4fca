package pki

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of an OCSP request.
const (
	maxOCSPRequest = 16 << 10 // bytes; a signed request carries certificates
	maxOCSPIDs     = 32
	maxOCSPNonce   = 128 // RFC 9654 §2.1
)

var errOCSP = errors.New("not an OCSP request")

// ocspRequest is what counts of an OCSPRequest.
type ocspRequest struct {
	ids   []certID
	nonce []byte // content of the extension's OCTET STRING, nil if there is none
}

// certID is CertID, RFC 6960 §4.1.1.
type certID struct {
	raw               []byte // the whole CertID, as the answer must repeat it
	hash              crypto.Hash
	nameHash, keyHash []byte
	serial            *big.Int
}

// parseOCSPRequest reads an OCSPRequest (RFC 6960 §4.1.1) in strict DER. The
// requestor's name and signature are not asked for, and not looked into.
// Critical extensions other than the nonce are refused.
func parseOCSPRequest(der []byte) (*ocspRequest, error) {
	var outer, tbs cryptobyte.String
	in := cryptobyte.String(der)
	if len(der) > maxOCSPRequest || !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() ||
		!outer.ReadASN1(&tbs, cbasn1.SEQUENCE) ||
		!outer.SkipOptionalASN1(contextTag(0)) || !outer.Empty() { // optionalSignature
		return nil, errOCSP
	}
	var list, extensions cryptobyte.String
	var more bool
	// A version, if given, could only be v1, and DER leaves defaults out.
	if !tbs.SkipOptionalASN1(contextTag(1)) || !tbs.ReadASN1(&list, cbasn1.SEQUENCE) ||
		!tbs.ReadOptionalASN1(&extensions, &more, contextTag(2)) || !tbs.Empty() || list.Empty() {
		return nil, errOCSP
	}
	req := &ocspRequest{}
	for !list.Empty() {
		id, err := parseSingle(&list)
		if err != nil {
			return nil, err
		}
		if req.ids = append(req.ids, id); len(req.ids) > maxOCSPIDs {
			return nil, errOCSP
		}
	}
	if !more {
		return req, nil
	}
	var err error
	req.nonce, err = parseOCSPExtensions(extensions)
	return req, err
}

func contextTag(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

// parseSingle reads a Request.
func parseSingle(list *cryptobyte.String) (certID, error) {
	var single, extensions cryptobyte.String
	var more bool
	if !list.ReadASN1(&single, cbasn1.SEQUENCE) {
		return certID{}, errOCSP
	}
	id, err := parseCertID(&single)
	if err != nil {
		return certID{}, err
	}
	if !single.ReadOptionalASN1(&extensions, &more, contextTag(0)) || !single.Empty() {
		return certID{}, errOCSP
	}
	if more {
		if _, err := parseOCSPExtensions(extensions); err != nil {
			return certID{}, err
		}
	}
	return id, nil
}

// ocspHashes are the digests a CertID may be made with. SHA-1 is what almost
// every client sends (RFC 5019 §2.1.1 even asks for it).
var ocspHashes = map[string]crypto.Hash{
	"1.3.14.3.2.26":          crypto.SHA1,
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

func parseCertID(in *cryptobyte.String) (certID, error) {
	var element, whole, algorithm, nameHash, keyHash cryptobyte.String
	if !in.ReadASN1Element(&element, cbasn1.SEQUENCE) {
		return certID{}, errOCSP
	}
	id := certID{raw: element, serial: new(big.Int)}
	var oid asn1.ObjectIdentifier
	var null cryptobyte.String
	var hasNull bool
	if !element.ReadASN1(&whole, cbasn1.SEQUENCE) || !whole.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!algorithm.ReadASN1ObjectIdentifier(&oid) || !algorithm.ReadOptionalASN1(&null, &hasNull, cbasn1.NULL) ||
		!null.Empty() || !algorithm.Empty() ||
		!whole.ReadASN1(&nameHash, cbasn1.OCTET_STRING) || !whole.ReadASN1(&keyHash, cbasn1.OCTET_STRING) ||
		!whole.ReadASN1Integer(id.serial) || !whole.Empty() {
		return certID{}, errOCSP
	}
	var known bool
	if id.hash, known = ocspHashes[oid.String()]; !known {
		return certID{}, errOCSP
	}
	size := id.hash.Size()
	if len(nameHash) != size || len(keyHash) != size || id.serial.Sign() < 0 || id.serial.BitLen() > 20*8 {
		return certID{}, errOCSP
	}
	id.nameHash, id.keyHash = nameHash, keyHash
	return id, nil
}

// parseOCSPExtensions reads Extensions and returns the nonce. Each OID may occur
// once (RFC 5280 §4.2).
func parseOCSPExtensions(in cryptobyte.String) (nonce []byte, err error) {
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !in.Empty() || list.Empty() {
		return nil, errOCSP
	}
	seen := map[string]bool{}
	for !list.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		critical := false
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) {
			return nil, errOCSP
		}
		if ext.PeekASN1Tag(cbasn1.BOOLEAN) && !ext.ReadASN1Boolean(&critical) {
			return nil, errOCSP
		}
		if !ext.ReadASN1(&value, cbasn1.OCTET_STRING) || !ext.Empty() || seen[oid.String()] {
			return nil, errOCSP
		}
		seen[oid.String()] = true
		switch {
		case oid.Equal(oidOCSPNonce):
			if nonce, err = parseNonce(value); err != nil {
				return nil, err
			}
		case critical:
			return nil, errOCSP
		}
	}
	return nonce, nil
}

// parseNonce checks that the nonce is an OCTET STRING of 1 to 128 bytes (RFC
// 9654 §2.1) and returns it as it is encoded, to be echoed.
func parseNonce(value cryptobyte.String) ([]byte, error) {
	var nonce cryptobyte.String
	whole := []byte(value)
	if !value.ReadASN1(&nonce, cbasn1.OCTET_STRING) || !value.Empty() || len(nonce) < 1 || len(nonce) > maxOCSPNonce {
		return nil, errOCSP
	}
	return whole, nil
}
