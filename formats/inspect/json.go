package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"io"
)

// isJSON: one JSON value (RFC 8259) and nothing else. One that is too large to
// be inspected is taken at its word.
func isJSON(r io.ReaderAt, size int64) bool {
	if size > maxMarkup {
		return true
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), text); err != nil {
		return false
	}
	return json.Valid(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
}

// jsonObject is an object, or with nil names an array, that has begun.
type jsonObject struct {
	names map[uint64]bool // hashes of the names so far
	value bool            // what comes next is the value of a name
}

// json looks for objects with two values of one name: which of them counts is up
// to the program (RFC 8259 §4).
func (s *scan) json() {
	in := io.Reader(s.reader())
	var mark [3]byte
	if n, _ := s.r.ReadAt(mark[:], 0); string(mark[:n]) == "\xef\xbb\xbf" {
		in = io.NewSectionReader(s.r, 3, s.size-3)
	}
	dec := json.NewDecoder(in)
	dec.UseNumber()
	seed := maphash.MakeSeed()
	var open []*jsonObject
	names := 0 // of all objects that are open
	for {
		token, err := dec.Token()
		if err != nil {
			return // its end: that it is well-formed was known before
		}
		switch token {
		case json.Delim('{'):
			open = append(open, &jsonObject{names: map[uint64]bool{}})
			continue
		case json.Delim('['):
			open = append(open, &jsonObject{})
			continue
		case json.Delim('}'), json.Delim(']'):
			names -= len(open[len(open)-1].names)
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			continue
		}
		top := open[len(open)-1]
		name, ok := token.(string)
		if top.names == nil || top.value || !ok {
			top.value = false
			continue
		}
		top.value = true
		sum := maphash.String(seed, name)
		if top.names[sum] {
			s.add("json.duplicate", fmt.Sprintf("byte %d", dec.InputOffset()), name)
		} else if names++; names > maxJSONNames {
			s.add("inspect.failed", "", "too many names in one object")
			return
		}
		top.names[sum] = true
	}
}
