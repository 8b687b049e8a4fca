package pdf

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
)

type (
	// NewStream is a stream for an [Update]. /Length is set from Data.
	NewStream struct {
		Dict Dict
		Data []byte // encoded as Dict says
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
		e.out = strconv.AppendFloat(e.out, float64(o), 'f', -1, 64)
	case String:
		e.str(o)
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
		if err := e.object(d[k], depth+1); err != nil {
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
func (e *encoder) str(s String) {
	for _, c := range s {
		if c < ' ' || c > '~' || c == '(' || c == ')' || c == '\\' {
			e.out = append(e.out, '<')
			e.out = hex.AppendEncode(e.out, s)
			e.out = append(e.out, '>')
			return
		}
	}
	e.out = append(e.out, '(')
	e.out = append(e.out, s...)
	e.out = append(e.out, ')')
}

// indirect writes "num gen obj … endobj" and returns its offset in the file.
func (e *encoder) indirect(ref Ref, o Object) (int64, error) {
	at := e.base + int64(len(e.out))
	e.out = fmt.Appendf(e.out, "%d %d obj\n", ref.Num, ref.Gen)
	if s, ok := o.(*NewStream); ok {
		d := Dict{}
		for k, v := range s.Dict {
			d[k] = v
		}
		d["Length"] = Integer(len(s.Data))
		if err := e.object(d, 0); err != nil {
			return 0, err
		}
		e.out = append(e.out, "\nstream\n"...)
		e.out = append(e.out, s.Data...)
		e.out = append(e.out, "\nendstream"...)
	} else if err := e.object(o, 0); err != nil {
		return 0, err
	}
	e.out = append(e.out, "\nendobj\n"...)
	return at, nil
}
