package cms

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"time"

	"sigillo/formats/der"
)

// Attribute is a signed or unsigned attribute. Values are the raw elements.
type Attribute struct {
	Type   asn1.ObjectIdentifier
	Values [][]byte

	raw []byte
}

// SignerInfo is one signature of a message (RFC 5652 §5.3).
type SignerInfo struct {
	Version int
	// The signer is named by issuer (a DER Name) and serial, or by key identifier.
	RawIssuer    []byte
	SerialNumber *big.Int
	SubjectKeyID []byte
	// Certificate is the one in the message that the signer is named by, nil if
	// it is not there. A caller that has it from elsewhere may set it.
	Certificate *x509.Certificate

	DigestAlgorithm       asn1.ObjectIdentifier
	Hash                  crypto.Hash // of DigestAlgorithm; 0 when unknown
	RawSignatureAlgorithm []byte
	SignatureValue        []byte

	// RawSignedAttributes stand as found, with their [0] tag; nil when absent.
	RawSignedAttributes []byte
	SignedAttributes    []Attribute
	UnsignedAttributes  []Attribute

	// From the signed attributes; zero when absent.
	ContentType        asn1.ObjectIdentifier
	MessageDigest      []byte
	SigningTime        time.Time
	SigningCertificate *CertificateID
	// Tokens are the signature time-stamps, raw, each once.
	Tokens [][]byte
	// CounterSignatures are signatures over this one's value (RFC 5652 §11.4).
	CounterSignatures []*SignerInfo

	raw         []byte
	fixed       [][]byte              // its members before the unsigned attributes, as they stand
	contentType asn1.ObjectIdentifier // of the message; nil for a counter-signature
	derSigned   []byte                // the signed attributes as DER SET OF
	message     *SignedData
	parent      *SignerInfo // what a counter-signature signs
}

const (
	// maxSignerStamps and maxStamps bound the time-stamps among the unsigned
	// attributes of a signer, and of all signers of a message: each is a message of
	// its own that costs its reader a verification.
	maxSignerStamps = 32
	maxStamps       = 256
	// maxSigned bounds the signed attributes of a signer, which are copied once for
	// each level of nesting when they are normalised.
	maxSigned = 256 << 10
)

// budget is what a message may still have, counter-signatures and all.
type budget struct{ signers, stamps int }

// parseSigner reads a SignerInfo. depth is how many levels of counter-signatures
// may follow, left what may still come altogether.
func parseSigner(e element, l Limits, depth int, left *budget) (*SignerInfo, error) {
	if left.signers--; left.signers < 0 {
		return nil, fail(Limit, "there are more than %d signatures", l.Signers)
	}
	if !e.is(der.Sequence) {
		return nil, fail(Malformed, "a SignerInfo was expected")
	}
	f, err := fields(e.body, l.Depth, 7)
	if err != nil {
		return nil, err
	}
	if len(f) < 5 {
		return nil, fail(Malformed, "a SignerInfo is incomplete")
	}
	si := &SignerInfo{raw: e.raw}
	for _, m := range f {
		if !m.is(der.Context0 | 1) {
			si.fixed = append(si.fixed, m.raw)
		}
	}
	if si.Version, err = readSmall(f[0]); err != nil {
		return nil, err
	}
	if err = si.parseIdentifier(f[1], l); err != nil {
		return nil, err
	}
	if si.Hash, si.DigestAlgorithm, err = parseDigestAlgorithm(f[2]); err != nil {
		return nil, err
	}
	f = f[3:]
	if f[0].is(der.Context0) {
		if err := si.parseSigned(f[0], l); err != nil {
			return nil, err
		}
		f = f[1:]
	}
	if len(f) < 2 || !f[0].is(der.Sequence) {
		return nil, fail(Malformed, "a SignerInfo is incomplete")
	}
	si.RawSignatureAlgorithm = f[0].raw
	if si.SignatureValue, err = octets(f[1], l.Depth); err != nil {
		return nil, err
	}
	if f = f[2:]; len(f) == 0 {
		return si, nil
	}
	if len(f) > 1 || !f[0].is(der.Context0|1) {
		return nil, fail(Malformed, "a SignerInfo has a member that it may not have")
	}
	return si, si.parseUnsigned(f[0], l, depth, left)
}

func (si *SignerInfo) parseIdentifier(e element, l Limits) error {
	if e.is(der.Context0) {
		var err error
		si.SubjectKeyID, err = joined(e, l.Depth)
		return err
	}
	f, err := fields(e.body, l.Depth, 2)
	if err != nil {
		return err
	}
	if !e.is(der.Sequence) || len(f) != 2 {
		return fail(Malformed, "a SignerInfo does not name its signer")
	}
	if si.RawIssuer, err = normal(f[0], l.Depth); err != nil {
		return err
	}
	si.SerialNumber, err = readInt(f[1])
	return err
}

func parseAttributes(e element, l Limits) ([]Attribute, error) {
	all, err := fields(e.body, l.Depth, l.Attributes)
	if err != nil {
		return nil, err
	}
	var out []Attribute
	for _, a := range all {
		f, err := fields(a.body, l.Depth, 2)
		if err != nil {
			return nil, err
		}
		if !a.is(der.Sequence) || len(f) != 2 || !f[1].is(der.Set) {
			return nil, fail(Malformed, "an attribute is broken")
		}
		oid, err := readOID(f[0])
		if err != nil {
			return nil, err
		}
		values, err := fields(f[1].body, l.Depth, l.Attributes)
		if err != nil {
			return nil, err
		}
		at := Attribute{Type: oid, raw: a.raw}
		for _, v := range values {
			at.Values = append(at.Values, v.raw)
		}
		out = append(out, at)
	}
	return out, nil
}

// parseSigned reads the signed attributes and makes their DER form, which is what
// RFC 5652 §5.4 says is signed, whatever form they travel in.
func (si *SignerInfo) parseSigned(e element, l Limits) error {
	if len(e.raw) > maxSigned {
		return fail(Limit, "the signed attributes have more than %d bytes", maxSigned)
	}
	var err error
	si.RawSignedAttributes = e.raw
	if si.SignedAttributes, err = parseAttributes(e, l); err != nil {
		return err
	}
	all, err := fields(e.body, l.Depth, l.Attributes)
	if err != nil {
		return err
	}
	members := make([][]byte, 0, len(all))
	for _, a := range all {
		raw, err := normal(a, l.Depth)
		if err != nil {
			return err
		}
		members = append(members, raw)
	}
	si.derSigned = der.SetOf(der.Set, members...)
	for _, a := range si.SignedAttributes {
		if err := si.readSigned(a, l); err != nil {
			return err
		}
	}
	return nil
}

// readSigned takes over one signed attribute. Those that this package relies on
// must stand once and with one value (RFC 5652 §11, RFC 5035 §5.4).
func (si *SignerInfo) readSigned(a Attribute, l Limits) error {
	known := []asn1.ObjectIdentifier{OIDContentType, OIDMessageDigest, OIDSigningTime, OIDSigningCertificate, OIDSigningCertificateV2}
	if !slices.ContainsFunc(known, a.Type.Equal) {
		return nil
	}
	count := 0
	for _, b := range si.SignedAttributes {
		if b.Type.Equal(a.Type) {
			count++
		}
	}
	if count != 1 || len(a.Values) != 1 {
		return fail(Malformed, "signed attribute %v must stand once and have one value", a.Type)
	}
	v, _, err := next(a.Values[0], l.Depth)
	if err != nil {
		return err
	}
	switch {
	case a.Type.Equal(OIDContentType):
		si.ContentType, err = readOID(v)
	case a.Type.Equal(OIDMessageDigest):
		si.MessageDigest, err = octets(v, l.Depth)
	case a.Type.Equal(OIDSigningTime):
		si.SigningTime, err = readTime(v)
	case a.Type.Equal(OIDSigningCertificateV2), si.SigningCertificate == nil:
		si.SigningCertificate, err = parseCertificateID(v, a.Type, l.Depth)
	}
	return err
}

func readTime(e element) (time.Time, error) {
	var t time.Time
	if e.constructed || !e.is(der.UTCTime) && !e.is(der.GenTime) || len(e.body) > 32 {
		return t, fail(Malformed, "the signing time is not a time")
	}
	if _, err := asn1.Unmarshal(der.TLV(e.raw[0], e.body), &t); err != nil {
		return t, wrap(Malformed, err, "the signing time is broken")
	}
	return t.UTC(), nil
}

func (si *SignerInfo) parseUnsigned(e element, l Limits, depth int, left *budget) error {
	var err error
	if si.UnsignedAttributes, err = parseAttributes(e, l); err != nil {
		return err
	}
	stamps := 0
	for _, a := range si.UnsignedAttributes {
		if a.Type.Equal(OIDCounterSignature) {
			if err := si.parseCounters(a, l, depth-1, left); err != nil {
				return err
			}
		}
		if stampKinds[a.Type.String()] != "" {
			stamps += len(a.Values)
			left.stamps -= len(a.Values)
		}
		if stamps > maxSignerStamps || left.stamps < 0 {
			return fail(Limit, "a signature has more than %d time-stamps, or all together more than %d", maxSignerStamps, maxStamps)
		}
		if !a.Type.Equal(OIDSignatureTimeStamp) {
			continue
		}
		for _, token := range a.Values {
			if slices.ContainsFunc(si.Tokens, func(t []byte) bool { return bytes.Equal(t, token) }) {
				continue
			}
			si.Tokens = append(si.Tokens, token)
		}
	}
	return nil
}

// find gives the certificate the signer is named by. Of several with the same
// name the one that the signing-certificate attribute means is taken.
func (si *SignerInfo) find(certs []*x509.Certificate) *x509.Certificate {
	var found *x509.Certificate
	for _, c := range certs {
		if !si.names(c) {
			continue
		}
		if found == nil || si.SigningCertificate != nil && si.SigningCertificate.Matches(c) {
			found = c
		}
	}
	return found
}

func (si *SignerInfo) names(c *x509.Certificate) bool {
	if si.SerialNumber != nil {
		return c.SerialNumber.Cmp(si.SerialNumber) == 0 && bytes.Equal(c.RawIssuer, si.RawIssuer)
	}
	return len(c.SubjectKeyId) > 0 && bytes.Equal(c.SubjectKeyId, si.SubjectKeyID)
}

// Algorithm gives the signature algorithm with its parameters.
func (si *SignerInfo) Algorithm() (Algorithm, error) {
	if si.Hash == 0 {
		return Algorithm{}, fail(Unsupported, "digest algorithm %v is not supported", si.DigestAlgorithm)
	}
	return ParseAlgorithm(si.RawSignatureAlgorithm, si.Hash)
}

// Verify checks the signature (RFC 5652 §5.6): the signed attributes bind the
// content by type and digest, they mean the certificate that is used (RFC 5035
// §5.4, where a signing-certificate attribute is present: see SigningCertificate),
// and the signature value over them is of that certificate's key.
//
// contentDigest is asked once for the digest of the content; for an attached
// signature [SignedData.ContentDigest] gives such a function. For a
// counter-signature it is not asked: what that signs is in the message. The trust
// in the certificate is not looked at. The kind [Weak] means that all this is
// right but rests on a digest that is no longer safe: such a signature is good only
// if it is proven to be from before.
func (si *SignerInfo) Verify(contentDigest func(crypto.Hash) ([]byte, error)) error {
	if si.RawSignedAttributes == nil {
		return fail(Unsupported, "the signature has no signed attributes")
	}
	if si.Certificate == nil {
		return fail(NoCertificate, "the signer's certificate is not in the signature")
	}
	alg, err := si.Algorithm()
	if err != nil {
		return err
	}
	if si.parent != nil {
		contentDigest = si.parent.digest
	}
	if !si.contentType.Equal(si.ContentType) {
		return fail(Mismatch, "the signed content type is %v, the content has %v", si.ContentType, si.contentType)
	}
	if si.SigningCertificate != nil && !si.SigningCertificate.Matches(si.Certificate) {
		return fail(Mismatch, "the signed reference is to another certificate than the one in the signature")
	}
	sum, err := contentDigest(si.Hash)
	if err != nil {
		return err
	}
	if len(sum) != si.Hash.Size() || subtle.ConstantTimeCompare(sum, si.MessageDigest) != 1 {
		return fail(Mismatch, "the content was changed after it was signed: its digest is another one")
	}
	if err := si.verifyValue(alg); err != nil {
		return err
	}
	return weakness("signature", si.Hash) // an Ed25519 value does not rely on it, but the content does
}

// verifyValue checks the value over the signed attributes as they stand, and if
// they do not stand in DER, over their DER form: signers of both habits exist,
// and both forms say the same.
func (si *SignerInfo) verifyValue(alg Algorithm) error {
	asFound := bytes.Clone(si.RawSignedAttributes)
	asFound[0] = der.Set
	err := alg.Verify(si.Certificate.PublicKey, asFound, si.SignatureValue)
	if KindOf(err) == BadSignature && !bytes.Equal(asFound, si.derSigned) {
		err = alg.Verify(si.Certificate.PublicKey, si.derSigned, si.SignatureValue)
	}
	return err
}
