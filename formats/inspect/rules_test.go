package inspect

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ruleCase is a document that a rule must find, and one that is as close to it
// as can be without meriting it.
type ruleCase struct {
	rule string
	name string
	doc  []byte
	near []byte // nil where no near miss makes sense
}

func allCases(t *testing.T) []ruleCase {
	t.Helper()
	var all []ruleCase
	for _, cases := range [][]ruleCase{generalCases(), pdfCases(), zipCases(), wordCases(), sheetCases(), slideCases(),
		odfCases(), binaryCases(), docCases(), formulaCases(), bookCases(), pptCases(), rtfCases(), markupCases(), textCases(), signedCells(), dataPictureCases(),
		hiddenCases(), imageCases(), webpCases(), mailCases(), listCases(), xlsbCases(), pictureCases(), sheetTextCases(), officeXMLCases(),
		envelopeCases(t), viewerCases(), brokenFormulaCases()} {
		all = append(all, cases...)
	}
	return all
}

func look(t *testing.T, name string, doc []byte) Report {
	t.Helper()
	rep, err := Inspect(bytes.NewReader(doc), int64(len(doc)), name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if err := rep.Check(); err != nil {
		t.Fatalf("%s: %v\n%+v", name, err, rep)
	}
	return rep
}

func has(rep Report, rule string) bool {
	for _, f := range rep.Findings {
		if f.Rule == rule {
			return true
		}
	}
	return false
}

func TestRules(t *testing.T) {
	t.Parallel()
	for _, c := range allCases(t) {
		rep := look(t, c.name, c.doc)
		if !has(rep, c.rule) {
			t.Errorf("%s in %s is not found: %+v\n%.300q", c.rule, c.name, rep.Findings, c.doc)
		}
		if rep.Verdict.weight() < Standard().Severity(c.rule).weight() {
			t.Errorf("%s: verdict %s", c.rule, rep.Verdict)
		}
		if c.near == nil {
			continue
		}
		if rep := look(t, c.name, c.near); has(rep, c.rule) {
			t.Errorf("%s in the near miss of %s: %+v\n%.300q", c.rule, c.name, rep.Findings, c.near)
		}
	}
}

// Every rule of the table is exercised; the few that need a file of a size or
// kind built elsewhere are named.
func TestEveryRuleHasACase(t *testing.T) {
	t.Parallel()
	elsewhere := map[string]string{
		"inspect.failed": "TestReadFailure", "inspect.elsewhere": "TestElsewhere", "size": "TestSize", "pdf.limit": "TestPDFLimit",
		"pdf.encrypted": "TestSampleDocuments", "virus": "TestInfected",
	}
	tested := map[string]bool{}
	for _, c := range allCases(t) {
		if _, ok := ruleByID[c.rule]; !ok {
			t.Errorf("case for rule %q, which does not exist", c.rule)
		}
		tested[c.rule] = true
	}
	for _, r := range Rules() {
		if !tested[r.ID] && elsewhere[r.ID] == "" {
			t.Errorf("rule %s has no case", r.ID)
		}
	}
}

// What another program found refuses the document, however much we found ourselves,
// and leaves the report one that can be checked.
func TestInfected(t *testing.T) {
	t.Parallel()
	full := newReport()
	for _, r := range Rules() {
		for range maxFindingsPerRule {
			full.add(r.ID, "", "")
		}
	}
	for _, before := range []Report{look(t, "a.txt", []byte("testo\n")), *full.Report} {
		n := len(before.Findings)
		rep := before.Infected("Eicar-Test-Signature\n" + strings.Repeat("x", 2*maxQuote))
		if err := rep.Check(); err != nil || rep.Verdict != Refuse || !has(rep, "virus") || len(before.Findings) != n {
			t.Errorf("%+v, %v", rep, err)
		}
	}
}

// The table speaks both languages, in one sentence, and scanners only name
// rules that it has.
func TestTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range Rules() {
		if seen[r.ID] || r.Text.It == r.Text.En || !strings.HasSuffix(r.Text.It, ".") || !strings.HasSuffix(r.Text.En, ".") {
			t.Errorf("rule %+v", r)
		}
		seen[r.ID] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`\b(?:add|note)\("([a-z0-9.-]+)"|: +"([a-z0-9]+\.[a-z.-]+)"[,}]`)
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllSubmatch(src, -1) {
			if id := string(m[1]) + string(m[2]); !seen[id] {
				t.Errorf("%s names rule %q, which the table does not have", f, id)
			}
		}
	}
}

func generalCases() []ruleCase {
	text := []byte("Il sottoscritto dichiara.\n")
	return []ruleCase{
		{"empty", "vuoto.pdf", []byte{}, pdfPage("", "")},
		{"format.unknown", "x.dat", []byte("\x00\x01\x02\x03"), text},
		{"format.container", "x.zip", zipOf("a.txt", "ciao"), docx("")},
		{"name.mismatch", "x.pdf", text, pdfPage("", "")},
		{"name.mismatch", "x.txt", []byte("<html><body>ciao</body></html>"), []byte("ciao <html>")},
		{"name.mismatch", "x.docx", xlsx("", ""), docx("")},
		{"format.polyglot", "x.png", join(pngOf(1, 1), zipOf("a", "b")), pngOf(1, 1)},
		{"format.polyglot", "x.pdf", join(pdfPage("", ""), zipOf("a", "b")), pdfPage("", "")},
		{"format.polyglot", "x.rtf", []byte(`{\rtf1 %PDF-1.7 ciao}`), []byte(`{\rtf1 ` + strings.Repeat(" ", 1100) + `%PDF-1.7 ciao}`)},
		{"link", "x.html", []byte(`<html><a href="https://example.it/">x</a></html>`), []byte(`<html><a href="#x">x</a></html>`)},
		{"link.scheme", "x.html", []byte(`<html><a href="file:///etc/passwd">x</a></html>`), []byte(`<html><a href="mailto:a@b.it">x</a></html>`)},
	}
}

func zipCases() []ruleCase {
	good := docx("")
	duplicate := zipOf("[Content_Types].xml", contentTypes("word/document.xml", typePrefix+"wordprocessingml.document.main+xml"),
		"word/document.xml", "<a/>", "Word/Document.xml", "<a/>")
	encrypted := bytes.Clone(good)
	for i := range encrypted { // the flag in every header
		if bytes.HasPrefix(encrypted[i:], []byte("PK\x03\x04")) {
			encrypted[i+6] |= 1
		} else if bytes.HasPrefix(encrypted[i:], []byte("PK\x01\x02")) {
			encrypted[i+8] |= 1
		}
	}
	zeros := strings.Repeat("\x00", zipRatioFrom+1)
	return []ruleCase{
		{"zip.malformed", "x.docx", good[:len(good)-10], good},
		{"zip.layout", "x.docx", join([]byte("PK\x03\x04 something first "), good), good},
		{"zip.layout", "x.docx", withComment(good, "ciao"), good},
		{"zip.names", "x.docx", duplicate, good},
		{"zip.names", "x.docx", docx("", "word/../x.xml", "<a/>"), docx("", "word/..x.xml", "<a/>")},
		{"zip.bomb", "x.docx", docx("", "word/media/a.png", zeros), docx("", "word/media/a.png", zeros[:1000])},
		{"zip.encrypted", "x.docx", encrypted, good},
		{"zip.nested", "x.docx", docx("", "word/media/a.png", string(good)), docx("", "word/media/a.png", string(pngOf(1, 1)))},
		{"zip.nested", "x.odt", odt("", "Pictures/a.png", "%PDF-1.7"), odt("", "Pictures/a.png", string(pngOf(1, 1)))},
	}
}

// withComment gives a ZIP an archive comment.
func withComment(z []byte, comment string) []byte {
	z = bytes.Clone(z)
	z[len(z)-2] = byte(len(comment))
	return append(z, comment...)
}

// What a finding quotes shows what would mislead, and is the same when quoted again.
func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" a \n\t b ":          "a b",
		"cod\u202ece":         "cod[U+202E]ce",
		"\x1b[2J":             "[U+001B][2J",
		"a\xffb":              "a\ufffdb",
		"0123456789012345678": "012345678901234…",
		"0123456789\u202e":    "0123456789…",
		"\u2028\u00a0":        "",
	} {
		got := clean(in, 16)
		if got != want || clean(got, 16) != got {
			t.Errorf("%q: %q, want %q; again %q", in, got, want, clean(got, 16))
		}
	}
}
