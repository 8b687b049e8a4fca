package inspect

import (
	"errors"
	"fmt"
)

// Parts of an Obj record ([MS-XLS] §2.4.181) and kinds of objects (§2.5.143).
const (
	ftEnd      = 0x00
	ftMacro    = 0x04
	ftPictFlag = 0x08
	ftPictFmla = 0x09
	ftSbsFmla  = 0x0e
	ftLbsData  = 0x13
	ftCblsFmla = 0x14
	ftCmo      = 0x15
)

// object: Obj, §2.4.181. Form controls are refused as those of an .xlsx are; the
// drop-down arrow of a filter or a validated cell is one that only shows a list.
func (b *bookScan) object(rec biffRecord) error {
	c := &cursor{b: rec.body}
	if c.u16() != ftCmo {
		return errors.New("the object has no type")
	}
	cmo := cursor{b: c.take(c.u16())}
	kind, id := cmo.u16(), cmo.u16()
	if cmo.short || c.short {
		return errShort
	}
	where := fmt.Sprintf("%s obj %d", b.place(), id)
	if (kind == 0x07 || kind >= 0x0b && kind <= 0x13) && kind != 0x09 {
		b.add("ooxml.activex", where, fmt.Sprintf("form control %#x", kind))
	}
	for len(c.b) > 0 {
		ft, n := c.u16(), c.u16()
		if ft == ftLbsData { // whose length is no length; it is the last
			return b.objectFormula(where, cursor{b: c.b}, ft)
		}
		part := cursor{b: c.take(n)}
		if c.short {
			return errShort
		}
		if ft == ftEnd {
			return nil
		}
		if err := b.objectPart(where, ft, part); err != nil {
			return err
		}
	}
	return nil
}

func (b *bookScan) objectPart(where string, ft int, part cursor) error {
	switch ft {
	case ftMacro:
		b.add("cfb.macro", where, "assigned to an object")
	case ftPictFlag:
		const dde, control = 0x02, 0x10
		flags := part.u16()
		if flags&dde != 0 {
			b.add("field.dde", where, "")
		}
		if flags&control != 0 {
			b.add("ooxml.activex", where, "")
		}
	case ftPictFmla, ftSbsFmla, ftCblsFmla:
		return b.objectFormula(where, part, ft)
	case 0x06, 0x07, 0x0a, 0x0b, 0x0c, 0x0d, 0x0f, 0x10, 0x11, 0x12:
	default:
		b.add("cfb.legacy", where, fmt.Sprintf("object part %#x", ft))
	}
	return nil
}

// objectFormula reads an ObjFmla (§2.5.187): what a picture shows or a control
// is tied to. A picture whose formula is a PtgTbl is the face of an object of
// another program.
func (b *bookScan) objectFormula(where string, c cursor, ft int) error {
	n := c.u16()
	fmla := cursor{b: c.take(n)}
	if c.short {
		return errShort
	}
	if n == 0 {
		return nil
	}
	cce := fmla.u16() & 0x7fff
	fmla.take(4)
	rgce := fmla.take(cce)
	if fmla.short {
		return errShort
	}
	if ft == ftPictFmla && cce > 0 && rgce[0] == 0x02 {
		b.add("cfb.embedded", where, "")
		return nil
	}
	return b.shown(where, rgce, nil)
}

// textObject: TxO, §2.4.329; its text may be that of a cell.
func (b *bookScan) textObject(rec biffRecord) error {
	c := cursor{b: rec.body[:rec.first]}
	c.take(10)
	text := cursor{b: rec.body[rec.first:]}
	b.restOfText(&text, c.u16())
	c.take(4)
	if len(c.b) == 0 {
		return c.err()
	}
	return errors.Join(c.err(), b.objectFormula(b.place()+" text", c, 0))
}

// fill: GelFrame, §2.4.131: a filling of a chart, in the manner of a drawing.
func (b *bookScan) fill(rec biffRecord) error {
	var d drawing
	d.feed(b, rec.body)
	d.end(b)
	return nil
}

// headerPicture: HFPicture, §2.4.138; a large one comes in several records, of
// which each but the first has fContinue.
func (b *bookScan) headerPicture(rec biffRecord) error {
	c := cursor{b: rec.body}
	c.take(12)
	if flags := c.u16(); flags&4 == 0 {
		b.headerArt.end(b)
		b.headerArt = drawing{}
	}
	b.headerArt.feed(b, c.b)
	return c.err()
}

// A drawing follows the shapes of a sheet ([MS-ODRAW] §2.2), which come in
// pieces between the records of their objects, and looks at the properties of
// each. Pictures are passed over without being held.
type drawing struct {
	head  []byte // of a record, as far as it has come
	kind  uint16
	left  int64  // bytes of the record still to come
	props []byte // those kept of it
	lost  error  // why what came cannot be a drawing
}

// feed takes the next piece.
func (d *drawing) feed(b *bookScan, piece []byte) {
	for len(piece) > 0 && d.lost == nil {
		if d.left == 0 {
			n := min(8-len(d.head), len(piece))
			d.head = append(d.head, piece[:n]...)
			piece = piece[n:]
			if len(d.head) == 8 {
				d.start()
			}
			continue
		}
		n := int(min(d.left, int64(len(piece))))
		if isArtProperties(d.kind) {
			d.props = append(d.props, piece[:n]...)
		}
		d.left -= int64(n)
		piece = piece[n:]
		if d.left == 0 {
			d.finish(b)
		}
	}
}

// start reads a header. The records within a container simply follow it.
func (d *drawing) start() {
	d.kind, d.left = u16(d.head[2:]), int64(u32(d.head[4:]))
	if d.kind < 0xf000 || d.left > maxFile || (isArtProperties(d.kind) && d.left > maxBIFFRecord) {
		d.lost = fmt.Errorf("record %#x is none of a drawing", d.kind)
	}
	if container := d.head[0]&15 == 15 || d.kind <= 0xf005; container {
		d.left = 0
	}
	if d.left == 0 {
		d.head = d.head[:0]
	}
}

func (d *drawing) finish(b *bookScan) {
	if isArtProperties(d.kind) {
		shape := artScan{report: b.report, where: b.place() + " drawing"}
		d.lost = shape.properties(d.props, int(u16(d.head)>>4))
	}
	d.head, d.props = d.head[:0], nil
}

// end is called when no more can come.
func (d *drawing) end(b *bookScan) {
	if d.lost == nil && (d.left > 0 || len(d.head) > 0) {
		d.lost = errShort
	}
	if d.lost != nil {
		b.add("cfb.malformed", b.place()+" drawing", d.lost.Error())
	}
}
