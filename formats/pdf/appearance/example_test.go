package appearance_test

import (
	"bytes"
	"fmt"

	"sigillo/formats/pdf"
	"sigillo/formats/pdf/appearance"
	"sigillo/formats/pdf/pdftest"
)

// A visible signature of two lines, in a frame, ready to be named by the widget of a signature field.
func ExampleAppearance_Add() {
	doc := pdftest.Table(pdftest.Minimal(), "")
	f, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
	if err != nil {
		panic(err)
	}
	u, err := pdf.NewUpdate(f)
	if err != nil {
		panic(err)
	}
	form, err := appearance.Appearance{
		Width: 180, Height: 40, Border: 0.5,
		Text: "Firmato da Nicolò Rossi\nperché d’accordo",
	}.Add(u)
	if err != nil {
		panic(err)
	}
	u.Add(pdf.Dict{"Subtype": pdf.Name("Widget"), "AP": pdf.Dict{"N": form}})

	_, err = appearance.Appearance{Width: 40, Height: 10, Text: "troppo testo per quest’area"}.Add(u)
	fmt.Println(appearance.KindOf(err))
	// Output: DoesNotFit
}
