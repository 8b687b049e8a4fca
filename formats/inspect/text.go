package inspect

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// encodings is what a pass over bytes says about their encoding.
type encodings struct {
	nul     bool // a NUL byte
	wide    bool // at least one well-formed multi-byte UTF-8 sequence
	invalid bool // at least one byte that is not UTF-8
}

func scanEncoding(r io.Reader) (e encodings) {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		b, err := br.Peek(max(1, br.Buffered()))
		if err != nil {
			return e
		}
		ascii := 0
		for ascii < len(b) && b[ascii] != 0 && b[ascii] < utf8.RuneSelf {
			ascii++
		}
		br.Discard(ascii) // as many are there
		if ascii == len(b) {
			continue
		}
		c, n, err := br.ReadRune()
		if err != nil {
			return e
		}
		switch {
		case c == 0:
			e.nul = true
		case c == utf8.RuneError && n == 1:
			e.invalid = true
		case n > 1 && c != '\ufeff':
			e.wide = true
		}
	}
}

// characters judges single characters of a text that is shown as it stands.
type characters struct{ *report }

func (c *characters) text(s string, where func() string) {
	for i, r := range s {
		if r < 0x7f && r >= ' ' {
			continue
		}
		switch rule := characterRule(r); {
		case rule == "":
		case c.enough(rule):
			c.add(rule, "", "")
		default:
			c.add(rule, where(), fmt.Sprintf("U+%04X … %s", r, s[max(0, i-20):min(len(s), i+20)]))
		}
	}
}

// enough reports that more findings of a rule will only be counted, so that a
// text full of them is not quoted a million times over.
func (r *report) enough(rule string) bool { return r.perRule[rule] >= maxFindingsPerRule }

// characterRule is "" for a character that shows what it is. Direction
// overrides, embeddings and isolates (Unicode UAX #9 §2) show a text in another
// order than it is written in; C0 and C1 controls drive terminals and printers.
func characterRule(r rune) string {
	switch {
	case r >= ' ' && r < 0x7f, r == '\t', r == '\n', r == '\r', r == '\f', r == 0x85:
		return ""
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return "text.bidi"
	case r < ' ', r >= 0x7f && r < 0xa0, r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe: // the last are noncharacters (Unicode §23.7)
		return "text.control"
	case r == 0x034f, r == 0x17b4, r == 0x17b5, r >= 0x180b && r <= 0x180d, r == 0x180f, r == 0x2028, r == 0x2029, r == 0x2800,
		r >= 0xfe00 && r <= 0xfe0d, // variants; the last two only choose the look of an emoji
		r == 0xffa0, r >= 0xfff0 && r <= 0xfff8, r >= 0x1bca0 && r <= 0x1bca3, r >= 0x1d173 && r <= 0x1d17a:
		return "text.invisible"
	case r == 0xad, r == 0x061c, r == 0x180e, r >= 0x200b && r <= 0x200f, r >= 0x2060 && r <= 0x2065,
		r >= 0x206a && r <= 0x206f, r == 0xfeff, r >= 0xfff9 && r <= 0xfffb, r == 0x3164, r == 0x115f, r == 0x1160,
		r >= 0xe0000 && r <= 0xe0fff:
		return "text.invisible"
	}
	return ""
}

// text inspects plain text, CSV, JSON and Markdown.
func (s *scan) text(format string) {
	if s.size > maxMarkup {
		s.add("size", "", "")
		return
	}
	switch format {
	case "markdown":
		s.markdown()
	case "json":
		s.json()
	}
	var r io.Reader = s.reader()
	head := make([]byte, min(s.size, 2))
	n, _ := s.r.ReadAt(head, 0)
	if h := string(head[:n]); h == "\xff\xfe" || h == "\xfe\xff" {
		s.add("text.encoding", "", "UTF-16")
		r = transform.NewReader(r, unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder())
	} else if enc := scanEncoding(s.reader()); enc.invalid && enc.wide {
		s.add("text.encoding.mixed", "", "UTF-8 + ?")
	} else if enc.invalid {
		s.add("text.encoding", "", "")
	}
	t := textScan{report: s.report, csv: format == "csv", line: 1, cellStart: true}
	br := bufio.NewReaderSize(r, 64<<10)
	for first := true; ; first = false {
		b, _ := br.Peek(max(1, br.Buffered()))
		if n := t.plain(b); n > 0 {
			br.Discard(n) // as many are there
			continue
		}
		c, n, err := br.ReadRune()
		if err != nil {
			t.endCell()
			t.returns()
			return
		}
		if first && c == '\ufeff' {
			continue // byte order mark
		}
		if c == utf8.RuneError && n == 1 {
			c = '?' // judged above
		}
		t.rune(c)
	}
}

// textScan walks a text; in a CSV it also watches how cells begin.
type textScan struct {
	*report
	csv       bool
	line      int
	recent    []rune // the line so far, for quotations
	cellStart bool
	separator rune // that the table itself asks for in its first line
	last      rune
	quoted    bool   // inside a quoted cell
	cell      []rune // the beginning of a cell that may be a formula
	program   string // a cell that a bar ended and that may be a program's name (DDE)
	before    rune   // the character before
	broken    int    // the line of the first carriage return that text follows; 0 if none
}

// csvPlain tells the characters that are only text within a cell.
var csvPlain = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '"' && c != ',' && c != ';' && c != '|'
	}
	return
}()

// plain takes what b begins with as long as it is printable ASCII that says
// nothing, and returns how much that is. rune would do the same, a character at a
// time.
func (t *textScan) plain(b []byte) (n int) {
	switch {
	case !t.csv:
		for n < len(b) && b[n] >= ' ' && b[n] < 0x7f {
			n++
		}
	case !t.cellStart && len(t.cell) == 0 && t.program == "":
		for n < len(b) && csvPlain[b[n]] && rune(b[n]) != t.separator {
			n++
		}
	}
	if n == 0 {
		return 0
	}
	if t.before == '\r' && t.broken == 0 {
		t.broken = t.line
	}
	for _, c := range b[:min(n, maxQuote-len(t.recent))] {
		t.recent = append(t.recent, rune(c))
	}
	t.before = rune(b[n-1])
	t.last = t.before
	return n
}

func (t *textScan) rune(c rune) {
	if rule := characterRule(c); rule != "" {
		t.found(rule, func() string { return fmt.Sprintf("U+%04X %s", c, string(t.recent)) })
	}
	if t.csv {
		t.csvRune(c)
		t.last = c
	}
	if t.before == '\r' && c != '\r' && c != '\n' && t.broken == 0 {
		t.broken = t.line
	}
	t.before = c
	if c == '\n' {
		if t.csv && t.line == 1 {
			t.separator = ownSeparator(string(t.recent))
		}
		t.line++
		t.recent = t.recent[:0]
	} else if len(t.recent) < maxQuote {
		t.recent = append(t.recent, c)
	}
}

// returns judges carriage returns that no line feed follows. In a text of other
// lines too, what stands after one overwrites what stands before, or is shown
// behind it; where all lines end so, as they did on old Macintoshes, they may be
// shown as one.
func (t *textScan) returns() {
	switch {
	case t.broken == 0:
	case t.line > 1:
		t.add("text.control", fmt.Sprintf("line %d", t.broken), "U+000D")
	default:
		t.add("text.invisible", "", "U+000D")
	}
}

// found adds a finding, and works out what to show of it only if it is shown: a
// text can have millions.
func (t *textScan) found(rule string, quote func() string) {
	if t.enough(rule) {
		t.add(rule, "", "")
		return
	}
	t.add(rule, fmt.Sprintf("line %d", t.line), quote())
}

// ownSeparator is what Excel separates cells by if the first line is sep= and it;
// 0 if that is none.
func ownSeparator(line string) rune {
	line = strings.Trim(strings.TrimSpace(line), `"`)
	if len(line) < len("sep=") || !strings.EqualFold(line[:len("sep=")], "sep=") {
		return 0
	}
	if c, n := utf8.DecodeRuneInString(line[len("sep="):]); n == len(line)-len("sep=") && n > 0 {
		return c
	}
	return 0
}

func (t *textScan) csvRune(c rune) {
	switch {
	case t.quoted && c == '"':
		t.quoted = false // a doubled quote opens it again at once
	case !t.quoted && c == '"' && (t.cellStart || t.last == '"'):
		t.quoted = true
		if len(t.cell) > 0 && len(t.cell) <= maxFormulaCell {
			t.cell = append(t.cell, c)
		}
	case t.program != "" && c == '!': // the bar was none between cells
		t.found("csv.formula", func() string { return t.program + "|…!" })
		t.program = ""
	case !t.quoted && (c == '\n' || c == '\r' || c == ',' || c == ';' || c == '\t' || c == '|' || c == t.separator):
		if t.program = ""; c == '|' && barredProgram.MatchString(string(t.cell)) {
			t.program = string(t.cell)
		}
		t.endCell()
		t.cellStart = true
	case t.cellStart && c == ' ':
	case t.cellStart:
		t.cellStart = false
		if c == '=' || c == '@' || c == '+' || c == '-' || c == '＝' || c == '＠' || c == '＋' || c == '－' {
			t.cell = append(t.cell, c)
		}
	case len(t.cell) > 0 && len(t.cell) <= maxFormulaCell:
		t.cell = append(t.cell, c)
	}
}

// endCell judges a cell that began like a formula.
func (t *textScan) endCell() {
	cell := t.cell
	t.cell = t.cell[:0]
	if len(cell) == 0 {
		return
	}
	if (cell[0] == '+' || cell[0] == '-') && !signedFormula(cell[1:]) {
		return
	}
	t.found("csv.formula", func() string { return string(cell[:min(len(cell), maxQuote)]) })
}
