package synthetic

import (
	"math"
	"math/rand/v2"
	"sort"

	"sigillo/auth/graphometric"
)

// Forgery is a way of passing for the signer.
type Forgery string

// The ways.
const (
	// Random: another person's own signature.
	Random Forgery = "random"
	// Skilled: somebody who has seen the signature, also while it was written, and
	// has trained. The shape is near, the rhythm is the forger's.
	Skilled Forgery = "skilled"
	// Tracer: a copy drawn slowly over an original. The shape is nearly exact.
	Tracer Forgery = "tracer"
	// Replay: the readings of a signature that was written before.
	Replay Forgery = "replay"
	// Noisy: these, with some noise in place and pressure.
	Noisy Forgery = "noisy-replay"
	// Scaled: these, a few percent faster or slower, and larger or smaller.
	Scaled Forgery = "scaled-replay"
)

// Forgeries are all of them.
var Forgeries = []Forgery{Random, Skilled, Tracer, Replay, Noisy, Scaled}

// forgers is how many people try: forgery n is by the forger n modulo this.
const forgers = 4

// Forge makes the n-th forgery, from 0, of one kind. It is written with the
// signer's pen. A tracer and the replays have what the signer wrote in session 0
// as number n, so that a profile may know it. The same numbers give the same
// sample. An unknown kind panics.
func (s *Signer) Forge(kind Forgery, n int) *graphometric.Sample {
	switch kind {
	case Random:
		return New(s.seed^0x5851f42d4c957f2d^uint64(n+1)<<20).With(s.device).Sign(1, n)
	case Skilled:
		return s.record(s.imitate(n), s.stream(11, n, 0))
	case Tracer:
		return s.record(s.trace(n), s.stream(12, n, 0))
	case Replay:
		return s.Sign(0, n)
	case Noisy:
		return disturb(s.Sign(0, n), .005, 1, 1, s.stream(13, n, 0))
	case Scaled:
		r := s.stream(14, n, 0)
		return disturb(s.Sign(0, n), .002, 1+sign(r)*between(r, .02, .05), 1+sign(r)*between(r, .01, .04), r)
	}
	panic("synthetic: no such forgery: " + string(kind))
}

func sign(r *rand.Rand) float64 { return float64(2*r.IntN(2) - 1) }

// imitate is a skilled forgery. What the forger gets wrong of the shape is partly
// his, always, partly of this try; the rhythm, the pressure and the hand are his.
func (s *Signer) imitate(n int) *performance {
	own, r := s.stream(21, n%forgers, 0), s.stream(22, n, 0)
	tempo := between(own, 1, 1.6) * lognormal(r, 1, .06)
	plan := place(s.plan, s.first, lognormal(own, 1, .06)*lognormal(r, 1, .03), .04*own.NormFloat64())
	mean := 0.
	for _, m := range plan {
		mean += m.wait / float64(len(plan))
	}
	at := s.first
	var out []movement
	for _, m := range plan {
		length := math.Hypot(m.to.x-at.x, m.to.y-at.y)
		m.to.x += .07 * length * own.NormFloat64()
		m.to.y += .07 * length * own.NormFloat64()
		m.bend *= lognormal(own, 1, .12)
		pace := math.Sqrt(mean/m.wait) * lognormal(own, 1, .15)
		m.wait, m.delay, m.sigma = m.wait*pace, m.delay*pace, m.sigma*lognormal(own, 1, .15)
		m.force = math.Sqrt(m.force) * lognormal(own, 1, .1)
		if !m.air && own.Float64() < .2*(tempo-.8) { // looks again in the middle of it
			half := m
			half.to, half.bend = middle(at, m.to, m.bend), m.bend/2
			half.wait, half.delay = .75*m.wait, .75*m.delay
			m.bend, m.wait, m.delay = m.bend/2, .75*m.wait, .75*m.delay
			out = append(out, half)
		}
		out = append(out, m)
		at = m.to
	}
	h := hand{tempo: tempo, timing: .12, shape: .075, level: s.habit.level * lognormal(own, .9, .2), force: .08,
		trend:  between(own, -.1, .4),
		tremor: s.habit.tremor * between(own, 1, 1.8)}
	p := h.move(out, s.first, r)
	p.tiltX, p.tiltY = between(own, 20, 45), between(own, 5, 40)
	return p
}

// middle is the point in the middle of an arc.
func middle(from, to point, bend float64) point {
	p := pulse{bend: bend, length: arc(math.Hypot(to.x-from.x, to.y-from.y), bend), theta: math.Atan2(to.y-from.y, to.x-from.x) - bend/2}
	d := p.moved(.5)
	return point{from.x + d.x, from.y + d.y}
}

// trace follows the line of a genuine signature at a speed that hardly depends
// on it, with the eye on the line: slow, hesitating, pressing evenly.
func (s *Signer) trace(n int) *performance {
	r := s.stream(23, n, 0)
	genuine := s.perform(0, n)
	shake, hesitate := tremor(between(r, .05, .12), r), tremor(1, r)
	took := min(12, (genuine.end-genuine.begin)*between(r, 2.2, 3.2))
	p := &performance{begin: -.1, tiltX: between(r, 20, 45), tiltY: between(r, 5, 40)}
	path := genuine.path()
	when := even(path, took, hesitate)
	var off point // the line is not met exactly
	for k := range path {
		off = point{.998*off.x + .012*r.NormFloat64(), .998*off.y + .012*r.NormFloat64()}
		path[k] = point{path[k].x + off.x, path[k].y + off.y}
	}
	at := func(t float64) float64 { return when[max(0, min(len(when)-1, int((t-genuine.begin)*1000)))] }
	zero := at(0)
	for _, d := range genuine.down {
		p.down = append(p.down, span{at(d.from) - zero, at(d.to) - zero})
	}
	p.end = p.down[len(p.down)-1].to + .1
	p.at = func(t float64) point {
		q, s := path[max(0, sort.SearchFloat64s(when, t+zero)-1)], shake(t)
		return point{q.x + s.x, q.y + s.y}
	}
	level := min(.95, s.habit.level*between(r, .9, 1.3))
	p.force = func(t float64) float64 { return level * (1 + .03*hesitate(t*.2).x) }
	return p
}

// path is where the pen is every millisecond.
func (p *performance) path() []point {
	var out []point
	for k := range int((p.end - p.begin) * 1000) {
		out = append(out, p.at(p.begin+float64(k)/1000))
	}
	return out
}

// even is when the pen is at each point of a path that is followed mostly at one
// speed, in a given time.
func even(path []point, took float64, hesitate func(t float64) point) []float64 {
	step := func(k int) float64 { return math.Hypot(path[k].x-path[k-1].x, path[k].y-path[k-1].y) }
	length := 0.
	for k := range path[1:] {
		length += step(k + 1)
	}
	when := make([]float64, len(path))
	for k := range path[1:] {
		h := hesitate(.35 * when[k]) // 3 to 4 Hz
		when[k+1] = when[k] + took*step(k+1)/length/max(.3, 1+.3*(h.x+h.y)) + 5e-4
	}
	for k, last := 0, when[len(when)-1]; k < len(when); k++ {
		when[k] *= took / last
	}
	return when
}

// disturb adds noise, as a part of the signature's size, and changes tempo and
// size.
func disturb(s *graphometric.Sample, noise, tempo, size float64, r *rand.Rand) *graphometric.Sample {
	low, high := s.Points[0], s.Points[0]
	for _, p := range s.Points {
		low.X, low.Y, high.X, high.Y = min(low.X, p.X), min(low.Y, p.Y), max(high.X, p.X), max(high.Y, p.Y)
	}
	extent := math.Hypot(high.X-low.X, high.Y-low.Y)
	for i := range s.Points {
		p := &s.Points[i]
		p.T = int64(math.Round(float64(p.T) * tempo))
		p.X = p.X*size + noise*extent*r.NormFloat64()
		p.Y = p.Y*size + noise*extent*r.NormFloat64()
		if p.Down {
			p.Pressure = max(1e-3, min(1, p.Pressure+noise*r.NormFloat64()))
		}
	}
	return s
}
