package inspect

// corpusViewer are documents of which two programs, or the readers of two
// countries, see two things.
func corpusViewer() map[string][]byte {
	layout := func(placeholder string) []byte {
		return slidePart("slideLayouts/slideLayout1", "slideLayout", "sldLayout",
			`<p:sp><p:nvPr>`+placeholder+`</p:nvPr><p:txBody><a:p><a:fld type="datetime1"><a:t>15/01/2026</a:t></a:fld></a:p></p:txBody></p:sp>`)
	}
	pictures := func(a, b string) []byte {
		return docx(`<mc:AlternateContent ` + nsShown + `><mc:Choice Requires="wps"><w:drawing><a:blip r:embed="` + a + `"/></w:drawing></mc:Choice><mc:Fallback><w:pict><v:imagedata r:id="` + b + `"/></w:pict></mc:Fallback></mc:AlternateContent>`)
	}
	section := func(display string) []byte {
		return odt(`<text:section text:name="s" text:condition="ooow:user_lastname EQ &quot;Rossi&quot;" text:display="` + display + `"><text:p>Penale</text:p></text:section>`)
	}
	styles := func(id string) []byte {
		return xlsx("", "", "xl/styles.xml", `<styleSheet `+nsX+`><cellXfs count="1"><xf numFmtId="`+id+`"/></cellXfs></styleSheet>`)
	}
	layer := func(state string) []byte {
		return pdfPage("/OCProperties << /OCGs [5 0 R] /D << /ON [5 0 R] >> >>", "/Resources << /Properties << /L 5 0 R >> >>",
			"<< /Type /OCG /Name (Clausole) /Usage << /View << /ViewState /"+state+" >> >> >>")
	}
	form := pdfPage("/AcroForm << /Fields [5 0 R] >>", "/Annots [5 0 R]", textField("", "6"), pdfStream("/Subtype /Form /BBox [0 0 9 9]", "0 0 m S"))
	filled := map[int]string{5: textField("cento", "7"), 7: pdfStream("/Subtype /Form /BBox [0 0 9 9]", "0 0 m 9 9 l S")}
	both := map[int]string{4: pdfStream("", "9 9 m S"), 5: filled[5], 7: filled[7]}
	object := `<draw:frame><draw:object xlink:href="./Object 1"/></draw:frame>`
	return map[string][]byte{
		"slide-dynamic/active-layout-date.pptx":       layout(""),
		"slide-dynamic/inert-layout-placeholder.pptx": layout(`<p:ph type="dt"/>`),
		"alt-content/active-two-pictures.docx":        pictures("r1", "r2"),
		"alt-content/inert-same-picture.docx":         pictures("r1", "r1"),
		"alt-content/active-two-styles.docx":          docx("", "word/_rels/document.xml.rels", rels("styles", "a.xml", "", "styles", "b.xml", "")),
		"alt-content/inert-two-headers.docx":          docx("", "word/_rels/document.xml.rels", rels("header", "a.xml", "", "header", "b.xml", "")),
		"odf/active-section-by-reader.odt":            section("condition"),
		"odf/inert-section.odt":                       section("true"),
		"odf/inert-formula.odt":                       odt(object, "Object 1/content.xml", `<math xmlns="`+nsMathML+`"><mi>x</mi></math>`),
		"sheet-condition/active-date-of-country.xlsx": styles("14"),
		"sheet-condition/inert-fixed-date.xlsx":       styles("15"),
		"pdf-layers/active-not-for-screen.pdf":        layer("OFF"),
		"pdf-layers/inert-for-screen.pdf":             layer("ON"),
		"pdf-revisions/active-filled-and-page.pdf":    pdfRevise(form, 8, both),
		"pdf-revisions/inert-filled.pdf":              pdfRevise(form, 8, filled),
		"text/active-two-names.json":                  []byte("{\"importo\": 100, \"importo\": 1000}\n"),
		"text/inert-names.json":                       []byte("{\"importo\": 100, \"Importo\": {\"importo\": 1000}}\n"),
		"text/active-postscript.txt":                  []byte("\n%!PS-Adobe-3.0\n(Contratto) show showpage\n"),
		"csv-formula/active-bar.csv":                  []byte("voce,prezzo\r\n+cmd|' /C calc'!A0,1\r\n"),
		"csv-formula/inert-bars.csv":                  []byte("voce|prezzo\r\n+nota|1\r\n"),
	}
}
