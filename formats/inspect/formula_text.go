package inspect

import (
	"regexp"
	"strings"
	"unicode"
)

var (
	cellReference = regexp.MustCompile(`(?i)^(?:\$?[a-z]{1,3}\$?[0-9]{1,7}|r[0-9]*c[0-9]*|true|false|vero|falso)$`)
	cellColumns   = regexp.MustCompile(`(?i)\$?\b[a-z]{1,3}:\$?[a-z]{1,3}\b`)
	barredProgram = regexp.MustCompile(`^[+\-＋－] *['"]?[\pL_][\pL\pN_.\\:]*['"]? *$`)
	cellSheet     = regexp.MustCompile(`!['"$\pL\d]`)
)

// signedFormula judges what follows the sign of a cell that begins with one. A
// spreadsheet reads it as a formula, and most are none: of "-5 EUR" or "- as
// agreed" it keeps the text or shows that it knows no such name. What calls
// a function, asks another program or reads another cell is one, and so is what
// is computed, for then the cell does not show what it says.
func signedFormula(cell []rune) bool {
	text := string(cell)
	compact := strings.ReplaceAll(text, " ", "")
	if strings.ContainsAny(text, "=|") || cellSheet.MatchString(text) || cellColumns.MatchString(text) ||
		strings.Contains(compact, `"&`) || strings.Contains(compact, `&"`) || len(cell) >= maxFormulaCell {
		return true
	}
	words := cellWords(cell)
	references, names := 0, 0
	for _, w := range words {
		switch {
		case w.called && (w.near || names == 0):
			return true
		case cellReference.MatchString(w.text):
			if !w.unit {
				references++
			}
		case !w.unit:
			names++
		}
	}
	if names > 0 { // there are no names in a CSV, and so nothing to compute with them
		return false
	}
	computed := strings.IndexFunc(text, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c) && !unicode.Is(unicode.Sc, c) && !strings.ContainsRune("., /%°'\"()-_\u00a0\u202f\n", c)
	}) >= 0
	return references > 0 || computed && (len(words) == 0 || !words[len(words)-1].unit)
}

// cellWord is what may be a function, a reference or a name.
type cellWord struct {
	text   string
	unit   bool // it follows a number, as a unit does
	called bool // a parenthesis follows
	near   bool // at once
}

func cellWords(cell []rune) []cellWord {
	part := func(c rune) bool {
		return unicode.IsLetter(c) || unicode.IsDigit(c) || c == '_' || c == '$' || c == '\\'
	}
	var words []cellWord
	last := rune(0) // before the word, but for blanks
	for i := 0; i < len(cell); {
		c := cell[i]
		if !part(c) || unicode.IsDigit(c) {
			if c != ' ' {
				last = c
			}
			i++
			continue
		}
		from := i
		for i < len(cell) && (part(cell[i]) || cell[i] == '.' && i+1 < len(cell) && part(cell[i+1])) {
			i++
		}
		next := i
		for next < len(cell) && cell[next] == ' ' {
			next++
		}
		called := next < len(cell) && cell[next] == '('
		words = append(words, cellWord{string(cell[from:i]), unicode.IsDigit(last), called, called && next == i})
		last = cell[i-1]
		if unicode.IsDigit(last) {
			last = 'x' // of a name, not of a number
		}
	}
	return words
}
