package evaluate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"sigillo/auth/graphometric"
	"sigillo/auth/graphometric/evaluate"
)

// realPeople are those of the set that SIGILLO_SIGNATURES names.
func realPeople(t *testing.T) []evaluate.Person {
	t.Helper()
	dir := os.Getenv("SIGILLO_SIGNATURES")
	if dir == "" {
		t.Skip("no real signatures: SIGILLO_SIGNATURES names no folder with a set in the form of SVC2004")
	}
	people, err := evaluate.ReadSVC2004(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return people
}

// altered is a copy of a sample with noise, as a part of its size, in place and in
// pressure, and another tempo.
func altered(s *graphometric.Sample, noise, tempo float64, r *rand.Rand) *graphometric.Sample {
	c := &graphometric.Sample{Device: s.Device, Points: append([]graphometric.Point(nil), s.Points...)}
	low, high := c.Points[0], c.Points[0]
	for _, p := range c.Points {
		low.X, low.Y, high.X, high.Y = min(low.X, p.X), min(low.Y, p.Y), max(high.X, p.X), max(high.Y, p.Y)
	}
	size := math.Hypot(high.X-low.X, high.Y-low.Y)
	for i := range c.Points {
		p := &c.Points[i]
		p.T = int64(float64(p.T) * tempo)
		p.X += noise * size * r.NormFloat64()
		p.Y += noise * size * r.NormFloat64()
		if p.Down {
			p.Pressure = max(1e-3, min(1, p.Pressure+noise*r.NormFloat64()))
		}
	}
	return c
}

// even is a copy with the right shape and another rhythm: one speed in each
// stroke, one pressure, slower by a factor.
func even(s *graphometric.Sample, slower float64) *graphometric.Sample {
	c := altered(s, 0, slower, rand.New(rand.NewPCG(1, 1)))
	mean, n := 0., 0.
	for _, p := range c.Points {
		if p.Down {
			mean, n = mean+p.Pressure, n+1
		}
	}
	for start := 0; start < len(c.Points); {
		end, length := start+1, 0.
		for end < len(c.Points) && c.Points[end].Down == c.Points[start].Down {
			length += math.Hypot(c.Points[end].X-c.Points[end-1].X, c.Points[end].Y-c.Points[end-1].Y)
			end++
		}
		first, last, done := c.Points[start].T, c.Points[end-1].T, 0.
		for i := start; i < end && c.Points[start].Down; i++ {
			if i > start {
				done += math.Hypot(c.Points[i].X-c.Points[i-1].X, c.Points[i].Y-c.Points[i-1].Y)
			}
			c.Points[i].Pressure = mean/n + .002*float64(i%3)
			if length > 0 {
				c.Points[i].T = first + int64(done/length*float64(last-first))
			}
		}
		start = end
	}
	return c
}

// TestRealReplays prints, and bounds, what copies of samples that the profile has
// reach, and how often genuine ones are taken for copies.
func TestRealReplays(t *testing.T) {
	people := realPeople(t)
	pol, sc := graphometric.Standard(), graphometric.NewScratch()
	counts, nearest := map[string]map[string]int{}, map[string][]float64{}
	for u, p := range people {
		r := rand.New(rand.NewPCG(3, uint64(u)))
		profile, err := graphometric.NewProfile(p.First[:5], pol)
		if err != nil {
			t.Fatal(err)
		}
		try := func(kind string, s *graphometric.Sample) {
			v := profile.Match(s, pol, sc)
			if counts[kind] == nil {
				counts[kind] = map[string]int{}
			}
			counts[kind][string(v.Decision)]++
			counts[kind]["replay "+string(v.Replay)]++
			counts[kind]["all"]++
			nearest[kind] = append(nearest[kind], v.Nearest)
		}
		for k, s := range p.First[:5] {
			try("exact copy", s)
			try("copy, noise 0.5 %", altered(s, .005, 1, r))
			try("copy, noise 1 %, tempo 2 %", altered(s, .01, 1.02, r))
			try("copy, tempo 5 %", altered(s, 0, 1.05, r))
			try("traced at one speed, 2.5 times as slow", even(s, 2.5))
			try("right shape and duration, one speed", even(s, 1))
			try("another person", people[(u+k+1)%len(people)].First[k])
		}
		for _, s := range p.Second {
			try("genuine", s)
		}
	}
	for kind, c := range counts {
		line := ""
		for _, what := range []string{"match", "repeat", "refuse", "replay copied", "replay suspect"} {
			line += fmt.Sprintf("  %s %.1f %%", what, 100*float64(c[what])/float64(c["all"]))
		}
		slices.Sort(nearest[kind])
		n := nearest[kind]
		t.Logf("%-40s%s  nearest %.2f, median %.2f, farthest %.2f", kind, line, n[0], n[len(n)/2], n[len(n)-1])
	}
	if counts["exact copy"]["refuse"] != counts["exact copy"]["all"] || counts["another person"]["match"] > 0 {
		t.Error("a copy or another person passed")
	}
	for _, kind := range []string{"copy, noise 0.5 %", "copy, noise 1 %, tempo 2 %", "copy, tempo 5 %", "traced at one speed, 2.5 times as slow"} {
		if n := counts[kind]["match"]; 20*n > counts[kind]["all"] {
			t.Errorf("%s: %d of %d match", kind, n, counts[kind]["all"])
		}
	}
	if c := counts["genuine"]; 100*(c["replay copied"]+c["replay suspect"]) > c["all"] {
		t.Errorf("genuine ones are taken for copies: %v", c)
	}
}

// TestRealUpdates prints what updates do: a stream of signatures of the second
// session, each third one a forgery, comes in; the errors are measured on the rest.
func TestRealUpdates(t *testing.T) {
	people := realPeople(t)
	sc := graphometric.NewScratch()
	for _, way := range []struct {
		name    string
		margin  float64
		updates bool
	}{{"no updates", 0, false}, {"every match enters", 0, true}, {"as shipped", graphometric.Standard().UpdateMargin, true}} {
		var genuine, rejected, copies, forged, accepted, entered, poisoned, drifts int
		for u, p := range people {
			for choice := range 2 {
				r := rand.New(rand.NewPCG(uint64(choice), uint64(u)))
				pol := graphometric.Standard()
				pol.UpdateMargin = way.margin
				var first []*graphometric.Sample
				for _, k := range r.Perm(len(p.First))[:5] {
					first = append(first, p.First[k])
				}
				profile, err := graphometric.NewProfile(first, pol)
				if err != nil {
					t.Fatal(err)
				}
				at := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
				later, forgeries := r.Perm(len(p.Second)), r.Perm(len(p.Forged))
				give := func(s *graphometric.Sample, forgery bool) {
					at = at.AddDate(0, 0, 2)
					next, updated, drift := profile.Update(s, profile.Match(s, pol, sc), at)
					profile = next
					if updated && forgery {
						poisoned++
					}
					if updated {
						entered++
					}
					if drift {
						drifts++
					}
				}
				for i := range 6 {
					if way.updates {
						give(p.Second[later[i]], false)
						if i%2 == 1 {
							give(p.Forged[forgeries[i/2]], true)
						}
					}
				}
				for _, k := range later[6:] {
					genuine++
					v := profile.Match(p.Second[k], pol, sc)
					if v.Decision != graphometric.Match {
						rejected++
					}
					if v.Replay != graphometric.NoReplay {
						copies++
					}
				}
				for _, k := range forgeries[3:] {
					forged++
					if profile.Match(p.Forged[k], pol, sc).Decision == graphometric.Match {
						accepted++
					}
				}
			}
		}
		t.Logf("%-20s FNMR %.1f %% (%.1f %% taken for copies), skilled FMR %.1f %%; %d entered, %d of them forgeries; %d drift alarms", way.name,
			100*float64(rejected)/float64(genuine), 100*float64(copies)/float64(genuine), 100*float64(accepted)/float64(forged), entered, poisoned, drifts)
	}
}
