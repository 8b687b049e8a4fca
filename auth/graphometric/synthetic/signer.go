package synthetic

import (
	"math"
	"math/rand/v2"

	"sigillo/auth/graphometric"
)

// Signer is a person who signs. It is made of numbers only and may be used by
// several goroutines at a time.
type Signer struct {
	seed   uint64
	device Pen
	first  point      // where the pen first touches
	plan   []movement // what the person means to write
	habit  habit
}

type point struct{ x, y float64 } // mm, y down

// movement is one elementary movement of the pen, as the person means it: along
// an arc to a target. Its speed is a log-normal pulse.
type movement struct {
	to    point   // where it ends, mm
	bend  float64 // the angle of the arc, rad; 0 is straight, the sign is its side
	wait  float64 // s from the start of the movement before to the start of this one
	delay float64 // s from its start until half of it is done
	sigma float64 // how drawn out the pulse is; 0.2 to 0.4
	force float64 // of the pressure, about 1
	air   bool    // the pen is lifted
}

// habit is what of a person's hand is not in the plan.
type habit struct {
	variability float64 // of one signature from the next, about 1
	drift       float64 // of one session from the next, about 1
	level       float64 // of the pressure, 0 to 1
	trend       float64 // of the pressure within a signature
	tremor      float64 // mm
	tiltX       float64 // degrees
	tiltY       float64
}

// New makes a person of a number. The same number is always the same person,
// writing with a [Stylus].
func New(seed uint64) *Signer {
	r := stream(seed, 1, 0, 0)
	s := &Signer{seed: seed, device: Stylus}
	s.habit = habit{
		variability: lognormal(r, 1, .25), drift: lognormal(r, 1, .25), level: between(r, .45, .72), trend: between(r, -.1, .4),
		tremor: between(r, .01, .04), tiltX: between(r, 20, 45), tiltY: between(r, 5, 40),
	}
	if r.Float64() < .1 { // left-handed
		s.habit.tiltX = -s.habit.tiltX
	}
	w := writer{r: r, size: lognormal(r, 8.5, .25), pace: lognormal(r, .085, .14), slant: between(r, -.15, .7),
		bend: between(r, .5, 1.5), round: r.Float64(), sigma: between(r, .22, .34), narrow: between(r, .5, 1.2), print: max(0, between(r, -.15, .5))}
	s.plan = w.signature()
	s.first = point{between(r, 5, 15), between(r, 25, 35)}
	for i := range s.plan {
		s.plan[i].to.x += s.first.x
		s.plan[i].to.y = s.first.y - s.plan[i].to.y
		s.plan[i].bend = -s.plan[i].bend
	}
	return s
}

// With is the same person writing with another pen.
func (s *Signer) With(p Pen) *Signer {
	c := *s
	c.device = p
	return &c
}

// Sign writes the person's signature: the n-th of a session, both from 0.
// Sessions are days or more apart. The same numbers give the same sample.
func (s *Signer) Sign(session, n int) *graphometric.Sample {
	return s.record(s.perform(session, n), s.stream(2, session, n))
}

// perform is the movement of the hand of one signature.
func (s *Signer) perform(session, n int) *performance {
	day, r := s.stream(3, session, 0), s.stream(4, session, n)
	d, v := s.habit.drift, lognormal(r, s.habit.variability, .25) // some turn out worse than others
	tired := 1 + .015*float64(min(max(n, 0), 20))                 // the hand gets quicker and less exact within a session
	// What is of this day, then what is of this signature alone.
	size := lognormal(day, 1, .04*d) * lognormal(r, 1, .025*v)
	turn := .03*d*day.NormFloat64() + .015*v*r.NormFloat64()
	tempo := lognormal(day, 1, .055*d) * lognormal(r, 1, .04*v) / (1 + (tired-1)*.3)
	level := s.habit.level * lognormal(day, 1, .07*d) * lognormal(r, 1, .04*v)
	h := hand{tempo: tempo, timing: .07 * v * tired, shape: .055 * v * tired, level: level, trend: s.habit.trend, force: .07 * v, tremor: s.habit.tremor}
	plan, first := place(s.plan, s.first, size, turn), s.first
	for i := range plan { // letters sit, turn and flow a little differently every day
		plan[i].to.x += .3 * d * day.NormFloat64()
		plan[i].to.y += .3 * d * day.NormFloat64()
		plan[i].bend *= lognormal(day, 1, .08*d)
		pace := lognormal(day, 1, .06*d)
		plan[i].wait, plan[i].delay = pace*plan[i].wait, pace*plan[i].delay
		plan[i].force *= lognormal(day, 1, .06*d)
		if plan[i].air && r.Float64() < .03*v { // sometimes the pen is not lifted
			plan[i].air, plan[i].force = false, .6
		}
	}
	first.x += 3 * r.NormFloat64()
	shift(plan, point{first.x - s.first.x, 0})
	p := h.move(plan, first, r)
	p.tiltX, p.tiltY = s.habit.tiltX+4*r.NormFloat64(), s.habit.tiltY+4*r.NormFloat64()
	return p
}

// place turns and scales a plan about where it begins.
func place(plan []movement, first point, size, turn float64) []movement {
	sin, cos := math.Sincos(turn)
	out := make([]movement, len(plan))
	for i, m := range plan {
		x, y := size*(m.to.x-first.x), size*(m.to.y-first.y)
		m.to = point{first.x + cos*x - sin*y, first.y + sin*x + cos*y}
		out[i] = m
	}
	return out
}

func shift(plan []movement, by point) {
	for i := range plan {
		plan[i].to.x += by.x
		plan[i].to.y += by.y
	}
}

func (s *Signer) stream(purpose, a, b int) *rand.Rand { return stream(s.seed, purpose, a, b) }

// stream is a source of chance of its own for each purpose.
func stream(seed uint64, purpose, a, b int) *rand.Rand {
	return rand.New(rand.NewPCG(seed*0x9e3779b97f4a7c15+uint64(purpose), uint64(a)<<32^uint64(uint32(b))))
}

func between(r *rand.Rand, low, high float64) float64 { return low + (high-low)*r.Float64() }

// lognormal is about m, with a relative deviation of s.
func lognormal(r *rand.Rand, m, s float64) float64 { return m * math.Exp(s*r.NormFloat64()) }
