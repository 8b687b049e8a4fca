package c14n

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (p *parser) space() {
	for p.pos < len(p.src) && isSpace(p.src[p.pos]) {
		p.pos++
	}
}

// isChar is production [2] of XML 1.0.
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		(r >= 0x20 && r <= 0xD7FF) || (r >= 0xE000 && r <= 0xFFFD) || (r >= 0x10000 && r <= 0x10FFFF)
}

// isNameStart is production [4] of XML 1.0 (fifth edition) without the colon.
func isNameStart(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r == '_' || (r >= 'A' && r <= 'Z') || (r >= 'a' && r <= 'z')
	case r == 0xD7 || r == 0xF7 || r == 0x37E:
		return false
	}
	return (r >= 0xC0 && r <= 0x2FF) || (r >= 0x370 && r <= 0x1FFF) || r == 0x200C || r == 0x200D ||
		(r >= 0x2070 && r <= 0x218F) || (r >= 0x2C00 && r <= 0x2FEF) || (r >= 0x3001 && r <= 0xD7FF) ||
		(r >= 0xF900 && r <= 0xFDCF) || (r >= 0xFDF0 && r <= 0xFFFD) || (r >= 0x10000 && r <= 0xEFFFF)
}

// isNamePart is production [4a] without the colon.
func isNamePart(r rune) bool {
	return isNameStart(r) || r == '-' || r == '.' || (r >= '0' && r <= '9') ||
		r == 0xB7 || (r >= 0x300 && r <= 0x36F) || r == 0x203F || r == 0x2040
}

// ncName takes a name without a colon.
func (p *parser) ncName() (string, error) {
	start := p.pos
	for p.pos < len(p.src) && nameBytes[p.src[p.pos]] {
		p.pos++
	}
	if p.pos == start || p.src[start] == '-' || p.src[start] == '.' || p.src[start] >= '0' && p.src[start] <= '9' ||
		p.pos < len(p.src) && p.src[p.pos] >= utf8.RuneSelf || p.pos-start > p.lim.Name {
		p.pos = start
		return p.unusualName()
	}
	return p.src[start:p.pos], nil
}

// nameBytes are the ASCII characters of names.
var nameBytes = func() (t [256]bool) {
	for c := range utf8.RuneSelf {
		t[c] = isNamePart(rune(c))
	}
	return t
}()

// unusualName takes a name character by character and knows what is wrong.
func (p *parser) unusualName() (string, error) {
	start := p.pos
	for p.pos < len(p.src) {
		r, size := utf8.DecodeRuneInString(p.rest())
		if r == utf8.RuneError && size == 1 {
			return "", p.fail(Encoding, "the document is not valid UTF-8")
		}
		if !isNamePart(r) || (p.pos == start && !isNameStart(r)) {
			break
		}
		p.pos += size
		if p.pos-start > p.lim.Name {
			return "", p.fail(Limit, "a name is longer than %d bytes", p.lim.Name)
		}
	}
	if p.pos == start {
		return "", p.bad("a name is expected")
	}
	return p.src[start:p.pos], nil
}

// qualifiedName takes a QName (Namespaces in XML 1.0, production [7]).
func (p *parser) qualifiedName() (prefix, local string, err error) {
	if local, err = p.ncName(); err != nil {
		return "", "", err
	}
	if !strings.HasPrefix(p.rest(), ":") {
		return "", local, nil
	}
	p.pos++
	prefix = local
	if local, err = p.ncName(); err != nil {
		return "", "", err
	}
	return prefix, local, nil
}

// checked verifies that s has only characters XML allows.
func (p *parser) checked(s string) error {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < 0x20 && !isSpace(c) {
				return p.bad("the control character U+%04X is not allowed", c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return p.fail(Encoding, "the document is not valid UTF-8")
		}
		if !isChar(r) {
			return p.bad("the character U+%04X is not allowed", r)
		}
		i += size
	}
	return nil
}

// lineEnds applies XML 1.0 §2.11: CR LF and CR alone become LF.
func lineEnds(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// add appends a leaf to the tree, which ends where the parser stands.
func (p *parser) add(parent *Node, kind NodeKind, value string, start int) error {
	if err := p.count(); err != nil {
		return err
	}
	n := p.node(kind, parent)
	n.Value, n.Start, n.End = value, start, p.pos
	p.pending = append(p.pending, n)
	return nil
}

// Bytes that stand for themselves, in text and in the value of an attribute;
// most text has no others, and nothing needs to be done about it.
var plainText, plainValue = func() (text, value [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		text[c] = c != '<' && c != '&' && c != ']'
		value[c] = c != '<' && c != '&' && c != '"' && c != '\''
	}
	text['\t'], text['\n'] = true, true
	return text, value
}()

// plain finds the first byte from here on that does not stand for itself.
func (p *parser) plain(table *[256]bool) int {
	i := p.pos
	for i < len(p.src) && table[p.src[i]] {
		i++
	}
	return i
}

// characters parses character data up to the next markup, production [14].
func (p *parser) characters(parent *Node) error {
	start := p.pos
	if end := p.plain(&plainText); parent.Kind != DocumentNode && end < len(p.src) && p.src[end] == '<' {
		p.pos = end
		return p.add(parent, TextNode, p.src[start:end], start)
	}
	end := strings.IndexByte(p.rest(), '<')
	if end < 0 {
		end = len(p.rest())
	}
	s := p.src[start : start+end]
	if parent.Kind == DocumentNode {
		if strings.Trim(s, " \t\r\n") != "" {
			return p.bad("there is text outside the document element")
		}
		p.pos += end
		return nil
	}
	if strings.Contains(s, "]]>") {
		return p.bad("]]> is not allowed in text")
	}
	value, err := p.expand(lineEnds(s))
	if err != nil {
		return err
	}
	p.pos += end
	return p.add(parent, TextNode, value, start)
}

// attributeValue parses a quoted value and normalises it (XML 1.0 §3.3.3):
// literal white space becomes a space, referenced characters stay.
func (p *parser) attributeValue() (string, error) {
	if s := p.rest(); s == "" || (s[0] != '"' && s[0] != '\'') {
		return "", p.bad("an attribute value is not quoted")
	}
	quote := p.src[p.pos]
	p.pos++
	if end := p.plain(&plainValue); end < len(p.src) && p.src[end] == quote {
		value := p.src[p.pos:end]
		p.pos = end + 1
		return value, nil
	}
	p.pos--
	end := strings.IndexByte(p.src[p.pos+1:], quote)
	if end < 0 {
		return "", p.bad("an attribute value does not end")
	}
	s := p.src[p.pos+1 : p.pos+1+end]
	if strings.IndexByte(s, '<') >= 0 {
		return "", p.bad("< is not allowed in an attribute value")
	}
	if strings.ContainsAny(s, "\t\r\n") {
		s = spaces.Replace(s)
	}
	value, err := p.expand(s)
	if err != nil {
		return "", err
	}
	p.pos += end + 2
	return value, nil
}

var spaces = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ")

// expand resolves references and checks characters.
func (p *parser) expand(s string) (string, error) {
	if err := p.checked(s); err != nil {
		return "", err
	}
	amp := strings.IndexByte(s, '&')
	if amp < 0 {
		return s, nil
	}
	var b strings.Builder
	b.Grow(len(s))
	for amp >= 0 {
		b.WriteString(s[:amp])
		s = s[amp+1:]
		// The longest reference is a character reference; leading zeros are
		// legal but nobody needs many.
		end := strings.IndexByte(s[:min(len(s), 64)], ';')
		if end < 0 {
			return "", p.bad("& does not start a reference; write &amp;")
		}
		r, err := p.reference(s[:end])
		if err != nil {
			return "", err
		}
		b.WriteRune(r)
		s = s[end+1:]
		amp = strings.IndexByte(s, '&')
	}
	b.WriteString(s)
	return b.String(), nil
}

// reference resolves the inside of &…;, productions [66] to [68].
func (p *parser) reference(name string) (rune, error) {
	switch name {
	case "lt":
		return '<', nil
	case "gt":
		return '>', nil
	case "amp":
		return '&', nil
	case "quot":
		return '"', nil
	case "apos":
		return '\'', nil
	}
	if !strings.HasPrefix(name, "#") {
		return 0, p.fail(DTD, "the entity &%s; is not one of the five of XML and document type declarations are not accepted", name)
	}
	digits, base := name[1:], 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	if strings.ContainsAny(digits, "+-_") {
		return 0, p.bad("the character reference &%s; is malformed", name)
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || v > utf8.MaxRune || !isChar(rune(v)) {
		return 0, p.bad("the character reference &%s; does not name an XML character", name)
	}
	return rune(v), nil
}

func (p *parser) comment(parent *Node) error {
	start := p.pos
	s := p.src[p.pos+len("<!--"):]
	end := strings.Index(s, "--")
	if end < 0 || !strings.HasPrefix(s[end:], "-->") {
		return p.bad("a comment does not end, or has -- inside")
	}
	if err := p.checked(s[:end]); err != nil {
		return err
	}
	p.pos += len("<!--") + end + len("-->")
	return p.add(parent, CommentNode, lineEnds(s[:end]), start)
}

func (p *parser) cdata(parent *Node) error {
	if parent.Kind == DocumentNode {
		return p.bad("there is a CDATA section outside the document element")
	}
	start := p.pos
	s := p.src[p.pos+len("<![CDATA["):]
	end := strings.Index(s, "]]>")
	if end < 0 {
		return p.bad("a CDATA section does not end")
	}
	if err := p.checked(s[:end]); err != nil {
		return err
	}
	p.pos += len("<![CDATA[") + end + len("]]>")
	if end == 0 {
		return nil
	}
	return p.add(parent, TextNode, lineEnds(s[:end]), start)
}

// instruction parses a processing instruction, productions [16] and [17]; its
// target has no colon (Namespaces in XML 1.0 §7).
func (p *parser) instruction(parent *Node) error {
	start := p.pos
	p.pos += len("<?")
	target, err := p.ncName()
	if err != nil {
		return err
	}
	if strings.EqualFold(target, "xml") {
		return p.bad("an XML declaration is allowed only at the very start of the document")
	}
	s := p.rest()
	end := strings.Index(s, "?>")
	if end < 0 {
		return p.bad("a processing instruction does not end")
	}
	if end > 0 && !isSpace(s[0]) {
		return p.bad("the target of a processing instruction is malformed")
	}
	if err := p.checked(s[:end]); err != nil {
		return err
	}
	p.pos += end + len("?>")
	data := strings.TrimLeft(lineEnds(s[:end]), " \t\n")
	if err := p.add(parent, PINode, data, start); err != nil {
		return err
	}
	p.pending[len(p.pending)-1].Tag = &Tag{Local: target}
	return nil
}
