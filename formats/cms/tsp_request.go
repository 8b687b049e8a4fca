package cms

import (
	"crypto"
	"encoding/asn1"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// MaxRequestSize is the largest TimeStampReq in octets that is looked at.
const MaxRequestSize = 16 << 10

// TimestampRequest is a TimeStampReq (RFC 3161 §2.4.1). The raw fields are as the
// requester wrote them, to be given back unchanged.
type TimestampRequest struct {
	Hash             crypto.Hash
	HashAlgorithmRaw []byte // AlgorithmIdentifier, DER; nil: written without parameters
	Imprint          []byte
	Policy           asn1.ObjectIdentifier // nil: the authority chooses
	Nonce            *big.Int              // nil: none
	NonceRaw         []byte                // INTEGER, DER
	CertReq          bool
}

// FailureInfo is a PKIFailureInfo bit of RFC 3161 §2.4.2.
type FailureInfo int

// The reasons for which a time-stamp is refused.
const (
	BadAlg              FailureInfo = 0
	BadRequest          FailureInfo = 2
	BadDataFormat       FailureInfo = 5
	TimeNotAvailable    FailureInfo = 14
	UnacceptedPolicy    FailureInfo = 15
	UnacceptedExtension FailureInfo = 16
	AddInfoNotAvailable FailureInfo = 17
	SystemFailure       FailureInfo = 25
)

func (f FailureInfo) String() string {
	switch f {
	case BadAlg:
		return "badAlg"
	case BadRequest:
		return "badRequest"
	case BadDataFormat:
		return "badDataFormat"
	case TimeNotAvailable:
		return "timeNotAvailable"
	case UnacceptedPolicy:
		return "unacceptedPolicy"
	case UnacceptedExtension:
		return "unacceptedExtension"
	case AddInfoNotAvailable:
		return "addInfoNotAvailable"
	case SystemFailure:
		return "systemFailure"
	}
	return fmt.Sprintf("failure %d", int(f))
}

// Refusal is why a request gets no time-stamp.
type Refusal struct {
	FailureInfo FailureInfo
	Text        string
}

func (r *Refusal) Error() string {
	return "time-stamp refused (" + r.FailureInfo.String() + "): " + r.Text
}

func refuse(f FailureInfo, format string, a ...any) *Refusal {
	return &Refusal{f, fmt.Sprintf(format, a...)}
}

// Marshal gives the request in DER.
func (r *TimestampRequest) Marshal() ([]byte, error) {
	imprint, err := messageImprint(r.Hash, r.HashAlgorithmRaw, r.Imprint)
	if err != nil {
		return nil, err
	}
	var policy, nonce, certReq []byte
	if len(r.Policy) > 0 {
		if policy = derOID(r.Policy); policy == nil {
			return nil, fail(BadOptions, "the policy is not an object identifier")
		}
	}
	if r.NonceRaw != nil {
		nonce = r.NonceRaw
	} else if r.Nonce != nil {
		nonce = derInt(r.Nonce)
	}
	if r.CertReq {
		certReq = []byte{tagBoolean, 1, 0xff}
	}
	return tlv(tagSequence, derSmall(1), imprint, policy, nonce, certReq), nil
}

// MarshalTimestampRequest gives a TimeStampReq in DER for a digest. nonce may be
// nil; certReq asks for the authority's certificates in the token.
func MarshalTimestampRequest(h crypto.Hash, digest []byte, nonce *big.Int, certReq bool) ([]byte, error) {
	return (&TimestampRequest{Hash: h, Imprint: digest, Nonce: nonce, CertReq: certReq}).Marshal()
}

func messageImprint(h crypto.Hash, raw, digest []byte) ([]byte, error) {
	oid := HashOID(h)
	if oid == nil || len(digest) != h.Size() {
		return nil, fail(BadOptions, "the imprint must be a digest of a known algorithm, of its length")
	}
	if raw == nil {
		raw = algorithm(oid, nil)
	}
	return tlv(tagSequence, raw, tlv(tagOctets, digest)), nil
}

// ParseTimestampRequest reads a TimeStampReq as strictly as RFC 3161 §2.4.1 puts
// it: DER only, version 1, every field in its place and nothing after the last,
// an imprint of the length of its algorithm. What the authority itself may accept
// or not (algorithms, policies) is for the caller; only unknown digest algorithms
// are refused here, and all extensions, since none is known (§2.4.1: critical or
// not).
func ParseTimestampRequest(der []byte) (*TimestampRequest, *Refusal) {
	if len(der) > MaxRequestSize {
		return nil, refuse(BadDataFormat, "the request is larger than %d bytes", MaxRequestSize)
	}
	in := cryptobyte.String(der)
	var body cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, refuse(BadDataFormat, "the request is not a DER TimeStampReq")
	}
	version := new(big.Int)
	if !body.ReadASN1Integer(version) {
		return nil, refuse(BadDataFormat, "the version is missing or not DER")
	}
	if !version.IsInt64() || version.Int64() != 1 {
		return nil, refuse(BadRequest, "the version is not 1")
	}
	r := &TimestampRequest{}
	if refusal := r.parseImprint(&body); refusal != nil {
		return nil, refusal
	}
	if refusal := r.parseOptions(&body); refusal != nil {
		return nil, refusal
	}
	return r, nil
}

func (r *TimestampRequest) parseImprint(body *cryptobyte.String) *Refusal {
	var imprint, alg, algBody, digest cryptobyte.String
	if !body.ReadASN1(&imprint, cbasn1.SEQUENCE) ||
		!imprint.ReadASN1Element(&alg, cbasn1.SEQUENCE) ||
		!imprint.ReadASN1(&digest, cbasn1.OCTET_STRING) || !imprint.Empty() {
		return refuse(BadDataFormat, "the message imprint is not DER")
	}
	r.HashAlgorithmRaw = append([]byte(nil), alg...)
	r.Imprint = append([]byte(nil), digest...)
	if !alg.ReadASN1(&algBody, cbasn1.SEQUENCE) {
		return refuse(BadDataFormat, "the digest algorithm is not DER")
	}
	var oid asn1.ObjectIdentifier
	if !algBody.ReadASN1ObjectIdentifier(&oid) {
		return refuse(BadDataFormat, "the digest algorithm is not DER")
	}
	if !algBody.Empty() {
		var params cryptobyte.String
		var tag cbasn1.Tag
		if !algBody.ReadAnyASN1(&params, &tag) || !algBody.Empty() {
			return refuse(BadDataFormat, "the digest algorithm is not DER")
		}
		if tag != cbasn1.NULL || !params.Empty() {
			return refuse(BadAlg, "the digest algorithm has parameters")
		}
	}
	if r.Hash = HashByOID(oid); r.Hash == 0 {
		return refuse(BadAlg, "digest algorithm %v is not known", oid)
	}
	if len(r.Imprint) != r.Hash.Size() {
		return refuse(BadDataFormat, "the imprint has %d bytes; %v has %d", len(r.Imprint), r.Hash, r.Hash.Size())
	}
	return nil
}

func (r *TimestampRequest) parseOptions(body *cryptobyte.String) *Refusal {
	if body.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) && !body.ReadASN1ObjectIdentifier(&r.Policy) {
		return refuse(BadDataFormat, "the policy is not DER")
	}
	if body.PeekASN1Tag(cbasn1.INTEGER) {
		var raw cryptobyte.String
		r.Nonce = new(big.Int)
		if !body.ReadASN1Element(&raw, cbasn1.INTEGER) {
			return refuse(BadDataFormat, "the nonce is not DER")
		}
		r.NonceRaw = append([]byte(nil), raw...)
		if !raw.ReadASN1Integer(r.Nonce) {
			return refuse(BadDataFormat, "the nonce is not DER")
		}
	}
	if body.PeekASN1Tag(cbasn1.BOOLEAN) {
		if !body.ReadASN1Boolean(&r.CertReq) || !r.CertReq { // DER does not write a default value
			return refuse(BadDataFormat, "certReq is not DER")
		}
	}
	if tag := cbasn1.Tag(0).ContextSpecific().Constructed(); body.PeekASN1Tag(tag) {
		return refuseExtensions(body, tag)
	}
	if !body.Empty() {
		return refuse(BadDataFormat, "the request has a field that is unknown or out of place")
	}
	return nil
}

// refuseExtensions tells a broken list of extensions from a well-formed one; both
// are refused.
func refuseExtensions(body *cryptobyte.String, tag cbasn1.Tag) *Refusal {
	broken := refuse(BadDataFormat, "the extensions are not DER")
	var list cryptobyte.String
	if !body.ReadASN1(&list, tag) || !body.Empty() || list.Empty() {
		return broken
	}
	var first asn1.ObjectIdentifier
	for !list.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		critical := true
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) {
			return broken
		}
		if ext.PeekASN1Tag(cbasn1.BOOLEAN) && (!ext.ReadASN1Boolean(&critical) || !critical) {
			return broken
		}
		if !ext.ReadASN1(&value, cbasn1.OCTET_STRING) || !ext.Empty() {
			return broken
		}
		if first == nil {
			first = oid
		}
	}
	return refuse(UnacceptedExtension, "extension %v is not supported", first)
}
