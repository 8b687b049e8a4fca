package inspect

import (
	"errors"
	"fmt"
)

const biffSST = 0x00fc

// texts judges the characters of a text that the workbook shows.
func (b *bookScan) texts(s string) {
	for _, c := range s {
		if characterRule(c) == "text.bidi" {
			b.add("text.bidi", b.place(), fmt.Sprintf("U+%04X in %s", c, s))
			return
		}
	}
}

// cellText: Label and String, §2.4.148 and §2.4.268: a text in a cell that does
// not come from the table of shared ones, and the result of a formula.
func (b *bookScan) cellText(rec biffRecord) error {
	c := cursor{b: rec.body[:rec.first]}
	if rec.kind == 0x0204 {
		c.take(6)
	}
	n := c.u16()
	if c.short || len(c.b) == 0 {
		return errShort
	}
	here := min(n, room(c.b))
	b.texts(c.chars(here))
	if here < n { // it goes on in the next record, with flags of its own
		rest := cursor{b: rec.body[rec.first:]}
		b.restOfText(&rest, n-here)
	}
	return nil
}

// room is how many characters there are behind the flags at the start of b.
func room(b []byte) int {
	if b[0]&1 != 0 {
		return (len(b) - 1) / 2
	}
	return len(b) - 1
}

// restOfText reads the text of a continuation: flags, then at most limit
// characters.
func (b *bookScan) restOfText(c *cursor, limit int) {
	if len(c.b) > 0 {
		b.texts(c.chars(min(room(c.b), limit)))
	}
}

// An sstScan goes through the table of shared texts (SST, §2.4.265), which comes
// in pieces: a text may be cut anywhere, and the rest of its characters then
// begins with new flags.
type sstScan struct {
	head   []byte // of the table or of a text, as far as it has come
	texts  int64  // still to come; -1 before the table's own head
	chars  int    // of this text still to come
	skip   int64  // bytes behind its characters
	wide   bool
	failed error
}

// feed takes the next piece.
func (t *sstScan) feed(b *bookScan, piece []byte) {
	c := cursor{b: piece}
	if t.chars > 0 {
		t.wide = c.u8()&1 != 0
	}
	for len(c.b) > 0 && t.failed == nil {
		switch {
		case t.chars > 0 && t.wide:
			n := min(t.chars, len(c.b)/2)
			if n == 0 {
				t.failed = errors.New("a character is cut in two")
				return
			}
			b.texts(wideString(c.take(2 * n)))
			t.chars -= n
		case t.chars > 0: // Latin-1 has no character that matters
			n := min(t.chars, len(c.b))
			c.take(n)
			t.chars -= n
		case t.skip > 0:
			n := min(t.skip, int64(len(c.b)))
			c.take(int(n))
			t.skip -= n
		case t.texts == 0:
			return
		default:
			t.head = append(t.head, c.take(1)...)
			t.start()
		}
	}
}

// start looks whether the head is complete, and what it says.
func (t *sstScan) start() {
	h := cursor{b: t.head}
	if t.texts < 0 {
		if h.take(4); len(h.b) == 4 {
			t.texts, t.head = int64(h.u32()), t.head[:0]
		}
		return
	}
	chars, flags := h.u16(), h.u8()
	const rich, phonetic = 8, 4
	skip := int64(0)
	if flags&rich != 0 {
		skip += 4 * int64(h.u16())
	}
	if flags&phonetic != 0 {
		skip += int64(h.u32())
	}
	if h.short {
		return
	}
	t.chars, t.skip, t.wide, t.head = chars, skip, flags&1 != 0, t.head[:0]
	t.texts--
}

// end is called when the table is over.
func (t *sstScan) end(b *bookScan) {
	if t.failed == nil && (t.texts != 0 || t.chars > 0 || t.skip > 0 || len(t.head) > 0) {
		t.failed = errShort
	}
	if t.failed != nil {
		b.add("cfb.malformed", b.path+" texts", t.failed.Error())
	}
}
