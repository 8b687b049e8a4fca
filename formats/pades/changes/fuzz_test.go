package changes_test

import (
	"bytes"
	"testing"

	"sigillo/formats/pades/changes"
	"sigillo/formats/pdf"
	"sigillo/formats/pdf/pdftest"
)

// FuzzAnalyse compares hostile revisions: whatever they are, there is an answer.
func FuzzAnalyse(f *testing.F) {
	for _, c := range cases {
		f.Add(appended(f, pdftest.Table(signedForm, ""), c.later))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		file, err := pdf.Open(bytes.NewReader(doc), int64(len(doc)), pdf.Limits{})
		if err != nil {
			return
		}
		list, err := changes.Analyse(file, 0)
		if err != nil && pdf.KindOf(err) == "" {
			t.Fatalf("an error of no kind: %v", err)
		}
		for _, c := range list {
			_ = c.String()
		}
	})
}
