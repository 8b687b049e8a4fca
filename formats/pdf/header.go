package pdf

import (
	"bytes"
	"errors"
	"io"
)

// readHeader checks "%PDF-M.m" at offset 0 (ISO 32000-1 §7.5.2). Readers that search for a header further on
// let a file be two things at once, so this one does not.
func (f *File) readHeader() error {
	head := make([]byte, min(f.size, 1024))
	if _, err := f.r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return &Error{Kind: Unreadable, Msg: "the file cannot be read", Err: err}
	}
	const mark = "%PDF-"
	if at := bytes.Index(head, []byte(mark)); at != 0 {
		if at > 0 {
			return malformed("the header is at offset %d: nothing may come before it; save the document again", at)
		}
		return failure(NotPDF, "the file does not begin with %%PDF-")
	}
	if len(head) < 9 {
		return failure(Truncated, "the file ends inside its header")
	}
	v := head[5:8]
	if v[1] != '.' || !(v[0] == '1' && v[2] >= '0' && v[2] <= '7' || v[0] == '2' && v[2] == '0') {
		return malformed("the header states version %q; 1.0 to 1.7 and 2.0 exist", v)
	}
	rest := bytes.TrimLeft(head[8:], " \t")
	if len(rest) == 0 || rest[0] != '\r' && rest[0] != '\n' {
		return malformed("the header's version is not followed by an end of line, at offset 8")
	}
	f.version = string(v)
	return nil
}

const (
	// maxPadding is how much white space may follow a %%EOF: as far back as readers of old looked for it (ISO 32000-1,
	// Annex H.3, note 18).
	maxPadding = 1024
	maxClosing = 1024 // from startxref to %%EOF
)

// readEnd reads "startxref", the offset and "%%EOF" (ISO 32000-1 §7.5.5). White space may follow, which many programs and
// transports add and no reader sees; anything else would be read by some.
func (f *File) readEnd() (int64, error) {
	from := max(0, f.size-maxPadding-maxClosing)
	tail := make([]byte, f.size-from)
	if n, err := f.r.ReadAt(tail, from); n < len(tail) {
		if err == nil || errors.Is(err, io.EOF) {
			return 0, failure(Truncated, "the file is shorter than the %d bytes it should have", f.size)
		}
		return 0, &Error{Kind: Unreadable, Msg: "the file cannot be read", Err: err}
	}
	eof := bytes.LastIndex(tail, []byte("%%EOF"))
	at := bytes.LastIndex(tail, []byte("startxref"))
	if eof < 0 || at < 0 {
		return 0, failure(Truncated, "the file has no end: startxref and %%%%EOF are not in its last %d bytes", len(tail))
	}
	l := f.lexerAt(from + int64(at))
	start, end, err := l.closing()
	f.release(l)
	if err != nil {
		return 0, err
	}
	if f.afterWhite(end) != f.size {
		return 0, malformed("there are %d bytes after the last %%%%EOF that are not just white space; save the document again", f.size-end)
	}
	return start, nil
}

// closing reads "startxref offset %%EOF" and returns the offset it states and the position after it. What comes next
// may begin on the same line: signers append to files that end without an end-of-line mark.
func (l *lexer) closing() (start, end int64, err error) {
	if !l.keyword("startxref") {
		return 0, 0, l.fail("startxref is expected")
	}
	start, ok := l.natural()
	if !ok {
		return 0, 0, l.fail("startxref is not followed by an offset")
	}
	l.skipWhite()
	if !l.literal("%%EOF") {
		if _, ok := l.peek(); !ok {
			return 0, 0, l.end("the end mark")
		}
		return 0, 0, l.fail("%%%%EOF is expected")
	}
	return start, l.pos, nil
}
