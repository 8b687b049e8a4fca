package hsmtest

import (
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

//go:embed slow/slow.c
var slowC []byte

// Slow builds a module that has SoftHSM do its work, one thing at a time, and takes
// its time. set says how: the microseconds for each call, and after them "hold" for
// C_DeriveKey not to come back, or "gone" for a token that was removed. It is for
// another process, which is given env: in this one it would share SoftHSM with the
// other tests. The test is skipped on a machine without gcc.
func Slow(t testing.TB) (module string, env []string, set func(string)) {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("missing the Debian package gcc")
	}
	dir := t.TempDir()
	source, says := filepath.Join(dir, "slow.c"), filepath.Join(dir, "says")
	module = filepath.Join(dir, "slow.so")
	if err := os.WriteFile(source, slowC, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(gcc, "-O", "-Wall", "-shared", "-fPIC", "-o", module, source, "-ldl", "-lpthread").CombinedOutput(); err != nil {
		t.Fatalf("build the slow module: %v: %s", err, out)
	}
	set = func(s string) {
		t.Helper()
		if err := os.WriteFile(says+".new", []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(says+".new", says); err != nil {
			t.Fatal(err)
		}
	}
	set("0")
	behind := Module
	if m := os.Getenv("SOFTHSM2_MODULE"); m != "" {
		behind = m
	}
	return module, []string{"SIGILLO_SLOW=" + says, "SIGILLO_SLOW_MODULE=" + behind}, set
}
