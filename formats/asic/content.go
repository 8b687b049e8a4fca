package asic

import (
	"io"
	"sync"

	"sigillo/formats/cms"
)

// readerAt gives an entry as the ReaderAt that packages of signatures ask for. A
// stored entry is read in place; a packed one is unpacked as far as it is read, and
// again from the start when reading goes back, which streams never do.
func (e *entry) readerAt() io.ReaderAt {
	if e.method == stored {
		return io.NewSectionReader(e.r, e.data, e.size)
	}
	return &unpacked{e: e}
}

type unpacked struct {
	mu  sync.Mutex
	e   *entry
	r   io.Reader
	pos int64
}

// ReadAt reads unpacked octets.
func (u *unpacked) ReadAt(b []byte, off int64) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if off < 0 {
		return 0, fail(cms.BadOptions, "an offset cannot be negative")
	}
	if off >= u.e.size {
		return 0, io.EOF
	}
	if u.r == nil || off < u.pos {
		u.r, u.pos = u.e.open(), 0
	}
	if _, err := io.CopyN(io.Discard, u.r, off-u.pos); err != nil {
		u.r = nil
		return 0, err
	}
	n, err := io.ReadFull(u.r, b)
	u.pos = off + int64(n)
	if err == nil && u.pos == u.e.size {
		// The last octet was read, but not the end of the packed data and the
		// checksum: other programs may find more there, or refuse the entry.
		if _, end := io.ReadFull(u.r, make([]byte, 1)); end != io.EOF {
			err = end
		}
	}
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	if err != nil {
		u.r = nil
	}
	return n, err
}
