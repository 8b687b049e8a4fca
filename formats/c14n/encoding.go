package c14n

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// encoding is how the octets of a document that is not UTF-8 stand for its
// text, and where each part of the text was.
type encoding struct {
	names []string // that an XML declaration may use; the first is ours

	table *charmap.Charmap // of an encoding with one byte a character; nil: UTF-16
	order binary.ByteOrder // of UTF-16

	marks []int // source offset of the character at text offset i*markEvery, or of the one it is inside
}

// markEvery is how far one mark is from the next.
const markEvery = 32

// The tables of one byte a character. windows1252 leaves five bytes undefined,
// which the table of the library takes for control characters.
var singleByte = []encoding{
	{names: []string{"ISO-8859-1", "ISO_8859-1", "latin1", "l1"}, table: charmap.ISO8859_1},
	{names: []string{"ISO-8859-15", "ISO_8859-15", "latin-9"}, table: charmap.ISO8859_15},
	{names: []string{"windows-1252", "cp1252"}, table: charmap.Windows1252},
}

const undefined1252 = "\x81\x8d\x8f\x90\x9d"

// alias reports whether an XML declaration may call e so; nil is UTF-8.
func (e *encoding) alias(name string) bool {
	if e == nil {
		return strings.EqualFold(name, "UTF-8")
	}
	return slices.ContainsFunc(e.names, func(n string) bool { return strings.EqualFold(n, name) })
}

// decode gives the text of a document and its encoding, nil for UTF-8 (XML 1.0
// Appendix F). What the XML declaration says is checked by the parser.
func decode(doc string) (string, *encoding, error) {
	switch {
	case strings.HasPrefix(doc, "\xff\xfe\x00\x00"), strings.HasPrefix(doc, "\x00\x00\xfe\xff"),
		strings.HasPrefix(doc, "<\x00"), strings.HasPrefix(doc, "\x00<"), strings.HasPrefix(doc, "\x00\x00\x00<"):
		return "", nil, &Error{Kind: Encoding, Msg: "the document is in UTF-32, or in UTF-16 without a byte order mark; convert it to UTF-8"}
	case strings.HasPrefix(doc, "\xfe\xff"):
		return (&encoding{names: []string{"UTF-16BE", "UTF-16"}, order: binary.BigEndian}).wide([]byte(doc))
	case strings.HasPrefix(doc, "\xff\xfe"):
		return (&encoding{names: []string{"UTF-16LE", "UTF-16"}, order: binary.LittleEndian}).wide([]byte(doc))
	}
	name := declaredEncoding(doc)
	for i := range singleByte {
		if singleByte[i].alias(name) {
			e := singleByte[i]
			return e.single([]byte(doc))
		}
	}
	return doc, nil, nil
}

// declaredEncoding finds what the XML declaration calls the encoding; "" when
// there is none, or no such declaration.
func declaredEncoding(doc string) string {
	const open = "<?xml"
	end := strings.Index(doc[:min(len(doc), 512)], "?>")
	if end < len(open) || !strings.HasPrefix(doc, open) {
		return ""
	}
	values, err := new(parser).pseudoAttributes(doc[len(open):end])
	if err != nil {
		return "" // the parser will say what is wrong
	}
	for _, v := range values {
		if v.Local == "encoding" {
			return v.Value
		}
	}
	return ""
}

// single decodes one byte a character.
func (e *encoding) single(doc []byte) (string, *encoding, error) {
	var b strings.Builder
	b.Grow(len(doc) + len(doc)/16)
	for i, c := range doc {
		if e.table == charmap.Windows1252 && strings.IndexByte(undefined1252, c) >= 0 {
			return "", nil, &Error{Kind: Encoding, Msg: fmt.Sprintf("the byte %02X at offset %d is none of %s", c, i, e.names[0])}
		}
		e.mark(&b, i)
		if c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			b.WriteRune(e.table.DecodeByte(c))
		}
	}
	e.mark(&b, len(doc))
	return b.String(), e, nil
}

// wide decodes UTF-16. The byte order mark is part of the text, as in UTF-8.
func (e *encoding) wide(doc []byte) (string, *encoding, error) {
	broken := &Error{Kind: Encoding, Msg: "the document is not valid UTF-16"}
	if len(doc)%2 != 0 {
		return "", nil, broken
	}
	var b strings.Builder
	b.Grow(len(doc)/2 + len(doc)/16)
	for i := 0; i < len(doc); i += 2 {
		e.mark(&b, i)
		r := rune(e.order.Uint16(doc[i:]))
		if utf16.IsSurrogate(r) {
			if i+4 > len(doc) {
				return "", nil, broken
			}
			if r = utf16.DecodeRune(r, rune(e.order.Uint16(doc[i+2:]))); r == utf8.RuneError {
				return "", nil, broken
			}
			i += 2
		}
		b.WriteRune(r)
	}
	e.mark(&b, len(doc))
	return b.String(), e, nil
}

// mark notes that the next character of the text stands at a source offset.
// Of characters that begin between two marks it is the last before the second.
func (e *encoding) mark(b *strings.Builder, source int) {
	for len(e.marks)*markEvery < b.Len() {
		e.marks = append(e.marks, source) // of the first character at or after the mark
	}
	if len(e.marks)*markEvery == b.Len() {
		e.marks = append(e.marks, source)
	}
}

// place turns the offsets of n and all below it from those of the text to those
// of the source.
func (e *encoding) place(text string, n *Node) {
	n.Walk(func(n *Node) bool {
		n.Start, n.End = e.source(text, n.Start), e.source(text, n.End)
		if n.Kind == ElementNode {
			n.CloseStart = e.source(text, n.CloseStart)
		}
		return true
	})
	e.marks = nil // nobody asks again
}

// source gives the source offset of a text offset.
func (e *encoding) source(text string, at int) int {
	i := at / markEvery
	source, from := e.marks[i], i*markEvery
	for from < len(text) && !utf8.RuneStart(text[from]) {
		from++ // the mark is of the first character that begins here or later
	}
	for _, r := range text[min(from, at):at] {
		switch {
		case e.table != nil:
			source++
		case r >= 0x10000:
			source += 4
		default:
			source += 2
		}
	}
	return source
}

// Encoding gives the name of the encoding of the document: UTF-8, ISO-8859-1,
// ISO-8859-15, windows-1252, UTF-16LE or UTF-16BE.
func (d *Document) Encoding() string {
	if d.encoding == nil {
		return "UTF-8"
	}
	return d.encoding.names[0]
}

// Encode gives text in one of the encodings that Document.Encoding names, to be
// put into such a document. It fails for characters that the encoding does not
// have; a character reference says them too.
func Encode(encoding, text string) ([]byte, error) {
	switch encoding {
	case "UTF-8":
		return []byte(text), nil
	case "UTF-16LE":
		return widen(binary.LittleEndian, text), nil
	case "UTF-16BE":
		return widen(binary.BigEndian, text), nil
	}
	for i := range singleByte {
		if e := &singleByte[i]; e.names[0] == encoding {
			return e.narrow(text)
		}
	}
	return nil, &Error{Kind: Encoding, Msg: fmt.Sprintf("the encoding %q is not supported", encoding)}
}

func widen(order binary.AppendByteOrder, text string) []byte {
	out := make([]byte, 0, 2*len(text))
	for _, u := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func (e *encoding) narrow(text string) ([]byte, error) {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		c, ok := e.table.EncodeRune(r)
		if !ok {
			return nil, &Error{Kind: Encoding, Msg: fmt.Sprintf("the character U+%04X is not in %s", r, e.names[0])}
		}
		out = append(out, c)
	}
	return out, nil
}
