package pdf

import "fmt"

// objectStream reads and decodes object stream num (ISO 32000-1 §7.5.7).
func (f *File) objectStream(num int) (*objectStream, error) {
	if s := f.streams.get(num); s != nil {
		return s, nil
	}
	e, ok := f.table.find(num)
	if !ok || e.kind != inUse {
		return nil, malformed("object stream %d is missing, or in another object stream", num)
	}
	o, err := f.Get(Ref{num, int(e.aux)})
	if err != nil {
		return nil, err
	}
	s, ok := o.(*Stream)
	if !ok || s.Dict["Type"] != Name("ObjStm") {
		return nil, malformed("object %d should be an object stream", num)
	}
	n, err := f.lengthOf(s.Dict["N"])
	if err != nil {
		return nil, malformed("object stream %d has no valid /N", num)
	}
	first, err := f.lengthOf(s.Dict["First"])
	if err != nil {
		return nil, malformed("object stream %d has no valid /First", num)
	}
	data, err := f.Decoded(s, f.limits.ObjectStream)
	if err != nil {
		return nil, err
	}
	os := &objectStream{num: num, name: fmt.Sprintf("object stream %d", num), data: data}
	if err := os.index(n, first); err != nil {
		return nil, err
	}
	f.packed[s.Offset] = os.nums
	f.streams.put(os)
	return os, nil
}

// index reads the n pairs of object number and offset before first.
func (s *objectStream) index(n, first int64) error {
	name := s.name
	if first > int64(len(s.data)) || n > first/2 { // a pair is at least "1 0", and a space between pairs
		return malformed("%s is too short for its /N of %d and /First of %d", name, n, first)
	}
	l := newLexerSized(s.data[:first], name)
	for i := range n {
		num, ok1 := l.natural()
		off, ok2 := l.natural()
		if !ok1 || !ok2 || num < 1 || num > maxObjectNumber || off > int64(len(s.data))-first {
			return l.fail("entry %d is not the number and the offset of an object", i)
		}
		at := int(first + off)
		if i > 0 && at <= s.offs[i-1] {
			return l.fail("the offsets do not increase")
		}
		s.nums = append(s.nums, int(num))
		s.offs = append(s.offs, at)
	}
	if l.skipWhite(); l.pos != l.size {
		return l.fail("there is something between the entries and the first object")
	}
	return nil
}

// Packed is the numbers of the objects in the object stream s, in their order; ok is false if no object of it has been
// read yet. Treat the result as read-only.
func (f *File) Packed(s *Stream) (nums []int, ok bool) {
	nums, ok = f.packed[s.Offset]
	return nums, ok
}
