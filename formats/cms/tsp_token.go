package cms

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"io"
	"time"

	"sigillo/formats/ades"
)

// PrepareToken prepares a time-stamp token: a SignedData over the TSTInfo (RFC
// 3161 §2.4.2). [Prepared.Assemble] then gives the TimeStampToken itself. The
// content type and the signing time of o are not used: the time is the TSTInfo's.
func PrepareToken(info *TSTInfo, o SignerOptions) (*Prepared, error) {
	content, err := info.Marshal()
	if err != nil {
		return nil, err
	}
	if !strong(o.Hash) {
		return nil, fail(BadOptions, "digest algorithm %v cannot be used to sign a time-stamp", o.Hash)
	}
	o.ContentType, o.SigningTime = OIDTSTInfo, time.Time{}
	p, err := Prepare(digestOf(o.Hash, content), o)
	if err != nil {
		return nil, err
	}
	p.Content = content
	return p, nil
}

// Token is a time-stamp token that was read. Nothing in it is verified before
// [Token.Verify].
type Token struct {
	Info TSTInfo
	// Certificate is the authority's if the token carries it. Certificates are
	// all it carries. A caller that has them from elsewhere sets Certificate.
	Certificate  *x509.Certificate
	Certificates []*x509.Certificate
	Raw          []byte // the ContentInfo
	Signer       *SignerInfo

	message *SignedData
	content []byte
}

// Evidence gives what the token carries to be checked with, as archive
// time-stamps of older signatures do.
func (t *Token) Evidence() ades.Evidence {
	if t.message == nil {
		return ades.Evidence{}
	}
	return t.message.Evidence()
}

// tokenLimits bound a token. One that comes from an authority has a few kilobytes,
// but one that a container was renewed with carries the evidence for itself and
// for those before, lists of millions of octets among it (EN 319 162-1 §4.4.4).
var tokenLimits = Limits{Content: 64 << 10, Pieces: 64, Depth: 24, Signers: 1, Attributes: 32}

// ParseToken reads a TimeStampToken. It holds exactly one signer (RFC 3161 §2.4.2).
func ParseToken(der []byte) (*Token, error) {
	sd, err := ParseBytes(der, tokenLimits)
	if err != nil {
		return nil, err
	}
	if !sd.ContentType.Equal(OIDTSTInfo) || !sd.HasContent() {
		return nil, fail(NotCMS, "the signed data is not a time-stamp token")
	}
	if len(sd.Signers) != 1 {
		return nil, fail(Malformed, "a time-stamp token has one signer, this one %d", len(sd.Signers))
	}
	content, err := io.ReadAll(sd.Content())
	if err != nil {
		return nil, err
	}
	info, err := parseTSTInfo(content)
	if err != nil {
		return nil, err
	}
	return &Token{
		Info: *info, Certificate: sd.Signers[0].Certificate, Certificates: sd.Certificates,
		Raw: der, Signer: sd.Signers[0], message: sd, content: content,
	}, nil
}

// Verify checks that the token stamps these data and was signed by its
// certificate: the imprint is the digest of the data, the certificate is made for
// time-stamping and nothing else (RFC 3161 §2.3), the signed reference means that
// certificate (RFC 5816 §2.2.1), and the signature is right. Whether the authority
// is to be trusted is asked elsewhere.
//
// imprintDigest is asked for the digest of the stamped data. [Weak] comes last, as
// with [SignerInfo.Verify].
func (t *Token) Verify(imprintDigest func(crypto.Hash) ([]byte, error)) error {
	if !t.Info.Hash.Available() {
		return fail(Unsupported, "the digest algorithm of the imprint is not supported")
	}
	sum, err := imprintDigest(t.Info.Hash)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(sum, t.Info.Imprint) != 1 {
		return fail(Mismatch, "the time-stamp is over other data")
	}
	if err := t.VerifySignature(); err != nil {
		return err
	}
	return weakness("imprint", t.Info.Hash)
}

// checkImprintHash refuses an imprint that cannot be recomputed, or that a new
// signature cannot rely on.
func checkImprintHash(h crypto.Hash) error {
	if !h.Available() {
		return fail(Unsupported, "the digest algorithm of the imprint is not supported")
	}
	return weakness("imprint", h)
}

// VerifySignature is Verify without the look at the stamped data.
func (t *Token) VerifySignature() error {
	if t.Certificate == nil {
		return fail(NoCertificate, "the time-stamping certificate is not in the token")
	}
	if err := CheckTimestampCertificate(t.Certificate); err != nil {
		return err
	}
	if t.Signer.SigningCertificate == nil {
		return fail(Malformed, "the token does not say by signed reference which certificate signed it")
	}
	t.Signer.Certificate = t.Certificate
	return t.Signer.Verify(func(h crypto.Hash) ([]byte, error) {
		if !h.Available() {
			return nil, fail(Unsupported, "digest algorithm %v is not available", h)
		}
		return digestOf(h, t.content), nil
	})
}

// Answers checks that the token is the answer to this request: same imprint,
// same nonce, the policy that was asked for (RFC 3161 §2.2).
func (t *Token) Answers(r *TimestampRequest) error {
	if t.Info.Hash != r.Hash || !bytes.Equal(t.Info.Imprint, r.Imprint) {
		return fail(Mismatch, "the time-stamp is over other data than was asked for")
	}
	if (t.Info.Nonce == nil) != (r.Nonce == nil) || r.Nonce != nil && r.Nonce.Cmp(t.Info.Nonce) != 0 {
		return fail(Mismatch, "the time-stamp does not repeat the nonce: it answers another request")
	}
	if len(r.Policy) > 0 && !r.Policy.Equal(t.Info.Policy) {
		return fail(Mismatch, "the time-stamp was made under policy %v, %v was asked for", t.Info.Policy, r.Policy)
	}
	return nil
}

// CheckTimestampCertificate checks that the extended key usage of a certificate is
// critical and holds id-kp-timeStamping alone (RFC 3161 §2.3).
func CheckTimestampCertificate(c *x509.Certificate) error {
	for _, x := range c.Extensions {
		if !x.Id.Equal(oidExtKeyUse) {
			continue
		}
		var usages []asn1.ObjectIdentifier
		rest, err := asn1.Unmarshal(x.Value, &usages)
		if err != nil || len(rest) > 0 {
			return fail(Malformed, "the extended key usage of the time-stamping certificate is broken")
		}
		if !x.Critical || len(usages) != 1 || !usages[0].Equal(OIDTimeStamping) {
			return fail(Mismatch, "the certificate is not for time-stamping alone: its extended key usage must be critical and only timeStamping")
		}
		return nil
	}
	return fail(Mismatch, "the certificate is not for time-stamping: it has no extended key usage")
}
