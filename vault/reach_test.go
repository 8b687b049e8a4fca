package vault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStrange: root needs a capability for what is another's and closed, or lies behind
// such a folder, and for nothing else.
func TestStrange(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("missing the right to give files away: run as root")
	}
	make := func(owner int, mode os.FileMode) string {
		dir := t.TempDir()
		file := filepath.Join(dir, "state", "file")
		if err := os.Mkdir(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(file, owner, owner); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		return filepath.Dir(file)
	}
	look := func(path string) string { left := 100; return strange(path, &left) }
	for what, c := range map[string]struct {
		owner int
		mode  os.FileMode
		other bool
	}{"root's own": {0, 0o600, false}, "root's, read only": {0, 0o400, false}, "open to all": {65534, 0o666, false}, "another's": {65534, 0o600, true}, "another's, to read": {65534, 0o644, true}} {
		dir := make(c.owner, c.mode)
		if got := look(dir); (got != "") != c.other || c.other && !strings.HasSuffix(got, "file") {
			t.Errorf("%s: %q", what, got)
		}
		if got := look(filepath.Join(dir, "nothing")); got != "" {
			t.Errorf("%s, what is not there: %q", what, got)
		}
	}
	dir := make(0, 0o600)
	if err := os.Chown(filepath.Dir(dir), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := look(filepath.Join(dir, "file")); got != filepath.Dir(dir) {
		t.Errorf("behind another's folder: %q", got)
	}
	left := 1
	if strange(make(0, 0o600), &left) == "" {
		t.Error("it looks at more than it may")
	}
}
