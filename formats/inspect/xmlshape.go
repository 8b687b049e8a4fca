package inspect

// xmlShape is all of a start-tag behind its name but the values of its
// attributes. A document has thousands of tags of a shape. Once one was read with
// care, another is compared with it, and only its values are still to be looked
// at.
type xmlShape struct {
	parts []string   // before each value, and behind the last
	names []*xmlName // of the attributes
	r     int        // the place of the first that is called r, -1 if none is
	empty bool

	next  xmlNext // what becomes of its elements
	scope int     // where that was said
}

const (
	maxXMLShapes    = 4  // of a name
	maxShapedValues = 16 // in a tag
	maxShapePart    = 64 // bytes
)

// valueByte tells the bytes of a value that stands for itself, in the quotes that
// nearly all use.
var valueByte = func() (t [256]bool) {
	for c, class := range textClass {
		t[c] = class == plainText || class == textBracket || c == '\''
	}
	return
}()

// xmlSpan is where a value is in the buffer.
type xmlSpan struct{ from, to int }

// shaped reads the rest of a tag of the name n at b[i] if it has a shape that is
// known, and the places of its values into w.spans. s is nil if not, or if it is
// not whole.
func (w *xmlWalk) shaped(n *xmlName, b []byte, i int) (s *xmlShape, end int) {
	for k, s := range n.shapes {
		if end := s.match(b, i, &w.spans); end > 0 {
			if k > 0 { // those that are met often come first
				n.shapes[k-1], n.shapes[k] = s, n.shapes[k-1]
			}
			return s, end
		}
	}
	return nil, 0
}

// match returns where a tag of that shape ends, 0 if it is of another.
func (s *xmlShape) match(b []byte, i int, spans *[maxShapedValues]xmlSpan) (end int) {
	for k, part := range s.parts {
		if len(b)-i < len(part) || string(b[i:i+len(part)]) != part {
			return 0
		}
		i += len(part)
		if k == len(s.names) {
			break
		}
		from := i
		for i < len(b) && valueByte[b[i]] {
			i++
		}
		spans[k] = xmlSpan{from, i}
	}
	return i
}

// shape remembers that of a tag that was read with its attributes; from is behind
// its name. It is none if the tag declares name spaces, or has values or a form
// that few have.
func (w *xmlWalk) shape(tag xmlTag, b []byte, from int) {
	if !tag.name.met { // many are met once
		tag.name.met = true
		return
	}
	if len(tag.name.shapes) == maxXMLShapes || len(w.written) > maxShapedValues {
		return
	}
	s := &xmlShape{empty: tag.empty, r: -1}
	for i, a := range w.written {
		if a.high || a.rewrite || a.name.prefix == "xmlns" || a.name.raw == "xmlns" || a.from-from > maxShapePart {
			return
		}
		if b[a.to] != '"' {
			return
		}
		s.parts = append(s.parts, string(b[from:a.from]))
		s.names = append(s.names, a.name)
		if s.r < 0 && a.name.local == "r" {
			s.r = i
		}
		from = a.to
	}
	if tag.end-from > maxShapePart {
		return
	}
	s.parts = append(s.parts, string(b[from:tag.end]))
	tag.name.shapes = append(tag.name.shapes, s)
}

// unshaped has the attributes in w.written, as those of any tag.
func (w *xmlWalk) unshaped(s *xmlShape) {
	w.written = w.written[:0]
	for i, n := range s.names {
		w.written = append(w.written, xmlAttribute{name: n, from: w.spans[i].from, to: w.spans[i].to})
	}
}
