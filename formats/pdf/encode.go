package pdf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

type (
	// NewStream is a stream for an [Update]; its data is encoded as Dict says, but for the encryption of the file, which the
	// update adds. /Length is set.
	NewStream struct {
		Dict Dict
		Data []byte
		// Source, if it is set, takes the place of Data: Size bytes that are copied when the update is written and never
		// wholly in memory. It must give the same bytes each time.
		Source io.ReaderAt
		Size   int64
	}
	// Verbatim is text for an [Update] that is written as it is: a value that will be filled in later, such as
	// the /Contents of a signature. When the update is encoded, Offset receives where in the file it begins.
	Verbatim struct {
		Text   []byte
		Offset *int64
	}
)

func (*NewStream) isObject() {}
func (Verbatim) isObject()   {}

// encoder writes objects; base is the offset in the file of out[0].
type encoder struct {
	out  []byte
	base int64
	sink io.Writer // gets out at each flush

	security *security // nil while nothing is to be encrypted
	ref      Ref       // the object being written
	strings  int       // how many strings it has so far
}

// flush hands over what is written.
func (e *encoder) flush() error {
	n, err := e.sink.Write(e.out)
	e.base += int64(n)
	e.out = e.out[:0]
	if err != nil {
		return &Error{Kind: Unwritable, Msg: "the update cannot be written", Err: err}
	}
	return nil
}

// object writes o so that reading it again gives o.
func (e *encoder) object(o Object, depth int) error {
	if depth > DefaultLimits.Depth {
		return failure(Limit, "an object to be written is nested more than %d deep", DefaultLimits.Depth)
	}
	switch o := o.(type) {
	case nil, Null:
		e.out = append(e.out, "null"...)
	case Bool:
		e.out = strconv.AppendBool(e.out, bool(o))
	case Integer:
		e.out = strconv.AppendInt(e.out, int64(o), 10)
	case Real:
		if math.IsNaN(float64(o)) || math.IsInf(float64(o), 0) {
			return malformed("a number to be written is not finite")
		}
		if o == 0 {
			o = 0 // -0 would be written with its sign, and read as the integer without
		}
		e.out = strconv.AppendFloat(e.out, float64(o), 'f', -1, 64)
	case String:
		return e.str(o)
	case Name:
		e.name(o)
	case Ref:
		e.out = fmt.Appendf(e.out, "%d %d R", o.Num, o.Gen)
	case Array:
		return e.array(o, depth)
	case Dict:
		return e.dict(o, depth)
	case Verbatim:
		if o.Offset != nil {
			*o.Offset = e.base + int64(len(e.out))
		}
		e.out = append(e.out, o.Text...)
	default:
		return malformed("%s cannot be written here", typeName(o))
	}
	return nil
}

func (e *encoder) array(a Array, depth int) error {
	e.out = append(e.out, '[')
	for i, o := range a {
		if i > 0 {
			e.out = append(e.out, ' ')
		}
		if err := e.object(o, depth+1); err != nil {
			return err
		}
	}
	e.out = append(e.out, ']')
	return nil
}

// dict writes the keys in order, so that the same update always gives the same bytes.
func (e *encoder) dict(d Dict, depth int) error {
	keys := make([]Name, 0, len(d))
	for k := range d {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	e.out = append(e.out, "<<"...)
	for _, k := range keys {
		e.name(k)
		e.out = append(e.out, ' ')
		security := e.security
		if k == "Contents" && isSignature(d) {
			e.security = nil
		}
		err := e.object(d[k], depth+1)
		e.security = security
		if err != nil {
			return err
		}
	}
	e.out = append(e.out, ">>"...)
	return nil
}

func (e *encoder) name(n Name) {
	e.out = append(e.out, '/')
	for i := range len(n) {
		c := n[i]
		if c == '#' || c < '!' || c > '~' || class[c] != regular {
			e.out = fmt.Appendf(e.out, "#%02X", c)
			continue
		}
		e.out = append(e.out, c)
	}
}

// str writes a string in parentheses if it is plain ASCII, else in hexadecimal.
func (e *encoder) str(s String) error {
	if e.security != nil && e.security.strings != identity {
		var err error
		e.strings++
		if s, err = e.security.sealString(e.ref, e.strings, s); err != nil {
			return err
		}
	}
	for _, c := range s {
		if c < ' ' || c > '~' || c == '(' || c == ')' || c == '\\' {
			e.out = append(e.out, '<')
			e.out = hex.AppendEncode(e.out, s)
			e.out = append(e.out, '>')
			return nil
		}
	}
	e.out = append(e.out, '(')
	e.out = append(e.out, s...)
	e.out = append(e.out, ')')
	return nil
}

// indirect writes "num gen obj … endobj" and returns its offset in the file.
func (e *encoder) indirect(ref Ref, o Object) (int64, error) {
	at := e.base + int64(len(e.out))
	e.ref, e.strings = ref, 0
	e.out = fmt.Appendf(e.out, "%d %d obj\n", ref.Num, ref.Gen)
	var err error
	if s, ok := o.(*NewStream); ok {
		err = e.stream(s)
	} else {
		err = e.object(o, 0)
	}
	e.out = append(e.out, "\nendobj\n"...)
	return at, err
}

// stream writes a stream, and encrypts it as what it is.
func (e *encoder) stream(s *NewStream) error {
	data := s.Source
	size := s.Size
	if data == nil {
		data, size = bytes.NewReader(s.Data), int64(len(s.Data))
	}
	if size < 0 {
		return malformed("a stream to be written has a size of %d bytes", size)
	}
	m, err := e.method(s.Dict)
	if err != nil {
		return err
	}
	d := s.Dict.Clone()
	if d == nil {
		d = Dict{}
	}
	d["Length"] = Integer(sealedSize(m, size))
	if err := e.object(d, 0); err != nil {
		return err
	}
	e.out = append(e.out, "\nstream\n"...)
	if err := e.flush(); err != nil {
		return err
	}
	if err := e.copy(m, data, size); err != nil {
		return err
	}
	e.out = append(e.out, "\nendstream"...)
	return nil
}

// method is how a new stream is encrypted.
func (e *encoder) method(d Dict) (method, error) {
	if e.security == nil {
		return identity, nil
	}
	first := func(o Object) Object {
		if a, ok := o.(Array); ok {
			if len(a) == 0 {
				return nil
			}
			return a[0]
		}
		return o
	}
	name, _ := first(d["Filter"]).(Name)
	parms, _ := first(d["DecodeParms"]).(Dict)
	return e.security.streamMethod(d, []Name{name}, []Dict{parms})
}

// copy writes the data of a stream through the encryption to the sink.
func (e *encoder) copy(m method, data io.ReaderAt, size int64) error {
	h := sha256.New()
	if m == aesV2 || m == aesV3 { // the vector depends on the data
		if err := copyExactly(h, data, size); err != nil {
			return err
		}
	}
	out := &sinkWriter{e}
	w := io.WriteCloser(unsealed{out})
	if m != identity {
		var err error
		if w, err = e.security.newSealer(out, m, e.ref, h.Sum(nil)); err != nil {
			return err
		}
	}
	if err := copyExactly(w, data, size); err != nil {
		return err
	}
	return w.Close()
}

// sinkWriter writes to the sink of an encoder and moves its base.
type sinkWriter struct{ e *encoder }

func (s *sinkWriter) Write(p []byte) (int, error) {
	n, err := s.e.sink.Write(p)
	s.e.base += int64(n)
	if err != nil {
		err = &Error{Kind: Unwritable, Msg: "the update cannot be written", Err: err}
	}
	return n, err
}

func copyExactly(w io.Writer, r io.ReaderAt, size int64) error {
	n, err := io.Copy(w, struct{ io.Reader }{io.NewSectionReader(r, 0, size)})
	switch {
	case KindOf(err) != "":
		return err
	case err != nil:
		return &Error{Kind: Unreadable, Msg: "the data of a new stream cannot be copied", Err: err}
	case n != size:
		return failure(Truncated, "the data of a new stream has %d bytes instead of %d", n, size)
	}
	return nil
}
