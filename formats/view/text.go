package view

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	textunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

const (
	columns = 92 // characters of a line on an A4 page at 10 points
	rows    = 64 // lines of a page

	maxText = 50 << 20 // bytes, as the inspection has it
)

// glyph is one cell of a text page.
type glyph struct {
	text   string // one character with its combining marks, or a replacement
	marked bool   // stands for something that would not be seen
}

// line is one line of a page; number is that of the document's line which
// begins here, 0 where a long line goes on.
type line struct {
	number int
	glyphs []glyph
}

// layout breaks a text into lines of pages. It is a stream: only the page that is
// being filled is kept, for who wants each.
type layout struct {
	each   func(page int, lines []line) error // nil: the pages are only counted
	failed error                              // of each
	page   int                                // the page being filled, from 1
	row    int
	kept   []line
	cur    line
	number int
}

// layOut breaks a text into pages, hands over each and gives their number.
//
// Kinds: Unreadable, Limit.
func layOut(f *os.File, format string, each func(page int, lines []line) error) (pages int, err error) {
	if info, err := f.Stat(); err != nil || info.Size() > maxText {
		return 0, &Error{Limit, "the text is too long to be shown; split it", err}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, &Error{Unreadable, "the text cannot be read", err}
	}
	r, err := decode(f, format)
	if err != nil {
		return 0, &Error{Unreadable, "the text cannot be decoded", err}
	}
	l := &layout{each: each, page: 1}
	if err := l.read(bufio.NewReaderSize(norm.NFC.Reader(r), 64<<10)); err != nil {
		return 0, err
	}
	return l.page, nil
}

// declaredEncoding finds what an XML or HTML document says of itself.
var declaredEncoding = regexp.MustCompile(`(?i)(?:encoding|charset)\s*=\s*["']?\s*([a-z0-9_-]+)`)

// decode turns the bytes into UTF-8: by the byte order mark, by what a markup
// document declares, and where text is not UTF-8, as Windows-1252, in which
// every byte shows as something.
func decode(f *os.File, format string) (io.Reader, error) {
	br := bufio.NewReaderSize(f, 64<<10)
	head, err := br.Peek(4096)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return transform.NewReader(br, textunicode.UTF16(textunicode.BigEndian, textunicode.ExpectBOM).NewDecoder()), nil
	}
	if format == "xml" || format == "html" || format == "xhtml" || format == "svg" {
		if m := declaredEncoding.FindSubmatch(head[:min(len(head), 1024)]); m != nil {
			return charset.NewReaderLabel(string(m[1]), br)
		}
	}
	valid, err := isUTF8(f)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	br.Reset(f)
	if !valid {
		return charset.NewReaderLabel("windows-1252", br)
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, err = br.Discard(3)
	}
	return br, err
}

func isUTF8(f *os.File) (bool, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	br := bufio.NewReaderSize(f, 64<<10)
	for {
		c, n, err := br.ReadRune()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if c == utf8.RuneError && n == 1 {
			return false, nil
		}
	}
}

func (l *layout) read(br *bufio.Reader) error {
	l.begin()
	for {
		c, _, err := br.ReadRune()
		if errors.Is(err, io.EOF) {
			l.endLine()
			if l.row == 0 && l.page > 1 {
				l.page-- // the last page began and stayed empty
			} else {
				l.handOver()
			}
			return l.failed
		}
		if err != nil {
			return &Error{Unreadable, "the text cannot be read", err}
		}
		if c == '\r' {
			if next, _, err := br.ReadRune(); err == nil && next != '\n' {
				_ = br.UnreadRune()
			}
			c = '\n'
		}
		if l.char(c); l.failed != nil {
			return l.failed
		}
		if l.page > MaxPages {
			return &Error{Limit, fmt.Sprintf("the text has more than %d pages; split it", MaxPages), nil}
		}
	}
}

func (l *layout) begin() {
	l.number++
	l.cur = line{number: l.number}
}

func (l *layout) char(c rune) {
	switch {
	case c == '\n':
		l.endLine()
		l.begin()
	case c == '\f':
		l.mark("[FF]")
		l.endLine()
		l.newPage()
		l.begin()
	case c == '\t':
		l.put(glyph{text: " "})
		for len(l.cur.glyphs)%8 != 0 && len(l.cur.glyphs) < columns {
			l.put(glyph{text: " "})
		}
	case unicode.Is(unicode.Mn, c) && drawn(c) && len(l.cur.glyphs) > 0 && len(l.cur.glyphs[len(l.cur.glyphs)-1].text) < 32:
		l.cur.glyphs[len(l.cur.glyphs)-1].text += string(c)
	case hidden(c):
		l.mark(fmt.Sprintf("[U+%04X]", c))
	default:
		l.put(glyph{text: string(c)})
	}
}

// hidden reports the characters that would not be seen or would change what is
// seen: controls, direction marks, invisible and unassigned ones.
func hidden(c rune) bool {
	return c != ' ' && (!unicode.IsGraphic(c) || unicode.Is(unicode.Cf, c) || unicode.Is(unicode.Mn, c) ||
		unicode.Is(unicode.Zs, c) && c != '\u00a0' || c == utf8.RuneError || !drawn(c))
}

func (l *layout) mark(s string) {
	for _, c := range s {
		l.put(glyph{text: string(c), marked: true})
	}
}

func (l *layout) put(g glyph) {
	if len(l.cur.glyphs) == columns {
		rest := l.wrap()
		l.endLine()
		l.cur = line{glyphs: rest}
	}
	l.cur.glyphs = append(l.cur.glyphs, g)
}

// wrap cuts the full line after its last space, unless that would leave less
// than half of it, and returns what goes to the next one.
func (l *layout) wrap() []glyph {
	for i := len(l.cur.glyphs) - 1; i > columns/2; i-- {
		if l.cur.glyphs[i].text == " " {
			rest := append([]glyph(nil), l.cur.glyphs[i+1:]...)
			l.cur.glyphs = l.cur.glyphs[:i+1]
			return rest
		}
	}
	return nil
}

func (l *layout) endLine() {
	if l.each != nil {
		l.kept = append(l.kept, l.cur)
	}
	if l.row++; l.row == rows {
		l.newPage()
	}
	l.cur = line{}
}

func (l *layout) newPage() {
	if l.row > 0 {
		l.handOver()
		l.page, l.row = l.page+1, 0
	}
}

// handOver gives the page that is full to who wants each.
func (l *layout) handOver() {
	if l.each != nil && l.failed == nil {
		l.failed = l.each(l.page, l.kept)
		l.kept = l.kept[:0]
	}
}

// String is the line as plain text.
func (l line) String() string {
	var b strings.Builder
	for _, g := range l.glyphs {
		b.WriteString(g.text)
	}
	return b.String()
}
