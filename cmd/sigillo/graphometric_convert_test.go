package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
)

// converted runs the command and gives its exit code and what it said.
func converted(args ...string) (code int, out, err string) {
	var o, e bytes.Buffer
	code = runGraphometricConvert(env{out: &o, err: &e}, args)
	return code, o.String(), e.String()
}

func TestGraphometricConvert(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	want := synthetic.New(5).With(synthetic.Pad).Sign(0, 0)
	if err := os.WriteFile(file("a.json"), graphometric.AppendCapture(nil, want), 0o600); err != nil {
		t.Fatal(err)
	}
	// From one form to the next, round and back to the first.
	for _, step := range [][]string{
		{"--to", "iso19794-7", "--out", file("a.iso"), file("a.json")},
		{"--to", "inkml", file("a.iso"), "--out", file("a.inkml")},
		{"--to", "svc2004", file("a.inkml"), "--from", "inkml"},
		{"--to", "capture", file("a.inkml.txt"), "--out", file("b.json")},
	} {
		if code, out, err := converted(step...); code != exitGood || !strings.Contains(out, dir) || err != "" {
			t.Fatalf("%q: %d, %q, %q", step, code, out, err)
		}
	}
	b, err := os.ReadFile(file("b.json"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := graphometric.ParseCapture(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Check(); err != nil || len(got.Points) != len(want.Points) || got.Device.Class != "file" {
		t.Errorf("%d points of %d, %+v, %v", len(got.Points), len(want.Points), got.Device, err)
	}
	for i, p := range got.Points {
		if w := want.Points[i]; p.Down != w.Down || p.X-w.X > 1 || w.X-p.X > 1 || p.Pressure-w.Pressure > .002 {
			t.Fatalf("point %d: %+v, was %+v", i, p, w)
		}
	}
	for _, name := range []string{"a.iso", "a.inkml", "a.inkml.txt", "b.json"} {
		if st, err := os.Stat(file(name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
	if code, out, _ := converted("--to", "inkml", "--out", "-", file("a.iso")); code != exitGood || !strings.HasPrefix(out, "<?xml") {
		t.Errorf("to standard output: %d, %.40q", code, out)
	}
}

func TestGraphometricConvertRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", "2\n1 2 3 1\n4 5 13 1\n")
	there := file("there", "kept")
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nothing":        {nil, exitUsage, "--to"},
		"no form":        {[]string{good}, exitUsage, "--to"},
		"another form":   {[]string{"--to", "fss", good}, exitUsage, "iso19794-7"},
		"another source": {[]string{"--from", "fss", "--to", "inkml", good}, exitUsage, "iso19794-7"},
		"no file":        {[]string{"--to", "inkml", filepath.Join(dir, "none")}, exitUnreadable, "none"},
		"no known form":  {[]string{"--to", "inkml", file("x", "hello")}, exitUnreadable, "--from"},
		"empty":          {[]string{"--to", "inkml", file("e", "")}, exitUnreadable, "--from"},
		"wrong form":     {[]string{"--to", "inkml", "--from", "capture", good}, exitUnreadable, "capture"},
		"too many":       {[]string{"--to", "inkml", file("f", "10000\n")}, exitUnreadable, "10000"},
		"exists":         {[]string{"--to", "inkml", "--out", there, good}, exitFailed, "--force"},
	} {
		if code, out, err := converted(c.args...); code != c.code || out != "" || !strings.Contains(err, c.says) {
			t.Errorf("%s: %d, %q, %q; want %d", name, code, out, err, c.code)
		}
	}
	if b, _ := os.ReadFile(there); string(b) != "kept" {
		t.Error("a file was written over")
	}
	if code, _, err := converted("--force", "--to", "inkml", "--out", there, good); code != exitGood {
		t.Errorf("with --force: %d, %s", code, err)
	}
	if code, _, _ := converted("--to", "inkml", "--out", filepath.Join(dir, "no", "where"), good); code != exitFailed {
		t.Error("written to a folder that is not there")
	}
}
