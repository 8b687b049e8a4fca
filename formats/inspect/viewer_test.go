package inspect

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

// nsShown are the name spaces of what shows pictures and shapes.
const nsShown = `xmlns:mc="` + nsCompatibility + `" xmlns:v="urn:schemas-microsoft-com:vml" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"`

// viewerCases are documents of which two readers, or one on two days, see two
// things, by other ways than those that have a name of their own.
func viewerCases() []ruleCase {
	var all []ruleCase
	for _, cases := range [][]ruleCase{relationCases(), branchCases(), shapeCases(), masterCases(), localeCases(), readerCases(), pdfStateCases(), filledCases(), nameCases(), chartCases(), fontCases(), colourCases(), paperCases()} {
		all = append(all, cases...)
	}
	return all
}

func relationCases() []ruleCase {
	related := func(parts ...string) []byte {
		var list strings.Builder
		list.WriteString(`<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`)
		for i := 0; i+2 < len(parts); i += 3 {
			fmt.Fprintf(&list, `<Relationship Id="%s" Type="%s%s" Target="%s"/>`, parts[i], relType, parts[i+1], parts[i+2])
		}
		return docx("", "word/_rels/document.xml.rels", list.String()+`</Relationships>`)
	}
	main := typePrefix + "wordprocessingml.document.main+xml"
	packed := func(types string, documents ...string) []byte {
		var list []string
		for _, d := range documents {
			list = append(list, "officeDocument", d, "")
		}
		body := `<w:document ` + nsW + `><w:body/></w:document>`
		return zipOf("[Content_Types].xml", strings.Replace(contentTypes("word/document.xml", main), "</Types>", types+"</Types>", 1),
			"_rels/.rels", rels(list...), "word/document.xml", body, "word/other.xml", body)
	}
	png := `<Default Extension="PNG" ContentType="image/png"/>`
	return []ruleCase{
		{"ooxml.malformed", "x.docx", related("a", "image", "media/1.png", "a", "image", "media/2.png"), related("a", "image", "media/1.png", "A", "image", "media/2.png")},
		{"ooxml.malformed", "x.docx", related("a", "styles", "1.xml", "b", "styles", "2.xml"), related("a", "header", "1.xml", "b", "header", "2.xml")},
		{"ooxml.malformed", "x.docx", packed("", "word/document.xml", "word/other.xml"), packed("", "/word/./Document.xml")},
		{"ooxml.malformed", "x.docx", packed("", "word/other.xml"), packed("", "word/document.xml")},
		{"ooxml.malformed", "x.docx", packed(strings.Replace(png, "png\"", "gif\"", 1), "word/document.xml"), packed(png, "word/document.xml")},
	}
}

func branchCases() []ruleCase {
	branches := func(a, b string) []byte {
		return docx(`<mc:AlternateContent ` + nsShown + `><mc:Choice Requires="wps">` + a + `</mc:Choice><mc:Fallback>` + b + `</mc:Fallback></mc:AlternateContent>`)
	}
	picture := func(id string) string { return `<w:drawing><a:blip r:embed="` + id + `"/></w:drawing>` }
	symbol := func(char string) string { return `<w:r><w:sym w:font="Symbol" w:char="` + char + `"/></w:r>` }
	value := func(n string) string {
		return `<x:c xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><x:v>` + n + `</x:v></x:c>`
	}
	return []ruleCase{
		{"ooxml.alternate.part", "x.docx", branches(picture("r1"), picture("r2")), branches(picture("r1"), `<w:pict><v:imagedata r:id="r1"/></w:pict>`)},
		{"ooxml.alternate.part", "x.docx", branches(picture("r1"), ""), branches(picture("r1"), picture("r1"))},
		{"ooxml.alternate", "x.docx", branches(symbol("F031"), symbol("F039")), branches(symbol("F031"), symbol("F031"))},
		{"ooxml.alternate", "x.docx", branches(value("1"), value("2")), branches(value("1"), value("1"))},
		{"ooxml.alternate.part", "x.docx", docx(`<a:ext ` + nsShown + `><s:svgBlip xmlns:s="http://schemas.microsoft.com/office/drawing/2016/SVG/main" r:embed="r1"/></a:ext>`), docx(`<a:ext ` + nsShown + `/>`)},
		{"ooxml.alternate.part", "x.docx", docx("", "word/_rels/document.xml.rels", rels("diagramDrawing", "diagrams/drawing1.xml", "")), docx("", "word/_rels/document.xml.rels", rels("diagramData", "diagrams/data1.xml", ""))},
	}
}

func shapeCases() []ruleCase {
	shape := func(attributes string) []byte {
		return docx(`<w:pict ` + nsShown + `><v:shape ` + attributes + `/></w:pict>`)
	}
	drawn := func(attributes string) []byte {
		return docx(`<wp:docPr xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" id="1" ` + attributes + `/>`)
	}
	comment := xlsx("", "", "xl/drawings/a.vml", `<xml xmlns:v="urn:schemas-microsoft-com:vml"><v:shape style="visibility:hidden"/></xml>`)
	return []ruleCase{
		{"link.scheme", "x.docx", shape(`href="javascript:alert(1)"`), shape(`href="https://x.it/"`)},
		{"ooxml.hidden", "x.docx", shape(`style="width:9pt; visibility: hidden"`), shape(`style="width:9pt;visibility:visible"`)},
		{"ooxml.hidden", "x.docx", shape(`style="display:none"`), comment},
		{"ooxml.hidden", "x.docx", drawn(`hidden="1"`), drawn(`hidden="0"`)},
		{"text.bidi", "x.docx", docx(`<w:bdo w:val="rtl"><w:r><w:t>001</w:t></w:r></w:bdo>`), docx(`<w:bdr/>`)},
	}
}

func masterCases() []ruleCase {
	master := func(placeholder, kind string) []byte {
		return slidePart("slideLayouts/slideLayout1", "slideLayout", "sldLayout",
			`<p:sp><p:nvPr><p:ph type="dt"/></p:nvPr></p:sp><p:sp><p:nvPr>`+placeholder+`</p:nvPr><p:txBody><a:fld type="`+kind+`"/></p:txBody></p:sp>`)
	}
	notes := func(place, text string) []byte {
		return slidePart("notesSlides/notesSlide1", "notesSlide", "notes",
			`<p:sp><p:nvPr><p:ph type="`+place+`"/></p:nvPr><p:txBody><a:p><a:r><a:t>`+text+`</a:t></a:r></a:p></p:txBody></p:sp>`)
	}
	show := func(what string) []byte { return slidePart("presProps", "presProps", "presentationPr", what) }
	return []ruleCase{
		{"field.dynamic", "x.pptx", master("", "datetime1"), master(`<p:ph type="dt"/>`, "datetime1")},
		{"field.dynamic", "x.pptx", master("", "datetime1"), master(`<p:ph/>`, "datetime1")},
		{"ooxml.hidden", "x.pptx", notes("body", "non dirlo"), notes("body", " ")},
		{"ooxml.hidden", "x.pptx", notes("body", "non dirlo"), notes("sldNum", "3")},
		{"ooxml.hidden", "x.pptx", show(`<p:showPr><p:sldRg st="1" end="2"/></p:showPr>`), show(`<p:showPr><p:sldAll/></p:showPr>`)},
		{"ooxml.hidden", "x.pptx", show(`<p:showPr><p:custShow id="0"/></p:showPr>`), show(`<p:custShowLst><p:custShow name="a" id="0"/></p:custShowLst>`)},
	}
}

// slidePart is a presentation with one part more.
func slidePart(name, kind, root, content string) []byte {
	return zipOf(
		"[Content_Types].xml", contentTypes("ppt/presentation.xml", typePrefix+"presentationml.presentation.main+xml", "ppt/"+name+".xml", typePrefix+"presentationml."+kind+"+xml"),
		"_rels/.rels", rels("officeDocument", "ppt/presentation.xml", ""),
		"ppt/presentation.xml", `<p:presentation `+nsP+`/>`,
		"ppt/"+name+".xml", `<p:`+root+` `+nsP+`>`+content+`</p:`+root+`>`)
}

func localeCases() []ruleCase {
	styles := func(inside string) []byte {
		return xlsx("", "", "xl/styles.xml", `<styleSheet `+nsX+`>`+inside+`</styleSheet>`)
	}
	format := func(code string) []byte {
		return styles(`<numFmts><numFmt numFmtId="170" formatCode="` + code + `"/></numFmts>`)
	}
	return []ruleCase{
		{"sheet.locale", "x.xlsx", styles(`<cellXfs><xf numFmtId="14"/></cellXfs>`), styles(`<cellXfs><xf numFmtId="15"/></cellXfs>`)},
		{"sheet.locale", "x.xlsx", styles(`<cellXfs><xf numFmtId="44"/></cellXfs>`), styles(`<cellStyleXfs><xf numFmtId="44"/></cellStyleXfs><cellXfs><xf numFmtId="0"/></cellXfs>`)},
		{"sheet.locale", "x.xlsx", format(`[$-F800]dddd, mmmm dd, yyyy`), format(`[$-410]dddd d mmmm yyyy`)},
		{"ooxml.hidden", "x.xlsx", format(`;;;`), format(`0;-0;;@`)},
		{"sheet.locale", "x.xls", xlsOf(records(0xe0, le(0, 14, 0)), ""), xlsOf(records(0xe0, le(0, 15, 0)), "")},
		{"sheet.locale", "x.xls", xlsOf(records(0xe0, le(0, 44, 0)), ""), xlsOf(records(0xe0, le(0, 44, 4)), "")},
		{"sheet.locale", "x.xls", xlsOf(records(0x41e, le(170, 8, byte(0), "[$-F800]")), ""), xlsOf(records(0x41e, le(170, 8, byte(0), "[$-410]d")), "")},
		{"ooxml.hidden", "x.xls", xlsOf(records(0x41e, le(170, 3, byte(1), ";\x00;\x00;\x00")), ""), xlsOf(records(0x41e, le(170, 3, byte(0), ";;0")), "")},
	}
}

func readerCases() []ruleCase {
	section := func(attributes string) []byte {
		return odt(`<text:section text:name="s" ` + attributes + `><text:p>x</text:p></text:section>`)
	}
	variable := func(formula string) []byte {
		return odt(`<text:p><text:variable-set text:name="v" text:formula="` + formula + `">x</text:variable-set></text:p>`)
	}
	described := func(what string) []byte {
		return odt("", "meta.xml", `<office:document-meta `+nsODF+` xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"><office:meta>`+what+`</office:meta></office:document-meta>`)
	}
	row := func(visibility string) []byte { return odt(`<table:table-row table:visibility="` + visibility + `"/>`) }
	return []ruleCase{
		{"field.dynamic", "x.odt", section(`text:display="condition" text:condition="ooow:user_lastname EQ &quot;Rossi&quot;"`), section(`text:display="true"`)},
		{"field.dynamic", "x.odt", variable("ooow:User_Company"), variable("ooow:1+2")},
		{"odf.external", "x.odt", described(`<meta:auto-reload xlink:href="https://x.it/b.odt" meta:delay="PT3S"/>`), described(`<meta:editing-cycles>3</meta:editing-cycles>`)},
		{"odf.template", "x.odt", described(`<meta:template xlink:href="../a.ott" meta:date="2026-01-01T00:00:00"/>`), described(`<meta:user-defined meta:name="template">a</meta:user-defined>`)},
		{"odf.hidden", "x.odt", row("filter"), row("visible")},
	}
}

func pdfStateCases() []ruleCase {
	layer := func(usage string) []byte {
		return pdfPage("/OCProperties << /OCGs [5 0 R] /D << /ON [5 0 R] >> >>", "", "<< /Type /OCG /Name (a) /Usage << "+usage+" >> >>")
	}
	annot := func(s string) []byte {
		return pdfPage("", "/Annots [5 0 R]", "<< /Type /Annot /Rect [0 0 9 9] /AP << /N << /A 4 0 R /Off 6 0 R >> >> "+s+" >>", pdfStream("", "0 0 m S"))
	}
	box := func(s string) []byte { return annot("/Subtype /Widget /FT /Btn /T (a) " + s) }
	return []ruleCase{
		{"pdf.optional-content.hidden", "x.pdf", layer("/View << /ViewState /OFF >>"), layer("/View << /ViewState /ON >>")},
		{"pdf.optional-content.hidden", "x.pdf", layer("/Print << /Subtype /Watermark /PrintState /OFF >>"), layer("/CreatorInfo << /Subtype /Artwork >>")},
		{"pdf.optional-content.hidden", "x.pdf", pdfPage("/OCProperties << /OCGs [5 0 R] >>", "", "<< /Name (a) /Usage << /View << /ViewState /OFF >> >> >>"), pdfPage("", "", "<< /Usage << /View (OFF) >> >>")},
		{"pdf.annotation.hidden", "x.pdf", annot("/Subtype /Stamp"), annot("/Subtype /Stamp /AS /A")},
		{"pdf.form.appearances", "x.pdf", box("/V /A /AS /Off"), box("/V /A /AS /A")},
		{"pdf.form.appearances", "x.pdf", box("/V /Off /AS /A"), box("/V /Other /AS /Off")},
		{"pdf.form.appearances", "x.pdf", box("/V /A"), box("/V /Off")},
	}
}

// filledCases are forms that were filled in and saved on top of what they were.
func filledCases() []ruleCase {
	form := pdfPage("/AcroForm << /Fields [5 0 R] >>", "/Annots [5 0 R]", textField("", "6"), pdfStream("/Subtype /Form /BBox [0 0 9 9]", "0 0 m S"))
	look := pdfStream("/Subtype /Form /BBox [0 0 9 9]", "0 0 m 9 9 l S")
	fill := map[int]string{5: textField("cento", "7"), 7: look}
	signed := map[int]string{5: textField("cento", "7"), 7: look,
		1: "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [5 0 R 9 0 R] /SigFlags 3 >> >>",
		9: "<< /FT /Sig /T (Firma) /Type /Annot /Subtype /Widget /Rect [0 0 0 0] /F 132 /V 8 0 R >>"}
	page := map[int]string{5: textField("cento", "7"), 7: look, 4: pdfStream("", "9 9 m S")}
	moved := map[int]string{5: strings.Replace(textField("cento", "7"), "[0 0 9 9]", "[0 0 99 99]", 1), 7: look}
	return []ruleCase{
		{"pdf.revisions.form", "x.pdf", pdfRevise(form, 8, fill), pdfRevise(form, 8, page)},
		{"pdf.revisions.form", "x.pdf", pdfCovered(form, 10, 8, signed), pdfSigned(form, 7, "")},
		{"pdf.revisions", "x.pdf", pdfRevise(form, 8, page), pdfRevise(form, 8, fill)},
		{"pdf.revisions", "x.pdf", pdfRevise(form, 8, moved), pdfRevise(form, 8, fill)},
		{"pdf.revisions", "x.pdf", pdfRevise(pdfRevise(form, 8, fill), 8, map[int]string{4: look}), pdfRevise(pdfRevise(form, 8, fill), 8, map[int]string{5: textField("mille", "6")})},
	}
}

// textField is a field with a value, drawn by object appearance.
func textField(value, appearance string) string {
	return "<< /Type /Annot /Subtype /Widget /FT /Tx /T (importo) /V (" + value + ") /Rect [0 0 9 9] /P 3 0 R /AP << /N " + appearance + " 0 R >> >>"
}

func nameCases() []ruleCase {
	math := func(inside string) []byte {
		return []byte(`<doc xmlns:m="` + nsMathML + `"><m:math>` + inside + `</m:math></doc>`)
	}
	return []ruleCase{
		{"json.duplicate", "x.json", []byte(`{"importo":100,"importo":1000}`), []byte(`{"importo":100,"Importo":"importo"}`)},
		{"json.duplicate", "x.json", []byte("\xef\xbb\xbf" + `[{"a":{"b":1}},{"a":[1,"a"],"\u0061":2}]`), []byte("\xef\xbb\xbf" + `[{"a":{"a":1}},{"a":["b","b"],"b":"a"}]`)},
		{"csv.formula", "x.csv", []byte("a,b\n+cmd|' /C calc'!A0,1\n"), []byte("a|b\n+note|1\n+altro|2\n-x|3\n!\n")},
		{"html.script", "x.xml", math(`<m:mi href="javascript:alert(1)">x</m:mi>`), math(`<m:mi>x</m:mi>`)},
		{"html.dynamic", "x.xml", math(`<m:maction><m:mi>x</m:mi></m:maction>`), math(`<m:mo>+</m:mo>`)},
		{"format.unknown", "x.txt", []byte("%!PS-Adobe-3.0\nshowpage\n"), []byte("% !PS\n")},
		{"format.unknown", "x.txt", []byte("\n%!PS\nshowpage\n"), []byte("%!TEX program = xelatex\n")},
	}
}

// A JSON with more names than are remembered is not said to have no two alike.
func TestJSONNames(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("{")
	for i := range maxJSONNames + 1 {
		fmt.Fprintf(&b, `"%x":0,`, i)
	}
	if rep := look(t, "x.json", []byte(b.String()+`"z":0}`)); !has(rep, "inspect.failed") {
		t.Errorf("%+v", rep)
	}
}

// chartCases are documents with a chart or a formula, and with what only looks
// like one.
func chartCases() []ruleCase {
	frame := `<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>`
	object := func(content string, more ...string) []byte {
		return odt(frame, append([]string{"Object 1/content.xml", content}, more...)...)
	}
	body := func(inside string) string {
		return `<office:document-content ` + nsODF + ` xmlns:chart="urn:oasis:names:tc:opendocument:xmlns:chart:1.0"><office:body>` + inside + `</office:body></office:document-content>`
	}
	chart := body(`<office:chart><chart:chart xlink:href=".."/></office:chart>`)
	formula := `<math xmlns="` + nsMathML + `"><mi>x</mi></math>`
	text := body(`<office:text/>`)
	cells := func(f string) string {
		return body(`<office:chart><table:table><table:table-cell table:formula="` + f + `"/></table:table></office:chart>`)
	}
	return []ruleCase{
		{"odf.object", "x.odt", object(text), object(chart)},
		{"odf.object", "x.odt", object(body(`<office:chart/><office:text/>`)), object(formula)},
		{"odf.object", "x.odt", odt(frame), object(formula)},
		{"ooxml.alternate.part", "x.odt", object(chart), object(text)},
		{"ooxml.alternate.part", "x.odt", object(formula), odt("")},
		{"odf.external", "x.odt", object(body(`<office:chart><chart:chart xlink:href="../../a.ods"/></office:chart>`)), object(chart)},
		{"odf.external", "x.odt", object(body(`<office:chart><draw:image xlink:href="Pictures/a.png"/></office:chart>`)),
			object(body(`<office:chart><draw:image xlink:href="Pictures/a.png"/></office:chart>`), "Object 1/Pictures/a.png", string(pngOf(1, 1)))},
		{"odf.macro", "x.odt", object(chart, "Object 1/Basic/a.xml", "<a/>"), object(chart, "Object 1/styles.xml", "<a/>")},
		{"formula.volatile", "x.odt", object(cells("of:=NOW()")), object(cells("of:=1+2"))},
		{"odf.hidden", "x.odp", noted(`<text:p>non dirlo</text:p>`), noted(`<text:p> <text:page-number>3</text:page-number></text:p>`)},
		{"sheet.locale", "x.ods", dated("spreadsheet", `number:automatic-order="true"`), dated("spreadsheet", `number:automatic-order="true" number:language="it"`)},
		{"sheet.locale", "x.od", dated("spreadsheet", `number:automatic-order="true"`), dated("text", `number:automatic-order="true"`)},
	}
}

func noted(inside string) []byte {
	return slides(`<draw:page><presentation:notes xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0"><draw:text-box>` + inside + `</draw:text-box></presentation:notes></draw:page>`)
}

func dated(kind, attributes string) []byte {
	return zipOf("mimetype", "application/vnd.oasis.opendocument."+kind, "content.xml",
		`<office:document-content `+nsODF+` xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0"><number:date-style `+attributes+`/></office:document-content>`)
}

func fontCases() []ruleCase {
	font := func(kind string) []byte { return docxTyped("word/fonts/font1.odttf", kind, "x") }
	face := func(inside string) []byte {
		return odt("", "styles.xml", `<office:document-styles `+nsODF+` xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"><style:font-face>`+inside+`</style:font-face></office:document-styles>`, "Fonts/a.ttf", "x")
	}
	extra := func(other string) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for _, part := range []string{"mimetype", "content.xml", "a.xml"} {
			h := &zip.FileHeader{Name: part}
			if part == "a.xml" {
				h.Extra = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, 0x7075), uint16(5+len(other)))
				h.Extra = append(append(h.Extra, 1, 0, 0, 0, 0), other...)
			}
			if f, err := w.CreateHeader(h); err != nil {
				panic(err)
			} else if _, err := f.Write([]byte("<a/>")); err != nil {
				panic(err)
			}
		}
		if err := w.Close(); err != nil {
			panic(err)
		}
		return b.Bytes()
	}
	return []ruleCase{
		{"font.embedded", "x.docx", font("application/vnd.openxmlformats-officedocument.obfuscatedFont"), font("image/png")},
		{"font.embedded", "x.odt", face(`<svg:font-face-src><svg:font-face-uri xlink:href="Fonts/a.ttf"/></svg:font-face-src>`), face("")},
		{"zip.names", "x.zip", extra("content.xml"), extra("a.xml")},
	}
}

// Elements in the midst of a formula, behind which some programs read on.
func brokenFormulaCases() []ruleCase {
	validation := func(inside string) []byte {
		return xlsx(`<dataValidations><dataValidation><formula1>`+inside+`</formula1></dataValidation></dataValidations>`, "")
	}
	return []ruleCase{
		{"ooxml.malformed", "x.xlsx", xlsx(cell("NOW()<x/>"), ""), xlsx(cell("1+1"), "")},
		{"ooxml.malformed", "x.xlsx", xlsx(cell(`<q xmlns="urn:q"/>NOW()`), ""), nil},
		{"ooxml.malformed", "x.xlsx", xlsx(strings.Repeat(cell("<x/>"), 4)+cell("1<x/>"), ""), nil},
		{"ooxml.malformed", "x.xlsx", validation("NOW()<f>1</f>"), validation("<f>1</f>")},
		{"formula.volatile", "x.xlsx", validation("<f>1</f>NOW()"), validation(" <f>1</f> ")},
		{"formula.volatile", "x.xlsx", validation("<f>NOW()</f>"), nil},
	}
}

func colourCases() []ruleCase {
	state := func(s string) []byte { return pdfPage("", "/Resources << /ExtGState << /OP << "+s+" >> >> >>") }
	gamma := func(n uint32, more ...string) []byte {
		png := pngOf(1, 1, append([]string{"gAMA"}, more...)...)
		return bytes.Replace(png, []byte("gAMAdata"), binary.BigEndian.AppendUint32([]byte("gAMA"), n), 1)
	}
	packed := func(n uint32) []byte { return docx("", "word/media/a.png", string(gamma(n))) }
	maps := func(inside string) []byte {
		return xlsx("", "", "xl/xmlMaps.xml", `<MapInfo `+nsX+`><Map ID="1">`+inside+`</Map></MapInfo>`)
	}
	return []ruleCase{
		{"pdf.overprint", "x.pdf", state("/OP true /OPM 1"), state("/OP false /OPM 1")},
		{"pdf.overprint", "x.pdf", state("/op true"), state("/ca 1")},
		{"image.gamma", "x.png", gamma(2300), gamma(45455)},
		{"image.gamma", "x.png", gamma(300_000), gamma(100_000)},
		{"image.gamma", "x.docx", packed(2300), packed(45455)},
		{"image.animated", "x.docx", docx("", "word/media/a.png", string(gamma(45455, "acTL"))), packed(45455)},
		{"ooxml.data", "x.xlsx", maps(`<DataBinding FileBinding="true" DataBindingLoadMode="1"/>`), maps("")},
	}
}

// paperCases are shown on the screen and not on paper, or on neither.
func paperCases() []ruleCase {
	row := `<w:trPr><w:hidden/></w:trPr>`
	style := docx("", "word/styles.xml", `<w:styles `+nsW+`><w:style><w:hidden/></w:style></w:styles>`)
	drawing := func(attributes string) []byte {
		return xlsx("", "", "xl/drawings/drawing1.xml", `<xdr:wsDr xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"><xdr:clientData `+attributes+`/></xdr:wsDr>`)
	}
	shape := func(property string) []byte {
		return []byte(`{\rtf1 {\shp{\*\shpinst{\sp{\sn ` + property + `}}}}}`)
	}
	layer := func(display string) []byte { return slides(`<draw:layer draw:display="` + display + `"/>`) }
	return []ruleCase{
		{"ooxml.hidden", "x.docx", docx(row), style},
		{"ooxml.hidden", "x.xlsx", drawing(`fPrintsWithSheet="0"`), drawing("")},
		{"rtf.hidden", "x.rtf", shape(`fHidden}{\sv 1`), shape(`fHidden}{\sv 0`)},
		{"odf.hidden", "x.odp", layer("screen"), layer("always")},
		{"odf.hidden", "x.odp", layer("printer"), layer("always")},
		{"odf.hidden", "x.odt", odt(`<style:graphic-properties style:print-content="false"/>`), odt(`<style:graphic-properties style:print-content="true"/>`)},
		{"odf.hidden", "x.odt", odt(`<table:table table:print="false"/>`), odt(`<table:table table:print="true"/>`)},
	}
}
