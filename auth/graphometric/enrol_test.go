package graphometric_test

import (
	"math"
	"slices"
	"testing"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
)

func TestEnrolment(t *testing.T) {
	t.Parallel()
	s := synthetic.New(1)
	e := graphometric.NewEnrolment(graphometric.Standard())
	defer e.Wipe()
	if _, err := e.Profile(); graphometric.KindOf(err) != graphometric.NotReady {
		t.Fatalf("a profile of nothing: %v", err)
	}
	n := 0
	for count := 1; count <= graphometric.MaxSamples; count++ {
		var a graphometric.Advice
		for !a.Accepted {
			if a = e.Add(s.Sign(0, n)); a.Failed || n > 9 {
				t.Fatalf("sample %d: %+v", n, a)
			}
			n++
		}
		if a.Count != count || a.Ready != (count >= graphometric.MinSamples) || a.Pause != (count == 3) || a.Odd != 0 {
			t.Errorf("after %d: %+v", count, a)
		}
	}
	if a := e.Add(s.Sign(0, n)); a.Accepted || a.Count != graphometric.MaxSamples || !a.Ready {
		t.Errorf("one too many: %+v", a)
	}
	if a := e.Remove(0); a.Count != 5 || !a.Ready {
		t.Errorf("one removed: %+v", a)
	}
	if a := e.Remove(99); a.Count != 5 {
		t.Errorf("one removed that is not there: %+v", a)
	}
	p, err := e.Profile()
	if err != nil {
		t.Fatal(err)
	}
	e.Wipe()
	if a := e.Remove(0); a.Count != 0 {
		t.Errorf("wiped: %+v", a)
	}
	if v := p.Match(s.Sign(0, 40), graphometric.Standard(), nil); v.Decision != graphometric.Match {
		t.Errorf("the profile went with the enrolment: %+v", v)
	}
}

// TestEnrolmentRefuses: each in the place of the fourth sample.
func TestEnrolmentRefuses(t *testing.T) {
	t.Parallel()
	s := synthetic.New(1)
	change := func(f func(p *graphometric.Point)) *graphometric.Sample {
		c := s.Sign(0, 9)
		for i := range c.Points {
			f(&c.Points[i])
		}
		return c
	}
	cut := s.Sign(0, 9)
	cut.Points = cut.Points[:40]
	other := s.Sign(0, 9)
	other.Device.Class = "wacom-stu"
	flood := s.Sign(0, 9)
	for len(flood.Points) < 10_000 {
		last := flood.Points[len(flood.Points)-1]
		last.T += 100
		flood.Points = append(flood.Points, last)
	}
	for name, c := range map[string]struct {
		sample *graphometric.Sample
		want   graphometric.Reason
	}{
		"short":    {cut, graphometric.TooShort},
		"dot":      {&graphometric.Sample{Device: s.Sign(0, 0).Device, Points: s.Sign(0, 9).Points[:9]}, graphometric.TooFewPoints},
		"flood":    {flood, graphometric.TooManyPoints},
		"slow":     {change(func(p *graphometric.Point) { p.T *= 20 }), graphometric.TooLong},
		"mouse":    {change(func(p *graphometric.Point) { p.Pressure = .5 }), graphometric.ConstantPressure},
		"line":     {change(func(p *graphometric.Point) { p.Y = 7 }), graphometric.TooSimple},
		"number":   {change(func(p *graphometric.Point) { p.X = math.NaN() }), graphometric.BadReadings},
		"other":    {other, graphometric.OtherDevice},
		"stranger": {synthetic.New(2).Sign(0, 0), graphometric.Differs},
		"copy":     {s.Sign(0, 0), graphometric.Copy},
		"changed":  {s.Forge(synthetic.Noisy, 0), graphometric.Copy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := graphometric.NewEnrolment(graphometric.Standard())
			defer e.Wipe()
			for n := range 3 {
				if a := e.Add(s.Sign(0, n)); !a.Accepted {
					t.Fatalf("sample %d: %+v", n, a)
				}
			}
			if a := e.Add(c.sample); a.Accepted || a.Count != 3 || !slices.Equal(a.Reasons, []graphometric.Reason{c.want}) {
				t.Errorf("%+v, want %s", a, c.want)
			}
		})
	}
}

// TestFailureToEnrol: somebody signs differently each time.
func TestFailureToEnrol(t *testing.T) {
	t.Parallel()
	e := graphometric.NewEnrolment(graphometric.Standard())
	defer e.Wipe()
	for n := range 12 {
		a := e.Add(synthetic.New(uint64(n)).Sign(0, 0))
		if a.Failed != (n >= 9) {
			t.Errorf("try %d: %+v", n+1, a)
		}
	}
	if _, err := e.Profile(); graphometric.KindOf(err) != graphometric.NotReady {
		t.Errorf("%v", err)
	}
}

// TestOdd: the first sample was of another hand; when the others are there it is
// seen which one stands apart.
func TestOdd(t *testing.T) {
	t.Parallel()
	s := synthetic.New(1)
	e := graphometric.NewEnrolment(graphometric.Standard())
	defer e.Wipe()
	var a graphometric.Advice
	a = e.Add(s.Forge(synthetic.Skilled, 1))
	for n := 0; n < 8 && a.Odd == 0 && a.Count < 6; n++ {
		a = e.Add(s.Sign(0, n))
	}
	if a.Odd != 1 || a.Ready {
		t.Fatalf("%+v", a)
	}
	if a = e.Remove(0); a.Odd != 0 {
		t.Errorf("%+v", a)
	}
}

// TestWeak: a loop or two are a weak signature.
func TestWeak(t *testing.T) {
	t.Parallel()
	e := graphometric.NewEnrolment(graphometric.Standard())
	defer e.Wipe()
	var a graphometric.Advice
	for n := 0; n < 10 && !a.Ready; n++ {
		a = e.Add(loop(n))
	}
	if !a.Ready || !a.Weak || !slices.Contains(a.Reasons, graphometric.Weak) {
		t.Fatalf("%+v", a)
	}
	p, err := e.Profile()
	if err != nil || !p.Weak() {
		t.Errorf("%v", err)
	}
}
