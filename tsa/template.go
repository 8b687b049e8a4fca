package tsa

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"math/big"
	"math/bits"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/cms"
)

// template writes the tokens of one unit under one policy. All that is the same in
// every token is encoded once, by the general way of package cms; what changes is
// the imprint and the nonce, which are the requester's octets, the serial number,
// the time, one digest and the signature value. The tokens are the same as those
// that package cms makes, octet for octet.
//
// It is used in three steps, since what is signed comes before what is around it:
// [template.fill], the signature over [scratch.input], [template.token].
type template struct {
	algorithm cms.Algorithm
	options   crypto.SignerOpts

	infoHead []byte // of the TSTInfo: version, policy
	accuracy []byte // what follows genTime
	infoTail []byte // what follows the nonce: tsa, extensions

	attributes []byte // SET OF Attribute, in the order of DER (X.690 §11.6)
	digestAt   int    // where the digest of the TSTInfo stands in it

	dataHead           []byte // of the SignedData: version, digestAlgorithms
	certificates       []byte // [0], or empty
	signerHead         []byte // of the SignerInfo: version, sid, digestAlgorithm
	signatureAlgorithm []byte
}

var (
	elementSignedData = element(cms.OIDSignedData)
	elementTSTInfo    = element(cms.OIDTSTInfo)
)

const (
	tagInteger     = 0x02
	tagOctets      = 0x04
	tagTime        = 0x18
	tagSequence    = 0x30
	tagSet         = 0x31
	tagContext0Con = 0xa0
)

// element encodes an identifier; nil when it is not one.
func element(oid asn1.ObjectIdentifier) []byte {
	b, err := asn1.Marshal(oid)
	if err != nil {
		return nil
	}
	return b
}

// newTemplate makes a token by the general way and takes it apart.
func newTemplate(p Policy, tsa []byte, o cms.SignerOptions) (*template, error) {
	sample := cms.TSTInfo{
		Policy: p.OID, Hash: crypto.SHA256, Imprint: make([]byte, sha256.Size), SerialNumber: big.NewInt(1),
		GenTime: time.Unix(0, 0), Accuracy: p.Accuracy, TSA: tsa, Qualified: p.Qualified,
	}
	prepared, err := cms.PrepareToken(&sample, o)
	if err != nil {
		return nil, err
	}
	t := &template{
		algorithm: prepared.Algorithm(), attributes: prepared.SignedAttributes,
		digestAt: bytes.Index(prepared.SignedAttributes, prepared.ContentDigest),
	}
	t.options = t.algorithm.SignerOpts()
	if t.signatureAlgorithm, err = t.algorithm.Identifier(); err != nil {
		return nil, err
	}
	if !t.takeInfo(prepared.Content) || t.digestAt < 0 || t.digest(new([64]byte), nil) == nil {
		return nil, fail(BadConfig, nil, "no token can be made with this configuration")
	}
	digestAlgorithm := wrapped(tagSequence, element(cms.HashOID(t.algorithm.Hash)))
	t.dataHead = append([]byte{tagInteger, 1, 3}, wrapped(tagSet, digestAlgorithm)...)
	t.certificates = wrapped(tagContext0Con, prepared.Certificates...)
	t.signerHead = slices.Concat([]byte{tagInteger, 1, 1}, prepared.SignerIdentifier, digestAlgorithm)
	return t, nil
}

// takeInfo cuts a TSTInfo without a nonce.
func (t *template) takeInfo(info []byte) bool {
	in := cryptobyte.String(info)
	var body, head, accuracy cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) {
		return false
	}
	head = body
	for _, tag := range []cbasn1.Tag{cbasn1.INTEGER, cbasn1.OBJECT_IDENTIFIER} {
		if !body.SkipASN1(tag) {
			return false
		}
	}
	t.infoHead = slices.Clone(head[:len(head)-len(body)])
	for _, tag := range []cbasn1.Tag{cbasn1.SEQUENCE, cbasn1.INTEGER, cbasn1.GeneralizedTime} {
		if !body.SkipASN1(tag) {
			return false
		}
	}
	if !body.ReadASN1Element(&accuracy, cbasn1.SEQUENCE) {
		return false
	}
	t.accuracy, t.infoTail = slices.Clone(accuracy), slices.Clone(body)
	return true
}

// scratch is the room in which one token is made.
type scratch struct {
	info       []byte   // TSTInfo
	attributes []byte   // SET OF Attribute
	sum        [64]byte // digest of the attributes
	input      []byte   // what the key signs: sum, or the attributes for Ed25519
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// fill writes the TSTInfo (RFC 3161 §2.4.2) and what is to be signed about it (RFC
// 5652 §5.4).
func (t *template) fill(s *scratch, r *cms.RequestView, serial int64, at time.Time) {
	s.info = t.appendInfo(s.info[:0], r, serial, at)
	s.attributes = append(s.attributes[:0], t.attributes...)
	copy(s.attributes[t.digestAt:], t.digest(&s.sum, s.info))
	if t.algorithm.Scheme == cms.Ed25519 {
		s.input = s.attributes
		return
	}
	s.input = t.digest(&s.sum, s.attributes)
}

// digest is the digest of the content and of the attributes, nil if there is none.
func (t *template) digest(sum *[64]byte, b []byte) []byte {
	switch t.algorithm.Hash {
	case crypto.SHA256:
		*(*[32]byte)(sum[:]) = sha256.Sum256(b)
	case crypto.SHA384:
		*(*[48]byte)(sum[:]) = sha512.Sum384(b)
	case crypto.SHA512:
		*sum = sha512.Sum512(b)
	default:
		return nil
	}
	return sum[:t.algorithm.Hash.Size()]
}

func (t *template) appendInfo(dst []byte, r *cms.RequestView, serial int64, at time.Time) []byte {
	var number [9]byte
	var genTime [19]byte
	serialBytes := appendInteger(number[:0], serial)
	timeBytes := appendTime(genTime[:0], at)
	n := len(t.infoHead) + len(r.MessageImprint) + 2 + len(serialBytes) + 2 + len(timeBytes) +
		len(t.accuracy) + len(r.Nonce) + len(t.infoTail)
	dst = appendHeader(dst, tagSequence, n)
	dst = append(dst, t.infoHead...)
	dst = append(dst, r.MessageImprint...)
	dst = append(dst, tagInteger, byte(len(serialBytes)))
	dst = append(dst, serialBytes...)
	dst = append(dst, tagTime, byte(len(timeBytes)))
	dst = append(dst, timeBytes...)
	dst = append(dst, t.accuracy...) // ordering is FALSE, which DER leaves out
	dst = append(dst, r.Nonce...)
	return append(dst, t.infoTail...)
}

// token puts the signature value and all that is around it to what was signed
// (RFC 5652 §5.1, §5.3). certs says where the certificates are in it. The octets of
// room are used if they suffice.
func (t *template) token(room []byte, s *scratch, value []byte, certReq bool) (token []byte, certs [2]int) {
	certificates := t.certificates
	if !certReq {
		certificates = nil
	}
	content := elementSize(len(s.info))
	encapsulated := len(elementTSTInfo) + elementSize(content)
	signer := len(t.signerHead) + len(s.attributes) + len(t.signatureAlgorithm) + elementSize(len(value))
	data := len(t.dataHead) + elementSize(encapsulated) + len(certificates) + elementSize(elementSize(signer))
	all := len(elementSignedData) + elementSize(elementSize(data))

	b := room[:0]
	if cap(b) < elementSize(all) {
		b = make([]byte, 0, elementSize(all))
	}
	b = appendHeader(b, tagSequence, all)
	b = append(b, elementSignedData...)
	b = appendHeader(b, tagContext0Con, elementSize(data))
	b = appendHeader(b, tagSequence, data)
	b = append(b, t.dataHead...)
	b = appendHeader(b, tagSequence, encapsulated)
	b = append(b, elementTSTInfo...)
	b = appendHeader(b, tagContext0Con, content)
	b = appendHeader(b, tagOctets, len(s.info))
	b = append(b, s.info...)
	certs[0] = len(b)
	b = append(b, certificates...)
	certs[1] = len(b)
	b = appendHeader(b, tagSet, elementSize(signer))
	b = appendHeader(b, tagSequence, signer)
	b = append(b, t.signerHead...)
	at := len(b)
	b = append(b, s.attributes...)
	b[at] = tagContext0Con // IMPLICIT [0] in place of SET OF
	b = append(b, t.signatureAlgorithm...)
	b = appendHeader(b, tagOctets, len(value))
	return append(b, value...), certs
}

// appendHeader appends tag and the shortest length (X.690 §10.1).
func appendHeader(dst []byte, tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(dst, tag, byte(n))
	case n < 1<<8:
		return append(dst, tag, 0x81, byte(n))
	case n < 1<<16:
		return append(dst, tag, 0x82, byte(n>>8), byte(n))
	}
	return append(dst, tag, 0x83, byte(n>>16), byte(n>>8), byte(n))
}

// elementSize gives the size of an element with n octets of contents.
func elementSize(n int) int {
	switch {
	case n < 0x80:
		return 2 + n
	case n < 1<<8:
		return 3 + n
	case n < 1<<16:
		return 4 + n
	}
	return 5 + n
}

// wrapped gives an element with the parts as contents, nothing for no parts.
func wrapped(tag byte, parts ...[]byte) []byte {
	if len(parts) == 0 {
		return nil
	}
	contents := slices.Concat(parts...)
	return append(appendHeader(nil, tag, len(contents)), contents...)
}

// appendInteger appends the contents of a positive INTEGER: as few octets as hold
// its bits and a sign bit of zero (X.690 §8.3).
func appendInteger(dst []byte, n int64) []byte {
	for shift := bits.Len64(uint64(n)) / 8 * 8; shift >= 0; shift -= 8 {
		dst = append(dst, byte(n>>shift))
	}
	return dst
}

// appendTime appends the contents of a GeneralizedTime: UTC, milliseconds without
// trailing zeros, and no point when there are none (RFC 3161 §2.4.2).
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendTwo(dst, year/100)
	for _, n := range [...]int{year % 100, int(month), day, hour, minute, second} {
		dst = appendTwo(dst, n)
	}
	if ms := t.Nanosecond() / int(time.Millisecond); ms > 0 {
		dst = append(dst, '.', byte('0'+ms/100))
		if ms%100 != 0 {
			dst = append(dst, byte('0'+ms/10%10))
		}
		if ms%10 != 0 {
			dst = append(dst, byte('0'+ms%10))
		}
	}
	return append(dst, 'Z')
}

func appendTwo(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }
