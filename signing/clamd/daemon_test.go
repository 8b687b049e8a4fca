package clamd

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clamav starts the daemon with one signature, that of the given bytes.
func clamav(t *testing.T, signature string, more string) string {
	t.Helper()
	root, err := filepath.Abs("../../.interop/clamav")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(root, "usr/sbin/clamd")
	if _, err := os.Stat(program); err != nil {
		if program, err = exec.LookPath("clamd"); err != nil {
			t.Skip("clamd is missing: make interop unpacks it to .interop/clamav, and Debian's clamav-daemon has it")
		}
	}
	dir, err := os.MkdirTemp("", "clamd") // a short path, as sockets need
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for name, content := range map[string]string{
		"one.ndb":    "Sigillo.Test:0:*:" + hex.EncodeToString([]byte(signature)) + "\n",
		"clamd.conf": fmt.Sprintf("DatabaseDirectory %[1]s\nLocalSocket %[1]s/socket\nTemporaryDirectory %[1]s\nForeground yes\nAlertExceedsMax yes\n", dir) + more,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-c", filepath.Join(dir, "clamd.conf"))
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(root, "usr/lib/x86_64-linux-gnu"))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		ended <- nil
	})
	socket := filepath.Join(dir, "socket")
	for range 600 {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return socket
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("clamd ends with %v: %s", err, out.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatal("clamd does not listen")
	return ""
}

// The daemon itself: what it has the signature of it finds, what it has not it
// does not, and what is beyond its limits it has no opinion of.
func TestDaemon(t *testing.T) {
	t.Parallel()
	socket := clamav(t, "questo deve essere trovato", "StreamMaxLength 1M\n")
	c := Client{Socket: socket}
	for _, tc := range []struct {
		name, content string
		want          Result
		signature     string
	}{
		{"clean", "Il sottoscritto dichiara.\n", Clean, ""},
		{"found", "Il sottoscritto dichiara: questo deve essere trovato.\n", Found, "Sigillo.Test.UNOFFICIAL"},
		{"too large for it", strings.Repeat("x", 3<<20), NoAnswer, ""},
	} {
		got := c.Scan(t.Context(), file(t, []byte(tc.content)))
		if got.Result != tc.want || got.Signature != tc.signature || !strings.HasPrefix(got.Engine, "ClamAV ") {
			t.Errorf("%s: %+v", tc.name, got)
		}
	}
}
