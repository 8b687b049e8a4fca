package inspect

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// Records of the parts of a binary workbook ([MS-XLSB] §2.3.2) that tell what is
// in it. A binary workbook is refused as a format, since its formulas are not
// read; these findings tell the holder what else would have refused it.
const (
	xlsbFormulaString = 8
	xlsbFormulaError  = 11
	xlsbName          = 39
	xlsbSheet         = 156
	xlsbSupBook       = 360
)

// binaryType knows the content types of those parts.
func binaryType(kind string) bool {
	return strings.HasPrefix(kind, "application/vnd.ms-excel.") && !strings.HasSuffix(kind, "+xml")
}

// binaryPart walks the records of a part to its end. One that breaks off is not
// worth a finding of its own.
func (o *ooxmlScan) binaryPart(name string, r io.Reader) error {
	br := bufio.NewReaderSize(r, 64<<10)
	formulas := 0
	buf := make([]byte, 4<<10)
	for {
		kind, size, err := xlsbHeader(br)
		body := buf[:min(size, int64(len(buf)))]
		if err == nil {
			_, err = io.ReadFull(br, body)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch c := (cursor{b: body}); {
		case kind >= xlsbFormulaString && kind <= xlsbFormulaError:
			if formulas++; formulas == 1 {
				o.add("formula", name, "")
			}
		case kind == xlsbSupBook:
			if kind := c.u16(); kind == 1 { // a program and its topic
				o.add("field.dde", name, "")
			} else {
				o.add("ooxml.external", name, "")
			}
		case kind == xlsbName:
			o.binaryName(name, c)
		case kind == xlsbSheet:
			if state := c.u32(); state != 0 {
				o.add("ooxml.hidden", name, "hidden sheet")
			}
		}
		if _, err := io.CopyN(io.Discard, br, size-int64(len(body))); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
}

// binaryName judges a defined name: that of a macro, or one that is run.
func (o *ooxmlScan) binaryName(part string, c cursor) {
	const fFunc, fOB, fProc = 0x02, 0x04, 0x08
	flags := c.u32()
	c.take(5)
	n := c.u32()
	name := wideString(c.take(int(min(n, maxQuote)) * 2))
	lower := strings.TrimPrefix(strings.ToLower(name), "_xlnm.")
	if flags&(fFunc|fOB|fProc) != 0 && !strings.HasPrefix(lower, "_xl") || autoName(lower) {
		o.add("sheet.macrosheet", part, name)
	}
}

// xlsbHeader reads the number of a record, of one or two bytes, and its size, of
// one to four, seven bits in each byte (§2.1.4).
func xlsbHeader(br *bufio.Reader) (kind int, size int64, err error) {
	number := func(most int) (n int64) {
		for i := 0; i < most && err == nil; i++ {
			var c byte
			if c, err = br.ReadByte(); err != nil {
				return n
			}
			if n |= int64(c&0x7f) << (7 * i); c < 0x80 {
				return n
			}
		}
		return n
	}
	kind = int(number(2))
	if err == nil {
		size = number(4)
	}
	return kind, size, err
}
