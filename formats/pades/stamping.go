package pades

import (
	"bytes"
	"crypto"
	"io"

	"sigillo/formats/ades"
	"sigillo/formats/cms"
	"sigillo/formats/pdf"
)

// Stamping is a document that lacks only its document time-stamp (EN 319 142-1 §5.4.3, ISO 32000-2 §12.8.5). It is plain data,
// may be stored as JSON, holds nothing of the document, and can be assembled by another process.
type Stamping struct {
	appendix // Size, Check, Tail, Contents, Room
	// Hash is the digest algorithm, as "SHA-256".
	Hash string `json:"hash"`
	// Imprint is what the time-stamp must be over.
	Imprint []byte `json:"imprint"`
	// Field is the name of the new signature field.
	Field string `json:"field"`
}

// PrepareTimestamp prepares a document time-stamp, which raises every signature of the document from level B-B to B-T: the
// unsigned attributes of a PDF signature cannot be changed any more (EN 319 142-1 §6.3). A document without signatures gets a
// time-stamp alone.
//
// e.TokenSize must be given. A certification does not forbid it (ISO 32000-2 §12.8.2.2.2).
func PrepareTimestamp(doc io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	return prepareStamping(doc, size, nil, e)
}

// PrepareArchive puts the evidence into the document security store (see [AddEvidence]) and then prepares a document
// time-stamp over all: level B-LTA. On a document that has this level it renews the protection; the evidence should then
// be what is needed to check the last time-stamp.
func PrepareArchive(doc io.ReaderAt, size int64, e ades.Extension) (*Stamping, error) {
	tail, err := evidenceTail(doc, size, e)
	if err != nil {
		return nil, err
	}
	return prepareStamping(doc, size, tail, e)
}

// prepareStamping prepares a time-stamp over the document with the revision before appended to it.
func prepareStamping(doc io.ReaderAt, size int64, before []byte, e ades.Extension) (*Stamping, error) {
	h := e.Hash
	if h == 0 {
		h = crypto.SHA256
	}
	if h == crypto.SHA1 || !h.Available() || cms.HashByName(h.String()) != h {
		return nil, failure(BadOptions, "this digest algorithm cannot be used for a time-stamp")
	}
	if e.TokenSize <= 0 || e.TokenSize > maxTimestamp {
		return nil, failure(BadOptions, "no time-stamp has %d bytes; say how many its authority's have at most", e.TokenSize)
	}
	s := &Stamping{Hash: h.String()}
	whole := &joined{doc: doc, size: size, tail: before}
	if err := s.build(whole, size+int64(len(before)), e); err != nil {
		return nil, fromPDF(err)
	}
	s.Size, s.Contents, s.Tail = size, s.Contents+len(before), append(before, s.Tail...)
	var err error
	if s.Imprint, err = s.sum(doc, h); err != nil {
		return nil, err
	}
	return s, nil
}

// joined is a document with what will be appended to it.
type joined struct {
	doc  io.ReaderAt
	size int64
	tail []byte
}

func (j *joined) ReadAt(p []byte, off int64) (n int, err error) {
	if off < j.size {
		n, err = j.doc.ReadAt(p[:min(int64(len(p)), j.size-off)], off)
		if off+int64(n) < j.size {
			return n, err
		}
		if n == len(p) {
			return n, nil
		}
	}
	more, err := bytes.NewReader(j.tail).ReadAt(p[n:], off+int64(n)-j.size)
	return n + more, err
}

// build encodes the revision with the time-stamp's dictionary.
func (s *Stamping) build(doc io.ReaderAt, size int64, x ades.Extension) error {
	f, err := open(doc, size, x.Password)
	if err != nil {
		return err
	}
	fm, err := readForm(f)
	if err != nil {
		return err
	}
	if err := fm.mayGetFields(); err != nil {
		return err
	}
	e, err := newEdit(f, fm)
	if err != nil {
		return err
	}
	if err := e.mayWrite(target{}); err != nil {
		return err
	}
	g := &gap{room: x.TokenSize}
	sig, err := e.add(g.fill(pdf.Dict{
		"Type": pdf.Name("DocTimeStamp"), "Filter": pdf.Name("Adobe.PPKLite"), "SubFilter": pdf.Name("ETSI.RFC3161"),
	}))
	if err != nil {
		return err
	}
	s.Field = fm.freeName()
	if err := e.sign(target{name: s.Field}, sig, widget{}); err != nil {
		return err
	}
	tail, err := e.bytes()
	if err != nil {
		return err
	}
	s.appendix, err = newAppendix(size, tail, g)
	return err
}

// Imprints gives the one imprint that a token is needed for.
func (s *Stamping) Imprints() [][]byte { return [][]byte{s.Imprint} }

// StampedSize is the size of the document once stamped, in bytes.
func (s *Stamping) StampedSize() int64 { return s.Size + int64(len(s.Tail)) }

// Assemble writes the document with the time-stamp token in it. As [Prepared.Assemble] it refuses a document that has changed,
// and a token over something else.
func (s *Stamping) Assemble(w io.Writer, doc io.ReaderAt, size int64, tokens [][]byte) error {
	h := cms.HashByName(s.Hash)
	if h == 0 || !h.Available() || !s.whole() {
		return failure(BadOptions, "the prepared time-stamp is incomplete")
	}
	if len(tokens) != 1 {
		return failure(BadOptions, "one time-stamp is needed, not %d", len(tokens))
	}
	t, err := cms.ParseToken(tokens[0])
	if err != nil {
		return fromCMS(err)
	}
	if t.Info.Hash != h || !bytes.Equal(t.Info.Imprint, s.Imprint) {
		return failure(BadSignature, "the time-stamp is not over this document")
	}
	return s.assemble(w, doc, size, tokens[0])
}
