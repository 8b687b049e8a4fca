package graphometric_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/synthetic"
)

// noisy is a copy with small changes: what somebody makes who has what the pen wrote, and
// not the hand.
func noisy(s *graphometric.Sample, seed uint64) *graphometric.Sample {
	r := rand.New(rand.NewPCG(seed, 1))
	c := *s
	c.Points = append([]graphometric.Point(nil), s.Points...)
	for i := range c.Points {
		p := &c.Points[i]
		p.X += r.NormFloat64() * 3
		p.Y += r.NormFloat64() * 3
		if p.Down {
			p.Pressure = min(1, max(0.01, p.Pressure+r.NormFloat64()*.005))
		}
	}
	return &c
}

// TestCopyOfMatch: a signature that matched is known from then on, whether or not it enters
// what is compared with: a copy of it with small changes is a copy.
func TestCopyOfMatch(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	pol := graphometric.Standard()
	matches, passed := 0, 0
	for person := range uint64(6) {
		hand := synthetic.New(person)
		e := graphometric.NewEnrolment(pol)
		var a graphometric.Advice
		for i := 0; a.Count < 5 && i < 10; i++ {
			a = e.Add(hand.Sign(0, i))
		}
		p, err := e.Profile()
		e.Wipe()
		if err != nil {
			continue
		}
		for n := range 8 { // all of one day
			s := hand.Sign(1, n)
			v := p.Match(s, pol, nil)
			if v.Decision != graphometric.Match {
				continue
			}
			matches++
			p, _, _ = p.Follow(s, v, now.Add(time.Duration(n)*time.Minute))
			if v := p.Match(noisy(s, uint64(n)), pol, nil); v.Decision == graphometric.Match {
				passed++
			}
		}
	}
	if matches < 10 {
		t.Fatalf("%d matches: nothing was tried", matches)
	}
	if passed > 0 {
		t.Errorf("of %d signatures that matched %d were good again, copied", matches, passed)
	}
}

// TestEnrolmentCost: each sample of an enrolment is compared with each other one, and that
// once, however often one is taken away and written anew: all steps of an enrolment are
// taken again for each of them, and long samples cost milliseconds for each comparison.
func TestEnrolmentCost(t *testing.T) {
	t.Parallel()
	s := synthetic.New(1)
	e := graphometric.NewEnrolment(graphometric.Standard())
	defer e.Wipe()
	steps := 0
	for n := 0; steps < 14; n++ {
		before := e.Aligned()
		count := e.Add(s.Sign(0, n)).Count
		if cost := e.Aligned() - before; cost > 3*graphometric.MaxSamples {
			t.Fatalf("step %d: %d alignments", steps, cost)
		}
		steps++
		if !e.Measured() {
			t.Fatalf("step %d: what is known of the samples is wrong", steps)
		}
		if count < graphometric.MaxSamples {
			continue
		}
		before = e.Aligned()
		if a := e.Remove(n % count); a.Count != count-1 || e.Aligned() != before || !e.Measured() {
			t.Fatalf("step %d: removed: %+v, %d alignments", steps, a, e.Aligned()-before)
		}
	}
}
