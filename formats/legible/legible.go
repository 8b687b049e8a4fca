// Package legible makes text that comes from a file, a certificate, a person or
// another program fit to be shown. What drives a terminal, turns the direction of
// reading or is not seen stands there by its number, as on the pages of a document,
// so that it cannot forge lines or names: [U+202E]. Letters of all scripts stay.
package legible

import (
	"fmt"
	"strings"
	"unicode"
)

// Line gives a text as one line.
func Line(s string) string { return Numbered(s, unseen) }

// Text gives a text in lines and columns: line feeds and tabs stay.
func Text(s string) string {
	return Numbered(s, func(c rune) bool { return unseen(c) && c != '\n' && c != '\t' })
}

func unseen(c rune) bool { return !unicode.IsGraphic(c) }

// Numbered gives a text with the characters that are hidden by their numbers. What is
// not UTF-8 becomes U+FFFD.
func Numbered(s string, hidden func(rune) bool) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for _, c := range s {
		if hidden(c) {
			fmt.Fprintf(&b, "[U+%04X]", c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}
