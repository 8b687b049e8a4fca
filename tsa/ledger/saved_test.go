package ledger

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sigillo/store"
)

// takenAway is a ledger of ten entries whose file was removed while it was written to,
// and then closed: only the copy has them.
func takenAway(t *testing.T, o Options) (dir, place, copied string, older []byte, head Head) {
	t.Helper()
	dir = filepath.Join(quickDir(t), "stamps")
	place = filepath.Join(dir, segmentName(1))
	l := openTest(t, dir, o)
	for n := range int64(10) {
		put(t, l, made("tsu", n+1, "acme", "l"))
		if n == 5 {
			data, err := os.ReadFile(place)
			if err != nil {
				t.Fatal(err)
			}
			older = data[:l.state().end]
		}
	}
	head = l.Head()
	if err := os.Remove(place); err != nil {
		t.Fatal(err)
	}
	wantKind(t, l.Append(t.Context(), made("tsu", 11, "acme", "l")), Stopped)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*"+suffixSaved+"*"))
	if len(found) != 1 {
		t.Fatalf("saved: %q", found)
	}
	return dir, place, found[0], older, head
}

// The copy that was saved when the file was taken away is remembered, though nobody else
// knows of the entries: it is named with where it belongs, nothing in it is given up, and
// put back it fits.
func TestSavedCopyIsRemembered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(place, copied string, older []byte) error
		known  int64 // entries that somebody knows of
		want   Kind
		says   string
		not    string // and does not say
		refuse string // what AcceptLoss says
		back   bool   // put back, it is all there
	}{
		"nothing is at its place": {want: Lost, says: "the entries 1 to 10)", not: "backup", refuse: "move the copy out", back: true},
		"an older file is": {change: func(place, _ string, older []byte) error { return os.WriteFile(place, older, 0o600) },
			want: Lost, says: "the entries 1 to 10)", not: "backup", refuse: "move the copy out", back: true},
		"something else is": {change: func(place, _ string, _ []byte) error { return os.WriteFile(place, pattern(3000, 1), 0o600) },
			want: Damaged, says: "the entries 1 to 10)", refuse: "is not as it was written", back: true},
		"it holds only a part of what is missing": {known: 15, want: Lost, says: "then, for what is still missing, put the whole folder back", refuse: "move the copy out"},
		"it was cut": {change: func(_, copied string, older []byte) error { return os.WriteFile(copied, older[:len(older)-5], 0o600) },
			want: Lost, says: "what follows cannot be read", refuse: "move the copy out"},
		"it is something else": {change: func(_, copied string, _ []byte) error { return os.WriteFile(copied, pattern(3000, 1), 0o600) },
			known: 10, want: Lost, says: "which cannot be read", refuse: "move the copy out"},
		"it was put back as a copy": {change: func(place, copied string, _ []byte) error {
			data, err := os.ReadFile(copied)
			if err != nil {
				return err
			}
			return os.WriteFile(place, data, 0o600)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, place, copied, older, head := takenAway(t, Options{})
			if c.change != nil {
				if err := c.change(place, copied, older); err != nil {
					t.Fatal(err)
				}
			}
			o := Options{Known: []Head{{Seq: c.known}}}
			before := contents(t, dir)
			l, err := Open(dir, o)
			if wantKind(t, err, c.want); err == nil {
				verify(t, l, head)
				return
			}
			if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), copied) || !strings.Contains(err.Error(), place) ||
				c.not != "" && strings.Contains(err.Error(), c.not) {
				t.Errorf("%v; want %q", err, c.says)
			}
			_, err = AcceptLoss(dir, o, nil, func(Loss) error { t.Error("accepted"); return nil })
			if wantKind(t, err, c.want); !strings.Contains(err.Error(), c.refuse) || !strings.Contains(err.Error(), copied) {
				t.Errorf("accept: %v; want %q", err, c.refuse)
			}
			if after := contents(t, dir); !reflect.DeepEqual(after, before) {
				t.Error("files were changed")
			}
			if c.back {
				if err := os.Rename(copied, place); err != nil {
					t.Fatal(err)
				}
				verify(t, openTest(t, dir, Options{Known: []Head{head}}), head)
			}
		})
	}
}

// Moved out of the folder, the copy stands in nobody's way; and that of another ledger
// says nothing of this one.
func TestSavedCopyThatIsNotWanted(t *testing.T) {
	t.Parallel()
	dir, place, copied, _, head := takenAway(t, Options{})
	away := filepath.Join(quickDir(t), "away")
	if err := os.Rename(copied, away); err != nil {
		t.Fatal(err)
	}
	_, _, other, _, _ := takenAway(t, Options{})
	data, err := os.ReadFile(other)
	if err == nil {
		err = os.WriteFile(place+suffixSaved+"1", data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(away)
	if err != nil {
		t.Fatal(err)
	}
	h, _, _, err := readHead(bytes.NewReader(own), int64(len(own)))
	if err != nil {
		t.Fatal(err)
	}
	o := Options{ID: h.ledger, Known: []Head{head}}
	_, err = Open(dir, o)
	if wantKind(t, err, Lost); strings.Contains(err.Error(), suffixSaved) {
		t.Error(err)
	}
	loss, err := AcceptLoss(dir, o, nil, func(Loss) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	// Once the loss was accepted it may lie there again, and be put back.
	if err := os.Rename(away, copied); err != nil {
		t.Fatal(err)
	}
	o.Lost = loss.Gaps
	l := openTest(t, dir, o)
	put(t, l, made("tsu", 100, "acme", "l"))
	_ = l.Close()
	if err := os.Rename(copied, place); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, openTest(t, dir, o), head); r.Lost != 0 {
		t.Errorf("%+v", r)
	}
}

// The index of another ledger, or of other files of this one, is not believed when it
// says that entries are missing: it is to be deleted, and nothing is given up for it.
func TestIndexOfAnother(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gone    bool // the ledger is
		unknown bool // nobody else knows which ledger it is
		pretend bool // the index says that it is of this one
		want    Kind
		says    string
	}{
		"known":                    {want: Foreign, says: "delete the index"},
		"unknown":                  {unknown: true, want: Foreign, says: "delete the index"},
		"of other files":           {pretend: true, want: Foreign, says: "entry 5"},
		"of other files, unknown":  {pretend: true, unknown: true, want: Foreign, says: "entry 5"},
		"and the ledger is gone":   {gone: true, want: Lost, says: "the entries 1 to 5;"},
		"all that is left is this": {gone: true, unknown: true, want: Lost, says: "the entries 1 to 13;"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recorded := func(dir, account string, total int64, o Options) (Head, [16]byte) {
				l := openTest(t, dir, o)
				for n := range total {
					put(t, l, made("tsu", n+1, account, "l"))
				}
				if o.Index != nil {
					<-indexed(l, total)
				}
				_ = l.Close()
				return l.Head(), l.ID()
			}
			dir := filepath.Join(quickDir(t), "stamps")
			head, id := recorded(dir, "acme", 5, Options{})
			o := Options{Index: openIndex(t, filepath.Join(t.TempDir(), "index.db")), IndexShare: 1}
			theirs := o
			if c.pretend {
				theirs.ID = id
			}
			recorded(quickDir(t), "other", 13, theirs)
			if !c.unknown {
				o.ID, o.Known = id, []Head{head}
			}
			if c.gone {
				if err := os.Remove(filepath.Join(dir, segmentName(1))); err != nil {
					t.Fatal(err)
				}
			}
			before := contents(t, dir)
			_, err := Open(dir, o)
			if wantKind(t, err, c.want); !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want %q", err, c.says)
			}
			if c.gone && c.unknown {
				return
			}
			_, err = AcceptLoss(dir, o, nil, func(Loss) error { t.Error("accepted"); return nil })
			if wantKind(t, err, Foreign); !strings.Contains(err.Error(), "delete the index") {
				t.Errorf("accept: %v", err)
			}
			if after := contents(t, dir); !reflect.DeepEqual(after, before) {
				t.Error("files were changed")
			}
			if c.gone {
				return
			}
			o.Index = openIndex(t, filepath.Join(t.TempDir(), "new.db"))
			verify(t, openTest(t, dir, o), head)
		})
	}
}

// That the index is not filled is told once, and once that it is filled again.
func TestIndexIsFilledAgain(t *testing.T) {
	t.Parallel()
	told := make(chan string, 100)
	o := Options{Index: openIndex(t, filepath.Join(t.TempDir(), "index.db")), IndexShare: 1, retry: 1,
		OnEvent: func(e Event) { told <- e.Kind }}
	l := openTest(t, quickDir(t), o)
	// Another row is where the first entry's goes.
	if err := o.Index.Write(t.Context(), func(tx *store.Tx) error {
		return tx.PutStamps([]store.Stamp{{Seq: 1, Unit: "x", Serial: 1, Account: "a"}})
	}); err != nil {
		t.Fatal(err)
	}
	put(t, l, made("tsu", 1, "acme", "l"))
	if got := <-told; got != "index-failed" {
		t.Fatal(got)
	}
	if err := o.Index.Write(t.Context(), func(tx *store.Tx) error {
		return tx.CutStamps(store.StampSegment{Segment: 1}, 1, 1)
	}); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != "index-filled" {
		t.Error(got)
	}
	<-indexed(l, 1)
	put(t, l, made("tsu", 2, "acme", "l"))
	<-indexed(l, 2)
	if len(told) > 0 {
		t.Errorf("told %q more", <-told)
	}
}
