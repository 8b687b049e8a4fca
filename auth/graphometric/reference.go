package graphometric

import "math"

// The numbers of the score. They are round, and what comes out hardly depends on
// them (docs/graphometry.md).
const (
	softening  = .6  // of the enrolment's own spread: 0 ignores it, 1 trusts it wholly
	wholeShare = .15 // of the figures of the whole, beside the channels
	constant   = .02 // a channel that differs less than this within the enrolment is not looked at: the device has none
	lengthGate = 3   // a sample that is so many times as long, or as short, is not compared
)

// reference is what samples are compared with, made of those of a profile.
type reference struct {
	traces            []trace           // of the samples
	pairs             [channels]float64 // mean distance between two of them
	figure, deviation [globals]float64  // of the whole
}

// refer makes the reference of some samples.
func (sc *Scratch) refer(samples []*Sample, spread *Spread) *reference {
	r := sc.traced(samples, spread)
	n := len(r.traces)
	for i := range n {
		for j := range i {
			for c, d := range sc.apart(&r.traces[i], &r.traces[j]).by {
				r.pairs[c] += d * 2 / float64(n*(n-1))
			}
		}
	}
	return r
}

// traced makes the part of a reference that is quickly made: all but the
// distances.
func (sc *Scratch) traced(samples []*Sample, spread *Spread) *reference {
	r := &reference{traces: make([]trace, len(samples))}
	values := make([][globals]float64, len(samples))
	for i, s := range samples {
		sc.trace(&r.traces[i], s)
		values[i] = r.traces[i].g
	}
	var squares [globals]float64
	r.figure, squares = figures(values)
	free := float64(len(samples) - 1)
	for i, s := range squares {
		r.deviation[i] = math.Sqrt((s+spreadPrior*spread[i]*spread[i])/(free+spreadPrior)) + 1e-6
	}
	clear(values)
	return r
}

func (r *reference) wipe() {
	if r == nil {
		return
	}
	for i := range r.traces {
		r.traces[i].wipe()
	}
	*r = reference{}
}

// comparison is what is found when a trace is held against a reference.
type comparison struct {
	score   float64 // lower is nearer
	nearest float64 // distance in place and pressure to the nearest sample
}

// compare holds a trace against the reference.
//
// For each channel: how far the trace is from the samples, half way between the
// nearest and the mean, by how far they are from one another. The score is the
// mean of these ratios in logarithms, so that each counts for the factor by which
// it is off and none can drown the others; and the figures of the whole.
func (sc *Scratch) compare(r *reference, tr *trace) comparison {
	if sc.unlike(r, tr) {
		return comparison{score: math.Inf(1), nearest: math.Inf(1)}
	}
	var mean, least [channels]float64
	var c comparison
	near, nearest := math.Inf(1), 0
	for i := range r.traces {
		s := sc.apart(&r.traces[i], tr)
		for ch, d := range s.by {
			mean[ch] += d / float64(len(r.traces))
			if i == 0 || d < least[ch] {
				least[ch] = d
			}
		}
		if s.whole < near {
			near, nearest = s.whole, i
		}
	}
	c.nearest = sc.displaced(&r.traces[nearest], tr)
	n := 0.
	for ch, p := range r.pairs {
		if p > constant && r.has(ch, tr) {
			c.score += math.Log((least[ch]+mean[ch])/2+1e-6) - softening*math.Log(p)
			n++
		}
	}
	c.score = c.score/max(1, n) + wholeShare*math.Log(r.whole(tr))
	return c
}

// unlike says whether a trace is so much longer or shorter that there is nothing
// to compare. It spares the time that a flood of readings would cost.
func (sc *Scratch) unlike(r *reference, tr *trace) bool {
	for i := range r.traces {
		if n := r.traces[i].n; tr.n <= lengthGate*n && n <= lengthGate*tr.n {
			return false
		}
	}
	return true
}

// has says whether a channel is known of all: that of the tilt is not always.
func (r *reference) has(ch int, tr *trace) bool {
	return ch < written || tr.tilt && r.tilted()
}

func (r *reference) tilted() bool {
	for i := range r.traces {
		if !r.traces[i].tilt {
			return false
		}
	}
	return true
}

// whole is by how many deviations the figures of the whole are off, as a root mean
// square.
func (r *reference) whole(tr *trace) float64 {
	n := globals
	if !r.has(chTiltX, tr) {
		n -= tilts
	}
	sum := 0.
	for i := range n {
		z := min(outlier, math.Abs(tr.g[i]-r.figure[i])/r.deviation[i])
		sum += z * z
	}
	return math.Sqrt(sum/float64(n)) + .05
}
