package graphometric

import "math"

// The weights of the score's parts. They are round numbers, and what comes out
// hardly depends on them (docs/graphometry.md).
const (
	softening  = .45 // of the enrolment's own spread: 0 ignores it, 1 trusts it wholly
	wholeShare = .2  // of the figures of the whole
	holdShare  = .2  // of the pen's tilt
	leastPair  = 1e-3
	lengthGate = 3 // a sample that is so many times as long, or as short, is not compared
)

// reference is what samples are compared with, made of those of a profile.
type reference struct {
	traces            []trace    // of the samples
	mean              model      // of the writing
	hold              model      // of the tilt; n is 0 where it is not known
	pairs             [2]float64 // mean distance between two samples: movement, form
	placed            float64    // the same: place
	figure, deviation [globals]float64
}

// refer makes the reference of some samples.
func (sc *Scratch) refer(samples []*Sample, spread *Spread) *reference {
	r := sc.traced(samples, spread)
	n := len(r.traces)
	apart := make([]float64, n)
	for i := range n {
		for j := range i {
			d := sc.apart(&r.traces[i], &r.traces[j])
			r.pairs[0] += d[0] * 2 / float64(n*(n-1))
			r.pairs[1] += d[1] * 2 / float64(n*(n-1))
			r.placed += sc.distance(r.traces[i].model(), &r.traces[j], place) * 2 / float64(n*(n-1))
			apart[i] += d[0] + d[1]
			apart[j] += d[0] + d[1]
		}
	}
	start := 0
	for i := range apart {
		if apart[i] < apart[start] {
			start = i
		}
	}
	r.mean = sc.mean(r.traces, start, writing)
	if r.tilted() {
		r.hold = sc.mean(r.traces, start, hold)
	}
	return r
}

// traced makes the part of a reference that is quickly made: all but the means
// and the distances.
func (sc *Scratch) traced(samples []*Sample, spread *Spread) *reference {
	r := &reference{traces: make([]trace, len(samples))}
	values := make([][globals]float64, len(samples))
	for i, s := range samples {
		sc.trace(&r.traces[i], s)
		values[i] = r.traces[i].g
	}
	var squares [globals]float64
	r.figure, squares = figures(values)
	for i, s := range squares {
		free := float64(len(samples) - 1)
		r.deviation[i] = math.Sqrt((s+spreadPrior*spread[i]*spread[i])/(free+spreadPrior)) + 1e-6
	}
	clear(values)
	return r
}

func (r *reference) tilted() bool {
	for i := range r.traces {
		if !r.traces[i].tilt {
			return false
		}
	}
	return true
}

func (r *reference) wipe() {
	if r == nil {
		return
	}
	for i := range r.traces {
		r.traces[i].wipe()
	}
	r.mean.wipe()
	r.hold.wipe()
	*r = reference{}
}

// apart is the distance of two traces in movement and form.
func (sc *Scratch) apart(a, b *trace) [2]float64 {
	m := a.model()
	return [2]float64{sc.distance(m, b, movement), sc.distance(m, b, form)}
}

// comparison is what is found when a trace is held against a reference.
type comparison struct {
	score   float64 // lower is nearer
	nearest float64 // of place, to the nearest sample, by that between two of the enrolment
}

// compare holds a trace against the reference.
//
// The score is the sum of views, each in logarithms, so that each counts for the
// factor by which it is off: movement and form against every sample, the writing
// against the mean signature, the figures of the whole, and the tilt.
func (sc *Scratch) compare(r *reference, tr *trace) comparison {
	if tr.n > lengthGate*r.mean.n || r.mean.n > lengthGate*tr.n {
		return comparison{score: math.Inf(1), nearest: math.Inf(1)}
	}
	least, mean := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{}
	var c comparison
	near, nearest := math.Inf(1), 0
	for i := range r.traces {
		d := sc.apart(&r.traces[i], tr)
		for v := range d {
			least[v] = min(least[v], d[v])
			mean[v] += d[v] / float64(len(r.traces))
		}
		if sum(d) < near {
			near, nearest = sum(d), i
		}
	}
	c.nearest = sc.near(r, &r.traces[nearest], tr)
	for v := range least {
		c.score += (math.Log(max(least[v], leastPair)*max(mean[v], leastPair))/2 - softening*math.Log(max(r.pairs[v], leastPair))) / 3
	}
	c.score += math.Log(max(sc.distance(r.mean, tr, writing), leastPair)) / 3
	tilted := r.hold.n > 0 && tr.tilt
	c.score += wholeShare * math.Log(r.whole(&tr.g, tilted))
	if tilted {
		c.score += holdShare * math.Log(max(sc.distance(r.hold, tr, hold), leastPair))
	}
	return c
}

// near is the distance in place of a trace to another, by that between two of the
// enrolment.
func (sc *Scratch) near(r *reference, of, tr *trace) float64 {
	return sc.distance(of.model(), tr, place) / max(r.placed, leastPair)
}

// whole is by how many deviations the figures of the whole are off, as a root mean
// square.
func (r *reference) whole(g *[globals]float64, tilted bool) float64 {
	n := globals
	if !tilted {
		n -= tilts
	}
	sum := 0.
	for i := range n {
		z := min(outlier, math.Abs(g[i]-r.figure[i])/r.deviation[i])
		sum += z * z
	}
	return math.Sqrt(sum/float64(n)) + .05
}
