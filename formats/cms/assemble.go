package cms

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"io"
	"math"
	"sync"

	"sigillo/formats/der"
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
// content is copied through, not held; it must have exactly size bytes and be the
// one that was prepared. If it is not, what was written must be thrown away.
//
// That it is the same is seen by the checksum if there is one, since a digest
// would cost as much again as all the rest; else by the digest. The checksum
// finds what changes by accident. A content that was changed on purpose to keep
// it gives a signature that does not verify, and nothing worse.
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
	var sum hash.Hash = crc32.New(castagnoli)
	want := p.ContentDigest
	if p.Checksum == nil {
		sum = p.HashAlgorithm().New()
	} else {
		want = binary.BigEndian.AppendUint32(nil, *p.Checksum)
	}
	n, err := copyContent(w, content, sum, size)
	if err != nil && err != errLonger {
		return wrap(Failed, err, "copying the document into the signed file")
	}
	if n != size || err != nil {
		return fail(Mismatch, "the document does not have the %d bytes it was said to have", size)
	}
	if subtle.ConstantTimeCompare(sum.Sum(nil), want) != 1 {
		return fail(Mismatch, "the document is not the one that was prepared for signing")
	}
	if _, err := w.Write(tail); err != nil {
		return wrap(Failed, err, "writing the signed file")
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// DigestContent reads a content to its end and gives its digest and its size and,
// if it is asked for one, the checksum that [Prepared.AssembleAttached] compares.
func DigestContent(r io.Reader, h crypto.Hash, checksum bool) (digest []byte, sum *uint32, size int64, err error) {
	if !h.Available() {
		return nil, nil, 0, fail(BadOptions, "digest algorithm %v is not available; use SHA-256, SHA-384 or SHA-512", h)
	}
	d := h.New()
	if !checksum {
		size, err = io.Copy(d, r)
	} else {
		crc := crc32.New(castagnoli)
		size, err = copyContent(d, r, crc, math.MaxInt64)
		n := crc.Sum32()
		sum = &n
	}
	if err != nil {
		return nil, nil, size, wrap(Failed, err, "reading the document")
	}
	return d.Sum(nil), sum, size, nil
}

// tee passes octets on to a writer and then to a checksum, in pieces that the
// checksum finds in the processor's cache: it is faster than the memory, and the
// digest is not.
type tee struct {
	w        io.Writer
	sum      hash.Hash
	n, limit int64
}

const piece = 32 << 10

var errLonger = errors.New("more octets than announced")

func (t *tee) Write(b []byte) (int, error) {
	if t.n += int64(len(b)); t.n > t.limit {
		return 0, errLonger
	}
	for at := 0; at < len(b); at += piece {
		p := b[at:min(at+piece, len(b))]
		if n, err := t.w.Write(p); err != nil {
			return at + n, err
		}
		t.sum.Write(p)
	}
	return len(b), nil
}

var buffers = sync.Pool{New: func() any { return new([piece]byte) }}

// copyContent copies r to w and to sum, through one small buffer, or without any
// if r can write itself. More than limit octets are [errLonger].
func copyContent(w io.Writer, r io.Reader, sum hash.Hash, limit int64) (int64, error) {
	b := buffers.Get().(*[piece]byte)
	defer buffers.Put(b)
	return io.CopyBuffer(&tee{w: w, sum: sum, limit: limit}, r, b[:])
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
	signer, err := p.signerInfo(signature, token)
	if err != nil {
		return nil, nil, err
	}
	m := &message{
		contentType: p.ContentType, digestAlgorithms: [][]byte{p.digestAlgorithm()},
		certificates: p.Certificates, signers: [][]byte{signer},
	}
	inner := encapsulatedHead(p.ContentType, size)
	head, tail = m.around(int64(len(inner)) + max(size, 0))
	return append(head, inner...), tail, nil
}

// SignerInfo gives the finished signature itself, to be put into a message that
// exists: see [Additions]. The arguments are those of [Prepared.Assemble].
func (p *Prepared) SignerInfo(signature, token []byte) ([]byte, error) {
	if err := p.check(signature, token); err != nil {
		return nil, err
	}
	return p.signerInfo(signature, token)
}

func (p *Prepared) signerInfo(signature, token []byte) ([]byte, error) {
	signatureAlgorithm, err := p.Algorithm().Identifier()
	if err != nil {
		return nil, err
	}
	if p.Plain && p.Scheme == PKCS1 {
		signatureAlgorithm = algorithm(oidRSA, derNull)
	}
	var unsigned []byte
	if token != nil {
		unsigned = der.TLV(der.Context0Con|1, attribute(OIDSignatureTimeStamp, token))
	}
	signed := bytes.Clone(p.SignedAttributes)
	signed[0] = der.Context0Con // IMPLICIT [0] in place of SET OF
	return der.TLV(der.Sequence, der.Int(1), p.SignerIdentifier, p.digestAlgorithm(), signed,
		signatureAlgorithm, der.TLV(der.Octets, signature), unsigned), nil
}

// digestAlgorithm is written without parameters (RFC 5754 §2), but as older
// programs write it in a plain signature.
func (p *Prepared) digestAlgorithm() []byte {
	if p.Plain {
		return algorithm(HashOID(p.HashAlgorithm()), derNull)
	}
	return algorithm(HashOID(p.HashAlgorithm()), nil)
}
