package cms

import (
	"bufio"
	"crypto"
	"encoding/asn1"
	"io"

	"sigillo/formats/der"
)

// content is an OCTET STRING inside a message: where it starts and how much it
// holds. Its pieces are found again each time it is read.
type content struct {
	r     io.ReaderAt
	size  int64 // of the message
	at    frame // positioned on the OCTET STRING
	bytes int64 // of the content
	whole *span // where the content is if it is in one piece
}

// pieces walks the primitive parts of an OCTET STRING.
type pieces struct {
	stack []*frame
	left  int // pieces that may still come; negative: no limit
}

// next gives the next primitive piece; n < 0 at the end.
func (p *pieces) next() (off, n int64, err error) {
	for len(p.stack) > 0 {
		f := p.stack[len(p.stack)-1]
		more, err := f.more()
		if err != nil {
			return 0, 0, err
		}
		if !more {
			p.stack = p.stack[:len(p.stack)-1]
			if len(p.stack) > 0 {
				if err := p.stack[len(p.stack)-1].leave(f); err != nil {
					return 0, 0, err
				}
			}
			continue
		}
		h, err := f.header()
		if err != nil {
			return 0, 0, err
		}
		if !h.is(der.Octets) {
			return 0, 0, fail(Malformed, "the content is not an OCTET STRING")
		}
		if p.left == 0 {
			return 0, 0, fail(Limit, "the content is cut into too many pieces")
		}
		p.left--
		if h.constructed {
			in, err := f.enter(h)
			if err != nil {
				return 0, 0, err
			}
			p.stack = append(p.stack, in)
			continue
		}
		off = f.pos + int64(h.size)
		f.pos = off + h.length
		return off, h.length, nil
	}
	return 0, -1, nil
}

// measure walks the content that starts at f's position and moves f behind it.
func measure(f *frame, l Limits) (*content, error) {
	c := &content{r: f.src.r, size: f.src.size, at: *f}
	start := f.pos
	if err := f.skip(); err != nil {
		return nil, err
	}
	one := &frame{src: f.src, pos: start, end: f.pos, depth: f.depth}
	p := &pieces{stack: []*frame{one}, left: l.Pieces}
	count := 0
	for {
		off, n, err := p.next()
		if err != nil {
			return nil, err
		}
		if n < 0 {
			break
		}
		if count++; count == 1 {
			c.whole = &span{off, off + n}
		} else {
			c.whole = nil
		}
		if c.bytes += n; c.bytes > l.Content {
			return nil, fail(Limit, "the content is larger than %d bytes", l.Content)
		}
	}
	c.at.pos, c.at.end, c.at.indefinite = start, f.pos, false
	return c, nil
}

// reader gives the content from its start.
func (c *content) reader() io.Reader {
	f := c.at
	f.src = newSource(c.r, c.size, 0)
	return &contentReader{r: c.r, walk: pieces{stack: []*frame{&f}, left: -1}}
}

type contentReader struct {
	r      io.ReaderAt
	walk   pieces
	off, n int64 // what is left of the current piece
	err    error
}

func (c *contentReader) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	for c.n == 0 {
		if c.off, c.n, c.err = c.walk.next(); c.err != nil {
			return 0, c.err
		}
		if c.n < 0 {
			c.err = io.EOF
			return 0, c.err
		}
	}
	b = b[:min(int64(len(b)), c.n)]
	if c.err = readFull(c.r, b, c.off); c.err != nil {
		return 0, c.err
	}
	c.off, c.n = c.off+int64(len(b)), c.n-int64(len(b))
	return len(b), nil
}

// HasContent reports whether the content is inside the message; without it the
// signature is detached.
func (sd *SignedData) HasContent() bool { return sd.content != nil }

// ContentSize gives the size of the content in bytes, 0 when detached.
func (sd *SignedData) ContentSize() int64 {
	if sd.content == nil {
		return 0
	}
	return sd.content.bytes
}

// Content gives a new reader of the content, nil when the signature is detached.
// It reads from the io.ReaderAt that was given to [Parse].
func (sd *SignedData) Content() io.Reader {
	if sd.content == nil {
		return nil
	}
	return bufio.NewReaderSize(sd.content.reader(), int(min(sd.content.bytes, 64<<10)))
}

// ContentAt gives random access to the content, nil when the signature is detached
// or the content is cut into pieces, as BER allows; see [SignedData.Content] then.
func (sd *SignedData) ContentAt() io.ReaderAt {
	if sd.content == nil || sd.content.whole == nil {
		return nil
	}
	return io.NewSectionReader(sd.r, sd.content.whole.from, sd.content.bytes)
}

// InnerType gives the content type of the message that the content is itself, as
// in a .p7m inside a .p7m: OIDSignedData, or that of encrypted data and so on. It
// is nil if the content is something else.
func (sd *SignedData) InnerType() asn1.ObjectIdentifier {
	if sd.content == nil {
		return nil
	}
	start := make([]byte, min(sd.content.bytes, 64))
	if _, err := io.ReadFull(sd.content.reader(), start); err != nil {
		return nil
	}
	info, err := readHeader(start)
	if err != nil || !info.is(der.Sequence) || !info.constructed {
		return nil
	}
	e, rest, err := next(start[info.size:], 1)
	if err != nil || len(rest) < 2 || rest[0] != der.Context0Con {
		return nil
	}
	oid, err := readOID(e)
	if err != nil {
		return nil
	}
	return oid
}

// ContentDigest gives the function that [SignerInfo.Verify] asks for the digest
// of the encapsulated content. The content is read once for each digest
// algorithm.
func (sd *SignedData) ContentDigest() func(crypto.Hash) ([]byte, error) {
	known := map[crypto.Hash][]byte{}
	return func(h crypto.Hash) ([]byte, error) {
		if sum, ok := known[h]; ok {
			return sum, nil
		}
		if sd.content == nil {
			return nil, fail(Mismatch, "the signature is detached: the signed document is needed beside it")
		}
		if !h.Available() {
			return nil, fail(Unsupported, "digest algorithm %v is not available", h)
		}
		d := h.New()
		if _, err := io.Copy(d, sd.Content()); err != nil {
			return nil, err
		}
		known[h] = d.Sum(nil)
		return known[h], nil
	}
}
