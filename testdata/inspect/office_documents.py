"""What LibreOffice is given to write, by path in the corpus."""

from office import BASIC, EVENT, FIXED_DATE, LO_DATE, PAGE_STYLE, flat, formula, sheet, slides, text

D = {}  # path: source

# Word fields. LibreOffice writes them into DOCX, DOC and RTF in their own ways.
D["word-field-changing/active-lo-date.docx"] = text("Roma, " + LO_DATE)
D["word-field-changing/active-lo-time.docx"] = text('Ore <text:time text:time-value="2026-01-15T10:00:00">10:00</text:time>')
D["word-field-changing/active-lo-file-name.docx"] = text('File <text:file-name text:display="name-and-extension">in.docx</text:file-name>')
D["word-field-changing/active-lo-author.docx"] = text("Firmato", 'Autore <text:author-name>Tizio</text:author-name>')
D["word-field-changing/active-lo-header-date.docx"] = text("Contratto", master="<style:header><text:p>Roma, " + LO_DATE + "</text:p></style:header>")
D["word-field-changing/inert-lo-word.docx"] = text("DATE TIME SAVEDATE: tre parole, nessun campo.", r'Il codice { DATE \@ "dd/MM/yyyy" } va scritto a mano.')
D["word-field-changing/inert-lo-typed-date.docx"] = text("Roma, 15/01/2026", "INCLUDETEXT e FILENAME sono nomi di campi.")
D["word-field-external/active-lo-macro-button.docx"] = text('Premi <text:execute-macro text:name="Standard.Modulo.Cambia">qui</text:execute-macro>')
D["word-field-external/active-lo-fill-in.docx"] = text('Nome <text:text-input text:description="chi?">Tizio</text:text-input>')
D["word-field-external/inert-lo-words.docx"] = text("INCLUDETEXT INCLUDEPICTURE LINK DATABASE MACROBUTTON MERGEFIELD", "IF il prezzo sale, ASK il venditore.")
D["word-field-layout/active-lo-page.docx"] = text("Contratto", master="<style:footer><text:p>Pagina <text:page-number>1</text:page-number> di <text:page-count>1</text:page-count></text:p></style:footer>")
D["word-field-layout/active-lo-toc.docx"] = text('<raw><text:table-of-content text:name="Indice"><text:table-of-content-source text:outline-level="2"><text:index-title-template>Indice</text:index-title-template></text:table-of-content-source><text:index-body><text:p>Uno 1</text:p></text:index-body></text:table-of-content><text:h text:outline-level="1">Uno</text:h>')
D["word-field-layout/inert-lo-word.docx"] = text("PAGE 1 di NUMPAGES", "SEQ, REF e TOC sono parole.")
D["link/active-lo-link.docx"] = text('Vedi <text:a xlink:href="https://example.org/">il sito</text:a>')
D["link/inert-lo-address.docx"] = text("Vedi https://example.org/ (non è un collegamento).")
D["dde/active-lo-link.odt"] = text('<raw><text:section text:name="S"><office:dde-source office:dde-application="soffice" office:dde-topic="/tmp/altro.ods" office:dde-item="Foglio1.A1" office:automatic-update="true"/><text:p>1</text:p></text:section>')
D["dde/active-lo-formula.ods"] = sheet(["Quotazione", formula('DDE("soffice";"/tmp/altro.ods";"Foglio1.A1")')])
D["dde/inert-lo-word.docx"] = text("DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe è un esempio di attacco, qui in chiaro.")
D["dde/inert-lo-cell.xls"] = sheet(["cmd|' /C calc'!A0", "DDE(soffice)"])

# The same in the binary format, where a field has a number.
D["doc-field/active-lo-date.doc"] = text("Roma, " + LO_DATE)
D["doc-field/active-lo-time.doc"] = text('Ore <text:time text:time-value="2026-01-15T10:00:00">10:00</text:time>')
D["doc-field/active-lo-file-name.doc"] = text('File <text:file-name text:display="name-and-extension">in.doc</text:file-name>')
D["doc-field/active-lo-author.doc"] = text('Autore <text:author-name>Tizio</text:author-name>')
D["doc-field/active-lo-header-date.doc"] = text("Contratto", master="<style:header><text:p>Roma, " + LO_DATE + "</text:p></style:header>")
D["doc-field/inert-lo-word.doc"] = text("DATE TIME FILENAME sono parole; DATA e ORA pure.")
D["doc-field/inert-lo-page.doc"] = text("Contratto", master="<style:footer><text:p>Pagina <text:page-number>1</text:page-number></text:p></style:footer>")
D["doc-field/inert-lo-link.doc"] = text('Vedi <text:a xlink:href="https://example.org/">il sito</text:a>')

# RTF
D["rtf-field/active-lo-date.rtf"] = text("Roma, " + LO_DATE)
D["rtf-field/active-lo-file-name.rtf"] = text('File <text:file-name text:display="name-and-extension">in.rtf</text:file-name>')
D["rtf-field/inert-lo-word.rtf"] = text(r"\field e \chdate sono scritti qui come testo; DATE anche.")
D["rtf-field/inert-lo-link.rtf"] = text('Vedi <text:a xlink:href="https://example.org/">il sito</text:a>')
D["rtf-object/inert-lo-word.rtf"] = text(r"La parola \objdata e la parola \objupdate.")

# Templates and subdocuments
D["template/inert-lo-word.docx"] = text("attachedTemplate: http://example.org/modello.dotm")
D["template/inert-lo-word.rtf"] = text(r"{\*\template http://example.org/modello.dot}")
D["template/inert-lo.doc"] = text("Modello: http://example.org/modello.dot, Normal.dot")
D["ooxml-external/active-lo-image.docx"] = text('<draw:frame text:anchor-type="as-char" svg:width="2cm" svg:height="2cm"><draw:image xlink:href="https://example.org/logo.png" xlink:type="simple" xlink:show="embed" xlink:actuate="onLoad"/></draw:frame>')
D["ooxml-external/inert-lo-word.docx"] = text('TargetMode="External" Target="https://example.org/logo.png"')

# Workbooks
D["formula-volatile/active-lo-now.xlsx"] = sheet([formula("NOW()")])
D["formula-volatile/active-lo-today.xls"] = sheet([formula("TODAY()")])
D["formula-volatile/active-lo-indirect.xls"] = sheet([1, formula('INDIRECT("A"&"1")')])
D["formula-volatile/active-lo-webservice.xlsx"] = sheet([formula('WEBSERVICE("https://example.org/prezzo")')])
D["formula-volatile/active-lo-rand.ods"] = sheet([formula("RAND()")])
D["formula-volatile/active-lo-hyperlink.xls"] = sheet([formula('HYPERLINK("https://example.org/";"qui")')])
D["formula-volatile/active-lo-name.xlsx"] = sheet([formula("Oggi+1")], more='<table:named-expressions><table:named-expression table:name="Oggi" table:base-cell-address="$Foglio1.$A$1" table:expression="of:=TODAY()"/></table:named-expressions>')
D["formula-volatile/inert-lo-text.xlsx"] = sheet(["NOW()", "=TODAY()", "RAND() e INDIRECT()"])
D["formula-volatile/inert-lo-text.xls"] = sheet(["=NOW()", "'=TODAY()", "OGGI()"])
D["formula-volatile/inert-lo-string.xlsx"] = sheet([formula('LEN("NOW()")', 5)])
D["formula-volatile/inert-lo-names.ods"] = sheet([formula('CONCATENATE("TODAY()";"RAND()")')], name="NOW")
D["formula-plain/active-lo-sum.xls"] = sheet([1, 2, formula("SUM([.A1:.B1])", 3)])
D["formula-plain/active-lo-if.xlsx"] = sheet([1, formula('IF([.A1]>0;"sì";"no")')])
D["formula-plain/active-lo-sum.ods"] = sheet([1, 2, formula("SUM([.A1:.B1])", 3)])
D["formula-plain/inert-lo-values.xls"] = sheet(["=SUM(A1:B1)", 3, "+39 06 123456", "-5%"])
D["formula-plain/inert-lo-values.xlsx"] = sheet(["=SUM(A1:B1)", 3, "+39 06 123456"])
D["formula-plain/inert-lo-values.ods"] = sheet(["=SUM(A1:B1)", 3, "of:=SUM(1)"])
D["workbook-external/active-lo-reference.xls"] = sheet([formula("'file:///tmp/altro.ods'#$Foglio1.A1")])
D["workbook-external/active-lo-reference.xlsx"] = sheet([formula("'file:///tmp/altro.ods'#$Foglio1.A1")])
D["workbook-external/inert-lo-text.xls"] = sheet(["[altro.xls]Foglio1!A1", "file:///tmp/altro.xls"])
D["workbook-external/inert-lo-own-sheet.xls"] = sheet([1, formula("[$Dati.A1]")], more='<table:table table:name="Dati" table:style-name="foglio"><table:table-row><table:table-cell office:value-type="float" office:value="1"><text:p>1</text:p></table:table-cell></table:table-row></table:table>')
HEADER = '<style:header><text:p>%s</text:p></style:header>'
D["sheet-header/active-lo-date.xls"] = sheet([1], master=HEADER % LO_DATE)
D["sheet-header/active-lo-date.xlsx"] = sheet([1], master=HEADER % LO_DATE)
D["sheet-header/active-lo-file.xls"] = sheet([1], master=HEADER % '<text:file-name text:display="full">x</text:file-name>')
D["sheet-header/active-lo-time.xlsx"] = sheet([1], master=HEADER % '<text:time>10:00</text:time>')
D["sheet-header/inert-lo-text.xls"] = sheet([1], master=HEADER % "Ditta Rossi &amp; Dati, R&amp;D")
D["sheet-header/inert-lo-text.xlsx"] = sheet([1], master=HEADER % "Ditta Rossi &amp; Dati, R&amp;D")
D["sheet-header/inert-lo-cell.xlsx"] = sheet(["&amp;D", "&amp;T &amp;F"], master="")
CONDITION = '<calcext:conditional-formats><calcext:conditional-format calcext:target-range-address="Foglio1.A1:Foglio1.A9"><calcext:condition calcext:apply-style-name="Rosso" calcext:value="formula-is(%s)" calcext:base-cell-address="Foglio1.A1"/></calcext:conditional-format></calcext:conditional-formats>'
RED = '<style:style style:name="Rosso" style:family="table-cell"><style:text-properties fo:color="#ff0000"/></style:style>'


def conditional(condition):
    return flat("spreadsheet", '<table:table table:name="Foglio1" table:style-name="foglio"><table:table-row><table:table-cell office:value-type="float" office:value="1"><text:p>1</text:p></table:table-cell></table:table-row>' + CONDITION % condition + "</table:table>", styles=RED, automatic=PAGE_STYLE)


D["sheet-condition/active-lo-format.xlsx"] = conditional("[.A1]&lt;TODAY()")
D["sheet-condition/active-lo-format.xls"] = conditional("[.A1]&lt;TODAY()")
D["sheet-condition/inert-lo-format.xlsx"] = conditional("[.A1]&lt;5")
D["sheet-condition/inert-lo-format.xls"] = conditional("[.A1]&lt;5")
VALIDATION = '<table:content-validations><table:content-validation table:name="v" table:condition="of:cell-content-is-decimal-number() and cell-content()&lt;%s" table:base-cell-address="Foglio1.A1"/></table:content-validations>'
CHECKED = '<raw><table:table-cell table:content-validation-name="v" office:value-type="float" office:value="1"><text:p>1</text:p></table:table-cell>'
D["sheet-condition/active-lo-validation.xls"] = sheet([CHECKED], before=VALIDATION % "NOW()")
D["sheet-condition/inert-lo-validation.xls"] = sheet([CHECKED], before=VALIDATION % "10")
D["hidden/active-lo-sheet.xls"] = sheet([1], automatic='<style:style style:name="nascosto" style:family="table" style:master-page-name="Standard"><style:table-properties table:display="false"/></style:style>', more='<table:table table:name="Segreto" table:style-name="nascosto"><table:table-row><table:table-cell office:value-type="float" office:value="9"><text:p>9</text:p></table:table-cell></table:table-row></table:table>')
D["hidden/active-lo-sheet.xlsx"] = D["hidden/active-lo-sheet.xls"]
HIDDEN = dict(automatic='<style:style style:name="n" style:family="text"><style:text-properties text:display="none"/></style:style>')
D["hidden/active-lo-text.docx"] = text('Prezzo 100 <text:span text:style-name="n">più IVA</text:span>', **HIDDEN)
D["hidden/active-lo-text.doc"] = text('Prezzo 100 <text:span text:style-name="n">più IVA</text:span>', **HIDDEN)
D["hidden/active-lo-comment.docx"] = text('Prezzo<office:annotation><dc:creator>Tizio</dc:creator><dc:date>2026-01-15T10:00:00</dc:date><text:p>da rivedere</text:p></office:annotation> 100')
D["hidden/inert-lo-word.docx"] = text("w:vanish, w:ins e w:del sono scritti qui in chiaro: nulla è nascosto.")
D["hidden/inert-lo-sheet.xls"] = sheet(["hidden", "veryHidden"], name="Nascosto")

# Presentations
DECL = '<presentation:date-time-decl presentation:name="d1" presentation:source="current-date"/>'
D["slide-dynamic/active-lo-date.pptx"] = slides(frame="Oggi, " + LO_DATE)
SHOWN = '<style:style style:name="dp1" style:family="drawing-page"><style:drawing-page-properties presentation:display-date-time="true" presentation:display-header="true"/></style:style>'
D["slide-dynamic/active-lo-footer-date.ppt"] = slides(decl=DECL, page=' draw:style-name="dp1" presentation:use-date-time-name="d1"', automatic=SHOWN)
D["slide-dynamic/inert-lo-word.pptx"] = slides(frame="datetime1 e DateTimeMC: 15 gennaio 2026")
D["slide-dynamic/inert-lo-word.ppt"] = slides(frame="datetime1 e DateTimeMC: 15 gennaio 2026")

# OpenDocument itself
D["odf/active-lo-basic.odt"] = text("Contratto", scripts=BASIC % "")
D["odf/active-lo-event.odt"] = text("Contratto", scripts=BASIC % EVENT)
D["odf/active-lo-basic.ods"] = sheet([1], scripts=BASIC % "")
D["odf/active-lo-basic.odp"] = slides() .replace("<office:styles>", BASIC % "" + "<office:styles>", 1)
D["odf/active-lo-date.odt"] = text("Roma, " + LO_DATE)
D["odf/active-lo-macro-button.odt"] = text('Premi <text:execute-macro text:name="Standard.Modulo.Cambia">qui</text:execute-macro>')
D["odf/active-lo-section.odt"] = text('<raw><text:section text:name="S"><text:section-source xlink:href="file:///tmp/altro.odt"/><text:p>altro</text:p></text:section>')
D["odf/active-lo-frame.odt"] = text('<draw:frame text:anchor-type="as-char" svg:width="5cm" svg:height="5cm"><draw:floating-frame xlink:href="https://example.org/" xlink:type="simple" xlink:show="embed" xlink:actuate="onLoad"/></draw:frame>')
D["odf/active-lo-image.odt"] = text('<draw:frame text:anchor-type="as-char" svg:width="2cm" svg:height="2cm"><draw:image xlink:href="https://example.org/logo.png" xlink:type="simple" xlink:show="embed" xlink:actuate="onLoad"/></draw:frame>')
D["odf/inert-lo-fixed-date.odt"] = text("Roma, " + FIXED_DATE)
D["odf/inert-lo-words.odt"] = text("Basic/Standard, event-listener, execute-macro, office:scripts: solo parole.", "vnd.sun.star.script:Standard.Modulo.Cambia")
D["odf/inert-lo-link.odt"] = text('Vedi <text:a xlink:href="https://example.org/">il sito</text:a>')
D["odf/inert-lo-sheet.ods"] = sheet(["Basic", "script", 3], name="Scripts")
D["odf/inert-lo.odp"] = slides(frame="event-listener e plugin")

# Objects, controls, macros: documents that only speak of them.
D["vba-binary/inert-lo-word.doc"] = text("Macros, VBA e _VBA_PROJECT: i nomi delle cartelle di un progetto.", "Sub AutoOpen()")
D["vba-binary/inert-lo-sheet.xls"] = sheet(["_VBA_PROJECT_CUR", "Auto_Open"], name="VBA")
D["vba-binary/inert-lo-slide.ppt"] = slides(frame="VBA: Sub AutoOpen()")
D["vba-ooxml/inert-lo-word.docx"] = text("word/vbaProject.bin", "Attribute VB_Name = ThisDocument")
D["vba-ooxml/inert-lo-sheet.xlsx"] = sheet(["vbaProject.bin", "Workbook_Open"], name="vbaProject")
D["xlm-binary/inert-lo-sheet.xls"] = sheet(["=EXEC(calc)", "=HALT()", "Auto_Open"], name="Macro1")
D["xlm-binary/inert-lo-name.xls"] = sheet([1], name="Macro1", more='<table:named-expressions><table:named-range table:name="Auto_Apri" table:base-cell-address="$Macro1.$A$1" table:cell-range-address="$Macro1.$A$1"/></table:named-expressions>')
D["xlm-ooxml/inert-lo-sheet.xlsx"] = sheet(["=EXEC(calc)", "xl/macrosheets/sheet1.xml"], name="Macro1")
D["ole-object/inert-lo-word.doc"] = text("ObjectPool, Ole10Native e Package: solo parole.")
D["ole-object/inert-lo-word.docx"] = text("word/embeddings/oleObject1.bin")
D["activex/inert-lo-word.docx"] = text("word/activeX/activeX1.bin, Forms.CommandButton.1")
D["activex/inert-lo-sheet.xlsx"] = sheet(["ctrlProps", "activeX"], name="ActiveX")
D["workbook-data/inert-lo-sheet.xlsx"] = sheet(["xl/connections.xml", "queryTable", "refreshOnLoad"], name="connections")
D["workbook-data/inert-lo-sheet.xls"] = sheet(["ODBC;DSN=prova", "SELECT * FROM prezzi"])
D["alt-content/inert-lo-word.docx"] = text("altChunk, customUI, webextension, frameset")

# PDF
D["pdf-javascript/inert-lo-word.pdf"] = text("/JavaScript (app.alert(1)) /JS /OpenAction /AA: parole di un testo.")
D["pdf-uri/active-lo-link.pdf"] = text('Vedi <text:a xlink:href="https://example.org/">il sito</text:a>')
D["pdf-uri/inert-lo-address.pdf"] = text("Vedi il sito /URI (example.org)")
FIELD = '<office:forms><form:form form:name="Modulo"><form:text form:name="prezzo" form:control-implementation="ooo:com.sun.star.form.component.TextField" xml:id="c1" form:id="c1" form:current-value="100"/></form:form></office:forms>'
D["pdf-form/active-lo-field.pdf"] = flat("text", FIELD + '<text:p>Prezzo <draw:control text:anchor-type="as-char" svg:width="4cm" svg:height="1cm" draw:control="c1"/></text:p>')
D["pdf-form/inert-lo-word.pdf"] = text("Modulo: /AcroForm /FT /Tx (prezzo) ______")
D["pdf-attachment/inert-lo-word.pdf"] = text("/EmbeddedFile /Filespec fattura.xml")
D["pdf-font/inert-lo-embedded.pdf"] = text("Caratteri incorporati: Arial, Helvetica, Times.")

# A picture that is in the file.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4ceIEAATYAmvTtTZqAAAAAElFTkSuQmCC"
PICTURE = f'<draw:frame text:anchor-type="as-char" svg:width="2cm" svg:height="2cm"><draw:image><office:binary-data>{DOT}</office:binary-data></draw:image></draw:frame>'
for path in ("ooxml-external/inert-lo-picture.docx", "odf/inert-lo-picture.odt", "pdf-rendering/inert-lo-picture.pdf",
             "rtf-object/inert-lo-picture.rtf", "ole-object/inert-lo-picture.doc"):
    D[path] = text("Logo " + PICTURE)
D["html-script/inert-lo-letter.html"] = text("<raw><text:h text:outline-level=\"1\">Contratto</text:h>", "Prezzo: &lt;script&gt; euro 100, onclick=x")
D["html-external/inert-lo-table.html"] = text('<raw><table:table table:name="T"><table:table-column table:number-columns-repeated="2"/><table:table-row><table:table-cell><text:p>@import</text:p></table:table-cell><table:table-cell><text:p>@media</text:p></table:table-cell></table:table-row></table:table>')

# OpenDocument spreadsheets
D["formula-volatile/active-lo-name.ods"] = sheet([formula("Oggi+1")], more='<table:named-expressions><table:named-expression table:name="Oggi" table:base-cell-address="$Foglio1.$A$1" table:expression="of:=TODAY()"/></table:named-expressions>')
D["formula-volatile/active-lo-style.ods"] = sheet([formula('ORG.OPENOFFICE.STYLE("Rosso";60;"Default")', 0)], styles=RED)
D["formula-volatile/inert-lo-name.ods"] = sheet([formula("Quota*2")], more='<table:named-expressions><table:named-expression table:name="Quota" table:base-cell-address="$Foglio1.$A$1" table:expression="of:=0.22"/></table:named-expressions>')
D["sheet-condition/active-lo-format.ods"] = conditional("[.A1]&lt;TODAY()")
D["sheet-condition/inert-lo-format.ods"] = conditional("[.A1]&lt;5")
DATE_IS = '<calcext:conditional-formats><calcext:conditional-format calcext:target-range-address="Foglio1.A1:Foglio1.A9"><calcext:date-is calcext:style="Rosso" calcext:date="today"/></calcext:conditional-format></calcext:conditional-formats>'
for path in ("sheet-condition/active-lo-date-is.ods", "sheet-condition/active-lo-date-is.xlsx"):
    D[path] = conditional("0").replace(CONDITION % "0", DATE_IS)
SCALE = '<calcext:conditional-formats><calcext:conditional-format calcext:target-range-address="Foglio1.A1:Foglio1.A9"><calcext:color-scale><calcext:color-scale-entry calcext:value="0" calcext:type="minimum" calcext:color="#ff0000"/><calcext:color-scale-entry calcext:value="%s" calcext:type="formula" calcext:color="#00ff00"/></calcext:color-scale></calcext:conditional-format></calcext:conditional-formats>'
for extension in ("ods", "xlsx"):
    D["sheet-condition/active-lo-scale." + extension] = conditional("0").replace(CONDITION % "0", SCALE % "TODAY()")
    D["sheet-condition/inert-lo-scale." + extension] = conditional("0").replace(CONDITION % "0", SCALE % "5")
RANGE = '<table:database-ranges><table:database-range table:name="R" table:target-range-address="Foglio1.A1:Foglio1.B2"%s</table:database-ranges>'
D["workbook-data/active-lo-database.ods"] = sheet(["Voce", "Prezzo"], [1, 2], after=RANGE % ' table:refresh-delay="PT60S"><table:database-source-table table:database-name="Prezzi" table:database-table-name="Listino"/></table:database-range>')
D["workbook-data/inert-lo-range.ods"] = sheet(["Voce", "Prezzo"], [1, 2], after=RANGE % ' table:display-filter-buttons="true"/>')
