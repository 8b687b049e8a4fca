package inspect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// rtfWords judges control words of Rich Text Format 1.9.1.
var rtfWords = map[string]string{
	"object": "rtf.object", "objdata": "rtf.object", "objocx": "rtf.object", "objupdate": "rtf.object", "objautlink": "rtf.object",
	"objlink": "rtf.object", "objemb": "rtf.object", "objsub": "rtf.object", "objpub": "rtf.object", "objicemb": "rtf.object", "objhtml": "rtf.object",
	"objclass": "rtf.object", "oleclsid": "rtf.object",
	"template": "rtf.external", "filetbl": "rtf.external", "nextfile": "rtf.external", "subdocument": "rtf.external",
	"mailmerge": "rtf.external", "mmdatasource": "rtf.external", "mmquery": "rtf.external", "linkstyles": "rtf.external",
	"bkmkpub": "rtf.object",
	"chdate":  "rtf.dynamic", "chdpl": "rtf.dynamic", "chdpa": "rtf.dynamic", "chtime": "rtf.dynamic",
	"htmltag": "rtf.dynamic", "fromhtml": "rtf.dynamic", "mhtmltag": "rtf.dynamic", "htmlrtf": "rtf.dynamic",
	"v": "rtf.hidden", "revised": "rtf.hidden", "deleted": "rtf.hidden", "annotation": "rtf.hidden", "atnid": "rtf.hidden",
	"chpgn": "field.layout", "sectnum": "field.layout", "formfield": "field.layout",
	"linkval": "rtf.dynamic", "ffentrymcr": "rtf.dynamic", "ffexitmcr": "rtf.dynamic",
}

// rtfInCode are the control words that may stand in a field code. They only
// format it; any other could make a program skip or add a piece of the code
// that we read otherwise: another destination, a Unicode twin, deleted text.
var rtfInCode = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`fldinst field fldrslt datafield formfield fldedit flddirty fldlock fldpriv plain pard cs
		rtlch ltrch fcs af afs ab ai aul aulnone acaps ascaps alang acf adn aup loch hich dbch insrsid charrsid
		f fs b i ul uld uldb uldash ulw ulth ulc ulnone strike caps scaps sub super nosupersub up dn outl shad embo impr
		expnd expndtw kerning charscalex cf cb chcbpat chcfpat chshdng highlight lang langfe langnp langfenp noproof
		accnone cgrid v webhidden revised revauth revdttm uc u tab emdash endash bullet lquote rquote ldblquote rdblquote`) {
		m[w] = true
	}
	return m
}()

// rtf inspects a Rich Text document: every control word, and the codes of its
// fields by the same table as Word's.
func (s *scan) rtf() {
	if s.size > maxMarkup {
		s.add("size", "", "")
		return
	}
	t := rtfScan{report: s.report, in: bufio.NewReaderSize(s.reader(), 64<<10)}
	if err := t.run(); err != nil {
		s.add("rtf.malformed", fmt.Sprintf("byte %d", t.at), err.Error())
	}
}

type rtfScan struct {
	*report
	in     *bufio.Reader
	at     int64
	groups []rtfGroup

	property string // the name of the last property of a shape
}

// rtfGroup is what a group in braces inherits and collects.
type rtfGroup struct {
	collects string // what its text is: "fldinst" a field code, "sn" and "sv" name and value of a property; or ""
	owner    bool   // the group that began with that word: its end judges the text
	code     *strings.Builder
}

// found adds a finding at the place that has been read.
func (t *rtfScan) found(rule, quote string) {
	where := ""
	if !t.enough(rule) {
		where = fmt.Sprintf("byte %d", t.at)
	}
	t.add(rule, where, quote)
}

func (t *rtfScan) next() (byte, error) {
	c, err := t.in.ReadByte()
	if err == nil {
		t.at++
	}
	return c, err
}

func (t *rtfScan) run() error {
	for {
		c, err := t.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("unexpected end of document")
			}
			return err
		}
		switch c {
		case '{':
			if err := t.open(); err != nil {
				return err
			}
		case '}':
			if len(t.groups) == 0 {
				return errors.New("a brace too many")
			}
			t.close()
			if len(t.groups) == 0 {
				return t.trailer()
			}
		case '\\':
			if err := t.control(); err != nil {
				return err
			}
		case '\r', '\n':
		default:
			t.literal(c)
		}
	}
}

func (t *rtfScan) open() error {
	if len(t.groups) >= maxRTFDepth {
		return errors.New("groups nested too deep")
	}
	g := rtfGroup{}
	if n := len(t.groups); n > 0 {
		g = t.groups[n-1]
		g.owner = false
	}
	t.groups = append(t.groups, g)
	return nil
}

func (t *rtfScan) close() {
	g := t.groups[len(t.groups)-1]
	t.groups = t.groups[:len(t.groups)-1]
	if !g.owner {
		return
	}
	switch g.collects {
	case "fldinst":
		rule, quote := fieldRule(g.code.String())
		t.found(rule, quote)
	case "sn":
		t.property = strings.TrimSpace(g.code.String())
	case "sv":
		t.shape(strings.TrimSpace(g.code.String()))
	}
}

// shape judges a property of a shape: it may be hidden, and a picture with the flag 8 is read from a file
// ([MS-ODRAW] §2.4.3, MSOBLIPFLAGS).
func (t *rtfScan) shape(value string) {
	if strings.EqualFold(t.property, "fHidden") && value != "0" {
		t.found("rtf.hidden", t.property+" "+value)
	}
	if flags, err := strconv.Atoi(value); err == nil && flags&8 != 0 {
		switch strings.ToLower(t.property) {
		case "pibflags", "fillblipflags", "linefillblipflags":
			t.found("rtf.external", t.property+" "+value)
		}
	}
}

// trailer: after the last brace programs stop reading, and others begin.
func (t *rtfScan) trailer() error {
	for {
		c, err := t.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if c != '\r' && c != '\n' && c != ' ' && c != 0 {
			return errors.New("data after the end of the document")
		}
	}
}

// literal receives a character of text; only field codes are kept.
func (t *rtfScan) literal(c byte) {
	if len(t.groups) == 0 {
		return
	}
	g := &t.groups[len(t.groups)-1]
	if g.collects != "" && g.code.Len() < maxFieldCode {
		g.code.WriteByte(c)
	}
}

// control reads what follows a backslash.
func (t *rtfScan) control() error {
	c, err := t.next()
	if err != nil {
		return errors.New("unexpected end of document")
	}
	switch {
	case c == '\'':
		return t.hexCharacter()
	case c == '\\' || c == '{' || c == '}':
		t.literal(c)
		return nil
	case c == '~' || c == '_':
		t.literal(' ')
		return nil
	case !isLetter(c):
		return nil // \* and the like
	}
	var letters [65]byte
	word := append(letters[:0], c)
	for {
		if c, err = t.next(); err != nil || !isLetter(c) {
			break
		}
		if word = append(word, c); len(word) > 64 {
			return errors.New("control word too long")
		}
	}
	number, digits := 0, 0
	negative := err == nil && c == '-'
	if negative {
		c, err = t.next()
	}
	for ; err == nil && c >= '0' && c <= '9'; c, err = t.next() {
		if digits++; digits > 10 {
			return errors.New("control word with too long a number")
		}
		number = number*10 + int(c-'0')
	}
	if err == nil && c != ' ' {
		if err := t.in.UnreadByte(); err != nil {
			return err
		}
		t.at--
	}
	return t.word(string(word), number, digits > 0, negative)
}

func (t *rtfScan) hexCharacter() error {
	value := 0
	for range 2 {
		c, err := t.next()
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if c >= '0' && c <= '9' {
			digit = int(c - '0')
		}
		if err != nil || digit < 0 {
			return errors.New("a character code that is not hexadecimal")
		}
		value = value<<4 | digit
	}
	t.literal(byte(value))
	return nil
}

func (t *rtfScan) word(word string, number int, numbered, negative bool) error {
	if len(t.groups) == 0 {
		return errors.New("a control word outside the document")
	}
	g := &t.groups[len(t.groups)-1]
	if g.collects == "fldinst" {
		t.wordInCode(g, word, number, negative)
	}
	switch word {
	case "datafield", "formfield": // data of the field, not code
		if !g.owner { // whose end judges the code
			g.collects = ""
		}
	case "bin":
		if negative || number > 64<<20 {
			return errors.New("binary data of an impossible length")
		}
		n, err := t.in.Discard(number)
		t.at += int64(n)
		if err != nil {
			return errors.New("binary data cut short")
		}
	case "fldinst":
		g.collects, g.owner, g.code = word, true, &strings.Builder{}
	case "sn", "sv":
		if g.collects != "fldinst" { // whose code is judged whole
			g.collects, g.owner, g.code = word, true, &strings.Builder{}
		}
	case "fldrslt":
		if g.owner && g.collects == "fldinst" { // in the group of the code, which would not be judged
			t.found("rtf.dynamic", `\fldrslt in a field code`)
		}
		g.collects, g.owner = "", false
	case "fftypetxt": // of a text field of a form
		switch number {
		case 3, 4: // the day's date, the time
			t.found("field.dynamic", fmt.Sprintf(`\%s%d`, word, number))
		case 5:
			t.found("formula", `\fftypetxt5`)
		}
	case "u":
		if !negative && characterRule(rune(number)) == "text.bidi" {
			t.found("text.bidi", fmt.Sprintf("U+%04X", number))
		}
		if number < 0x80 && !negative {
			t.literal(byte(number))
		} else {
			t.literal('?')
		}
	case "tab":
		t.literal(' ')
	}
	rule, ok := rtfWords[word]
	off := numbered && number == 0
	if ok && rule != "" && !off {
		t.found(rule, `\`+word)
	}
	return nil
}

// wordInCode judges a control word within a field code. An ASCII character that
// is written by its number is there to have the characters after it skipped
// (\uc), and a field before the type is known would write the type.
func (t *rtfScan) wordInCode(g *rtfGroup, word string, number int, negative bool) {
	switch {
	case !rtfInCode[word], word == "u" && number < 0x80 && !negative:
		t.found("rtf.dynamic", `\`+word+" in a field code")
	case word == "field" && !fieldTyped(g.code.String()):
		t.found("field.dynamic", "a field writes the type of another")
	}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
