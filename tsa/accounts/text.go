package accounts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"sigillo/formats/legible"
)

// Names and notes are typed by people and read by people: on a terminal, on a page,
// in a spreadsheet, in the journal. A character that cannot be seen there makes them
// read something else than was typed: one that moves the cursor, that turns the
// direction of writing (U+202E), or one without any width. They are refused where
// a text comes in, and what an older version let in is shown in numbers.

// hidden says whether a character leaves nothing to see where it stands: controls,
// formats, separators of lines, what no standard has given a meaning yet.
func hidden(r rune) bool { return !unicode.IsPrint(r) }

func goodText(what, s string) error {
	if len(s) > maxText {
		return bad("%s has more than %d bytes; shorten it", what, maxText)
	}
	if !utf8.ValidString(s) {
		return bad("%s is not in UTF-8", what)
	}
	if i := strings.IndexFunc(s, hidden); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return bad("%s has a character that cannot be seen, %U; type it without", what, r)
	}
	return nil
}

// goodReason is goodText for what has to be said: an account that stands still
// without a word in the journal is a riddle a year later.
func goodReason(s string) error {
	if strings.TrimSpace(s) == "" {
		return bad("say why (--reason TEXT): it is written into the journal")
	}
	return goodText("the reason", s)
}

// shown is a stored text with everything hidden in it written in numbers.
func shown(s string) string { return legible.Numbered(s, hidden) }
