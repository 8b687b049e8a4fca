package main

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"time"

	"sigillo/tsa/ledger"
)

// A word that a command does not know may be what mattered most: "tsa export acme"
// was meant to write one customer's tokens and not everybody's. No command passes
// over one. What was typed wrongly ends with exitUsage, before anything is done.

// parseBare is parse for commands that take options only.
func parseBare(fs *flag.FlagSet, args []string) (code int, ok bool) {
	if code, ok = parse(fs, args); !ok {
		return code, false
	}
	if err := tooMany(fs.Args(), nil); err != nil {
		fmt.Fprintln(fs.Output(), "sigillo:", err)
		return exitUsage, false
	}
	return 0, true
}

// tooMany refuses words where there should be none. meant is the option that a word
// was probably meant for; nil where there is none.
func tooMany(words []string, meant func(string) string) error {
	if len(words) == 0 {
		return nil
	}
	it, en := fmt.Sprintf("una parola di troppo: %q", words[0]), fmt.Sprintf("a word too many: %q", words[0])
	if meant != nil {
		option := meant(words[0]) + " " + words[0]
		it, en = it+"; si intendeva "+option+"?", en+"; did you mean "+option+"?"
	}
	return badUsage(it, en)
}

// archiveOption is the option of a search of the archive that a word looks like.
func archiveOption(word string) string {
	_, _, noTime := parseTime(word)
	_, noSerial := parseSerial(word)
	hex := strings.Trim(strings.ToLower(word), "0123456789abcdef:") == ""
	switch {
	case hex && len(word) >= 40: // SHA-1 and longer
		return "--digest"
	case noTime == nil:
		return "--from"
	case noSerial == nil:
		return "--serial"
	case strings.HasPrefix(word, "tsu-"):
		return "--unit"
	}
	return "--account"
}

// period reads --from and --to. Nothing lies in one that ends before it begins, and
// whoever asks for it has made a slip.
func period(from, to string) (first, beyond time.Time, err error) {
	if first, err = beginning(from); err != nil {
		return first, beyond, err
	}
	if beyond, err = end(to); err != nil {
		return first, beyond, err
	}
	if !beyond.IsZero() && !first.Before(beyond) {
		return first, beyond, badUsage("--from è dopo --to: in mezzo non c'è nulla", "--from is after --to: nothing lies between them")
	}
	return first, beyond, nil
}

// exitOf is the exit code of a command that could not do what was asked.
func exitOf(err error) int {
	var s *stampError
	switch {
	case errors.As(err, &s):
		return s.exit
	case ledger.KindOf(err) == ledger.BadQuery:
		return exitUsage
	}
	return exitFailed
}
