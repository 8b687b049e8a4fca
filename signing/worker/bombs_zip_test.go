//go:build !race

// The race detector takes many times the memory and the time that are counted here.

package worker

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strings"
)

// bombsZip are packages that expand, lie about their size, or say a thing twice.
func bombsZip() map[string]bomb {
	type part = map[string]func(io.Writer)
	nothing := said("")
	many := part{}
	for i := range 60_000 {
		many[fmt.Sprintf("word/media/%d.png", i)] = nothing
	}
	inner := zipped(part{"a.txt": said("x")})
	for range 20 {
		packed := inner
		inner = zipped(part{"a.zip": func(w io.Writer) { _, _ = w.Write(packed) }})
	}
	return map[string]bomb{
		"lying.docx":         {wordOf(nothing, part{"raw:word/media/a.png": func(w io.Writer) { zeros(w, 1<<30) }}), "zip: not a valid zip file"},
		"text.docx":          {wordOf(repeated("<w:p/>", 6<<20), nil), "zip.bomb word/document.xml"},
		"pictures.docx":      {wordOf(nothing, part{"word/media/a.png": repeated("\x00", 40<<20), "word/media/b.png": repeated("\x00", 40<<20)}), "zip.bomb word/media/"},
		"entries.docx":       {wordOf(nothing, many), "zip.bomb 60002 entries"},
		"overlapping.docx":   {overlapping(1000), "zip.layout no entry at byte"},
		"same-part.docx":     {samePart(wordOf(nothing, nil)), "zip.layout overlapping entries"},
		"sizes.docx":         {zip64(), "zip.bomb word/document.xml"},
		"nested.docx":        {wordOf(nothing, part{"word/media/a.png": func(w io.Writer) { _, _ = w.Write(inner) }}), "zip.nested"},
		"nested.zip":         {inner, "format.container"},
		"idle-one-text.docx": {wordOf(repeated("a", 9<<20), nil), ""},
		"deep.docx":          {wordOf(repeated("<w:p>", 300_000), nil), "elements nested too deep"},
		"attributes.docx": {wordOf(func(w io.Writer) {
			_, _ = io.WriteString(w, "<w:p")
			attributes(w, 1_000_000)
			_, _ = io.WriteString(w, "/>")
		}, nil), "too many attributes"},
		"fields.docx": {wordOf(repeated(`<w:r><w:fldChar w:fldCharType="begin"/></w:r>`, 200_000), nil), "field.dynamic <fldChar> in a field code"},
		"laughs.docx": {wordOf(nothing, part{"customXml/item1.xml": said(laughs)}), "xml.dtd"},
		"spaces.docx": {wordOf(func(w io.Writer) { _, _ = io.WriteString(w, `<a x="`); repeated(" ", 9<<20)(w) }, nil), "ooxml.malformed"},
	}
}

// zipped writes a package of the parts, those after "raw:" as ready deflate data.
func zipped(parts map[string]func(io.Writer)) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		write := parts[name]
		if name, raw := strings.CutPrefix(name, "raw:"); raw {
			var data bytes.Buffer
			write(&data)
			f, _ := w.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, CompressedSize64: uint64(data.Len()), UncompressedSize64: 1 << 10})
			_, _ = f.Write(data.Bytes())
			continue
		}
		f, _ := w.Create(name)
		write(f)
	}
	_ = w.Close()
	return b.Bytes()
}

func said(s string) func(io.Writer) {
	return func(w io.Writer) { _, _ = io.WriteString(w, s) }
}

func repeated(s string, n int) func(io.Writer) {
	chunk := strings.Repeat(s, max(1, 64<<10/len(s)))
	return func(w io.Writer) {
		for left := n * len(s); left > 0; left -= len(chunk) {
			_, _ = io.WriteString(w, chunk[:min(left, len(chunk))])
		}
	}
}

const mainType = `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`

// wordOf is a DOCX with such a text and more parts.
func wordOf(text func(io.Writer), more map[string]func(io.Writer)) []byte {
	parts := map[string]func(io.Writer){"[Content_Types].xml": said(mainType), "word/document.xml": func(w io.Writer) {
		_, _ = io.WriteString(w, `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>`)
		text(w)
		_, _ = io.WriteString(w, `</w:body></w:document>`)
	}}
	maps.Copy(parts, more)
	return zipped(parts)
}

// samePart has two entries of the directory of a package lead to one part.
func samePart(z []byte) []byte {
	first := bytes.Index(z, []byte("PK\x01\x02"))
	second := first + 4 + bytes.Index(z[first+4:], []byte("PK\x01\x02"))
	copy(z[second+42:second+46], z[first+42:first+46])
	return z
}

// overlapping is a package of n files, each within the bytes of the one before.
func overlapping(n int) []byte {
	le := binary.LittleEndian
	local := func(name, content string) string {
		h := append([]byte("PK\x03\x04"), make([]byte, 26)...)
		h[4] = 20
		le.PutUint32(h[14:], crc32.ChecksumIEEE([]byte(content)))
		le.PutUint32(h[18:], uint32(len(content)))
		le.PutUint32(h[22:], uint32(len(content)))
		le.PutUint16(h[26:], uint16(len(name)))
		return string(h) + name + content
	}
	stream := local("[Content_Types].xml", mainType)
	starts, names := []int{0}, []string{"[Content_Types].xml"}
	inner, content := "", []string{mainType}
	var inside []string
	for i := range n {
		inside = append(inside, inner)
		inner = local(fmt.Sprintf("word/media/%04d.png", i), inner)
	}
	for i := n - 1; i >= 0; i-- {
		name := fmt.Sprintf("word/media/%04d.png", i)
		starts, names, content = append(starts, len(stream)+(n-1-i)*(30+len(name))), append(names, name), append(content, inside[i])
	}
	stream += inner
	directory := ""
	for i, name := range names {
		h := append([]byte("PK\x01\x02"), make([]byte, 42)...)
		h[4], h[6] = 20, 20
		le.PutUint32(h[16:], crc32.ChecksumIEEE([]byte(content[i])))
		le.PutUint32(h[20:], uint32(len(content[i])))
		le.PutUint32(h[24:], uint32(len(content[i])))
		le.PutUint16(h[28:], uint16(len(name)))
		le.PutUint32(h[42:], uint32(starts[i]))
		directory += string(h) + name
	}
	end := append([]byte("PK\x05\x06"), make([]byte, 18)...)
	le.PutUint16(end[8:], uint16(len(names)))
	le.PutUint16(end[10:], uint16(len(names)))
	le.PutUint32(end[12:], uint32(len(directory)))
	le.PutUint32(end[16:], uint32(len(stream)))
	return []byte(stream + directory + string(end))
}

// zip64 is a package one of whose files says it is 2^50 bytes long.
func zip64() []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, _ := w.Create("[Content_Types].xml")
	_, _ = io.WriteString(f, mainType)
	f, _ = w.CreateRaw(&zip.FileHeader{Name: "word/document.xml", Method: zip.Deflate, CompressedSize64: 1 << 50, UncompressedSize64: 1 << 50})
	_, _ = io.WriteString(f, "\x03\x00")
	_ = w.Close()
	return b.Bytes()
}

const laughs = `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]><a>&d;</a>`

// attributes writes n attributes of different names.
func attributes(w io.Writer, n int) {
	var b []byte
	for i := range n {
		b = fmt.Appendf(b[:0], ` a%d=""`, i)
		_, _ = w.Write(b)
	}
}
