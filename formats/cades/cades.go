package cades

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"io"
	"time"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
)

// Options says who signs and how.
type Options struct {
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // the issuers, to be embedded
	Hash        crypto.Hash         // SHA-256, SHA-384 or SHA-512; with an Ed25519 key SHA-512
	PSS         bool                // RSASSA-PSS in place of PKCS#1 v1.5
	SigningTime time.Time           // the time the signer claims; mandatory in CAdES
	// Timestamp, if greater than 0, asks for level B-T: it is the greatest size in
	// bytes of the token to come. 0 is level B-B.
	Timestamp int
	// Properties are what the signer signs beside the document.
	Properties ades.Properties
	// MIMEType says what the document is (EN 319 122-1 §5.2.4.2); empty: not said.
	MIMEType string
	// Detached makes a .p7s, which the document stands beside, in place of a .p7m,
	// which it stands in.
	Detached bool
	// Plain makes a PKCS#7 signature for programs older than CAdES: with
	// content-type, message-digest and, if it is given, signing-time alone, and the
	// algorithms named as those programs expect. It does not say by signature which
	// certificate signed, so it has no level of CAdES.
	Plain bool
	// Content is the document of a detached signature that [PrepareParallel] adds a
	// signer to; nil otherwise.
	Content     io.ReaderAt
	ContentSize int64
}

// signer checks the options and gives those of package cms.
func (o Options) signer() (cms.SignerOptions, error) {
	none := cms.SignerOptions{}
	if o.SigningTime.IsZero() && !o.Plain {
		return none, fail(cms.BadOptions, "a CAdES baseline signature needs a signing time (EN 319 122-1 §6.3)")
	}
	if o.Certificate == nil {
		return none, fail(cms.BadOptions, "a signature needs the signer's certificate")
	}
	if t := o.SigningTime; !t.IsZero() && (t.Before(o.Certificate.NotBefore) || t.After(o.Certificate.NotAfter)) {
		return none, fail(cms.BadOptions, "the certificate is not valid at the signing time")
	}
	if o.Timestamp < 0 {
		return none, fail(cms.BadOptions, "sizes cannot be negative")
	}
	if !o.Hash.Available() {
		return none, fail(cms.BadOptions, "the digest algorithm is not available; use SHA-256, SHA-384 or SHA-512")
	}
	return cms.SignerOptions{
		Certificate: o.Certificate, Chain: o.Chain, Hash: o.Hash, PSS: o.PSS, SigningTime: o.SigningTime,
		Properties: o.Properties, MIMEType: o.MIMEType, Plain: o.Plain,
	}, nil
}

// Prepared is a signature that lacks its value and, for B-T, its time-stamp. It
// may be stored as JSON.
type Prepared struct {
	CMS       cms.Prepared `json:"cms"`
	Size      int64        `json:"size"`      // of the document or, for those that are added, of the signed file; -1: not known
	Timestamp int          `json:"timestamp"` // as in Options
	NotAfter  time.Time    `json:"notAfter"`  // of the signer's certificate
	Packaging Packaging    `json:"packaging,omitempty"`
	// Of a signature that is added to a signed file: a digest of all in it but the
	// content and, for a counter-signature, the way to the signature it signs.
	Fingerprint []byte `json:"fingerprint,omitempty"`
	Path        []int  `json:"path,omitempty"`
}

// Packaging says where the signature goes.
type Packaging string

// The packagings.
const (
	Attached Packaging = ""         // a new file with the document inside
	Detached Packaging = "detached" // a new file beside the document
	Parallel Packaging = "parallel" // into a signed file, over the same document
	Counter  Packaging = "counter"  // into a signed file, over the value of a signature
)

// Prepare reads the document and makes the attributes to be signed. The document
// may be a signed file itself: it is signed as the octets it is.
func Prepare(doc io.ReaderAt, size int64, o Options) (*Prepared, error) {
	so, err := o.signer()
	if err != nil {
		return nil, err
	}
	if size < 0 {
		return nil, fail(cms.BadOptions, "sizes cannot be negative")
	}
	digest, checksum, n, err := cms.DigestContent(reader(doc, size), o.Hash, !o.Detached)
	if err != nil {
		return nil, err
	}
	if n != size {
		return nil, fail(cms.Mismatch, "the document has %d bytes, not the %d it was said to have", n, size)
	}
	p, err := cms.Prepare(digest, so)
	if err != nil {
		return nil, err
	}
	p.Checksum = checksum
	if o.Detached {
		return o.prepared(p, size, Detached), nil
	}
	return o.prepared(p, size, Attached), nil
}

// PrepareDigest makes the attributes of a detached signature over a document of
// which only the digest is known, by the algorithm of o.
func PrepareDigest(digest []byte, o Options) (*Prepared, error) {
	so, err := o.signer()
	if err != nil {
		return nil, err
	}
	p, err := cms.Prepare(digest, so)
	if err != nil {
		return nil, err
	}
	return o.prepared(p, -1, Detached), nil
}

// PrepareParallel makes the attributes of one more signature over the document
// that a signed file is about, whoever made it. The document is taken from inside
// the file, or from o.Content if the file is detached.
func PrepareParallel(doc io.ReaderAt, size int64, o Options) (*Prepared, error) {
	so, err := o.signer()
	if err != nil {
		return nil, err
	}
	sd, err := cms.Parse(doc, size, cms.Limits{})
	if err != nil {
		return nil, err
	}
	sum, err := contentDigest(sd, o.Content, o.ContentSize)
	if err != nil {
		return nil, err
	}
	digest, err := sum(o.Hash)
	if err != nil {
		return nil, err
	}
	if !sd.ContentType.Equal(cms.OIDData) {
		return nil, fail(cms.Unsupported, "the signed file holds no document but content of type %v", sd.ContentType)
	}
	for _, si := range sd.Signers {
		if si.Hash == o.Hash && !bytes.Equal(si.MessageDigest, digest) && si.MessageDigest != nil {
			return nil, fail(cms.Mismatch, "the document is not the one that is signed already")
		}
	}
	p, err := cms.Prepare(digest, so)
	if err != nil {
		return nil, err
	}
	return o.added(p, sd, size, Parallel, nil)
}

// PrepareCounter makes the attributes of a counter-signature: one that signs the
// value of the signature that path leads to (see [cms.SignedData.Signature]).
//
// A signature under an archive time-stamp cannot get one below its first level:
// the time-stamp covers its counter-signatures as they are.
func PrepareCounter(doc io.ReaderAt, size int64, path []int, o Options) (*Prepared, error) {
	so, err := o.signer()
	if err != nil {
		return nil, err
	}
	sd, err := cms.Parse(doc, size, cms.Limits{})
	if err != nil {
		return nil, err
	}
	si, err := sd.Signature(path)
	if err != nil {
		return nil, err
	}
	if top := sd.Signers[path[0]]; len(path) > 1 && has(top.UnsignedAttributes, cms.OIDArchiveTimeStampV3) {
		return nil, fail(cms.Unsupported, "an archive time-stamp covers the counter-signature: to counter-sign it would break that")
	}
	p, err := cms.PrepareCounter(si, so)
	if err != nil {
		return nil, err
	}
	return o.added(p, sd, size, Counter, path)
}

// added gives a signature to be added to a file. Whether the file takes it is
// tried now, not when it is signed.
func (o Options) added(p *cms.Prepared, sd *cms.SignedData, size int64, k Packaging, path []int) (*Prepared, error) {
	out := o.prepared(p, size, k)
	out.Fingerprint, out.Path = sd.Fingerprint(), path
	evidence, err := out.certificates()
	if err != nil {
		return nil, err
	}
	if _, err := sd.Add(cms.Additions{Evidence: evidence}); err != nil {
		return nil, err
	}
	return out, nil
}

// certificates gives the signer's certificate and its chain.
func (p *Prepared) certificates() (ades.Evidence, error) {
	var out ades.Evidence
	for _, der := range p.CMS.Certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return out, &Error{cms.Malformed, "the prepared signature holds a broken certificate", err}
		}
		out.Certificates = append(out.Certificates, c)
	}
	return out, nil
}

// reader gives the document from its start. One that is in memory writes itself
// and is not copied through a buffer.
func reader(doc io.ReaderAt, size int64) io.Reader {
	if b, ok := doc.(*bytes.Reader); ok && b.Size() == size {
		whole := *b
		if _, err := whole.Seek(0, io.SeekStart); err == nil {
			return &whole
		}
	}
	return io.NewSectionReader(doc, 0, size)
}

func (o Options) prepared(p *cms.Prepared, size int64, k Packaging) *Prepared {
	return &Prepared{CMS: *p, Size: size, Timestamp: o.Timestamp, NotAfter: o.Certificate.NotAfter, Packaging: k}
}

// DTBS gives the data to be signed.
func (p *Prepared) DTBS() []byte { return p.CMS.DTBS() }

// Algorithm tells how the key must sign: [cms.Algorithm.Input] of DTBS.
func (p *Prepared) Algorithm() cms.Algorithm { return p.CMS.Algorithm() }

// DTBSR gives the digest of the data to be signed, what the key is asked to sign
// unless it is an Ed25519 key, which signs DTBS.
func (p *Prepared) DTBSR() []byte { return p.CMS.DTBSR() }

// HashAlgorithm gives the digest algorithm of DTBSR.
func (p *Prepared) HashAlgorithm() crypto.Hash { return p.CMS.HashAlgorithm() }

// StampDigest gives the imprint of the signature time-stamp: the digest of the
// signature value (EN 319 122-1 §5.3).
func (p *Prepared) StampDigest(signature []byte, h crypto.Hash) ([]byte, error) {
	return p.CMS.StampDigest(signature, h)
}

// MaxSize gives a bound in bytes of the signed file; -1 if the Prepared is
// broken. It is reached for a new file; for one that a signature is added to it
// is a little more than needed.
func (p *Prepared) MaxSize() int64 {
	const growth = 256 // of the lengths around what is there
	switch own := int64(p.CMS.MaxSize(p.Timestamp)); {
	case own < 0:
		return -1
	case p.Packaging == Attached:
		return p.CMS.MaxSizeAttached(p.Size, p.Timestamp)
	case p.Packaging == Detached:
		return own
	default:
		return p.Size + own + growth
	}
}

// Assemble writes the signed file. doc is what was prepared: the document of a
// new file, which a detached one does not need and may be nil, or the signed file
// that the signature is added to. signature is the value as crypto.Signer returns
// it; one that the prepared certificate did not make over DTBS is refused before
// anything is written. token is the time-stamp over it for B-T and nil for B-B. If
// doc has changed since it was prepared an error comes and what was written must
// be thrown away.
func (p *Prepared) Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error {
	if err := p.checkLevel(token); err != nil {
		return err
	}
	if err := p.CMS.VerifySignature(signature); err != nil {
		return err
	}
	switch p.Packaging {
	case Attached, Parallel, Counter:
	case Detached:
		der, err := p.CMS.Assemble(signature, token)
		if err != nil {
			return err
		}
		if _, err = w.Write(der); err != nil {
			return &Error{cms.Failed, "writing the signature", err}
		}
		return nil
	default:
		return fail(cms.BadOptions, "the prepared signature does not say where it goes")
	}
	if size != p.Size {
		return fail(cms.Mismatch, "the document has %d bytes; the one that was prepared has %d", size, p.Size)
	}
	if p.Packaging == Attached {
		return p.CMS.AssembleAttached(w, reader(doc, size), size, signature, token)
	}
	return p.add(w, doc, signature, token)
}

// add puts the signature into a signed file.
func (p *Prepared) add(w io.Writer, doc io.ReaderAt, signature, token []byte) error {
	sd, err := parseSame(doc, p.Size, p.Fingerprint)
	if err != nil {
		return err
	}
	info, err := p.CMS.SignerInfo(signature, token)
	if err != nil {
		return err
	}
	var more cms.Additions
	if more.Evidence, err = p.certificates(); err != nil {
		return err
	}
	if p.Packaging == Parallel {
		more.Signers = [][]byte{info}
	} else {
		more.Attributes = []cms.Unsigned{{Path: p.Path, Type: cms.OIDCounterSignature, Value: info}}
	}
	if sd, err = sd.Add(more); err != nil {
		return err
	}
	return sd.Write(w)
}

// parseSame reads a signed file and checks that it is the one that was prepared.
func parseSame(doc io.ReaderAt, size int64, fingerprint []byte) (*cms.SignedData, error) {
	sd, err := cms.Parse(doc, size, cms.Limits{})
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sd.Fingerprint(), fingerprint) {
		return nil, fail(cms.Mismatch, "the signed file is not the one that was prepared")
	}
	return sd, nil
}

// checkLevel holds the caller to the level that was prepared (EN 319 122-1 §6.3:
// the time-stamp of B-T is made before the signer's certificate expires).
func (p *Prepared) checkLevel(token []byte) error {
	switch {
	case p.Timestamp == 0 && token == nil:
		return nil
	case p.Timestamp == 0:
		return fail(cms.BadOptions, "the signature was prepared without a time-stamp and cannot take one")
	case token == nil:
		return fail(cms.BadOptions, "the signature was prepared for level B-T and needs its time-stamp")
	case len(token) > p.Timestamp:
		return fail(cms.BadOptions, "the time-stamp has %d bytes; at most %d were announced", len(token), p.Timestamp)
	}
	return checkExpiry(token, p.NotAfter)
}

func checkExpiry(token []byte, notAfter time.Time) error {
	t, err := cms.ParseToken(token)
	if err != nil {
		return err
	}
	if t.Info.GenTime.After(notAfter) {
		return fail(cms.Mismatch, "the signer's certificate had expired when the signature was stamped")
	}
	return nil
}
