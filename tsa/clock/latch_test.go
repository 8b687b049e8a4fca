package clock

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The latch in a file keeps what it was told; what it did not write is an error, and
// with it a stop.
func TestFile(t *testing.T) {
	t.Parallel()
	f := File(filepath.Join(t.TempDir(), "latch"))
	if s, err := f.Load(t.Context()); err != nil || s.Set() {
		t.Fatal(s, err)
	}
	for _, s := range []Stop{
		{Since: at0, Cause: CauseStep, Reason: "the clock was set by 2 s"},
		{},
		{Since: at0, Cause: CauseBound, Reason: strings.Repeat("\x00", 100_000)},
		{Since: at0, Cause: CauseBound, Reason: "\xff"},
		{},
	} {
		if err := f.Store(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		got, err := f.Load(t.Context())
		if err != nil || got.Cause != s.Cause || !got.Since.Equal(s.Since) {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if left, _ := filepath.Glob(string(f) + ".*"); len(left) != 0 {
		t.Fatalf("left over: %v", left)
	}
	if info, err := os.Stat(string(f)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	for _, bad := range []string{"", "{}", "null", `{"stop":null}`, `{"stop":{}}`, `{"stop":{"cause":""}}`, `{"stop":{"cause":"x"}} more`,
		`{"stop":{"cause":"x"},"lifted":true}`, strings.Repeat(" ", maxLatch+1)} {
		if err := os.WriteFile(string(f), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := f.Load(t.Context()); KindOf(err) != Unavailable {
			t.Errorf("%.40q: %+v, %v", bad, s, err)
		}
	}
	// The same through a gate: damaged, stopped, lifted, restarted.
	m := &memory{}
	c := Config{Mode: System, Accuracy: time.Second, MaxAge: time.Minute, Every: time.Second, Latch: f, OnEvent: m.event}
	b := &bench{fake: newFake(), memory: &memory{}}
	b.open(t, c)
	if s := b.g.Status(); s.State != StateStopped || s.Cause != CauseLatch {
		t.Fatalf("%+v", s)
	}
	b.pass(time.Second)
	if err := b.g.Lift(t.Context(), "A. Rossi"); err != nil {
		t.Fatal(err)
	}
	b.open(t, c)
	b.round()
	if s := b.g.Status(); s.State != StateOK {
		t.Fatalf("%+v", s)
	}
}

// A folder that cannot be written is told.
func TestFileFails(t *testing.T) {
	t.Parallel()
	f := File(filepath.Join(t.TempDir(), "missing", "latch"))
	if err := f.Store(t.Context(), Stop{}); KindOf(err) != Unavailable {
		t.Fatal(err)
	}
	if _, err := File(t.TempDir()).Load(t.Context()); KindOf(err) != Unavailable {
		t.Fatal(err)
	}
}

// Whatever is in the file, only what Store writes for a lift is a lift.
func FuzzLatch(f *testing.F) {
	f.Add([]byte(`{"stop":null}` + "\n"))
	f.Add([]byte(`{"stop":{"since":"2027-06-30T12:00:00Z","cause":"step","reason":"the clock was set by 2 s"}}`))
	f.Add([]byte(`{"stop":{"cause":""}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseLatch(b)
		if err == nil && !s.Set() && string(b) != string(lifted) {
			t.Fatalf("lifted by %q", b)
		}
		if err != nil && s.Set() {
			t.Fatalf("%+v beside %v", s, err)
		}
	})
}
