package cms

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"io"
)

// Assemble gives the finished ContentInfo in DER: detached, or with the content
// inside when the Prepared holds it. signature is the value as crypto.Signer
// returns it. token, if not nil, is a time-stamp token over the signature value;
// it becomes the signature-time-stamp attribute (EN 319 122-1 §5.3), and one that
// stamps something else is refused.
func (p *Prepared) Assemble(signature, token []byte) ([]byte, error) {
	if err := p.check(signature, token); err != nil {
		return nil, err
	}
	size := int64(-1)
	if p.Content != nil {
		size = int64(len(p.Content))
	}
	head, tail, err := p.around(size, signature, token)
	if err != nil {
		return nil, err
	}
	return append(append(head, p.Content...), tail...), nil
}

// AssembleAttached writes the finished ContentInfo with the content inside. The
// content is copied through, not held; it must have exactly size bytes and the
// digest that was prepared. If it has not, what was written must be thrown away.
func (p *Prepared) AssembleAttached(w io.Writer, content io.Reader, size int64, signature, token []byte) error {
	if err := p.check(signature, token); err != nil {
		return err
	}
	if size < 0 || p.Content != nil {
		return fail(BadOptions, "the content must have a size, and not be part of the signature already")
	}
	head, tail, err := p.around(size, signature, token)
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return wrap(Failed, err, "writing the signed file")
	}
	d := p.HashAlgorithm().New()
	n, err := io.Copy(io.MultiWriter(w, d), io.LimitReader(content, size))
	if err != nil {
		return wrap(Failed, err, "copying the document into the signed file")
	}
	var more [1]byte
	if k, _ := io.ReadFull(content, more[:]); n != size || k > 0 {
		return fail(Mismatch, "the document does not have the %d bytes it was said to have", size)
	}
	if subtle.ConstantTimeCompare(d.Sum(nil), p.ContentDigest) != 1 {
		return fail(Mismatch, "the document is not the one that was prepared for signing")
	}
	if _, err := w.Write(tail); err != nil {
		return wrap(Failed, err, "writing the signed file")
	}
	return nil
}

// MaxSize gives the size of the largest output of [Prepared.Assemble] with a token
// of at most tokenSize octets; 0 means no token. The bound is reached when the
// signature value has its greatest length. -1 means the Prepared is broken.
func (p *Prepared) MaxSize(tokenSize int) int {
	if p.Content != nil {
		return int(p.maxSize(int64(len(p.Content)), tokenSize))
	}
	return int(p.maxSize(-1, tokenSize))
}

// MaxSizeAttached is MaxSize for [Prepared.AssembleAttached] with a content of the
// given size.
func (p *Prepared) MaxSizeAttached(size int64, tokenSize int) int64 {
	if size < 0 || size > 1<<60 {
		return -1
	}
	return p.maxSize(size, tokenSize)
}

func (p *Prepared) maxSize(size int64, tokenSize int) int64 {
	if p.incomplete() || p.MaxSignature > 1<<16 || tokenSize > 1<<28 {
		return -1
	}
	var token []byte
	if tokenSize > 0 {
		token = make([]byte, tokenSize)
	}
	head, tail, err := p.around(size, make([]byte, p.MaxSignature), token)
	if err != nil {
		return -1
	}
	return int64(len(head)) + max(size, 0) + int64(len(tail))
}

// incomplete reports a Prepared that was not made by Prepare, or was damaged where
// it was stored.
func (p *Prepared) incomplete() bool {
	return p.HashAlgorithm() == 0 || len(p.SignedAttributes) < 2 || len(p.SignerIdentifier) == 0 || p.MaxSignature <= 0
}

// StampDigest gives the imprint of the signature time-stamp: the digest of the
// signature value (EN 319 122-1 §5.3).
func (p *Prepared) StampDigest(signature []byte, h crypto.Hash) ([]byte, error) {
	if !strong(h) {
		return nil, fail(BadOptions, "digest algorithm %v cannot be used for a time-stamp", h)
	}
	return digestOf(h, signature), nil
}

// check refuses a value or token that cannot belong to this signature.
func (p *Prepared) check(signature, token []byte) error {
	if p.incomplete() {
		return fail(BadOptions, "the prepared signature is incomplete")
	}
	if n := len(signature); n == 0 || n > p.MaxSignature || p.Scheme != ECDSA && n != p.MaxSignature {
		return fail(BadSignature, "the signature value has %d bytes, which this key does not give", n)
	}
	if token == nil {
		return nil
	}
	t, err := ParseToken(token)
	if err != nil {
		return err
	}
	if err := checkImprintHash(t.Info.Hash); err != nil {
		return err
	}
	if !bytes.Equal(digestOf(t.Info.Hash, signature), t.Info.Imprint) {
		return fail(Mismatch, "the time-stamp is not over this signature value")
	}
	return nil
}

// around gives what stands before and after the content; size -1 is detached.
func (p *Prepared) around(size int64, signature, token []byte) (head, tail []byte, err error) {
	signatureAlgorithm, err := p.Algorithm().Identifier()
	if err != nil {
		return nil, nil, err
	}
	version := byte(1)
	if !p.ContentType.Equal(OIDData) {
		version = 3 // RFC 5652 §5.1
	}
	digestAlgorithm := algorithm(HashOID(p.HashAlgorithm()), nil) // RFC 5754 §2
	var unsigned []byte
	if token != nil {
		unsigned = tlv(tagContext0Con|1, attribute(OIDSignatureTimeStamp, token))
	}
	signed := bytes.Clone(p.SignedAttributes)
	signed[0] = tagContext0Con // IMPLICIT [0] in place of SET OF
	signer := tlv(tagSequence, derSmall(1), p.SignerIdentifier, digestAlgorithm, signed,
		signatureAlgorithm, tlv(tagOctets, signature), unsigned)
	if len(p.Certificates) > 0 {
		tail = tlv(tagContext0Con, p.Certificates...)
	}
	tail = append(tail, tlv(tagSet, signer)...)

	// From the content outwards: each header needs the size of what it holds.
	contentType := derOID(p.ContentType)
	front, inner := []byte(nil), int64(len(contentType))
	if size >= 0 {
		octets := tlvSize(size)
		inner += tlvSize(octets)
		front = appendHeader(appendHeader(nil, tagContext0Con, octets), tagOctets, size)
	}
	before := append(derSmall(version), tlv(tagSet, digestAlgorithm)...)
	data := int64(len(before)) + tlvSize(inner) + int64(len(tail))
	head = appendHeader(nil, tagSequence, int64(len(derSignedData))+tlvSize(tlvSize(data)))
	head = append(head, derSignedData...)
	head = appendHeader(head, tagContext0Con, tlvSize(data))
	head = appendHeader(head, tagSequence, data)
	head = append(head, before...)
	head = appendHeader(head, tagSequence, inner)
	head = append(head, contentType...)
	return append(head, front...), tail, nil
}

var derSignedData = derOID(OIDSignedData)
