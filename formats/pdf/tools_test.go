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
	cmd.Env = append(os.Environ(), "QT_QPA_PLATFORM=offscreen")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// updateTwice reads everything in a file, updates it twice, and asks qpdf about the result.
func updateTwice(t testing.TB, data []byte) error {
	t.Helper()
	var revisions int
	for i := range 2 {
		f, err := Open(bytes.NewReader(data), int64(len(data)), Limits{})
		if err == nil {
			err = readAll(f)
		}
		if err != nil {
			return err
		}
		if n := len(f.Revisions()); i > 0 && n != revisions+1 {
			t.Errorf("%d revisions after an update of %d", n, revisions)
		}
		revisions = len(f.Revisions())
		for i := range revisions {
			old, err := f.At(i)
			if err == nil {
				err = readAll(old)
			}
			if err != nil {
				return err
			}
		}
		u, err := NewUpdate(f)
		if err != nil {
			return err
		}
		catalog, err := f.Catalog()
		if err != nil {
			return err
		}
		catalog = catalog.Clone()
		catalog["SigilloTest"] = Array{String("new"), u.Add(&NewStream{Data: []byte("new")})}
		u.Set(f.Root(), catalog)
		tail, err := u.Bytes()
		if err != nil {
			return err
		}
		data = append(bytes.Clone(data), tail...)
	}
	f := openFile(t, data)
	if err := readAll(f); err != nil {
		return err
	}
	if qpdf, err := exec.LookPath("qpdf"); err == nil {
		qpdfCheck(t, qpdf, data)
	}
	return nil
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
