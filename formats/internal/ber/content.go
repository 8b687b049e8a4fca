package ber

import (
	"bufio"
	"io"
	"sort"

	"sigillo/formats/cms"
)

// Content is the value of an octet string, which may be in pieces (X.690 §8.7.3).
// Its readers read from the source's file, not through its window: they may be
// used while the source is.
type Content struct {
	Size int64
	src  *Source
	at   Element
	// first and whole: where it is if it is in one piece.
	first int64
	whole bool
	index []piece
}

// piece is a stretch of the file.
type piece struct{ content, file int64 }

// maxIndex bounds the pieces to which there is random access: sixteen octets each.
const maxIndex = 4 << 20

// Content measures an octet string, whatever its own tag is; limit bounds its size
// in octets.
func (e Element) Content(limit int64) (*Content, error) {
	c := &Content{src: e.src, at: e, whole: true}
	n := 0
	err := e.src.pieces(e, func(off, length int64) error {
		if n++; n == 1 {
			c.first = off
		}
		if c.Size += length; c.Size > limit {
			return fail(cms.Limit, "the content is larger than %d octets", limit)
		}
		return nil
	})
	c.whole = n <= 1
	return c, err
}

// Octets takes the value of an octet string into memory.
func (e Element) Octets() ([]byte, error) {
	var out []byte
	err := e.src.pieces(e, func(off, length int64) error {
		b, err := e.src.take(off, off+length)
		out = append(out, b...)
		return err
	})
	return out, err
}

// pieces calls visit for each primitive part of an octet string.
func (s *Source) pieces(e Element, visit func(off, length int64) error) error {
	w := walk{src: s, stack: []Element{e}, first: true}
	for {
		off, n, err := w.next()
		if err != nil || n < 0 {
			return err
		}
		if err := visit(off, n); err != nil {
			return err
		}
	}
}

// walk goes through the primitive parts of an octet string. The elements on its
// stack are constructed ones; Start of each is where it goes on.
type walk struct {
	src   *Source
	stack []Element
	first bool
}

// next gives the next part; n < 0 at the end.
func (w *walk) next() (off, n int64, err error) {
	if w.first {
		w.first = false
		if e := w.stack[0]; !e.Constructed {
			w.stack = nil
			return e.Start, e.End - e.Start, nil
		}
	}
	for len(w.stack) > 0 {
		top := &w.stack[len(w.stack)-1]
		if top.Start >= top.End {
			w.stack = w.stack[:len(w.stack)-1]
			continue
		}
		if top.depth <= 0 {
			return 0, 0, fail(cms.Limit, "elements are nested too deeply")
		}
		e, err := w.src.element(top.Start, top.End, top.depth-1)
		if err != nil {
			return 0, 0, err
		}
		if e.Tag != OctetTag {
			return 0, 0, fail(cms.Malformed, "the content is not an OCTET STRING")
		}
		top.Start = e.To
		if !e.Constructed {
			return e.Start, e.End - e.Start, nil
		}
		w.stack = append(w.stack, e)
	}
	return 0, -1, nil
}

// Reader gives the content from its start, each time anew.
func (c *Content) Reader() io.Reader {
	if c.whole {
		return io.NewSectionReader(c.src.r, c.first, c.Size)
	}
	src := New(c.src.r, c.src.size, Limits{Headers: 1 << 62, Depth: c.at.depth}) // it was measured: its pieces are known to end
	return bufio.NewReaderSize(&contentReader{walk: walk{src: src, stack: []Element{c.at}, first: true}}, 64<<10)
}

type contentReader struct {
	walk   walk
	off, n int64 // what is left of the current piece
	err    error
}

func (c *contentReader) Read(b []byte) (int, error) {
	for c.n == 0 && c.err == nil {
		if c.off, c.n, c.err = c.walk.next(); c.err == nil && c.n < 0 {
			c.n, c.err = 0, io.EOF
		}
	}
	if c.err != nil {
		return 0, c.err
	}
	b = b[:min(int64(len(b)), c.n)]
	if c.err = readFull(c.walk.src.r, b, c.off); c.err != nil {
		return 0, c.err
	}
	c.off, c.n = c.off+int64(len(b)), c.n-int64(len(b))
	return len(b), nil
}

// At gives random access to the content. Of one in pieces it makes a table first;
// there may be four million.
func (c *Content) At() (io.ReaderAt, error) {
	if c.whole {
		return io.NewSectionReader(c.src.r, c.first, c.Size), nil
	}
	if c.index == nil {
		var at int64
		err := c.src.pieces(c.at, func(off, n int64) error {
			if len(c.index) == maxIndex {
				return fail(cms.Limit, "the content is cut into more than %d pieces", maxIndex)
			}
			if n > 0 {
				c.index = append(c.index, piece{at, off})
			}
			at += n
			return nil
		})
		if err != nil {
			c.index = nil
			return nil, err
		}
	}
	return pieced{c}, nil
}

type pieced struct{ c *Content }

func (p pieced) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fail(cms.Failed, "a negative offset")
	}
	ix := p.c.index
	for k := sort.Search(len(ix), func(i int) bool { return ix[i].content > off }) - 1; n < len(b) && k >= 0 && k < len(ix); k++ {
		end := p.c.Size
		if k+1 < len(ix) {
			end = ix[k+1].content
		}
		part := b[n:]
		part = part[:max(0, min(int64(len(part)), end-off))]
		if err := readFull(p.c.src.r, part, ix[k].file+off-ix[k].content); err != nil {
			return n, err
		}
		n += len(part)
		off += int64(len(part))
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
