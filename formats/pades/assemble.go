package pades

import (
	"crypto"
	"io"

	"sigillo/formats/cms"
)

// DTBS is what the key signs: the DER of the signed attributes (RFC 5652 §5.4).
func (p *Prepared) DTBS() []byte { return p.CMS.DTBS() }

// DTBSR is the digest of [Prepared.DTBS], what the key is asked to sign unless it is an Ed25519 key, which signs DTBS.
func (p *Prepared) DTBSR() []byte { return p.CMS.DTBSR() }

// Algorithm tells how the key must sign: [cms.Algorithm.Input] of DTBS.
func (p *Prepared) Algorithm() cms.Algorithm { return p.CMS.Algorithm() }

// HashAlgorithm is the one of DTBSR.
func (p *Prepared) HashAlgorithm() crypto.Hash { return p.CMS.HashAlgorithm() }

// StampDigest is the imprint that the signature time-stamp must have (EN 319 122-1 §5.3).
func (p *Prepared) StampDigest(signature []byte, h crypto.Hash) ([]byte, error) {
	digest, err := p.CMS.StampDigest(signature, h)
	return digest, fromCMS(err)
}

// SignedSize is the size of the document once signed, in bytes.
func (p *Prepared) SignedSize() int64 { return p.Size + int64(len(p.Tail)) }

// Assemble writes the signed document to w: the document as it is, then the appended part with the signature value and,
// for level B-T, the time-stamp token in it. The value is as crypto.Signer gives it; one that the prepared certificate did not
// make over DTBS is refused before anything is written.
//
// The document is checked while it is written, against mistakes. If it is not the one that was prepared the error has the kind
// Changed, the appended part is not written, and what w got must be thrown away.
func (p *Prepared) Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error {
	message, err := p.message(signature, token)
	if err != nil {
		return err
	}
	return p.assemble(w, doc, size, message)
}

// message is the CMS message.
func (p *Prepared) message(signature, token []byte) ([]byte, error) {
	if p.CMS == nil || !p.HashAlgorithm().Available() || !p.whole() {
		return nil, failure(BadOptions, "the prepared signature is incomplete")
	}
	switch {
	case token == nil && p.Timestamp > 0:
		return nil, failure(BadSignature, "the signature was prepared for level B-T and there is no time-stamp")
	case token != nil && p.Timestamp == 0:
		return nil, failure(BadSignature, "the signature was prepared for level B-B, without a time-stamp")
	case len(token) > p.Timestamp:
		return nil, failure(BadSignature, "the time-stamp has %d bytes, and only %d were reserved", len(token), p.Timestamp)
	}
	if err := p.CMS.VerifySignature(signature); err != nil {
		return nil, fromCMS(err)
	}
	message, err := p.CMS.Assemble(signature, token)
	return message, fromCMS(err)
}
