package pdf

import (
	"bufio"
	"io"
)

// maxRow bounds one row of predicted data, in bytes.
const maxRow = 16 << 20

// predict undoes the predictor that /DecodeParms names (ISO 32000-1 §7.4.4.4).
func (f *File) predict(r io.Reader, parms Dict, ref Ref) (io.Reader, error) {
	kind, err := f.parm(parms, "Predictor", 1)
	if err != nil || kind == 1 {
		return r, err
	}
	colors, err1 := f.parm(parms, "Colors", 1)
	bits, err2 := f.parm(parms, "BitsPerComponent", 8)
	columns, err3 := f.parm(parms, "Columns", 1)
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return nil, err
		}
	}
	depth := bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16
	if kind != 2 && (kind < 10 || kind > 15) || colors < 1 || colors > 32 || !depth || columns < 1 {
		return nil, malformed("/DecodeParms of stream %s cannot be right", ref)
	}
	rowBits := int64(colors) * int64(bits) * int64(columns)
	if rowBits > maxRow*8 {
		return nil, failure(Limit, "the rows of stream %s are longer than %d bytes", ref, maxRow)
	}
	row := int(rowBits+7) / 8
	if kind == 2 {
		return &tiffRows{rows: rows{r: r, cur: make([]byte, row)}, colors: colors, bits: bits, columns: columns}, nil
	}
	return &pngRows{rows: rows{r: bufio.NewReader(r), cur: make([]byte, row)}, prev: make([]byte, row), pixel: max(1, colors*bits/8)}, nil
}

// rows hands out decoded rows; the data must end with a whole row.
type rows struct {
	r    io.Reader
	cur  []byte
	left []byte // of cur, not yet handed out
}

func (s *rows) read(p []byte, next func() error) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(s.left) == 0 {
		if err := next(); err != nil {
			return 0, err
		}
		s.left = s.cur
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}

type pngRows struct {
	rows
	prev  []byte
	pixel int // bytes from one pixel to the next
	tag   [1]byte
}

func (s *pngRows) Read(p []byte) (int, error) { return s.read(p, s.next) }

// next undoes one row of the PNG filters (ISO/IEC 15948 §9), whose type is the first byte of each row.
func (s *pngRows) next() error {
	if _, err := io.ReadFull(s.r, s.tag[:]); err != nil {
		return err
	}
	s.cur, s.prev = s.prev, s.cur
	if _, err := io.ReadFull(s.r, s.cur); err != nil {
		return whole(err)
	}
	cur, prev, n := s.cur, s.prev, s.pixel
	switch s.tag[0] {
	case 0:
	case 1:
		for i := n; i < len(cur); i++ {
			cur[i] += cur[i-n]
		}
	case 2:
		for i := range cur {
			cur[i] += prev[i]
		}
	case 3:
		for i := range cur {
			left := 0
			if i >= n {
				left = int(cur[i-n])
			}
			cur[i] += byte((left + int(prev[i])) / 2)
		}
	case 4:
		for i := range cur {
			var a, c byte
			if i >= n {
				a, c = cur[i-n], prev[i-n]
			}
			cur[i] += paeth(a, prev[i], c)
		}
	default:
		return malformed("a row has the PNG filter %d, which does not exist", s.tag[0])
	}
	return nil
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}

// tiffRows undoes TIFF predictor 2: each component is the difference to the one of the pixel before.
type tiffRows struct {
	rows
	colors, bits, columns int
}

func (s *tiffRows) Read(p []byte) (int, error) { return s.read(p, s.next) }

func (s *tiffRows) next() error {
	if _, err := io.ReadFull(s.r, s.cur); err != nil {
		return err
	}
	cur := s.cur
	switch s.bits {
	case 8:
		for i := s.colors; i < len(cur); i++ {
			cur[i] += cur[i-s.colors]
		}
	case 16:
		for i := 2 * s.colors; i+1 < len(cur); i += 2 {
			v := uint16(cur[i])<<8 | uint16(cur[i+1])
			j := i - 2*s.colors
			v += uint16(cur[j])<<8 | uint16(cur[j+1])
			cur[i], cur[i+1] = byte(v>>8), byte(v)
		}
	default:
		mask := byte(1)<<s.bits - 1
		for i := s.colors; i < s.colors*s.columns; i++ {
			at, shift := s.place(i)
			before, down := s.place(i - s.colors)
			v := (cur[at]>>shift + cur[before]>>down) & mask
			cur[at] = cur[at]&^(mask<<shift) | v<<shift
		}
	}
	return nil
}

// place tells in which byte component i of a row lies, and how far it is shifted there.
func (s *tiffRows) place(i int) (at int, shift uint) {
	bit := i * s.bits
	return bit / 8, uint(8 - s.bits - bit%8)
}
