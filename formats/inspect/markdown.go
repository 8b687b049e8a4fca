package inspect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
)

// markdownActive is what a program that lays Markdown out (RFC 7763 §5) fetches
// or runs: pictures, raw HTML with more than looks, and addresses of code.
var markdownActive = regexp.MustCompile(`(?i)<(?:script|iframe|frame|object|embed|applet|form|input|button|style|link|meta|base|img|picture|svg|math|video|audio|source|template)[\s/>][^\n]{0,40}` +
	`|!\[[^\]\n]{0,200}\][(\[][^\n]{0,40}|\]\(\s{0,8}<?\s{0,8}(?:javascript|vbscript|data):[^\n]{0,40}`)

// markdown looks in a Markdown text for what other programs would make of it.
// What is shown here and signed is the text as it is written, and that does not
// change; but the holder who knows the document from a program that lays it out
// has seen more than that, and is told.
func (s *scan) markdown() {
	text := make([]byte, s.size)
	if _, err := io.ReadFull(s.reader(), text); err != nil {
		s.add("inspect.failed", "", err.Error())
		return
	}
	line, at := 1, 0
	for _, hit := range markdownActive.FindAllIndex(text, maxFindingsPerRule+1) {
		line += bytes.Count(text[at:hit[0]], []byte("\n"))
		at = hit[0]
		s.add("markdown.active", fmt.Sprintf("line %d", line), string(text[hit[0]:hit[1]]))
	}
}

// isJSON: one JSON value (RFC 8259) and nothing else. One that is too large to
// be inspected is taken at its word.
func isJSON(r io.ReaderAt, size int64) bool {
	if size > maxMarkup {
		return true
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), text); err != nil {
		return false
	}
	return json.Valid(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
}
