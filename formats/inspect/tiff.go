package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// tiffScan follows the directories of a TIFF (TIFF 6.0 §2) and marks how far
// into the file they lead.
type tiffScan struct {
	s     *scan
	order binary.ByteOrder
	reach int64 // the end of the farthest thing anything refers to
	pages int
	seen  map[int64]bool
}

// Tags that place data or state dimensions.
const (
	tagWidth       = 256
	tagHeight      = 257
	tagStrips      = 273
	tagStripBytes  = 279
	tagTiles       = 324
	tagTileBytes   = 325
	tagSubIFDs     = 330
	tagJPEG        = 513
	tagJPEGBytes   = 514
	tagExif        = 34665
	tagGPS         = 34853
	tagInterop     = 40965
	maxTIFFEntries = 4096
	maxTIFFPadding = 15
	maxTIFFValues  = 1 << 20
)

func (s *scan) tiff() {
	var h [8]byte
	if n, _ := s.r.ReadAt(h[:], 0); n < len(h) {
		s.add("image.malformed", "", "cut short")
		return
	}
	t := &tiffScan{s: s, order: binary.LittleEndian, reach: 8, seen: map[int64]bool{}}
	if h[0] == 'M' {
		t.order = binary.BigEndian
	}
	if t.order.Uint16(h[2:]) == 43 {
		s.add("format.unknown", "", "BigTIFF")
		return
	}
	for at := int64(t.order.Uint32(h[4:])); at != 0; {
		t.pages++
		next, err := t.directory(at, true)
		if err == nil && t.pages > maxTIFFPages {
			err = errors.New("too many pages")
		}
		if err != nil {
			s.add("image.malformed", fmt.Sprintf("byte %d", at), err.Error())
			return
		}
		at = next
	}
	if t.pages > 1 {
		s.add("image.pages", "", fmt.Sprintf("%d pages", t.pages))
	}
	if t.reach > s.size || !t.padding() {
		s.end(t.reach)
	}
}

// padding tells whether what is behind the last thing referred to is none: up to
// a word of anything, or zeros up to a paragraph, as writers of pages leave them.
func (t *tiffScan) padding() bool {
	if n := t.s.size - t.reach; n > maxTIFFPadding || n <= 3 {
		return n <= 3
	}
	var b [maxTIFFPadding]byte
	n, _ := t.s.r.ReadAt(b[:t.s.size-t.reach], t.reach)
	return int64(n) == t.s.size-t.reach && b == [maxTIFFPadding]byte{}
}

// directory reads one directory and returns the offset of the next.
func (t *tiffScan) directory(at int64, page bool) (int64, error) {
	if t.seen[at] || len(t.seen) > 2*maxTIFFPages {
		return 0, errors.New("directories go round in a circle")
	}
	t.seen[at] = true
	var count [2]byte
	if _, err := t.s.r.ReadAt(count[:], at); err != nil {
		return 0, errors.New("cut short")
	}
	n := int(t.order.Uint16(count[:]))
	if n > maxTIFFEntries {
		return 0, errors.New("too many entries")
	}
	entries := make([]byte, 12*n+4)
	if got, _ := t.s.r.ReadAt(entries, at+2); got < len(entries) {
		return 0, errors.New("cut short")
	}
	t.mark(at+2, int64(len(entries)))
	values := map[uint16][]uint64{}
	for i := range n {
		e := entries[12*i:]
		v, err := t.values(e, at+2+int64(12*i)+8)
		if err != nil {
			return 0, err
		}
		values[t.order.Uint16(e)] = v
	}
	if err := t.extents(values, page); err != nil {
		return 0, err
	}
	return int64(t.order.Uint32(entries[12*n:])), nil
}

func (t *tiffScan) mark(at, size int64) { t.reach = max(t.reach, at+size) }

// values reads the numbers of an entry; of other types only the place counts.
func (t *tiffScan) values(e []byte, inline int64) ([]uint64, error) {
	sizes := [...]int64{0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4}
	kind, count := int(t.order.Uint16(e[2:])), int64(t.order.Uint32(e[4:]))
	if kind >= len(sizes) {
		return nil, nil // an unknown type is to be skipped (TIFF 6.0 §2)
	}
	at, total := inline, sizes[kind]*count
	if total > 4 {
		at = int64(t.order.Uint32(e[8:]))
		t.mark(at, total)
		if at+total > t.s.size {
			return nil, errors.New("a value beyond the end of the file")
		}
	}
	if kind != 3 && kind != 4 && kind != 13 || count > maxTIFFValues {
		if kind == 3 || kind == 4 {
			return nil, errors.New("too many values")
		}
		return nil, nil
	}
	b := make([]byte, total)
	if _, err := t.s.r.ReadAt(b, at); err != nil {
		return nil, errors.New("cut short")
	}
	out := make([]uint64, count)
	for i := range out {
		if kind == 3 {
			out[i] = uint64(t.order.Uint16(b[2*i:]))
		} else {
			out[i] = uint64(t.order.Uint32(b[4*i:]))
		}
	}
	return out, nil
}

// extents marks the image data and follows directories within the directory.
func (t *tiffScan) extents(v map[uint16][]uint64, page bool) error {
	if page {
		if len(v[tagWidth]) != 1 || len(v[tagHeight]) != 1 {
			return errors.New("no dimensions")
		}
		t.s.pixels(v[tagWidth][0], v[tagHeight][0])
	}
	for _, pair := range [][2]uint16{{tagStrips, tagStripBytes}, {tagTiles, tagTileBytes}, {tagJPEG, tagJPEGBytes}} {
		offsets, sizes := v[pair[0]], v[pair[1]]
		if len(offsets) != len(sizes) {
			return errors.New("image data without place or length")
		}
		for i := range offsets {
			t.mark(int64(offsets[i]), int64(sizes[i]))
		}
	}
	for _, tag := range []uint16{tagSubIFDs, tagExif, tagGPS, tagInterop} {
		for _, at := range v[tag] {
			if _, err := t.directory(int64(at), false); err != nil {
				return err
			}
		}
	}
	return nil
}
