package graphometric_test

import (
	"testing"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
)

func TestFingerprint(t *testing.T) {
	t.Parallel()
	key, other := [32]byte{1}, [32]byte{2}
	person := synthetic.New(1)
	want := person.Sign(0, 0).Fingerprint(&key)
	with := func(f func(p *graphometric.Point)) *graphometric.Sample {
		s := person.Sign(0, 0)
		for i := range s.Points {
			f(&s.Points[i])
		}
		return s
	}
	for name, s := range map[string]*graphometric.Sample{
		"again":     with(func(p *graphometric.Point) {}),
		"moved":     with(func(p *graphometric.Point) { p.X, p.Y = p.X+250, p.Y-80 }),
		"later":     with(func(p *graphometric.Point) { p.T += 7000 }),
		"tilt gone": with(func(p *graphometric.Point) { p.TiltX, p.TiltY = 0, 0 }),
	} {
		if s.Fingerprint(&key) != want {
			t.Errorf("%s: it is not found again", name)
		}
	}
	for name, s := range map[string]*graphometric.Sample{
		"another": person.Sign(0, 1), "another person's": synthetic.New(2).Sign(0, 0),
		"larger": with(func(p *graphometric.Point) { p.X *= 1.01 }),
	} {
		if s.Fingerprint(&key) == want {
			t.Errorf("%s has the same", name)
		}
	}
	if person.Sign(0, 0).Fingerprint(&other) == want {
		t.Error("the key does not count")
	}
}
