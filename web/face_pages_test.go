package web

import (
	"strings"
	"testing"

	"sigillo/formats/inspect"
	"sigillo/signing"
)

// Findings of one rule are read once, with their places, and what refuses the
// document before what does not.
func TestFindingsByKind(t *testing.T) {
	t.Parallel()
	find := func(rule string, severity inspect.Verdict, where string) inspect.Finding {
		return inspect.Finding{Rule: rule, Severity: severity, Where: where}
	}
	var got []string
	for _, kind := range (view{}).Kinds([]inspect.Finding{find("p7m.signed", inspect.Allow, "a"), find("pdf.font", inspect.Confirm, "b"),
		find("view.differs", inspect.Refuse, "c"), find("pdf.font", inspect.Confirm, "d"), find("pdf.form", inspect.Confirm, "e")}) {
		line := kind[0].Rule
		for _, f := range kind {
			line += " " + f.Where
		}
		got = append(got, line)
	}
	if s := strings.Join(got, ", "); s != "view.differs c, pdf.font b d, pdf.form e, p7m.signed a" {
		t.Error(s)
	}

	w := build(t)
	b := w.browser().signIn("111111")
	b.upload(formFile{"macro.docx", "x"})
	w.rooms.documents[0].Report.Findings = append(w.rooms.documents[0].Report.Findings, find("docx.fields", inspect.Confirm, "word/footer1.xml"))
	if page := b.get("/documents/d-1").body; strings.Count(page, "A DATE field shows") != 1 ||
		!strings.Contains(page, "Where: word/document.xml · Content: <code>DATE") || !strings.Contains(page, "Where: word/footer1.xml</p>") {
		t.Error(page)
	}
}

// A document that is not here can't have the archive time-stamp, alone or among
// others: it is not on offer. Nor has it a size.
func TestOrderForDigest(t *testing.T) {
	t.Parallel()
	w := build(t)
	b := w.browser().signIn("111111")
	b.upload(formFile{"a.pdf", "x"})
	if _, err := w.rooms.Declare(t.Context(), testHolder, signing.Declaration{Name: "b.pdf", SHA256: strings.Repeat("ab", 32), InspectedBy: "Protocollo"}); err != nil {
		t.Fatal(err)
	}
	for path, highest := range map[string]string{"/documents/d-1": "B-LTA", "/documents/d-2": "B-LT", "/together?document=d-1&document=d-2": "B-LT"} {
		page := b.get(path).body
		for _, level := range []string{"B-LT", "B-LTA"} {
			if offered := strings.Contains(page, `value="`+level+`"`); offered != (level == highest) {
				t.Errorf("%s offers %s: %t", path, level, offered)
			}
		}
		if path == "/documents/d-2" && strings.Contains(page, "0 B") {
			t.Error("a digest has a size")
		}
	}
}
