package inspect

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// supBook: SupBook, §2.4.271. A workbook names itself in one when it has
// references between its sheets, and the add-ins when it calls their functions.
func (b *bookScan) supBook(rec biffRecord) error {
	c := cursor{b: rec.body}
	sheets, cch := c.u16(), c.u16()
	s := supBook{kind: supExternal}
	switch {
	case cch == 0x0401 && len(c.b) == 0:
		s.kind = supSelf
	case cch == 0x3a01 && len(c.b) == 0:
		s.kind = supAddIn
	default:
		s.path = c.chars(cch)
		switch {
		case s.path == "\x00" && sheets > 0, s.path == " ": // the same sheet; unused
			s.kind = supSelf
		case sheets == 0 && !strings.HasPrefix(s.path, "\x01") && strings.Contains(s.path, "\x03"): // program and topic
			s.kind = supDDE
			b.add("field.dde", b.path, s.path)
		default:
			b.add("ooxml.external", b.path, s.path)
		}
	}
	if len(b.supBooks) >= maxBIFFNames {
		return errTooLong
	}
	b.supBooks = append(b.supBooks, s)
	return c.err()
}

// externSheet: ExternSheet, §2.4.106.
func (b *bookScan) externSheet(rec biffRecord) error {
	c := cursor{b: rec.body}
	for n := c.u16(); n > 0 && !c.short; n-- {
		b.sheets3d = append(b.sheets3d, c.u16())
		c.take(4)
	}
	if len(b.sheets3d) > maxBIFFNames {
		return errTooLong
	}
	return c.err()
}

// externName: ExternName, §2.4.105, a name in the last SupBook.
func (b *bookScan) externName(rec biffRecord) error {
	if len(b.supBooks) == 0 {
		return errors.New("a name of no workbook")
	}
	s := &b.supBooks[len(b.supBooks)-1]
	c := cursor{b: rec.body}
	const advise, ole, oleLink = 0x02, 0x08, 0x10
	if flags := c.u16(); flags&(advise|ole|oleLink) != 0 {
		b.add("field.dde", b.path, s.path)
	}
	c.take(4)
	name := c.shortText()
	if len(s.names) >= maxBIFFNames {
		return errTooLong
	}
	s.names = append(s.names, name)
	return c.err()
}

// hyperlink: HLink, §2.4.140.
func (b *bookScan) hyperlink(rec biffRecord) error {
	c := cursor{b: rec.body}
	row := c.u16()
	c.take(2)
	column := c.u16()
	c.take(2)
	target, ok := monikerTarget(&c)
	if !ok {
		return errors.New("the hyperlink cannot be read")
	}
	if target != "" {
		b.add(linkRule(target), b.cell(row, column), target)
	}
	return nil
}

var clsidHyperlink = []byte("\xd0\xc9\xea\x79\xf9\xba\xce\x11\x8c\x82\x00\xaa\x00\x4b\xa9\x0b")

// monikerTarget reads a hyperlink with its class ([MS-OSHARED] §2.3.7.1) and
// returns where it leads, "" if that is within the document.
func monikerTarget(c *cursor) (string, bool) {
	if !bytes.Equal(c.take(16), clsidHyperlink) || c.u32() != 2 {
		return "", false
	}
	const moniker, displayName, frameName, asString = 0x01, 0x10, 0x80, 0x100
	flags := c.u32()
	text := func() string {
		n := c.u32()
		if int64(n)*2 > int64(len(c.b)) {
			c.short = true
			return ""
		}
		return strings.TrimRight(wideString(c.take(2*int(n))), "\x00")
	}
	for _, f := range []uint32{displayName, frameName} {
		if flags&f != 0 {
			text()
		}
	}
	switch {
	case flags&moniker == 0:
		return "", !c.short
	case flags&asString != 0:
		target := text()
		return target, !c.short
	}
	switch class := c.take(16); {
	case bytes.Equal(class, clsidURL):
		n := c.u32()
		if int64(n) > int64(len(c.b)) {
			return "", false
		}
		target, _, _ := strings.Cut(wideString(c.take(int(n))), "\x00")
		return target, true
	case bytes.Equal(class, clsidFile):
		c.take(2)
		n := c.u32()
		if int64(n) > int64(len(c.b)) {
			return "", false
		}
		target, _, _ := strings.Cut(narrow(c.take(int(n))), "\x00")
		return target, true
	}
	return "moniker:", true // of another kind: it may start anything
}

// consolidation: DConRef, DConName and DConBin, §2.4.86, §2.4.84, §2.4.83: the
// source of a consolidation or pivot table, refused where it is another file.
func (b *bookScan) consolidation(rec biffRecord) error {
	c := cursor{b: rec.body}
	switch rec.kind {
	case 0x51:
		c.take(6)
	case 0x52:
		c.text()
	default:
		c.take(4) // a built-in name and what is reserved
	}
	if n := c.u16(); n > 1 || (n == 1 && rec.kind != 0x51) {
		if file := c.chars(n); !strings.HasPrefix(file, "\x02") { // which stands for this workbook
			b.add("ooxml.data", b.place(), file)
		}
	}
	return c.err()
}

// refreshAll: RefreshAll, §2.4.229.
func (b *bookScan) refreshAll(rec biffRecord) error {
	c := cursor{b: rec.body}
	if c.u16() != 0 {
		b.add("ooxml.data", b.place(), "RefreshAll")
	}
	return c.err()
}

// queryTag: QsiSXTag, §2.4.211; a pivot table has one as well.
func (b *bookScan) queryTag(rec biffRecord) error {
	c := cursor{b: rec.body}
	c.take(4)
	if c.u16() == 0 {
		b.add("ooxml.data", b.place(), "QsiSXTag")
	}
	return c.err()
}

// pivotSource: SXVS, §2.4.319; 1 is a range of the workbook, 4 several of them.
func (b *bookScan) pivotSource(rec biffRecord) error {
	c := cursor{b: rec.body}
	switch kind := c.u16(); kind {
	case 1, 4, 16:
	default:
		b.add("ooxml.data", b.place(), fmt.Sprintf("SXVS %d", kind))
	}
	return c.err()
}

// pivotExtra: SXAddl, §2.4.273; of a cache it says whether it is to be filled
// again (SXDInvRefreshReal).
func (b *bookScan) pivotExtra(rec biffRecord) error {
	c := cursor{b: rec.body}
	c.take(4)
	class, kind := c.u8(), c.u8()
	if class == 0x03 && kind == 0x34 && c.u32()&2 != 0 {
		b.add("ooxml.data", b.place(), "SXDInvRefreshReal")
	}
	return c.err()
}

// doubleStream: DSF, §2.4.94: the workbook is there a second time, for Excel 95.
func (b *bookScan) doubleStream(rec biffRecord) error {
	c := cursor{b: rec.body}
	if c.u16() != 0 {
		b.add("format.polyglot", b.path, "DSF")
	}
	return c.err()
}
