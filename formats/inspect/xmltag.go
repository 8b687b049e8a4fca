package inspect

import (
	"errors"
	"fmt"
)

// xmlTag is a start-tag that lies whole in the buffer of the reader.
type xmlTag struct {
	name  *xmlName
	shape *xmlShape // nil: it has none that is known
	empty bool
	end   int // where the next token begins
}

// xmlAttribute is one of its attributes: the value is buf[from:to].
type xmlAttribute struct {
	name          *xmlName
	from, to      int
	high, rewrite bool // see xmlReader.content
}

// errXMLShort: the buffer ends within the tag, which is then read once more from
// its beginning.
var errXMLShort = errors.New("the tag is not whole")

// refill reads until the buffer is full. Were it content with less, a long tag
// would be begun too often.
func (r *xmlReader) refill() error {
	if _, ok := r.more(r.pos); !ok {
		return r.ended()
	}
	for r.end < len(r.buf) && r.err == nil {
		r.more(r.pos)
	}
	return nil
}

// tag reads the start-tag at the position, which stays, and its attributes into
// w.written or, if it has a shape, w.spans.
func (w *xmlWalk) tag() (xmlTag, error) {
	w.element++
	b := w.r.buf[:w.r.end]
	n, i, err := w.tagName(b, w.r.pos+1)
	if err != nil {
		return xmlTag{}, err
	}
	if s, end := w.shaped(n, b, i); s != nil {
		return xmlTag{n, s, s.empty, end}, nil
	}
	return w.anyTag(n, b, i)
}

// anyTag reads a start-tag of the name n behind that, at b[i].
func (w *xmlWalk) anyTag(n *xmlName, b []byte, i int) (tag xmlTag, err error) {
	w.written = w.written[:0]
	tag.name = n
	from := i
	for err == nil {
		for i < len(b) && xmlSpace[b[i]] {
			i++
		}
		switch {
		case i == len(b), b[i] == '/' && i+1 == len(b):
			return tag, errXMLShort
		case b[i] == '>':
			tag.end = i + 1
			w.shape(tag, b, from)
			return tag, nil
		case b[i] == '/' && b[i+1] == '>':
			tag.empty, tag.end = true, i+2
			w.shape(tag, b, from)
			return tag, nil
		case b[i] == '/':
			return tag, w.r.fail(errors.New("/ without > in an element"))
		case len(w.written) >= maxXMLAttributes:
			return tag, w.r.fail(errors.New("too many attributes"))
		}
		i, err = w.attribute(b, i)
	}
	return tag, err
}

// attribute reads the one that begins at b[i] and returns where it ends.
func (w *xmlWalk) attribute(b []byte, i int) (end int, err error) {
	n, i, err := w.tagName(b, i)
	if err != nil {
		return i, err
	}
	if n.element == w.element {
		return i, w.r.fail(fmt.Errorf("attribute %s twice", n.raw))
	}
	n.element = w.element
	for i < len(b) && xmlSpace[b[i]] {
		i++
	}
	if i < len(b) && b[i] != '=' {
		return i, w.r.fail(errors.New("an attribute without ="))
	}
	for i++; i < len(b) && xmlSpace[b[i]]; i++ {
	}
	if i >= len(b) {
		return i, errXMLShort
	}
	quote := b[i]
	if quote != '"' && quote != '\'' {
		return i, w.r.fail(errors.New("the value of an attribute without quotes"))
	}
	i++
	a := xmlAttribute{name: n, from: i}
	for ; i < len(b); i++ {
		switch textClass[b[i]] {
		case plainText, textBracket:
		case textQuote:
			if b[i] == quote {
				a.to = i
				w.written = append(w.written, a)
				return i + 1, nil
			}
		case textEntity, textReturn:
			a.rewrite = true
		case textHigh:
			a.high = true
		case textMarkup:
			return i, w.r.fail(errors.New("< in the value of an attribute"))
		default:
			return i, w.r.fail(fmt.Errorf("character U+%04X", b[i]))
		}
	}
	return i, errXMLShort
}

// tagName reads the name at b[i:] and finds it among those that were met before.
func (w *xmlWalk) tagName(b []byte, i int) (n *xmlName, end int, err error) {
	from, hash := i, uint32(0)
	for i < len(b) && nameByte[b[i]] {
		hash = 31*hash + uint32(b[i])
		i++
	}
	raw := b[from:i]
	switch {
	case i == len(b):
		return nil, i, errXMLShort
	case len(raw) == 0:
		return nil, i, w.r.fail(errors.New("a name is expected"))
	}
	slot := &w.recent[(hash^hash>>8)%uint32(len(w.recent))]
	if n := *slot; n != nil && n.raw == string(raw) {
		return n, i, nil
	}
	if n = w.names[string(raw)]; n == nil {
		if n, err = newXMLName(string(raw)); err != nil {
			return nil, i, w.r.fail(err)
		}
		w.names[n.raw] = n
	}
	*slot = n
	return n, i, nil
}

var xmlSpace = [256]bool{' ': true, '\n': true, '\t': true, '\r': true}
