package tsd

import (
	"bytes"
	"crypto"
	"io"
	"unicode/utf8"

	"sigillo/formats/cms"
	"sigillo/formats/der"
	"sigillo/formats/internal/ber"
)

// Bounds of what is around the document.
const (
	maxContent  = 1 << 40  // octets of the document
	maxAround   = 64 << 20 // octets of all the rest; tokens may carry lists of millions of octets
	maxHeaders  = 64 << 20
	maxDepth    = 32
	maxEvidence = 64      // time-stamps
	maxText     = 4 << 10 // octets of a name, media type or address
)

// Metadata describes the document (§2).
type Metadata struct {
	// Protected says that the first time-stamp is over the metadata too.
	Protected bool   `json:"protected,omitempty"`
	FileName  string `json:"fileName,omitempty"`
	MediaType string `json:"mediaType,omitempty"`
	// Other are the attributes of otherMetaData as they stand, in DER; none are
	// known here.
	Other []byte `json:"other,omitempty"`
}

// Evidence is a TimeStampAndCRL: a token, and a list to check it with.
type Evidence struct {
	Token []byte // TimeStampToken
	CRL   []byte // CertificateList; nil: none

	raw []byte // as it stands, nil if it was not read
}

// Data is time-stamped data that was read.
type Data struct {
	URI  string
	Meta *Metadata // nil: none
	// Evidence are the time-stamps, the oldest first; empty when the evidence is
	// of another kind.
	Evidence []Evidence
	// Record is an evidence record (RFC 4998) in place of them, as a SEQUENCE.
	Record []byte

	meta    []byte // metaData in DER
	content *ber.Content
	before  []byte // dataUri and metaData in DER, for copying
}

// Is reports whether a file starts like time-stamped data; start is at least its
// first 64 octets.
func Is(start []byte) bool {
	if len(start) < 2 || start[0] != 0x30 {
		return false
	}
	n := 2
	if start[1] > 0x80 {
		n += int(start[1] & 0x7f)
	}
	return len(start) > n && bytes.HasPrefix(start[n:], derOID)
}

// Parse reads time-stamped data of the given size. The document is measured, not
// read; r must stay readable as long as it is wanted. What is no time-stamped data
// gives the kind NotCMS.
func Parse(r io.ReaderAt, size int64) (*Data, error) {
	src := ber.New(r, size, ber.Limits{Headers: maxHeaders, Memory: maxAround, Depth: maxDepth})
	start := make([]byte, min(size, 64))
	if n, err := r.ReadAt(start, 0); n < len(start) {
		return nil, &Error{cms.Failed, "the file cannot be read", err}
	}
	if !Is(start) {
		return nil, fail(cms.NotCMS, "the file is no time-stamped data (RFC 5544)")
	}
	fields, err := unwrap(src)
	if err != nil {
		return nil, under(err)
	}
	d := &Data{}
	if err := d.read(fields); err != nil {
		return nil, under(err)
	}
	return d, nil
}

// unwrap gives the fields of the TimeStampedData in the ContentInfo.
func unwrap(src *ber.Source) ([]ber.Element, error) {
	root, err := src.Root()
	if err != nil {
		return nil, err
	}
	info, err := root.Children(2)
	if err != nil {
		return nil, err
	}
	if len(info) != 2 || !info[1].Is(ber.Context0) {
		return nil, fail(cms.Malformed, "the ContentInfo has no content")
	}
	in, err := info[1].Children(1)
	if err != nil {
		return nil, err
	}
	if len(in) != 1 || !in[0].Is(ber.Sequence) {
		return nil, fail(cms.Malformed, "the ContentInfo holds no TimeStampedData")
	}
	return in[0].Children(5)
}

// read takes the fields in their order (§2).
func (d *Data) read(f []ber.Element) error {
	take := func(tag byte) (ber.Element, bool) {
		if len(f) == 0 || !f[0].Is(tag) {
			return ber.Element{}, false
		}
		e := f[0]
		f = f[1:]
		return e, true
	}
	version, ok := take(ber.Integer)
	if !ok {
		return fail(cms.Malformed, "the TimeStampedData has no version")
	}
	if v, err := version.Value(); err != nil || len(v) != 1 || v[0] != 1 {
		return fail(cms.Unsupported, "the TimeStampedData is not of version 1")
	}
	if e, ok := take(ber.IA5); ok {
		if err := d.readURI(e); err != nil {
			return err
		}
	}
	if e, ok := take(ber.Sequence); ok {
		if err := d.readMeta(e); err != nil {
			return err
		}
	}
	if e, ok := take(ber.OctetTag); ok {
		c, err := e.Content(maxContent)
		if err != nil {
			return err
		}
		d.content = c
	}
	if len(f) != 1 {
		return fail(cms.Malformed, "the TimeStampedData has no evidence, or fields out of their place")
	}
	return d.readEvidence(f[0])
}

func (d *Data) readURI(e ber.Element) error {
	v, err := text(e)
	if err != nil {
		return err
	}
	d.URI = v
	d.before = append(d.before, der.TLV(der.IA5, []byte(v))...)
	return nil
}

// text is a bounded string.
func text(e ber.Element) (string, error) {
	if e.End-e.Start > maxText {
		return "", fail(cms.Limit, "a text in the metadata is longer than %d octets", maxText)
	}
	v, err := e.Value()
	if err == nil && (!utf8.Valid(v) || bytes.IndexByte(v, 0) >= 0) {
		err = fail(cms.Malformed, "a text in the metadata is not UTF-8")
	}
	return string(v), err
}

func (d *Data) readMeta(e ber.Element) error {
	raw, err := e.Bytes()
	if err != nil {
		return err
	}
	if d.meta, err = ber.Definite(raw); err != nil { // the imprint is over DER (§4)
		return err
	}
	d.before = append(d.before, d.meta...)
	f, err := e.Children(4)
	if err != nil {
		return err
	}
	m := &Metadata{}
	if len(f) == 0 || !f[0].Is(ber.Boolean) {
		return fail(cms.Malformed, "the metadata do not say whether they are protected")
	}
	v, err := f[0].Value()
	if err != nil || len(v) != 1 {
		return fail(cms.Malformed, "the metadata do not say whether they are protected")
	}
	m.Protected = v[0] != 0
	last := 0
	for _, e := range f[1:] {
		place := map[byte]int{ber.UTF8: 1, ber.IA5: 2, ber.Set: 3}[e.Tag]
		if place <= last {
			return fail(cms.Malformed, "the metadata have fields out of their place")
		}
		last = place
		switch e.Tag {
		case ber.UTF8:
			m.FileName, err = text(e)
		case ber.IA5:
			m.MediaType, err = text(e)
		case ber.Set:
			m.Other, err = e.Bytes()
		}
		if err != nil {
			return err
		}
	}
	d.Meta = m
	return nil
}

func (d *Data) readEvidence(e ber.Element) error {
	switch e.Tag {
	case ber.Context0:
	case ber.Context1: // [1] IMPLICIT EvidenceRecord, a SEQUENCE
		raw, err := e.Bytes()
		if err != nil {
			return err
		}
		if raw, err = ber.Definite(raw); err != nil {
			return err
		}
		raw[0] = der.Sequence
		d.Record = raw
		return nil
	case ber.Context2:
		return fail(cms.Unsupported, "the evidence is neither time-stamps nor an evidence record")
	default:
		return fail(cms.Malformed, "the TimeStampedData has no evidence")
	}
	all, err := e.Children(maxEvidence)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fail(cms.Malformed, "the TimeStampedData has no time-stamp")
	}
	for _, one := range all {
		f, err := one.Children(2)
		if err != nil {
			return err
		}
		if !one.Is(ber.Sequence) || len(f) == 0 || !f[0].Is(ber.Sequence) || len(f) == 2 && !f[1].Is(ber.Sequence) {
			return fail(cms.Malformed, "a time-stamp of the TimeStampedData is broken")
		}
		var v Evidence
		if v.raw, err = one.Bytes(); err != nil {
			return err
		}
		v.Token = v.raw[f[0].From-one.From : f[0].To-one.From]
		if len(f) == 2 {
			v.CRL = v.raw[f[1].From-one.From : f[1].To-one.From]
		}
		d.Evidence = append(d.Evidence, v)
	}
	return nil
}

// HasContent reports whether the document is inside; without it [Data.URI] says
// where it is.
func (d *Data) HasContent() bool { return d.content != nil }

// ContentSize gives the size of the document in octets, 0 when it is not inside.
func (d *Data) ContentSize() int64 {
	if d.content == nil {
		return 0
	}
	return d.content.Size
}

// Content gives a new reader of the document, nil when it is not inside.
func (d *Data) Content() io.Reader {
	if d.content == nil {
		return nil
	}
	return d.content.Reader()
}

// ContentAt gives random access to the document; the error has the kind Limit when
// it is cut into too many pieces.
func (d *Data) ContentAt() (io.ReaderAt, error) {
	if d.content == nil {
		return nil, fail(cms.ContentMissing, "the document is not inside")
	}
	r, err := d.content.At()
	return r, under(err)
}

// Imprint gives the function that says what time-stamp i must be over: the first
// over the metadata, if they are protected, and the document; each further one
// over the DER of the element before it (§4). document opens the document when it is not
// inside; it is asked for each digest algorithm once. The errors have the kinds
// ContentMissing, Unsupported, Failed.
func (d *Data) Imprint(i int, document func() io.Reader) func(crypto.Hash) ([]byte, error) {
	if i > 0 {
		return func(h crypto.Hash) ([]byte, error) { return digest(h, nil, bytes.NewReader(d.Evidence[i-1].element())) }
	}
	known := map[crypto.Hash][]byte{}
	return func(h crypto.Hash) ([]byte, error) {
		if sum, ok := known[h]; ok {
			return sum, nil
		}
		r := d.Content()
		if r == nil && document != nil {
			r = document()
		}
		if r == nil {
			return nil, fail(cms.ContentMissing, "the document is not inside: it is needed beside the file")
		}
		sum, err := digest(h, d.protected(), r)
		if err == nil {
			known[h] = sum
		}
		return sum, err
	}
}

// protected is what goes before the document under the first time-stamp.
func (d *Data) protected() []byte {
	if d.Meta == nil || !d.Meta.Protected {
		return nil
	}
	return d.meta
}

func digest(h crypto.Hash, before []byte, r io.Reader) ([]byte, error) {
	if !h.Available() {
		return nil, fail(cms.Unsupported, "digest algorithm %v is not available", h)
	}
	d := h.New()
	d.Write(before)
	if _, err := io.Copy(d, r); err != nil {
		return nil, under(err)
	}
	return d.Sum(nil), nil
}

// element is the TimeStampAndCRL in DER.
func (e Evidence) element() []byte {
	raw := e.raw
	if raw == nil {
		raw = der.TLV(der.Sequence, e.Token, e.CRL)
	}
	if definite, err := ber.Definite(raw); err == nil {
		return definite
	}
	return raw
}
