package inspect

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Numbers of the records of an Excel workbook that decide what is done next
// ([MS-XLS] §2.3); those that are judged one by one are named in bookRecords.
const (
	biffEOF          = 0x000a
	biffFilePass     = 0x002f
	biffContinue     = 0x003c
	biffDrawingGroup = 0x00eb
	biffDrawing      = 0x00ec
	biffBOF          = 0x0809
	biffFrtWrapper   = 0x0851
)

// biffInert are the records of [MS-XLS] §2.3 that only hold values, formats,
// layout, caches and settings: what they show is in them. Conditions within a
// number format compare the stored value, so they belong here as well, and so
// does a WebPub, which writes a web page on saving and shows nothing.
//
// A type that is neither here nor in bookRecords is refused: what a record that
// nobody has described does to the sheet is not known.
var biffInert = func() (inert [0x1069]bool) {
	for _, span := range [][2]uint16{
		{0x0c, 0x13}, {0x19, 0x1b}, {0x1d, 0x1d}, {0x22, 0x22}, {0x26, 0x2b}, {0x31, 0x31}, {0x33, 0x33}, {0x3d, 0x3d},
		{0x40, 0x42}, {0x4d, 0x4d}, {0x50, 0x50}, {0x59, 0x5c}, {0x5e, 0x60}, {0x63, 0x63}, {0x7f, 0x80},
		{0x82, 0x84}, {0x86, 0x86}, {0x8c, 0x8d}, {0x90, 0x90}, {0x92, 0x92}, {0x9a, 0x9e}, {0xa0, 0xa1}, {0xa9, 0xa9},
		{0xab, 0xab}, {0xb0, 0xb2}, {0xb4, 0xb6}, {0xb8, 0xb9}, {0xbd, 0xbe}, {0xc1, 0xc1}, {0xc5, 0xc5}, {0xc7, 0xd2},
		{0xd5, 0xd7}, {0xda, 0xda}, {0xdd, 0xdf}, {0xe1, 0xe2}, {0xe5, 0xe5}, {0xe9, 0xea}, {0xed, 0xed}, {0xef, 0xf2}, {0xf4, 0xf8},
		{0xfb, 0xfb}, {0xfd, 0xfd}, {0xff, 0x100}, {0x103, 0x103}, {0x122, 0x122}, {0x13d, 0x13d}, {0x15f, 0x160}, {0x1a5, 0x1a5},
		{0x1a9, 0x1ab}, {0x1af, 0x1b0}, {0x1b2, 0x1b2}, {0x1ba, 0x1bd}, {0x1c0, 0x1c2}, {0x200, 0x201}, {0x203, 0x203}, {0x205, 0x205},
		{0x20b, 0x20b}, {0x23e, 0x23e}, {0x27e, 0x27e}, {0x293, 0x293}, {0x800, 0x801},
		{0x804, 0x804}, {0x80b, 0x812}, {0x850, 0x850}, {0x852, 0x85a}, {0x862, 0x863}, {0x865, 0x865}, {0x867, 0x868},
		{0x86a, 0x86d}, {0x871, 0x871}, {0x874, 0x875}, {0x877, 0x877}, {0x879, 0x879}, {0x87c, 0x87f}, {0x884, 0x890},
		{0x892, 0x89b}, {0x89d, 0x8a7}, {0x8c8, 0x8c8},
		// Charts
		{0x1001, 0x1003}, {0x1006, 0x1007}, {0x1009, 0x100d}, {0x1014, 0x1022}, {0x1024, 0x1027}, {0x1032, 0x1035},
		{0x103a, 0x103a}, {0x103c, 0x1041}, {0x1043, 0x1046}, {0x1048, 0x1048}, {0x104a, 0x104b}, {0x104e, 0x1050},
		{0x105b, 0x105d}, {0x105f, 0x1065}, {0x1067, 0x1068},
	} {
		for kind := span[0]; kind <= span[1]; kind++ {
			inert[kind] = true
		}
	}
	return
}()

// inertRecord reports whether a record is one of biffInert.
func inertRecord(kind uint16) bool { return int(kind) < len(biffInert) && biffInert[kind] }

// A biffRecord is one record with those that continue it.
type biffRecord struct {
	kind  uint16
	at    int64 // where in the stream its header is
	body  []byte
	first int // length of the body before the first continuation
}

var (
	errShort   = errors.New("a record ends too early")
	errTooLong = errors.New("a record is too long")
)

// biffReader cuts a stream into records ([MS-XLS] §2.1.4).
type biffReader struct {
	r     *bufio.Reader
	at    int64
	inert []byte // the body of the last inert record: nobody keeps it
}

// next reads a record. Its continuations are appended where keep wants the
// record whole, else skipped; drawings are handed to art piece by piece, since
// they hold the pictures. io.EOF is returned at the end of the stream.
func (b *biffReader) next(keep func(kind uint16) bool, pieces func(kind uint16, piece []byte)) (biffRecord, error) {
	rec := biffRecord{at: b.at}
	kind, body, err := b.one()
	if err != nil {
		return rec, err
	}
	rec.kind, rec.body, rec.first = kind, body, len(body)
	long := kind == biffDrawing || kind == biffDrawingGroup || kind == biffSST
	if long {
		pieces(kind, body)
	}
	for kind != biffBOF && kind != biffEOF {
		head, err := b.r.Peek(4)
		if err != nil || binary.LittleEndian.Uint16(head) != biffContinue {
			return rec, nil
		}
		_, more, err := b.one()
		switch {
		case err != nil:
			return rec, err
		case long:
			pieces(kind, more)
		case !keep(kind):
		case len(rec.body)+len(more) > maxBIFFRecord:
			return rec, errTooLong
		default:
			rec.body = append(rec.body, more...)
		}
	}
	return rec, nil
}

func (b *biffReader) one() (kind uint16, body []byte, err error) {
	head, err := b.r.Peek(4)
	switch {
	case errors.Is(err, io.EOF) && len(head) > 0:
		return 0, nil, errShort
	case err != nil:
		return 0, nil, err
	}
	kind = binary.LittleEndian.Uint16(head)
	n := int(binary.LittleEndian.Uint16(head[2:]))
	b.r.Discard(4) // as many are there
	if inertRecord(kind) {
		b.inert = slices.Grow(b.inert[:0], n)
		body = b.inert[:n]
	} else {
		body = make([]byte, n)
	}
	if _, err := io.ReadFull(b.r, body); err != nil {
		return 0, nil, fmt.Errorf("the record at %d says %d bytes: %w", b.at, len(body), errShort)
	}
	b.at += 4 + int64(len(body))
	return kind, body, nil
}

// blank reads to the end and reports whether there are only zeros.
func (b *biffReader) blank() bool {
	for {
		c, err := b.r.ReadByte()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		if c != 0 {
			return false
		}
	}
}

// A cursor reads little-endian fields. Reading beyond the end yields zeros and
// sets short, which whoever reads asks for once at the end.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.b, c.short = nil, true
		return nil
	}
	taken := c.b[:n]
	c.b = c.b[n:]
	return taken
}

func (c *cursor) u8() int {
	if b := c.take(1); b != nil {
		return int(b[0])
	}
	return 0
}

func (c *cursor) u16() int {
	if b := c.take(2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// chars reads an XLUnicodeStringNoCch of n characters ([MS-XLS] §2.5.296).
func (c *cursor) chars(n int) string {
	if c.u8()&1 != 0 {
		return wideString(c.take(2 * n))
	}
	return narrow(c.take(n))
}

// text reads an XLUnicodeString, shortText one with a count of one byte.
func (c *cursor) text() string      { return c.chars(c.u16()) }
func (c *cursor) shortText() string { return c.chars(c.u8()) }

// err is errShort if the bytes did not suffice.
func (c *cursor) err() error {
	if c.short {
		return errShort
	}
	return nil
}

// narrow decodes Latin-1.
func narrow(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}
