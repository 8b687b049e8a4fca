package pdf

import (
	"bytes"
	"slices"
	"strconv"
)

// parser reads one object with a lexer, counting what it costs.
type parser struct {
	*lexer
	depth, maxDepth int
	items, maxItems int
	scratch         []byte   // text of a number
	stack           []Object // elements of the arrays being read
	names           *nameTable
	refs            *refTable

	// path holds the keys (or "[]") that lead to the value being read; trace, if set, sees the extent of each
	// value of a dictionary.
	path  []Name
	trace func(path []Name, from, to int64)
}

// parser gives the one that the file has: an object is read to its end before the next one is begun.
func (f *File) parser(l *lexer) *parser {
	p := &f.objects
	*p = parser{lexer: l, maxDepth: f.limits.Depth, maxItems: f.limits.ObjectItems, scratch: p.scratch, stack: p.stack[:0], names: p.names, refs: p.refs}
	if p.names == nil {
		p.names, p.refs = &nameTable{known: map[string]knownName{}}, &refTable{}
	}
	return p
}

// nameTable has the names that were met, so that the next of the same costs no memory: a document has a few hundred, each
// a hundred times.
type nameTable struct {
	known  map[string]knownName
	recent [256]knownName // some of them, by a hash
}

type knownName struct {
	name Name
	o    Object // the same
}

const (
	maxKnownNames = 4096
	maxKnownName  = 64 // bytes
)

func (t *nameTable) get(text []byte) knownName {
	hash := uint32(0)
	for _, c := range text {
		hash = 31*hash + uint32(c)
	}
	slot := &t.recent[(hash^hash>>8)%uint32(len(t.recent))]
	if string(slot.name) == string(text) && slot.o != nil {
		return *slot
	}
	n, ok := t.known[string(text)]
	if !ok {
		n.name = Name(text)
		n.o = n.name
		if len(t.known) < maxKnownNames && len(text) <= maxKnownName {
			t.known[string(n.name)] = n
		}
	}
	if len(text) <= maxKnownName {
		*slot = n
	}
	return n
}

// refTable has references that were met last, each where its number puts it: objects that stand together refer to the
// same page, or to the same parent.
type refTable [64]Object

func (t *refTable) get(ref Ref) Object {
	slot := &t[ref.Num%len(t)]
	if *slot != ref {
		*slot = ref
	}
	return *slot
}

// object reads any direct object or a reference.
func (p *parser) object() (Object, error) {
	p.skip()
	if p.items++; p.items > p.maxItems {
		return nil, failure(Limit, "an object has more than %d parts, at %s", p.maxItems, p.where(p.pos))
	}
	c, ok := p.peek()
	if !ok {
		return nil, p.end("an object")
	}
	switch {
	case c == '/':
		return p.nameObject()
	case c == '(':
		return p.literalString()
	case c == '[':
		return p.nested((*parser).array)
	case c == '<':
		from := p.pos
		if p.literal("<<") {
			p.pos = from
			return p.nested((*parser).dict)
		}
		return p.hexString()
	case c >= '0' && c <= '9':
		return p.numberOrRef()
	case c == '+' || c == '-' || c == '.':
		return p.number()
	case c == 't' && p.keyword("true"):
		return Bool(true), nil
	case c == 'f' && p.keyword("false"):
		return Bool(false), nil
	case c == 'n' && p.keyword("null"):
		return Null{}, nil
	}
	return nil, p.fail("an object is expected")
}

func (p *parser) nested(read func(*parser) (Object, error)) (Object, error) {
	if p.depth++; p.depth > p.maxDepth {
		return nil, failure(Limit, "objects are nested more than %d deep, at %s", p.maxDepth, p.where(p.pos))
	}
	o, err := read(p)
	p.depth--
	return o, err
}

func (p *parser) array() (Object, error) {
	p.pos++ // [
	if p.trace != nil {
		p.path = append(p.path, "[]")
	}
	from := len(p.stack)
	for {
		p.skip()
		c, ok := p.peek()
		if !ok {
			return nil, p.end("an array")
		}
		if c == ']' {
			p.pos++
			if p.trace != nil {
				p.path = p.path[:len(p.path)-1]
			}
			a := make(Array, len(p.stack)-from)
			copy(a, p.stack[from:])
			clear(p.stack[from:])
			p.stack = p.stack[:from]
			return a, nil
		}
		o, err := p.object()
		if err != nil {
			return nil, err
		}
		p.stack = append(p.stack, o)
	}
}

func (p *parser) dict() (Object, error) {
	p.pos += 2 // <<
	d := Dict{}
	var nulls map[Name]bool
	for {
		p.skip()
		c, ok := p.peek()
		if !ok {
			return nil, p.end("a dictionary")
		}
		if c == '>' {
			if !p.literal(">>") {
				return nil, p.fail("a dictionary ends with a single >")
			}
			return d, nil
		}
		if c != '/' {
			return nil, p.fail("a dictionary has a key that is not a name")
		}
		key, err := p.name()
		if err != nil {
			return nil, err
		}
		if _, twice := d[key]; twice || nulls[key] {
			return nil, p.fail("a dictionary has the key /%s twice", key)
		}
		value, err := p.value(key)
		if err != nil {
			return nil, err
		}
		if _, null := value.(Null); null {
			if nulls == nil {
				nulls = map[Name]bool{}
			}
			nulls[key] = true
			continue
		}
		d[key] = value
	}
}

// value reads the value of key and reports its extent.
func (p *parser) value(key Name) (Object, error) {
	if p.trace == nil {
		return p.object()
	}
	p.skip()
	from := p.pos
	p.path = append(p.path, key)
	o, err := p.object()
	if err == nil {
		p.trace(p.path, from, p.pos)
	}
	p.path = p.path[:len(p.path)-1]
	return o, err
}

// numberOrRef reads a number, or a reference "num gen R" (§7.3.10).
func (p *parser) numberOrRef() (Object, error) {
	if v, ref, n := plainNumber(p.window()); n > 0 {
		p.pos += int64(n)
		if ref.Num > 0 {
			return p.refs.get(ref), nil
		}
		return v, nil
	}
	o, err := p.number()
	num, isInt := o.(Integer)
	if err != nil || !isInt || num <= 0 {
		return o, err
	}
	back := p.pos
	if gen, ok := p.natural(); ok && gen <= 65535 && p.keyword("R") {
		if num > maxObjectNumber {
			return nil, p.fail("a reference to object number %d, which cannot exist", num)
		}
		return Ref{int(num), int(gen)}, nil
	}
	p.pos = back
	return o, nil
}

// plainNumber reads an integer or a reference that lies whole in b, with what ends it, in the form that nearly all have:
// digits, and single spaces. It is ref if that has a number, else v. n is 0 if it may be another form, or does not lie
// there whole; then the other way decides.
func plainNumber(b []byte) (v Integer, ref Ref, n int) {
	num, i := plainDigits(b, 0)
	if i == 0 || i+1 >= len(b) || class[b[i]] == regular || b[i] != ' ' && blank(b[i]) || b[i] == ' ' && blank(b[i+1]) {
		return 0, Ref{}, 0
	}
	gen, j := plainDigits(b, i+1)
	if num == 0 || b[i] != ' ' || j == i+1 {
		return Integer(num), Ref{}, i
	}
	if j+2 >= len(b) || b[j] != ' ' && blank(b[j]) || b[j] == ' ' && blank(b[j+1]) {
		return 0, Ref{}, 0
	}
	if b[j] != ' ' || b[j+1] != 'R' || class[b[j+2]] == regular || gen > 65535 {
		return Integer(num), Ref{}, i
	}
	if num > maxObjectNumber {
		return 0, Ref{}, 0
	}
	return 0, Ref{int(num), int(gen)}, j + 2
}

// blank: white space, or the beginning of a comment.
func blank(c byte) bool { return c == '%' || class[c] == white }

func plainDigits(b []byte, i int) (v int64, end int) {
	for end = i; end < len(b) && end < i+18 && b[end] >= '0' && b[end] <= '9'; end++ {
		v = v*10 + int64(b[end]-'0')
	}
	return v, end
}

// maxObjectNumber is the highest number of ISO 32000-1 Annex C, table C.1.
const maxObjectNumber = 8_388_607

// maxNumber is enough for every float64 without an exponent.
const maxNumber = 400

// number reads an integer or a real (§7.3.3). Exponents and repeated signs are no PDF.
func (p *parser) number() (Object, error) {
	text := p.scratch[:0]
	digits, points := 0, 0
	for {
		c, ok := p.peek()
		if !ok || class[c] != regular {
			break
		}
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.' && points == 0:
			points++
		case (c == '+' || c == '-') && len(text) == 0:
		default:
			return nil, p.fail("a number is not well formed")
		}
		if text = append(text, c); len(text) > maxNumber {
			return nil, p.fail("a number has more than %d characters", maxNumber)
		}
		p.pos++
	}
	p.scratch = text
	if digits == 0 {
		return nil, p.fail("a number has no digits")
	}
	s := string(text)
	if points == 0 {
		if v, err := strconv.ParseInt(s, 10, 64); err == nil {
			return Integer(v), nil
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, p.fail("a number is not well formed")
	}
	return Real(v), nil
}

func (p *parser) nameObject() (Object, error) {
	n, err := p.anyName()
	return n.o, err
}

func (p *parser) name() (Name, error) {
	n, err := p.anyName()
	return n.name, err
}

// maxName is far above the 127 bytes of Annex C, which newer producers pass.
const maxName = 4096

// anyName reads a name and resolves #xx (§7.3.5).
func (p *parser) anyName() (knownName, error) {
	p.pos++ // solidus
	w, i := p.window(), 0
	for i < len(w) && class[w[i]] == regular && w[i] != '#' && w[i] != '\v' {
		i++
	}
	if i < len(w) && class[w[i]] != regular && i <= maxName { // it lies whole in the window, as it is
		p.pos += int64(i)
		return p.names.get(w[:i]), nil
	}
	var out []byte
	for {
		c, ok := p.peek()
		if !ok || class[c] != regular {
			break
		}
		p.pos++
		if c == '\v' {
			return knownName{}, p.fail("a name has a vertical tabulator, which some readers take for white space")
		}
		if c == '#' {
			hi, ok1 := p.hexDigit()
			lo, ok2 := p.hexDigit()
			c = hi<<4 | lo
			if !ok1 || !ok2 || c == 0 {
				return knownName{}, p.fail("a name has a # that is not followed by the code of a character")
			}
		}
		if out = append(out, c); len(out) > maxName {
			return knownName{}, failure(Limit, "a name is longer than %d bytes, at %s", maxName, p.where(p.pos))
		}
	}
	return p.names.get(out), nil
}

func (p *parser) hexDigit() (byte, bool) {
	c, ok := p.peek()
	v, isHex := unhex(c)
	if !ok || !isHex {
		return 0, false
	}
	p.pos++
	return v, true
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// literalString reads a string in parentheses (§7.3.4.2).
func (p *parser) literalString() (Object, error) {
	p.pos++
	out := String{}
	for open := 1; ; {
		c, ok := p.peek()
		if !ok {
			return nil, p.end("a string")
		}
		if p.eol() { // any end-of-line mark in a string means a line feed
			out = append(out, '\n')
			continue
		}
		p.pos++
		switch c {
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return out, nil
			}
		case '\\':
			if c, ok = p.escape(); !ok {
				continue
			}
		}
		out = append(out, c)
	}
}

// escape reads what follows a reverse solidus; ok is false when it stands for nothing.
func (p *parser) escape() (c byte, ok bool) {
	if p.eol() {
		return 0, false
	}
	c, ok = p.peek()
	if !ok {
		return 0, false
	}
	if c >= '0' && c <= '7' {
		var v byte
		for i := 0; i < 3; i++ {
			c, ok = p.peek()
			if !ok || c < '0' || c > '7' {
				break
			}
			v = v<<3 | (c - '0') // high-order overflow is ignored, as the standard says
			p.pos++
		}
		return v, true
	}
	p.pos++
	switch c {
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	}
	return c, true
}

// digits tells what a byte is in a hexadecimal string: the value of a digit, white space, or something else.
var digits = func() (t [256]byte) {
	for c := range t {
		v, isHex := unhex(byte(c))
		switch {
		case isHex:
			t[c] = v
		case class[c] == white:
			t[c] = digitSpace
		default:
			t[c] = noDigit
		}
	}
	return
}()

const (
	digitSpace = 0x10
	noDigit    = 0x20
)

// hexString reads a string in angle brackets (§7.3.4.3). The /Contents of a signature is one of tens of kilobytes, so this
// goes through whole windows.
func (p *parser) hexString() (Object, error) {
	p.pos++
	out := String{}
	var half byte
	odd := false
	for {
		window := p.window()
		if window == nil {
			return nil, p.end("a string")
		}
		room := bytes.IndexByte(window, '>')
		if room < 0 {
			room = len(window)
		}
		out = slices.Grow(out, room/2+1)
		for i := 0; i < len(window); i++ {
			v := digits[window[i]]
			switch {
			case v < digitSpace && odd:
				out, odd = append(out, half<<4|v), false
			case v < digitSpace && i+1 < len(window) && digits[window[i+1]] < digitSpace:
				i++
				out = append(out, v<<4|digits[window[i]])
			case v < digitSpace:
				half, odd = v, true
			case window[i] == '>':
				p.pos += int64(i) + 1
				if odd {
					out = append(out, half<<4)
				}
				return out, nil
			case v == noDigit:
				p.pos += int64(i)
				return nil, p.fail("a hexadecimal string has a character that is no digit")
			}
		}
		p.pos += int64(len(window))
	}
}
