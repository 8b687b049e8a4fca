package tsd

import (
	"bytes"
	"crypto"
	"crypto/subtle"
	"io"
	"unicode/utf8"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/der"
	"sigillo/formats/internal/ber"
)

// Options say how a document is put into an envelope.
type Options struct {
	// Hash is the digest of the imprint: SHA-256, SHA-384 or SHA-512.
	Hash crypto.Hash
	// URI says where the document is; it is needed when Outside is set.
	URI string
	// Outside leaves the document out of the envelope.
	Outside bool
	// Meta describes the document; nil: not said.
	Meta *Metadata
}

// Prepared is an envelope that lacks only its time-stamp. The document is not in
// it.
type Prepared struct {
	Hash    string    `json:"hash"` // "SHA-256", …
	URI     string    `json:"uri,omitempty"`
	Outside bool      `json:"outside,omitempty"`
	Meta    *Metadata `json:"meta,omitempty"`
	Size    int64     `json:"size"`    // of the document
	Imprint []byte    `json:"imprint"` // what the time-stamp has to be over
}

// Prepare reads the document to its end and gives the envelope with the imprint to
// be stamped. The errors have the kinds BadOptions and Failed.
func Prepare(document io.Reader, o Options) (*Prepared, error) {
	p := &Prepared{Hash: o.Hash.String(), URI: o.URI, Outside: o.Outside, Meta: o.Meta}
	meta, err := p.check()
	if err != nil {
		return nil, err
	}
	d := o.Hash.New()
	if p.protected() {
		d.Write(meta)
	}
	if p.Size, err = io.Copy(d, document); err != nil {
		return nil, &Error{cms.Failed, "the document cannot be read", err}
	}
	p.Imprint = d.Sum(nil)
	return p, nil
}

func (p *Prepared) protected() bool { return p.Meta != nil && p.Meta.Protected }

// check refuses what cannot be written, and gives the metadata in DER.
func (p *Prepared) check() ([]byte, error) {
	if h := cms.HashByName(p.Hash); h != crypto.SHA256 && h != crypto.SHA384 && h != crypto.SHA512 {
		return nil, fail(cms.BadOptions, "the imprint is of SHA-256, SHA-384 or SHA-512")
	}
	if p.Outside && p.URI == "" {
		return nil, fail(cms.BadOptions, "a document outside of the envelope needs an address (dataUri)")
	}
	if !ascii(p.URI) {
		return nil, fail(cms.BadOptions, "the address of the document is not ASCII or longer than %d octets", maxText)
	}
	if p.Meta == nil {
		return nil, nil
	}
	return p.Meta.marshal()
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return len(s) <= maxText
}

// marshal gives the MetaData.
func (m *Metadata) marshal() ([]byte, error) {
	if !utf8.ValidString(m.FileName) || len(m.FileName) > maxText || bytes.IndexByte([]byte(m.FileName), 0) >= 0 || !ascii(m.MediaType) {
		return nil, fail(cms.BadOptions, "the name of the document is not UTF-8, its media type not ASCII, or one of them is too long")
	}
	parts := [][]byte{{der.Boolean, 1, 0}}
	if m.Protected {
		parts[0][2] = 0xff
	}
	if m.FileName != "" {
		parts = append(parts, der.TLV(der.UTF8, []byte(m.FileName)))
	}
	if m.MediaType != "" {
		parts = append(parts, der.TLV(der.IA5, []byte(m.MediaType)))
	}
	if m.Other != nil {
		parts = append(parts, m.Other)
	}
	return der.TLV(der.Sequence, parts...), nil
}

// Assemble writes the finished file. The document is copied through, not held; if
// it is not the one that was prepared, the error has the kind Mismatch and what
// was written must be thrown away. document is not read, and may be nil, when the
// document stays outside.
func (p *Prepared) Assemble(w io.Writer, document io.Reader, token []byte) error {
	meta, err := p.check()
	if err != nil {
		return err
	}
	h := cms.HashByName(p.Hash)
	if token, err = checked(token, h, p.Imprint); err != nil {
		return err
	}
	var before []byte
	if p.URI != "" {
		before = der.TLV(der.IA5, []byte(p.URI))
	}
	before = append(before, meta...)
	size := p.Size
	if p.Outside {
		size = -1
	}
	evidence := der.TLV(der.Context0Con, Evidence{Token: token}.element())
	if p.Outside {
		return envelope(w, before, nil, size, evidence)
	}
	d := h.New()
	if p.protected() {
		d.Write(meta)
	}
	if err := envelope(w, before, io.TeeReader(document, d), size, evidence); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(d.Sum(nil), p.Imprint) != 1 {
		return fail(cms.Mismatch, "the document has changed since it was stamped")
	}
	return nil
}

// checked gives a token in DER that is over the imprint.
func checked(token []byte, h crypto.Hash, imprint []byte) ([]byte, error) {
	t, err := cms.ParseToken(token)
	if err != nil {
		return nil, &Error{cms.Malformed, "the time-stamp cannot be read", err}
	}
	if t.Info.Hash != h || !bytes.Equal(t.Info.Imprint, imprint) {
		return nil, fail(cms.Mismatch, "the time-stamp is over other data")
	}
	token, err = ber.Definite(token)
	return token, under(err)
}

// envelope writes a ContentInfo; size < 0: without content.
func envelope(w io.Writer, before []byte, content io.Reader, size int64, evidence []byte) error {
	before = append(der.Int(1), before...) // version
	n := int64(len(before) + len(evidence))
	if size >= 0 {
		n += der.Size(size)
	}
	head := der.AppendHeader(nil, der.Sequence, int64(len(derOID))+der.Size(der.Size(n)))
	head = append(head, derOID...)
	head = der.AppendHeader(head, der.Context0Con, der.Size(n))
	head = append(der.AppendHeader(head, der.Sequence, n), before...)
	if size >= 0 {
		head = der.AppendHeader(head, der.Octets, size)
	}
	if _, err := w.Write(head); err != nil {
		return &Error{cms.Failed, "writing", err}
	}
	if size >= 0 {
		if err := copyExactly(w, content, size); err != nil {
			return err
		}
	}
	if _, err := w.Write(evidence); err != nil {
		return &Error{cms.Failed, "writing", err}
	}
	return nil
}

// copyExactly copies a document whose length stands before it already.
func copyExactly(w io.Writer, r io.Reader, size int64) error {
	switch n, err := io.Copy(w, io.LimitReader(r, size)); {
	case err != nil:
		return &Error{cms.Failed, "copying the document", err}
	case n < size:
		return fail(cms.Mismatch, "the document is shorter than it was")
	}
	var more [1]byte
	if n, _ := io.ReadFull(r, more[:]); n > 0 {
		return fail(cms.Mismatch, "the document is longer than it was")
	}
	return nil
}

// Renewal is an envelope that lacks only a further time-stamp.
type Renewal struct {
	Hash    string `json:"hash"`
	Imprint []byte `json:"imprint"`
	// Last is the time-stamp that is renewed, with what it needs to be checked
	// once its own authority is gone.
	Last []byte `json:"last"`

	d *Data
}

// Renew prepares a further time-stamp, over the last one (§4). The evidence is put
// into that first: the certificates, lists and answers that show that it is good
// now, which nobody could show later.
func (d *Data) Renew(h crypto.Hash, e ades.Evidence) (*Renewal, error) {
	if len(d.Evidence) == 0 {
		return nil, fail(cms.Unsupported, "the evidence is no time-stamp: renew the evidence record itself")
	}
	if len(d.Evidence) == maxEvidence {
		return nil, fail(cms.Limit, "the file has %d time-stamps already", maxEvidence)
	}
	if h != crypto.SHA256 && h != crypto.SHA384 && h != crypto.SHA512 {
		return nil, fail(cms.BadOptions, "the imprint is of SHA-256, SHA-384 or SHA-512")
	}
	last := d.Evidence[len(d.Evidence)-1]
	sd, err := cms.ParseBytes(last.Token, cms.Limits{})
	if err != nil {
		return nil, &Error{cms.Malformed, "the last time-stamp cannot be read", err}
	}
	if sd, err = sd.Add(cms.Additions{Evidence: e}); err != nil {
		return nil, &Error{cms.Unsupported, "the last time-stamp takes no evidence", err}
	}
	var token bytes.Buffer
	if err := sd.Write(&token); err != nil {
		return nil, &Error{cms.Failed, "writing", err}
	}
	with := Evidence{Token: token.Bytes(), CRL: last.CRL}.element()
	sum, err := digest(h, nil, bytes.NewReader(with))
	return &Renewal{Hash: h.String(), Imprint: sum, Last: with, d: d}, err
}

// Assemble writes the file with the further time-stamp. The document is copied
// from where [Parse] found it.
func (r *Renewal) Assemble(w io.Writer, token []byte) error {
	token, err := checked(token, cms.HashByName(r.Hash), r.Imprint)
	if err != nil {
		return err
	}
	var all []byte
	for _, e := range r.d.Evidence[:len(r.d.Evidence)-1] {
		all = append(all, e.element()...)
	}
	all = append(append(all, r.Last...), Evidence{Token: token}.element()...)
	size := int64(-1)
	if r.d.HasContent() {
		size = r.d.ContentSize()
	}
	return envelope(w, r.d.before, r.d.Content(), size, der.TLV(der.Context0Con, all))
}
