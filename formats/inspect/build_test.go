package inspect

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sort"
	"strings"
)

// pdfDoc writes a PDF with a cross-reference table: objs[0] is object 1, the
// catalog.
func pdfDoc(objs ...string) []byte {
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
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objs)+1, at)
	return b.Bytes()
}

// pdfPage is a one-page PDF; more objects are numbered from 5.
func pdfPage(catalog, page string, more ...string) []byte {
	return pdfDoc(append([]string{
		"<< /Type /Catalog /Pages 2 0 R " + catalog + " >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R " + page + " >>",
		pdfStream("", "0 0 m 100 100 l S"),
	}, more...)...)
}

func pdfStream(dict, data string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data)
}

// pdfRevise appends an incremental update with objs by number.
func pdfRevise(doc []byte, size int, objs map[int]string) []byte {
	var b bytes.Buffer
	b.Write(doc)
	prev := bytes.LastIndex(doc, []byte("\nxref\n")) + 1
	nums := make([]int, 0, len(objs))
	for n := range objs {
		nums = append(nums, n)
	}
	sort.Ints(nums)
	var table strings.Builder
	for _, n := range nums {
		fmt.Fprintf(&table, "%d 1\n%010d 00000 n \n", n, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", n, objs[n])
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n%strailer\n<< /Size %d /Root 1 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n", table.String(), size, prev, at)
	return b.Bytes()
}

// pdfSigned appends a revision whose signature dictionary covers it all.
func pdfSigned(doc []byte, size int, catalog string) []byte {
	var before []byte // the fields of the signatures that doc has
	if i := bytes.LastIndex(doc, []byte("/Fields [")); i >= 0 {
		before, _, _ = bytes.Cut(doc[i+len("/Fields ["):], []byte("]"))
	}
	build := func(end int) []byte {
		return pdfRevise(doc, size+2, map[int]string{
			1:        "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [" + string(before) + fmt.Sprintf(" %d 0 R", size+1) + "] /SigFlags 3 >> " + catalog + " >>",
			size:     fmt.Sprintf("<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 10 20 %010d] /Contents <00> >>", end-20),
			size + 1: fmt.Sprintf("<< /FT /Sig /T (Firma %d) /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /F 132 /V %d 0 R >>", size, size),
		})
	}
	return build(len(build(0)))
}

// pdfCovered appends a revision with objs whose object sig is a signature
// dictionary that covers it all; in no field, unless objs has one.
func pdfCovered(doc []byte, size, sig int, objs map[int]string) []byte {
	build := func(end int) []byte {
		objs[sig] = fmt.Sprintf("<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached /ByteRange [0 10 20 %010d] /Contents <00> >>", end-20)
		return pdfRevise(doc, size, objs)
	}
	return build(len(build(0)))
}

// zipOf writes a ZIP; parts are name, content, name, content …
func zipOf(parts ...string) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i+1 < len(parts); i += 2 {
		h := &zip.FileHeader{Name: parts[i], Method: zip.Deflate}
		if parts[i] == "mimetype" {
			writeStored(w, parts[i], parts[i+1])
			continue
		}
		f, err := w.CreateHeader(h)
		if err == nil {
			_, err = f.Write([]byte(parts[i+1]))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// writeStored writes an entry without data descriptor or compression.
func writeStored(w *zip.Writer, name, content string) {
	f, err := w.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE([]byte(content)),
		CompressedSize64: uint64(len(content)), UncompressedSize64: uint64(len(content))})
	if err == nil {
		_, err = f.Write([]byte(content))
	}
	if err != nil {
		panic(err)
	}
}

const (
	nsW        = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	nsX        = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	nsP        = `xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"`
	relType    = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	typePrefix = "application/vnd.openxmlformats-officedocument."
)

func contentTypes(main, kind string, more ...string) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Default Extension="png" ContentType="image/png"/>`)
	fmt.Fprintf(&b, `<Override PartName="/%s" ContentType="%s"/>`, main, kind)
	for i := 0; i+1 < len(more); i += 2 {
		fmt.Fprintf(&b, `<Override PartName="/%s" ContentType="%s"/>`, more[i], more[i+1])
	}
	return b.String() + `</Types>`
}

func rels(entries ...string) string {
	var b strings.Builder
	b.WriteString(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`)
	for i := 0; i+2 < len(entries); i += 3 {
		mode := ""
		if entries[i+2] != "" {
			mode = ` TargetMode="` + entries[i+2] + `"`
		}
		fmt.Fprintf(&b, `<Relationship Id="r%d" Type="%s%s" Target="%s"%s/>`, i, relType, entries[i], entries[i+1], mode)
	}
	return b.String() + `</Relationships>`
}

// docx is a Word document with body XML and more parts.
func docx(body string, more ...string) []byte {
	return zipOf(append([]string{
		"[Content_Types].xml", contentTypes("word/document.xml", typePrefix+"wordprocessingml.document.main+xml"),
		"_rels/.rels", rels("officeDocument", "word/document.xml", ""),
		"word/document.xml", `<w:document ` + nsW + `><w:body><w:p><w:r><w:t>Contratto</w:t></w:r></w:p>` + body + `</w:body></w:document>`,
	}, more...)...)
}

// docxTyped is docx with the content type of one more part.
func docxTyped(name, kind, content string) []byte {
	return zipOf(
		"[Content_Types].xml", contentTypes("word/document.xml", typePrefix+"wordprocessingml.document.main+xml", name, kind),
		"_rels/.rels", rels("officeDocument", "word/document.xml", ""),
		"word/document.xml", `<w:document `+nsW+`><w:body/></w:document>`,
		name, content)
}

// field is a complex Word field, its code cut into runs.
func field(runs ...string) string {
	var b strings.Builder
	b.WriteString(`<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r>`)
	for _, r := range runs {
		fmt.Fprintf(&b, `<w:r><w:instrText xml:space="preserve">%s</w:instrText></w:r>`, r)
	}
	return b.String() + `<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>x</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>`
}

// xlsx is a workbook with the XML of one sheet, of the workbook, and more parts.
func xlsx(sheet, book string, more ...string) []byte {
	return zipOf(append([]string{
		"[Content_Types].xml", contentTypes("xl/workbook.xml", typePrefix+"spreadsheetml.sheet.main+xml", "xl/worksheets/sheet1.xml", typePrefix+"spreadsheetml.worksheet+xml"),
		"_rels/.rels", rels("officeDocument", "xl/workbook.xml", ""),
		"xl/_rels/workbook.xml.rels", rels("worksheet", "worksheets/sheet1.xml", ""),
		"xl/workbook.xml", `<workbook ` + nsX + `><sheets><sheet name="Foglio1" sheetId="1" r:id="r0"/></sheets>` + book + `</workbook>`,
		"xl/worksheets/sheet1.xml", `<worksheet ` + nsX + `>` + sheet + `</worksheet>`,
	}, more...)...)
}

func cell(formula string) string {
	return `<sheetData><row r="1"><c r="A1"><f>` + formula + `</f><v>1</v></c></row></sheetData>`
}

func pptx(slide string) []byte {
	return zipOf(
		"[Content_Types].xml", contentTypes("ppt/presentation.xml", typePrefix+"presentationml.presentation.main+xml", "ppt/slides/slide1.xml", typePrefix+"presentationml.slide+xml"),
		"_rels/.rels", rels("officeDocument", "ppt/presentation.xml", ""),
		"ppt/presentation.xml", `<p:presentation `+nsP+`/>`,
		"ppt/slides/slide1.xml", `<p:sld `+nsP+` `+slide+`</p:sld>`)
}

const nsODF = `xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:script="urn:oasis:names:tc:opendocument:xmlns:script:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"`

func odt(body string, more ...string) []byte {
	return zipOf(append([]string{
		"mimetype", "application/vnd.oasis.opendocument.text",
		"content.xml", `<office:document-content ` + nsODF + `><office:body><office:text><text:p>Contratto</text:p>` + body + `</office:text></office:body></office:document-content>`,
		"META-INF/manifest.xml", `<manifest:manifest ` + nsODF + `/>`,
	}, more...)...)
}

// wordStream is the beginning of a WordDocument stream with its flags.
func wordStream(flags uint16) string {
	fib := make([]byte, 64)
	binary.LittleEndian.PutUint16(fib, 0xa5ec)
	binary.LittleEndian.PutUint16(fib[10:], flags)
	return string(fib)
}

// records writes BIFF records: kind, body, kind, body …; the padding that
// follows reads as empty records of kind 0.
func records(parts ...any) string {
	var b bytes.Buffer
	for i := 0; i+1 < len(parts); i += 2 {
		body := parts[i+1].(string)
		_ = binary.Write(&b, binary.LittleEndian, uint16(parts[i].(int)))
		_ = binary.Write(&b, binary.LittleEndian, uint16(len(body)))
		b.WriteString(body)
	}
	return b.String()
}

// pngOf writes a PNG of the given size without pixels, with more chunks.
func pngOf(width, height uint32, chunks ...string) []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		b = append(append(b, kind...), data...)
		b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(append([]byte(kind), data...)))
	}
	head := binary.BigEndian.AppendUint32(nil, width)
	head = binary.BigEndian.AppendUint32(head, height)
	chunk("IHDR", append(head, 8, 2, 0, 0, 0))
	for _, c := range chunks {
		chunk(c, []byte("datadata"))
	}
	chunk("IEND", nil)
	return b
}

// tiffOf writes a TIFF with pages of one strip each.
func tiffOf(pages int) []byte {
	b := []byte("II*\x00\x08\x00\x00\x00")
	le := binary.LittleEndian
	for i := range pages {
		strip := len(b) + 2 + 4*12 + 4
		b = le.AppendUint16(b, 4)
		for _, e := range [][2]int{{tagWidth, 2}, {tagHeight, 2}, {tagStrips, strip}, {tagStripBytes, 4}} {
			b = le.AppendUint16(b, uint16(e[0]))
			b = le.AppendUint16(b, 4)
			b = le.AppendUint32(b, 1)
			b = le.AppendUint32(b, uint32(e[1]))
		}
		next := 0
		if i < pages-1 {
			next = strip + 4
		}
		b = le.AppendUint32(b, uint32(next))
		b = append(b, 1, 2, 3, 4)
	}
	return b
}

// gifOf writes a GIF with n frames of one pixel.
func gifOf(n int) []byte {
	b := []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00")
	for range n {
		b = append(b, "\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00"...)
	}
	return append(b, 0x3b)
}

// bmpOf writes a BMP header and the body it promises.
func bmpOf(width, height int32) []byte {
	b := make([]byte, 54+12)
	copy(b, "BM")
	le := binary.LittleEndian
	le.PutUint32(b[2:], uint32(len(b)))
	le.PutUint32(b[10:], 54)
	le.PutUint32(b[14:], 40)
	le.PutUint32(b[18:], uint32(width))
	le.PutUint32(b[22:], uint32(height))
	return b
}

// jpegOf writes a JPEG skeleton: frame, scan, end.
func jpegOf(width, height uint16) []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xc0, 0, 8, 8}
	b = binary.BigEndian.AppendUint16(b, height)
	b = binary.BigEndian.AppendUint16(b, width)
	b = append(b, 0)
	return append(b, 0xff, 0xda, 0, 2, 1, 2, 3, 0xff, 0, 4, 0xff, 0xd0, 5, 0xff, 0xd9)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
