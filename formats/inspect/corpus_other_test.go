package inspect

import "strings"

// corpusMarkup are pages, images of lines and data.
func corpusMarkup() map[string][]byte {
	h := func(s string) []byte {
		return []byte("<!DOCTYPE html>\n<html lang=\"it\"><head><meta charset=\"utf-8\"><title>Contratto</title></head><body><p>Contratto</p>" + s + "</body></html>\n")
	}
	svg := func(s string) []byte {
		return []byte(`<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="9" height="9">` + s + `</svg>`)
	}
	x := func(s string) []byte { return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + s) }
	return map[string][]byte{
		"html-script/active-element.html":    h(`<script>document.title=Date()</script>`),
		"html-script/active-event.html":      h(`<p oNmOuSeOvEr="x()">testo</p>`),
		"html-script/active-entity-url.html": h(`<a href="jav&#x09;ascr&#105;pt:x">qui</a>`),
		"html-script/active-frame.html":      h(`<iframe src="https://example.org/"></iframe>`),
		"html-script/active-form.html":       h(`<FORM action="https://example.org/"><INPUT name=a></FORM>`),
		"html-script/active-refresh.html":    h(`<meta http-equiv=refresh content="0;url=https://example.org/">`),
		"html-script/active-nul.html":        h("<scr\x00ipt>x</script>"),
		"html-script/active-utf-7.html":      []byte(`<html><meta charset=utf-7><body>+ADw-script+AD4-x+ADw-/script+AD4-</body></html>`),
		"html-script/active-if-ie.html":      h(`<!--[if IE]><script>x</script><![endif]-->`),
		"html-script/inert-escaped.html":     h(`&lt;script&gt;alert(1)&lt;/script&gt; javascript:alert(1) onload=x`),
		"html-script/inert-comment.html":     h(`<!-- <script>alert(1)</script> -->`),
		"html-script/inert-title.html":       h(`<p title="onclick=x() javascript:x">testo</p>`),
		"html-script/inert-address.html":     h(`<a href="https://example.org/?q=javascript:x">qui</a>`),

		"html-external/active-sheet.html":       h(`<link rel=stylesheet href="https://example.org/a.css">`),
		"html-external/active-picture.html":     h(`<img src="https://example.org/a.png">`),
		"html-external/active-import.html":      h(`<style>@import "a.css";</style>`),
		"html-external/active-escaped-url.html": h(`<p style="background: u\72l(//example.org/a)">x</p>`),
		"html-external/active-base.html":        h(`<base href="https://example.org/">`),
		"html-external/active-hover.html":       h(`<style>p:hover { color: white }</style>`),
		"html-external/active-print.html":       h(`<style>@media print { p { display: none } }</style>`),
		"html-external/inert-words.html":        h(`<p>@import url(a.css), @media print, p:hover</p>`),
		"html-external/inert-style.html":        h(`<style>.import { color: navy } .media { margin: 0 }</style><p class="import">x</p>`),
		"html-external/inert-own-fill.html":     h(`<p style="fill: url(#a)">x</p>`),

		"xml-svg/active-script.svg":     svg(`<script>x</script>`),
		"xml-svg/active-animate.svg":    svg(`<text>100<animate attributeName="x" to="9"/></text>`),
		"xml-svg/active-foreign.svg":    svg(`<foreignObject/>`),
		"xml-svg/active-image.svg":      svg(`<image xlink:href="https://example.org/a.png"/>`),
		"xml-svg/active-entity.xml":     x(`<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>`),
		"xml-svg/active-stylesheet.xml": x(`<?xml-stylesheet href="a.xsl" type="text/xsl"?><a/>`),
		"xml-svg/active-include.xml":    x(`<a><i:include href="b.xml" xmlns:i="http://www.w3.org/2001/XInclude"/></a>`),
		"xml-svg/active-transform.xml":  x(`<t:stylesheet version="1.0" xmlns:t="http://www.w3.org/1999/XSL/Transform"/>`),
		"xml-svg/inert-words.svg":       svg(`<text>script, animate, foreignObject</text>`),
		"xml-svg/inert-own-script.xml":  x(`<atto><script>Scena prima</script><include href="b.xml"/></atto>`),
		"xml-svg/inert-cdata.xml":       x(`<a><![CDATA[<!DOCTYPE a [<!ENTITY b "c">]><script>x</script>]]></a>`),
		"xml-svg/inert-inside-use.svg":  svg(`<defs><path id="a" d="M0 0h9"/></defs><use xlink:href="#a"/>`),
		"xml-svg/inert-instruction.xml": x(`<?altro href="a.xsl"?><a/>`),
	}
}

// corpusRTF is rich text.
func corpusRTF() map[string][]byte {
	rtf := func(s string) []byte { return []byte(`{\rtf1\ansi\ansicpg1252 Contratto\par ` + s + `}`) }
	field := func(code string) []byte { return rtf(`{\field{\*\fldinst ` + code + `}{\fldrslt 15/01/2026}}`) }
	return map[string][]byte{
		"rtf-object/active-data.rtf":     rtf(`{\object\objemb{\*\objdata 0105000002000000}}`),
		"rtf-object/active-split.rtf":    rtf("{\\*\\obj" + "data 01" + "05}"),
		"rtf-object/active-link.rtf":     rtf(`{\object\objautlink\objupdate{\*\objclass Word.Document.8}}`),
		"rtf-object/active-control.rtf":  rtf(`{\object\objocx{\*\objdata 01}}`),
		"rtf-object/inert-binary.rtf":    rtf(`\bin9 \objdata  `),
		"rtf-object/inert-escaped.rtf":   rtf(`\\objdata \\object \{objupdate\}`),
		"rtf-field/active-split.rtf":     field(`{\b D}{\i ATE}`),
		"rtf-field/active-hex.rtf":       field(`\'44ATE`),
		"rtf-field/active-old-date.rtf":  rtf(`\chdate`),
		"rtf-field/active-file-list.rtf": rtf(`{\*\filetbl{\file\fid0 a.doc}}`),
		"rtf-field/active-html.rtf":      []byte(`{\rtf1\ansi\fromhtml1 {\*\htmltag64 <script>x</script>}}`),
		"rtf-field/inert-colours.rtf":    rtf(`\chcbpat0\chcfpat0 date`),
		"rtf-field/inert-escaped.rtf":    rtf(`\{\\field\{\\*\\fldinst DATE\}\}`),
	}
}

// corpusPlain are texts, tables, images and packages.
func corpusPlain() map[string][]byte {
	good := docx("")
	var encrypted []byte
	for _, c := range zipCases() {
		if c.rule == "zip.encrypted" {
			encrypted = c.doc
		}
	}
	return map[string][]byte{
		"text/active-override.txt":        []byte("Il prezzo è di euro \u202e001\u202c.\n"),
		"text/active-isolate.txt":         []byte("Il prezzo è di \u2067euro 100\u2069.\n"),
		"text/active-escape.txt":          []byte("Il prezzo è \x1b[8mnon\x1b[0m di euro 100, salvo conguaglio.\n"),
		"text/active-zero-width.txt":      []byte("euro 1\u200b00\n"),
		"text/active-mixed.txt":           []byte("perché perch\xe8 no\n"),
		"text/active-latin.txt":           []byte("perch\xe9 s\xec, disse\n"),
		"text/inert-hebrew.txt":           []byte("Il nome è אברהם, di Roma.\n"),
		"text/inert-escaped.txt":          []byte("U+202E e \\u202e sono scritti per esteso; ESC[8m pure.\n"),
		"text/inert-accents.txt":          []byte("Perché così è: città, virtù.\r\n\tfine\r\n"),
		"csv-formula/active-command.csv":  []byte("voce,prezzo\nuno,=cmd|'/C calc'!A0\n"),
		"csv-formula/active-at.csv":       []byte("voce;prezzo\nuno;\"@SUM(1;2)\"\n"),
		"csv-formula/active-plus.csv":     []byte("voce,prezzo\nuno,+HYPERLINK(\"https://example.org\")\n"),
		"csv-formula/active-tab.tsv":      []byte("voce\tprezzo\nuno\t=NOW()\n"),
		"csv-formula/inert-numbers.csv":   []byte("voce,prezzo\nuno,-2\ndue,+39 06 123456\ntre,- \n\"a,=1\",b=c\n"),
		"csv-formula/inert-address.csv":   []byte("nome;posta\nTizio;tizio@example.org\n"),
		"csv-formula/inert-quoted.csv":    []byte("voce;nota\nuno;\"somma =SUM(A1)\"\n"),
		"sylk/active-formula.slk":         []byte("ID;PWXL;N;E\r\nC;Y1;X1;K0;ENOW()\r\nE\r\n"),
		"sylk/active-command.slk":         []byte("ID;P\r\nO;E\r\nNN;NAuto_open;ER101C1\r\nC;X1;Y101;EEXEC(\"calc.exe\")\r\nE\r\n"),
		"sylk/inert-values.slk":           []byte("ID;PWXL;N;E\r\nC;Y1;X1;K\"Prezzo\"\r\nC;Y1;X2;K100\r\nE\r\n"),
		"sylk/inert-text.slk":             []byte("ID;PWXL;N;E\r\nC;Y1;X1;K\"NOW() EXEC(calc)\"\r\nE\r\n"),
		"sylk/inert-words.txt":            []byte("Il formato SYLK comincia con ID;P e una formula con C;E.\n"),
		"image/active-tail.bmp":           join(bmpOf(2, 2), []byte("altro")),
		"image/active-huge.png":           pngOf(60000, 60000),
		"polyglot/active-zip-in-png.png":  join(pngOf(1, 1), zipOf("a", "b")),
		"polyglot/active-zip-in-pdf.pdf":  join(pdfPage("", ""), zipOf("a", "b")),
		"polyglot/active-pdf-in-rtf.rtf":  []byte(`{\rtf1 %PDF-1.7 ciao}`),
		"polyglot/active-pdf-in-html.htm": []byte("<html><!-- %PDF-1.4 --><body>ciao</body></html>"),
		"polyglot/active-text-as.pdf":     []byte("Il sottoscritto dichiara.\n"),
		"polyglot/active-page-as.txt":     []byte("<html><body>ciao</body></html>\n"),
		"polyglot/active-book-as.docx":    xlsx("", ""),
		"polyglot/inert-magic-words.txt":  []byte("PK e PDF: le firme %PDF e PK\\x03\\x04 dei file.\n"),
		"polyglot/inert-far-header.rtf":   []byte(`{\rtf1 ` + strings.Repeat(" ", 1100) + `%PDF-1.7 ciao}`),
		"polyglot/inert-tag-later.txt":    []byte("La pagina comincia con <html> e finisce con </html>.\n"),
		"zip/active-archive.zip":          zipOf("a.txt", "ciao"),
		"zip/active-bomb.docx":            docx("", "word/media/a.png", strings.Repeat("\x00", zipRatioFrom+1)),
		"zip/active-overlap.docx":         overlapping(5),
		"zip/active-case.docx":            zipOf("[Content_Types].xml", contentTypes("word/document.xml", typePrefix+"wordprocessingml.document.main+xml"), "word/document.xml", "<a/>", "Word/Document.xml", "<a/>"),
		"zip/active-leading.docx":         join([]byte("PK\x03\x04 prima "), good),
		"zip/active-comment.docx":         withComment(good, "ciao"),
		"zip/active-encrypted.docx":       encrypted,
		"zip/active-nested.docx":          docx("", "word/media/a.png", string(good)),
		"zip/inert-many-parts.docx":       docx("", manyParts(200)...),
		"zip/inert-dots.docx":             docx("", "word/..x.xml", "<a/>"),
		"zip/inert-white-picture.docx":    docx("", "word/media/a.png", strings.Repeat("\x00", 100_000)),
		"zip/inert-words.docx":            docx(`<w:p><w:r><w:t>PK 42.zip ../../etc/passwd</w:t></w:r></w:p>`),
	}
}

// corpusPDF are PDF files that no library would write.
func corpusPDF() map[string][]byte {
	clean := pdfPage("", "")
	js := "<< /S /JavaScript /JS (app.alert\\(1\\)) >>"
	annot := func(s string) []byte { return pdfPage("", "/Annots [5 0 R]", "<< /Type /Annot "+s+" >>") }
	return map[string][]byte{
		"pdf-javascript/active-escaped-name.pdf":   pdfPage("/OpenAction << /S /J#61vaScript /J#53 (x) >>", ""),
		"pdf-javascript/active-next.pdf":           pdfPage("/OpenAction << /S /GoTo /D [3 0 R /Fit] /Next 5 0 R >>", "", js),
		"pdf-javascript/active-field.pdf":          pdfPage("/AcroForm << /Fields [5 0 R] >>", "", "<< /FT /Tx /T (a) /AA << /K "+js+" >> >>"),
		"pdf-javascript/active-outline.pdf":        pdfPage("/Outlines 5 0 R", "", "<< /First 6 0 R /Last 6 0 R >>", "<< /Title (x) /Parent 5 0 R /A "+js+" >>"),
		"pdf-javascript/active-older-revision.pdf": pdfRevise(pdfPage("/OpenAction 5 0 R", "", js), 6, map[int]string{5: "<< /S /GoTo /D [3 0 R /Fit] >>"}),
		"pdf-javascript/inert-string.pdf":          pdfPage("", "", "(/S /JavaScript /JS)"),
		"pdf-javascript/inert-comment.pdf":         pdfPage("% /JavaScript (x) /JS\n", ""),
		"pdf-javascript/inert-bookmark.pdf":        pdfPage("/Outlines 5 0 R", "", "<< /First 6 0 R /Last 6 0 R >>", "<< /Title (JavaScript) /Parent 5 0 R /Dest [3 0 R /Fit] >>"),
		"pdf-uri/active-next.pdf":                  annot("/Subtype /Link /Rect [0 0 9 9] /A << /S /GoTo /D [3 0 R /Fit] /Next << /S /URI /URI (https://example.org/) >> >>"),
		"pdf-attachment/inert-font-named-ef.pdf":   pdfPage("", "/Resources << /Font << /EF << /Type /Font /Subtype /Type3 >> >> >>"),
		"pdf-annotation/inert-popup.pdf":           annot("/Subtype /Popup /Rect [0 0 9 9]"),
		"pdf-layers/active-all-off.pdf":            pdfPage("", "", "<< /Type /OCMD /P /AllOff >>"),
		"pdf-layers/inert-all-on.pdf":              pdfPage("", "", "<< /Type /OCMD /P /AllOn >>"),
		"pdf-revisions/active-after-signature.pdf": pdfRevise(pdfSigned(clean, 5, ""), 7, map[int]string{4: pdfStream("", "0 0 m S")}),
		"pdf-revisions/active-orphan.pdf":          pdfOrphan("9 0 obj\n<< /S /X >>\nendobj\n"),
		"pdf-revisions/active-hidden-pack.pdf":     pdfPage("", "", pdfStream("/Type /ObjStm /N 1 /First 4", "9 0 << /S /JavaScript >>")),
		"pdf-revisions/inert-signed.pdf":           pdfSigned(clean, 5, ""),
		"pdf-revisions/inert-two-signatures.pdf":   pdfSigned(pdfSigned(clean, 5, ""), 7, ""),
		"pdf-repair/active-length.pdf":             []byte(strings.Replace(string(clean), "/Length 17", "/Length 12", 1)),
		"pdf-repair/inert-line-end.pdf":            join(clean, []byte("\r\n")),
	}
}
