package ledger

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Whatever is done to the file that is written to, or to its folder, no entry is
// confirmed any more that would be lost, and what was confirmed can be had back.
func TestFileIsTakenAway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		take  func(path, dir string) error
		says  string
		saved bool // all entries are in a file beside
		back  func(path, dir string) error
	}{
		"removed": {take: func(path, _ string) error { return os.Remove(path) }, says: "removed or moved away", saved: true},
		"an old copy over it": {take: func(path, dir string) error {
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "old"), data, 0o600)
			}
			if err != nil {
				return err
			}
			return os.Rename(filepath.Join(dir, "old"), path)
		}, says: "another file was put in the place", saved: true},
		"moved away": {take: func(path, dir string) error { return os.Rename(path, filepath.Join(dir, "elsewhere")) },
			says: "removed or moved away", saved: true},
		"cut": {take: func(path, _ string) error { return os.Truncate(path, 1000) }, says: "was cut to 1000 bytes"},
		"folder moved away": {take: func(_, dir string) error { return os.Rename(dir, dir+".away") }, says: "DO NOT END THE SERVICE",
			back: func(_, dir string) error { return os.Rename(dir+".away", dir) }},
		"another folder in its place": {take: func(path, dir string) error {
			if err := os.Mkdir(dir+".away", 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir+".away", filepath.Base(path)), make([]byte, 1<<20), 0o600); err != nil {
				return err
			}
			return unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, dir+".away", unix.RENAME_EXCHANGE)
		}, says: "another file was put in the place", saved: true},
	} {
		for _, asked := range []string{"by a stamp", "by a look", "by nobody"} {
			t.Run(name+" "+asked, func(t *testing.T) {
				t.Parallel()
				dir := filepath.Join(quickDir(t), "stamps")
				told := make(chan Event, 10)
				l := openTest(t, dir, Options{OnEvent: func(e Event) { told <- e }})
				for n := range int64(5) {
					put(t, l, made("tsu", n+1, "acme", "l"))
				}
				head := l.Head()
				path := filepath.Join(dir, segmentName(1))
				if err := c.take(path, dir); err != nil {
					t.Fatal(err)
				}
				var err error
				switch asked {
				case "by a stamp":
					err = l.Append(t.Context(), made("tsu", 6, "acme", "l"))
				case "by a look":
					err = l.Look()
				default:
					err = fail(Stopped, nil, "")
				}
				wantKind(t, err, Stopped)
				e := <-told
				if e.Kind != "stopped" || !strings.Contains(e.Text, c.says) {
					t.Errorf("told %+v, want %q", e, c.says)
				}
				wantKind(t, l.Err(), Stopped)
				wantKind(t, l.Ready(), Stopped)
				wantKind(t, l.Look(), Stopped)
				wantKind(t, l.Append(t.Context(), made("tsu", 7, "acme", "l")), Stopped)
				if l.Head() != head {
					t.Errorf("the head went on to %d", l.Head().Seq)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				putBack(t, dir, path, c.saved, c.back)
				if !c.saved && c.back == nil {
					return
				}
				l = openTest(t, dir, Options{Known: []Head{head}})
				verify(t, l, head)
			})
		}
	}
}

// putBack does what the text says.
func putBack(t *testing.T, dir, path string, saved bool, back func(path, dir string) error) {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(dir, "*.saved-*"))
	if len(found) > 0 != saved || len(found) > 1 {
		t.Fatalf("saved: %q", found)
	}
	if back != nil {
		if err := back(path, dir); err != nil {
			t.Fatal(err)
		}
	}
	if saved {
		if err := os.Rename(found[0], path); err != nil {
			t.Fatal(err)
		}
	}
}

// Zeros are written ahead into the file of the ledger only, and do not hide that it
// was cut.
func TestAheadLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	dir := quickDir(t)
	l := openTest(t, dir, Options{})
	put(t, l, made("tsu", 1, "acme", "l"))
	path := filepath.Join(dir, segmentName(1))
	other := []byte("something else")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, other, 0o600); err != nil {
		t.Fatal(err)
	}
	var f file
	var open string
	l.ahead.mu.Lock()
	err := l.ahead.fill(&f, &open)
	l.ahead.mu.Unlock()
	if f != nil {
		_ = f.Close()
	}
	if data, _ := os.ReadFile(path); err == nil || !bytes.Equal(data, other) {
		t.Errorf("%v; the other file has %d bytes now", err, len(data))
	}
}
