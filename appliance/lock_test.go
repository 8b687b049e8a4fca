package appliance

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// One service has the folder, and when it ends the next can have it, also while a
// program that is just being started still has a copy of the lock's file.
func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(path); err == nil {
		t.Fatal("two services have the folder")
	}
	child, err := unix.Dup(int(first.Fd())) // what a fork makes
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(child)
	unlock(first)
	second, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	unlock(second)
}
