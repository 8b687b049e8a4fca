package inspect

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The image scanners follow the structure of a file without decoding a pixel:
// to find where the image ends, how large it is, and whether there is more than
// one. What stands behind the end is seen by nobody and signed by all.

func (s *scan) pixels(width, height uint64) {
	if width == 0 || height == 0 || width > 1<<20 || height > 1<<20 {
		s.add("image.malformed", "", fmt.Sprintf("%d×%d", width, height))
	} else if width*height > maxPixels {
		s.add("image.pixels", "", fmt.Sprintf("%d×%d", width, height))
	}
}

// end compares where the image ends with where the file does.
func (s *scan) end(at int64) {
	if at > s.size {
		s.add("image.malformed", "", "cut short")
	} else if at < s.size {
		s.add("image.trailing", fmt.Sprintf("byte %d", at), fmt.Sprintf("%d bytes", s.size-at))
	}
}

// png walks the chunks (ISO/IEC 15948 §5.3).
func (s *scan) png() {
	at := int64(8)
	for chunks := 0; ; chunks++ {
		if chunks > maxImageParts {
			s.add("image.malformed", "", "too many chunks")
			return
		}
		var head [16]byte
		n, _ := s.r.ReadAt(head[:], at)
		if n < 8 {
			s.add("image.malformed", "", "cut short")
			return
		}
		size := int64(binary.BigEndian.Uint32(head[:]))
		switch string(head[4:8]) {
		case "IHDR":
			if n < 16 {
				s.add("image.malformed", "", "cut short")
				return
			}
			s.pixels(uint64(binary.BigEndian.Uint32(head[8:])), uint64(binary.BigEndian.Uint32(head[12:])))
		case "acTL":
			s.add("image.animated", "", "APNG")
		case "gAMA":
			if gamma := binary.BigEndian.Uint32(head[8:]); oddGamma(gamma) {
				s.add("image.gamma", "", fmt.Sprint("gAMA ", gamma))
			}
		case "IEND":
			s.end(at + 12 + size)
			return
		}
		if at += 12 + size; at > s.size {
			s.add("image.malformed", "", "cut short")
			return
		}
	}
}

// oddGamma tells a correction of brightness (§11.3.2.2), in 100,000ths, that no
// camera or screen needs: with it a picture has two faces, one for the programs
// that apply it and one for the others.
func oddGamma(gamma uint32) bool { return gamma < 25_000 || gamma > 110_000 }

// jpeg walks the markers (ITU-T T.81 Annex B) to the end of image.
func (s *scan) jpeg() {
	r := bufio.NewReaderSize(s.reader(), 64<<10)
	at := int64(2)
	if _, err := r.Discard(2); err != nil {
		s.add("image.malformed", "", err.Error())
		return
	}
	fail := func(err error) {
		if errors.Is(err, io.EOF) {
			err = errors.New("cut short")
		}
		s.add("image.malformed", fmt.Sprintf("byte %d", at), err.Error())
	}
	scanning, segments := false, 0
	for {
		b, err := r.ReadByte()
		if err != nil {
			fail(err)
			return
		}
		at++
		if b != 0xff {
			if scanning {
				continue
			}
			fail(errors.New("a marker is expected"))
			return
		}
		marker, err := r.ReadByte()
		for ; err == nil && marker == 0xff; marker, err = r.ReadByte() {
			at++
		}
		if err != nil {
			fail(err)
			return
		}
		at++
		switch {
		case marker == 0 && scanning, marker >= 0xd0 && marker <= 0xd7, marker == 0x01:
		case marker == 0xd9:
			s.end(at)
			return
		case marker == 0 || marker == 0xd8:
			fail(errors.New("a marker out of place"))
			return
		default:
			size, err := s.jpegSegment(r, marker)
			if segments++; segments > maxImageParts {
				err = errors.New("too many segments")
			}
			if err != nil {
				fail(err)
				return
			}
			at += size
			scanning = marker == 0xda
		}
	}
}

// jpegSegment skips a segment and returns its length; frames are looked at.
func (s *scan) jpegSegment(r *bufio.Reader, marker byte) (int64, error) {
	var b [7]byte
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return 0, err
	}
	size := int(binary.BigEndian.Uint16(b[:]))
	read := 2
	if frame := marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc; frame {
		if _, err := io.ReadFull(r, b[2:]); err != nil {
			return 0, err
		}
		read = 7
		s.pixels(uint64(binary.BigEndian.Uint16(b[5:])), uint64(binary.BigEndian.Uint16(b[3:])))
	}
	if size < read {
		return 0, errors.New("a segment of impossible length")
	}
	_, err := r.Discard(size - read)
	return int64(size), err
}

// gif walks the blocks (GIF89a §12 and on).
func (s *scan) gif() {
	r := bufio.NewReaderSize(s.reader(), 64<<10)
	g := &gifScan{r: r}
	frames, err := g.run(s)
	switch {
	case err != nil:
		s.add("image.malformed", fmt.Sprintf("byte %d", g.at), err.Error())
	case frames == 0:
		s.add("image.malformed", "", "no image")
	case frames > 1:
		s.add("image.animated", "", fmt.Sprintf("%d frames", frames))
	}
	if err == nil {
		s.end(g.at)
	}
}

type gifScan struct {
	r  *bufio.Reader
	at int64
}

func (g *gifScan) read(n int) ([]byte, error) {
	b := make([]byte, n)
	m, err := io.ReadFull(g.r, b)
	g.at += int64(m)
	if err != nil {
		return nil, errors.New("cut short")
	}
	return b, nil
}

func colourTable(flags byte) int {
	if flags&0x80 == 0 {
		return 0
	}
	return 3 << (flags&7 + 1)
}

// run counts the frames; with an error, those before it.
func (g *gifScan) run(s *scan) (frames int, err error) {
	head, err := g.read(13)
	if err != nil {
		return 0, err
	}
	s.pixels(uint64(binary.LittleEndian.Uint16(head[6:])), uint64(binary.LittleEndian.Uint16(head[8:])))
	if _, err := g.read(colourTable(head[10])); err != nil {
		return 0, err
	}
	for parts := 0; frames <= maxGIFFrames && parts < maxImageParts; parts++ {
		kind, err := g.read(1)
		if err != nil {
			return frames, err
		}
		switch kind[0] {
		case 0x3b:
			return frames, nil
		case 0x21:
			if _, err = g.read(1); err == nil {
				err = g.blocks()
			}
		case 0x2c:
			frames++
			var d []byte
			if d, err = g.read(9); err == nil {
				if _, err = g.read(colourTable(d[8]) + 1); err == nil {
					err = g.blocks()
				}
			}
		default:
			err = errors.New("an unknown block")
		}
		if err != nil {
			return frames, err
		}
	}
	return frames, errors.New("too many frames or extensions")
}

func (g *gifScan) blocks() error {
	for {
		n, err := g.read(1)
		if err != nil || n[0] == 0 {
			return err
		}
		if _, err := g.read(int(n[0])); err != nil {
			return err
		}
	}
}

// bmp compares the sizes the headers state.
func (s *scan) bmp() {
	var h [26]byte
	if n, _ := s.r.ReadAt(h[:], 0); n < len(h) {
		s.add("image.malformed", "", "cut short")
		return
	}
	var width, height int64
	if binary.LittleEndian.Uint32(h[14:]) == 12 {
		width, height = int64(binary.LittleEndian.Uint16(h[18:])), int64(binary.LittleEndian.Uint16(h[20:]))
	} else {
		width, height = int64(int32(binary.LittleEndian.Uint32(h[18:]))), int64(int32(binary.LittleEndian.Uint32(h[22:])))
	}
	s.pixels(uint64(max(width, 0)), uint64(max(height, -height)))
	s.end(int64(binary.LittleEndian.Uint32(h[2:])))
}
