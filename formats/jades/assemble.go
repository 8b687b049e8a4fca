package jades

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"io"
	"strings"

	"sigillo/formats/cms"
)

// DTBS gives the data to be signed, the JWS signing input (RFC 7515 §5.1), of a
// detached signature. It is nil for the others: their data hold the document, see
// [Prepared.DTBSOf].
func (p *Prepared) DTBS() []byte {
	if p.Detached && p.Role != counter {
		return []byte(p.Protected + ".")
	}
	return nil
}

// DTBSOf gives the data to be signed from what will be given to Assemble: the
// document, or the existing file for a parallel or counter-signature.
func (p *Prepared) DTBSOf(doc io.ReaderAt, size int64) ([]byte, error) {
	var b bytes.Buffer
	if err := p.writeDTBS(&b, doc, size); err != nil {
		return nil, err
	}
	return b.Bytes(), p.checkDTBS(b.Bytes())
}

func (p *Prepared) checkDTBS(dtbs []byte) error {
	if h := p.HashAlgorithm(); h == 0 || !bytes.Equal(digestOf(h, dtbs), p.Digest) {
		return fail(cms.Mismatch, "the document is not the one that was prepared")
	}
	return nil
}

func (p *Prepared) writeDTBS(w io.Writer, doc io.ReaderAt, size int64) error {
	if _, err := io.WriteString(w, p.Protected+"."); err != nil {
		return wrap(cms.Failed, err, "writing the data to be signed")
	}
	switch {
	case p.Role == alone && p.Detached, p.Role == parallel && p.Detached:
		return nil
	case p.Role == alone:
		return copyEncoded(w, doc, size, true)
	}
	m, err := p.existing(doc, size)
	if err != nil {
		return err
	}
	if p.Role == parallel {
		_, err = io.WriteString(w, m.payload)
	} else {
		_, err = io.WriteString(w, m.signatures[p.Counters].encodedValue)
	}
	return err
}

// existing reads the file that a parallel or counter-signature goes into.
func (p *Prepared) existing(file io.ReaderAt, size int64) (*message, error) {
	if size != p.Size {
		return nil, fail(cms.Mismatch, "the file has %d octets; the one that was prepared has %d", size, p.Size)
	}
	m, err := readMessage(file, size)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(m.sum(), p.SHA256) || p.Counters < 0 || p.Counters >= len(m.signatures) {
		return nil, fail(cms.Mismatch, "the file is not the one that was prepared")
	}
	return m, nil
}

// DTBSR gives the digest of the data to be signed.
func (p *Prepared) DTBSR() []byte { return p.Digest }

// HashAlgorithm gives the digest algorithm of DTBSR, 0 if the stored name is unknown.
func (p *Prepared) HashAlgorithm() crypto.Hash { return cms.HashByName(p.Hash) }

// Algorithm says how the key must sign.
func (p *Prepared) Algorithm() cms.Algorithm {
	a := cms.Algorithm{Scheme: p.Scheme, Hash: p.HashAlgorithm()}
	if a.Scheme == cms.PSS && a.Hash != 0 {
		a.SaltLength = a.Hash.Size()
	}
	return a
}

// encodedValue turns a value of crypto.Signer into the one that stands in the JWS.
func (p *Prepared) encodedValue(signature []byte) (string, *x509.Certificate, error) {
	c, err := x509.ParseCertificate(p.Certificate)
	if err != nil {
		return "", nil, wrap(cms.Malformed, err, "the prepared signature holds a broken certificate")
	}
	raw, err := jwsValue(c.PublicKey, signature)
	return b64.EncodeToString(raw), c, err
}

// StampDigest gives the imprint of the signature time-stamp: the digest of the
// base64url form of the signature value (TS 119 182-1 §5.3.4).
func (p *Prepared) StampDigest(signature []byte, h crypto.Hash) ([]byte, error) {
	text, _, err := p.encodedValue(signature)
	if err != nil {
		return nil, err
	}
	if !h.Available() {
		return nil, fail(cms.BadOptions, "the digest algorithm of the imprint is not available")
	}
	return digestOf(h, []byte(text)), nil
}

// Assemble writes the signed file. doc is the document; for a detached signature
// it may be nil, and for a parallel or counter-signature it is the existing file.
// signature is the value as crypto.Signer returns it, token the time-stamp over it
// for B-T and nil for B-B. If the document has changed since it was prepared an
// error comes and what was written must be thrown away.
func (p *Prepared) Assemble(w io.Writer, doc io.ReaderAt, size int64, signature, token []byte) error {
	value, c, err := p.encodedValue(signature)
	if err != nil {
		return err
	}
	items, err := p.unsigned(token, value)
	if err != nil {
		return err
	}
	if err := p.verify(c, doc, size, signature); err != nil {
		return err
	}
	object := signatureObject(p.Protected, items, value)
	switch {
	case p.Role != alone:
		return p.insert(w, doc, size, object, value)
	case p.Serialization == Compact:
		return p.write(w, doc, size, p.Protected+".", "."+value)
	case p.Serialization == General:
		return p.write(w, doc, size, `{"payload":"`, `","signatures":[`+object+`]}`)
	}
	return p.write(w, doc, size, `{"payload":"`, `",`+object[1:])
}

// verify refuses a value that is not one of the prepared data. An Ed25519 value
// is over the data themselves, which are made again for that.
func (p *Prepared) verify(c *x509.Certificate, doc io.ReaderAt, size int64, signature []byte) error {
	if p.Role == alone && !p.Detached && size != p.Size {
		return fail(cms.Mismatch, "the document has %d octets; the one that was prepared has %d", size, p.Size)
	}
	if p.HashAlgorithm() == 0 {
		return fail(cms.BadOptions, "nothing was prepared")
	}
	if p.Scheme != cms.Ed25519 {
		return p.Algorithm().VerifyDigest(c.PublicKey, p.Digest, signature)
	}
	dtbs, err := p.DTBSOf(doc, size)
	if err != nil {
		return err
	}
	return p.Algorithm().Verify(c.PublicKey, dtbs, signature)
}

// unsigned gives the entries of etsiU, in JSON, after holding the caller to the
// level that was prepared (§6.3: the time-stamp of B-T is made before the signer's
// certificate expires).
func (p *Prepared) unsigned(token []byte, value string) ([]string, error) {
	switch {
	case p.Timestamp == 0 && token == nil:
		return nil, nil
	case p.Timestamp == 0:
		return nil, fail(cms.BadOptions, "the signature was prepared without a time-stamp and cannot take one")
	case token == nil:
		return nil, fail(cms.BadOptions, "the signature was prepared for level B-T and needs its time-stamp")
	case len(token) > p.Timestamp:
		return nil, fail(cms.BadOptions, "the time-stamp has %d octets; at most %d were announced", len(token), p.Timestamp)
	}
	t, err := cms.ParseToken(token)
	if err != nil {
		return nil, err
	}
	if t.Info.GenTime.After(p.NotAfter) {
		return nil, fail(cms.Mismatch, "the signer's certificate had expired when the signature was stamped")
	}
	if err := t.Verify(func(h crypto.Hash) ([]byte, error) { return digestOf(h, []byte(value)), nil }); err != nil {
		return nil, err
	}
	item, err := stampItem("sigTst", token, false)
	return []string{item}, err
}

// stampItem gives a time-stamp as an entry of etsiU (§5.4.3.3).
func stampItem(name string, token []byte, plain bool) (string, error) {
	return item(name, tstContainer{[]pkiObject{{base64.StdEncoding.EncodeToString(token)}}}, plain)
}

// item gives an entry of etsiU in JSON: base64url of an object of one member, or
// the object itself.
func item(name string, content any, plain bool) (string, error) {
	raw, err := marshal(map[string]any{name: content})
	if err != nil || plain {
		return string(raw), err
	}
	return `"` + b64.EncodeToString(raw) + `"`, nil
}

// signatureObject gives the members of one signature (RFC 7515 §7.2.1).
func signatureObject(protected string, items []string, value string) string {
	head := ""
	if len(items) > 0 {
		head = `"header":{"etsiU":[` + strings.Join(items, ",") + `]},`
	}
	return `{"protected":"` + protected + `",` + head + `"signature":"` + value + `"}`
}

// write writes a file of its own with the payload between two texts. Without a
// payload the member is left out (RFC 7515 Appendix F).
func (p *Prepared) write(w io.Writer, doc io.ReaderAt, size int64, before, after string) error {
	if p.Detached {
		if p.Serialization != Compact {
			before, after = "{", after[len(`",`):]
		}
		_, err := io.WriteString(w, before+after)
		return failed(err)
	}
	if _, err := io.WriteString(w, before); err != nil {
		return failed(err)
	}
	d := p.HashAlgorithm().New()
	io.WriteString(d, p.Protected+".")
	if err := copyEncoded(io.MultiWriter(w, d), doc, size, true); err != nil {
		return err
	}
	if !bytes.Equal(d.Sum(nil), p.Digest) {
		return fail(cms.Mismatch, "the document is not the one that was prepared")
	}
	_, err := io.WriteString(w, after)
	return failed(err)
}

func failed(err error) error {
	if err != nil {
		return wrap(cms.Failed, err, "writing the signature")
	}
	return nil
}

// insert writes an existing file with this signature beside or under those in it.
func (p *Prepared) insert(w io.Writer, file io.ReaderAt, size int64, object, value string) error {
	m, err := p.existing(file, size)
	if err != nil {
		return err
	}
	if p.Role == parallel {
		_, err = io.WriteString(w, m.withSignature(object))
		return failed(err)
	}
	content := any(p.Protected + ".." + value)
	if p.Serialization != Compact {
		content = rawJSON(object)
	}
	parent := m.signatures[p.Counters]
	entry, err := item("cSig", content, parent.plain())
	if err != nil {
		return err
	}
	return m.writeWith(w, map[int][]string{p.Counters: {entry}})
}

// rawJSON is JSON that is written as it stands.
type rawJSON string

// MarshalJSON gives the text itself.
func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }
