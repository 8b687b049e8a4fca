package graphometric_test

import (
	"slices"
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
