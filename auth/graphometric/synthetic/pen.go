package synthetic

import (
	"math"
	"math/rand/v2"

	"sigillo/auth/graphometric"
)

// Pen is a pen with its tablet, and what they see.
type Pen struct {
	Class  string  // as [graphometric.Device] has it
	Rate   float64 // readings a second
	Jitter float64 // of the interval between them, as a part of it
	Levels int     // of pressure
	Unit   float64 // mm: the smallest step of a coordinate
	Clock  int64   // µs: the smallest step of time
	Hover  bool
	Tilt   bool
}

// The pens.
var (
	// Stylus is the active pen of a tablet computer, as a browser gives it.
	Stylus = Pen{Class: "pointer", Rate: 133, Jitter: .08, Levels: 4096, Unit: .02, Clock: 100, Hover: true, Tilt: true}
	// Pad is a signature pad.
	Pad = Pen{Class: "wacom-stu", Rate: 200, Jitter: .01, Levels: 1024, Unit: .01, Clock: 1000, Hover: true}
	// Digitizer is a graphics tablet as research sets were made with: of the pen in
	// the air it sees nothing but that it was lifted.
	Digitizer = Pen{Class: "file", Rate: 100, Jitter: .03, Levels: 1024, Unit: .1, Clock: 1000, Tilt: true}
	// Slow is a stylus in a browser that gives one reading for each picture.
	Slow = Pen{Class: "pointer", Rate: 60, Jitter: .1, Levels: 1024, Unit: .1, Clock: 1000, Hover: true}
)

// What of a signature lies before the first touch and after the last.
const (
	press   = .04 // s until the pen presses
	release = .02
)

// record is what the signer's tablet sees of a performance.
func (s *Signer) record(p *performance, r *rand.Rand) *graphometric.Sample {
	pen := s.device
	out := &graphometric.Sample{Device: graphometric.Device{
		Class: pen.Class, Rate: pen.Rate, Levels: pen.Levels, Hover: pen.Hover, Tilt: pen.Tilt,
	}}
	noise, next, zero, last := 0., 0, int64(0), int64(-1)
	tick := 1 / pen.Rate
	for t := p.begin + tick*r.Float64(); t < p.end; t += tick {
		at := t + tick*pen.Jitter*max(-2, min(2, r.NormFloat64()))
		for next < len(p.down) && at > p.down[next].to {
			next++
		}
		noise = .8*noise + .012*r.NormFloat64()
		down := next < len(p.down) && at >= p.down[next].from
		lifted := len(out.Points) > 0 && out.Points[len(out.Points)-1].Down
		if !down && !pen.Hover && !lifted { // all see that it is lifted, not where it goes
			continue
		}
		us := int64(math.Round(at*1e6/float64(pen.Clock))) * pen.Clock
		if len(out.Points) == 0 {
			zero = us
		}
		if us-zero <= last {
			continue
		}
		last = us - zero
		q := p.at(at)
		step := func(mm float64) float64 { return math.Round(mm/pen.Unit) * pen.Unit * 100 }
		point := graphometric.Point{T: last, X: step(q.x), Y: step(q.y), Down: down}
		if !down && !pen.Hover {
			point.X, point.Y = out.Points[len(out.Points)-1].X, out.Points[len(out.Points)-1].Y
		}
		if down {
			on := p.down[next]
			f := (p.force(at) + noise) * (1 - .9*math.Exp(-(at-on.from)/press)) * (1 - .85*math.Exp(-(on.to-at)/release))
			point.Pressure = math.Round(max(1/float64(pen.Levels-1), min(1, f))*float64(pen.Levels-1)) / float64(pen.Levels-1)
		}
		if pen.Tilt {
			point.TiltX = math.Round(max(-80, min(80, p.tiltX+.08*q.x+25*noise)))
			point.TiltY = math.Round(max(-80, min(80, p.tiltY+.1*q.y-20*noise)))
		}
		out.Points = append(out.Points, point)
	}
	return out
}
