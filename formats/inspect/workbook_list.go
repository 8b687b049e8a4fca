package inspect

import (
	"errors"
	"fmt"
)

// errList: a list with parts that are not described well enough to be walked.
var errList = errors.New("the list has parts that cannot be read")

// Bits of a TableFeatureType ([MS-XLS] §2.5.266) and of its columns (§2.5.113)
// that say which parts follow.
const (
	listDeleted    = 0x0020
	listSingleCell = 0x0200
	listProvider   = 0x4000
	listChanged    = 0x8000
	listEntry      = 0x10 // of the second word
	listInvalid    = 0x20

	columnFilter       = 0x01
	columnXML          = 0x04
	columnFormula      = 0x08
	columnTotalFormula = 0x80
	columnTotalArray   = 0x100
	columnTotalText    = 0x400
)

// listFeature: Feature11 and Feature12, §2.4.114 and §2.4.115. A list is a range
// of the sheet (lt 0) or comes from a server, an XML file or a query. Its columns
// may have formulas, by which new rows and the row of totals are filled. A list
// that is not read to its last byte is refused.
func (b *bookScan) listFeature(rec biffRecord) error {
	c := &cursor{b: rec.body}
	c.take(19)
	refs := c.u16()
	c.take(6 + 8*refs)
	if kind := c.u32(); kind != 0 && !c.short {
		b.add("ooxml.data", b.place(), fmt.Sprintf("list from source %d", kind))
		return nil
	}
	err := b.list(c, rec.kind == 0x0878)
	if err == nil && (c.short || len(c.b) > 0) {
		err = errList
	}
	if errors.Is(err, errList) {
		b.add("cfb.legacy", b.place(), err.Error())
		return nil
	}
	return err
}

// list reads a TableFeatureType after its source.
func (b *bookScan) list(c *cursor, feature12 bool) error {
	c.take(4)
	header := c.u32()
	c.take(16)
	flags, more := c.u16(), c.u16()
	c.take(32)
	b.texts(c.text())
	columns := c.u16()
	if flags&listProvider != 0 {
		c.text()
	}
	if more&listEntry != 0 {
		c.text()
	}
	if flags&(listDeleted|listChanged) != 0 || more&listInvalid != 0 || header == 0 && flags&listSingleCell == 0 {
		return errList // what a server keeps; the names of columns without a header
	}
	for ; columns > 0 && !c.short; columns-- {
		if err := b.listColumn(c, feature12); err != nil {
			return err
		}
	}
	return nil
}

// listColumn reads a Feat11FieldDataItem.
func (b *bookScan) listColumn(c *cursor, feature12 bool) error {
	c.take(16)
	totals := c.u32()
	c.take(4)
	flags, inserted := c.u32(), c.u32()
	c.take(4)
	name := c.text()
	b.texts(name)
	b.texts(c.text())
	c.take(int(totals))
	c.take(int(inserted))
	if flags&columnFilter != 0 {
		size := c.u32()
		c.take(2)
		c.take(int(size))
	}
	if flags&(columnXML|columnTotalArray) != 0 || !feature12 && flags&(columnTotalFormula|columnTotalText) != 0 {
		return errList
	}
	where := b.place() + " list " + name
	if flags&columnFormula != 0 {
		formula := &cursor{b: c.take(c.u16())}
		if err := b.listFormula(where, formula); err != nil {
			return err
		}
		if formula.short || len(formula.b) > 0 {
			return errList
		}
	}
	if flags&columnTotalFormula != 0 {
		if err := b.listFormula(where, c); err != nil {
			return err
		}
	}
	if flags&columnTotalText != 0 {
		b.texts(c.text())
	}
	return nil
}

// listFormula reads a ListParsedFormula (§2.5.198.20).
func (b *bookScan) listFormula(where string, c *cursor) error {
	rgce := c.take(c.u16())
	if c.short {
		return nil
	}
	return b.shown(where, rgce, nil)
}
