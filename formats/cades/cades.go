package cades

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"time"

	"sigillo/formats/cms"
)

// Kind says what sort of thing went wrong. The kinds of package cms come through
// unchanged.
type Kind = cms.Kind

// Error is the error of this package.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "cades: " + e.Msg + ": " + e.Err.Error()
	}
	return "cades: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package or of cms, and "" for others.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return cms.KindOf(err)
}

func fail(k Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

// Options says who signs and how.
type Options struct {
	Certificate *x509.Certificate
	Chain       []*x509.Certificate // the issuers, to be embedded
	Hash        crypto.Hash         // SHA-256, SHA-384 or SHA-512
	PSS         bool                // RSASSA-PSS in place of PKCS#1 v1.5
	SigningTime time.Time           // the time the signer claims; mandatory in CAdES
	// Timestamp, if greater than 0, asks for level B-T: it is the greatest size in
	// bytes of the token to come. 0 is level B-B.
	Timestamp int
}

// Prepared is a signature that lacks its value and, for B-T, its time-stamp. It
// may be stored as JSON.
type Prepared struct {
	CMS       cms.Prepared `json:"cms"`
	Size      int64        `json:"size"`      // of the document, in bytes
	Timestamp int          `json:"timestamp"` // as in Options
	NotAfter  time.Time    `json:"notAfter"`  // of the signer's certificate
}

// Prepare reads the document and makes the attributes to be signed.
func Prepare(doc io.ReaderAt, size int64, o Options) (*Prepared, error) {
	if o.SigningTime.IsZero() {
		return nil, fail(cms.BadOptions, "a CAdES baseline signature needs a signing time (EN 319 122-1 §6.3)")
	}
	if o.Certificate == nil {
		return nil, fail(cms.BadOptions, "a signature needs the signer's certificate")
	}
	if o.SigningTime.Before(o.Certificate.NotBefore) || o.SigningTime.After(o.Certificate.NotAfter) {
		return nil, fail(cms.BadOptions, "the certificate is not valid at the signing time")
	}
	if size < 0 || o.Timestamp < 0 {
		return nil, fail(cms.BadOptions, "sizes cannot be negative")
	}
	if !o.Hash.Available() {
		return nil, fail(cms.BadOptions, "the digest algorithm is not available; use SHA-256, SHA-384 or SHA-512")
	}
	d := o.Hash.New()
	n, err := io.Copy(d, io.NewSectionReader(doc, 0, size))
	if err != nil {
		return nil, &Error{cms.Failed, "reading the document", err}
	}
	if n != size {
		return nil, fail(cms.Mismatch, "the document has %d bytes, not the %d it was said to have", n, size)
	}
	p, err := cms.Prepare(d.Sum(nil), cms.SignerOptions{
		Certificate: o.Certificate, Chain: o.Chain, Hash: o.Hash, PSS: o.PSS, SigningTime: o.SigningTime,
	})
	if err != nil {
		return nil, err
	}
	return &Prepared{CMS: *p, Size: size, Timestamp: o.Timestamp, NotAfter: o.Certificate.NotAfter}, nil
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

// MaxSize gives the greatest size in bytes of the signed file; -1 if the Prepared
// is broken.
func (p *Prepared) MaxSize() int64 { return p.CMS.MaxSizeAttached(p.Size, p.Timestamp) }

// Assemble writes the signed file: the document inside a SignedData, in DER.
// signature is the value as crypto.Signer returns it. token is the time-stamp over
// it for B-T and nil for B-B. If the document has changed since it was prepared an
// error comes and what was written must be thrown away.
func (p *Prepared) Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error {
	if size != p.Size {
		return fail(cms.Mismatch, "the document has %d bytes; the one that was prepared has %d", size, p.Size)
	}
	if err := p.checkLevel(token); err != nil {
		return err
	}
	return p.CMS.AssembleAttached(w, io.NewSectionReader(doc, 0, size), size, signature, token)
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
	t, err := cms.ParseToken(token)
	if err != nil {
		return err
	}
	if t.Info.GenTime.After(p.NotAfter) {
		return fail(cms.Mismatch, "the signer's certificate had expired when the signature was stamped")
	}
	return nil
}
