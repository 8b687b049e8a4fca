package view

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPageText bounds the text that is kept of a page, in bytes.
const maxPageText = 64 << 10

// texts extracts what is written on a span of pages of a PDF, by page number,
// for those who cannot see the pictures. It is help and no more: a PDF can have
// other words than it shows, and what counts is what it shows. So a page whose
// text cannot be had has none, and that is no error.
func (r *Renderer) texts(ctx context.Context, path string, s span) map[int]string {
	out := map[int]string{}
	if r.Pdftotext == "" {
		return out
	}
	var all []byte
	err := r.run(ctx, &job{
		program:  r.Pdftotext,
		args:     []string{"-f", strconv.Itoa(s.first), "-l", strconv.Itoa(s.last), "-enc", "UTF-8", "-eol", "unix", "{document}", "-"},
		document: path, as: "document.pdf", memory: 1 << 30, time: s.time(),
		stdout: func(p io.Reader) (err error) {
			all, err = io.ReadAll(io.LimitReader(p, spanPages*maxPageText))
			if err == nil {
				_, err = io.Copy(io.Discard, p)
			}
			return err
		},
	})
	if err != nil {
		return out
	}
	for i, page := range bytes.Split(all, []byte("\f")) {
		out[s.first+i] = readable(string(page))
	}
	return out
}

// readable makes extracted text fit to be shown: valid, of bounded length, and
// with what would not be seen or would turn the text around named by its number.
func readable(s string) string {
	var b strings.Builder
	for _, c := range strings.TrimSpace(s) {
		switch {
		case b.Len() > maxPageText:
			b.WriteString("…")
			return b.String()
		case c == '\n' || c == '\t':
			b.WriteRune(c)
		case c == utf8.RuneError || unicode.IsControl(c) || unicode.Is(unicode.Cf, c) && c != '\u00ad':
			fmt.Fprintf(&b, "[U+%04X]", c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// textOf is the text of a page that was laid out here, as it is shown.
func textOf(lines []line) string {
	var b strings.Builder
	for i, l := range lines {
		if i > 0 && l.number > 0 { // a long line goes on without a break
			b.WriteByte('\n')
		}
		b.WriteString(l.String())
	}
	return strings.TrimRight(b.String(), " \n")
}
