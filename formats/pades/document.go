package pades

import (
	"io"
	"sync"

	"sigillo/formats/ades"
	"sigillo/formats/pdf"
)

// Document is a PDF that was read for its signatures. It may be used by several goroutines.
type Document struct {
	r    io.ReaderAt
	f    *pdf.File
	list []Signature

	digests *digests
	mu      sync.Mutex // over what follows, and f
	loaded  bool
	dss     *DSS
	dssErr  error
	stored  ades.Evidence // what dss holds, for all signatures
	covers  []carried     // what document time-stamps can cover, by place
	// coversDER are those of covers.
	coversDER [][]byte
}

// Open reads a document. The password is for an encrypted one; nil is for those that have none.
//
// It fails if the file cannot be read as PDF; a signature that is broken has its own Err.
func Open(r io.ReaderAt, size int64, password []byte) (*Document, error) {
	f, err := open(r, size, password)
	if err != nil {
		return nil, err
	}
	return read(f, r)
}

// Signatures lists the signature fields that have a value, in the order of the form. A field whose value is broken is in
// the list with its Err; an error is returned only if the file cannot be read as PDF.
func Signatures(r io.ReaderAt, size int64) ([]Signature, error) {
	d, err := Open(r, size, nil)
	if err != nil {
		return nil, err
	}
	return d.list, nil
}

// Signatures lists the signature fields that have a value, in the order of the form.
func (d *Document) Signatures() []Signature { return d.list }

// File is the open file. It must not be used at the same time as the methods of the Document.
func (d *Document) File() *pdf.File { return d.f }

// Revisions is how many saved states the file holds (pdf.File.Revisions).
func (d *Document) Revisions() int { return len(d.f.Revisions()) }

// DSS reads the document security store of the file as it is; nil if there is none.
func (d *Document) DSS() (*DSS, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.loaded {
		d.loaded = true
		d.dss, d.dssErr = readDSS(d.f)
		d.stored = d.dss.Evidence()
	}
	return d.dss, d.dssErr
}

// evidence gives what is in the store of the file as it is, read once for all
// signatures: each of them has all of it.
func (d *Document) evidence() ades.Evidence {
	if _, err := d.DSS(); err != nil {
		return ades.Evidence{}
	}
	return d.stored
}

// DSSAt reads the document security store as it was at a revision, counted as in [Signature].Revision.
func (d *Document) DSSAt(revision int) (*DSS, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, err := d.f.At(revision)
	if err != nil {
		return nil, fromPDF(err)
	}
	return readDSS(f)
}

// read reads the signatures of an open file.
func read(f *pdf.File, r io.ReaderAt) (*Document, error) {
	fm, err := readForm(f)
	if err != nil {
		return nil, fromPDF(err)
	}
	d := &Document{r: r, f: f}
	perms, _, err := pdf.As[pdf.Dict](f, fm.catalog["Perms"])
	if err != nil {
		return nil, fromPDF(err)
	}
	certification, _, err := locate(f, perms["DocMDP"])
	if err != nil {
		return nil, fromPDF(err)
	}
	values := map[place][]int{}   // by the object of the value; a direct one by the field that holds it
	contents := map[int64][]int{} // by the place of /Contents
	for i, fd := range fm.signed {
		s := Signature{Field: printable(fd.name), Covers: Part, doc: d, once: &message{}}
		at, span, err := s.read(fm, fd, certification)
		if KindOf(err) == Limit {
			return nil, err
		}
		s.Err = fromPDF(err)
		d.list = append(d.list, s)
		values[at] = append(values[at], i)
		if span.To > 0 {
			contents[span.From] = append(contents[span.From], i)
		}
	}
	for _, same := range values {
		refuseShared(d.list, same)
	}
	for _, same := range contents {
		refuseShared(d.list, same)
	}
	d.digests = newDigests(r, d.list)
	return d, nil
}

// refuseShared takes the proof from signatures that are one and the same: nothing tells which field was signed.
func refuseShared(list []Signature, same []int) {
	if len(same) < 2 {
		return
	}
	for _, i := range same {
		list[i].Covers, list[i].Revision, list[i].Later = Part, 0, 0
		if list[i].Err == nil {
			list[i].Err = failure(Malformed, "the signature is the value of %d fields at once", len(same))
		}
	}
}
