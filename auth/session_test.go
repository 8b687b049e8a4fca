package auth

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// memory is a SessionStore in memory; broken makes it fail.
type memory struct {
	mu     sync.Mutex
	rows   map[string]Session
	writes int
	broken error
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

func (m *memory) DeleteSession(_ context.Context, id []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.rows, string(id))
	return m.broken
}

func TestSessions(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	begin := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	now := begin
	m := &memory{rows: map[string]Session{}}
	s := NewSessions(m, func() time.Time { return now })
	check := func(token string, want Kind) {
		t.Helper()
		holder, err := s.Check(ctx, token)
		if KindOf(err) != want || (err == nil) != (holder == "h1") {
			t.Fatalf("at %v: %q, %v; want %q", now.Sub(begin), holder, err, want)
		}
	}
	start := func() string {
		t.Helper()
		token, err := s.Start(ctx, "h1")
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
	if _, err := s.Start(t.Context(), "h1"); KindOf(err) != Failed {
		t.Fatalf("a session that is not stored: %v", err)
	}
	broken := m.broken
	m.broken = nil
	token, err := s.Start(t.Context(), "h1")
	if err != nil {
		t.Fatal(err)
	}
	m.broken = broken
	return token
}
