package pades

import (
	"crypto"
	"encoding/hex"
	"io"
	"time"

	"sigillo/formats/cms"
	"sigillo/formats/pdf"
)

// Coverage says how much of the file a signature signs.
type Coverage string

// The coverages of [Signature]. Anything but the first two means that the signature proves nothing.
const (
	WholeFile     Coverage = "file"     // all bytes but its own /Contents
	WholeRevision Coverage = "revision" // the same of an earlier revision; something was appended later
	Part          Coverage = "part"     // something else, see [Signature].Err
)

// Signature is a signature field with its value.
type Signature struct {
	Field     string // fully qualified name
	Filter    string // preferred handler, "Adobe.PPKLite" in PAdES
	SubFilter string // "ETSI.CAdES.detached", "adbe.pkcs7.detached", "ETSI.RFC3161" for a document time-stamp …
	ByteRange [4]int64
	// CMS is the message in /Contents, without the zeros after it.
	CMS    []byte
	Covers Coverage
	// Revision is the index in pdf.File.Revisions that the signature covers, Later how many revisions come
	// after it. A WholeFile signature has none.
	Revision, Later int
	// Time is /M, the time that the signer claims; zero if there is none.
	Time                            time.Time
	Reason, Location, Contact, Name string
	// Certification is what the author permits after a certification signature; 0: it is an approval signature, or
	// a document time-stamp (ISO 32000-2 §12.8.2.2).
	Certification Permission
	// DocMDP and FieldMDP are the restrictions that the signature itself states, whether it certifies or approves.
	DocMDP   Permission
	FieldMDP *Lock
	// Lock is the field's own lock dictionary; what was signed is in FieldMDP.
	Lock *Lock
	// Err is why the dictionary is not a signature over a whole revision; nil when it is. The CMS message was not
	// looked into.
	Err error

	doc  *Document
	once *message
	dict facts
}

// facts are what [Signature.Missing] asks of the dictionary.
type facts struct {
	hasTime, hasCert, hasReason bool
	kind                        pdf.Name // /Type
}

// Content gives the signed bytes: the two ranges one after the other.
func (s *Signature) Content() io.Reader {
	b := s.ByteRange
	return io.MultiReader(io.NewSectionReader(s.doc.r, b[0], b[1]), io.NewSectionReader(s.doc.r, b[2], b[3]))
}

// ContentDigest is the digest of [Signature.Content]. It fails with the signature's own Err if that is set.
func (s *Signature) ContentDigest(h crypto.Hash) ([]byte, error) {
	if s.Err != nil {
		return nil, s.Err
	}
	if !h.Available() {
		return nil, failure(BadOptions, "this digest algorithm is not available")
	}
	return s.doc.digests.sum(s.ByteRange, h)
}

// IsTimestamp tells whether it is a document time-stamp: CMS is a time-stamp token then (EN 319 142-1 §5.4.3).
func (s *Signature) IsTimestamp() bool { return s.SubFilter == "ETSI.RFC3161" }

// contents reads the whole value of /Contents, with the zeros after the message.
func (s *Signature) contents() ([]byte, error) {
	text := make([]byte, s.ByteRange[2]-s.ByteRange[1])
	if n, err := s.doc.r.ReadAt(text, s.ByteRange[1]); n != len(text) {
		return nil, &Error{Kind: Failed, Msg: "the document cannot be read", Err: err}
	}
	out := make([]byte, hex.DecodedLen(len(text)-2))
	if _, err := hex.Decode(out, text[1:len(text)-1]); err != nil {
		return nil, failure(Malformed, "/Contents is not a hexadecimal string without gaps")
	}
	return out, nil
}

// read fills s from the signature dictionary of fd, and tells where that and its /Contents are.
func (s *Signature) read(form *form, fd field, certification place) (at place, span pdf.Span, err error) {
	at = place{ref: fd.owner}
	f := form.f
	value, err := form.valueOf(fd)
	if err != nil {
		return at, span, err
	}
	found, o, err := locate(f, value)
	if found.indirect {
		at = found
	}
	if err != nil {
		return at, span, err
	}
	d, ok := o.(pdf.Dict)
	if !ok {
		return at, span, failure(Malformed, "the value of the field is not a dictionary")
	}
	s.describe(f, d)
	if err := s.restrict(form, fd, d, at == certification && at.indirect); err != nil {
		return at, span, err
	}
	contents, ok := d["Contents"].(pdf.String)
	if !ok {
		return at, span, failure(Malformed, "the signature has no /Contents that is a direct string")
	}
	if s.CMS, err = cms.TrimPadding(contents); err != nil {
		return at, span, &Error{Kind: Malformed, Msg: "the /Contents of the signature are no CMS message", Err: err}
	}
	path := []pdf.Name{"Contents"}
	if !at.indirect {
		path = []pdf.Name{"V", "Contents"}
	}
	if span, err = f.Span(at.ref, path...); err != nil {
		return at, span, err
	}
	if err := s.readRange(f, d); err != nil {
		return at, span, err
	}
	if err := s.checkGap(f, span, contents); err != nil {
		return at, span, err
	}
	return at, span, s.cover(f)
}

// describe takes over what the dictionary tells; an entry of the wrong type is left out, it proves nothing anyway.
func (s *Signature) describe(f *pdf.File, d pdf.Dict) {
	name := func(key pdf.Name) string {
		n, _, _ := pdf.As[pdf.Name](f, d[key])
		return printable(string(n))
	}
	text := func(key pdf.Name) string {
		t, _, _ := pdf.As[pdf.String](f, d[key])
		return printable(t.Text())
	}
	s.Filter, s.SubFilter = name("Filter"), name("SubFilter")
	s.Reason, s.Location, s.Contact, s.Name = text("Reason"), text("Location"), text("ContactInfo"), text("Name")
	if m, ok, _ := pdf.As[pdf.String](f, d["M"]); ok {
		s.Time, s.dict.hasTime = pdf.ParseDate(m)
	}
	s.dict.kind, _, _ = pdf.As[pdf.Name](f, d["Type"])
	_, s.dict.hasCert = d["Cert"]
	_, s.dict.hasReason = d["Reason"]
}

// restrict reads what the signature and its field say about later changes.
func (s *Signature) restrict(form *form, fd field, d pdf.Dict, certifies bool) error {
	r, err := form.readRestrictions(d)
	if err != nil {
		return err
	}
	s.DocMDP, s.FieldMDP = r.docMDP, r.fieldMDP
	if certifies {
		s.Certification = r.docMDP
	}
	o, err := form.entry(fd.ref, "Lock")
	if err == nil {
		s.Lock, err = form.readLock(o)
	}
	return err
}

// readRange reads /ByteRange: two ranges, the first from the beginning of the file (EN 319 142-1 §5.3, ISO 32000-1
// §12.8.1).
func (s *Signature) readRange(f *pdf.File, d pdf.Dict) error {
	a, _, err := pdf.As[pdf.Array](f, d["ByteRange"])
	if err != nil {
		return err
	}
	if len(a) != 4 {
		return failure(Malformed, "/ByteRange does not have two ranges")
	}
	var b [4]int64
	for i, o := range a {
		v, ok, err := pdf.As[pdf.Integer](f, o)
		if err != nil {
			return err
		}
		if !ok || v < 0 || int64(v) > f.Size() {
			return failure(Malformed, "/ByteRange has a number outside of the file")
		}
		b[i] = int64(v)
	}
	s.ByteRange = b
	if b[0] != 0 || b[2] < b[1] || b[3] > f.Size()-b[2] {
		return failure(Malformed, "/ByteRange does not begin with the file, or its ranges overlap or pass the end")
	}
	return nil
}

// checkGap proves that the ranges leave out the /Contents of this dictionary, with its brackets, and nothing else:
// more would let unsigned bytes be put there, less would sign the signature.
func (s *Signature) checkGap(f *pdf.File, span pdf.Span, contents pdf.String) error {
	if span.From != s.ByteRange[1] || span.To != s.ByteRange[2] {
		return failure(Malformed, "/ByteRange leaves out bytes %d to %d, and /Contents is at %d to %d",
			s.ByteRange[1], s.ByteRange[2], span.From, span.To)
	}
	text := make([]byte, span.To-span.From)
	if n, err := s.doc.r.ReadAt(text, span.From); n != len(text) {
		return &Error{Kind: Failed, Msg: "the document cannot be read", Err: err}
	}
	// Only digits: white space in between could carry a second meaning for another reader.
	if len(text) != 2*len(contents)+2 || text[0] != '<' || text[len(text)-1] != '>' {
		return failure(Malformed, "/Contents is not a hexadecimal string without gaps")
	}
	if _, err := hex.Decode(make([]byte, len(contents)), text[1:len(text)-1]); err != nil {
		return failure(Malformed, "/Contents is not a hexadecimal string without gaps")
	}
	return nil
}

// cover finds the revision that ends where the ranges end. The end-of-line mark after its %%EOF may be signed or not: it
// may have been written later.
func (s *Signature) cover(f *pdf.File) error {
	end := s.ByteRange[2] + s.ByteRange[3]
	revisions := f.Revisions()
	for i, rev := range revisions {
		if end < rev.Mark || end > rev.End {
			continue
		}
		s.Revision, s.Later = i, len(revisions)-1-i
		s.Covers = WholeRevision
		if end == f.Size() {
			s.Covers = WholeFile
		}
		return nil
	}
	return failure(Malformed, "the signed bytes end at offset %d, where no revision of the document ends", end)
}
