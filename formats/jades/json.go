package jades

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"sigillo/formats/cms"
)

// The limits of a JSON text. Payloads are one string each, so the count of values
// stays small in any honest file.
const (
	maxSize   = 128 << 20 // octets of a file
	maxDepth  = 24        // of nesting
	maxValues = 100_000   // in one text
)

type jsonKind byte

const (
	jsonNull jsonKind = iota
	jsonBool
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// value is a JSON value with its place in the text, so that a file can be added
// to without being written anew.
type value struct {
	kind       jsonKind
	text       string // of a string, decoded; of a number or boolean, as it stands
	start, end int    // in the source, end past the last octet
	names      []string
	items      []*value // of an array, or of an object beside names
}

// get gives a member of an object, nil if there is none.
func (v *value) get(name string) *value {
	if v == nil || v.kind != jsonObject {
		return nil
	}
	for i, n := range v.names {
		if n == name {
			return v.items[i]
		}
	}
	return nil
}

// str gives the text of a string member, "" if there is none.
func (v *value) str(name string) string {
	if m := v.get(name); m != nil && m.kind == jsonString {
		return m.text
	}
	return ""
}

// list gives the items of an array member, nil if there is none.
func (v *value) list(name string) []*value {
	if m := v.get(name); m != nil && m.kind == jsonArray {
		return m.items
	}
	return nil
}

// parser reads RFC 8259 JSON and refuses what readers disagree on: names that
// stand twice (RFC 7515 §4), also in other letters, which many readers take for
// the same, lone surrogates, invalid UTF-8, a byte-order mark.
type parser struct {
	src   string
	pos   int
	count int
}

// parseJSON reads one value that fills the text.
func parseJSON(src string) (*value, error) {
	p := &parser{src: src}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos != len(p.src) {
		return nil, p.broken("something follows the end of the JSON text")
	}
	return v, nil
}

func (p *parser) broken(msg string) error {
	return fail(cms.Malformed, "%s (at octet %d)", msg, p.pos)
}

func (p *parser) space() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *parser) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func (p *parser) value(depth int) (*value, error) {
	if p.count++; p.count > maxValues || depth > maxDepth {
		return nil, fail(cms.Limit, "the JSON text has more than %d values or %d levels", maxValues, maxDepth)
	}
	v := &value{start: p.pos}
	var err error
	switch c := p.peek(); {
	case c == '{':
		err = p.object(v, depth)
	case c == '[':
		err = p.array(v, depth)
	case c == '"':
		v.kind = jsonString
		v.text, err = p.string()
	case c == '-' || c >= '0' && c <= '9':
		v.kind = jsonNumber
		v.text, err = p.number()
	default:
		err = p.word(v)
	}
	v.end = p.pos
	return v, err
}

func (p *parser) word(v *value) error {
	for w, k := range map[string]jsonKind{"true": jsonBool, "false": jsonBool, "null": jsonNull} {
		if strings.HasPrefix(p.src[p.pos:], w) {
			v.kind, v.text = k, w
			p.pos += len(w)
			return nil
		}
	}
	return p.broken("a JSON value was expected")
}

// next goes over a separator: it reports whether another item follows.
func (p *parser) next(closing byte) (bool, error) {
	p.space()
	switch p.peek() {
	case ',':
		p.pos++
		p.space()
		return true, nil
	case closing:
		p.pos++
		return false, nil
	}
	return false, p.broken("a comma or the end of an object or array was expected")
}

func (p *parser) object(v *value, depth int) error {
	v.kind = jsonObject
	p.pos++
	if p.space(); p.peek() == '}' {
		p.pos++
		return nil
	}
	seen := map[string]bool{}
	for {
		if p.peek() != '"' {
			return p.broken("a name was expected")
		}
		name, err := p.string()
		if err != nil {
			return err
		}
		folded := strings.ToLower(strings.ToUpper(name)) // long s and the Kelvin sign are letters too
		if seen[folded] {
			return p.broken("the name " + strconv.Quote(name) + " stands twice in an object, perhaps in other letters")
		}
		seen[folded] = true
		if p.space(); p.peek() != ':' {
			return p.broken("a colon was expected")
		}
		p.pos++
		p.space()
		m, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		v.names, v.items = append(v.names, name), append(v.items, m)
		if more, err := p.next('}'); !more {
			return err
		}
	}
}

func (p *parser) array(v *value, depth int) error {
	v.kind = jsonArray
	p.pos++
	if p.space(); p.peek() == ']' {
		p.pos++
		return nil
	}
	for {
		m, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		v.items = append(v.items, m)
		if more, err := p.next(']'); !more {
			return err
		}
	}
}

func (p *parser) digits() int {
	from := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	return p.pos - from
}

func (p *parser) number() (string, error) {
	from := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	zero := p.peek() == '0'
	if n := p.digits(); n == 0 || zero && n > 1 {
		return "", p.broken("a number is broken")
	}
	if p.peek() == '.' {
		p.pos++
		if p.digits() == 0 {
			return "", p.broken("a number is broken")
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.pos++
		if c := p.peek(); c == '+' || c == '-' {
			p.pos++
		}
		if p.digits() == 0 {
			return "", p.broken("a number is broken")
		}
	}
	return p.src[from:p.pos], nil
}

// string reads a string. One without escapes, as every long one is, is not copied.
func (p *parser) string() (string, error) {
	p.pos++
	from := p.pos
	for p.pos < len(p.src) {
		switch c := p.src[p.pos]; {
		case c == '"':
			s := p.src[from:p.pos]
			p.pos++
			if !utf8.ValidString(s) {
				return "", p.broken("a string is not UTF-8")
			}
			return s, nil
		case c == '\\':
			return p.escaped(from)
		case c < 0x20:
			return "", p.broken("a string holds a control character")
		}
		p.pos++
	}
	return "", p.broken("a string has no end")
}

func (p *parser) escaped(from int) (string, error) {
	var b strings.Builder
	b.WriteString(p.src[from:p.pos])
	for p.pos < len(p.src) {
		c := p.src[p.pos]
		p.pos++
		switch {
		case c == '"':
			if !utf8.ValidString(b.String()) {
				return "", p.broken("a string is not UTF-8")
			}
			return b.String(), nil
		case c < 0x20:
			return "", p.broken("a string holds a control character")
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
		default:
			b.WriteByte(c)
		}
	}
	return "", p.broken("a string has no end")
}

func (p *parser) escape() (rune, error) {
	c := p.peek()
	p.pos++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 && c != 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return 0, p.broken("an escape is not known")
	}
	r, err := p.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !strings.HasPrefix(p.src[min(p.pos, len(p.src)):], `\u`) {
		return 0, p.broken("a surrogate stands alone")
	}
	p.pos += 2
	low, err := p.hex()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, p.broken("a surrogate stands alone")
	}
	return r, nil
}

func (p *parser) hex() (rune, error) {
	if p.pos+4 > len(p.src) {
		return 0, p.broken("an escape is cut short")
	}
	n, err := strconv.ParseUint(p.src[p.pos:p.pos+4], 16, 16)
	if err != nil {
		return 0, p.broken("an escape is broken")
	}
	p.pos += 4
	return rune(n), nil
}
