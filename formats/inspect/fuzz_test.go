package inspect

import (
	"bufio"
	"bytes"
	"testing"
)

// fuzz checks what holds for any bytes: a report that is one, and never a panic.
// A document that takes too long stops the fuzzing by itself.
func fuzz(f *testing.F, name string, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		rep, err := Inspect(bytes.NewReader(doc), int64(len(doc)), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := rep.Check(); err != nil {
			t.Fatalf("%v: %+v", err, rep)
		}
	})
}

func seedsOf(cases []ruleCase) (docs [][]byte) {
	for _, c := range cases {
		if len(c.doc) < 64<<10 {
			docs = append(docs, c.doc)
		}
	}
	return docs
}

func FuzzInspectPDF(f *testing.F) { fuzz(f, "x.pdf", seedsOf(pdfCases())...) }
func FuzzInspectZip(f *testing.F) { fuzz(f, "x.docx", seedsOf(zipCases())...) }
func FuzzInspectOffice(f *testing.F) {
	fuzz(f, "x.docx", docx(field("DATE")), xlsx(cell("NOW()"), ""), pptx(">"), odt(""))
}
func FuzzInspectCFB(f *testing.F) {
	fuzz(f, "x.doc", append(append(seedsOf(binaryCases()), seedsOf(docCases())...), seedsOf(pptCases())...)...)
}
func FuzzInspectXLS(f *testing.F) {
	fuzz(f, "x.xls", seedsOf(append(append(bookCases(), formulaCases()...), listCases()...))...)
}
func FuzzInspectRTF(f *testing.F)    { fuzz(f, "x.rtf", seedsOf(rtfCases())...) }
func FuzzInspectMarkup(f *testing.F) { fuzz(f, "x.html", seedsOf(markupCases())...) }
func FuzzInspectText(f *testing.F)   { fuzz(f, "x.csv", seedsOf(textCases())...) }
func FuzzInspectImage(f *testing.F)  { fuzz(f, "x.png", seedsOf(imageCases())...) }

func FuzzInspectMarkdown(f *testing.F) { fuzz(f, "x.md", seedsOf(textCases())...) }
func FuzzInspectEnvelope(f *testing.F) {
	fuzz(f, "x.p7m", []byte("\x30\x0f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x02\x30\x00"), []byte("-----BEGIN PKCS7-----\nMA8GCSqGSIb3DQEHAqACMAA=\n-----END PKCS7-----\n"))
}

// FuzzWordBinary and FuzzPPTRecords go straight to the records, past the
// compound file.
func FuzzWordBinary(f *testing.F) {
	for _, s := range []docSpec{
		{text: "a \x13 DATE \x14x\x15\r", types: []byte{0x1f}, chpx: sprms(0x083c, "\x01"), papx: sprms(0x2416, "\x01"), assoc: []string{"", "a.dot"}},
		{text: "a\r", wide: true, tables: map[int]string{fibDrawings: record(15, 0, 0xf000) + "\x00" + shape(0x106, 8, ""), fibCommands: "\xff\x01\x00\x00\x00\x00\x40"}},
	} {
		s.edit = func(main, table []byte) { f.Add(main, table) }
		s.file()
	}
	f.Fuzz(func(t *testing.T, main, table []byte) {
		d := &docScan{report: newReport(), main: main, table: table}
		if len(main) < 0x9a {
			return
		}
		_ = d.scan()
		if err := d.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzPPTRecords(f *testing.F) {
	pptSpec{slide: shape(0x106, 8, "") + record(15, 0, pptInteractive, record(0, 0, pptAction, string(make([]byte, 16)))),
		edit: func(stream, _ []byte) { f.Add(stream) }}.file()
	f.Fuzz(func(t *testing.T, stream []byte) {
		p := &pptScan{report: newReport(), r: bufio.NewReader(bytes.NewReader(stream)), objects: map[int64]uint16{}, persist: map[int64]bool{}}
		if err := p.walk(int64(len(stream))); err == nil && p.at != int64(len(stream)) {
			t.Fatal("the walk ended early")
		}
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzODFXML goes straight to the parts of an OpenDocument package.
func FuzzODFXML(f *testing.F) {
	f.Add(`<office:document-content ` + nsODF + `><text:date/><draw:image xlink:href="a"/><table:table-cell table:formula="of:=NOW()"/></office:document-content>`)
	f.Fuzz(func(t *testing.T, part string) {
		o := &odfScan{report: newReport(), a: &zipArchive{}, masters: map[string]bool{}}
		_ = o.xmlPart("content.xml", bytes.NewReader([]byte(part)))
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzWordXML goes straight to the part of a package, past the compression that
// a fuzzer does not see through.
func FuzzWordXML(f *testing.F) {
	f.Add(`<w:document ` + nsW + `>` + field("DA", "TE") + `</w:document>`)
	f.Add(`<worksheet ` + nsX + `>` + cell("NOW()") + `</worksheet>`)
	f.Fuzz(func(t *testing.T, part string) {
		rep := newReport()
		o := &ooxmlScan{report: rep}
		_ = o.xmlPart("word/document.xml", bytes.NewReader([]byte(part)))
		if err := rep.Check(); err != nil {
			t.Fatal(err)
		}
	})
}
