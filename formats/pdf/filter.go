package pdf

import (
	"bufio"
	"compress/lzw"
	"encoding/ascii85"
	"errors"
	"io"

	"github.com/klauspost/compress/zlib"
	tifflzw "golang.org/x/image/tiff/lzw"
)

// filter wraps r in the decoder of one filter (ISO 32000-1 §7.4). The abbreviations of inline images are not
// valid for streams and not accepted.
func (f *File) filter(r io.Reader, name Name, parms Dict, ref Ref) (io.Reader, error) {
	switch name {
	case "FlateDecode":
		return f.predict(&flate{src: bufio.NewReaderSize(r, 4096), f: f}, parms, ref)
	case "LZWDecode":
		early, err := f.parm(parms, "EarlyChange", 1)
		if err != nil {
			return nil, err
		}
		if early == 0 {
			return f.predict(lzw.NewReader(r, lzw.MSB, 8), parms, ref)
		}
		return f.predict(tifflzw.NewReader(r, tifflzw.MSB, 8), parms, ref)
	case "ASCII85Decode":
		return ascii85.NewDecoder(&until{r: bufio.NewReaderSize(r, 4096)}), nil
	case "ASCIIHexDecode":
		return &hexReader{r: bufio.NewReaderSize(r, 4096)}, nil
	case "RunLengthDecode":
		return &runLength{r: bufio.NewReaderSize(r, 4096)}, nil
	case "DCTDecode", "JPXDecode", "CCITTFaxDecode", "JBIG2Decode":
		return nil, failure(Unsupported, "stream %s is an image (%s)", ref, name)
	case "Crypt":
		return nil, malformed("stream %s has a filter /Crypt that is not its first, or that the file's encryption does not have", ref)
	}
	return nil, malformed("stream %s has the filter /%s, which does not exist", ref, name)
}

// parm reads an integer of /DecodeParms.
func (f *File) parm(d Dict, key Name, def int) (int, error) {
	if d == nil || d[key] == nil {
		return def, nil
	}
	v, ok, err := As[Integer](f, d[key])
	if err != nil {
		return 0, err
	}
	if !ok {
		return def, nil
	}
	if v < 0 || v > 1<<30 {
		return 0, malformed("/%s of /DecodeParms is out of range", key)
	}
	return int(v), nil
}

// flate opens the zlib stream at the first read, so that building a chain of filters does no work. No data at all is read as
// empty, as everybody does: several programs compress nothing to nothing.
type flate struct {
	src *bufio.Reader
	z   io.ReadCloser
	f   *File // keeps what inflates, for the next stream
	err error // the stream is over
}

func (f *flate) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if f.z == nil {
		if _, err := f.src.Peek(1); err == io.EOF {
			return 0, io.EOF
		}
		if err := f.open(); err != nil {
			return 0, whole(err)
		}
	}
	n, err := f.z.Read(p)
	if err != nil {
		if err != io.EOF {
			err = whole(err)
		}
		f.f.inflater, f.z, f.err = f.z, nil, err
	}
	return n, err
}

func (f *flate) open() (err error) {
	if z, ok := f.f.inflater.(zlib.Resetter); ok {
		f.z, f.f.inflater = f.f.inflater, nil
		if err = z.Reset(f.src, nil); err != nil {
			f.err = whole(err)
		}
		return err
	}
	f.z, err = zlib.NewReader(f.src)
	return err
}

// whole keeps an early end from looking like a good one: io.EOF from inside of the data is damage.
func whole(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// until reads up to the mark ~> that ends ASCII base-85 data (§7.4.3), which must be there.
type until struct {
	r    *bufio.Reader
	done bool
}

func (u *until) Read(p []byte) (int, error) {
	if u.done {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		c, err := u.r.ReadByte()
		if err != nil {
			return n, whole(err)
		}
		if c == '~' {
			if c, err = u.r.ReadByte(); err != nil || c != '>' {
				return n, io.ErrUnexpectedEOF
			}
			u.done = true
			return n, nil
		}
		p[n] = c
		n++
	}
	return n, nil
}

// hexReader decodes hexadecimal digits up to > (§7.4.2).
type hexReader struct {
	r    *bufio.Reader
	done bool
}

func (h *hexReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && !h.done {
		hi, end, err := h.digit()
		if err != nil {
			return n, err
		}
		if end {
			break
		}
		lo, end, err := h.digit()
		if err != nil {
			return n, err
		}
		if end {
			lo = 0 // an odd digit at the end is followed by a zero
		}
		p[n] = hi<<4 | lo
		n++
	}
	if n == 0 && h.done {
		return 0, io.EOF
	}
	return n, nil
}

func (h *hexReader) digit() (v byte, end bool, err error) {
	for {
		c, err := h.r.ReadByte()
		if err != nil {
			return 0, false, whole(err)
		}
		if c == '>' {
			h.done = true
			return 0, true, nil
		}
		if v, ok := unhex(c); ok {
			return v, false, nil
		}
		if class[c] != white {
			return 0, false, errors.New("a character is no hexadecimal digit")
		}
	}
}

// runLength decodes runs (§7.4.5); 128 ends the data.
type runLength struct {
	r    *bufio.Reader
	left int  // bytes left of the current run
	same bool // the run repeats b, else it is copied
	b    byte
	done bool
}

func (r *runLength) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if r.left == 0 {
			if r.done {
				break
			}
			if err := r.next(); err != nil {
				return n, whole(err)
			}
			continue
		}
		b := r.b
		if !r.same {
			var err error
			if b, err = r.r.ReadByte(); err != nil {
				return n, whole(err)
			}
		}
		p[n] = b
		n++
		r.left--
	}
	if n == 0 && r.done && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *runLength) next() error {
	c, err := r.r.ReadByte()
	switch {
	case err != nil:
		return err
	case c == 128:
		r.done = true
	case c < 128:
		r.left, r.same = int(c)+1, false
	default:
		r.left, r.same = 257-int(c), true
		r.b, err = r.r.ReadByte()
	}
	return err
}
