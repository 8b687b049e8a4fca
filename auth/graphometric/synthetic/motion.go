package synthetic

import (
	"math"
	"math/rand/v2"
)

// hand is how exactly and how fast a plan is carried out.
type hand struct {
	tempo  float64 // 1: as planned; 2: takes twice as long
	timing float64 // relative deviation of each movement's times
	shape  float64 // deviation of the targets, of a movement's length
	level  float64 // of the pressure
	trend  float64 // of the pressure: how much more it is at the end, as a part
	force  float64 // relative deviation of each movement's force
	tremor float64 // mm
}

// performance is a movement of the hand that was carried out. Times are in
// seconds; the pen first touches near 0.
type performance struct {
	begin, end   float64
	at           func(t float64) point
	force        func(t float64) float64 // pressure, but for touching and lifting
	down         []span                  // when the pen touches, in order
	tiltX, tiltY float64
}

type span struct{ from, to float64 }

// pulse is a movement in time: along an arc of the given length, which begins in
// the direction theta.
type pulse struct {
	start, mu, sigma    float64
	theta, bend, length float64
	force               float64
	air                 bool
	over                float64 // when it is done but for a millionth
	whole               point   // where it brings the pen in the end
}

// done is the part of the movement that is done at t: the log-normal
// distribution.
func (p *pulse) done(t float64) float64 {
	if t <= p.start {
		return 0
	}
	if t >= p.over {
		return 1
	}
	return .5 * math.Erfc((p.mu-math.Log(t-p.start))/(p.sigma*math.Sqrt2))
}

// when is the time at which the part w is done, by the quantile z of the normal
// distribution for w.
func (p *pulse) when(z float64) float64 { return p.start + math.Exp(p.mu+p.sigma*z) }

// moved is how far along its arc the movement has brought the pen.
func (p *pulse) moved(w float64) point {
	switch {
	case w == 0:
		return point{}
	case w == 1 && p.whole != point{}:
		return p.whole
	case math.Abs(p.bend) < 1e-6:
		return point{p.length * w * math.Cos(p.theta), p.length * w * math.Sin(p.theta)}
	}
	radius := p.length / p.bend
	sin0, cos0 := math.Sincos(p.theta)
	sin1, cos1 := math.Sincos(p.theta + p.bend*w)
	return point{radius * (sin1 - sin0), radius * (cos0 - cos1)}
}

// The quantiles of a lift's course at which the pen leaves the surface and comes
// back to it.
const (
	leaves  = -1.0
	touches = 1.5
)

// move carries out a plan. A movement that comes before and one that comes after
// it are made up: the pen comes from somewhere and goes away.
func (h hand) move(plan []movement, first point, r *rand.Rand) *performance {
	from := point{first.x - between(r, 0, 8), first.y + between(r, -3, 8)}
	away := point{plan[len(plan)-1].to.x + between(r, 5, 20), plan[len(plan)-1].to.y + between(r, 0, 15)}
	all := make([]movement, 0, len(plan)+2)
	all = append(all, movement{to: first, bend: .3, delay: .14, wait: .2, sigma: .25, air: true})
	all = append(all, plan...)
	all = append(all, movement{to: away, bend: .2, delay: .2, wait: .1, sigma: .25, air: true})

	pulses := make([]pulse, len(all))
	at, t := from, 0.
	var off point // by how much the pen is off the plan: the eye corrects only half of it
	for i, m := range all {
		length := math.Hypot(m.to.x-at.x, m.to.y-at.y)
		off.x = .5*off.x + h.shape*length*r.NormFloat64()
		off.y = .5*off.y + h.shape*length*r.NormFloat64()
		to := point{m.to.x + off.x, m.to.y + off.y}
		p := pulse{start: t, air: m.air, force: lognormal(r, m.force, h.force)}
		p.mu = math.Log(h.tempo * lognormal(r, m.delay, h.timing))
		p.sigma = lognormal(r, m.sigma, h.timing)
		p.bend = m.bend * lognormal(r, 1, 1.5*h.shape)
		chord := math.Hypot(to.x-at.x, to.y-at.y)
		p.length, p.theta = arc(chord, p.bend), math.Atan2(to.y-at.y, to.x-at.x)-p.bend/2
		p.over, p.whole = p.when(4.8), p.moved(1)
		pulses[i] = p
		at = to
		t += h.tempo * lognormal(r, m.wait, h.timing)
		if i+1 < len(all) && all[i+1].air && !m.air { // it is finished before the pen is lifted
			t = max(t, p.when(.9))
		}
		if m.air { // the next one is on its way when the pen comes down
			t = max(t, p.when(.2))
		}
	}
	return perform(pulses, from, h, r)
}

// arc is the length of the arc of the given angle over a chord.
func arc(chord, bend float64) float64 {
	if half := math.Abs(bend) / 2; half > 1e-6 {
		return chord * half / math.Sin(half)
	}
	return chord
}

func perform(pulses []pulse, from point, h hand, r *rand.Rand) *performance {
	p := &performance{}
	zero := pulses[0].when(touches)
	whole := pulses[len(pulses)-1].when(leaves) - zero
	shake := tremor(h.tremor, r)
	p.at = func(t float64) point {
		q := from
		for i := range pulses {
			d := pulses[i].moved(pulses[i].done(t + zero))
			q.x += d.x
			q.y += d.y
		}
		s := shake(t)
		return point{q.x + s.x, q.y + s.y}
	}
	p.force = func(t float64) float64 { // goes over from one movement's to the next one's
		f := 0.
		for i := range pulses {
			switch {
			case pulses[i].air:
			case f == 0:
				f = pulses[i].force
			default:
				f += (pulses[i].force - f) * pulses[i].done(t+zero)
			}
		}
		return h.level * f * (1 + h.trend*(math.Max(0, t)/whole-.5))
	}
	from0 := 0.
	for i := 1; i < len(pulses); i++ {
		if !pulses[i].air {
			continue
		}
		to := pulses[i].when(leaves) - zero
		if to > from0+.01 {
			p.down = append(p.down, span{from0, to})
		}
		from0 = pulses[i].when(touches) - zero
	}
	p.begin = -between(r, .05, .13)
	p.end = p.down[len(p.down)-1].to + between(r, .03, .1)
	return p
}

// tremor is the trembling of a hand, 8 to 12 Hz.
func tremor(amplitude float64, r *rand.Rand) func(t float64) point {
	var f, a [4]float64
	for i := range f {
		f[i], a[i] = 2*math.Pi*between(r, 8, 12), between(r, 0, 2*math.Pi)
	}
	return func(t float64) point {
		return point{amplitude * (math.Sin(f[0]*t+a[0]) + math.Sin(f[1]*t+a[1])),
			amplitude * (math.Sin(f[2]*t+a[2]) + math.Sin(f[3]*t+a[3]))}
	}
}
