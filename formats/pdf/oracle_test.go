package pdf

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
)

// pdfcpu, the second opinion, runs in a process of its own: it can die of a stack overflow, which nothing recovers from.
const (
	pdfcpuFile     = "SIGILLO_TEST_PDFCPU_FILE"
	pdfcpuPassword = "SIGILLO_TEST_PDFCPU_PASSWORD"
)

func TestMain(m *testing.M) {
	path := os.Getenv(pdfcpuFile)
	if path == "" {
		os.Exit(m.Run())
	}
	api.DisableConfigDir()
	conf := model.NewDefaultConfiguration()
	conf.UserPW = os.Getenv(pdfcpuPassword)
	conf.OwnerPW = conf.UserPW
	ctx, err := api.ReadContextFile(path)
	if conf.UserPW != "" {
		var f *os.File
		if f, err = os.Open(path); err == nil {
			ctx, err = api.ReadContext(f, conf)
		}
	}
	if err == nil {
		err = ctx.EnsurePageCount()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(ctx.PageCount)
	os.Exit(0)
}

// askPDFCPU returns how many pages pdfcpu finds.
func askPDFCPU(t testing.TB, data []byte, password string) (pages int, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ask.pdf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), pdfcpuFile+"="+path, pdfcpuPassword+"="+password)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	_, err = fmt.Sscan(string(out), &pages)
	return pages, err
}
