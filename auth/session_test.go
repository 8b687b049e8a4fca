package auth

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// memory is a SessionStore in memory; broken makes it fail.
type memory struct {
	mu      sync.Mutex
	rows    map[string]Session
	writes  int
	endings []Ending
	broken  error
}

func (m *memory) PutSession(_ context.Context, s Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[string(s.ID)] = s
	m.writes++
	return m.broken
}

func (m *memory) Session(_ context.Context, id []byte) (*Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.rows[string(id)]; ok && m.broken == nil {
		return &s, nil
	}
	return nil, m.broken
}

func (m *memory) TouchSession(_ context.Context, id []byte, seen time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s, ok := m.rows[string(id)]; ok {
		s.Seen = seen
		m.rows[string(id)] = s
	}
	m.writes++
	return m.broken
}

func (m *memory) DeleteSession(_ context.Context, s Session, why Ending) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, string(s.ID))
	m.endings = append(m.endings, why)
	return m.broken
}

var firefox = Visit{Face: Pages, Client: "192.0.2.1", Agent: "Mozilla/5.0 (X11; Linux) Firefox/143.0"}

func TestSessions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	begin := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	now := begin
	m := &memory{rows: map[string]Session{}}
	s := NewSessions(m, func() time.Time { return now })
	check := func(token string, want Kind) {
		t.Helper()
		rec, err := s.Check(ctx, token, firefox)
		if KindOf(err) != want || (err == nil) != (rec.Holder == "h1") {
			t.Fatalf("at %v: %q, %v; want %q", now.Sub(begin), rec.Holder, err, want)
		}
	}
	start := func() string {
		t.Helper()
		token, err := s.Start(ctx, Opening{Holder: "h1", Visit: firefox})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}

	token := start()
	for id, rec := range m.rows {
		if bytes.Contains([]byte(id), []byte(token)) || len(id) != 32 || !rec.Expires.Equal(begin.Add(SessionLife)) {
			t.Fatal("the record is not the hash of the token")
		}
	}
	check(token, "")
	before := m.writes
	now = now.Add(30 * time.Second)
	check(token, "")
	if m.writes != before {
		t.Error("every request is a write")
	}
	now = now.Add(14 * time.Minute)
	check(token, "") // kept alive
	now = now.Add(14 * time.Minute)
	check(token, "")
	now = now.Add(SessionIdle)
	check(token, SessionExpired)
	check(token, NoSession) // removed

	now = begin
	token = start()
	for range 48 {
		now = now.Add(10 * time.Minute)
		if now.Sub(begin) < SessionLife {
			check(token, "")
		}
	}
	check(token, SessionExpired) // eight hours, busy or not

	token = start()
	if err := s.End(ctx, token); err != nil {
		t.Fatal(err)
	}
	check(token, NoSession)
	for _, bad := range []string{"", "x", token[1:], token + "A", "!" + token[1:]} {
		check(bad, NoSession)
		if err := s.End(ctx, bad); err != nil {
			t.Error(err)
		}
	}
	m.broken = errors.New("disk")
	check(start2(t, s, m), Failed)
}

// start2 finds that a session cannot be started on a broken store, and starts one
// on it while it works.
func start2(t *testing.T, s *Sessions, m *memory) string {
	t.Helper()
	if _, err := s.Start(t.Context(), Opening{Holder: "h1", Visit: firefox}); KindOf(err) != Failed {
		t.Fatalf("a session that is not stored: %v", err)
	}
	broken := m.broken
	m.broken = nil
	token, err := s.Start(t.Context(), Opening{Holder: "h1", Visit: firefox})
	if err != nil {
		t.Fatal(err)
	}
	m.broken = broken
	return token
}

// TestSessionRecord: what a session remembers can be shown, however it came.
func TestSessionRecord(t *testing.T) {
	t.Parallel()
	m := &memory{rows: map[string]Session{}}
	s := NewSessions(m, nil)
	token, err := s.Start(t.Context(), Opening{Holder: "h1", Methods: []string{"pwd", "otp"}, Epoch: []byte("1"), Visit: Visit{
		Face: Programs, Client: "192.0.2.1", Agent: "curl\r\n\x1b[31m\xff" + strings.Repeat("x", 500), Label: " backup\u202e\n" + strings.Repeat("è", 200) + "\xff"}})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := s.Check(t.Context(), token, Visit{Face: Programs, Agent: "another"}) // programs may change it
	if err != nil {
		t.Fatal(err)
	}
	if len(rec.Agent) != maxAgent || strings.ContainsFunc(rec.Agent, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("agent %q", rec.Agent)
	}
	if n := utf8.RuneCountInString(rec.Label); n != maxLabel || !utf8.ValidString(rec.Label) || !strings.HasPrefix(rec.Label, "backup[U+202E][U+000A]è") {
		t.Errorf("label of %d characters: %q", n, rec.Label)
	}
	if len(rec.Ref()) != 2*refSize || strings.Contains(token, rec.Ref()) || !slices.Equal(rec.Methods, []string{"pwd", "otp"}) || rec.Client != "192.0.2.1" {
		t.Errorf("%+v", rec)
	}
	if empty := (&Session{}); empty.Ref() != "" {
		t.Error("a session without an ID has a name")
	}
}

// TestSessionBound: a token that turns up elsewhere is worth nothing, there or
// where it came from.
func TestSessionBound(t *testing.T) {
	t.Parallel()
	other := firefox
	other.Agent = "curl/8"
	program := Visit{Face: Programs, Agent: firefox.Agent}
	desk := Visit{Face: Desk, Agent: firefox.Agent}
	elsewhere := firefox
	elsewhere.Client = "198.51.100.9" // people move about
	for _, c := range []struct {
		name     string
		from, to Visit
		good     bool
	}{
		{"the same", firefox, firefox, true}, {"another address", firefox, elsewhere, true}, {"another browser", firefox, other, false},
		{"a cookie as a bearer token", firefox, program, false}, {"a bearer token as a cookie", program, firefox, false},
		{"a program that was updated", program, Visit{Face: Programs}, true}, {"a holder's at the desk", firefox, desk, false},
	} {
		m := &memory{rows: map[string]Session{}}
		s := NewSessions(m, nil)
		token, err := s.Start(t.Context(), Opening{Holder: "h1", Visit: c.from})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Check(t.Context(), token, c.to); (err == nil) != c.good || !c.good && KindOf(err) != SessionExpired {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := s.Check(t.Context(), token, c.from); (err == nil) != c.good {
			t.Errorf("%s, afterwards: %v", c.name, err)
		}
		if !c.good && !slices.Equal(m.endings, []Ending{UsedElsewhere}) {
			t.Errorf("%s: %v", c.name, m.endings)
		}
	}
}

func TestSessionEpoch(t *testing.T) {
	t.Parallel()
	m := &memory{rows: map[string]Session{}}
	s := NewSessions(m, nil)
	token, err := s.Start(t.Context(), Opening{Holder: "h1", Epoch: []byte("1"), Visit: firefox})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := s.Check(t.Context(), token, firefox)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CheckEpoch(t.Context(), rec, []byte("1")); err != nil {
		t.Error(err)
	}
	for _, other := range [][]byte{[]byte("2"), nil} {
		if err := s.CheckEpoch(t.Context(), rec, other); KindOf(err) != SessionExpired {
			t.Errorf("epoch %q: %v", other, err)
		}
	}
	if _, err := s.Check(t.Context(), token, firefox); KindOf(err) != NoSession || m.endings[0] != FactorsChanged {
		t.Errorf("%v, %v", err, m.endings)
	}
}
