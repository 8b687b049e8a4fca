package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// disk is every system call by which the ledger changes something, so that tests
// can make each of them fail.
type disk interface {
	open(path string, flag int) (file, error)
	list(dir string) ([]string, error) // names, sorted
	rename(from, to string) error
	remove(path string) error
	syncDir(path string) error // makes the names in it durable
	stat(path string) (inode, error)
}

type file interface {
	io.ReaderAt
	io.WriterAt
	size() (int64, error)
	stat() (inode, error)
	where() string // how an operator gets at it, whatever its name is now
	truncate(size int64) error
	reserve(size int64) error // sets blocks aside without making the file longer
	sync() error              // fdatasync
	Close() error
}

// system is the real disk.
type system struct{}

type systemFile struct{ *os.File }

func (system) open(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return systemFile{f}, nil
}

func (system) list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}

func (system) rename(from, to string) error { return os.Rename(from, to) }
func (system) remove(path string) error     { return os.Remove(path) }

func (system) syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (f systemFile) size() (int64, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// inode says which file one is, under whatever name, and how long.
type inode struct {
	device, number uint64
	size           int64
}

func (i inode) same(o inode) bool { return i.device == o.device && i.number == o.number }

// stat does without os.Stat: it is asked for each batch, and this needs no memory.
func (system) stat(path string) (inode, error) {
	return inodeBy(func(st *unix.Stat_t) error { return unix.Stat(path, st) })
}

func (f systemFile) stat() (inode, error) {
	return inodeBy(func(st *unix.Stat_t) error { return unix.Fstat(int(f.Fd()), st) })
}

func inodeBy(call func(*unix.Stat_t) error) (inode, error) {
	var st unix.Stat_t
	for {
		if err := call(&st); !errors.Is(err, unix.EINTR) {
			return inode{uint64(st.Dev), st.Ino, st.Size}, err
		}
	}
}

func (f systemFile) where() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.Fd()) }

func (f systemFile) truncate(size int64) error { return f.Truncate(size) }

// reserve makes a full disk show itself when a segment is begun, where nothing is
// at stake, and not when a batch is synced, where nobody can say what happened.
func (f systemFile) reserve(size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return nil // a file system without it; the writes will tell
		default:
			return err
		}
	}
}

func (f systemFile) sync() error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// lock keeps other processes out of the ledger for as long as the file is open.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fail(Failed, err, "open the lock of %s", dir)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fail(Busy, nil, "another process holds %s; stop it, or open the ledger for reading only", dir)
	}
	return nil, fail(Failed, err, "lock %s", dir)
}

// unlock gives the lock back by name: a process that is being forked at this moment
// has the file too, and closing ours would leave the lock with it for a while.
func unlock(f *os.File) {
	_ = unix.Flock(int(f.Fd()), unix.LOCK_UN)
	_ = f.Close()
}

// kindOfDisk sorts what a system call said.
func kindOfDisk(err error) Kind {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return Full
	}
	return Failed
}
