package pades_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"sigillo/formats/pades"
)

// pdfcpu runs in a process of its own: it can die of a stack overflow, which nothing recovers from.
const pdfcpuFile = "SIGILLO_TEST_PDFCPU_FILE"

func TestMain(m *testing.M) {
	path := os.Getenv(pdfcpuFile)
	if path == "" {
		os.Exit(m.Run())
	}
	api.DisableConfigDir()
	conf := model.NewDefaultConfiguration()
	conf.ValidationMode = model.ValidationRelaxed // strict refuses dates as LibreOffice writes them
	if err := api.ValidateFile(path, conf); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// checkTools asks pdfsig for n valid signatures, with the same opinion as ours of which covers everything, and qpdf and pdfcpu for a
// well-formed file. pdfsig does not verify document time-stamps. A tool that is not installed is not asked; TestToolsAreHere names it.
func checkTools(t *testing.T, doc []byte, n, stamps int) {
	t.Helper()
	path := checkWellFormed(t, doc)
	if _, err := exec.LookPath("pdfsig"); err == nil {
		cmd := exec.Command("pdfsig", "-nocert", path)
		cmd.Env = append(os.Environ(), "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		text := string(out)
		valid, total := strings.Count(text, "Signature Validation: Signature is Valid."), strings.Count(text, "  - Total document signed")
		whole := 0
		for _, s := range signatures(t, doc) {
			if s.Covers == pades.WholeFile {
				whole++
			}
		}
		if err != nil || valid != n || total != whole || strings.Count(text, "Signature Type: ETSI.CAdES.detached") != n || strings.Count(text, "Signature Type: unknown") != stamps {
			t.Errorf("pdfsig: %v\n%s", err, text)
		}
	}
}

// checkWellFormed asks qpdf and pdfcpu, and gives the file's path.
func checkWellFormed(t *testing.T, doc []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signed.pdf")
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("qpdf"); err == nil {
		if out, err := exec.Command("qpdf", "--check", path).CombinedOutput(); err != nil {
			t.Errorf("qpdf: %v\n%s", err, out)
		}
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), pdfcpuFile+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("pdfcpu: %v\n%s", err, out)
	}
	return path
}

func TestToolsAreHere(t *testing.T) {
	t.Parallel()
	for name, pkg := range map[string]string{"pdfsig": "poppler-utils", "qpdf": "qpdf"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("%s is not installed (Debian package %s): signatures were not checked with it", name, pkg)
			}
		})
	}
}
