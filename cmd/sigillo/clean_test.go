package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// What a reader does not see, or what turns the direction of reading, is shown by its
// number; letters of all scripts stay.
func TestClean(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"fattura n. 1 – Società «Ada» 日本 ע": "fattura n. 1 – Società «Ada» 日本 ע",
		"fattura\u202efdp.exe":              "fattura[U+202E]fdp.exe",
		"a\u2066b\u200bc":                   "a[U+2066]b[U+200B]c",
		"\x1b[31mrosso\n":                   "[U+001B][31mrosso[U+000A]",
		"C1 \u009b31m":                      "C1 [U+009B]31m",
		"non UTF-8 \x9b31m":                 "non UTF-8 \ufffd31m",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
		var b bytes.Buffer
		if n, err := (plain{&b}).Write([]byte("x\t" + text + "\n")); err != nil || n != len(text)+3 || b.String() != "x\t"+strings.ReplaceAll(want, "[U+000A]", "\n")+"\n" {
			t.Errorf("%q is written as %q (%d, %v)", text, b.String(), n, err)
		}
	}
}

// Errors quote the names of files: all commands tell them clean.
func TestErrorsAreClean(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"stamp", "x\u202ey"}, {"inspect", "x\u202ey"}, {"verify", "--offline", "x\u202ey"}, {"x\u202ey"}} {
		var out, errs bytes.Buffer
		if code := dispatch(context.Background(), env{strings.NewReader(""), &out, &errs}, args); code == exitGood || strings.Contains(out.String()+errs.String(), "\u202e") || errs.Len() == 0 {
			t.Errorf("%q: %d %q %q", args, code, out.String(), errs.String())
		}
	}
}
