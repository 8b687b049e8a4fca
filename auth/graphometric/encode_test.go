package graphometric_test

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"sigillo/auth/graphometric"
)

func TestProfileKeeps(t *testing.T) {
	t.Parallel()
	s, p, _ := enrolled(t, 3)
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	for day := range 8 { // some recent and some past ones
		at = at.AddDate(0, 0, 1)
		sample := s.Sign(1+day, 0)
		p, _, _ = p.Update(sample, p.Match(sample, lenient(), nil), at)
	}
	b, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	q, err := graphometric.ParseProfile(b)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := q.MarshalBinary(); err != nil || !bytes.Equal(again, b) {
		t.Errorf("written again it differs: %v", err)
	}
	if q.Class() != p.Class() || q.Algorithm() != graphometric.Algorithm || q.Samples() != p.Samples() || q.Weak() != p.Weak() {
		t.Errorf("%q %q %d %v", q.Class(), q.Algorithm(), q.Samples(), q.Weak())
	}
	for n := range 3 {
		x := s.Sign(20, n)
		if a, b := p.Match(x, graphometric.Standard(), nil), q.Match(x, graphometric.Standard(), nil); a.Score != b.Score || a.Nearest != b.Nearest {
			t.Errorf("it was %+v, and is %+v", a, b)
		}
	}
	t.Logf("%d samples, %d bytes", p.Samples(), len(b))
}

// lenient lets everything into a profile that is not a replay.
func lenient() graphometric.Policy {
	p := graphometric.Standard()
	p.Threshold, p.UpdateMargin = 10, 0
	return p
}

func TestParseProfileRefuses(t *testing.T) {
	t.Parallel()
	_, p, _ := enrolled(t, 1)
	good, err := p.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	with := func(i int, v byte) []byte {
		b := slices.Clone(good)
		b[i] = v
		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "short": good[:3], "head": good[:40], "cut": good[:len(good)-1], "more": append(slices.Clone(good), 0),
		"magic": with(0, 'X'), "version": with(4, 9), "algorithm": with(6, 'G'), "flag": with(6+len(graphometric.Algorithm)+1+len(p.Class()), 2),
	} {
		if q, err := graphometric.ParseProfile(b); err == nil || q != nil || graphometric.KindOf(err) != graphometric.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := graphometric.ParseProfile(make([]byte, 8<<20)); graphometric.KindOf(err) != graphometric.TooLarge {
		t.Errorf("8 MB: %v", err)
	}
	for i := 0; i < len(good); i += 1 + len(good)/300 { // whatever it says, no panic
		if q, err := graphometric.ParseProfile(with(i, ^good[i])); err == nil {
			q.Match(&graphometric.Sample{}, graphometric.Standard(), nil)
		}
	}
}

func TestWipedProfile(t *testing.T) {
	t.Parallel()
	s, p, _ := enrolled(t, 1)
	p.Wipe()
	if v := p.Match(s.Sign(0, 30), graphometric.Standard(), nil); v.Decision != graphometric.Refuse {
		t.Errorf("%+v", v)
	}
	if _, err := p.MarshalBinary(); graphometric.KindOf(err) != graphometric.NotReady {
		t.Errorf("%v", err)
	}
}

// loop is a signature of a loop or two, with few readings; the n-th.
func loop(n int) *graphometric.Sample {
	s := &graphometric.Sample{Device: graphometric.Device{Class: "pointer"}}
	for i := range 45 {
		at := float64(i) / 45
		s.Points = append(s.Points, graphometric.Point{T: int64(i) * 20_000, Down: true, Pressure: .5 + .2*at,
			X: 1000*math.Sin(4*at) + 90*math.Sin(9*at+1.7*float64(n)), Y: 700*math.Cos(4*at) + 120*math.Cos(8*at+.9*float64(n))})
	}
	return s
}

func FuzzParseProfile(f *testing.F) {
	p, err := graphometric.NewProfile([]*graphometric.Sample{loop(0), loop(1), loop(2), loop(3)}, graphometric.Standard())
	if err != nil {
		f.Fatal(err)
	}
	b, err := p.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:200])
	sample := loop(4)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := graphometric.ParseProfile(b)
		if err != nil {
			return
		}
		p.Match(sample, graphometric.Standard(), nil)
		again, err := p.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := graphometric.ParseProfile(again); err != nil {
			t.Fatalf("what it wrote it does not read: %v", err)
		}
	})
}
