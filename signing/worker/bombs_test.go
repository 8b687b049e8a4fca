//go:build !race

// The race detector takes many times the memory and the time that are counted here.

package worker

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// zeros writes n bytes of zero (rounded to 2,064) as raw deflate: one literal, then
// copies of 258 bytes from the byte before in the fixed code, 13 bits each. Ten
// gigabytes take 63 megabytes that are themselves one pattern.
func zeros(w io.Writer, n int64) {
	var pattern []byte
	at := 0
	put := func(value uint32, bits int) {
		for i := range bits {
			if at%8 == 0 {
				pattern = append(pattern, 0)
			}
			pattern[at/8] |= byte(value>>i&1) << (at % 8)
			at++
		}
	}
	copies := func(n int) {
		for range n {
			put(0b10100011, 8) // the length 258, first bit first
			put(0, 5)          // the distance 1
		}
	}
	put(1, 1)          // the last block
	put(1, 2)          // fixed codes
	put(0b00001100, 8) // the literal 0, first bit first
	copies(1)          // which makes whole bytes of the head
	head := pattern
	pattern, at = nil, 0
	copies(8)
	_, _ = w.Write(head)
	chunk := bytes.Repeat(pattern, 4096)
	for left := n / 258 / 8; left > 0; left -= 4096 {
		_, _ = w.Write(chunk[:13*min(left, 4096)])
	}
}

// packed is what write writes, deflated in a zlib wrapper without its checksum,
// which nobody reaches.
func packed(write func(io.Writer)) []byte {
	var b bytes.Buffer
	b.WriteString("\x78\xda")
	z, _ := flate.NewWriter(&b, flate.BestCompression)
	write(z)
	_ = z.Close()
	return b.Bytes()
}

// nested are n zeros, deflated three times: some kilobytes for ten gigabytes.
func nested(n int64) string {
	return string(packed(func(w io.Writer) {
		_, _ = w.Write(packed(func(w io.Writer) {
			_, _ = io.WriteString(w, "\x78\xda")
			zeros(w, n)
		}))
	}))
}

// pdfOf writes a PDF with a cross-reference table; objs[0] is the catalog.
func pdfOf(trailer string, objs ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(objs))
	for i, o := range objs {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objs)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	if trailer == "" {
		trailer = fmt.Sprintf("/Size %d", len(objs)+1)
	}
	trailer = strings.ReplaceAll(trailer, "HERE", fmt.Sprint(at))
	fmt.Fprintf(&b, "trailer\n<< %s /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", trailer, at)
	return b.Bytes()
}

// page is a PDF of one page with more objects from number 5.
func page(catalog string, more ...string) []byte {
	return pdfOf("", append([]string{
		"<< /Type /Catalog /Pages 2 0 R " + catalog + " >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>", streamOf("", "0 0 m 9 9 l S"),
	}, more...)...)
}

func streamOf(dict, data string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data)
}

// crossReferences is a PDF whose table is a stream with those entries and data.
func crossReferences(dict, data string) []byte {
	head := "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
	return fmt.Appendf(nil, "%s3 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n", head,
		streamOf(strings.ReplaceAll("/Type /XRef /Root 1 0 R "+dict, "HERE", fmt.Sprint(len(head))), data), len(head))
}

func bombsPDF() map[string][]byte {
	flat := "/Filter [/FlateDecode /FlateDecode /FlateDecode] "
	ten := nested(10 << 30)
	deep := func(open string, n int) []byte { return page("/X " + strings.Repeat(open, n)) }
	return map[string][]byte{
		"objects-10GB.pdf":    page("", streamOf(flat+"/Type /ObjStm /N 1 /First 5", ten)),
		"references-10GB.pdf": crossReferences(flat+"/Size 1000000000 /W [1 4 2]", ten),
		"script-10GB.pdf":     page("/OpenAction << /S /JavaScript /JS 5 0 R >>", streamOf(flat, ten)),
		// What nobody unpacks or follows harms nobody.
		"idle-content-10GB.pdf":    page("", streamOf(flat, ten)),
		"idle-next-loop.pdf":       page("/OpenAction 5 0 R", "<< /S /GoTo /D [3 0 R /Fit] /Next 6 0 R >>", "<< /S /GoTo /D [3 0 R /Fit] /Next 5 0 R >>"),
		"idle-bookmarks-loop.pdf":  page("/Outlines 5 0 R", "<< /First 6 0 R /Last 6 0 R >>", "<< /Title (a) /Parent 5 0 R /Next 6 0 R /First 5 0 R /Dest [3 0 R /Fit] >>"),
		"previous-loop.pdf":        pdfOf("/Size 2 /Prev HERE", "<< /Type /Catalog /Pages 2 0 R >>"),
		"previous-stream-loop.pdf": crossReferences("/Size 4 /W [1 2 1] /Prev HERE", strings.Repeat("\x00", 16)),
		"hybrid-loop.pdf":          pdfOf("/Size 2 /XRefStm HERE", "<< /Type /Catalog /Pages 2 0 R >>"),
		"pages-loop.pdf":           pdfOf("", "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", "<< /Type /Pages /Parent 2 0 R /Kids [2 0 R] /Count 1 >>"),
		"pages-tree.pdf":           pagesTree(30),
		"objects-in-themselves.pdf": crossReferences("/Size 5 /W [1 2 1]",
			"\x00\x00\x00\x00"+"\x01\x00\x0f\x00"+"\x02\x00\x04\x00"+"\x01\x00\x0f\x00"+"\x02\x00\x04\x00"),
		"objects-extend.pdf":   page("", streamOf("/Type /ObjStm /N 1 /First 4 /Extends 5 0 R", "9 0 null")),
		"size.pdf":             pdfOf("/Size 2147483647", "<< /Type /Catalog /Pages 2 0 R >>"),
		"subsection.pdf":       bytes.Replace(page(""), []byte("0 5\n"), []byte("0 2147483647\n"), 1),
		"index.pdf":            crossReferences("/Size 2000000000 /Index [0 2000000000] /W [1 2 1]", strings.Repeat("\x01", 400)),
		"widths.pdf":           crossReferences("/Size 9 /W [2147483647 2147483647 2147483647]", strings.Repeat("\x01", 400)),
		"zero-widths.pdf":      crossReferences("/Size 2000000000 /W [0 0 0]", ""),
		"length.pdf":           bytes.Replace(page(""), []byte("/Length 13"), []byte("/Length 99999999999"), 1),
		"length-of-itself.pdf": bytes.Replace(page(""), []byte("/Length 13"), []byte("/Length 4 0 R"), 1),
		"number.pdf":           page("", streamOf("/Type /ObjStm /N 2147483647 /First 2147483647", "9 0 null")),
		"count.pdf":            pdfOf("", "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [] /Count 2147483647 >>"),
		"arrays.pdf":           deep("[", 3_000_000),
		"dictionaries.pdf":     deep("<< /A ", 1_000_000),
		"strings.pdf":          deep("(", 5_000_000),
		"predictor.pdf":        page("", streamOf("/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /DecodeParms << /Predictor 15 /Columns 2147483647 /Colors 32 /BitsPerComponent 16 >>", string(packed(func(w io.Writer) { _, _ = w.Write(make([]byte, 1000)) })))),
	}
}

// pagesTree doubles at every level: 2^depth pages of depth objects.
func pagesTree(depth int) []byte {
	objs := []string{"<< /Type /Catalog /Pages 2 0 R >>"}
	for i := range depth {
		objs = append(objs, fmt.Sprintf("<< /Type /Pages /Kids [%d 0 R %d 0 R] /Count %d >>", i+3, i+3, 1<<(depth-i)))
	}
	return pdfOf("", append(objs, "<< /Type /Page /MediaBox [0 0 9 9] >>")...)
}

// zipped writes a package of the parts, those after "raw:" as ready deflate data.
func zipped(parts map[string]func(io.Writer)) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, write := range parts {
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
	for name, write := range more {
		parts[name] = write
	}
	return zipped(parts)
}

func bombsZip() map[string][]byte {
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
	return map[string][]byte{
		"lying.docx":       wordOf(nothing, part{"raw:word/media/a.png": func(w io.Writer) { zeros(w, 1<<30) }}),
		"text.docx":        wordOf(repeated("<w:p/>", 6<<20), nil),
		"one-text.docx":    wordOf(repeated("a", 40<<20), nil),
		"pictures.docx":    wordOf(nothing, part{"word/media/a.png": repeated("\x00", 40<<20), "word/media/b.png": repeated("\x00", 40<<20)}),
		"entries.docx":     wordOf(nothing, many),
		"overlapping.docx": overlapping(1000),
		"sizes.docx":       zip64(),
		"nested.docx":      wordOf(nothing, part{"word/media/a.png": func(w io.Writer) { _, _ = w.Write(inner) }}),
		"nested.zip":       inner,
		"deep.docx":        wordOf(repeated("<w:p>", 3_000_000), nil),
		"attributes.docx": wordOf(func(w io.Writer) {
			_, _ = io.WriteString(w, "<w:p")
			attributes(w, 1_000_000)
			_, _ = io.WriteString(w, "/>")
		}, nil),
		"fields.docx": wordOf(repeated(`<w:r><w:fldChar w:fldCharType="begin"/></w:r>`, 200_000), nil),
		"laughs.docx": wordOf(nothing, part{"customXml/item1.xml": said(laughs)}),
		"spaces.docx": wordOf(func(w io.Writer) { _, _ = io.WriteString(w, `<a x="`); repeated(" ", 40<<20)(w) }, nil),
	}
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
