//go:build !race

// The race detector takes many times the memory and the time that are counted here.

package worker

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// A cfbEntry is one of the directory of a compound file; its children are given
// by the index of the first, and these by that of the next.
type cfbEntry struct {
	name        string
	kind        byte // 1 storage, 2 stream, 5 root
	next, child uint32
	data        []byte
	size        uint32 // if it lies; else that of data
}

const cfbNone = 0xffffffff

// compound writes a compound file of 512-byte sectors: streams, then the directory,
// then the table, which edit may change.
func compound(edit func(fat []uint32, directory int, header []byte), entries ...cfbEntry) []byte {
	le := binary.LittleEndian
	var body []byte
	var fat []uint32
	put := func(data []byte) uint32 {
		first := len(fat)
		n := (len(data) + 511) / 512
		for i := range n {
			fat = append(fat, uint32(first+i+1))
		}
		if n == 0 {
			return 0xfffffffe
		}
		fat[len(fat)-1] = 0xfffffffe
		body = append(append(body, data...), make([]byte, n*512-len(data))...)
		return uint32(first)
	}
	directory := make([]byte, (len(entries)+3)/4*512)
	for i, e := range entries {
		raw := directory[128*i:]
		for j, u := range utf16.Encode([]rune(e.name)) {
			le.PutUint16(raw[2*j:], u)
		}
		le.PutUint16(raw[64:], uint16(2*len(e.name)+2))
		raw[66], raw[67] = e.kind, 1
		le.PutUint32(raw[68:], cfbNone)
		le.PutUint32(raw[72:], e.next)
		le.PutUint32(raw[76:], e.child)
		le.PutUint32(raw[116:], put(e.data))
		le.PutUint32(raw[120:], max(e.size, uint32(len(e.data))))
	}
	at := put(directory)
	header := make([]byte, 512)
	copy(header, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	for i, v := range []uint16{0x3e, 3, 0xfffe, 9, 6} {
		le.PutUint16(header[24+2*i:], v)
	}
	le.PutUint32(header[48:], at)
	le.PutUint32(header[56:], 4096)
	le.PutUint32(header[60:], 0xfffffffe)
	le.PutUint32(header[68:], 0xfffffffe)
	table, n := len(fat), 1
	for (table+n+127)/128 > n {
		n++
	}
	for range n {
		fat = append(fat, 0xfffffffd)
	}
	for len(fat)%128 != 0 {
		fat = append(fat, cfbNone)
	}
	le.PutUint32(header[44:], uint32(n))
	for i := range 109 {
		le.PutUint32(header[76+4*i:], cfbNone)
		if i < n {
			le.PutUint32(header[76+4*i:], uint32(table+i))
		}
	}
	if edit != nil {
		edit(fat, int(at), header)
	}
	for _, v := range fat {
		body = le.AppendUint32(body, v)
	}
	return append(header, body...)
}

// storing is a compound file with streams in its root.
func storing(edit func(fat []uint32, directory int, header []byte), streams ...cfbEntry) []byte {
	entries := []cfbEntry{{name: "Root Entry", kind: 5, next: cfbNone, child: 1}}
	for i, s := range streams {
		s.kind, s.child, s.next = 2, cfbNone, uint32(i+2)
		if i == len(streams)-1 {
			s.next = cfbNone
		}
		entries = append(entries, s)
	}
	return compound(edit, entries...)
}

func bombsBinary() map[string][]byte {
	le := binary.LittleEndian
	book := append([]byte("\x09\x08\x10\x00\x00\x06\x05\x00"), make([]byte, 12)...)
	padded := func(b []byte) []byte { return append(b, make([]byte, max(0, 4096-len(b)))...) }
	workbook := func(data []byte, edit func(fat []uint32, directory int, header []byte)) []byte {
		return storing(edit, cfbEntry{name: "Workbook", data: padded(bytes.Join([][]byte{book, data}, nil))})
	}
	many := make([]cfbEntry, 60_000)
	for i := range many {
		many[i].name = "s"
	}
	// Chunks of one letter and a copy of it over the rest of 4,096 bytes.
	project := []byte("\x01" + strings.Repeat("\x03\xb0\x02a\xfc\x0f", 500_000))
	vba := compound(nil, cfbEntry{name: "Root Entry", kind: 5, next: cfbNone, child: 1}, cfbEntry{name: "WordDocument", kind: 2, next: 2, child: cfbNone, data: make([]byte, 4096)},
		cfbEntry{name: "VBA", kind: 1, next: cfbNone, child: 3}, cfbEntry{name: "dir", kind: 2, next: cfbNone, child: cfbNone, data: project})
	strings64 := le.AppendUint32(le.AppendUint32([]byte("\xfc\x00\x08\x00"), 0xffffffff), 0xffffffff)
	tiff := func(parts ...uint32) []byte {
		b := []byte("II*\x00")
		for _, v := range parts {
			b = le.AppendUint32(b, v)
		}
		return b
	}
	return map[string][]byte{
		"directory-loop.xls": workbook(nil, func(fat []uint32, directory int, _ []byte) { fat[directory] = uint32(directory) }),
		"stream-loop.xls":    workbook(nil, func(fat []uint32, _ int, _ []byte) { fat[3] = 0 }),
		"table-loop.xls": workbook(nil, func(_ []uint32, directory int, header []byte) {
			le.PutUint32(header[68:], uint32(directory))
			le.PutUint32(header[72:], 0x7fffffff)
		}),
		"table-number.xls": workbook(nil, func(_ []uint32, _ int, header []byte) { le.PutUint32(header[44:], 0x7fffffff) }),
		"small-table-loop.xls": workbook(nil, func(fat []uint32, directory int, header []byte) {
			le.PutUint32(header[60:], uint32(directory))
			le.PutUint32(header[64:], 0x7fffffff)
			fat[directory] = uint32(directory)
		}),
		"siblings-loop.xls": compound(nil, cfbEntry{name: "Root Entry", kind: 5, next: cfbNone, child: 1}, cfbEntry{name: "Workbook", kind: 2, next: 1, child: 1, data: padded(book)}),
		"size.xls":          storing(nil, cfbEntry{name: "Workbook", data: padded(book), size: 0xfffffff0}),
		"entries.xls":       storing(nil, many...),
		"project.doc":       vba,
		"continued.xls":     workbook(append([]byte("\x06\x00\x00\x00"), bytes.Repeat([]byte("\x3c\x00\x00\x00"), 5<<20)...), nil),
		"record.xls":        workbook([]byte("\x03\x02\xff\xff"), nil),
		"strings.xls":       workbook(strings64, nil),
		"pages-loop.tif":    tiff(8, 0),
		"pages-many.tif":    tiff(8, 0xffff),
		"values.tif":        tiff(8, 0x01000001, 0x00040000|0x0111, 0xffffffff, 0xffffffff, 0),
		"pixels.jpg":        []byte("\xff\xd8\xff\xc0\x00\x08\x08\xff\xff\xff\xff\x00\xff\xda\x00\x02\xff\xd9"),
		"pixels.bmp":        append([]byte("BM\x42\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\xff\xff\xff\x7f\xff\xff\xff\x7f"), make([]byte, 40)...),
		"chunks.png":        append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x00\x00\x00\x00"), bytes.Repeat([]byte("\x00\x00\x00\x00tEXt\x00\x00\x00\x00"), 1<<20)...),
		"frames.gif":        append([]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00"), bytes.Repeat([]byte("\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x00"), 1<<20)...),
		"envelope.p7m":      append([]byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"), bytes.Repeat([]byte("\x30\x80"), 4<<20)...),
	}
}

func bombsText() map[string][]byte {
	h := func(s string) []byte { return []byte("<!DOCTYPE html><html><body>" + s) }
	x := func(s string) []byte { return []byte(`<?xml version="1.0"?>` + s) }
	r := func(s string) []byte { return []byte(`{\rtf1\ansi ` + s) }
	var many bytes.Buffer
	attributes(&many, 1_000_000)
	spaces := ""
	for i := range 90 {
		spaces += "<a xmlns:p" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + `="u">`
	}
	return map[string][]byte{
		"attributes.html":    h("<p" + many.String() + ">"),
		"tags.html":          h(strings.Repeat("<p ", 5<<20)),
		"comment.html":       h(strings.Repeat("<!-- <script>", 2<<20)),
		"entities.html":      h("<script></script>" + strings.Repeat("&#x202e;", 4<<20)),
		"style-comment.html": h("<style>" + strings.Repeat("/*", 400_000) + "</style><script>"),
		"style-escapes.html": h("<style>" + strings.Repeat(`\75`, 200_000) + "</style><script>"),
		"style-urls.html":    h(strings.Repeat("<p style='a:url(//x'>", 50_000)),
		"attributes.xml":     x("<a" + many.String() + "/>"),
		"deep.xml":           x(strings.Repeat("<a>", 10<<20)),
		"laughs.xml":         []byte(laughs),
		"quadratic.xml":      x(`<!DOCTYPE a [<!ENTITY b "` + strings.Repeat("x", 100_000) + `">]><a>` + strings.Repeat("&b;", 100_000) + `</a>`),
		"spaces.xml":         x(spaces + strings.Repeat(`<q:b q:c=""/>`, 50_000)),
		"text.xml":           x("<a>" + strings.Repeat("x", 10<<20)),
		"groups.rtf":         r(strings.Repeat("{", 10<<20)),
		"fields.rtf":         r(strings.Repeat(`{\field{\*\fldinst DATE `, 1<<20)),
		"many-fields.rtf":    r(strings.Repeat(`{\field{\*\fldinst DATE}}`, 1<<20) + "}"),
		"binary.rtf":         r(`\bin2147483647 x}`),
		"binary-back.rtf":    r(`\bin-2147483647 x}`),
		"words.rtf":          r(strings.Repeat(`\b1\'41`, 4<<20) + `\objdata}`),
		"word.rtf":           r(`\` + strings.Repeat("a", 20<<20) + "}"),
		"overrides.txt":      []byte(strings.Repeat("\u202e", 6<<20)),
		"formulas.csv":       []byte(strings.Repeat("=1,", 4<<20)),
		"quotes.csv":         []byte("=1\n" + strings.Repeat(`"`, 10<<20)),
		"polyglot.pdf":       append([]byte("%PDF-1.7\nGIF89a<html><script>x</script>{\\rtf1 \xd0\xcf\x11\xe0"), overlapping(3)...),
		"polyglot.png":       append([]byte("\x89PNG\r\n\x1a\n%PDF-1.7\n"), overlapping(3)...),
		"polyglot.jpg":       append([]byte("\xff\xd8\xff\xe0\x00\x04\x01\x02\xff\xda\x00\x02\xff\xd9"), overlapping(3)...),
	}
}
