package inspect

// xmlShape is all of a start-tag behind its name but the values of its
// attributes. A document has thousands of tags of a shape. Once one was read with
// care, another is compared with it, and only its values are still to be looked
// at.
type xmlShape struct {
	parts []string   // before each value, and behind the last
	names []*xmlName // of the attributes
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

// shaped reads the rest of a tag of the name n at b[i] if it has a shape that is
// known, and its attributes into w.written. s is nil if not, or if it is not whole.
func (w *xmlWalk) shaped(n *xmlName, b []byte, i int) (s *xmlShape, end int) {
	for k, s := range n.shapes {
		if end := s.match(w, b, i); end > 0 {
			if k > 0 { // those that are met often come first
				n.shapes[k-1], n.shapes[k] = s, n.shapes[k-1]
			}
			return s, end
		}
	}
	return nil, 0
}

// match returns where a tag of that shape ends, 0 if it is of another.
func (s *xmlShape) match(w *xmlWalk, b []byte, i int) (end int) {
	w.written = w.written[:0]
	last := len(s.names)
	for k, part := range s.parts {
		if len(b)-i < len(part) || string(b[i:i+len(part)]) != part {
			return 0
		}
		i += len(part)
		if k == last {
			break
		}
		from := i
		for i < len(b) && valueByte[b[i]] {
			i++
		}
		w.written = append(w.written, xmlAttribute{name: s.names[k], from: from, to: i})
	}
	return i
}

// shape remembers that of a tag that was read with its attributes; from is behind
// its name. It is nil if the tag declares name spaces, or has values or a form
// that few have.
func (w *xmlWalk) shape(tag *xmlTag, b []byte, from int) *xmlShape {
	if len(tag.name.shapes) == maxXMLShapes || len(w.written) > maxShapedValues {
		return nil
	}
	s := &xmlShape{empty: tag.empty}
	for _, a := range w.written {
		if a.high || a.rewrite || a.name.prefix == "xmlns" || a.name.raw == "xmlns" || a.from-from > maxShapePart {
			return nil
		}
		if b[a.to] != '"' {
			return nil
		}
		s.parts = append(s.parts, string(b[from:a.from]))
		s.names = append(s.names, a.name)
		from = a.to
	}
	if tag.end-from > maxShapePart {
		return nil
	}
	s.parts = append(s.parts, string(b[from:tag.end]))
	tag.name.shapes = append(tag.name.shapes, s)
	return s
}

// noted is the value of the attribute r.
func (s *xmlShape) noted(b []byte, written []xmlAttribute) []byte {
	for i, n := range s.names {
		if n.local == "r" {
			return b[written[i].from:written[i].to]
		}
	}
	return nil
}
