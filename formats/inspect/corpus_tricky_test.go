package inspect

// corpusTricky are contents that stand aside of where such things usually stand.
func corpusTricky() map[string][]byte {
	rule := func(s string) []byte {
		return xlsx(`<conditionalFormatting sqref="A1:A9">`+s+`</conditionalFormatting>`, "")
	}
	scale := func(kind, value string) []byte {
		return rule(`<cfRule type="colorScale" priority="1"><colorScale><cfvo type="min"/><cfvo type="` + kind + `" val="` + value + `"/></colorScale></cfRule>`)
	}
	vml := func(attribute string) []byte {
		return docx(`<w:p><w:r><w:pict><v:shape xmlns:v="urn:schemas-microsoft-com:vml"><v:imagedata ` + attribute + `/></v:shape></w:pict></w:r></w:p>`)
	}
	h := func(s string) []byte {
		return []byte("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Contratto</title>" + s + "</head><body><p>Contratto</p></body></html>\n")
	}
	over := func(instance int) []byte {
		return pptSpec{slide: record(15, instance, pptInteractive, record(0, 0, pptAction, string(words([]uint32{0, 0}))+"\x04\x00\x00\x00\x08\x00\x00\x00"))}.file()
	}
	return map[string][]byte{
		"word-field-changing/active-day-block.docx": docx(`<w:p><w:r><w:t>Roma, </w:t><w:dayLong/><w:t> </w:t><w:monthLong/><w:t> </w:t><w:yearLong/></w:r></w:p>`),
		"word-field-changing/inert-own-day.docx":    docx("", "customXml/item1.xml", `<data xmlns="urn:x"><dayLong/><yearLong/></data>`),
		"word-field-layout/active-page-block.docx":  docx(`<w:p><w:r><w:pgNum/></w:r></w:p>`),
		"formula-plain/active-data-table.xlsx":      xlsx(`<sheetData><row r="1"><c r="A1"><f t="dataTable" ref="A1:A3" dt2D="0" dtr="0" r1="B1"/><v>1</v></c></row></sheetData>`, ""),
		"workbook-data/active-stocks.xlsx":          richValues("_linkedentity2"),
		"workbook-data/inert-rich-error.xlsx":       richValues("_error"),
		"slide-dynamic/active-advance.pptx":         pptx(`><p:transition advTm="3000"/>`),
		"slide-dynamic/inert-transition.pptx":       pptx(`><p:transition spd="fast"/>`),
		"hidden/active-change.ods":                  odsChanges(`<table:cell-content-change table:id="c1"><table:previous><table:change-track-table-cell/></table:previous></table:cell-content-change>`),
		"hidden/inert-no-change.ods":                odsChanges(""),
		"html-script/active-reversed.html":          h(`<style>.a { direction: rtl; unicode-bidi: bidi-override }</style>`),
		"html-script/inert-hebrew.html":             h(`<style>.a { direction: rtl; unicode-bidi: embed }</style>`),
		"pdf-uri/active-indirect-kind.pdf":          pdfPage("", "/Annots [5 0 R]", "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S 6 0 R /D [3 0 R /Fit] /Next << /S 7 0 R /URI (https://example.org/) >> >> >>", "/GoTo", "/URI"),
		"sheet-condition/active-threshold.xlsx":     scale("formula", "TODAY()"),
		"sheet-condition/active-time-period.xlsx":   rule(`<cfRule type="timePeriod" timePeriod="yesterday" priority="1"/>`),
		"sheet-condition/inert-threshold.xlsx":      scale("num", "10"),
		"sheet-condition/inert-cell-threshold.xlsx": scale("formula", "$A$1"),
		"ooxml-external/active-vml.docx":            vml(`src="https://example.org/a.png"`),
		"ooxml-external/inert-vml.docx":             vml(`src="" title="https://example.org/a.png"`),
		"csv-formula/active-own-separator.csv":      []byte("sep=#\r\nvoce#prezzo\r\nuno#=NOW()\r\n"),
		"csv-formula/inert-own-separator.csv":       []byte("sep=#\r\nvoce#prezzo\r\nuno#a=NOW()\r\n"),
		"html-external/active-print-sheet.html":     h(`<style media="print">p { color: white }</style>`),
		"html-external/inert-any-medium.html":       h(`<style media="all">p { color: navy }</style>`),
		"html-external/inert-layout.html":           h(`<style>@page { size: 21cm 29.7cm; margin: 2cm } .transition { color: navy } p { display: flex; justify-content: center }</style>`),
		"slide-dynamic/active-mouse-over.pptx":      pptx(`xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><a:hlinkMouseOver r:id="r1"/>`),
		"slide-dynamic/inert-mouse-click.pptx":      pptx(`xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><a:hlinkClick r:id="r1"/>`),
		"slide-dynamic/active-mouse-over.ppt":       over(1),
		"slide-dynamic/inert-mouse-click.ppt":       over(0),
	}
}

// corpusForms are forms in text documents, and pictures that stand outside.
func corpusForms() map[string][]byte {
	form := func(data string) []byte {
		return docx(`<w:p><w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:name w:val="Data"/>` + data + `</w:ffData></w:fldChar></w:r><w:r><w:instrText>FORMTEXT</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>15/01/2026</w:t></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>`)
	}
	typed := func(kind string) []byte { return form(`<w:textInput><w:type w:val="` + kind + `"/></w:textInput>`) }
	rtf := func(s string) []byte { return []byte(`{\rtf1\ansi\ansicpg1252 Contratto\par ` + s + `}`) }
	rtfForm := func(data string) []byte {
		return rtf(`{\field{\*\fldinst FORMTEXT {\*\formfield{\fftype0` + data + `{\*\ffname Data}}}}{\fldrslt 15/01/2026}}`)
	}
	shape := func(flags string) []byte {
		return rtf(`{\shp{\*\shpinst{\sp{\sn pibName}{\sv https://example.org/a.png}}{\sp{\sn pibFlags}{\sv ` + flags + `}}}}`)
	}
	return map[string][]byte{
		"word-field-changing/active-form-date.docx":  typed("currentDate"),
		"word-field-changing/active-form-time.docx":  typed("currentTime"),
		"word-field-changing/inert-form-text.docx":   typed("regular"),
		"word-field-external/active-form-macro.docx": form(`<w:entryMacro w:val="Avvio"/>`),
		"word-field-external/inert-form-help.docx":   form(`<w:helpText w:val="entryMacro"/>`),
		"rtf-field/active-form-date.rtf":             rtfForm(`\fftypetxt3`),
		"rtf-field/active-form-macro.rtf":            rtfForm(`\fftypetxt0{\*\ffentrymcr Avvio}`),
		"rtf-field/inert-form-text.rtf":              rtfForm(`\fftypetxt0`),
		"rtf-object/active-linked-picture.rtf":       shape("10"),
		"rtf-object/inert-named-picture.rtf":         shape("2"),
	}
}

// richValues is a workbook with values of a structure of that type.
func richValues(kind string) []byte {
	return xlsx("", "", "xl/richData/rdrichvaluestructure.xml", `<rvStructures xmlns="http://schemas.microsoft.com/office/spreadsheetml/2017/richdata" count="1"><s t="`+kind+`"><k n="x" t="s"/></s></rvStructures>`)
}

func odsChanges(changes string) []byte {
	return zipOf("mimetype", "application/vnd.oasis.opendocument.spreadsheet",
		"content.xml", `<office:document-content `+nsODF+`><office:body><office:spreadsheet><table:tracked-changes>`+changes+`</table:tracked-changes><table:table table:name="Foglio1"/></office:spreadsheet></office:body></office:document-content>`,
		"META-INF/manifest.xml", `<manifest:manifest `+nsODF+`/>`)
}
