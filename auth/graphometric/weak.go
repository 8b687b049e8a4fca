package graphometric

import "math"

// What makes a signature weak.
const (
	leastMinima   = 5   // minima of speed: movements that a forger has to learn
	varies        = 2.2 // distance of movement and form between two samples: it varies much
	forgeryMargin = -.1 // own copies at an even speed that come so near to the threshold
)

// weak says whether the signature is easily imitated: it is simple, it varies much,
// or copies of it with the right shape and the wrong rhythm, made here of the
// holder's own samples, would pass or nearly.
func (e *Enrolment) weak() bool {
	if e.among(-1) > varies {
		return true
	}
	sc := &e.scratch
	r := sc.refer(e.samples, &e.policy.Spread)
	defer r.wipe()
	if r.figure[minimaFigure] < math.Log(leastMinima+1) {
		return true
	}
	near := 0
	for _, s := range e.samples {
		f := s.even()
		sc.trace(&sc.seen, f)
		f.Wipe()
		if sc.compare(r, &sc.seen).score < e.policy.threshold(len(e.samples))-forgeryMargin {
			near++
		}
	}
	return 2*near > len(e.samples)
}

// even is the sample as somebody would draw it who has its shape before the eyes:
// every stroke takes its time, at one speed and one pressure.
func (s *Sample) even() *Sample {
	f := &Sample{Device: s.Device, Points: make([]Point, 0, len(s.Points))}
	mean, n := 0., 0.
	for i := range s.Points {
		if p := &s.Points[i]; p.Down {
			mean, n = mean+p.Pressure, n+1
		}
	}
	for start := 0; start < len(s.Points); {
		end := start + 1
		for end < len(s.Points) && s.Points[end].Down == s.Points[start].Down {
			end++
		}
		f.Points = appendEven(f.Points, s.Points[start:end], mean/n)
		start = end
	}
	return f
}

// appendEven appends a stroke at one speed: as many readings at the same times,
// each where its part of the way is done.
func appendEven(out, stroke []Point, pressure float64) []Point {
	length := 0.
	for i := 1; i < len(stroke); i++ {
		length += math.Hypot(stroke[i].X-stroke[i-1].X, stroke[i].Y-stroke[i-1].Y)
	}
	first, last := stroke[0].T, stroke[len(stroke)-1].T
	if !stroke[0].Down || length == 0 || first == last {
		return append(out, stroke...)
	}
	k, done := 0, 0. // the way up to stroke[k]
	for _, p := range stroke {
		want := length * float64(p.T-first) / float64(last-first)
		for k+2 < len(stroke) && done+gap(stroke, k) < want {
			done += gap(stroke, k)
			k++
		}
		w := 0.
		if d := gap(stroke, k); d > 0 {
			w = min(1, (want-done)/d)
		}
		a, b := &stroke[k], &stroke[k+1]
		p.X, p.Y, p.Pressure = a.X+w*(b.X-a.X), a.Y+w*(b.Y-a.Y), pressure
		out = append(out, p)
	}
	return out
}

func gap(s []Point, i int) float64 { return math.Hypot(s[i+1].X-s[i].X, s[i+1].Y-s[i].Y) }
