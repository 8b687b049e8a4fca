package pdf

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const documents = "../../testdata/documents/"

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// run runs a program in a directory of its own.
func run(t testing.TB, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// TestProducers reads what programs people use write, updates it and reads it again.
func TestProducers(t *testing.T) {
	t.Parallel()
	contract, err := filepath.Abs(documents + "contratto.pdf")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, program, pkg string
		args               []string
		pages              int
	}{
		{"plain", "cp", "coreutils", []string{contract, "out.pdf"}, 3},
		{"object streams", "qpdf", "qpdf", []string{"--object-streams=generate", contract, "out.pdf"}, 3},
		{"linearized", "qpdf", "qpdf", []string{"--linearize", contract, "out.pdf"}, 3},
		{"linearized with streams", "qpdf", "qpdf", []string{"--linearize", "--object-streams=generate", contract, "out.pdf"}, 3},
		{"qdf", "qpdf", "qpdf", []string{"--qdf", contract, "out.pdf"}, 3},
		{"version 2.0", "qpdf", "qpdf", []string{"--force-version=2.0", contract, "out.pdf"}, 3},
		{"cairo", "pdftocairo", "poppler-utils", []string{"-pdf", contract, "out.pdf"}, 3},
		{"poppler", "pdfseparate", "poppler-utils", []string{"-f", "2", "-l", "2", contract, "out.pdf"}, 1},
		{"chromium", "chromium", "chromium", []string{"--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=profile", "--print-to-pdf=out.pdf",
			"data:text/html,<h1>Faro</h1><a href='https://faro.example'>link</a>"}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			run(t, dir, tool(t, test.program, test.pkg), test.args...)
			data := readFile(t, filepath.Join(dir, "out.pdf"))
			f := openFile(t, data)
			if err := readAll(f); err != nil {
				t.Fatal(err)
			}
			if n, _ := f.PageCount(); n != test.pages || len(f.Revisions()) != 1 {
				t.Errorf("%d pages, %d revisions; want %d and 1", n, len(f.Revisions()), test.pages)
			}
			u, err := NewUpdate(f)
			if err != nil {
				t.Fatal(err)
			}
			u.Add(String("new"))
			tail, err := u.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			data = append(data, tail...)
			f = openFile(t, data)
			if err := readAll(f); err != nil || len(f.Revisions()) != 2 {
				t.Errorf("after an update: %v, %d revisions", err, len(f.Revisions()))
			}
			old, err := f.At(0)
			if err != nil {
				t.Fatal(err)
			}
			if err := readAll(old); err != nil {
				t.Error(err)
			}
			qpdfCheck(t, tool(t, "qpdf", "qpdf"), data)
		})
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]Kind{
		"contratto.pdf": "", "contratto-javascript.pdf": "", "troncato.pdf": Truncated, "lettera.docx": NotPDF, "cifrato.pdf": Encrypted,
	} {
		data := readFile(t, documents+name)
		f, err := Open(bytes.NewReader(data), int64(len(data)), Limits{})
		if err == nil {
			err = readAll(f)
		}
		if KindOf(err) != kind {
			t.Errorf("%s: %v, want %q", name, err, kind)
		}
	}
	data := readFile(t, documents+"contratto-javascript.pdf")
	catalog, err := openFile(t, data).Catalog()
	if err != nil {
		t.Fatal(err)
	}
	if action, _ := catalog["OpenAction"].(Dict); action["S"] != Name("JavaScript") {
		t.Errorf("the hidden action is %v", catalog["OpenAction"])
	}
}

// TestOtherLibrarySamples reads the sample files of a PDF library in the module cache. What qpdf reads without a warning
// must be read here too; what qpdf warns of may be refused.
func TestOtherLibrarySamples(t *testing.T) {
	t.Parallel()
	qpdf := tool(t, "qpdf", "qpdf")
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/pdfcpu/pdfcpu").Output()
	dir := filepath.Join(strings.TrimSpace(string(out)), "pkg", "testdata")
	files, _ := filepath.Glob(filepath.Join(dir, "*.pdf"))
	if err != nil || len(files) == 0 {
		t.Skip("the sources of github.com/pdfcpu/pdfcpu are not in the module cache")
	}
	read := 0
	for _, path := range files {
		data := readFile(t, path)
		if len(data) > 4<<20 {
			continue
		}
		f, err := Open(bytes.NewReader(data), int64(len(data)), Limits{})
		if err == nil {
			err = readAll(f)
		}
		switch {
		case err == nil:
			read++
		case KindOf(err) == Encrypted:
		case exec.Command(qpdf, "--check", path).Run() == nil:
			t.Errorf("%s: %v, and qpdf finds no fault", filepath.Base(path), err)
		}
	}
	if read < len(files)*9/10 {
		t.Errorf("only %d of %d files were read", read, len(files))
	}
}
