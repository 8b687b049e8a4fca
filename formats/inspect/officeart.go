package inspect

import (
	"bytes"
	"errors"
	"fmt"
)

// artScan reads shapes as the binary Office formats have them ([MS-ODRAW]).
type artScan struct {
	*report
	where string
	cut   bool // the bytes end before the shape does: its picture was not read
}

// record reads one record with what it contains and answers its length.
func (a *artScan) record(b []byte, depth int) (int, error) {
	if len(b) < 8 {
		return 0, errors.New("a shape's record is cut off")
	}
	kind, size := u16(b[2:]), uint64(u32(b[4:]))
	if depth > maxRecordDepth {
		return 0, errors.New("shapes nested too deep")
	}
	if size > uint64(len(b)-8) {
		if a.cut && u16(b)&15 != 15 {
			return len(b), nil
		}
		if !a.cut {
			return 0, fmt.Errorf("record %#04x reaches beyond its container", kind)
		}
		size = uint64(len(b) - 8)
	}
	body := b[8 : 8+size]
	if u16(b)&15 == 15 {
		for len(body) > 0 {
			n, err := a.record(body, depth+1)
			if err != nil {
				return 0, err
			}
			body = body[n:]
		}
	} else if isArtProperties(kind) {
		if err := a.properties(body, int(u16(b)>>4)); err != nil {
			return 0, err
		}
	}
	return 8 + int(size), nil
}

// isArtProperties: OfficeArtFOPT, the secondary and the tertiary one.
func isArtProperties(kind uint16) bool { return kind == 0xf00b || kind == 0xf121 || kind == 0xf122 }

// properties reads a table of n properties ([MS-ODRAW] §2.2.9): six bytes each,
// then the data of those that need more.
func (a *artScan) properties(b []byte, n int) error {
	if 6*n > len(b) {
		return errors.New("a shape's properties reach beyond their table")
	}
	more := b[6*n:]
	for i := range n {
		id, value := u16(b[6*i:]), u32(b[6*i+2:])
		var data []byte
		if id&0x8000 != 0 {
			if uint64(value) > uint64(len(more)) {
				return errors.New("a shape's property reaches beyond the table")
			}
			data, more = more[:value], more[value:]
		}
		switch id & 0x3fff {
		case 0x106, 0x111, 0x188, 0x1c7: // flags of the picture, fill and line: linked to a file, or not stored
			if value&0x0c != 0 {
				a.add("ooxml.external", a.where, "linked picture")
			}
		case 0x382: // pihlShape
			a.hyperlink(data)
		case 0x38e: // wzScript
			a.add("cfb.macro", a.where, wideString(data))
		case 0x3bf: // fHidden, with its fUse
			if value&0x00020002 == 0x00020002 {
				a.add("ooxml.hidden", a.where, "hidden shape")
			}
		}
	}
	return nil
}

var (
	clsidURL  = []byte("\xe0\xc9\xea\x79\xf9\xba\xce\x11\x8c\x82\x00\xaa\x00\x4b\xa9\x0b")
	clsidFile = []byte("\x03\x03\x00\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46")
)

// hyperlink judges a Hyperlink Object ([MS-OSHARED] §2.3.7) by its monikers: a
// URL by its scheme, a local file always. Without one it is a place in the
// document.
func (a *artScan) hyperlink(b []byte) {
	if _, url, ok := bytes.Cut(b, clsidURL); ok && len(url) >= 4 {
		target := wideString(url[4:][:min(len(url)-4, int(min(u32(url), maxFieldCode)))])
		if i := bytes.IndexByte([]byte(target), 0); i >= 0 {
			target = target[:i]
		}
		a.add(linkRule(target), a.where, target)
	} else if bytes.Contains(b, clsidFile) {
		a.add("link.scheme", a.where, "file")
	}
}
