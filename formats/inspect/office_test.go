package inspect

import (
	"bytes"
	"strings"
	"testing"
)

// nested is a field with something before its code.
func nested(before, code string) string {
	return strings.Replace(field(code), `<w:r><w:instrText`, before+`<w:r><w:instrText`, 1)
}

func wordCases() []ruleCase {
	main := "word/document.xml"
	rel := func(kind, target, mode string) []byte {
		return docx("", "word/_rels/document.xml.rels", rels(kind, target, mode))
	}
	image := rel("image", "media/a.png", "")
	run := func(text string) string { return "<w:p><w:r><w:t>" + text + "</w:t></w:r></w:p>" }
	branches := func(all ...string) []byte { // the last is the fallback
		out := `<mc:AlternateContent xmlns:mc="` + nsCompatibility + `">`
		for _, b := range all[:len(all)-1] {
			out += `<mc:Choice Requires="wps">` + b + `</mc:Choice>`
		}
		return docx(out + `<mc:Fallback>` + all[len(all)-1] + `</mc:Fallback></mc:AlternateContent>`)
	}
	branched := func(text string) string {
		return `<mc:AlternateContent><mc:Choice Requires="w14">` + run(text) + `</mc:Choice><mc:Fallback>` + run(text) + `</mc:Fallback></mc:AlternateContent>`
	}
	cases := []ruleCase{
		{"ooxml.malformed", "x.docx", docx("<w:p>"), docx("<w:p/>")},
		{"ooxml.alternate", "x.docx", branches(run("1000 euro"), run("9000 euro")), branches(run("1000 euro"), "<w:p>"+run("1000")+run(" euro")+"</w:p>")},
		{"ooxml.alternate", "x.docx", branches(run("mille"), run("mille"), run("duemila")), branches(run("mille"), run("mille"), run("mille"))},
		{"ooxml.alternate", "x.docx", branches(branched("mille"), run("duemila")), branches(branched("mille"), run("mille"))},
		{"ooxml.alternate.part", "x.docx", branches(run("mille"), ""), branches("<w:pict/>", "<w:pict/>")},
		{"ooxml.alternate.part", "x.docx", branches("<w:pict/>", run("Il grafico non si vede")), branches(run("mille"), run("mille"))},
		{"ooxml.malformed", "x.docx", docx(`<w:r><w:fldChar w:fldCharType="begin"/></w:r>`), docx(field("PAGE"))},
		{"xml.dtd", "x.docx", docx("", "customXml/item1.xml", `<!DOCTYPE a [<!ENTITY b "c">]><a/>`), docx("", "customXml/item1.xml", `<a/>`)},
		{"ooxml.macro", "x.docx", docxTyped("word/vbaProject.bin", "application/vnd.ms-office.vbaProject", "x"), docxTyped("word/media/a.png", "image/png", "x")},
		{"ooxml.macro", "x.docx", docx("", "word/vbaProject.xml", "<a/>"), docx("", "word/media/vbaProject.png", string(pngOf(1, 1)))},
		{"ooxml.macro", "x.docx", docx("", "word/media/image1.png", string(cfbFile("VBA/", "", "VBA/_VBA_PROJECT", "x"))), docx("", "word/media/image1.png", "x")},
		{"ooxml.macro", "x.docm", zipOf("[Content_Types].xml", contentTypes(main, "application/vnd.ms-word.document.macroEnabled.main+xml"), main, "<a/>"), docx("")},
		{"ooxml.macro", "x.docx", rel("vbaProject", "media/a.png", ""), image},
		{"ooxml.activex", "x.docx", docx(`<w:control r:id="r1"/>`), docx("<w:p/>")},
		{"ooxml.activex", "x.docx", docxTyped("word/activeX/activeX1.xml", "application/vnd.ms-office.activeX+xml", "<a/>"), docx("")},
		{"ooxml.embedded", "x.docx", docx("", "word/media/a.png", string(cfbFile("\x01Ole10Native", "x"))), docx("")},
		{"ooxml.embedded", "x.docx", rel("oleObject", "embeddings/a.bin", ""), image},
		{"ooxml.embedded", "x.docx", docx("", "word/embeddings/a.xml", "<a/>"), docx("", "word/media/a.xml", "<a/>")},
		{"ooxml.external", "x.docx", rel("image", "https://x.it/a.png", "External"), rel("hyperlink", "https://x.it/a.png", "External")},
		{"ooxml.external", "x.docx", rel("image", "https://x.it/a.png", ""), image},
		{"link", "x.docx", rel("hyperlink", "https://x.it/", "External"), image},
		{"link.scheme", "x.docx", rel("hyperlink", `file://server/x`, "External"), rel("hyperlink", "mailto:a@b.it", "External")},
		{"ooxml.template", "x.docx", rel("attachedTemplate", "https://x.it/a.dotm", "External"), image},
		{"ooxml.altchunk", "x.docx", docx(`<w:altChunk r:id="r1"/>`), docx("<w:p/>")},
		{"ooxml.extension", "x.docx", rel("ui/extensibility", "customUI/customUI.xml", ""), image},
		{"ooxml.media", "x.docx", rel("video", "media/a.mp4", ""), image},
		{"ooxml.part", "x.docx", docxTyped("word/a.bin", "application/x-strange", "x"), docxTyped("word/a.png", "image/png", "x")},
		{"ooxml.data", "x.docx", docx("", "word/settings.xml", `<w:settings `+nsW+`><w:mailMerge/></w:settings>`), docx("", "word/settings.xml", `<w:settings `+nsW+`/>`)},
		{"ooxml.binding", "x.docx", docx(`<w:sdt><w:sdtPr><w:dataBinding w:xpath="/a"/></w:sdtPr></w:sdt>`), docx(`<w:sdt><w:sdtPr/></w:sdt>`)},
		{"ooxml.changes", "x.docx", docx(`<w:ins w:id="1"><w:r><w:t>x</w:t></w:r></w:ins>`), docx("", "customXml/item1.xml", "<x><ins/><del/></x>")},
		{"ooxml.comments", "x.docx", docx("", "word/comments.xml", `<w:comments `+nsW+`><w:comment w:id="0"/></w:comments>`), docx("", "word/comments.xml", `<w:comments `+nsW+`/>`)},
		{"ooxml.hidden", "x.docx", docx(`<w:r><w:rPr><w:vanish/></w:rPr></w:r>`), docx(`<w:r><w:rPr><w:vanish w:val="0"/><w:webHidden/></w:rPr></w:r>`)},
		{"text.bidi", "x.docx", docx("<w:p><w:r><w:t>ab\u202edc</w:t></w:r></w:p>"), docx("<w:p><w:r><w:t>ab\u200bdc</w:t></w:r></w:p>")},
	}
	return append(cases, wordFieldCases()...)
}

func wordFieldCases() []ruleCase {
	cases := []ruleCase{
		{"field.dynamic", "x.docx", docx(field(" DA", "TE \\@ \"dd/MM/yyyy\" ")), docx(field(" PAGE "))},
		{"field.dynamic", "x.docx", docx(nested(field("HYPERLINK x"), "PAGE")), docx(nested("", "PAGE"))},
		{"field.dynamic", "x.docx", docx(nested(`<w:fldSimple w:instr="REF a"><w:r><w:t>DATE</w:t></w:r></w:fldSimple>`, "PAGE")), docx(nested("<w:p/>", "PAGE"))},
		{"field.dynamic", "x.docx", docx(nested(`<w:r><w:t>DATE </w:t></w:r>`, "PAGE")), docx(nested(`<w:r><w:tab/></w:r>`, "PAGE"))},
		{"field.dynamic", "x.docx", docx(`<w:fldSimple w:instr="TIME"/>`), docx(`<w:fldSimple w:instr="NUMPAGES"/>`)},
		{"field.dynamic", "x.docx", docx(strings.Replace(field("REF a"), `<w:r><w:fldChar w:fldCharType="separate"/></w:r>`, field("DATE")+`<w:r><w:fldChar w:fldCharType="separate"/></w:r>`, 1)), docx(field("REF a"))},
		{"field.dynamic", "x.docx", docx("", "word/header1.xml", `<q:hdr xmlns:q="http://purl.oclc.org/ooxml/wordprocessingml/main">`+strings.ReplaceAll(field("FILENAME"), "w:", "q:")+`</q:hdr>`), docx("", "customXml/item1.xml", `<q:hdr xmlns:q="urn:x">`+strings.ReplaceAll(field("FILENAME"), "w:", "q:")+`</q:hdr>`)},
		{"field.dynamic", "x.docx", docx(`<w:ffData><w:textInput><w:type w:val="currentTime"/></w:textInput></w:ffData>`), docx(`<w:ffData><w:textInput><w:type w:val="date"/></w:textInput></w:ffData>`)},
		{"field.dynamic", "x.docx", docx(`<w:r><w:yearShort/></w:r>`), docx(`<w:r><w:pgNum/></w:r>`)},
		{"field.layout", "x.docx", docx(`<w:r><w:pgNum/></w:r>`), docx(`<w:r><w:tab/></w:r>`)},
		{"formula", "x.docx", docx(`<w:ffData><w:textInput><w:type w:val="calculated"/></w:textInput></w:ffData>`), docx(`<w:sectPr><w:type w:val="nextPage"/></w:sectPr>`)},
		{"ooxml.macro", "x.docx", docx(`<w:ffData><w:exitMacro w:val="a"/></w:ffData>`), docx(`<w:ffData><w:statusText w:val="a"/></w:ffData>`)},
		{"ooxml.external", "x.docx", docx(`<v:fill xmlns:v="urn:schemas-microsoft-com:vml" src="\\server\a.png"/>`), docx(`<v:shape xmlns:v="urn:schemas-microsoft-com:vml" href="https://x.it/"/>`)},
		{"field.dde", "x.docx", docx(field(`DDEAUTO c:\\x.exe`)), docx(field(`HYPERLINK "https://dde.it/"`))},
		{"field.layout", "x.docx", docx(field(" PAGE ")), docx(field(` HYPERLINK "https://x.it/" `))},
		{"link", "x.docx", docx(field(` HYPERLINK "https://x.it/" `)), docx("")},
		{"link.scheme", "x.docx", docx(field(` HYPERLINK "file:///c:/x.exe" `)), docx(field(` HYPERLINK \l "capitolo" `))},
		{"formula", "x.docx", docx(field(" =SUM(ABOVE) ")), docx(field("PAGE"))},
		{"formula", "x.docx", docx(`<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText> = </w:instrText></w:r>` + field("PAGE") + `<w:r><w:instrText> + 1 </w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>`), docx(field("PAGE"))},
	}
	for _, code := range []string{"INCLUDETEXT x", "INCLUDEPICTURE x", "IF 1", "MACROBUTTON x", "SAVEDATE", "DOCPROPERTY x", "USERNAME", "DATABASE", "DATUM", "", "QUOTE 68"} {
		cases = append(cases, ruleCase{"field.dynamic", "x.docx", docx(field(code)), nil})
	}
	return cases
}

// oldShape is a workbook with a shape in VML, of which client is known to Excel alone.
func oldShape(client string) []byte {
	return xlsx("", "", "xl/drawings/drawing1.xml", `<xml><ClientData xmlns="urn:schemas-microsoft-com:office:excel">`+client+`</ClientData></xml>`)
}

// tabled is a workbook with a table of one column.
func tabled(column string) []byte {
	return xlsx("", "", "xl/tables/table1.xml", `<table `+nsX+`><tableColumns><tableColumn id="1" name="a">`+column+`</tableColumn></tableColumns></table>`)
}

// shaped is a workbook with a drawing of one shape.
func shaped(element, attributes string) []byte {
	return xlsx("", "", "xl/drawings/drawing1.xml", `<x:wsDr xmlns:x="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"><x:oneCellAnchor><x:`+element+` `+attributes+`/></x:oneCellAnchor></x:wsDr>`)
}

func sheetCases() []ruleCase {
	header := func(s string) []byte {
		return xlsx("<headerFooter><oddHeader>"+strings.ReplaceAll(s, "&", "&amp;")+"</oddHeader></headerFooter>", "")
	}
	cases := []ruleCase{
		{"formula", "x.xlsx", xlsx(cell("SUM(A2:A9)"), ""), xlsx("<sheetData/>", "")},
		{"field.dde", "x.xlsx", xlsx(cell("cmd|' /c calc'!A0"), ""), xlsx(cell("A2&amp;\"|\""), "")},
		{"formula.volatile", "x.xlsx", xlsx(cell("[1]Foglio1!A1"), ""), xlsx(cell("Tabella[Importo]"), "")},
		{"formula.volatile", "x.xlsx", xlsx(`<conditionalFormatting><cfRule><formula>A1&gt;TODAY()</formula></cfRule></conditionalFormatting>`, ""), xlsx(`<conditionalFormatting><cfRule><formula>A1&gt;9</formula></cfRule></conditionalFormatting>`, "")},
		{"formula.volatile", "x.xlsx", xlsx(`<conditionalFormatting><cfRule><dataBar><cfvo type="num" val="A1+NOW()"/></dataBar></cfRule></conditionalFormatting>`, ""), xlsx(`<conditionalFormatting><cfRule><dataBar><cfvo type="max"/></dataBar></cfRule></conditionalFormatting>`, "")},
		{"formula", "x.xlsx", xlsx(`<conditionalFormatting><cfRule><dataBar><cfvo type="formula" val="A1"/></dataBar></cfRule></conditionalFormatting>`, ""), xlsx(`<conditionalFormatting><cfRule><dataBar><cfvo type="percent" val="1.5E1"/></dataBar></cfRule></conditionalFormatting>`, "")},
		{"formula.volatile", "x.xlsx", xlsx(`<conditionalFormatting><cfRule type="timePeriod" timePeriod="today"/></conditionalFormatting>`, ""), xlsx(`<conditionalFormatting><cfRule type="cellIs"/></conditionalFormatting>`, "")},
		{"formula", "x.xlsx", xlsx(`<sheetData><row><c><f t="dataTable"/></c></row></sheetData>`, ""), xlsx(`<sheetData><row><c><f t="shared" si="0"/></c></row></sheetData>`, "")},
		{"formula.volatile", "x.xlsx", xlsx(cell("MyUdf(1)"), ""), xlsx(cell("_xlfn.LET(_xlpm.f,_xlfn.LAMBDA(_xlpm.x,_xlpm.x+1),_xlpm.f(2))"), "")},
		{"formula.volatile", "x.xlsx", xlsx(cell("_xldudf_CONTOSO_TASSO(1)"), ""), xlsx(cell("_xlfn.STDEV.S(A1:A9)"), "")},
		{"formula.volatile", "x.xlsx", xlsx(cell("PERCHÉ()"), ""), xlsx(cell("A1:B2 (B2:C3)+LOG10(2)*(3)"), "")},
		{"formula.volatile", "x.odt", odt(`<table:table-cell table:formula="of:=MYBASIC([.A1])"/>`), odt(`<table:table-cell table:formula="of:=COM.SUN.STAR.SHEET.ADDIN.ANALYSIS.GETEDATE([.A1];1)"/>`)},
		{"formula.volatile", "x.odt", odt(`<table:table-cell table:formula="of:=COM.MICROSOFT.WEBSERVICE([.A1])"/>`), odt(`<table:table-cell table:formula="of:=COM.MICROSOFT.CONCAT([.A1];[.A2])"/><table:content-validation table:condition="of:cell-content-is-between(1;2)"/>`)},
		{"formula.volatile", "x.xlsx", tabled(`<calculatedColumnFormula>NOW()</calculatedColumnFormula>`), tabled(`<calculatedColumnFormula>[a]+1</calculatedColumnFormula>`)},
		{"formula", "x.xlsx", tabled(`<totalsRowFormula>SUM(A1:A9)</totalsRowFormula>`), tabled(``)},
		{"formula.volatile", "x.xlsx", xlsx(`<autoFilter><filterColumn><dynamicFilter type="today"/></filterColumn></autoFilter>`, ""), xlsx(`<autoFilter><filterColumn><dynamicFilter type="aboveAverage"/></filterColumn></autoFilter>`, "")},
		{"formula.volatile", "x.xlsx", xlsx("", "", "xl/pivot.xml", `<pivotCacheDefinition `+nsX+`><cacheField name="a" formula="NOW()"/></pivotCacheDefinition>`), xlsx("", "", "xl/pivot.xml", `<pivotCacheDefinition `+nsX+`><cacheField name="a" formula="b*2"/></pivotCacheDefinition>`)},
		{"ooxml.data", "x.xlsx", richValues("_linkedentity2"), richValues("_error")},
		{"formula.volatile", "x.xlsx", xlsx("", `<definedNames><definedName name="x">INDIRECT("A1")</definedName></definedNames>`), xlsx("", `<definedNames><definedName name="x">Foglio1!$A$1</definedName></definedNames>`)},
		{"sheet.macrosheet", "x.xlsx", xlsx("", "", "xl/macrosheets/sheet2.xml", "<a/>"), xlsx("", "")},
		{"sheet.macrosheet", "x.xlsx", xlsx("", `<definedNames><definedName name="Auto_Open" xlm="1">x</definedName></definedNames>`), xlsx("", `<definedNames><definedName name="Auto_Open">x</definedName></definedNames>`)},
		{"sheet.header.dynamic", "x.xlsx", header(`&C&"Arial"&12&D`), header(`&C&"&D"&12x&&D`)},
		{"sheet.header", "x.xlsx", header("&CPagina &P"), header("&CContratto")},
		{"ooxml.hidden", "x.xlsx", xlsx("", `<sheets><sheet name="y" state="veryHidden"/></sheets>`), xlsx("", `<sheets><sheet name="y" state="visible"/></sheets>`)},
		{"ooxml.hidden", "x.xlsx", xlsx(`<sheetData><row r="1" hidden="1"/></sheetData>`, ""), xlsx(`<sheetData><row r="1" hidden="0"/></sheetData>`, "")},
		{"ooxml.hidden", "x.xlsx", xlsx(`<cols><col min="1" max="1" width="0" customWidth="1"/></cols>`, ""), xlsx(`<cols><col min="1" max="1" width="0.14" customWidth="1"/></cols>`, "")},
		{"ooxml.hidden", "x.xlsx", xlsx(`<sheetData><row r="1" ht="0.1" customHeight="1"/></sheetData>`, ""), xlsx(`<sheetData><row r="1" ht="0.75" customHeight="1"/></sheetData>`, "")},
		{"ooxml.hidden", "x.xlsx", xlsx(`<sheetFormatPr defaultRowHeight="0"/>`, ""), xlsx(`<sheetFormatPr defaultRowHeight="15"/>`, "")},
		{"ooxml.hidden", "x.xlsx", xlsx(`<sheetFormatPr defaultRowHeight="15" zeroHeight="1"/>`, ""), xlsx(`<sheetFormatPr defaultRowHeight="15" zeroHeight="0"/>`, "")},
		{"formula", "x.xlsx", shaped("sp", `textlink="Foglio1!$A$1"`), shaped("sp", `textlink="" macro=""`)},
		{"formula.volatile", "x.xlsx", shaped("sp", `textlink="INDIRECT(A1)"`), shaped("sp", `textlink="A1"`)},
		{"ooxml.macro", "x.xlsx", oldShape(`<FmlaMacro>[0]!Modulo1</FmlaMacro>`), oldShape(`<FmlaMacro/><Visible/>`)},
		{"formula.volatile", "x.xlsx", oldShape(`<FmlaTxbx>INDIRECT(A1)</FmlaTxbx>`), oldShape(`<FmlaTxbx>A1</FmlaTxbx>`)},
		{"ooxml.macro", "x.xlsx", shaped("sp", `macro="[0]!Modulo1"`), shaped("sp", `macro=""`)},
		{"ooxml.macro", "x.xlsx", shaped("pic", `macro="a"`), shaped("pic", `macro=""`)},
		{"ooxml.macro", "x.xlsx", shaped("graphicFrame", `macro="a"`), shaped("graphicFrame", `macro=""`)},
		{"ooxml.macro", "x.xlsx", shaped("cxnSp", `macro="a"`), shaped("cxnSp", `name="a"`)},
		{"ooxml.data", "x.xlsx", xlsx("", "", "xl/connections.xml", `<connections `+nsX+`><connection id="1"/></connections>`), xlsx("", "")},
		{"ooxml.data", "x.xlsx", xlsx("", "", "xl/pivot.xml", `<pivotCacheDefinition `+nsX+` refreshOnLoad="1"/>`), xlsx("", "", "xl/pivot.xml", `<pivotCacheDefinition `+nsX+` refreshOnLoad="0"/>`)},
		{"ooxml.data", "x.xlsx", xlsx("", "", "customXml/item1.xml", `<DataMashup xmlns="http://schemas.microsoft.com/DataMashup"/>`), xlsx("", "", "customXml/item1.xml", `<DataMashup xmlns="urn:x"/>`)},
		{"ooxml.external", "x.xlsx", xlsx("", "", "xl/externalLinks/externalLink1.xml", `<externalLink `+nsX+`><externalBook/></externalLink>`), xlsx("", "")},
		{"ooxml.binary-workbook", "x.xlsb", zipOf("[Content_Types].xml", contentTypes("xl/workbook.bin", "application/vnd.ms-excel.sheet.binary.macroEnabled.main"), "xl/workbook.bin", "x"), xlsx("", "")},
		{"ooxml.activex", "x.xlsx", xlsx("", "", "xl/ctrlProps/ctrlProp1.xml", "<a/>"), xlsx("", "")},
	}
	for _, f := range []string{"NOW()", "TODAY()", "1+RAND()", "_xlfn.RANDARRAY(2)", "OFFSET(A1,1,1)", "INDIRECT(A1)", `CELL("filename")`, `INFO("osversion")`, "RTD(1)", `HYPERLINK("http://x.it/"&amp;A1)`, `_xlfn.WEBSERVICE(A1)`, "CALL(A1)", "today ()"} {
		cases = append(cases, ruleCase{"formula.volatile", "x.xlsx", xlsx(cell(f), ""), xlsx(cell(`"NOW()"&amp;'TODAY('!A1&amp;IMAGINARY(1)`), "")})
	}
	return cases
}

func slideCases() []ruleCase {
	return []ruleCase{
		{"field.dynamic", "x.pptx", pptx(`><a:fld type="datetime1"/>`), pptx(`><a:fld type="slidenum"/>`)},
		{"slide.animation", "x.pptx", pptx(`><p:timing/>`), pptx(`>`)},
		{"slide.action", "x.pptx", pptx(`><a:hlinkClick action="ppaction://macro?name=x"/>`), pptx(`><a:hlinkClick action="ppaction://hlinksldjump"/>`)},
		{"slide.animation", "x.pptx", pptx(`><p:transition advTm="3000"/>`), pptx(`><p:transition advClick="1"/>`)},
		{"slide.action", "x.pptx", pptx(`><a:hlinkHover id="r1"/>`), pptx(`><a:hlinkHover id="r1" action="ppaction://hlinksldjump"/>`)},
		{"ooxml.hidden", "x.pptx", pptx(`show="0">`), pptx(`show="1">`)},
		{"ooxml.media", "x.pptx", pptx(`><a:videoFile/>`), pptx(`>`)},
		{"ooxml.comments", "x.pptx", pptx(`><p:cm/>`), pptx(`>`)},
	}
}

const calcext = `xmlns:c="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"`

// slides is a presentation with body.
func slides(body string) []byte {
	return zipOf("mimetype", "application/vnd.oasis.opendocument.presentation",
		"content.xml", `<office:document-content `+nsODF+`><office:body>`+body+`</office:body></office:document-content>`)
}

func odfCases() []ruleCase {
	styles := func(master, used string) []byte {
		return odt(`<text:p text:style-name="a"/>`, "styles.xml", `<office:document-styles `+nsODF+`><style:style style:master-page-name="`+used+`"/><style:master-page style:name="`+master+`"><text:p><text:date>1</text:date></text:p></style:master-page></office:document-styles>`)
	}
	unused := `<office:document-styles ` + nsODF + `><style:master-page style:name="Lettera"><text:p><text:date>1</text:date></text:p></style:master-page></office:document-styles>`
	return []ruleCase{
		{"odf.malformed", "x.odt", odt("<text:p>"), odt("<text:p/>")},
		{"odf.malformed", "x.odt", zipOf("mimetype", "application/vnd.oasis.opendocument.text", "content.xml", ""), odt("", "settings.xml", "")},
		{"field.dynamic", "x.odt", zipOf("mimetype", "application/vnd.oasis.opendocument.text", "content.xml", "<", "styles.xml", unused), odt("", "styles.xml", unused)},
		{"odf.macro", "x.odt", odt("", "Basic/Standard/Module1.xml", "<a/>"), odt("", "Pictures/Basic.xml", "<a/>")},
		{"odf.macro", "x.odt", odt("", "Scripts/python/a.py", "x"), odt("")},
		{"odf.macro", "x.odt", odt(`<script:event-listener script:event-name="dom:load"/>`), odt(`<office:event-listeners/>`)},
		{"odf.macro", "x.odt", odt(`<text:a xlink:href="vnd.sun.star.script:x"/>`), odt(`<text:a xlink:href="https://x.it/"/>`)},
		{"odf.macro", "x.odt", odt("", "Configurations2/accelerator/current.xml", `<a href="vnd.sun.star.script:x"/>`), odt("", "Configurations2/accelerator/current.xml", "")},
		{"odf.object", "x.odt", odt(`<draw:plugin/>`), odt(`<draw:frame/>`)},
		{"odf.object", "x.odt", odt("", "Object 1/content.xml", "<a/>"), odt("", "Oggetto/content.xml", "<a/>")},
		{"odf.external", "x.odt", odt(`<draw:image xlink:href="https://x.it/a.png"/>`), odt(`<draw:image xlink:href="Pictures/a.png"/>`, "Pictures/a.png", string(pngOf(1, 1)))},
		{"odf.external", "x.odt", odt(`<text:section-source xlink:href="other.odt"/>`), odt(`<text:section/>`)},
		{"link", "x.odt", odt(`<text:a xlink:href="https://x.it/"/>`), odt(`<text:a xlink:href="#x"/>`)},
		{"field.dynamic", "x.odt", odt(`<text:date>21/11/2026</text:date>`), odt(`<text:date text:fixed="true">21/11/2026</text:date>`)},
		{"field.dynamic", "x.odt", odt(`<text:file-name/>`), odt(`<text:page-number/>`)},
		{"field.dynamic", "x.odt", odt(`<text:conditional-text/>`), odt(`<text:title/>`)},
		{"field.dynamic", "x.odt", styles("Lettera", "Lettera"), styles("Lettera", "Standard")},
		{"odf.field.unused", "x.odt", styles("Lettera", "Standard"), styles("Standard", "Lettera")},
		{"field.dde", "x.odt", odt(`<text:dde-connection/>`), odt("")},
		{"field.layout", "x.odt", odt(`<text:page-number/>`), odt(`<text:title/>`)},
		{"odf.form", "x.odt", odt(`<draw:control/>`), odt(`<draw:rect/>`)},
		{"odf.changes", "x.odt", odt(`<text:tracked-changes><text:changed-region/></text:tracked-changes>`), odt(`<text:tracked-changes/>`)},
		{"odf.changes", "x.odt", odt(`<table:tracked-changes><table:deletion/></table:tracked-changes>`), odt(`<table:tracked-changes/>`)},
		{"odf.changes", "x.odt", odt(`<office:annotation/>`), odt("")},
		{"odf.hidden", "x.odt", odt(`<text:section text:display="none"/>`), odt(`<text:section text:display="true"/>`)},
		{"odf.hidden", "x.odt", odt(`<style:table-column-properties style:column-width="0.00cm"/>`), odt(`<style:table-column-properties style:column-width="0.02in"/>`)},
		{"odf.hidden", "x.odt", odt(`<style:table-row-properties style:row-height="0.001in"/>`), odt(`<style:table-row-properties style:row-height="0.5mm"/>`)},
		{"odf.hidden", "x.odt", odt(`<style:table-row-properties style:row-height="0"/>`), odt(`<style:table-row-properties style:min-row-height="0"/>`)},
		{"odf.hidden", "x", odt(`<style:table-row-properties style:row-height="0cm"/>`), slides(`<style:table-row-properties style:row-height="0cm"/>`)},
		{"odf.hidden", "x.odt", odt(`<table:scenario table:is-active="true"/>`), odt(`<table:shapes/>`)},
		{"odf.macro", "x.odt", odt(`<anim:command xmlns:anim="urn:oasis:names:tc:opendocument:xmlns:animation:1.0"/>`), odt(`<anim:seq xmlns:anim="urn:oasis:names:tc:opendocument:xmlns:animation:1.0"/>`)},
		{"formula", "x.odt", odt(`<table:table-cell table:formula="logwidth/2"/>`), odt(`<draw:enhanced-geometry><draw:equation draw:formula="logwidth/2"/></draw:enhanced-geometry>`)},
		{"odf.external", "x.odt", odt(`<draw:object xlink:href="Formula-0/"/>`), odt(`<draw:object xlink:href="Formula-0/"/>`, "Formula-0/content.xml", "<math/>")},
		{"odf.object", "x.odt", odt(`<draw:object xlink:href="Formula-0/"/>`, "Formula-0/content.xml", "<math/>"), odt("", "Formula-0/content.xml", "<math/>")},
		{"formula", "x.odt", odt(`<table:table-cell table:formula="of:=SUM([.A1:.A9])"/>`), odt(`<table:table-cell/>`)},
		{"formula.volatile", "x.odt", odt(`<table:table-cell table:formula="of:=NOW()"/>`), odt(`<table:table-cell table:formula="of:=SUM([$Foglio1.A1:.A9])"/>`)},
		{"formula.volatile", "x.odt", odt(`<table:table-cell table:formula="of:=['file:///x.ods'#$Foglio1.A1]"/>`), nil},
		{"formula.volatile", "x.odt", odt(`<table:named-expression table:expression="of:=TODAY()"/>`), odt(`<table:named-expression table:expression="of:=1"/><text:x text:expression="TODAY()"/>`)},
		{"formula.volatile", "x.odt", odt(`<c:color-scale-entry c:value="=NOW()" ` + calcext + `/>`), odt(`<c:color-scale-entry c:value="1" ` + calcext + `/>`)},
		{"formula.volatile", "x.odt", odt(`<c:date-is ` + calcext + `/>`), odt(`<c:condition c:value="&gt;1" ` + calcext + `/>`)},
		{"formula.volatile", "x.odt", odt(`<table:table-cell table:formula="of:=1+ORG.OPENOFFICE.STYLE(&quot;a&quot;)"/>`), odt(`<table:table-cell table:formula="of:=ORG.OPENOFFICE.ROT13()"/>`)},
		{"odf.external", "x.odt", odt(`<table:database-source-sql/>`), odt(`<table:source-cell-range/>`)},
		{"slide.animation", "x.odt", odt(`<draw:animations/>`), odt(`<draw:animation/>`)},
		{"ooxml.media", "x.odt", odt(`<draw:sound/>`), odt(`<draw:layer/>`)},
		{"zip.encrypted", "x.odt", odt("", "META-INF/x.xml", `<manifest:encryption-data `+nsODF+`/>`), odt("")},
		{"xml.dtd", "x.odt", odt("", "settings.xml", `<!DOCTYPE a><a/>`), odt("")},
		{"text.bidi", "x.odt", odt("<text:p>a\u202eb</text:p>"), odt("<text:p>a b</text:p>")},
	}
}

func binaryCases() []ruleCase {
	doc := cfbFile("WordDocument", wordStream(0))
	return []ruleCase{
		{"cfb.macro", "x.xls", cfbFile("Workbook", bookStream("", "", 0, 0), "_VBA_PROJECT_CUR/", ""), xlsOf("", "")},
		{"cfb.legacy", "x.doc", doc, docxTyped("word/a.png", "image/png", "x")},
		{"cfb.encrypted", "x.doc", cfbFile("EncryptedPackage", "x", "EncryptionInfo", "x"), doc},
		{"format.polyglot", "x.doc", cfbFile("WordDocument", wordStream(0), "Workbook", records(0x809, "x")), doc},
		{"name.mismatch", "x.xls", doc, xlsOf("", "")},
		{"format.mail", "x.msg", cfbFile("__properties_version1.0", "x", "__substg1.0_0037001F", "x"), doc},
		{"cfb.macro", "x.msg", cfbFile("__properties_version1.0", "x", "__attach_version1.0_#00000000/__substg1.0_3701000D/Macros/VBA/dir", "x"), cfbFile("__properties_version1.0", "x")},
		{"name.mismatch", "x.doc", cfbFile("__properties_version1.0", "x"), doc},
	}
}

func rtfCases() []ruleCase {
	r := func(s string) []byte { return []byte(`{\rtf1\ansi ` + s + `}`) }
	f := func(code string) []byte { return r(`{\field{\*\fldinst ` + code + `}{\fldrslt x}}`) }
	return []ruleCase{
		{"rtf.malformed", "x.rtf", []byte(`{\rtf1 ciao`), r("ciao")},
		{"rtf.dynamic", "x.rtf", r(`{\field{\*\fldinst DATE \fldrslt x}}`), f("PAGE")},
		{"field.dynamic", "x.rtf", r(`{\field{\*\fldinst DATE \datafield 00}{\fldrslt x}}`), f(`PAGE {\*\datafield 00}`)},
		{"rtf.malformed", "x.rtf", append(r("ciao"), "MZ"...), append(r("ciao"), "\r\n\x00"...)},
		{"rtf.malformed", "x.rtf", r(strings.Repeat("{", maxRTFDepth+1)), r("{{}}")},
		{"rtf.malformed", "x.rtf", r(`\bin999999999 x`), r(`\bin1 }`)},
		{"rtf.object", "x.rtf", r(`{\object\objemb{\*\objdata 01}}`), r(`{\*\objects x}`)},
		{"rtf.object", "x.rtf", r(`{\*\obj` + "data 01}"), r(`\bin9 \objdata  `)},
		{"rtf.external", "x.rtf", r(`{\*\template http://x.it/a.dot}`), r(`template`)},
		{"rtf.dynamic", "x.rtf", r(`\chdate`), r(`\chcbpat0`)},
		{"rtf.dynamic", "x.rtf", r(`{\*\ffentrymcr a}`), r(`{\*\ffname a}`)},
		{"rtf.external", "x.rtf", r(`{\sp{\sn fillBlipFlags}{\sv {10}}}`), r(`{\sp{\sn fillBlipFlags}{\sv 2}}{\sp{\sn pib}{\sv 10}}`)},
		{"field.dynamic", "x.rtf", r(`{\sp{\sn a}{\sv {\field{\*\fldinst DATE}}}}`), r(`{\sp{\sn a}{\sv DATE}}`)},
		{"field.dynamic", "x.rtf", f(`{\sn D}{\sv ATE}`), f(`{\sn P}{\sv AGE}`)},
		{"field.dynamic", "x.rtf", r(`\fftypetxt4`), r(`\fftypetxt2`)},
		{"formula", "x.rtf", r(`\fftypetxt5`), r(`\fftypetxt1`)},
		{"rtf.hidden", "x.rtf", r(`{\v nascosto}`), r(`{\v0 visibile}`)},
		{"field.dynamic", "x.rtf", f(`DATE \\@ "d"`), f(`PAGE`)},
		{"field.dynamic", "x.rtf", f(`{\b D}{\i ATE}`), f(`{\b P}{\i AGE}`)},
		{"field.dynamic", "x.rtf", f(`\'44ATE`), f(`\'50AGE`)},
		{"field.dde", "x.rtf", f(`DDEAUTO c:\\\\x`), f(`HYPERLINK "https://x.it/"`)},
		// What another program would skip or add is not read past
		{"rtf.dynamic", "x.rtf", f(`\uc5\u32 PAGE DATE`), f(`HYPERLINK "https://x.it/\u233?"`)},
		{"rtf.dynamic", "x.rtf", f(`{\*\altro PAGE }DATE`), f(`{\rtlch\fcs1 \af0\loch\f1 PAGE }`)},
		{"rtf.dynamic", "x.rtf", f(`{\upr{PAGE }{\*\ud{DATE}}}`), f(`HYPERLINK "https://x.it/" {\*\datafield 0bad\bin1 }` + "}")},
		{"rtf.dynamic", "x.rtf", f(`{\footnote PAGE }DATE`), r(`{\footnote PAGE DATE}`)},
		{"rtf.dynamic", "x.rtf", f(`{\deleted PAGE }DATE`), f(`{\revised PAGE}`)},
		{"field.dynamic", "x.rtf", f(`{\field{\*\fldinst HYPERLINK x}{\fldrslt DATE }}PAGE`), f(`REF {\field{\*\fldinst PAGE}{\fldrslt 1}}`)},
		{"field.dynamic", "x.rtf", r(`{\field{\*\fldin` + "\n" + `st DATE}{\*\fldinst DATE}}`), r(`{\field{\*\fldin` + "\n" + `st DATE}{\*\fldinst PAGE}}`)},
		{"rtf.object", "x.rtf", r(`{\*\objdata 01` + "\r\n" + `{\*\x y}\'41 \bin2 {} 05}`), r(`{\*\objdat` + "\n" + `a 01}`)},
		{"rtf.malformed", "x.rtf", r(`\'4`), r(`\'41`)},
		{"rtf.malformed", "x.rtf", r(`\bin-1 x`), r(`\bin0 x`)},
		{"field.layout", "x.rtf", f("PAGE"), f(`HYPERLINK "https://x.it/"`)},
		{"link", "x.rtf", f(`HYPERLINK "https://x.it/"`), f("PAGE")},
		{"text.bidi", "x.rtf", r(`\u8238?abc`), r(`\u8364?abc`)},
	}
}

// A formula is found in its cell, however many like that one had none.
func TestFormulaPlace(t *testing.T) {
	t.Parallel()
	cells := strings.Repeat(`<c r="B1" s="0" t="n"><v>1</v></c>`, 5) + `<c r="C1" s="0" t="n"><f>NOW()</f><v>1</v></c><c s="0" t="n"><v>1</v></c><c s="0" t="n"><f>TODAY()</f></c>`
	doc := xlsx(`<sheetData><row r="1">`+cells+`</row></sheetData>`, "")
	rep, err := Inspect(bytes.NewReader(doc), int64(len(doc)), "x.xlsx")
	if err != nil || len(rep.Findings) != 2 || rep.Findings[0].Where != "xl/worksheets/sheet1.xml C1" || rep.Findings[1].Where != "xl/worksheets/sheet1.xml" {
		t.Errorf("%+v, %v", rep.Findings, err)
	}
}
