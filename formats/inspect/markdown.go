package inspect

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// markdownTags are the elements that a program which lays Markdown out, raw HTML
// included (RFC 7763 §5), runs, fetches for or hides things by.
var markdownTags = func() map[string]bool {
	m := map[string]bool{}
	for _, tag := range strings.Fields(`script iframe frame object embed applet form input button style link meta base
		img picture svg math video audio source template`) {
		m[tag] = true
	}
	return m
}()

// markdown looks in a Markdown text for what other programs would make of it:
// pictures, active HTML and links that are code. What is shown here and signed
// is the text as it is written, and that does not change; but the holder who
// knows the document from a program that lays it out has seen more than that,
// and is told.
func (s *scan) markdown() {
	text := make([]byte, s.size)
	if _, err := io.ReadFull(s.reader(), text); err != nil {
		s.add("inspect.failed", "", err.Error())
		return
	}
	line, counted := 1, 0
	for at, found := 0, 0; found <= maxFindingsPerRule; at++ {
		next := bytes.IndexAny(text[at:], "<!]")
		if next < 0 {
			return
		}
		if at += next; !markdownActive(text[at:]) {
			continue
		}
		found++
		line += bytes.Count(text[counted:at], []byte("\n"))
		counted = at
		quote, _, _ := bytes.Cut(text[at:min(len(text), at+maxQuote)], []byte("\n"))
		s.add("markdown.active", fmt.Sprintf("line %d", line), string(quote))
	}
}

// markdownActive judges what begins with one of three characters: a tag, the
// "![" of a picture, the "](" of a link's address.
func markdownActive(text []byte) bool {
	text = text[:min(len(text), 256)]
	if bytes.HasPrefix(text, []byte("![")) {
		end := bytes.IndexByte(text, ']')
		return end > 0 && end+1 < len(text) && (text[end+1] == '(' || text[end+1] == '[')
	}
	if address, ok := bytes.CutPrefix(text, []byte("](")); ok {
		return isCodeScheme(urlScheme(string(bytes.TrimLeft(address[:min(len(address), 64)], " \t\r\n<"))))
	}
	if text[0] != '<' {
		return false
	}
	end := 1
	for end < len(text) && end < 16 && isLetter(text[end]) {
		end++
	}
	return end < len(text) && bytes.IndexByte([]byte(" \t\r\n/>"), text[end]) >= 0 && markdownTags[strings.ToLower(string(text[1:end]))]
}
