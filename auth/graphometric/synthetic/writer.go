package synthetic

import (
	"math"
	"math/rand/v2"
)

// writer composes a signature: an initial, some letters, perhaps a second word,
// perhaps a flourish. Its lengths are in heights of small letters with y up, until
// signature scales them.
type writer struct {
	r      *rand.Rand
	size   float64 // of small letters, mm
	pace   float64 // s between the beginnings of two movements of middle length
	slant  float64 // shear to the right
	bend   float64 // how round the letters are, rad
	round  float64 // how often strokes bend the same way
	sigma  float64
	narrow float64 // width of a letter
	print  float64 // how often the pen is lifted between letters
	at     point
	plan   []movement
}

func (w *writer) signature() []movement {
	r := w.r
	w.initial()
	w.letters(2 + r.IntN(5))
	if r.Float64() < .45 { // a second name
		w.lift(point{w.at.x + between(r, .4, 1), between(r, 1.5, 2.5)})
		w.initial()
		w.letters(1 + r.IntN(5))
	}
	if r.Float64() < .35 { // a dot or a bar
		back := between(r, .3, .8) * w.at.x
		y := between(r, 1.5, 2.3)
		w.lift(point{back, y})
		w.stroke(point{back + between(r, .2, 2), y + between(r, -.1, .2)}, .1)
	}
	if r.Float64() < .5 {
		w.flourish()
	}
	for i := range w.plan {
		m := &w.plan[i]
		m.to.x = w.size * (m.to.x + w.slant*m.to.y)
		m.to.y *= w.size
	}
	w.time()
	return w.plan
}

// initial is a capital: few large strokes.
func (w *writer) initial() {
	r, x := w.r, w.at.x
	for range 2 + r.IntN(3) {
		y := between(r, -.2, 2.6)
		if w.at.y > 1.3 {
			y = between(r, -.4, .7)
		}
		w.stroke(point{x + between(r, -.3, 2), y}, between(r, -2.2, 2.2))
		if r.Float64() < .1+w.print {
			w.lift(point{x + between(r, -.2, 1.2), between(r, .8, 2.4)})
		}
	}
	if r.Float64() < .35 {
		w.lift(point{w.at.x + between(r, .2, .8), between(r, .2, 1)})
	}
}

// letters are written up and down, from left to right.
func (w *writer) letters(n int) {
	r := w.r
	for i := range n {
		top, bottom := between(r, .7, 1.2), between(r, -.15, .15)
		switch p := r.Float64(); {
		case p < .22:
			top = between(r, 1.7, 2.5)
		case p < .34:
			bottom = between(r, -1.6, -.8)
		}
		side := 1.
		if r.Float64() > .5+.5*w.round {
			side = -1
		}
		step := w.narrow * between(r, .6, 1.4)
		w.stroke(point{w.at.x + step*.6, top}, side*w.bend*between(r, .4, 1.3))
		w.stroke(point{w.at.x + step*.4, bottom}, side*w.bend*between(r, .4, 1.3))
		if i < n-1 && r.Float64() < w.print {
			w.lift(point{w.at.x + between(r, .1, .4), between(r, .4, 1)})
		}
	}
}

// flourish is a long stroke back under the name, and forth again.
func (w *writer) flourish() {
	r, right := w.r, w.at.x
	if r.Float64() < .4 {
		w.lift(point{right * between(r, .0, .3), between(r, -1.4, -.6)})
	} else {
		w.stroke(point{right * between(r, .1, .5), between(r, -1.5, -.6)}, between(r, -1.4, 1.4))
	}
	w.stroke(point{right * between(r, .9, 1.3), between(r, -1, .3)}, between(r, -.9, .9))
}

func (w *writer) stroke(to point, bend float64) {
	w.plan = append(w.plan, movement{to: to, bend: max(-2.6, min(2.6, bend)), force: lognormal(w.r, 1, .22)})
	w.at = to
}

func (w *writer) lift(to point) {
	w.plan = append(w.plan, movement{to: to, bend: between(w.r, -.8, .8), air: true})
	w.at = to
}

// time gives the movements their pace: longer ones take longer, but not by much,
// and those down press harder.
func (w *writer) time() {
	at := point{}
	for i := range w.plan {
		m := &w.plan[i]
		length := math.Hypot(m.to.x-at.x, m.to.y-at.y) * (1 + m.bend*m.bend/24)
		took := w.pace * math.Pow(.25+length/w.size, .35) * lognormal(w.r, 1, .12)
		m.sigma = w.sigma * lognormal(w.r, 1, .12)
		m.delay = took * 1.35
		m.wait = took // until the next one starts; move shifts it
		if m.to.y < at.y {
			m.force *= 1.12
		}
		if m.air {
			m.delay, m.sigma = took*1.3, m.sigma*.8
		}
		at = m.to
	}
}
