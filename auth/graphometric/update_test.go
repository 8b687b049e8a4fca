package graphometric_test

import (
	"testing"
	"time"

	"sigillo/auth/graphometric"
)

func TestUpdate(t *testing.T) {
	t.Parallel()
	s, p, _ := enrolled(t, 2)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	before, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	pol := lenient()
	sample := s.Sign(1, 0)
	next, updated, _ := p.Update(sample, p.Match(sample, pol, nil), at)
	if !updated || next == p || next.Samples() != 6 {
		t.Fatalf("updated %v, %d samples", updated, next.Samples())
	}
	if after, err := p.MarshalBinary(); err != nil || string(after) != string(before) {
		t.Error("the profile before was changed: one cannot go back to it")
	}
	other := s.Sign(1, 1)
	if _, updated, _ := next.Update(other, next.Match(other, pol, nil), at.Add(23*time.Hour)); updated {
		t.Error("two samples within a day")
	}
	if _, updated, _ := next.Update(other, next.Match(other, pol, nil), at.Add(-time.Hour)); updated {
		t.Error("the clock went back, and a second sample entered")
	}
	if v := next.Match(sample, graphometric.Standard(), nil); v.Replay != graphometric.Copied || v.Decision != graphometric.Refuse {
		t.Errorf("what entered was given again: %+v", v)
	}
}

// TestUpdateStrictly: what just passes does not enter.
func TestUpdateStrictly(t *testing.T) {
	t.Parallel()
	s, p, _ := enrolled(t, 2)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	sample := s.Sign(1, 0)
	bare := p.Match(sample, graphometric.Standard(), nil)
	for name, c := range map[string]struct {
		above float64 // the threshold, above the sample's score
		want  bool
	}{"just passes": {.05, false}, "well below": {.15, true}, "does not pass": {-.05, false}} {
		pol := graphometric.Standard()
		pol.Threshold, pol.UpdateMargin = bare.Score+c.above, .1
		v := p.Match(sample, pol, nil)
		if (v.Decision == graphometric.Match) != (c.above > 0) {
			t.Errorf("%s: %+v", name, v)
		}
		if next, updated, _ := p.Update(sample, v, at); updated != c.want || (next != p) != c.want {
			t.Errorf("%s: updated %v", name, updated)
		}
	}
}

// TestWindow: only so many recent ones count; those of the enrolment stay, and
// copies of what went out are known.
func TestWindow(t *testing.T) {
	t.Parallel()
	s, p, taken := enrolled(t, 2)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	for day := range 7 {
		sample := s.Sign(1+day, 0)
		at = at.AddDate(0, 0, 1)
		next, updated, drift := p.Update(sample, p.Match(sample, lenient(), nil), at)
		if !updated || drift {
			t.Fatalf("day %d: updated %v, drift %v", day, updated, drift)
		}
		p = next
	}
	if p.Samples() != 9 {
		t.Errorf("%d samples count, want 5 and 4", p.Samples())
	}
	for _, n := range taken {
		if v := p.Match(s.Sign(0, n), graphometric.Standard(), nil); v.Replay != graphometric.Copied {
			t.Errorf("sample %d of the enrolment is forgotten: %+v", n, v)
		}
	}
	for day := range 7 {
		if v := p.Match(s.Sign(1+day, 0), graphometric.Standard(), nil); v.Replay != graphometric.Copied {
			t.Errorf("the sample of day %d is forgotten: %+v", day, v)
		}
	}
}

// TestDrift: another hand creeps in, against all rules; somebody is told.
func TestDrift(t *testing.T) {
	t.Parallel()
	_, p, _ := enrolled(t, 2)
	other, _, _ := enrolled(t, 5)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	drift := false
	for n := range 2 {
		sample := other.Sign(1+n, 0)
		pol := lenient()
		pol.Threshold = 100
		at = at.AddDate(0, 0, 1)
		v := p.Match(sample, pol, nil)
		if v.Decision != graphometric.Match {
			t.Fatalf("the two made-up people cannot be compared: %+v", v)
		}
		p, _, drift = p.Update(sample, v, at)
	}
	if !drift {
		t.Error("nobody is told")
	}
}
