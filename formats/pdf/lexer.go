package pdf

import (
	"errors"
	"fmt"
	"io"
)

const windowSize = 8 << 10

// lexer reads bytes through a small window and knows the lexical rules of ISO 32000-1 §7.2.
// Positions are offsets in its source: the file, or the decoded data of an object stream.
type lexer struct {
	src   io.ReaderAt
	size  int64
	name  string // of the source, for messages; "" for the file itself
	pos   int64
	stop  int64 // no byte at or after stop is read: bounds the text of one object
	buf   []byte
	start int64 // position of buf[0]
	n     int   // valid bytes in buf
	err   error // of the source
}

func newLexer(src io.ReaderAt, size int64, name string) *lexer {
	return &lexer{src: src, size: size, stop: size, name: name, buf: make([]byte, windowSize)}
}

// seek moves to pos and allows n bytes from there.
func (l *lexer) seek(pos, n int64) {
	l.pos = pos
	l.stop = l.size
	if n < l.size-pos {
		l.stop = pos + n
	}
}

// peek returns the byte at the position; ok is false at the end or after an error.
func (l *lexer) peek() (c byte, ok bool) {
	if i := l.pos - l.start; i >= 0 && i < int64(l.n) && l.pos < l.stop {
		return l.buf[i], true
	}
	return l.fill()
}

func (l *lexer) fill() (byte, bool) {
	if l.pos < 0 || l.pos >= l.stop || l.err != nil {
		return 0, false
	}
	want := min(int64(len(l.buf)), l.size-l.pos)
	n, err := l.src.ReadAt(l.buf[:want], l.pos)
	l.start, l.n = l.pos, n
	if n == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			err = failure(Truncated, "the file ends before its stated size, at offset %d", l.pos)
		} else {
			err = &Error{Kind: Unreadable, Msg: "the file cannot be read", Err: err}
		}
		l.err = err
		return 0, false
	}
	return l.buf[0], true
}

// window returns the bytes from the position on that are at hand, at least one; none at the end or after an error.
func (l *lexer) window() []byte {
	if _, ok := l.peek(); !ok {
		return nil
	}
	i := int(l.pos - l.start)
	return l.buf[i:min(int64(l.n), l.stop-l.start)]
}

// take returns the next n bytes, a window at most, and passes over them; nil if there are fewer.
func (l *lexer) take(n int) []byte {
	if int64(n) > l.stop-l.pos {
		return nil
	}
	b := l.window()
	if len(b) < n {
		if _, ok := l.fill(); !ok || l.n < n {
			return nil
		}
		b = l.buf
	}
	l.pos += int64(n)
	return b[:n]
}

// fail makes a Malformed error that names the place.
func (l *lexer) fail(format string, args ...any) error {
	if l.err != nil {
		return l.err
	}
	return malformed("%s, at %s", fmt.Sprintf(format, args...), l.where(l.pos))
}

func (l *lexer) where(pos int64) string {
	if l.name != "" {
		return fmt.Sprintf("byte %d of %s", pos, l.name)
	}
	return fmt.Sprintf("offset %d", pos)
}

// end is the error for bytes that are missing.
func (l *lexer) end(what string) error {
	switch {
	case l.err != nil:
		return l.err
	case l.stop < l.size:
		return failure(Limit, "%s is longer than allowed, at %s", what, l.where(l.pos))
	case l.name != "":
		return l.fail("the data ends inside %s", what)
	}
	return failure(Truncated, "the file ends inside %s", what)
}

const (
	regular   = iota
	white     // §7.2.2, table 1
	delimiter // table 2
)

var class = func() (t [256]byte) {
	for _, c := range "\x00\t\n\f\r " {
		t[c] = white
	}
	for _, c := range "()<>[]{}/%" {
		t[c] = delimiter
	}
	return
}()

// skipWhite passes over white space only.
func (l *lexer) skipWhite() {
	if i := l.pos - l.start; i >= 0 && i < int64(l.n) { // what is at hand, at once
		end := min(int64(l.n), l.stop-l.start)
		for i < end && class[l.buf[i]] == white {
			i++
		}
		if l.pos = l.start + i; i < end {
			return
		}
	}
	for {
		c, ok := l.peek()
		if !ok || class[c] != white {
			return
		}
		l.pos++
	}
}

// skip passes over white space and comments.
func (l *lexer) skip() {
	for {
		l.skipWhite()
		if c, ok := l.peek(); !ok || c != '%' {
			return
		}
		for {
			c, ok := l.peek()
			if !ok || c == '\n' || c == '\r' {
				break
			}
			l.pos++
		}
	}
}

// eol passes over one end-of-line mark (CR, LF or CR LF) and tells whether there was one.
func (l *lexer) eol() bool {
	c, ok := l.peek()
	if !ok || c != '\r' && c != '\n' {
		return false
	}
	l.pos++
	if c == '\r' {
		if c, ok := l.peek(); ok && c == '\n' {
			l.pos++
		}
	}
	return true
}

// literal passes over exactly s and tells whether it was there; if not, the position stays.
func (l *lexer) literal(s string) bool {
	from := l.pos
	for i := range len(s) {
		if c, ok := l.peek(); !ok || c != s[i] {
			l.pos = from
			return false
		}
		l.pos++
	}
	return true
}

// keyword passes over white space, comments and then the word s, which must end there.
func (l *lexer) keyword(s string) bool {
	l.skip()
	from := l.pos
	if !l.literal(s) {
		return false
	}
	if c, ok := l.peek(); ok && class[c] == regular {
		l.pos = from
		return false
	}
	return true
}

// follows tells whether the word s comes next, and stays before it.
func (l *lexer) follows(s string) bool {
	from := l.pos
	is := l.keyword(s)
	l.pos = from
	return is
}

// natural reads an unsigned decimal integer of at most 18 digits after white space and comments.
func (l *lexer) natural() (int64, bool) {
	l.skip()
	from := l.pos
	var v int64
	for {
		c, ok := l.peek()
		if !ok || class[c] != regular {
			break
		}
		if c < '0' || c > '9' || l.pos-from >= 18 {
			l.pos = from
			return 0, false
		}
		v = v*10 + int64(c-'0')
		l.pos++
	}
	return v, l.pos > from
}
