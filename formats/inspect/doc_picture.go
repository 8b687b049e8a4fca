package inspect

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// readPictures reads what characters refer to in the Data stream (§2.4.6):
// pictures, which may be linked, form fields, and links.
func (d *docScan) readPictures() error {
	slices.Sort(d.pictures)
	d.pictures = slices.Compact(d.pictures)
	end := int64(0)
	for _, at := range d.pictures {
		if d.data == nil {
			return errors.New("a picture without the Data stream")
		}
		if at < end {
			return fmt.Errorf("pictures overlap at %d of the stream Data", at)
		}
		size, err := d.picture(at)
		if err != nil {
			return fmt.Errorf("at %d of the stream Data: %w", at, err)
		}
		end = at + size
	}
	return nil
}

// picture reads a PICF or NilPICF and what follows (§2.9.190). The pictures
// themselves are not read. It answers the size of it all.
func (d *docScan) picture(at int64) (size int64, err error) {
	if at < 0 || at+68 > d.data.Size {
		return 0, errDocRange
	}
	if _, err := d.data.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	head := make([]byte, 68)
	if _, err := io.ReadFull(d.data, head); err != nil {
		return 0, err
	}
	size = int64(u32(head))
	if u16(head[4:]) != 68 || size < 68 || size > d.data.Size-at {
		return 0, errDocRange
	}
	body := make([]byte, min(size-68, maxDocPicture))
	if _, err := io.ReadFull(d.data, body); err != nil {
		return 0, err
	}
	return size, d.pictureBody(u16(head[6:]), body, int64(len(body)) < size-68, fmt.Sprintf("Data at %d", at))
}

// pictureBody judges what follows a PICF of that kind, or the beginning of it.
func (d *docScan) pictureBody(kind uint16, body []byte, cut bool, where string) error {
	switch {
	case kind == 0x66, kind == 94, kind == 98, kind == 99: // a file on its own
		d.add("ooxml.external", where, "linked picture")
	case kind == 0x64:
		art := artScan{report: d.report, where: where, cut: cut}
		_, err := art.record(body, 0)
		return err
	case len(body) >= 4 && u32(body) == 0xffffffff:
		return d.formField(body, where)
	case len(body) > 17 && slices.Contains(body, 0xe0):
		art := artScan{report: d.report, where: where}
		art.hyperlink(body[17:])
	}
	return nil
}

// formField reads FFData (§2.9.78): what a field computes and the macros it
// calls when it is entered or left.
func (d *docScan) formField(b []byte, where string) error {
	if len(b) < 10 {
		return errDocRange
	}
	bits := u16(b[4:])
	kind, content := bits&3, bits>>11&7
	at := 10
	name, at, ok := xst(b, at)
	if kind == 0 && ok {
		switch content {
		case 3, 4: // the current date and time
			d.add("field.dynamic", where, name)
		case 5:
			d.add("formula", where, name)
		}
		_, at, ok = xst(b, at)
	} else {
		at += 2
	}
	for i := 0; ok && i < 5; i++ { // format, help, status, entry macro, exit macro
		var s string
		if s, at, ok = xst(b, at); i >= 3 && s != "" {
			d.add("cfb.macro", where, s)
		}
	}
	if !ok {
		return errors.New("the data of a form field are cut off")
	}
	return nil
}
