package certpath

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// answer is an OCSP response read once (RFC 6960 §4.2.1).
type answer struct {
	signedObject
	der          []byte
	sum          [32]byte
	name         string // canonical, of the responder; "" when it is named by key
	keyHash      []byte // SHA-1 of the responder's key
	producedAt   time.Time
	singles      []single
	certificates [][]byte // DER
}

// single is what an answer says about one certificate.
type single struct {
	hash                   crypto.Hash // of the issuer's name and key
	issuerName, issuerKey  []byte
	serial                 []byte
	status                 int // of CertStatus: 0 good, 1 revoked, 2 unknown
	revocation             revocation
	thisUpdate, nextUpdate time.Time
	archiveCutoff          time.Time // zero: not there
	certHash               []byte    // nil: not there
	certHashOf             crypto.Hash
	unknown                bool // has a critical extension that is not processed
}

const maxResponderCertificates = 16

// readAnswer reads an OCSPResponse.
func readAnswer(der []byte) (*answer, error) {
	a := &answer{der: der, sum: sha256.Sum256(der)}
	broken := func(what string) error { return fail(Malformed, nil, "an OCSP answer is broken: %s", what) }
	in, body := cryptobyte.String(der), cryptobyte.String(nil)
	var status int
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() || !body.ReadASN1Enum(&status) {
		return nil, broken("it is no OCSPResponse, or something follows it")
	}
	if status != 0 {
		return nil, fail(Unsupported, nil, "the OCSP responder gave no answer (status %d)", status)
	}
	var wrapped, oid, octets, basic cryptobyte.String
	if !body.ReadASN1(&wrapped, cbasn1.Tag(0).ContextSpecific().Constructed()) || !body.Empty() ||
		!wrapped.ReadASN1(&wrapped, cbasn1.SEQUENCE) || !wrapped.ReadASN1(&oid, cbasn1.OBJECT_IDENTIFIER) ||
		!wrapped.ReadASN1(&octets, cbasn1.OCTET_STRING) || !octets.ReadASN1(&basic, cbasn1.SEQUENCE) || !octets.Empty() {
		return nil, broken("its response")
	}
	if string(oid) != "\x2b\x06\x01\x05\x05\x07\x30\x01\x01" { // id-pkix-ocsp-basic
		return nil, fail(Unsupported, nil, "an OCSP answer is not of the basic kind")
	}
	var ok bool
	if a.signedObject, ok = readSigned(&basic); !ok {
		return nil, broken("its signature")
	}
	if !a.readCertificates(&basic) {
		return nil, broken("its certificates")
	}
	if err := a.readData(); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *answer) readCertificates(in *cryptobyte.String) bool {
	var wrapped, all cryptobyte.String
	var has bool
	if !in.ReadOptionalASN1(&wrapped, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) || !in.Empty() {
		return false
	}
	if has && !wrapped.ReadASN1(&all, cbasn1.SEQUENCE) {
		return false
	}
	for !all.Empty() && len(a.certificates) < maxResponderCertificates {
		var c cryptobyte.String
		if !all.ReadASN1Element(&c, cbasn1.SEQUENCE) {
			return false
		}
		a.certificates = append(a.certificates, c)
	}
	return true
}

// readData reads ResponseData.
func (a *answer) readData() error {
	broken := fail(Malformed, nil, "an OCSP answer is broken: its data")
	in, body := cryptobyte.String(a.tbs), cryptobyte.String(nil)
	tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
	var name, key, all, extensions cryptobyte.String
	var has bool
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.SkipOptionalASN1(tag(0)) {
		return broken
	}
	if body.PeekASN1Tag(tag(1)) {
		if !body.ReadASN1(&name, tag(1)) {
			return broken
		}
		a.name = canonical(name)
	} else if !body.ReadASN1(&key, tag(2)) || !key.ReadASN1((*cryptobyte.String)(&a.keyHash), cbasn1.OCTET_STRING) {
		return broken
	}
	if !body.ReadASN1GeneralizedTime(&a.producedAt) || !body.ReadASN1(&all, cbasn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&extensions, &has, tag(1)) || !body.Empty() {
		return broken
	}
	for !all.Empty() {
		s, ok := readSingle(&all)
		if !ok {
			return broken
		}
		a.singles = append(a.singles, s)
	}
	if !has {
		return nil
	}
	unknown, ok := eachExtension(extensions, func(extensionItem) (known, ok bool) { return false, true })
	if !ok {
		return broken
	}
	if unknown { // the nonce, which is never critical, matters to who asked
		return fail(Unsupported, nil, "an OCSP answer has a critical extension that is not known")
	}
	return nil
}

// eachExtension gives each Extension of a SEQUENCE OF to read; unknown reports a
// critical one that it does not know.
func eachExtension(in cryptobyte.String, read func(extensionItem) (known, ok bool)) (unknown, ok bool) {
	var body cryptobyte.String
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !in.Empty() {
		return false, false
	}
	for !body.Empty() {
		e, ok := readExtension(&body)
		if !ok {
			return false, false
		}
		known, ok := read(e)
		if !ok {
			return false, false
		}
		unknown = unknown || e.critical && !known
	}
	return unknown, true
}

// readSingle reads a SingleResponse.
func readSingle(in *cryptobyte.String) (s single, ok bool) {
	var body, id, algorithm, serial, status, next, extensions cryptobyte.String
	var tag cbasn1.Tag
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1(&id, cbasn1.SEQUENCE) ||
		!id.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) ||
		!id.ReadASN1((*cryptobyte.String)(&s.issuerName), cbasn1.OCTET_STRING) ||
		!id.ReadASN1((*cryptobyte.String)(&s.issuerKey), cbasn1.OCTET_STRING) ||
		!id.ReadASN1(&serial, cbasn1.INTEGER) || len(serial) == 0 || !id.Empty() || !body.ReadAnyASN1(&status, &tag) {
		return s, false
	}
	s.hash, s.serial = readHash(algorithm), minimal(serial)
	switch tag {
	case cbasn1.Tag(0).ContextSpecific():
	case cbasn1.Tag(1).ContextSpecific().Constructed():
		if s.status = 1; !s.revocation.readInfo(status) {
			return s, false
		}
	case cbasn1.Tag(2).ContextSpecific():
		s.status = 2
	default:
		return s, false
	}
	var hasNext, hasExtensions bool
	if !body.ReadASN1GeneralizedTime(&s.thisUpdate) ||
		!body.ReadOptionalASN1(&next, &hasNext, cbasn1.Tag(0).ContextSpecific().Constructed()) ||
		hasNext && (!next.ReadASN1GeneralizedTime(&s.nextUpdate) || !next.Empty()) ||
		!body.ReadOptionalASN1(&extensions, &hasExtensions, cbasn1.Tag(1).ContextSpecific().Constructed()) || !body.Empty() {
		return s, false
	}
	if hasExtensions {
		s.unknown, ok = eachExtension(extensions, s.readExtension)
		return s, ok
	}
	return s, true
}

// readInfo reads RevokedInfo.
func (r *revocation) readInfo(in cryptobyte.String) bool {
	var reason cryptobyte.String
	var has bool
	if !in.ReadASN1GeneralizedTime(&r.at) || !in.ReadOptionalASN1(&reason, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) || !in.Empty() {
		return false
	}
	return !has || reason.ReadASN1Enum(&r.reason) && reason.Empty()
}

func (s *single) readExtension(e extensionItem) (known, ok bool) {
	switch string(e.oid) {
	case "\x2b\x06\x01\x05\x05\x07\x30\x01\x06": // id-pkix-ocsp-archive-cutoff
		return true, e.value.ReadASN1GeneralizedTime(&s.archiveCutoff) && e.value.Empty()
	case "\x2b\x24\x08\x03\x0d": // id-commonpki-at-certHash, 1.3.36.8.3.13
		var body, algorithm, hash cryptobyte.String
		if !e.value.ReadASN1(&body, cbasn1.SEQUENCE) || !body.ReadASN1Element(&algorithm, cbasn1.SEQUENCE) ||
			!body.ReadASN1(&hash, cbasn1.OCTET_STRING) || !body.Empty() {
			return true, false
		}
		s.certHashOf, s.certHash = readHash(algorithm), hash
		return true, true
	}
	return false, true
}

// about reports whether a single answer is about a certificate of the issuer:
// its CertID must name the issuer by name and key, since a responder may speak
// for several authorities and serial numbers repeat (RFC 6960 §4.1.1).
func (s *single) about(c, issuer *x509.Certificate) bool {
	if s.unknown || s.hash == 0 {
		return false
	}
	key := publicKeyBits(issuer)
	if key == nil || !bytes.Equal(s.issuerKey, sumOf(s.hash, key)) {
		return false
	}
	if n := sumOf(s.hash, issuer.RawSubject); !bytes.Equal(s.issuerName, n) && !bytes.Equal(s.issuerName, sumOf(s.hash, c.RawIssuer)) {
		return false
	}
	return s.certHash == nil || s.certHashOf != 0 && bytes.Equal(s.certHash, sumOf(s.certHashOf, c.Raw))
}

// publicKeyBits gives the inside of subjectPublicKey, nil if it cannot be read.
func publicKeyBits(c *x509.Certificate) []byte {
	in, body := cryptobyte.String(c.RawSubjectPublicKeyInfo), cryptobyte.String(nil)
	var key []byte
	if !in.ReadASN1(&body, cbasn1.SEQUENCE) || !body.SkipASN1(cbasn1.SEQUENCE) || !body.ReadASN1BitStringAsBytes(&key) {
		return nil
	}
	return key
}

func sumOf(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// named reports whether the answer says that it is by c.
func (a *answer) named(c *x509.Certificate) bool {
	if a.name != "" {
		return a.name == canonical(c.RawSubject)
	}
	return bytes.Equal(a.keyHash, sumOf(crypto.SHA1, publicKeyBits(c)))
}
