package pdf

import (
	"bytes"
	"errors"
	"io"
)

// Raw reads the data of a stream as it is in the file, with its filters and its encryption.
func (f *File) Raw(s *Stream) io.Reader { return io.NewSectionReader(f.r, s.Offset, s.Length) }

// Decoded applies all filters of a stream and returns its data if it is at most max bytes.
//
// Kinds of errors: Limit, Malformed, Encrypted, and Unsupported for image filters (DCTDecode, JPXDecode,
// CCITTFaxDecode, JBIG2Decode) and for data in another file (/F).
func (f *File) Decoded(s *Stream, max int64) ([]byte, error) {
	r, err := f.Decode(s)
	if err != nil {
		return nil, err
	}
	data := bytes.NewBuffer(make([]byte, 0, min(max, 4*s.Length)+bytes.MinRead))
	if _, err := data.ReadFrom(io.LimitReader(r, max+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > max {
		return nil, failure(Limit, "stream %s is more than %d bytes when decoded", s.Ref, max)
	}
	return data.Bytes(), nil
}

// Decode is [File.Decoded] as a reader, with no bound but [Limits].Inflated.
func (f *File) Decode(s *Stream) (io.Reader, error) {
	if f.encrypted && f.security == nil && s.Dict["Type"] != Name("XRef") {
		if f.locked == nil {
			return nil, malformed("the encryption dictionary lies in stream %s, which is encrypted", s.Ref)
		}
		return nil, f.locked
	}
	return f.decode(s, false)
}

// headSource is how much of a stream [File.Head] tries first: far more than the tables before the first bytes of
// deflated data take.
const headSource = 1 << 10

// Head is the first n bytes of what [File.Decode] gives, fewer if there are no more or the error is not nil. Inflating
// goes on for a window of 32 kB before it gives anything out; so most streams are read from the beginning of their data
// alone.
func (f *File) Head(s *Stream, n int) ([]byte, error) {
	b := make([]byte, n)
	if names, _, err := f.filters(s, false); err == nil && len(names) == 1 && names[0] == "FlateDecode" && f.security == nil && s.Length > headSource {
		short := *s
		short.Length = headSource
		if r, err := f.Decode(&short); err == nil {
			if _, err := io.ReadFull(r, b); err == nil {
				return b, nil
			}
		}
	}
	r, err := f.Decode(s)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadFull(r, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF { // of ReadFull; damage has an Error
		err = nil
	}
	return b[:got], err
}

// decode builds the chain of filters; direct refuses references in the dictionary, which a cross-reference stream may
// not have.
func (f *File) decode(s *Stream, direct bool) (io.Reader, error) {
	if _, external := s.Dict["F"]; external {
		return nil, failure(Unsupported, "the data of stream %s is in another file", s.Ref)
	}
	names, parms, err := f.filters(s, direct)
	if err != nil {
		return nil, err
	}
	r := io.Reader(&stored{f.Raw(s)})
	if f.security != nil && !direct {
		if r, err = f.security.openStream(s, names, parms, r); err != nil {
			return nil, err
		}
		if len(names) > 0 && names[0] == "Crypt" {
			names, parms = names[1:], parms[1:]
		}
		r = &counted{r: r, s: s}
	}
	for i, name := range names {
		if r, err = f.filter(r, name, parms[i], s.Ref); err != nil {
			return nil, err
		}
		r = &counted{r: r, f: f, s: s}
	}
	return r, nil
}

// stored tells failures of the underlying reader from damage in the data.
type stored struct{ io.Reader }

func (s *stored) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = &Error{Kind: Unreadable, Msg: "the file cannot be read", Err: err}
	}
	return n, err
}

// counted adds what a filter gives out to the File's account, if there is one, and names the stream in errors.
type counted struct {
	r io.Reader
	f *File
	s *Stream
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.f != nil {
		c.f.inflated += int64(n)
		if c.f.inflated > c.f.limits.Inflated {
			return 0, failure(Limit, "the streams of the file are more than %d bytes when decoded", c.f.limits.Inflated)
		}
	}
	if err != nil && err != io.EOF {
		var known *Error
		if !errors.As(err, &known) {
			err = &Error{Kind: Malformed, Msg: "the data of stream " + c.s.Ref.String() + " is damaged", Err: err}
		}
	}
	return n, err
}

// maxFilters bounds filters in a row: honest files use one or two.
const maxFilters = 8

// filters reads /Filter and /DecodeParms (ISO 32000-1 §7.3.8.2, table 5), each a single value or an array.
func (f *File) filters(s *Stream, direct bool) ([]Name, []Dict, error) {
	get := func(o Object) (Object, error) {
		if _, isRef := o.(Ref); isRef && direct {
			return nil, malformed("the dictionary of stream %s may have no references", s.Ref)
		}
		return f.Resolve(o)
	}
	list := func(key Name) (Array, error) {
		if s.Dict[key] == nil {
			return nil, nil
		}
		o, err := get(s.Dict[key])
		if err != nil {
			return nil, err
		}
		if a, ok := o.(Array); ok {
			return a, nil
		}
		return Array{o}, nil
	}
	filters, err := list("Filter")
	if err != nil {
		return nil, nil, err
	}
	parms, err := list("DecodeParms")
	if err != nil {
		return nil, nil, err
	}
	if len(filters) > maxFilters {
		return nil, nil, failure(Limit, "stream %s has more than %d filters", s.Ref, maxFilters)
	}
	names, dicts := make([]Name, len(filters)), make([]Dict, len(filters))
	for i, o := range filters {
		o, err := get(o)
		if err != nil {
			return nil, nil, err
		}
		name, ok := o.(Name)
		if !ok {
			return nil, nil, malformed("/Filter of stream %s is not a name", s.Ref)
		}
		names[i] = name
		if i >= len(parms) {
			continue
		}
		if o, err = get(parms[i]); err != nil {
			return nil, nil, err
		}
		switch d := o.(type) {
		case Dict:
			dicts[i] = d
		case Null:
		default:
			return nil, nil, malformed("/DecodeParms of stream %s is not a dictionary", s.Ref)
		}
	}
	return names, dicts, nil
}
