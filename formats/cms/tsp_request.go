package cms

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"

	"sigillo/formats/der"
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
		if policy = der.OID(r.Policy); policy == nil {
			return nil, fail(BadOptions, "the policy is not an object identifier")
		}
	}
	if r.NonceRaw != nil {
		nonce = r.NonceRaw
	} else if r.Nonce != nil {
		nonce = der.BigInt(r.Nonce)
	}
	if r.CertReq {
		certReq = []byte{der.Boolean, 1, 0xff}
	}
	return der.TLV(der.Sequence, der.Int(1), imprint, policy, nonce, certReq), nil
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
	return der.TLV(der.Sequence, raw, der.TLV(der.Octets, digest)), nil
}

// ParseTimestampRequest is [ReadRequest] into a value of its own, which shares
// nothing with raw.
func ParseTimestampRequest(raw []byte) (*TimestampRequest, *Refusal) {
	v, refusal := ReadRequest(raw)
	if refusal != nil {
		return nil, refusal
	}
	r := &TimestampRequest{
		Hash: v.Hash, HashAlgorithmRaw: bytes.Clone(v.HashAlgorithm), Imprint: bytes.Clone(v.Imprint),
		NonceRaw: bytes.Clone(v.Nonce), CertReq: v.CertReq,
	}
	if v.Policy != nil {
		in := cryptobyte.String(v.Policy)
		if !in.ReadASN1ObjectIdentifier(&r.Policy) { // an arc of more than 31 bits
			return nil, refuse(UnacceptedPolicy, "the policy is not known; leave it out to get the default")
		}
	}
	if v.Nonce != nil {
		r.Nonce = new(big.Int)
		in := cryptobyte.String(v.Nonce)
		if !in.ReadASN1Integer(r.Nonce) { // cannot happen: ReadRequest has seen that it is DER
			return nil, refuse(BadDataFormat, "the nonce is not DER")
		}
	}
	return r, nil
}
