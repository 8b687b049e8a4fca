//go:build !race

// The race detector takes many times the memory and the time that are counted here.

package worker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
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
	directory := directoryOf(entries, put)
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

// directoryOf is the directory of a compound file; put stores a stream and answers
// where it begins.
func directoryOf(entries []cfbEntry, put func(data []byte) uint32) []byte {
	le := binary.LittleEndian
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
		le.PutUint32(raw[120:], uint32(len(e.data)))
	}
	return directory
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

// bombsCompound are compound files whose chains go round in a circle or whose sizes
// lie, and floods of records in them.
func bombsCompound() map[string]bomb {
	le := binary.LittleEndian
	book := append([]byte("\x09\x08\x10\x00\x00\x06\x05\x00"), make([]byte, 12)...)
	padded := func(b []byte) []byte { return append(b, make([]byte, max(0, 4096-len(b)))...) }
	workbook := func(data []byte, edit func(fat []uint32, directory int, header []byte)) []byte {
		return storing(edit, cfbEntry{name: "Workbook", data: padded(bytes.Join([][]byte{book, data}, nil))})
	}
	many := make([]cfbEntry, 25_000)
	for i := range many {
		many[i].name = fmt.Sprintf("s%d", i)
	}
	// Chunks of one letter and a copy of it over the rest of 4,096 bytes.
	project := []byte("\x01" + strings.Repeat("\x03\xb0\x02a\xfc\x0f", 500_000))
	vba := compound(nil, cfbEntry{name: "Root Entry", kind: 5, next: cfbNone, child: 1}, cfbEntry{name: "WordDocument", kind: 2, next: 2, child: cfbNone, data: make([]byte, 4096)},
		cfbEntry{name: "VBA", kind: 1, next: cfbNone, child: 3}, cfbEntry{name: "dir", kind: 2, next: cfbNone, child: cfbNone, data: project})
	texts := le.AppendUint32(le.AppendUint32([]byte("\xfc\x00\x08\x00"), 0xffffffff), 0xffffffff)
	return map[string]bomb{
		"directory-loop.xls": {workbook(nil, func(fat []uint32, directory int, _ []byte) { fat[directory] = uint32(directory) }), "sector cycle"},
		"stream-loop.xls":    {workbook(nil, func(fat []uint32, _ int, _ []byte) { fat[3] = 0 }), "cfb.legacy record 0x0"},
		"table-loop.xls": {workbook(nil, func(_ []uint32, directory int, header []byte) {
			le.PutUint32(header[68:], uint32(directory))
			le.PutUint32(header[72:], 0x7fffffff)
		}), "num DIFATs exceeds"},
		"table-number.xls": {workbook(nil, func(_ []uint32, _ int, header []byte) { le.PutUint32(header[44:], 0x7fffffff) }), "fewer sector tables"},
		"small-table-loop.xls": {workbook(nil, func(fat []uint32, directory int, header []byte) {
			le.PutUint32(header[60:], uint32(directory))
			le.PutUint32(header[64:], 0x7fffffff)
			fat[directory] = uint32(directory)
		}), "num mini FATs exceeds"},
		"siblings-loop.xls": {compound(nil, cfbEntry{name: "Root Entry", kind: 5, next: cfbNone, child: 1}, cfbEntry{name: "Workbook", kind: 2, next: 1, child: 1, data: padded(book)}), "traversal counter overflow"},
		"entries.xls":       {storing(nil, many...), "too many entries"},
		"project.doc":       {vba, "unreadable project: a record is too long"},
		"continued.xls":     {workbook(append([]byte("\x06\x00\x00\x00"), bytes.Repeat([]byte("\x3c\x00\x00\x00"), 1<<20)...), nil), "record 0x6 at 20: a record ends too early"},
		"record.xls":        {workbook([]byte("\x03\x02\xff\xff"), nil), "says 65535 bytes"},
		"texts.xls":         {workbook(append(texts, bytes.Repeat([]byte("\x3c\x00\x03\x00\xff\xff\x01"), 1<<19)...), nil), "cfb.malformed a record ends too early"},
		"envelope.p7m":      {append([]byte("\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80"), bytes.Repeat([]byte("\x30\x80"), 4<<20)...), "nested too deeply"},
	}
}

// bombsPictures say that they are larger than they are, or have millions of parts.
func bombsPictures() map[string]bomb {
	png := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00\x00\x00\x00\x00")
	gif := []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00")
	flood := func(head []byte, part string, n int) []byte { return append(head, bytes.Repeat([]byte(part), n)...) }
	return map[string]bomb{
		"pages-many.tif": {[]byte("II*\x00\x08\x00\x00\x00\xff\xff\x00\x00"), "too many entries"},
		"pixels.jpg":     {[]byte("\xff\xd8\xff\xc0\x00\x08\x08\xff\xff\xff\xff\x00\xff\xda\x00\x02\xff\xd9"), "image.pixels 65535×65535"},
		"pixels.bmp":     {append([]byte("BM\x42\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\xff\xff\xff\x7f\xff\xff\xff\x7f"), make([]byte, 40)...), "2147483647×2147483647"},
		"chunks.png":     {flood(png, "\x00\x00\x00\x00tEXt\x00\x00\x00\x00", 2<<20), "too many chunks"},
		"frames.gif":     {flood(slices.Clone(gif), "\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x00", 1<<20), "too many frames or extensions"},
		"extensions.gif": {flood(gif, "\x21\xfe\x00", 3<<20), "too many frames or extensions"},
		"segments.jpg":   {flood([]byte("\xff\xd8"), "\xff\xfe\x00\x02", 3<<20), "too many segments"},
	}
}
