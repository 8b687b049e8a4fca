package pades

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"io"
)

// DTBS is what the key signs: the DER of the signed attributes (RFC 5652 §5.4).
func (p *Prepared) DTBS() []byte { return p.CMS.DTBS() }

// DTBSR is the digest of [Prepared.DTBS].
func (p *Prepared) DTBSR() []byte { return p.CMS.DTBSR() }

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
// for level B-T, the time-stamp token in it. The value is as crypto.Signer gives it.
//
// The document is checked while it is written. If it is not the one that was prepared the error has the kind Changed, the
// appended part is not written, and what w got must be thrown away.
func (p *Prepared) Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error {
	tail, err := p.signedTail(signature, token)
	if err != nil {
		return err
	}
	if size != p.Size {
		return failure(Changed, "the document has %d bytes and had %d when it was prepared", size, p.Size)
	}
	h := p.HashAlgorithm().New()
	if err := stream(io.MultiWriter(w, h), doc, size); err != nil {
		return err
	}
	if !bytes.Equal(h.Sum(nil), p.Digest) {
		return failure(Changed, "the document has changed since it was prepared")
	}
	if _, err := w.Write(tail); err != nil {
		return &Error{Kind: Failed, Msg: "the signed document cannot be written", Err: err}
	}
	return nil
}

// signedTail is Tail with the CMS message in its place. The digits that are left over stay zeros, as ISO 32000-1
// §12.8.3.3.1 has it.
func (p *Prepared) signedTail(signature, token []byte) ([]byte, error) {
	if p.CMS == nil || !p.HashAlgorithm().Available() || p.Room <= 0 || p.Contents <= 0 || p.Contents+2*p.Room >= len(p.Tail) {
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
	message, err := p.CMS.Assemble(signature, token)
	if err != nil {
		return nil, fromCMS(err)
	}
	if len(message) > p.Room {
		return nil, failure(BadSignature, "the signature has %d bytes, and only %d were reserved", len(message), p.Room)
	}
	tail := bytes.Clone(p.Tail)
	hex.Encode(tail[p.Contents:], message)
	return tail, nil
}
