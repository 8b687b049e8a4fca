package pades

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"sigillo/formats/pdf"
)

// appendix is what is appended to a document, with a place kept free for the message in the /Contents of a signature
// dictionary, or for a time-stamp token.
type appendix struct {
	// Size and Check are those of the document before. Check is its CRC-32C: it tells that another document was given by
	// mistake, at a tenth of what a digest costs. One that was made to have the same gets an invalid signature.
	Size  int64  `json:"size"`
	Check uint32 `json:"check"`
	// Tail is what comes after it; the hexadecimal digits of /Contents are zeros still.
	Tail []byte `json:"tail"`
	// Contents is where these digits begin in Tail, Room how many bytes they hold.
	Contents int `json:"contents"`
	Room     int `json:"room"`
}

// rangeRoom is the space kept for /ByteRange: the brackets and four numbers of up to 19 digits.
const rangeRoom = 64

// gap is where in the file the two values come to stand that depend on all the rest. They are told when a revision is encoded.
type gap struct {
	room            int
	ranges, content int64
}

// fill puts both into a signature dictionary.
func (g *gap) fill(d pdf.Dict) pdf.Dict {
	contents := bytes.Repeat([]byte{'0'}, 2*g.room+2)
	contents[0], contents[len(contents)-1] = '<', '>'
	d["ByteRange"] = pdf.Verbatim{Text: bytes.Repeat([]byte{' '}, rangeRoom), Offset: &g.ranges}
	d["Contents"] = pdf.Verbatim{Text: contents, Offset: &g.content}
	return d
}

// newAppendix writes /ByteRange, which leaves out the digits and their brackets (ISO 32000-1 §12.8.1). tail is all that comes after
// the document's size bytes.
func newAppendix(size int64, tail []byte, g *gap) (appendix, error) {
	a := appendix{Size: size, Tail: tail, Contents: int(g.content-size) + 1, Room: g.room}
	end := g.content + 2*int64(g.room) + 2
	ranges := fmt.Sprintf("[0 %d %d %d", g.content, end, size+int64(len(tail))-end)
	if len(ranges) >= rangeRoom {
		return a, failure(Limit, "the document is too large")
	}
	at := tail[g.ranges-size:][:rangeRoom]
	copy(at, ranges)
	at[rangeRoom-1] = ']'
	return a, nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum reads the document once and gives the digest of the two ranges.
func (a *appendix) sum(doc io.ReaderAt, alg crypto.Hash) ([]byte, error) {
	h, check := alg.New(), crc32.New(castagnoli)
	// The digest is slower than the memory, and leaves in the cache what the checksum then takes at its full speed.
	if err := stream(io.MultiWriter(h, check), doc, a.Size); err != nil {
		return nil, err
	}
	a.Check = check.Sum32()
	h.Write(a.Tail[:a.Contents-1])
	h.Write(a.Tail[a.Contents+2*a.Room+1:])
	return h.Sum(nil), nil
}

// whole tells whether a was made by this package, as far as it can be seen.
func (a *appendix) whole() bool {
	return a.Room > 0 && a.Contents > 0 && a.Room < len(a.Tail) && a.Contents+2*a.Room < len(a.Tail)
}

// assemble writes the document and the tail with the message in its place. The digits that are left over stay zeros, as
// ISO 32000-1 §12.8.3.3.1 has it.
func (a *appendix) assemble(w io.Writer, doc io.ReaderAt, size int64, message []byte) error {
	if len(message) > a.Room {
		return failure(BadSignature, "the signature has %d bytes, and only %d were reserved", len(message), a.Room)
	}
	if size != a.Size {
		return failure(Changed, "the document has %d bytes and had %d when it was prepared", size, a.Size)
	}
	check := crc32.New(castagnoli)
	if err := stream(io.MultiWriter(check, w), doc, size); err != nil {
		return err
	}
	if check.Sum32() != a.Check {
		return failure(Changed, "the document has changed since it was prepared")
	}
	digits := make([]byte, 2*len(message))
	hex.Encode(digits, message)
	for _, part := range [][]byte{a.Tail[:a.Contents], digits, a.Tail[a.Contents+len(digits):]} {
		if _, err := w.Write(part); err != nil {
			return &Error{Kind: Failed, Msg: "the document cannot be written", Err: err}
		}
	}
	return nil
}

// buffers are for copying: as large as what the processor has nearest, for each piece is looked at twice.
var buffers = sync.Pool{New: func() any { return new([pieceSize]byte) }}

const pieceSize = 32 << 10

// reader gives n bytes from an offset on: a document in memory as it is, which writes itself, any other in pieces.
func reader(r io.ReaderAt, off, n int64) io.Reader {
	if b, ok := r.(*bytes.Reader); ok && n > 0 && off+n == b.Size() {
		rest := *b
		if _, err := rest.Seek(off, io.SeekStart); err == nil {
			return &rest
		}
	}
	return io.NewSectionReader(r, off, n)
}

// pieces passes on what is written in pieces.
type pieces struct{ w io.Writer }

func (p pieces) Write(b []byte) (int, error) {
	for at := 0; at < len(b); at += pieceSize {
		if n, err := p.w.Write(b[at:min(at+pieceSize, len(b))]); err != nil {
			return at + n, err
		}
	}
	return len(b), nil
}

// copyRange copies n bytes of r from the offset off to w in pieces.
func copyRange(w io.Writer, r io.ReaderAt, off, n int64) error {
	buffer := buffers.Get().(*[pieceSize]byte)
	defer buffers.Put(buffer)
	done, err := io.CopyBuffer(pieces{w}, reader(r, off, n), buffer[:])
	if err != nil {
		return &Error{Kind: Failed, Msg: "the document cannot be copied", Err: err}
	}
	if done != n {
		return failure(Changed, "the document is shorter than the %d bytes it should have", off+n)
	}
	return nil
}

// stream copies the document to w.
func stream(w io.Writer, doc io.ReaderAt, size int64) error { return copyRange(w, doc, 0, size) }
