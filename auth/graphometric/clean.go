package graphometric

import "slices"

// What cleaning does.
const (
	step      = 10_000    // µs: 100 readings a second inside of strokes
	longPause = 3_000_000 // µs: a pause that was longer counts as this
	strokeGap = 35_000    // µs: readings further apart are of two strokes
)

// reading is a point of a cleaned sample; in all of them the pen is down.
type reading struct {
	t, x, y, p, tx, ty float64 // t in seconds
	first              bool    // of a stroke
}

// clean makes sc.readings of s: those with the pen down, 100 a second inside of
// each stroke. Between strokes nothing is made up: a line drawn through the air
// makes forgeries and originals alike.
func (sc *Scratch) clean(s *Sample) {
	sc.readings = sc.readings[:0]
	gap := max(strokeGap, 5*sc.interval(s)/2)
	var cut, next int64 // taken out of pauses so far; when the next reading is due
	var last *Point     // the last one with the pen down
	open := false       // the pen was down all the time since
	for i := range s.Points {
		p := &s.Points[i]
		switch {
		case !p.Down:
			open = false
			continue
		case last != nil && p.T <= last.T:
			continue
		case last != nil && open && p.T-last.T <= gap:
			for ; next <= p.T; next += step {
				sc.readings = append(sc.readings, between(last, p, next, cut))
			}
		default:
			if last != nil && p.T-last.T > longPause {
				cut += p.T - last.T - longPause
			}
			r := between(p, p, p.T, cut)
			r.first = true
			sc.readings = append(sc.readings, r)
			open, next = true, p.T+step
		}
		last = p
	}
}

// between is the reading at the time t from the point q to the point p.
func between(q, p *Point, t, cut int64) reading {
	w := 0.
	if p.T > q.T {
		w = float64(t-q.T) / float64(p.T-q.T)
	}
	mix := func(a, b float64) float64 { return a + w*(b-a) }
	return reading{t: float64(t-cut) / 1e6, x: mix(q.X, p.X), y: mix(q.Y, p.Y), p: mix(q.Pressure, p.Pressure),
		tx: mix(q.TiltX, p.TiltX), ty: mix(q.TiltY, p.TiltY)}
}

// interval is the usual time between two readings in µs: the median.
func (sc *Scratch) interval(s *Sample) int64 {
	sc.times = sc.times[:0]
	for i := 1; i < len(s.Points); i++ {
		if d := s.Points[i].T - s.Points[i-1].T; d > 0 && s.Points[i].Down && s.Points[i-1].Down {
			sc.times = append(sc.times, d)
		}
	}
	if len(sc.times) == 0 {
		return step
	}
	slices.Sort(sc.times)
	return sc.times[len(sc.times)/2]
}
