package graphometric

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// rung is a way of comparing, from the plainest to the one that is shipped. It gets
// the separations of a trace from the samples of the reference.
type rung struct {
	name  string
	score func(r *reference, pair float64, apart []separation, tr *trace) float64
}

// ratio compares a distance with that between the samples of the enrolment.
func ratio(apart []separation, pair, soft float64, of func(s *separation) float64) float64 {
	least, mean := math.Inf(1), 0.
	for i := range apart {
		d := of(&apart[i])
		least, mean = min(least, d), mean+d/float64(len(apart))
	}
	return math.Log((least+mean)/2+1e-6) - soft*math.Log(pair+1e-6)
}

func whole(soft float64) func(*reference, float64, []separation, *trace) float64 {
	return func(_ *reference, pair float64, apart []separation, _ *trace) float64 {
		return ratio(apart, pair, soft, func(s *separation) float64 { return s.whole })
	}
}

func byChannel(soft, share float64, to int) func(*reference, float64, []separation, *trace) float64 {
	return func(r *reference, _ float64, apart []separation, tr *trace) float64 {
		score, n := 0., 0.
		for c, p := range r.pairs[:to] {
			if p > constant && r.has(c, tr) {
				score += ratio(apart, p, soft, func(s *separation) float64 { return s.by[c] })
				n++
			}
		}
		return score/max(1, n) + share*math.Log(r.whole(tr))
	}
}

var ladder = []rung{
	{"one distance, by the mean distance P", whole(1)},
	{"by P^0.6", whole(.6)},
	{"a ratio for each channel, P", byChannel(1, 0, written)},
	{"the same, P^0.6", byChannel(.6, 0, written)},
	{"with tilt", byChannel(.6, 0, channels)},
	{"with the figures of the whole, 0.15 (shipped)", byChannel(softening, wholeShare, channels)},
	{"  P^0.5", byChannel(.5, wholeShare, channels)},
	{"  P^0.7", byChannel(.7, wholeShare, channels)},
	{"  figures 0.10", byChannel(.6, .1, channels)},
	{"  figures 0.20", byChannel(.6, .2, channels)},
}

// TestLadder prints what each step gives on the set that SIGILLO_SIGNATURES names,
// and what the last one gives with less to go by.
func TestLadder(t *testing.T) {
	dir := os.Getenv("SIGILLO_SIGNATURES")
	if dir == "" {
		t.Skip("no real signatures: SIGILLO_SIGNATURES names no folder with a set in the form of SVC2004")
	}
	as := func(s *Sample) *Sample { return s }
	for i, line := range climb(t, dir, ladder, as) {
		t.Logf("%-48s %s", ladder[i].name, line)
	}
	shipped := ladder[5:6]
	for _, less := range []struct {
		name   string
		change func(s *Sample) *Sample
	}{
		{"no tilt", func(s *Sample) *Sample { s.Device.Tilt = false; return s }},
		{"no pressure, no tilt", func(s *Sample) *Sample {
			s.Device.Tilt = false
			for i := range s.Points {
				s.Points[i].Pressure = .5
			}
			return s
		}},
		{"50 Hz", func(s *Sample) *Sample { return every(s, 2) }},
		{"33 Hz", func(s *Sample) *Sample { return every(s, 3) }},
	} {
		t.Logf("%-48s %s", less.name, climb(t, dir, shipped, less.change)[0])
	}
}

// every keeps one reading of n, and all at the ends of strokes.
func every(s *Sample, n int) *Sample {
	var out []Point
	for i, p := range s.Points {
		if i%n == 0 || i+1 == len(s.Points) || p.Down != s.Points[i+1].Down || i > 0 && p.Down != s.Points[i-1].Down {
			out = append(out, p)
		}
	}
	s.Points = out
	return s
}

// climb measures some ways: those of ten choices of five samples.
func climb(t *testing.T, dir string, rungs []rung, change func(s *Sample) *Sample) []string {
	var people [][40]*Sample
	for u := 1; ; u++ {
		if _, err := os.Stat(filepath.Join(dir, fmt.Sprintf("U%dS1.TXT", u))); err != nil {
			break
		}
		var p [40]*Sample
		for k := range p {
			p[k] = change(readLadder(t, filepath.Join(dir, fmt.Sprintf("U%dS%d.TXT", u, k+1))))
		}
		people = append(people, p)
	}
	genuine, skilled, random := make([][][]float64, len(people)), make([][][]float64, len(people)), make([][][]float64, len(people))
	var group sync.WaitGroup
	busy := make(chan bool, runtime.GOMAXPROCS(0))
	for u := range people {
		group.Go(func() {
			busy <- true
			genuine[u], skilled[u], random[u] = climbOne(people, u, rungs)
			<-busy
		})
	}
	group.Wait()
	out := make([]string, len(rungs))
	for k := range rungs {
		var g, s, r []float64
		own := 0.
		for u := range people {
			g, s, r = append(g, genuine[u][k]...), append(s, skilled[u][k]...), append(r, random[u][k]...)
			own += meet(genuine[u][k], skilled[u][k]) / float64(len(people))
		}
		out[k] = fmt.Sprintf("skilled %.1f %% (own threshold %.1f %%), random %.2f %%", meet(g, s)*100, own*100, meet(g, r)*100)
	}
	return out
}

func climbOne(people [][40]*Sample, u int, rungs []rung) (genuine, skilled, random [][]float64) {
	genuine, skilled, random = make([][]float64, len(rungs)), make([][]float64, len(rungs)), make([][]float64, len(rungs))
	rng := rand.New(rand.NewPCG(1, uint64(u)))
	sc := NewScratch()
	var tr trace
	for range 10 {
		var samples []*Sample
		for _, k := range rng.Perm(10)[:5] {
			samples = append(samples, people[u][k])
		}
		spread := ShippedSpread()
		r := sc.refer(samples, &spread)
		pair := 0.
		for i := range r.traces {
			for j := range i {
				pair += sc.apart(&r.traces[i], &r.traces[j]).whole / 10
			}
		}
		test := func(to [][]float64, s *Sample) {
			sc.trace(&tr, s)
			var apart []separation
			for i := range r.traces {
				apart = append(apart, sc.apart(&r.traces[i], &tr))
			}
			for k := range rungs {
				to[k] = append(to[k], rungs[k].score(r, pair, apart, &tr))
			}
		}
		for k := 10; k < 40; k++ {
			to := genuine
			if k >= 20 {
				to = skilled
			}
			test(to, people[u][k])
		}
		for k := range 20 {
			test(random, people[(u+1+k%(len(people)-1))%len(people)][rng.IntN(20)])
		}
	}
	return genuine, skilled, random
}

// meet is the equal error rate.
func meet(genuine, forged []float64) float64 {
	g, f := slices.Sorted(slices.Values(genuine)), slices.Sorted(slices.Values(forged))
	best, rate := 2., 0.
	j := 0
	for i, t := range g {
		for j < len(f) && f[j] <= t {
			j++
		}
		fnmr, fmr := float64(len(g)-i-1)/float64(len(g)), float64(j)/float64(len(f))
		if d := math.Abs(fnmr - fmr); d < best {
			best, rate = d, (fnmr+fmr)/2
		}
	}
	return rate
}

func readLadder(t *testing.T, path string) *Sample {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := ReadSVC2004(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return s
}
