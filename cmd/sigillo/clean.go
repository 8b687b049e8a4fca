package main

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// clean makes one line of text that comes from a file, a certificate or another
// program fit to be shown: what drives a terminal, turns the direction of reading or
// is not seen stands there by its number, as on the pages of a document: [U+202E].
func clean(text string) string { return numbered(text, "") }

// numbered does it but for the characters in except.
func numbered(text, except string) string {
	unseen := func(c rune) bool { return !unicode.IsGraphic(c) && !strings.ContainsRune(except, c) }
	text = strings.ToValidUTF8(text, "\uFFFD")
	if !strings.ContainsFunc(text, unseen) {
		return text
	}
	var b strings.Builder
	for _, c := range text {
		if unseen(c) {
			fmt.Fprintf(&b, "[U+%04X]", c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// plain is a writer of text in lines and columns that cleans what it is given. Each
// write holds whole characters, as those of package fmt do.
type plain struct{ w io.Writer }

func (p plain) Write(b []byte) (int, error) {
	if _, err := io.WriteString(p.w, numbered(string(b), "\n\t")); err != nil {
		return 0, err
	}
	return len(b), nil
}

// text is the output for people. What is for programs goes to out as it is.
func (e env) text() io.Writer { return plain{e.out} }
