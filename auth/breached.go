package auth

import (
	"bytes"
	"crypto/sha1" // the form such lists are published in
	"encoding/hex"
	"errors"
	"io"
	"os"
)

const (
	hexSize = 2 * sha1.Size
	// maxListLine is the most bytes of a line: the hash, a colon, a count.
	maxListLine = 80
)

// Breached is a list of passwords that were published after a theft, in a file in the
// form of Have I Been Pwned: lines of SHA-1 in hexadecimal, sorted, each with or
// without a colon and a count behind it. It is searched on the disk, about forty short
// reads for the whole of it, and may be used by many goroutines at once.
type Breached struct {
	r     io.ReaderAt
	size  int64
	close func() error
}

// OpenBreached opens the list at path. It looks at the first lines only; that it is
// sorted is for who made it.
func OpenBreached(path string) (*Breached, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the list of breached passwords cannot be opened", Err: err}
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	var b *Breached
	if err == nil {
		b, err = NewBreached(f, st.Size())
	}
	if err != nil {
		f.Close()
		return nil, &Error{Kind: Failed, Msg: "the list of breached passwords cannot be used; it must have lines of SHA-1 in hexadecimal, sorted", Err: err}
	}
	b.close = f.Close
	return b, nil
}

// NewBreached is [OpenBreached] for size bytes that are read from r.
func NewBreached(r io.ReaderAt, size int64) (*Breached, error) {
	b := &Breached{r: r, size: size}
	if size == 0 {
		return b, nil
	}
	first, next, err := b.line(0)
	if err == nil && next < size {
		var second [hexSize]byte
		if second, _, err = b.line(next); err == nil && bytes.Compare(first[:], second[:]) > 0 {
			err = errors.New("the first two lines are not in order")
		}
	}
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the list of breached passwords cannot be read", Err: err}
	}
	return b, nil
}

// Close closes the file.
func (b *Breached) Close() error {
	if b == nil || b.close == nil {
		return nil
	}
	return b.close()
}

// Contains reports whether the password is on the list. A nil list has none.
func (b *Breached) Contains(password []byte) (bool, error) {
	if b == nil {
		return false, nil
	}
	sum := sha1.Sum(password)
	defer clear(sum[:])
	var want [hexSize]byte
	hex.Encode(want[:], sum[:])
	defer clear(want[:])
	// The line sought, if there is one, begins at lo or later and before hi. Both are
	// beginnings of lines.
	lo, hi := int64(0), b.size
	for lo < hi {
		at, err := b.begin(lo, lo+(hi-lo)/2)
		if err != nil {
			return false, err
		}
		got, next, err := b.line(at)
		if err != nil {
			return false, err
		}
		switch bytes.Compare(got[:], want[:]) {
		case 0:
			return true, nil
		case -1:
			lo = next
		default:
			hi = at
		}
	}
	return false, nil
}

// begin returns where the line begins that the byte before or at i belongs to; it is
// not before lo.
func (b *Breached) begin(lo, i int64) (int64, error) {
	from := max(lo, i-maxListLine)
	buf := make([]byte, i-from)
	if err := b.read(buf, from); err != nil {
		return 0, err
	}
	if n := bytes.LastIndexByte(buf, '\n'); n >= 0 {
		return from + int64(n) + 1, nil
	}
	if from > lo {
		return 0, &Error{Kind: Failed, Msg: "the list of breached passwords has a line that is too long"}
	}
	return lo, nil
}

// line reads the hash, in small letters, of the line that begins at i, and where the
// next one begins.
func (b *Breached) line(i int64) (sum [hexSize]byte, next int64, err error) {
	buf := make([]byte, min(maxListLine, b.size-i))
	if err := b.read(buf, i); err != nil {
		return sum, 0, err
	}
	next = i + int64(len(buf))
	if n := bytes.IndexByte(buf, '\n'); n >= 0 {
		buf, next = buf[:n], i+int64(n)+1
	} else if len(buf) == maxListLine {
		return sum, 0, &Error{Kind: Failed, Msg: "the list of breached passwords has a line that is too long"}
	}
	buf = bytes.ToLower(bytes.TrimSuffix(buf, []byte("\r")))
	digits, _, _ := bytes.Cut(buf, []byte(":"))
	var raw [sha1.Size]byte
	if _, err := hex.Decode(raw[:], digits[:min(len(digits), hexSize)]); err != nil || len(digits) != hexSize {
		return sum, 0, &Error{Kind: Failed, Msg: "the list of breached passwords has a line that does not begin with a SHA-1 in hexadecimal"}
	}
	return [hexSize]byte(digits), next, nil
}

func (b *Breached) read(buf []byte, at int64) error {
	if n, err := b.r.ReadAt(buf, at); n < len(buf) {
		return &Error{Kind: Failed, Msg: "the list of breached passwords cannot be read", Err: err}
	}
	return nil
}
