package inspect

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strconv"
	"sync"
	"unicode/utf8"
)

// xmlReader reads the tokens of an XML stream where they lie in its buffer. It
// takes and refuses what the strict encoding/xml does, which the tests hold it
// to, at some ten times the speed: text that is as it was written is not copied,
// and a name is looked at once. What is rare (declarations, document types,
// processing instructions, names beyond ASCII) is left to encoding/xml itself.
type xmlReader struct {
	src io.Reader
	buf []byte
	pos int // of the next byte
	end int // of the bytes in buf
	err error

	line    int // at buf[counted]
	counted int

	scratch []byte // text with references or carriage returns
}

const xmlWindow = 64 << 10 // bytes; grows to hold the longest token

var (
	errXMLEnd     = errors.New("unexpected end of document")
	errXMLTooLong = errors.New("a piece of text or markup is too long")
)

// xmlWindows are buffers of readers that are done: a package has many short parts.
var xmlWindows = sync.Pool{New: func() any { return new([xmlWindow]byte) }}

func newXMLReader(src io.Reader) *xmlReader {
	return &xmlReader{src: src, buf: xmlWindows.Get().(*[xmlWindow]byte)[:], line: 1}
}

// release gives the buffer back; nothing may be read any more.
func (r *xmlReader) release() {
	if len(r.buf) == xmlWindow {
		xmlWindows.Put((*[xmlWindow]byte)(r.buf))
	}
	r.buf = nil
}

// more reads on, and keeps the bytes from keep, of which it returns the new
// place. ok is false at the end, or after an error, which r.err then is.
func (r *xmlReader) more(keep int) (at int, ok bool) {
	if r.err != nil {
		return keep, false
	}
	r.lineAt()
	n := r.end - keep
	if n == len(r.buf) {
		if n >= maxXMLToken {
			r.err = errXMLTooLong
			return keep, false
		}
		larger := make([]byte, 2*n)
		copy(larger, r.buf)
		r.buf = larger
	} else if keep > 0 {
		copy(r.buf, r.buf[keep:r.end])
	}
	r.pos, r.end, r.counted = r.pos-keep, n, r.counted-keep
	for range 100 {
		n, err := r.src.Read(r.buf[r.end:])
		r.end += n
		r.err = err
		if n > 0 {
			return 0, true
		}
		if err != nil {
			return 0, false
		}
	}
	r.err = io.ErrNoProgress
	return 0, false
}

// ended is why a token is not whole.
func (r *xmlReader) ended() error {
	if r.err == nil || errors.Is(r.err, io.EOF) {
		return r.fail(errXMLEnd)
	}
	return r.err
}

// fail names the line.
func (r *xmlReader) fail(err error) error {
	return fmt.Errorf("line %d: %w", r.lineAt(), err)
}

// lineAt is the line of the next byte, from 1.
func (r *xmlReader) lineAt() int {
	r.line += bytes.Count(r.buf[r.counted:r.pos], []byte{'\n'})
	r.counted = r.pos
	return r.line
}

// byte returns the next byte and passes over it.
func (r *xmlReader) byte() (byte, error) {
	if r.pos == r.end {
		if _, ok := r.more(r.pos); !ok {
			return 0, r.ended()
		}
	}
	c := r.buf[r.pos]
	r.pos++
	return c, nil
}

// ahead returns the byte n behind the next one, and stays.
func (r *xmlReader) ahead(n int) (byte, error) {
	for r.pos+n >= r.end {
		if _, ok := r.more(r.pos); !ok {
			return 0, r.ended()
		}
	}
	return r.buf[r.pos+n], nil
}

// ReadByte and Read let encoding/xml read on from here, and no further than it
// needs to.
func (r *xmlReader) ReadByte() (byte, error) {
	if r.pos == r.end {
		if _, ok := r.more(r.pos); !ok {
			return 0, r.err
		}
	}
	c := r.buf[r.pos]
	r.pos++
	return c, nil
}

func (r *xmlReader) Read(p []byte) (int, error) {
	if r.pos == r.end {
		if _, ok := r.more(r.pos); !ok {
			return 0, r.err
		}
	}
	n := copy(p, r.buf[r.pos:r.end])
	r.pos += n
	return n, nil
}

// What a byte is in character data (XML 1.0 §2.2, §2.4).
const (
	plainText   = iota
	textQuote   // one of the two
	textMarkup  // <
	textEntity  // &
	textReturn  // becomes a line feed
	textBracket // perhaps of ]]>
	textHigh    // of a character beyond ASCII
	textIllegal
)

var textClass = func() (t [256]byte) {
	for c := range t {
		switch {
		case c >= 0x80:
			t[c] = textHigh
		case c < ' ' && c != '\t' && c != '\n':
			t[c] = textIllegal
		}
	}
	t['<'], t['&'], t['\r'], t[']'], t['"'], t['\''] = textMarkup, textEntity, textReturn, textBracket, textQuote, textQuote
	return
}()

// eight is a byte, eight times.
const eight = 0x01_01_01_01_01_01_01_01

// plainEnd is where in b, from i on, the first byte is that text may not simply
// have; len(b) if there is none. It looks at eight bytes at a time: in mark, the
// lowest of those bytes that has its high bit set was itself beyond ASCII, below
// a space, or one of the three; higher ones may have it by what was carried.
func plainEnd(b []byte, i int) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		mark := (x | (x - ' '*eight) | ((x ^ '<'*eight) - eight) | ((x ^ '&'*eight) - eight) | ((x ^ ']'*eight) - eight)) & (0x80 * eight)
		if mark == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(mark) / 8
		if textClass[b[i]] > textQuote {
			return i
		}
		i++ // a tabulator or line feed
	}
	for i < len(b) && textClass[b[i]] <= textQuote {
		i++
	}
	return i
}

// text reads character data up to the next markup. The bytes are good until the
// next read; they are plain if they are ASCII and as they were written.
func (r *xmlReader) text() (b []byte, plain bool, err error) {
	start := r.pos
	high, rewrite := false, false
	for {
		b := r.buf[:r.end]
		i := plainEnd(b, r.pos)
		r.pos = i
		if i == len(b) {
			at, ok := r.more(start)
			start = at
			if ok {
				continue
			}
			if !errors.Is(r.err, io.EOF) {
				return nil, false, r.ended()
			}
			b, err = r.content(r.buf[start:r.pos], high, rewrite)
			return b, !high && !rewrite, err
		}
		switch c := b[i]; textClass[c] {
		case textMarkup:
			b, err = r.content(b[start:i], high, rewrite)
			return b, !high && !rewrite, err
		case textEntity, textReturn:
			rewrite = true
			r.pos++
		case textBracket:
			if r.end-i < 3 && r.err == nil { // more may follow
				start, _ = r.more(start)
				continue
			}
			if r.pos++; i+2 < r.end && b[i+1] == ']' && b[i+2] == '>' {
				return nil, false, r.fail(errors.New("]]> in text"))
			}
		case textHigh:
			high = true
			for r.pos < r.end && r.buf[r.pos] >= utf8.RuneSelf {
				r.pos++
			}
		default:
			return nil, false, r.fail(fmt.Errorf("character U+%04X", c))
		}
	}
}

// content checks characters beyond ASCII, and resolves references and line ends.
func (r *xmlReader) content(b []byte, high, rewrite bool) ([]byte, error) {
	if high && (!utf8.Valid(b) || bytes.Contains(b, []byte("\uffff")) || bytes.Contains(b, []byte("\ufffe"))) {
		return nil, r.fail(errors.New("not characters in UTF-8"))
	}
	if !rewrite {
		return b, nil
	}
	if bytes.IndexByte(b, '\r') >= 0 {
		b = lineFeeds(b)
	}
	out := r.scratch[:0]
	for len(b) > 0 {
		i := bytes.IndexByte(b, '&')
		if i < 0 {
			out = append(out, b...)
			break
		}
		out = append(out, b[:i]...)
		end := bytes.IndexByte(b[i:], ';')
		if end < 0 {
			return nil, r.fail(errors.New("a reference without its end"))
		}
		c, ok := reference(b[i+1 : i+end])
		if !ok {
			return nil, r.fail(errors.New("a reference to nothing"))
		}
		out = utf8.AppendRune(out, c)
		b = b[i+end+1:]
	}
	r.scratch = out
	return out, nil
}

// lineFeeds is b with the line ends that XML makes of all of them (XML 1.0 §2.11).
func lineFeeds(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte{'\n'})
	return bytes.ReplaceAll(b, []byte{'\r'}, []byte{'\n'})
}

// reference is the character of a reference without & and ; (XML 1.0 §4.1). The
// five entities that XML itself declares are all there are.
func reference(name []byte) (rune, bool) {
	switch string(name) {
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "amp":
		return '&', true
	case "apos":
		return '\'', true
	case "quot":
		return '"', true
	}
	if len(name) < 2 || len(name) > 64 || name[0] != '#' {
		return 0, false
	}
	digits, base := string(name[1:]), 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune {
		return 0, false
	}
	if n >= 0xd800 && n < 0xe000 {
		return utf8.RuneError, true // half of a pair: nobody shows it
	}
	legal := n >= ' ' || n == '\t' || n == '\n' || n == '\r'
	return rune(n), legal && n != 0xfffe && n != 0xffff
}

// space passes over white space and returns the byte behind it.
func (r *xmlReader) space() (byte, error) {
	for {
		c, err := r.byte()
		if err != nil || c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return c, err
		}
	}
}

// nameByte tells the bytes of names; those beyond ASCII are judged together.
var nameByte = func() (t [256]bool) {
	for c := range t {
		t[c] = isLetter(byte(c)) || c >= '0' && c <= '9' || c == '_' || c == ':' || c == '.' || c == '-' || c >= utf8.RuneSelf
	}
	return
}()

// name reads the bytes of a name, which are good until the next read.
func (r *xmlReader) name() ([]byte, error) {
	start := r.pos
	for {
		b, i := r.buf[:r.end], r.pos
		for i < len(b) && nameByte[b[i]] {
			i++
		}
		if r.pos = i; i < len(b) {
			break
		}
		at, ok := r.more(start)
		if start = at; !ok {
			return nil, r.ended()
		}
	}
	if r.pos == start {
		return nil, r.fail(errors.New("a name is expected"))
	}
	return r.buf[start:r.pos], nil
}

// comment passes over a comment whose <!- has been read.
func (r *xmlReader) comment() error {
	if c, err := r.byte(); err != nil || c != '-' {
		return firstError(err, r.fail(errors.New("<!- without -")))
	}
	for {
		i := bytes.Index(r.buf[r.pos:r.end], []byte("--"))
		if i < 0 {
			keep := max(r.pos, r.end-1) // half of the mark, perhaps
			r.pos = keep
			if _, ok := r.more(keep); !ok {
				return r.ended()
			}
			continue
		}
		r.pos += i + 2
		if c, err := r.byte(); err != nil || c != '>' {
			return firstError(err, r.fail(errors.New("-- in a comment")))
		}
		return nil
	}
}

// firstError is a, or b if a is nil.
func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// cdata reads a section whose <![ has been read.
func (r *xmlReader) cdata() ([]byte, error) {
	for _, want := range []byte("CDATA[") {
		if c, err := r.byte(); err != nil || c != want {
			return nil, firstError(err, r.fail(errors.New("<![ without CDATA[")))
		}
	}
	start, from := r.pos, r.pos
	for {
		if i := bytes.Index(r.buf[from:r.end], []byte("]]>")); i >= 0 {
			r.pos = from + i + 3
			return r.section(r.buf[start : from+i])
		}
		overlap := min(2, r.end-start)
		r.pos = r.end
		at, ok := r.more(start)
		if !ok {
			return nil, r.ended()
		}
		start, from = at, r.pos-overlap
	}
}

// section is the text of a CDATA section, in which nothing is a reference.
func (r *xmlReader) section(b []byte) ([]byte, error) {
	high, returns := false, false
	for _, c := range b {
		switch textClass[c] {
		case textIllegal:
			return nil, r.fail(fmt.Errorf("character U+%04X", c))
		case textHigh:
			high = true
		case textReturn:
			returns = true
		}
	}
	b, err := r.content(b, high, false)
	if err != nil || !returns {
		return b, err
	}
	return lineFeeds(b), nil
}

// rare has encoding/xml read a token that ends with >, and returns the encoding
// that an XML declaration names if it is not UTF-8.
func (r *xmlReader) rare() (t xml.Token, encoding string, err error) {
	dec := xml.NewDecoder(r)
	dec.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		encoding = label
		return in, nil
	}
	t, err = dec.RawToken()
	if err != nil {
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return nil, "", r.err
		}
		return nil, "", r.fail(errors.New("a declaration or instruction is not well formed"))
	}
	return xml.CopyToken(t), encoding, nil
}
