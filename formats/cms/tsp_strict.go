package cms

import (
	"bytes"
	"crypto"
	"encoding/asn1"

	"golang.org/x/crypto/cryptobyte"

	"sigillo/formats/der"
)

// MaxNonce is the longest nonce that is accepted, in octets of its value. The
// protocol sets no limit, and what is echoed is signed: a nonce without one is a
// place to put data of the requester's choice. Clients send 8 to 32 octets, some on
// Windows up to 64 and more than was asked of them.
const MaxNonce = 128

// RequestView is a TimeStampReq as it lies in the octets of the requester: all
// slices are parts of them, to be given back unchanged.
type RequestView struct {
	Hash          crypto.Hash // of the imprint; one that this package knows, also old ones
	HashAlgorithm []byte      // AlgorithmIdentifier; parameters absent or NULL
	Imprint       []byte      // the digest, of the length of Hash
	// MessageImprint is the SEQUENCE of the two, as the token repeats it.
	MessageImprint []byte
	Policy         []byte // OBJECT IDENTIFIER; nil: the authority chooses
	Nonce          []byte // INTEGER; nil: none
	CertReq        bool
}

// ReadRequest reads a TimeStampReq as strictly as RFC 3161 §2.4.1 puts it: DER
// only, version 1, every field in its place and nothing after the last, an imprint
// of the length of its algorithm. What the authority itself may accept or not
// (algorithms, policies) is for the caller; only unknown digest algorithms are
// refused here, and all extensions, since none is known (§2.4.1: critical or not).
//
// A nonce may be negative: it is an INTEGER, and clients that fill it with random
// octets send such.
func ReadRequest(raw []byte) (RequestView, *Refusal) {
	var r RequestView
	if len(raw) > MaxRequestSize {
		return RequestView{}, refuse(BadDataFormat, "the request is larger than %d bytes", MaxRequestSize)
	}
	in := strict(raw)
	_, content, ok := in.take(der.Sequence)
	if !ok || len(in) > 0 {
		return RequestView{}, refuse(BadDataFormat, "the request is not a DER TimeStampReq")
	}
	body := strict(content)
	_, version, ok := body.take(der.Integer)
	if !ok || !shortestInteger(version) {
		return RequestView{}, refuse(BadDataFormat, "the version is missing or not DER")
	}
	if len(version) != 1 || version[0] != 1 {
		return RequestView{}, refuse(BadRequest, "the version is not 1")
	}
	if refusal := r.readImprint(&body); refusal != nil {
		return RequestView{}, refusal
	}
	if refusal := r.readOptions(&body); refusal != nil {
		return RequestView{}, refusal
	}
	return r, nil
}

func (r *RequestView) readImprint(body *strict) *Refusal {
	whole, content, ok := body.take(der.Sequence)
	r.MessageImprint = whole
	imprint := strict(content)
	whole, algorithm, isAlgorithm := imprint.take(der.Sequence)
	_, digest, isDigest := imprint.take(der.Octets)
	if !ok || !isAlgorithm || !isDigest || len(imprint) > 0 {
		return refuse(BadDataFormat, "the message imprint is not DER")
	}
	r.HashAlgorithm, r.Imprint = whole, digest
	fields := strict(algorithm)
	oid, ok := fields.takeOID()
	if !ok {
		return refuse(BadDataFormat, "the digest algorithm is not DER")
	}
	if len(fields) > 0 {
		tag := fields[0]
		_, params, ok := fields.take(tag)
		if !ok || len(fields) > 0 || tag == der.Null && len(params) > 0 {
			return refuse(BadDataFormat, "the digest algorithm is not DER")
		}
		if tag != der.Null {
			return refuse(BadAlg, "the digest algorithm has parameters; leave them out or send NULL")
		}
	}
	if r.Hash = hashByElement(oid); r.Hash == 0 {
		return refuse(BadAlg, "the digest algorithm %sis not known; use SHA-256", dotted(oid))
	}
	if len(digest) != r.Hash.Size() {
		return refuse(BadDataFormat, "the imprint has %d bytes; %v has %d", len(digest), r.Hash, r.Hash.Size())
	}
	return nil
}

func (r *RequestView) readOptions(body *strict) *Refusal {
	var ok bool
	if body.at(der.ObjectIdentifier) {
		if r.Policy, ok = body.takeOID(); !ok {
			return refuse(BadDataFormat, "the policy is not DER")
		}
	}
	if body.at(der.Integer) {
		var value []byte
		if r.Nonce, value, ok = body.take(der.Integer); !ok || !shortestInteger(value) {
			return refuse(BadDataFormat, "the nonce is not DER")
		}
		if len(value) > MaxNonce {
			return refuse(BadRequest, "the nonce has more than %d bytes", MaxNonce)
		}
	}
	if body.at(der.Boolean) {
		// DER writes no default value, and TRUE in one way (X.690 §11.1, §11.5).
		if !body.takeTrue() {
			return refuse(BadDataFormat, "certReq is not DER: it is TRUE or left out")
		}
		r.CertReq = true
	}
	if body.at(der.Context0Con) {
		return refuseExtensions(body)
	}
	if len(*body) > 0 {
		return refuse(BadDataFormat, "the request has a field that is unknown or out of place")
	}
	return nil
}

// refuseExtensions tells a broken list of extensions from a well-formed one; both
// are refused.
func refuseExtensions(body *strict) *Refusal {
	broken := refuse(BadDataFormat, "the extensions are not DER")
	_, content, ok := body.take(der.Context0Con)
	if !ok || len(*body) > 0 || len(content) == 0 {
		return broken
	}
	var first []byte
	for list := strict(content); len(list) > 0; {
		_, content, ok := list.take(der.Sequence)
		if !ok {
			return broken
		}
		ext := strict(content)
		oid, ok := ext.takeOID()
		if !ok || ext.at(der.Boolean) && !ext.takeTrue() {
			return broken
		}
		if _, _, ok := ext.take(der.Octets); !ok || len(ext) > 0 {
			return broken
		}
		if first == nil {
			first = oid
		}
	}
	return refuse(UnacceptedExtension, "extension %sis not supported; send the request without extensions", dotted(first))
}

// strict is DER that is still to be read: what [next] accepts of BER it does not,
// and it is made for speed.
type strict []byte

// at reports whether the next element has this tag.
func (s strict) at(tag byte) bool { return len(s) > 0 && s[0] == tag }

// take reads an element of this tag: a length in its shortest form that the input
// holds (X.690 §10.1). Tags of more than one octet are not known here. After a
// failure s is not to be used.
func (s *strict) take(tag byte) (whole, contents []byte, ok bool) {
	b := *s
	if len(b) < 2 || b[0] != tag || tag&0x1f == 0x1f {
		return nil, nil, false
	}
	head, n := 2, int(b[1])
	if n >= 0x80 {
		octets := n & 0x7f
		if octets < 1 || octets > 3 || len(b) < 2+octets || b[2] == 0 {
			return nil, nil, false
		}
		n = 0
		for _, c := range b[2 : 2+octets] {
			n = n<<8 | int(c)
		}
		if head += octets; n < 0x80 {
			return nil, nil, false
		}
	}
	if n > len(b)-head {
		return nil, nil, false
	}
	*s = b[head+n:]
	return b[: head+n : head+n], b[head : head+n : head+n], true
}

func (s *strict) takeTrue() bool {
	_, b, ok := s.take(der.Boolean)
	return ok && len(b) == 1 && b[0] == 0xff
}

// takeOID reads an OBJECT IDENTIFIER: no arc cut off, none with leading zeros
// (X.690 §8.19.2). How large an arc is does not matter.
func (s *strict) takeOID() (whole []byte, ok bool) {
	whole, b, ok := s.take(der.ObjectIdentifier)
	if !ok || len(b) == 0 || b[len(b)-1]&0x80 != 0 {
		return nil, false
	}
	start := true
	for _, c := range b {
		if start && c == 0x80 {
			return nil, false
		}
		start = c&0x80 == 0
	}
	return whole, true
}

// shortestInteger reports whether these are the contents of an INTEGER in DER: at
// least one octet, and the first nine bits not all alike (X.690 §8.3.2).
func shortestInteger(b []byte) bool {
	if len(b) < 2 {
		return len(b) == 1
	}
	return !(b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80)
}

// dotted gives an identifier and a space, or nothing if it is too odd to be named.
func dotted(element []byte) string {
	var oid asn1.ObjectIdentifier
	in := cryptobyte.String(element)
	if len(element) > 40 || !in.ReadASN1ObjectIdentifier(&oid) {
		return ""
	}
	return oid.String() + " "
}

// hashElements are the identifiers of the digest algorithms as they are written.
var hashElements = func() [][]byte {
	out := make([][]byte, len(hashTable))
	for i, row := range hashTable {
		out[i] = der.OID(row.oid)
	}
	return out
}()

// hashByElement is [HashByOID] for an identifier as it is written.
func hashByElement(oid []byte) crypto.Hash {
	for i, e := range hashElements {
		if bytes.Equal(e, oid) {
			return hashTable[i].hash
		}
	}
	return 0
}
