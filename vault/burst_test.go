package vault

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestBurst: a thousand refusals are two lines, and none is an error.
func TestBurst(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := burst{log: slog.New(slog.NewTextHandler(&out, nil)), length: time.Hour}
	for range 1000 {
		b.note(opSign, errors.New("the queue is full"))
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Fatalf("%d lines at once:\n%s", n, &out)
	}
	b.over()
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 2 || !strings.Contains(lines[1], "requests=999") {
		t.Fatalf("%q", lines)
	}
	b.note(opSign, errors.New("the queue is full")) // it goes on
	b.end()
	if n := strings.Count(out.String(), "\n"); n != 3 {
		t.Errorf("what was left is not told:\n%s", &out)
	}
	b.note(opSign, errors.New("the queue is full")) // another begins
	b.over()
	b.note(opSign, errors.New("the queue is full"))
	if n := strings.Count(out.String(), "\n"); n != 5 {
		t.Errorf("a new burst is not told at once:\n%s", &out)
	}
	if s := out.String(); strings.Contains(s, "ERROR") || strings.Count(s, "level=WARN") != 5 {
		t.Error(s)
	}
}
