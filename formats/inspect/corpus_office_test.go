package inspect

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/richardlehane/mscfb"
)

const corpusDir = "../../testdata/inspect"

// grafted is a compound file of the corpus with more streams in it.
func grafted(t *testing.T, path string, more ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(corpusDir, path))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := mscfb.New(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var entries []string
	for _, e := range doc.File {
		if e.FileInfo().IsDir() {
			continue
		}
		b, err := io.ReadAll(e)
		if err != nil {
			t.Fatal(err)
		}
		name := e.Name
		if entryName(e) != strings.ToLower(e.Name) {
			name = string(rune(e.Initial)) + name
		}
		entries = append(entries, strings.Join(append(append([]string(nil), e.Path...), name), "/"), string(b))
	}
	return cfbFile(append(entries, more...)...)
}

const (
	macroSource = emptyModule + "Sub AutoOpen()\r\n  ActiveDocument.Content.Text = Now\r\nEnd Sub\r\n"
	compiled    = "\x01\x16\xfe\xca\x01\x00\x07\x00\x22\x81"
)

// corpusMacros are Visual Basic projects and macro sheets of Excel 4.
func corpusMacros(t *testing.T) map[string][]byte {
	project := func(source, cache string) string { return string(cfbFile(vbaFiles("", "Modulo", cache, source)...)) }
	vba := func(storage, source, cache string) []string { return vbaFiles(storage, "Modulo", cache, source) }
	doc := func(source, cache string) []byte {
		return grafted(t, "vba-binary/inert-lo-word.doc", vba("Macros/", source, cache)...)
	}
	xls := func(source, cache string) []byte {
		return grafted(t, "vba-binary/inert-lo-sheet.xls", vba("_VBA_PROJECT_CUR/", source, cache)...)
	}
	const kind = "application/vnd.ms-office.vbaProject"
	docm := func(project string) []byte {
		main := "word/document.xml"
		return zipOf("[Content_Types].xml", contentTypes(main, "application/vnd.ms-word.document.macroEnabled.main+xml", "word/vbaProject.bin", kind),
			"_rels/.rels", rels("officeDocument", main, ""), main, `<w:document `+nsW+`><w:body><w:p/></w:body></w:document>`,
			"word/_rels/document.xml.rels", rels("vbaProject", "vbaProject.bin", ""), "word/vbaProject.bin", project)
	}
	png := string(pngOf(1, 1))
	macroSheet := `<xm:macrosheet xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main"><sheetData/></xm:macrosheet>`
	return map[string][]byte{
		"vba-binary/active-word.doc":         doc(macroSource, ""),
		"vba-binary/active-workbook.xls":     xls(macroSource, ""),
		"vba-binary/active-presentation.ppt": pptSpec{document: record(15, 1, 0x03ff, record(2, 0, pptVBAInfo, string(words([]uint32{3, 1, 2}))))}.file(),
		"vba-binary/active-project.bin":      []byte(project(macroSource, "")),
		"vba-binary/active-module-sheet.xls": cfbFile("Workbook", bookStream("", "", 0, 6)),
		"vba-binary/inert-empty-info.ppt":    pptSpec{document: record(15, 1, 0x03ff, record(2, 0, pptVBAInfo, string(words([]uint32{0, 0, 2}))))}.file(),

		"vba-ooxml/active-word.docm":         docm(project(macroSource, "")),
		"vba-ooxml/active-renamed.docx":      docxTyped("word/vbaProject.bin", kind, project(macroSource, "")),
		"vba-ooxml/active-as-picture.docx":   docx("", "word/media/image1.png", project(macroSource, "")),
		"vba-ooxml/active-relation.xlsx":     xlsx("", "", "xl/worksheets/_rels/sheet1.xml.rels", rels("vbaProject", "../a.bin", "")),
		"vba-ooxml/inert-picture.docx":       docx("", "word/media/vbaProject.png", png),
		"vba-ooxml/inert-custom-xml.docx":    docx("", "customXml/item1.xml", `<vbaProject xmlns="urn:x">Sub AutoOpen()</vbaProject>`),
		"vba-ooxml/inert-sheet-caption.xlsx": xlsx(`<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>vbaProject.bin</t></is></c></row></sheetData>`, ""),

		"vba-empty/active-word.doc":        doc(emptyModule, ""),
		"vba-empty/active-workbook.xls":    xls(emptyModule, ""),
		"vba-empty/active-document.docx":   docx("", "word/vbaProject.bin", project(emptyModule, "")),
		"vba-empty/inert-attribute.docx":   docx(`<w:p><w:r><w:t>Attribute VB_Name = "Modulo"</w:t></w:r></w:p>`),
		"vba-empty/inert-attribute.doc":    docSpec{text: "Attribute VB_Name = \"Modulo\"\r"}.file(),
		"vba-stomped/active-word.doc":      doc(emptyModule, compiled),
		"vba-stomped/active-purged.xls":    xls("", compiled),
		"vba-stomped/active-document.docm": docm(project(emptyModule, compiled)),
		"vba-stomped/inert-bytes.doc":      docSpec{text: "fe ca 01 00 _VBA_PROJECT\r", wide: true}.file(),
		"vba-stomped/inert-picture.docx":   docx("", "word/media/image1.png", string(pngOf(1, 1, "tEXt"))+"", "customXml/item1.xml", "<x>_VBA_PROJECT PROJECTwm</x>"),

		"xlm-binary/active-sheet.xls":         cfbFile("Workbook", bookStream("", "", 0, 1)),
		"xlm-binary/active-hidden-sheet.xls":  cfbFile("Workbook", bookStream("", "", 2, 1)),
		"xlm-binary/active-auto-name.xls":     xlsOf(named(0x20, "\x01", ""), ""),
		"xlm-binary/active-macro-name.xls":    xlsOf(named(0x08, "macro", ""), ""),
		"xlm-binary/inert-ordinary-name.xls":  xlsOf(named(0x00, "Apri_auto", ""), ""),
		"xlm-ooxml/active-sheet.xlsx":         xlsx("", "", "xl/macrosheets/sheet2.xml", macroSheet),
		"xlm-ooxml/active-relation.xlsx":      xlsx("", "", "xl/worksheets/_rels/sheet1.xml.rels", rels("xlMacrosheet", "../macro.xml", "")),
		"xlm-ooxml/active-name.xlsx":          xlsx("", `<definedNames><definedName name="Auto_Open" xlm="1">Foglio1!$A$1</definedName></definedNames>`),
		"xlm-ooxml/inert-name.xlsx":           xlsx("", `<definedNames><definedName name="_xlnm.Print_Area">Foglio1!$A$1</definedName></definedNames>`),
		"xlm-ooxml/inert-macrosheet-word.xml": []byte(`<?xml version="1.0"?><catalogo><voce>xl/macrosheets/sheet1.xml</voce></catalogo>`),
	}
}

// corpusWord are Word documents, binary and Office Open XML.
func corpusWord(t *testing.T) map[string][]byte {
	assoc := func(template string) []byte {
		return docSpec{text: "Contratto\r", assoc: []string{"", template, "Titolo", "", "", "", "", "", "", "", ""}}.file()
	}
	settings := func(body string) []byte {
		return docx("", "word/settings.xml", `<w:settings `+nsW+`>`+body+`</w:settings>`)
	}
	rel := func(kind, target, mode string) []byte {
		return docx("", "word/_rels/document.xml.rels", rels(kind, target, mode))
	}
	return map[string][]byte{
		"doc-field/active-italian-date.doc":   oneField(0x1f, `DATA \@ "dd/MM/yyyy"`),
		"doc-field/active-french-include.doc": oneField(0x43, `INCLUREIMAGE "https://example.org/a.png"`),
		"doc-field/active-number-lies.doc":    oneField(0x21, "DATE"),
		"doc-field/active-dde-auto.doc":       oneField(0x2e, "DDEAUTO excel a.xls"),
		"doc-field/active-nested.doc":         docSpec{text: "\x13 PAGE \x13 DATE \x15\x14 1\x15\r", types: []byte{0x21, 0x1f}}.file(),
		"doc-field/inert-italian-page.doc":    oneField(0x21, "PAGINA"),
		"doc-field/inert-braces.doc":          docSpec{text: "{ DATE } { DATA \\@ \"d\" }\r"}.file(),
		"dde/active-auto.doc":                 oneField(0x2e, "DDEAUTO excel a.xls"),
		"dde/active-link.xls":                 xlsOf(supDDELink, ""),
		"dde/active-formula.xlsx":             xlsx(cell("cmd|' /C calc'!A0"), ""),
		"dde/active-auto.rtf":                 []byte(`{\rtf1\ansi {\field{\*\fldinst DDEAUTO c:\\\\windows\\\\cmd.exe}{\fldrslt x}}}`),
		"dde/inert-bar.xlsx":                  xlsx(`<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>cmd|' /C calc'!A0</t></is></c></row></sheetData>`, ""),
		"dde/inert-words.rtf":                 []byte(`{\rtf1\ansi \{ DDEAUTO excel \}}`),

		"template/active-attached.doc":       assoc(`C:\Modelli\Lettera.dot`),
		"template/active-server.doc":         assoc(`\\server\modelli\Normal.dot`),
		"template/active-template.rtf":       []byte(`{\rtf1\ansi{\*\template https://example.org/modello.dot}Contratto}`),
		"template/active-settings.docx":      docx("", "word/_rels/settings.xml.rels", rels("attachedTemplate", "file:///C:/Modelli/a.dotm", "External"), "word/settings.xml", `<w:settings `+nsW+`><w:attachedTemplate r:id="r0"/></w:settings>`),
		"template/inert-normal.doc":          assoc(`C:\Modelli\Normal.dot`),
		"ooxml-external/active-picture.docx": rel("image", "https://example.org/a.png", "External"),
		"ooxml-external/active-no-mode.docx": rel("image", "https://example.org/a.png", ""),
		"ooxml-external/active-audio.docx":   rel("audio", `\\server\a.wav`, "External"),
		"ooxml-external/inert-inside.docx":   docx("", "word/_rels/document.xml.rels", rels("image", "media/a.png", "Internal"), "word/media/a.png", string(pngOf(1, 1))),
		"ooxml-external/inert-custom.docx":   docx("", "customXml/item1.xml", `<Relationship xmlns="urn:x" TargetMode="External" Target="https://example.org/"/>`),
		"alt-content/active-chunk.docx":      docx(`<w:altChunk r:id="r1"/>`),
		"alt-content/active-ribbon.docx":     docx("", "customUI/customUI.xml", `<customUI xmlns="http://schemas.microsoft.com/office/2006/01/customui" onLoad="Avvio"/>`, "word/_rels/document.xml.rels", rels("ui/extensibility", "../customUI/customUI.xml", "")),
		"alt-content/active-add-in.docx":     docxTyped("word/webextensions/webextension1.xml", "application/vnd.ms-office.webextension+xml", `<we:webextension xmlns:we="http://schemas.microsoft.com/office/webextensions/webextension/2010/11"/>`),
		"alt-content/active-frames.docx":     docx("", "word/webSettings.xml", `<w:webSettings `+nsW+`><w:frameset/></w:webSettings>`),
		"alt-content/inert-settings.docx":    settings(`<w:zoom w:percent="100"/>`),
		"alt-content/inert-own-names.docx":   docx("", "customXml/item1.xml", `<altChunk xmlns="urn:x"><frameset/></altChunk>`),
	}
}

// corpusObjects are objects, controls, changes and encryption in office documents.
func corpusObjects(t *testing.T) map[string][]byte {
	ole := string(cfbFile("\x01Ole10Native", "\x10\x00\x00\x00\x02\x00a.exe"))
	return map[string][]byte{
		"ole-object/active-package.docx":      docx("", "word/embeddings/oleObject1.bin", ole),
		"ole-object/active-as-picture.docx":   docx("", "word/media/image1.png", ole),
		"ole-object/active-word.doc":          grafted(t, "ole-object/inert-lo-word.doc", "ObjectPool/_1/\x01Ole10Native", "x"),
		"ole-object/active-workbook.xls":      cfbFile("Workbook", bookStream("", "", 0, 0), "MBD00000001/\x01Ole10Native", "x"),
		"ole-object/active-presentation.ppt":  pptSpec{document: record(15, 0, pptOleEmbed)}.file(),
		"ole-object/active-plugin.odt":        odt(`<draw:plugin xlink:href="a.swf"/>`),
		"ole-object/inert-empty-pool.doc":     grafted(t, "ole-object/inert-lo-word.doc", "ObjectPool/", ""),
		"ole-object/inert-own-comp-obj.doc":   docSpec{text: "Contratto\r", more: []string{"\x01CompObj", "x", "\x01Ole", "x"}}.file(),
		"activex/active-control.docx":         docxTyped("word/activeX/activeX1.xml", "application/vnd.ms-office.activeX+xml", `<ax:ocx xmlns:ax="http://schemas.microsoft.com/office/2006/activeX"/>`),
		"activex/active-in-text.docx":         docx(`<w:p><w:r><w:object><w:control r:id="r1"/></w:object></w:r></w:p>`),
		"activex/active-form.xlsx":            xlsx("", "", "xl/ctrlProps/ctrlProp1.xml", `<formControlPr xmlns="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main" objectType="CheckBox"/>`),
		"activex/active-ocx.doc":              docSpec{text: "Contratto\r", tables: map[int]string{fibOCX: "x"}}.file(),
		"activex/active-control.ppt":          pptSpec{document: record(15, 0, pptControl)}.file(),
		"activex/inert-text-control.docx":     docx(`<w:sdt><w:sdtPr><w:tag w:val="activeX"/></w:sdtPr><w:sdtContent><w:p/></w:sdtContent></w:sdt>`),
		"hidden/active-change.docx":           docx(`<w:p><w:ins w:id="1" w:author="Tizio"><w:r><w:t>non </w:t></w:r></w:ins></w:p>`),
		"hidden/active-change.doc":            docSpec{text: "Contratto\r", chpx: sprms(0x0801, "\x01")}.file(),
		"hidden/active-slide.pptx":            pptx(`show="0">`),
		"hidden/inert-own-names.docx":         docx("", "customXml/item1.xml", `<x><ins/><del/><vanish/></x>`),
		"hidden/inert-web-hidden.docx":        docx(`<w:p><w:r><w:rPr><w:webHidden/></w:rPr><w:t>x</w:t></w:r></w:p>`),
		"office-encrypted/active-package.xls": cfbFile("EncryptedPackage", "x", "EncryptionInfo", "x"),
		"office-encrypted/active-word.doc":    docSpec{text: "Contratto\r", flags: 0x100}.file(),
		"office-encrypted/active-book.xls":    cfbFile("Workbook", records(0x809, le(0x600, 5), 0x2f, "x")),
		"office-encrypted/active-text.odt":    odt("", "META-INF/x.xml", `<manifest:encryption-data `+nsODF+`/>`),
		"office-encrypted/inert-word.doc":     docSpec{text: "EncryptedPackage EncryptionInfo\r", wide: true}.file(),
		"office-encrypted/inert-word.odt":     odt(`<text:p>manifest:encryption-data</text:p>`),
		"office-encrypted/inert-word.docx":    docx(`<w:p><w:r><w:t>EncryptedPackage</w:t></w:r></w:p>`),
	}
}

// corpusSheets are workbooks, presentations and OpenDocument.
func corpusSheets() map[string][]byte {
	header := func(s string) []byte {
		return xlsx("<headerFooter><oddHeader>"+strings.ReplaceAll(s, "&", "&amp;")+"</oddHeader></headerFooter>", "")
	}
	connections := `<connections ` + nsX + `><connection id="1"/></connections>`
	date := record(0, 0, pptDateTime, strings.Repeat("\x00", 8))
	return map[string][]byte{
		"formula-volatile/active-info.xls":         xlsOf("", parsed("\x17\x01\x00x\x42\x01\xf4\x00")),
		"formula-volatile/active-add-in.xls":       xlsOf(supAddInBook+addInName("MIA")+oneExternCell, parsed("\x39\x00\x00\x01\x00\x00\x00\x42\x01\xff\x00")),
		"formula-volatile/active-spaced.xlsx":      xlsx(cell("today ()"), ""),
		"formula-volatile/active-image.xlsx":       xlsx(cell(`_xlfn.IMAGE("https://example.org/a.png")`), ""),
		"formula-volatile/inert-string-token.xls":  xlsOf("", parsed("\x17\x03\x00"+callNow)),
		"formula-volatile/inert-quoted-sheet.xlsx": xlsx(cell(`'TODAY('!A1&amp;IMAGINARY(1)`), ""),
		"workbook-external/active-book.xls":        xlsOf(supOtherBook, ""),
		"workbook-external/active-part.xlsx":       xlsx("", "", "xl/externalLinks/externalLink1.xml", `<externalLink `+nsX+`><externalBook/></externalLink>`),
		"workbook-external/active-formula.xlsx":    xlsx(cell("[1]Foglio1!A1"), ""),
		"workbook-external/inert-table.xlsx":       xlsx(cell("SUM(Tabella[Importo])"), ""),
		"workbook-external/inert-self.xls":         xlsOf(supSelfBook+oneExternCell, parsed(tokenRef3)),
		"workbook-data/active-connections.xlsx":    xlsx("", "", "xl/connections.xml", connections),
		"workbook-data/active-pivot.xlsx":          xlsx("", "", "xl/pivotCache/a.xml", `<pivotCacheDefinition `+nsX+` refreshOnLoad="1"/>`),
		"workbook-data/active-query.xlsx":          xlsx("", "", "customXml/item1.xml", `<DataMashup xmlns="http://schemas.microsoft.com/DataMashup">AAAA</DataMashup>`),
		"workbook-data/active-refresh.xls":         xlsOf(records(0x1b7, "\x01\x00"), ""),
		"workbook-data/inert-pivot.xlsx":           xlsx("", "", "xl/pivotCache/a.xml", `<pivotCacheDefinition `+nsX+` refreshOnLoad="0"/>`),
		"workbook-data/inert-own-xml.xlsx":         xlsx("", "", "customXml/item1.xml", `<DataMashup xmlns="urn:x"><connection/></DataMashup>`),
		"workbook-data/inert-no-refresh.xls":       xlsOf(records(0x1b7, "\x00\x00"), ""),
		"sheet-header/active-file.xls":             xlsOf("", records(0x14, le(2, byte(1), "&\x00F\x00"))),
		"sheet-header/active-after-font.xlsx":      header(`&C&"Arial"&12&D`),
		"sheet-header/inert-font-name.xlsx":        header(`&C&"&D"&12 R&&D`),
		"sheet-condition/active-validation.xls":    xlsOf("", records(0x1be, le(uint32(3), strings.Repeat("\x01\x00\x00\x00", 4), len(callNow), 0, callNow, 0, 0))),
		"slide-dynamic/active-date.ppt":            pptSpec{slide: date}.file(),
		"slide-dynamic/active-date-sorting.pptx":   pptx(`><a:fld type="datetimeFigureOut"/>`),
		"slide-dynamic/active-macro.pptx":          pptx(`><a:hlinkClick action="ppaction://macro?name=x"/>`),
		"slide-dynamic/active-timing.pptx":         pptx(`><p:timing/>`),
		"slide-dynamic/active-sound.ppt":           pptSpec{document: record(15, 5, 0x07e4, record(15, 0, pptSound))}.file(),
		"slide-dynamic/inert-jump.pptx":            pptx(`><a:hlinkClick action="ppaction://hlinksldjump"/>`),
		"slide-dynamic/inert-words.ppt":            pptSpec{slide: record(0, 0, pptTextChars, string(utf16le("datetime1 DateTimeMCAtom")))}.file(),
		"odf/active-script-folder.odt":             odt("", "Scripts/python/a.py", "print(1)"),
		"odf/active-toolbar.odt":                   odt("", "Configurations2/accelerator/current.xml", `<a href="vnd.sun.star.script:x"/>`),
		"odf/inert-picture-folder.odt":             odt("", "Pictures/Basic.xml", "<a/>"),
		"odf/inert-fixed-file-name.odt":            odt(`<text:p><text:file-name text:fixed="true">a.odt</text:file-name></text:p>`),
	}
}
