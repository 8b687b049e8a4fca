package inspect

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Bits of the VP8X chunk that say which other chunks are there (RFC 9649 §2.7).
const (
	webpAnimation = 0x02
	webpAlpha     = 0x10
	webpICC       = 0x20
	webpReserved  = 0xc1
)

// webpOrder is the one order the chunks may come in (RFC 9649 §2.7), each once.
// The picture itself is in "VP8 " or "VP8L"; the profile and the transparency
// change what is seen of it. Metadata, of order 0, may stand anywhere.
var webpOrder = map[string]int{"VP8X": 1, "ICCP": 2, "ALPH": 3, "VP8 ": 4, "VP8L": 4, "EXIF": 0, "XMP ": 0}

// webpScan follows the chunks of a WebP image. RFC 9649 has programs skip the
// chunks they do not know, and so some would show what others do not: here only
// the known ones may stay.
type webpScan struct {
	*scan
	at            int64
	last          int // order of the chunk before
	flags         byte
	canvas, frame [2]uint64 // width and height; zero until known
	seen          map[string]bool
}

func (s *scan) webp() {
	var head [12]byte
	if n, _ := s.r.ReadAt(head[:], 0); n < len(head) {
		s.add("image.malformed", "", "cut short")
		return
	}
	end := 8 + int64(binary.LittleEndian.Uint32(head[4:]))
	if end > s.size || end < 12 || end%2 != 0 {
		s.add("image.malformed", "", fmt.Sprintf("it says %d bytes and has %d", end, s.size))
		return
	}
	w := &webpScan{scan: s, at: 12, seen: map[string]bool{}}
	err := w.chunks(end)
	if err == nil && !w.seen["ANIM"] {
		err = w.agree()
	}
	if err != nil {
		s.add("image.malformed", fmt.Sprintf("byte %d", w.at), err.Error())
		return
	}
	s.end(end)
}

func (w *webpScan) chunks(end int64) error {
	for w.at < end {
		if end-w.at < 8 {
			return errors.New("bytes that belong to no chunk")
		}
		var head [8]byte
		if _, err := w.r.ReadAt(head[:], w.at); err != nil {
			return errors.New("cut short")
		}
		kind, size := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		if size+size%2 > end-w.at-8 {
			return fmt.Errorf("chunk %q reaches beyond the image", kind)
		}
		if kind == "ANIM" || kind == "ANMF" {
			w.seen["ANIM"] = true
			w.add("image.animated", "", kind)
			return nil // its frames need not be counted
		}
		if err := w.chunk(kind, size); err != nil {
			return err
		}
		if size%2 != 0 {
			var pad [1]byte
			if _, err := w.r.ReadAt(pad[:], w.at+8+size); err != nil || pad[0] != 0 {
				return fmt.Errorf("chunk %q is not padded with a zero", kind)
			}
		}
		w.at += 8 + size + size%2
	}
	return nil
}

func (w *webpScan) chunk(kind string, size int64) error {
	order, known := webpOrder[kind]
	switch {
	case !known:
		return fmt.Errorf("unknown chunk %q", kind)
	case w.seen[kind], order > 0 && order <= w.last:
		return fmt.Errorf("chunk %q out of place", kind)
	case !w.seen["VP8X"] && order != 1 && (order != 4 || w.last != 0):
		return fmt.Errorf("chunk %q in a simple image", kind)
	}
	w.last, w.seen[kind] = max(w.last, order), true
	var b [10]byte
	n := min(size, int64(len(b)))
	if got, _ := w.r.ReadAt(b[:n], w.at+8); int64(got) != n {
		return errors.New("cut short")
	}
	switch kind {
	case "VP8X":
		return w.extended(b, size)
	case "VP8 ":
		return w.lossy(b, size)
	case "VP8L":
		return w.lossless(b, size)
	}
	return nil
}

// extended: the header of an image with more than its picture.
func (w *webpScan) extended(b [10]byte, size int64) error {
	if size != 10 || b[0]&webpReserved != 0 || b[1]|b[2]|b[3] != 0 {
		return errors.New("an unknown kind of header")
	}
	w.flags = b[0]
	w.canvas[0] = 1 + (uint64(b[4]) | uint64(b[5])<<8 | uint64(b[6])<<16)
	w.canvas[1] = 1 + (uint64(b[7]) | uint64(b[8])<<8 | uint64(b[9])<<16)
	w.pixels(w.canvas[0], w.canvas[1])
	if w.flags&webpAnimation != 0 && !w.seen["ANIM"] {
		w.seen["ANIM"] = true
		w.add("image.animated", "", "VP8X")
	}
	return nil
}

// lossy reads the header of a VP8 key frame (RFC 6386 §9.1).
func (w *webpScan) lossy(b [10]byte, size int64) error {
	tag := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
	width, height := binary.LittleEndian.Uint16(b[6:]), binary.LittleEndian.Uint16(b[8:])
	switch {
	case size < 10 || string(b[3:6]) != "\x9d\x01\x2a":
		return errors.New("no VP8 picture")
	case tag&1 != 0 || tag>>1&7 > 3 || tag>>4&1 == 0: // a key frame of a known version that is shown
		return errors.New("a VP8 frame that is no picture")
	case int64(tag>>5) > size-10:
		return errors.New("the first partition reaches beyond its chunk")
	case width>>14|height>>14 != 0:
		return errors.New("a picture to be scaled")
	}
	w.frame = [2]uint64{uint64(width), uint64(height)}
	return nil
}

// lossless reads the header of a VP8L picture (RFC 9649 §3.4).
func (w *webpScan) lossless(b [10]byte, size int64) error {
	bits := binary.LittleEndian.Uint32(b[1:])
	if size < 5 || b[0] != 0x2f || bits>>29 != 0 || w.seen["ALPH"] {
		return errors.New("no VP8L picture")
	}
	w.frame = [2]uint64{1 + uint64(bits&0x3fff), 1 + uint64(bits>>14&0x3fff)}
	return nil
}

// agree compares what the header promises with what was there.
func (w *webpScan) agree() error {
	switch {
	case !w.seen["VP8 "] && !w.seen["VP8L"]:
		return errors.New("no picture")
	case !w.seen["VP8X"]:
		w.pixels(w.frame[0], w.frame[1])
	case w.canvas != w.frame:
		return errors.New("the picture is not of the size of its canvas")
	case (w.flags&webpICC != 0) != w.seen["ICCP"]:
		return errors.New("a colour profile that is not announced, or the other way round")
	case w.seen["VP8 "] && (w.flags&webpAlpha != 0) != w.seen["ALPH"]:
		return errors.New("a transparency that is not announced, or the other way round")
	}
	return nil
}
