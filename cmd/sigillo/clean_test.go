package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// What is written is shown legibly, and all of it counts as written.
func TestPlain(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	const text = "x\tfattura\u202efdp.exe\n"
	if n, err := (plain{&b}).Write([]byte(text)); err != nil || n != len(text) || b.String() != "x\tfattura[U+202E]fdp.exe\n" {
		t.Errorf("%q (%d, %v)", b.String(), n, err)
	}
}

// Errors quote the names of files: all commands tell them clean.
func TestErrorsAreClean(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"stamp", "x\u202ey"}, {"inspect", "x\u202ey"}, {"verify", "--offline", "x\u202ey"}, {"x\u202ey"}} {
		var out, errs bytes.Buffer
		if code := dispatch(context.Background(), env{in: strings.NewReader(""), out: &out, err: &errs}, args); code == exitGood || strings.Contains(out.String()+errs.String(), "\u202e") || errs.Len() == 0 {
			t.Errorf("%q: %d %q %q", args, code, out.String(), errs.String())
		}
	}
}
