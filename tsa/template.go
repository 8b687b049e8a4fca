package tsa

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/sha512"
	"math/big"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"sigillo/formats/cms"
	"sigillo/formats/der"
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
	elementSignedData = der.OID(cms.OIDSignedData)
	elementTSTInfo    = der.OID(cms.OIDTSTInfo)
)

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
	digestAlgorithm := der.TLV(der.Sequence, der.OID(cms.HashOID(t.algorithm.Hash)))
	t.dataHead = append(der.Int(3), der.TLV(der.Set, digestAlgorithm)...)
	if len(prepared.Certificates) > 0 {
		t.certificates = der.TLV(der.Context0Con, prepared.Certificates...)
	}
	t.signerHead = slices.Concat(der.Int(1), prepared.SignerIdentifier, digestAlgorithm)
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
	var number [10]byte
	var genTime [19]byte
	serialBytes := der.AppendInt(number[:0], serial)
	timeBytes := appendTime(genTime[:0], at)
	n := len(t.infoHead) + len(r.MessageImprint) + len(serialBytes) + der.Size(len(timeBytes)) +
		len(t.accuracy) + len(r.Nonce) + len(t.infoTail)
	dst = der.AppendHeader(dst, der.Sequence, n)
	dst = append(dst, t.infoHead...)
	dst = append(dst, r.MessageImprint...)
	dst = append(dst, serialBytes...)
	dst = der.AppendHeader(dst, der.GenTime, len(timeBytes))
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
	content := der.Size(len(s.info))
	encapsulated := len(elementTSTInfo) + der.Size(content)
	signer := len(t.signerHead) + len(s.attributes) + len(t.signatureAlgorithm) + der.Size(len(value))
	data := len(t.dataHead) + der.Size(encapsulated) + len(certificates) + der.Size(der.Size(signer))
	all := len(elementSignedData) + der.Size(der.Size(data))

	b := room[:0]
	if cap(b) < der.Size(all) {
		b = make([]byte, 0, der.Size(all))
	}
	b = der.AppendHeader(b, der.Sequence, all)
	b = append(b, elementSignedData...)
	b = der.AppendHeader(b, der.Context0Con, der.Size(data))
	b = der.AppendHeader(b, der.Sequence, data)
	b = append(b, t.dataHead...)
	b = der.AppendHeader(b, der.Sequence, encapsulated)
	b = append(b, elementTSTInfo...)
	b = der.AppendHeader(b, der.Context0Con, content)
	b = der.AppendHeader(b, der.Octets, len(s.info))
	b = append(b, s.info...)
	certs[0] = len(b)
	b = append(b, certificates...)
	certs[1] = len(b)
	b = der.AppendHeader(b, der.Set, der.Size(signer))
	b = der.AppendHeader(b, der.Sequence, signer)
	b = append(b, t.signerHead...)
	at := len(b)
	b = append(b, s.attributes...)
	b[at] = der.Context0Con // IMPLICIT [0] in place of SET OF
	b = append(b, t.signatureAlgorithm...)
	b = der.AppendHeader(b, der.Octets, len(value))
	return append(b, value...), certs
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
