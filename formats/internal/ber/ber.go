// Package ber reads BER elements (X.690 §8) where they stand, in a file of any
// size, and makes DER of small ones.
//
// Time-stamped data and evidence records come from other programs, which write
// indefinite lengths and cut octet strings into pieces. A [Source] walks over an
// [io.ReaderAt] through a small window; nothing is taken into memory but what is
// asked for, up to a budget, and the headers that are looked at are counted, so
// that no input costs more time than its limits say.
package ber

import (
	"errors"
	"fmt"
	"io"

	"sigillo/formats/cms"
)

// Tags as they are written, without the bit that says constructed.
const (
	Boolean    = 0x01
	Integer    = 0x02
	OctetTag   = 0x04
	OID        = 0x06
	UTF8       = 0x0c
	IA5        = 0x16
	Sequence   = 0x10
	Set        = 0x11
	Context0   = 0x80
	Context1   = 0x81
	Context2   = 0x82
	endOfConts = 0x00
)

// Error is the error of this package, of the kinds Malformed, Limit and Failed of
// package cms.
type Error struct {
	Kind cms.Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Msg + ": " + e.Err.Error()
	}
	return e.Msg
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf gives the Kind of an error of this package, and "" for any other.
func KindOf(err error) cms.Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

func fail(k cms.Kind, format string, a ...any) error {
	return &Error{Kind: k, Msg: fmt.Sprintf(format, a...)}
}

// Limits bound what reading may cost.
type Limits struct {
	Headers int   // elements that are looked at, also again
	Memory  int64 // octets that are taken into memory
	Depth   int   // levels of nesting of elements with indefinite lengths
}

// Source is what is read. It is for one goroutine at a time.
type Source struct {
	r      io.ReaderAt
	size   int64
	left   Limits
	window [4096]byte
	at     int64
	have   int
}

// New makes a source of r, which has size octets and stays readable.
func New(r io.ReaderAt, size int64, l Limits) *Source { return &Source{r: r, size: size, left: l} }

// Element is one element: where it stands and what kind it is.
type Element struct {
	Tag         byte // class and number; 0x1f in the low bits for numbers above 30
	Constructed bool
	From, To    int64 // all of it
	Start, End  int64 // its contents, without end-of-contents octets

	src   *Source
	depth int
}

// Is reports the tag.
func (e Element) Is(tag byte) bool { return e.Tag == tag }

// Root gives the one element that the source holds; whatever follows it is
// refused.
func (s *Source) Root() (Element, error) {
	e, err := s.element(0, s.size, s.left.Depth)
	if err == nil && e.To != s.size {
		return e, fail(cms.Malformed, "%d octets follow the end of the data", s.size-e.To)
	}
	return e, err
}

type header struct {
	tag         byte
	constructed bool
	size        int
	length      int64 // -1: indefinite
}

const maxHeader = 16

// header reads the header at pos; the element must end before end.
func (s *Source) header(pos, end int64) (h header, err error) {
	if s.left.Headers--; s.left.Headers < 0 {
		return h, fail(cms.Limit, "the data have too many elements")
	}
	b, err := s.peek(pos, int(min(maxHeader, end-pos)))
	if err != nil {
		return h, err
	}
	cut := fail(cms.Malformed, "the data end inside an element")
	if len(b) < 2 {
		return h, cut
	}
	h.tag, h.constructed, h.size = b[0]&^0x20, b[0]&0x20 != 0, 1
	for h.tag&0x1f == 0x1f && h.size < len(b) && h.size < 6 {
		if h.size++; b[h.size-1]&0x80 == 0 {
			break
		}
	}
	if h.size >= len(b) {
		return h, cut
	}
	n := int(b[h.size] & 0x7f)
	long := b[h.size]&0x80 != 0
	h.size++
	switch {
	case !long:
		h.length = int64(n)
	case n == 0 && !h.constructed:
		return h, fail(cms.Malformed, "a primitive element has an indefinite length")
	case n == 0:
		h.length = -1
		return h, nil
	case n > 8 || h.size+n > len(b):
		return h, fail(cms.Malformed, "an element has a length that is cut off or too large")
	}
	if long {
		for _, c := range b[h.size : h.size+n] {
			h.length = h.length<<8 | int64(c)
		}
		h.size += n
	}
	if h.length < 0 || h.length > end-pos-int64(h.size) {
		return h, cut
	}
	return h, nil
}

// peek gives up to n octets at off; fewer only at the end.
func (s *Source) peek(off int64, n int) ([]byte, error) {
	if off < s.at || off+int64(n) > s.at+int64(s.have) {
		want := min(int64(len(s.window)), s.size-off)
		if err := readFull(s.r, s.window[:want], off); err != nil {
			return nil, err
		}
		s.at, s.have = off, int(want)
	}
	return s.window[off-s.at:][:n], nil
}

// readFull fills b from off: the size was promised, so a short read is an error.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &Error{cms.Failed, "the data cannot be read", err}
}

// element reads the element at pos and finds its end.
func (s *Source) element(pos, end int64, depth int) (Element, error) {
	h, err := s.header(pos, end)
	if err != nil {
		return Element{}, err
	}
	e := Element{Tag: h.tag, Constructed: h.constructed, From: pos, Start: pos + int64(h.size), src: s, depth: depth}
	if h.length >= 0 {
		e.End = e.Start + h.length
		e.To = e.End
		return e, nil
	}
	if depth <= 0 {
		return e, fail(cms.Limit, "elements are nested too deeply")
	}
	for at := e.Start; ; {
		in, err := s.element(at, end, depth-1)
		if err != nil {
			return e, err
		}
		if in.Tag == endOfConts {
			if in.Constructed || in.To-in.From != 2 {
				return e, fail(cms.Malformed, "the end-of-contents octets are not 00 00")
			}
			e.End, e.To = at, in.To
			return e, nil
		}
		at = in.To
	}
}

// Children gives the elements inside of a constructed one, at most limit.
func (e Element) Children(limit int) (out []Element, err error) {
	if !e.Constructed {
		return nil, fail(cms.Malformed, "a constructed element was expected")
	}
	if e.depth <= 0 {
		return nil, fail(cms.Limit, "elements are nested too deeply")
	}
	for at := e.Start; at < e.End; {
		if len(out) == limit {
			return nil, fail(cms.Limit, "an element has more than %d members", limit)
		}
		in, err := e.src.element(at, e.End, e.depth-1)
		if err != nil {
			return nil, err
		}
		if in.Tag == endOfConts {
			return nil, fail(cms.Malformed, "end-of-contents octets stand where an element was expected")
		}
		out, at = append(out, in), in.To
	}
	return out, nil
}

// Bytes takes the whole element into memory.
func (e Element) Bytes() ([]byte, error) { return e.src.take(e.From, e.To) }

// Value takes the contents of a primitive element into memory.
func (e Element) Value() ([]byte, error) {
	if e.Constructed {
		return nil, fail(cms.Malformed, "a primitive element was expected")
	}
	return e.src.take(e.Start, e.End)
}

func (s *Source) take(from, to int64) ([]byte, error) {
	n := to - from
	if s.left.Memory -= n; s.left.Memory < 0 {
		return nil, fail(cms.Limit, "the data around the content are larger than allowed")
	}
	b := make([]byte, n)
	return b, readFull(s.r, b, from)
}
