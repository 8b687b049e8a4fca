package vault

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLooked is how many files are looked at for their owners; a folder with more is taken
// to have one of another user.
const maxLooked = 20_000

// capabilities are those that the vault keeps: to lock memory, and, where root runs it on
// files that are not root's, to reach them. others is the first of those.
//
// Root needs no capability for its own files; without CAP_DAC_OVERRIDE it is held by the
// modes of those of others like anybody else.
func (v *server) capabilities() (keep []uint, others string) {
	keep = []uint{unix.CAP_IPC_LOCK}
	if os.Geteuid() != 0 {
		return keep, "" // it has no other
	}
	keepAll := append(keep, unix.CAP_DAC_OVERRIDE)
	if byPath, _ := v.chronyds(); byPath { // chronyd's folder is its own, and may be made later
		return keepAll, "chronyd's socket"
	}
	for _, path := range v.cfg.Files {
		if _, err := os.Stat(path); err != nil { // whose it will be is not known
			return keepAll, path
		}
	}
	own, read := v.files()
	left := maxLooked
	for _, path := range append(own, read...) {
		if other := strange(path, &left); other != "" {
			return keepAll, other
		}
	}
	return keep, ""
}

// strange finds what root cannot reach without a capability, in path or on the way to it:
// what belongs to another user and is not open to everybody. Each look takes one of left.
func strange(path string, left *int) (other string) {
	closed := func(path string, want fs.FileMode) bool {
		*left--
		st, err := os.Lstat(path)
		if err != nil {
			return false // what is not there is made, and is our own
		}
		owner, _ := st.Sys().(*syscall.Stat_t)
		return *left < 0 || owner != nil && owner.Uid != 0 && st.Mode()&fs.ModeSymlink == 0 && st.Mode().Perm()&want != want
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if closed(dir, 0o001) {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	_ = filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		want := fs.FileMode(0o006)
		if d != nil && d.IsDir() {
			want = 0o007
		}
		if err == nil && closed(path, want) {
			other = path
			return filepath.SkipAll
		}
		return nil
	})
	return other
}
