package auth

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// list makes a list of breached passwords.
func list(end string, passwords ...string) string {
	var lines []string
	for i, p := range passwords {
		lines = append(lines, fmt.Sprintf("%X:%d", sha1.Sum([]byte(p)), i*i*i))
	}
	slices.Sort(lines)
	return strings.Join(lines, end)
}

func TestBreached(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 300 {
		all = append(all, fmt.Sprintf("password number %d", i))
	}
	for name, text := range map[string]string{
		"line feeds":      list("\n", all...) + "\n",
		"no last end":     list("\n", all...),
		"CR LF":           list("\r\n", all...) + "\r\n",
		"small letters":   strings.ToLower(list("\n", all...)),
		"hashes only":     strings.Join(onlyHashes(list("\n", all...)), "\n"),
		"long counts too": strings.ReplaceAll(list("\n", all...), ":", ":00000000000000000000000000"),
	} {
		path := filepath.Join(t.TempDir(), "list")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := OpenBreached(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range 600 {
			in, err := b.Contains(fmt.Appendf(nil, "password number %d", i))
			if err != nil || in != (i < 300) {
				t.Fatalf("%s: number %d: %v, %v", name, i, in, err)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, n := range []int{0, 1, 2} {
		text := list("\n", all[:n]...)
		b, err := NewBreached(strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if in, err := b.Contains([]byte(all[i])); err != nil || in != (i < n) {
				t.Errorf("a list of %d: number %d: %v, %v", n, i, in, err)
			}
		}
	}
	var none *Breached
	if in, err := none.Contains([]byte("x")); in || err != nil || none.Close() != nil {
		t.Error("no list has an entry")
	}
}

func onlyHashes(text string) (hashes []string) {
	for line := range strings.Lines(text) {
		hashes = append(hashes, line[:hexSize])
	}
	return hashes
}

func TestBreachedRefused(t *testing.T) {
	t.Parallel()
	good := list("\n", "a", "b", "c", "d")
	for name, text := range map[string]string{
		"not a list":      "monkey\ndragon\n",
		"not in order":    good[len(good)-42:] + "\n" + good,
		"an empty line":   "\n" + good,
		"a line too long": good[:hexSize] + ":" + strings.Repeat("1", 100) + "\n" + good,
		"short hashes":    "ABCD:1\nABCE:1\n",
	} {
		if _, err := NewBreached(strings.NewReader(text), int64(len(text))); KindOf(err) != Failed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenBreached(t.TempDir()); KindOf(err) != Failed {
		t.Errorf("a folder: %v", err)
	}
	if _, err := OpenBreached(filepath.Join(t.TempDir(), "none")); KindOf(err) != Failed {
		t.Error("no file")
	}
	// A file that is shorter than it was.
	text := list("\n", "a", "b", "c", "d")
	b, err := NewBreached(strings.NewReader(text), int64(len(text)+1000))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Contains([]byte("zzz")); err == nil {
		t.Error("a truncated list was believed")
	}
}

// counted counts reads.
type counted struct {
	*bytes.Reader
	n, bytes int
}

func (c *counted) ReadAt(p []byte, at int64) (int, error) {
	c.n++
	c.bytes += len(p)
	return c.Reader.ReadAt(p, at)
}

// TestBreachedBounded: few short reads, whatever the file says.
func TestBreachedBounded(t *testing.T) {
	t.Parallel()
	var all []string
	for i := range 20000 {
		all = append(all, fmt.Sprint(i))
	}
	text := []byte(list("\n", all...))
	c := &counted{Reader: bytes.NewReader(text)}
	b, err := NewBreached(c, int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	c.n, c.bytes = 0, 0
	if in, err := b.Contains([]byte("not there")); in || err != nil {
		t.Fatal(in, err)
	}
	if c.n > 2*22 || c.bytes > 2*22*maxListLine {
		t.Errorf("%d reads, %d bytes", c.n, c.bytes)
	}
}

func FuzzBreached(f *testing.F) {
	f.Add([]byte(list("\n", "a", "b", "c")), "b")
	f.Add([]byte(list("\r\n", "a", "b", "c")), "x")
	f.Add([]byte("\n\n\n"), "x")
	f.Add([]byte(strings.Repeat("A", 500)), "x")
	f.Fuzz(func(t *testing.T, text []byte, password string) {
		c := &counted{Reader: bytes.NewReader(text)}
		b, err := NewBreached(c, int64(len(text)))
		if err != nil {
			return
		}
		c.n = 0
		b.Contains([]byte(password))
		if c.n > 2*64 {
			t.Errorf("%d reads", c.n)
		}
	})
}
