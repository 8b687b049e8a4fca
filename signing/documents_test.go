package signing

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"sigillo/formats/inspect"
	"sigillo/formats/view"
	"sigillo/store"
)

// longDocuments stores n documents of as many pages as may be shown.
func longDocuments(t testing.TB, s *Service, n int) {
	t.Helper()
	images := make([]string, view.MaxPages)
	for i := range images {
		images[i] = strings.Repeat("0123456789abcdef", 4)
	}
	account, err := json.Marshal(view.Account{Renderer: "LibreOffice 7, poppler 22", Second: "mupdf 1", DPI: 144, Images: images})
	if err != nil {
		t.Fatal(err)
	}
	report, err := json.Marshal(inspect.Report{Format: "pdf", Verdict: inspect.Allow, Findings: []inspect.Finding{}, Ruleset: "r"})
	if err != nil {
		t.Fatal(err)
	}
	err = s.cfg.DB.Write(t.Context(), func(tx *store.Tx) error {
		for range n {
			d := store.Document{ID: newID(), Holder: "h", Format: "pdf", Path: "x", Report: report, Verdict: "allow",
				Pages: len(images), State: "inspected", Created: time.Now(), Account: account}
			if err := tx.PutDocument(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A list says of each document what is said of it alone.
func TestDocuments(t *testing.T) {
	t.Parallel()
	s := room(t, &painter{pages: 2, version: "1.0"})
	longDocuments(t, s, 2)
	now := time.Now() // each a second later, so that the order is known
	s.cfg.Now = func() time.Time { now = now.Add(time.Second); return now }
	put(t, s, "a.pdf", "document")
	put(t, s, "a.docx", "a macro")
	docs, err := s.Documents(t.Context(), "h")
	if err != nil || len(docs) != 4 || !docs[0].Convertible || docs[1].Renderer != "painter 1.0" || docs[2].Second != "mupdf 1" {
		t.Fatalf("%+v, %v", docs, err)
	}
	for _, d := range docs {
		if alone, err := s.Document(t.Context(), "h", d.ID); err != nil || !reflect.DeepEqual(alone, d) {
			t.Errorf("in the list %+v, alone %+v, %v", d, alone, err)
		}
	}
}

// What a list costs does not hang on how many pages the documents have: a hundred of
// the longest had accounts of 33 MB.
func BenchmarkDocuments(b *testing.B) {
	s := room(b, &painter{})
	longDocuments(b, s, 100)
	b.ReportAllocs()
	for b.Loop() {
		docs, err := s.Documents(b.Context(), "h")
		if err != nil || len(docs) != 100 || docs[99].Second != "mupdf 1" {
			b.Fatal(len(docs), err)
		}
	}
}
