package vault

import (
	"golang.org/x/sys/unix"
)

// locked is memory outside of Go's heap for what must leave no trace: what was decrypted of
// a handwritten signature or a profile. It is never swapped out, as far as the limit of the
// process allows, and no core image has it.
type locked struct {
	b   []byte
	all []byte
}

// newLocked returns n bytes. The caller releases them.
func newLocked(n int) (*locked, error) {
	page := unix.Getpagesize()
	all, err := unix.Mmap(-1, 0, (max(n, 1)+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, &Error{Kind: Busy, Msg: "no memory is left; try again", Err: err, RetryAfter: shortestRetry}
	}
	// Both are best effort: what the process may not lock is said in its status.
	_ = unix.Mlock(all)
	_ = unix.Madvise(all, unix.MADV_DONTDUMP)
	return &locked{b: all[:n:n], all: all}, nil
}

// release wipes and gives back the memory. Nothing may refer to it any more.
func (l *locked) release() {
	if l == nil || l.all == nil {
		return
	}
	clear(l.all)
	if err := unix.Munmap(l.all); err != nil {
		panic(err) // it was not what newLocked made
	}
	l.all, l.b = nil, nil
}
