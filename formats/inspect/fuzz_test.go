package inspect

import (
	"bytes"
	"testing"
	"time"
)

// fuzz checks what holds for any bytes: a report that is one, in bounded time,
// the same each time, and never a panic.
func fuzz(f *testing.F, name string, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		began := time.Now()
		rep, err := Inspect(bytes.NewReader(doc), int64(len(doc)), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := rep.Check(); err != nil {
			t.Fatalf("%v: %+v", err, rep)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("took %v", took)
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
	fuzz(f, "x.xls", seedsOf(append(bookCases(), formulaCases()...))...)
}
func FuzzInspectRTF(f *testing.F)    { fuzz(f, "x.rtf", seedsOf(rtfCases())...) }
func FuzzInspectMarkup(f *testing.F) { fuzz(f, "x.html", seedsOf(markupCases())...) }
func FuzzInspectText(f *testing.F)   { fuzz(f, "x.csv", seedsOf(textCases())...) }
func FuzzInspectImage(f *testing.F)  { fuzz(f, "x.png", seedsOf(imageCases())...) }

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
