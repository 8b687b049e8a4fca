package cms

import (
	"errors"
	"io"
)

// source reads BER headers from an io.ReaderAt through a small window, so that
// walking over the pieces of a large content costs one read per few kilobytes
// and no memory.
type source struct {
	r      io.ReaderAt
	size   int64
	budget int64 // octets that may still be taken into memory
	window [4096]byte
	at     int64
	have   int
}

func newSource(r io.ReaderAt, size, budget int64) *source {
	return &source{r: r, size: size, budget: budget}
}

// peek gives up to n ≤ maxHeader octets at off; fewer only at the end.
func (s *source) peek(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), s.size-off))
	if off < s.at || off+int64(n) > s.at+int64(s.have) {
		want := min(int64(len(s.window)), s.size-off)
		if err := readFull(s.r, s.window[:want], off); err != nil {
			return nil, err
		}
		s.at, s.have = off, int(want)
	}
	return s.window[off-s.at:][:n], nil
}

// readFull fills b from off; the size was promised, so a short read is an error.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return wrap(Failed, err, "reading the message")
}

// frame is one constructed element being walked: the contents between pos and
// end, or up to end-of-contents octets before end.
type frame struct {
	src        *source
	pos, end   int64
	indefinite bool
	depth      int // levels that may still be entered
}

// header reads the header at the current position and checks that the element
// fits.
func (f *frame) header() (header, error) {
	b, err := f.src.peek(f.pos, int(min(maxHeader, f.end-f.pos)))
	if err != nil {
		return header{}, err
	}
	h, err := readHeader(b)
	if err != nil {
		return h, err
	}
	if h.length > f.end-f.pos-int64(h.size) {
		return h, fail(Malformed, "the data ends inside an element")
	}
	return h, nil
}

// more reports whether another element follows in the frame.
func (f *frame) more() (bool, error) {
	if !f.indefinite {
		return f.pos < f.end, nil
	}
	h, err := f.header()
	if err != nil {
		return false, err
	}
	return !h.endOfContents(), nil
}

// enter gives the frame of the contents of the element h at the current position.
func (f *frame) enter(h header) (*frame, error) {
	if f.depth <= 0 {
		return nil, fail(Limit, "elements are nested too deeply")
	}
	in := &frame{src: f.src, pos: f.pos + int64(h.size), end: f.end, depth: f.depth - 1}
	if h.length < 0 {
		in.indefinite = true
	} else {
		in.end = in.pos + h.length
	}
	return in, nil
}

// open enters the element at the current position, which must have this tag.
func (f *frame) open(tag byte, what string) (*frame, error) {
	h, err := f.header()
	if err != nil {
		return nil, err
	}
	if !h.is(tag) || !h.constructed {
		return nil, fail(Malformed, "%s was expected", what)
	}
	return f.enter(h)
}

// leave ends the walk of in and moves f behind it.
func (f *frame) leave(in *frame) error {
	more, err := in.more()
	if err != nil {
		return err
	}
	if more {
		return fail(Malformed, "an element has more members than it may have")
	}
	f.pos = in.pos
	if in.indefinite {
		f.pos += 2
	}
	return nil
}

// skip moves over the element at the current position.
func (f *frame) skip() error {
	h, err := f.header()
	if err != nil {
		return err
	}
	if h.length >= 0 {
		f.pos += int64(h.size) + h.length
		return nil
	}
	in, err := f.enter(h)
	if err != nil {
		return err
	}
	for {
		more, err := in.more()
		if err != nil {
			return err
		}
		if !more {
			return f.leave(in)
		}
		if err := in.skip(); err != nil {
			return err
		}
	}
}

// take reads the element at the current position into memory.
func (f *frame) take() (element, error) {
	start := f.pos
	if err := f.skip(); err != nil {
		return element{}, err
	}
	n := f.pos - start
	if f.src.budget -= n; f.src.budget < 0 {
		return element{}, fail(Limit, "certificates, revocation data and signatures are larger than allowed")
	}
	b := make([]byte, n)
	if err := readFull(f.src.r, b, start); err != nil {
		return element{}, err
	}
	e, _, err := next(b, f.depth)
	return e, err
}
