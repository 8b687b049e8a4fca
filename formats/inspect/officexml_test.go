package inspect

import (
	"encoding/base64"
	"testing"
)

const nsW2003 = `xmlns:w="` + nsWordML + `"`

func wordXML(root, body string) []byte {
	return []byte(`<?xml version="1.0"?><?mso-application progid="Word.Document"?><w:wordDocument ` + nsW2003 + ` ` + root + `>` + body + `<w:body><w:p/></w:body></w:wordDocument>`)
}

func sheetXML(body string) []byte {
	return []byte(`<?xml version="1.0"?><Workbook xmlns="` + nsSheetML + `" xmlns:ss="` + nsSheetML + `">` + body + `</Workbook>`)
}

func flatPackage(parts string) []byte {
	return []byte(`<pkg:package xmlns:pkg="` + nsFlatOPC + `">` + parts + `</pkg:package>`)
}

func flatPart(name, kind, content string) string {
	return `<pkg:part pkg:name="` + name + `" pkg:contentType="` + kind + `">` + content + `</pkg:part>`
}

func flatText(body string) []byte {
	return []byte(`<?xml version="1.0"?><office:document ` + nsODF + ` office:mimetype="application/vnd.oasis.opendocument.text"><office:body><office:text>` + body + `</office:text></office:body></office:document>`)
}

func officeXMLCases() []ruleCase {
	plain := []byte(`<?xml version="1.0"?><a/>`)
	word, sheet, odf := wordXML("", ""), sheetXML(""), flatText("")
	main := flatPart("/word/document.xml", typePrefix+"wordprocessingml.document.main+xml", `<pkg:xmlData><w:document `+nsW+`/></pkg:xmlData>`)
	packed := func(s string) string {
		return `<pkg:binaryData>` + "\r\n" + base64.StdEncoding.EncodeToString([]byte(s)) + `</pkg:binaryData>`
	}
	body := func(s string) string {
		return `<pkg:xmlData><w:document ` + nsW + `>` + s + `</w:document></pkg:xmlData>`
	}
	part := func(kind, content string) []byte { return flatPackage(flatPart("/word/a.xml", kind, content)) }
	return []ruleCase{
		{"format.office-xml", "x.xml", word, plain},
		{"format.office-xml", "x.xml", sheet, []byte(`<Workbook/>`)},
		{"format.office-xml", "x.xml", flatPackage(main), []byte(`<pkg:package xmlns:pkg="urn:x"/>`)},
		{"format.office-xml", "x.fodt", odf, plain},
		{"format.office-xml", "x.xml", []byte(`<?xml version="1.0"?><?mso-application progid="Visio.Document"?><a/>`), []byte(`<?xml version="1.0"?><?altro progid="Visio.Document"?><a/>`)},
		{"name.mismatch", "x.doc", word, nil},
		{"xml.malformed", "x.xml", word[:len(word)-3], word},
		{"ooxml.macro", "x.xml", wordXML(`w:macrosPresent="yes"`, ""), wordXML(`w:macrosPresent="no"`, "")},
		{"ooxml.macro", "x.xml", wordXML("", `<w:docSuppData><w:binData w:name="editdata.mso">x</w:binData></w:docSuppData>`), word},
		{"ooxml.embedded", "x.xml", wordXML("", `<w:docOleData/>`), word},
		{"field.dynamic", "x.xml", wordXML("", field("DATE")), wordXML("", field("PAGE"))},
		{"formula.volatile", "x.xml", sheetXML(`<Worksheet ss:Name="a"><Table><Row><Cell ss:Formula="=NOW()"/></Row></Table></Worksheet>`), sheetXML(`<Cell ss:Formula="=PI()"/>`)},
		{"formula", "x.xml", sheetXML(`<Cell ss:Formula="=PI()"/>`), sheetXML(`<Cell ss:Name="=PI()"/>`)},
		{"formula.volatile", "x.xml", sheetXML(`<NamedRange ss:RefersTo="=TODAY()"/>`), sheetXML(`<NamedRange ss:RefersTo="=a!R1C1"/>`)},
		{"link.scheme", "x.xml", sheetXML(`<Cell ss:HRef="file:///c:/x.exe"/>`), sheetXML(`<Cell ss:HRef="https://x.it/"/>`)},
		{"ooxml.macro", "x.xml", part("application/vnd.ms-word.document.macroEnabled.main+xml", body("")), flatPackage(main)},
		{"ooxml.macro", "x.xml", part("application/vnd.ms-office.vbaProject", packed("x")), flatPackage(main)},
		{"zip.nested", "x.xml", part("image/png", packed("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")), part("image/png", packed(string(pngOf(1, 1))))},
		{"field.dynamic", "x.xml", part("application/xml", body(field("FILENAME"))), part("application/xml", body(field("PAGE")))},
		{"ooxml.template", "x.xml", part("application/xml", `<pkg:xmlData>`+rels("attachedTemplate", "file:///x.dotm", "External")+`</pkg:xmlData>`), part("application/xml", `<pkg:xmlData>`+rels("styles", "styles.xml", "")+`</pkg:xmlData>`)},
		{"odf.macro", "x.fodt", flatText(`<office:scripts><office:script script:language="ooo:Basic"/></office:scripts>`), odf},
		{"field.dynamic", "x.fodt", flatText(`<text:date>x</text:date>`), flatText(`<text:date text:fixed="true">x</text:date>`)},
		{"odf.external", "x.fodt", flatText(`<draw:image xlink:href="Pictures/a.png"/>`), flatText(`<draw:image><office:binary-data>iVBORw0KGgo=</office:binary-data></draw:image>`)},
		{"zip.nested", "x.fodt", flatText(`<draw:image><office:binary-data>0M8R4KGxGuE=</office:binary-data></draw:image>`), odf},
	}
}

func TestOfficeXMLFormats(t *testing.T) {
	t.Parallel()
	for want, doc := range map[string][]byte{"wordml": wordXML("", ""), "spreadsheetml": sheetXML(""), "flatopc": flatPackage(""), "flatodf": flatText("")} {
		if rep := look(t, "x.xml", doc); rep.Format != want || rep.MediaType != "application/xml" || len(rep.Findings) != 1 {
			t.Errorf("%s: %+v", want, rep)
		}
	}
}

func FuzzInspectOfficeXML(f *testing.F) { fuzz(f, "x.xml", seedsOf(officeXMLCases())...) }
