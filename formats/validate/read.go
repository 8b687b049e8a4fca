package validate

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"

	"sigillo/formats/c14n"
	"sigillo/formats/m7m"
	"sigillo/formats/tsd"
)

// maxInMemory bounds files that have to be in memory as a whole: XML, JSON, PEM,
// base64, time-stamps.
var maxInMemory = int64(c14n.DefaultLimits.Size)

var errKind = "the file is none of PDF, CMS (.p7m, .p7s), XML, JSON, ASiC, time-stamp (.tsr, .tst, .tsd, .m7m) and evidence record (.ers)"

// read recognises the format and reads the signatures.
func (v *validation) read(r io.ReaderAt, size int64) error {
	head, start, err := beginning(r, size)
	if err != nil {
		return err
	}
	switch {
	case m7m.Is(start):
		return v.readM7M(r, size)
	case tsd.Is(head):
		return v.readTSD(r, size)
	case bytes.HasPrefix(start, []byte("<")),
		bytes.HasPrefix(head, []byte("\xff\xfe<\x00")), bytes.HasPrefix(head, []byte("\xfe\xff\x00<")): // UTF-16 (XML 1.0 §4.3.3)
		return v.own("xml", v.readXML(r, size))
	case bytes.HasPrefix(head, []byte{0x30}):
		return v.readASN1(r, size)
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return v.own("asic", v.readASiC(r, size))
	case isText(start):
		der, err := unwrap(r, size)
		if err != nil {
			return err
		}
		if tsd.Is(der) {
			return v.readTSD(bytes.NewReader(der), int64(len(der)))
		}
		return v.readASN1(bytes.NewReader(der), int64(len(der)))
	case bytes.Contains(head, []byte("%PDF-")): // late: the PDF may be inside the others
		return v.own("pdf", v.readPDF(r, size))
	case bytes.HasPrefix(start, []byte("{")) || bytes.HasPrefix(start, []byte("eyJ")):
		v.format = "json"
		return v.readJSON(r, size)
	}
	return fail(Unreadable, nil, "%s", errKind)
}

// beginning gives the first octets of a file, and the same without what may stand before a text.
func beginning(r io.ReaderAt, size int64) (head, start []byte, err error) {
	head = make([]byte, min(size, 1024))
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return nil, nil, fail(Failed, err, "the file cannot be read")
	}
	return head, bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n"), nil
}

// isText reports whether a file is PEM or bare base64 of DER.
func isText(start []byte) bool {
	return bytes.HasPrefix(start, []byte("-----BEGIN ")) || bytes.HasPrefix(start, []byte("MI")) && !m7m.Is(start)
}

// Binary gives what a .p7m or .p7s file in PEM or base64 holds, as it is
// validated; any other file as it is. Kinds: Unreadable, Limit, Failed.
func Binary(r io.ReaderAt, size int64) (io.ReaderAt, int64, error) {
	_, start, err := beginning(r, size)
	if err != nil || !isText(start) {
		return r, size, err
	}
	der, err := unwrap(r, size)
	return bytes.NewReader(der), int64(len(der)), err
}

// own names the format of a file that is, or may be, its own content.
func (v *validation) own(format string, err error) error {
	v.format = format
	if err == nil && len(v.doc.Contents) > 0 && (format == "pdf" || format == "asic") {
		return fail(BadOptions, nil, "content was given for a file that is its own content")
	}
	return err
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
		return nil, fail(Unreadable, err, "%s", errKind)
	}
	return der, nil
}

// imprinter gives the digest of some data.
type imprinter = func(crypto.Hash) ([]byte, error)

// digestOfReader gives the digests of a document, each computed once.
func digestOfReader(r io.ReaderAt, size int64) imprinter {
	known := map[crypto.Hash][]byte{}
	return func(h crypto.Hash) ([]byte, error) {
		if sum, ok := known[h]; ok {
			return sum, nil
		}
		if !h.Available() {
			return nil, errors.New("the digest algorithm is not available")
		}
		d := h.New()
		if _, err := io.Copy(d, io.NewSectionReader(r, 0, size)); err != nil {
			return nil, err
		}
		known[h] = d.Sum(nil)
		return known[h], nil
	}
}

// content gives the one document of a detached signature that names none.
func (v *validation) content() (*Content, error) {
	switch len(v.doc.Contents) {
	case 0:
		return nil, nil
	case 1:
		return &v.doc.Contents[0], nil
	}
	return nil, fail(BadOptions, nil, "%d contents were given for a signature of one", len(v.doc.Contents))
}
