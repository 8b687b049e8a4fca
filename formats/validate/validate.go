package validate

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"path/filepath"
	"time"

	"sigillo/formats/c14n"
)

// Options are what the validation knows about the world.
type Options struct {
	// Anchors are the certificates trusted by decision, usually roots.
	Anchors []*x509.Certificate
	// Intermediates may complete paths; those in the signature are used anyway.
	Intermediates []*x509.Certificate
	// Time of validation; required.
	Time time.Time
	// CRLs and OCSP are DER lists and answers; where several speak about the
	// same certificate the newest decides.
	CRLs, OCSP [][]byte
	// Content is the signed document of a detached signature (.p7s) or the
	// stamped one of a time-stamp (.tsr); nil when there is none.
	Content     io.ReaderAt
	ContentSize int64
}

type validation struct {
	o       Options
	sources sources
	checks  int // certificate signatures checked so far
}

// maxInMemory bounds files that have to be in memory as a whole: XML, PEM,
// base64, time-stamps.
var maxInMemory = int64(c14n.DefaultLimits.Size)

// Validate validates all signatures of a file. name goes into the report
// only; the kind of file is recognised by its content. The error is an *Error
// and means that there is no result at all; whatever is wrong with a
// signature is in the report. Kinds: Unreadable, Encrypted, Limit,
// BadOptions, Failed.
func Validate(r io.ReaderAt, size int64, name string, o Options) (Report, error) {
	if o.Time.IsZero() {
		return Report{}, fail(BadOptions, nil, "the time of validation is missing")
	}
	v := &validation{o: o}
	v.sources.ocsp = o.OCSP
	for _, der := range o.CRLs {
		l, err := x509.ParseRevocationList(der)
		if err != nil {
			return Report{}, fail(BadOptions, err, "a given revocation list cannot be read")
		}
		v.sources.crls = append(v.sources.crls, l)
	}
	report := Report{File: printable(filepath.Base(name)), Validated: o.Time.UTC(), Signatures: []SignatureReport{}}
	found, err := v.read(r, size, &report)
	if err != nil {
		return Report{}, err
	}
	if o.Content != nil && (report.Format == "xml" || report.Format == "pdf") {
		return Report{}, fail(BadOptions, nil, "content was given for a file that is its own content")
	}
	report.Indication = NoSignature
	for i, c := range found {
		s := v.judge(c)
		if i == 0 || s.Indication.rank() > report.Indication.rank() {
			report.Indication = s.Indication
		}
		report.Signatures = append(report.Signatures, s)
	}
	return report, nil
}

// read recognises the format and reads the signatures.
func (v *validation) read(r io.ReaderAt, size int64, report *Report) ([]*candidate, error) {
	head := make([]byte, min(size, 1024))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return nil, fail(Failed, err, "the file cannot be read")
	}
	start := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	switch {
	case bytes.HasPrefix(start, []byte("<")):
		report.Format = "xml"
		return v.xml(r, size)
	case bytes.HasPrefix(head, []byte{0x30}):
		return v.asn1(r, size, report)
	case bytes.HasPrefix(start, []byte("-----BEGIN ")) || bytes.HasPrefix(start, []byte("MI")):
		der, err := unwrap(r, size)
		if err != nil {
			return nil, err
		}
		return v.asn1(bytes.NewReader(der), int64(len(der)), report)
	case bytes.Contains(head, []byte("%PDF-")): // last: the PDF may be inside the others
		report.Format = "pdf"
		return v.pdf(r, size)
	}
	return nil, fail(Unreadable, nil, "the file is none of PDF, CMS (.p7m, .p7s), XML and time-stamp")
}

// whole reads a file into memory.
func whole(r io.ReaderAt, size int64) ([]byte, error) {
	if size > maxInMemory {
		return nil, fail(Limit, nil, "the file has %d bytes, more than the %d allowed for its kind", size, maxInMemory)
	}
	b, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil || int64(len(b)) != size {
		return nil, fail(Failed, err, "the file cannot be read")
	}
	return b, nil
}

// unwrap decodes PEM or bare base64, in which .p7m files are sometimes sent.
func unwrap(r io.ReaderAt, size int64) ([]byte, error) {
	text, err := whole(r, size)
	if err != nil {
		return nil, err
	}
	if block, rest := pem.Decode(text); block != nil {
		if len(bytes.TrimSpace(rest)) > 0 {
			return nil, fail(Unreadable, nil, "something follows the first PEM block")
		}
		return block.Bytes, nil
	}
	der, err := base64.StdEncoding.DecodeString(string(bytes.Map(func(c rune) rune {
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			return -1
		}
		return c
	}, text)))
	if err != nil || len(der) == 0 || der[0] != 0x30 {
		return nil, fail(Unreadable, err, "the file is none of PDF, CMS (.p7m, .p7s), XML and time-stamp")
	}
	return der, nil
}
