// Package m7m reads .m7m files, in which Italian programs before RFC 5544 kept a
// signed document together with its time-stamp: a MIME multipart of two parts, the
// document (.p7m) and the answer of the authority (.tsr) or the token of it. There
// is no standard for them. They are read for what is in archives, and not written.
//
// The part whose media type or name speaks of a time-stamp is the time-stamp, the
// other is the document, and the stamp is over the document as it is decoded.
// Neither is taken into memory unless it is in base64.
package m7m

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/textproto"
	"strings"

	"sigillo/formats/cms"
)

// Bounds of a file.
const (
	maxHeader  = 16 << 10 // octets of the headers of a part
	maxDecoded = 64 << 20 // octets of a part in base64
	maxStamp   = cms.MaxResponseSize
)

// Error is the error of this package, with the kinds of package cms: NotCMS for
// what is no such file, Malformed, Limit, Unsupported, Failed.
type Error struct {
	Kind cms.Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return "m7m: " + e.Msg + ": " + e.Err.Error()
	}
	return "m7m: " + e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package, and "" for any other.
func KindOf(err error) cms.Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func fail(k cms.Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

// File is an .m7m file that was read.
type File struct {
	// Name is that of the document, "" if the file does not say.
	Name string
	// Document is the signed document, of Size octets.
	Document io.ReaderAt
	Size     int64
	// Token is the TimeStampToken.
	Token []byte
}

// Is reports whether a file starts like one: with MIME headers that say multipart.
func Is(start []byte) bool {
	text := strings.ToLower(string(start[:min(len(start), 1024)]))
	if !strings.HasPrefix(text, "mime-version:") && !strings.HasPrefix(text, "content-type:") {
		return false
	}
	return strings.Contains(text, "multipart/")
}

// part is a part of the file before it is decoded.
type part struct {
	header textproto.MIMEHeader
	r      io.ReaderAt
	from   int64
	size   int64
}

// Parse reads a file of the given size; r must stay readable as long as the
// document is wanted. What does not look like one gives the kind NotCMS.
func Parse(r io.ReaderAt, size int64) (*File, error) {
	start := make([]byte, min(size, 1024))
	if n, err := r.ReadAt(start, 0); n < len(start) {
		return nil, &Error{cms.Failed, "the file cannot be read", err}
	}
	if !Is(start) {
		return nil, fail(cms.NotCMS, "the file is no MIME multipart")
	}
	parts, err := split(r, size)
	if err != nil {
		return nil, err
	}
	if len(parts) != 2 || parts[0].isStamp() == parts[1].isStamp() {
		return nil, fail(cms.Malformed, "the file has not one document and one time-stamp")
	}
	stamp, document := parts[0], parts[1]
	if document.isStamp() {
		stamp, document = document, stamp
	}
	f := &File{Name: document.name()}
	if f.Token, err = stamp.token(); err != nil {
		return nil, err
	}
	f.Document, f.Size, err = document.decode(maxDecoded)
	return f, err
}

// split finds the parts (RFC 2046 §5.1.1).
func split(r io.ReaderAt, size int64) ([]part, error) {
	s := &scanner{in: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 64<<10), bol: true}
	top, err := s.header()
	if err != nil {
		return nil, err
	}
	kind, params, err := mime.ParseMediaType(top.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" || len(params["boundary"]) > 70 {
		return nil, fail(cms.Malformed, "the file says no boundary of its parts")
	}
	s.boundary = []byte("--" + params["boundary"])
	if _, last, err := s.body(); err != nil || last { // what stands before the first part
		return nil, errors.Join(err, fail(cms.Malformed, "the file has no parts"))
	}
	var parts []part
	for {
		p := part{r: r}
		if p.header, err = s.header(); err != nil {
			return nil, err
		}
		p.from = s.at
		end, last, err := s.body()
		if err != nil {
			return nil, err
		}
		p.size = max(0, end-p.from)
		if parts = append(parts, p); last || len(parts) > 2 {
			return parts, nil
		}
	}
}

// scanner walks over the lines of a file, which may be binary.
type scanner struct {
	in       *bufio.Reader
	at       int64
	bol      bool // at the beginning of a line
	crlf     bool // lines of the headers end with CR LF
	boundary []byte
}

// line gives the next line, or a part of a long one.
func (s *scanner) line() ([]byte, error) {
	b, err := s.in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) && (!errors.Is(err, io.EOF) || len(b) == 0) {
		if errors.Is(err, io.EOF) {
			return nil, fail(cms.Malformed, "the file ends inside a part")
		}
		return nil, &Error{cms.Failed, "the file cannot be read", err}
	}
	s.at += int64(len(b))
	return b, nil
}

// header reads headers up to the empty line.
func (s *scanner) header() (textproto.MIMEHeader, error) {
	var text bytes.Buffer
	for {
		b, err := s.line()
		if err != nil {
			return nil, err
		}
		s.crlf = bytes.HasSuffix(b, []byte("\r\n"))
		text.Write(b)
		if text.Len() > maxHeader {
			return nil, fail(cms.Limit, "the headers of a part are longer than %d octets", maxHeader)
		}
		if len(bytes.TrimRight(b, "\r\n")) == 0 {
			break
		}
	}
	h, err := textproto.NewReader(bufio.NewReader(&text)).ReadMIMEHeader()
	if err != nil {
		return nil, &Error{cms.Malformed, "the headers of a part are broken", err}
	}
	s.bol = true
	return h, nil
}

// body walks to the next boundary. It gives where the body ended and whether it was
// the last.
func (s *scanner) body() (end int64, last bool, err error) {
	for {
		from := s.at
		b, err := s.line()
		if err != nil {
			return 0, false, err
		}
		if s.bol && bytes.HasPrefix(b, s.boundary) {
			rest := bytes.TrimRight(b[len(s.boundary):], " \t\r\n")
			if len(rest) == 0 || string(rest) == "--" {
				end = from - 1 // the line's end before it belongs to the boundary
				if s.crlf {
					end--
				}
				return end, len(rest) > 0, nil
			}
		}
		s.bol = b[len(b)-1] == '\n'
	}
}

// name is the part's file name.
func (p part) name() string {
	for _, h := range []struct{ header, param string }{{"Content-Disposition", "filename"}, {"Content-Type", "name"}} {
		if _, params, err := mime.ParseMediaType(p.header.Get(h.header)); err == nil && params[h.param] != "" {
			return params[h.param]
		}
	}
	return ""
}

// isStamp reports whether the part says that it is a time-stamp.
func (p part) isStamp() bool {
	kind, _, _ := mime.ParseMediaType(p.header.Get("Content-Type"))
	name := strings.ToLower(p.name())
	return strings.Contains(kind, "timestamp") || strings.HasSuffix(name, ".tsr") || strings.HasSuffix(name, ".tst")
}

// decode undoes the transfer encoding; limit bounds what is decoded into memory.
func (p part) decode(limit int64) (io.ReaderAt, int64, error) {
	body := io.NewSectionReader(p.r, p.from, p.size)
	switch strings.ToLower(p.header.Get("Content-Transfer-Encoding")) {
	case "", "binary", "8bit", "7bit":
		return body, p.size, nil
	case "base64":
	default:
		return nil, 0, fail(cms.Unsupported, "a part has a transfer encoding that is not read here")
	}
	b, err := io.ReadAll(io.LimitReader(base64.NewDecoder(base64.StdEncoding, body), limit+1))
	switch {
	case err != nil:
		return nil, 0, &Error{cms.Malformed, "a part is not in base64", err}
	case int64(len(b)) > limit:
		return nil, 0, fail(cms.Limit, "a part in base64 has more than %d octets", limit)
	}
	return bytes.NewReader(b), int64(len(b)), nil
}

// token gives the time-stamp, out of the answer if it is one.
func (p part) token() ([]byte, error) {
	r, size, err := p.decode(maxStamp)
	if err != nil {
		return nil, err
	}
	if size > maxStamp {
		return nil, fail(cms.Limit, "the time-stamp has more than %d octets", maxStamp)
	}
	b := make([]byte, size)
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return nil, &Error{cms.Failed, "the time-stamp cannot be read", err}
	}
	if _, err := cms.ParseToken(b); err == nil {
		return b, nil
	}
	resp, err := cms.ParseResponse(b)
	if err != nil {
		return nil, &Error{cms.Malformed, "the time-stamp cannot be read", err}
	}
	token, err := resp.Granted()
	if err != nil {
		return nil, &Error{cms.Refused, "the file holds a refusal", err}
	}
	return token, nil
}
