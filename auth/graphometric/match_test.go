package graphometric_test

import (
	"math"
	"slices"
	"syscall"
	"testing"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
)

// enrolled is the profile of a made-up person of five samples of one day, and the
// numbers of these.
func enrolled(t testing.TB, seed uint64) (s *synthetic.Signer, p *graphometric.Profile, taken []int) {
	t.Helper()
	s = synthetic.New(seed)
	e := graphometric.NewEnrolment(graphometric.Standard())
	defer e.Wipe()
	for n := 0; ; n++ {
		a := e.Add(s.Sign(0, n))
		if a.Failed {
			t.Fatalf("person %d cannot be enrolled: %+v", seed, a)
		}
		if a.Accepted {
			taken = append(taken, n)
		}
		if a.Odd > 0 {
			taken = slices.Delete(taken, a.Odd-1, a.Odd)
			a = e.Remove(a.Odd - 1)
		}
		if a.Count == 5 && a.Ready {
			break
		}
	}
	p, err := e.Profile()
	if err != nil {
		t.Fatal(err)
	}
	return s, p, taken
}

// rates are the parts of the samples of each kind that match, over some people.
func rates(t *testing.T, people int) map[string]float64 {
	total, matched := map[string]float64{}, map[string]float64{}
	sc := graphometric.NewScratch()
	for i := range people {
		s, p, taken := enrolled(t, uint64(i+1))
		count := func(kind string, sample *graphometric.Sample) {
			total[kind]++
			if p.Match(sample, graphometric.Standard(), sc).Decision == graphometric.Match {
				matched[kind]++
			}
		}
		for n := range 4 {
			count("genuine", s.Sign(0, 20+n))
			count("another day", s.Sign(1, n))
			for _, kind := range synthetic.Forgeries {
				count(string(kind), s.Forge(kind, taken[n])) // copies are of what the profile has
			}
		}
	}
	for k := range total {
		matched[k] /= total[k]
	}
	return matched
}

// TestAttacks: what made-up forgers reach. The made-up people are easier than real
// ones; docs/graphometry.md has the figures of those.
func TestAttacks(t *testing.T) {
	t.Parallel()
	got := rates(t, 12)
	t.Log(got)
	for kind, c := range map[string]struct{ least, most float64 }{
		"genuine": {.95, 1}, "another day": {.85, 1},
		string(synthetic.Random): {0, 0}, string(synthetic.Skilled): {0, .25}, string(synthetic.Tracer): {0, 0},
		string(synthetic.Replay): {0, 0}, string(synthetic.Noisy): {0, 0}, string(synthetic.Scaled): {0, .05},
	} {
		if v, ok := got[kind]; !ok || v < c.least || v > c.most {
			t.Errorf("%s: %.3f match, want %.2f to %.2f", kind, v, c.least, c.most)
		}
	}
}

// TestMatchRefuses: what is not compared at all.
func TestMatchRefuses(t *testing.T) {
	t.Parallel()
	s, p, _ := enrolled(t, 1)
	other := s.Sign(0, 30)
	other.Device.Class = "wacom-stu"
	mouse := s.Sign(0, 30)
	for i := range mouse.Points {
		mouse.Points[i].Pressure = .5
	}
	flood := s.Sign(0, 30)
	for len(flood.Points) < 10_000 {
		flood.Points = append(flood.Points, flood.Points[len(flood.Points)-1])
	}
	for name, c := range map[string]struct {
		sample *graphometric.Sample
		want   graphometric.Reason
	}{
		"nothing": {&graphometric.Sample{Device: other.Device}, graphometric.OtherDevice}, "other device": {other, graphometric.OtherDevice},
		"mouse": {mouse, graphometric.ConstantPressure}, "flood": {flood, graphometric.TooManyPoints},
	} {
		v := p.Match(c.sample, graphometric.Standard(), nil)
		if v.Decision != graphometric.Repeat || !slices.Equal(v.Reasons, []graphometric.Reason{c.want}) || !math.IsInf(v.Score, 1) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// TestLongFlood: as many readings as are allowed, against a signature of two
// seconds, are refused without a comparison.
func TestLongFlood(t *testing.T) {
	t.Parallel()
	_, p, _ := enrolled(t, 1)
	s := &graphometric.Sample{Device: graphometric.Device{Class: p.Class()}}
	for i := range graphometric.MaxPoints {
		s.Points = append(s.Points, graphometric.Point{T: int64(i) * 6600, X: float64(i % 100), Y: float64(i % 37), Pressure: float64(i%10) / 10, Down: true})
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if v := p.Match(s, graphometric.Standard(), nil); v.Decision != graphometric.Refuse || !math.IsInf(v.Score, 1) {
		t.Errorf("%+v", v)
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	s, p, _ := enrolled(t, 1)
	sample, pol, sc := s.Sign(1, 0), graphometric.Standard(), graphometric.NewScratch()
	p.Match(sample, pol, sc)
	if n := testing.AllocsPerRun(10, func() { p.Match(sample, pol, sc) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestPolicies: the stricter, the nearer; and the more samples, the nearer.
func TestPolicies(t *testing.T) {
	t.Parallel()
	a, b, c := graphometric.Standard(), graphometric.High(), graphometric.Highest()
	if !(a.Threshold > b.Threshold && b.Threshold > c.Threshold) {
		t.Errorf("%v %v %v", a.Threshold, b.Threshold, c.Threshold)
	}
	if !(a.ThresholdFor(4) > a.ThresholdFor(5) && a.ThresholdFor(5) > a.ThresholdFor(6)) {
		t.Error("more samples want a lower threshold")
	}
	if p, ok := graphometric.PolicyNamed("high"); !ok || p.Threshold != b.Threshold {
		t.Error("there is no policy named high")
	}
	if _, ok := graphometric.PolicyNamed("none"); ok {
		t.Error("there is a policy named none")
	}
}

func BenchmarkMatch(b *testing.B) {
	s, p, _ := enrolled(b, 1)
	sample, pol, sc := s.Sign(1, 0), graphometric.Standard(), graphometric.NewScratch()
	p.Match(sample, pol, sc)
	b.ReportAllocs()
	before := processor()
	for b.Loop() {
		p.Match(sample, pol, sc)
	}
	b.ReportMetric(float64(processor()-before)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(len(sample.Points)), "readings")
}

// processor is the processor time of this process in ns.
func processor() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkOpen(b *testing.B) {
	_, p, _ := enrolled(b, 1)
	data, err := p.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		q, err := graphometric.ParseProfile(data)
		if err != nil {
			b.Fatal(err)
		}
		q.Wipe()
	}
}
