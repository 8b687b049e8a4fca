package pdf

import (
	"bufio"
	"errors"
	"io"
)

// readXRefStream reads the cross-reference stream at the lexer's position, of at most room entries
// (ISO 32000-1 §7.5.8). All values of its dictionary must be direct (§7.5.8.2).
func (f *File) readXRefStream(l *lexer, room int) (table, Dict, error) {
	from := l.pos
	_, o, err := f.indirect(l, nil)
	if err != nil {
		return nil, nil, err
	}
	s, ok := o.(*Stream)
	if !ok || s.Dict["Type"] != Name("XRef") {
		return nil, nil, malformed("a cross-reference stream is expected at %s", l.where(from))
	}
	if err := f.countTrailer(l, from, s.Offset); err != nil {
		return nil, nil, err
	}
	size, ok := s.Dict["Size"].(Integer)
	if !ok || size < 1 {
		return nil, nil, l.fail("a cross-reference stream has no valid /Size")
	}
	widths, err := xrefWidths(l, s.Dict)
	if err != nil {
		return nil, nil, err
	}
	ranges, count, err := f.xrefIndex(l, s.Dict, int64(size))
	if err != nil {
		return nil, nil, err
	}
	if count > int64(room) {
		return nil, nil, failure(Limit, "the file names more than %d objects, at %s", f.limits.Objects, l.where(from))
	}
	t, err := f.xrefRows(l, s, widths, ranges)
	if err != nil {
		return nil, nil, err
	}
	t, err = t.ordered(l)
	return t, s.Dict, err
}

func xrefWidths(l *lexer, d Dict) (w [3]int, err error) {
	a, ok := d["W"].(Array)
	if !ok || len(a) != 3 {
		return w, l.fail("/W of a cross-reference stream is not an array of three numbers")
	}
	for i, o := range a {
		v, ok := o.(Integer)
		if !ok || v < 0 || v > 8 {
			return w, l.fail("/W of a cross-reference stream has a width outside of 0 to 8")
		}
		w[i] = int(v)
	}
	if w[1] == 0 {
		return w, l.fail("/W of a cross-reference stream leaves no room for offsets")
	}
	return w, nil
}

// xrefIndex reads /Index: pairs of first object number and count; [0 Size] when missing.
func (f *File) xrefIndex(l *lexer, d Dict, size int64) (ranges [][2]int64, count int64, err error) {
	o, ok := d["Index"]
	if !ok {
		o = Array{Integer(0), Integer(size)}
	}
	a, ok := o.(Array)
	if !ok || len(a)%2 != 0 {
		return nil, 0, l.fail("/Index of a cross-reference stream is not an array of pairs")
	}
	for i := 0; i < len(a); i += 2 {
		first, ok1 := a[i].(Integer)
		n, ok2 := a[i+1].(Integer)
		if !ok1 || !ok2 || first < 0 || n < 0 {
			return nil, 0, l.fail("/Index of a cross-reference stream has an entry that is not a natural number")
		}
		if first > maxObjectNumber || n > maxObjectNumber || int64(first+n) > size {
			return nil, 0, l.fail("/Index of a cross-reference stream names objects beyond /Size")
		}
		if int64(first+n) > int64(f.limits.Objects)+1 {
			return nil, 0, failure(Limit, "the file has object numbers above %d", f.limits.Objects)
		}
		ranges = append(ranges, [2]int64{int64(first), int64(n)})
		count += int64(n)
	}
	return ranges, count, nil
}

// xrefRows decodes the rows. The data must hold exactly the rows that /Index announces.
func (f *File) xrefRows(l *lexer, s *Stream, w [3]int, ranges [][2]int64) (table, error) {
	data, err := f.decode(s, true)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(data)
	row := make([]byte, w[0]+w[1]+w[2])
	rows := int64(0)
	for _, rg := range ranges {
		rows += rg[1]
	}
	t := make(table, 0, min(rows, s.Length)) // a liar may announce any number
	for _, rg := range ranges {
		for num := rg[0]; num < rg[0]+rg[1]; num++ {
			if _, err := io.ReadFull(r, row); err != nil {
				if KindOf(err) != "" {
					return nil, err
				}
				return nil, l.fail("a cross-reference stream ends before the row of object %d", num)
			}
			e, err := xrefRow(row, w, int32(num), l)
			if err != nil {
				return nil, err
			}
			t = append(t, e)
		}
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		if KindOf(err) != "" {
			return nil, err
		}
		return nil, l.fail("a cross-reference stream has more rows than /Index announces")
	}
	return t, nil
}

// xrefRow reads one row (§7.5.8.3, tables 17 and 18). A type of entry that the standard does not know should mean null;
// no program writes one, and readers differ, so it is refused.
func xrefRow(row []byte, w [3]int, num int32, l *lexer) (entry, error) {
	field := func(from, n int) (v uint64) {
		for _, b := range row[from : from+n] {
			v = v<<8 | uint64(b)
		}
		return
	}
	kind := uint64(inUse)
	if w[0] > 0 {
		kind = field(0, w[0])
	}
	second, third := field(w[0], w[1]), field(w[0]+w[1], w[2])
	e := entry{num: num, kind: free}
	switch kind {
	case free:
		return e, nil
	case inUse:
		if num == 0 || second == 0 || second >= uint64(l.size) || third > 65535 {
			return e, l.fail("the cross-reference entry of object %d cannot be right", num)
		}
	case compressed:
		if num == 0 || second == 0 || second > maxObjectNumber || third > maxObjectNumber {
			return e, l.fail("the cross-reference entry of object %d cannot be right", num)
		}
	default:
		return e, l.fail("the cross-reference entry of object %d is of the unknown type %d", num, kind)
	}
	e.kind, e.off, e.aux = byte(kind), int64(second), int32(third)
	return e, nil
}
