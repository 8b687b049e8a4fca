package inspect

import (
	"encoding/base64"
	"math"
	"strings"
)

// corpusLater are documents in formats that may not be read yet.
func corpusLater() map[string][]byte {
	mht := func(html, more string) []byte {
		return []byte(strings.ReplaceAll("MIME-Version: 1.0\nContent-Type: multipart/related; boundary=\"=_parte\"; type=\"text/html\"\n\n--=_parte\nContent-Type: text/html; charset=\"us-ascii\"\nContent-Location: file:///C:/a.htm\n\n<html><body>"+html+"</body></html>\n"+more+"--=_parte--\n", "\n", "\r\n"))
	}
	project := string(cfbFile(vbaFiles("", "Modulo", "", macroSource)...))
	b64 := base64.StdEncoding.EncodeToString([]byte(project))
	word := func(body string) []byte {
		return []byte(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?><?mso-application progid="Word.Document"?><w:wordDocument xmlns:w="http://schemas.microsoft.com/office/word/2003/wordml">` + body + `</w:wordDocument>`)
	}
	instruction := `<w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>DATE</w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/>`
	flat := func(body, more string) []byte {
		return []byte(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?><?mso-application progid="Word.Document"?><pkg:package xmlns:pkg="http://schemas.microsoft.com/office/2006/xmlPackage">` +
			`<pkg:part pkg:name="/_rels/.rels" pkg:contentType="application/vnd.openxmlformats-package.relationships+xml"><pkg:xmlData>` + rels("officeDocument", "word/document.xml", "") + `</pkg:xmlData></pkg:part>` +
			`<pkg:part pkg:name="/word/document.xml" pkg:contentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"><pkg:xmlData><w:document ` + nsW + `><w:body><w:p><w:r>` + body + `</w:r></w:p></w:body></w:document></pkg:xmlData></pkg:part>` + more + `</pkg:package>`)
	}
	return map[string][]byte{
		"mhtml/active-script.mht":  mht(`<script>x()</script>`, ""),
		"mhtml/active-macro.mht":   mht(`<p>Contratto</p>`, "--=_parte\nContent-Location: file:///C:/editdata.mso\nContent-Transfer-Encoding: base64\nContent-Type: application/x-mso\n\n"+base64.StdEncoding.EncodeToString([]byte("ActiveMime"+project))+"\n"),
		"mhtml/inert-words.txt":    []byte("Un archivio MHTML ha MIME-Version: 1.0 e Content-Type: multipart/related.\n"),
		"mhtml/inert-words.html":   []byte("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>a</title></head><body><pre>MIME-Version: 1.0\nContent-Type: multipart/related</pre></body></html>"),
		"word-xml/active-date.xml": word(`<w:body><w:p><w:r>` + instruction + `</w:r></w:p></w:body>`),
		"word-xml/active-macro.xml": word(`<w:docSuppData><w:binData w:name="editdata.mso">` + b64 +
			`</w:binData></w:docSuppData><w:body><w:p><w:r><w:t>Contratto</w:t></w:r></w:p></w:body>`),
		"word-xml/inert-text.xml":      word(`<w:body><w:p><w:r><w:t>DATE w:instrText docSuppData</w:t></w:r></w:p></w:body>`),
		"word-xml/inert-own-words.xml": []byte(`<?xml version="1.0"?><w:wordDocument xmlns:w="urn:x"><w:binData>AAAA</w:binData></w:wordDocument>`),
		"flat-opc/active-date.xml":     flat(instruction, ""),
		"flat-opc/active-macro.xml":    flat(`<w:t>Contratto</w:t>`, `<pkg:part pkg:name="/word/vbaProject.bin" pkg:contentType="application/vnd.ms-office.vbaProject"><pkg:binaryData>`+b64+`</pkg:binaryData></pkg:part>`),
		"flat-opc/inert-text.xml":      flat(`<w:t>vbaProject.bin e DATE</w:t>`, ""),
		"flat-opc/inert-own-words.xml": []byte(`<?xml version="1.0"?><pkg:package xmlns:pkg="urn:x"><pkg:part pkg:name="/word/vbaProject.bin"/></pkg:package>`),
		"xlsb/active-macro.xlsb":       binaryBook(xlsbNumber, "xl/vbaProject.bin", project),
		"xlsb/active-now.xlsb":         binaryBook(xlsbNow),
		"xlsb/inert-number.xlsb":       binaryBook(xlsbNumber),
		"xlsb/inert-text.xlsb":         binaryBook(xlsbText("NOW() vbaProject.bin")),
		"mail/active-attachment.msg":   cfbFile("__properties_version1.0", strings.Repeat("\x00", 32), "__attach_version1.0_#00000000/__substg1.0_37010102", project, "__nameid_version1.0/__substg1.0_00020102", "x"),
		"mail/active-plain.msg":        cfbFile("__properties_version1.0", strings.Repeat("\x00", 32), "__substg1.0_1000001E", "Offerta", "__nameid_version1.0/__substg1.0_00020102", "x"),
		"mail/inert-names.doc":         docSpec{text: "__properties_version1.0 e __substg1.0_1000001E\r"}.file(),
	}
}

// binaryRecord is a record of a binary workbook ([MS-XLSB] §2.1.4): its type and
// its length take one byte for each seven bits.
func binaryRecord(kind int, body string) string {
	b := []byte{byte(kind)}
	if kind > 0x7f {
		b = []byte{byte(kind&0x7f | 0x80), byte(kind >> 7)}
	}
	n := len(body)
	for ; n > 0x7f; n >>= 7 {
		b = append(b, byte(n&0x7f|0x80))
	}
	b = append(b, byte(n))
	return string(b) + body
}

var (
	xlsbCell   = le(uint32(0), uint32(0)) // column, style
	xlsbNumber = binaryRecord(5, xlsbCell+le(uint32(0), uint32(math.Float64bits(100)>>32)))
	xlsbNow    = binaryRecord(9, xlsbCell+le(uint32(0), uint32(math.Float64bits(46000)>>32), 0, uint32(3), "\x41\x4a\x00", uint32(0)))
)

func xlsbText(s string) string {
	return binaryRecord(6, xlsbCell+le(uint32(len(s)), string(utf16le(s))))
}

// xlsb is a binary workbook of one sheet with one cell, and more parts.
func binaryBook(cell string, more ...string) []byte {
	text := func(s string) string { return le(uint32(len(s)), string(utf16le(s))) }
	const book, sheet = "application/vnd.ms-excel.sheet.binary.macroEnabled.main", "application/vnd.ms-excel.worksheet"
	types := []string{"xl/worksheets/sheet1.bin", sheet}
	relations := []string{"worksheet", "worksheets/sheet1.bin", ""}
	for i := 0; i+1 < len(more); i += 2 {
		types = append(types, more[i], "application/vnd.ms-office.vbaProject")
		relations = append(relations, "vbaProject", strings.TrimPrefix(more[i], "xl/"), "")
	}
	return zipOf(append([]string{
		"[Content_Types].xml", contentTypes("xl/workbook.bin", book, types...),
		"_rels/.rels", rels("officeDocument", "xl/workbook.bin", ""),
		"xl/_rels/workbook.bin.rels", rels(relations...),
		"xl/workbook.bin", binaryRecord(131, "") + binaryRecord(143, "") + binaryRecord(156, le(uint32(0), uint32(1))+text("r0")+text("Foglio1")) + binaryRecord(144, "") + binaryRecord(132, ""),
		"xl/worksheets/sheet1.bin", binaryRecord(129, "") + binaryRecord(145, "") + binaryRecord(0, le(uint32(0), uint32(0), 300, byte(0), byte(0), byte(0), uint32(1), uint32(0), uint32(0))) + cell + binaryRecord(146, "") + binaryRecord(130, ""),
	}, more...)...)
}
