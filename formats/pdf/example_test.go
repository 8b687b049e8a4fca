package pdf_test

import (
	"bytes"
	"fmt"
	"os"

	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

// A new revision is appended; the old one stays readable.
func ExampleUpdate() {
	doc := pdftest.Table(pdftest.Minimal().With(pdftest.Objects{4: "(draft)"}), "")
	f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
	if err != nil {
		panic(err)
	}
	u, err := pdf.NewUpdate(f)
	if err != nil {
		panic(err)
	}
	u.Set(pdf.Ref{Num: 4}, pdf.String("final"))
	tail, err := u.Bytes()
	if err != nil {
		panic(err)
	}
	doc = append(doc, tail...)
	if f, err = pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{}); err != nil {
		panic(err)
	}
	for i := range f.Revisions() {
		old, err := f.At(i)
		if err != nil {
			panic(err)
		}
		o, err := old.Get(pdf.Ref{Num: 4})
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", o)
	}
	// Output:
	// draft
	// final
}

func ExampleOpenWith() {
	doc, err := os.ReadFile("../../testdata/documents/cifrato.pdf")
	if err != nil {
		panic(err)
	}
	for _, password := range []string{"", "lettore", "proprietario"} {
		f, err := pdf.OpenWith(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{}, password)
		if err != nil {
			fmt.Println(pdf.KindOf(err))
			continue
		}
		n, err := f.PageCount()
		fmt.Println(n, err)
	}
	// Output:
	// Encrypted
	// 3 <nil>
	// 3 <nil>
}
