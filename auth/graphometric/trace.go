package graphometric

import "math"

// A trace has, for each reading, these channels.
const (
	chDX = iota // velocity
	chDY
	chDDX // acceleration
	chDDY
	chV // speed, normalised
	chX // place
	chY
	chP   // pressure
	chCos // direction
	chSin
	chLogV  // speed, in logarithms, with its level
	chBend  // curvature, in logarithms
	chDP    // change of the pressure
	written // up to here the channels decide what is aligned with what
	chTiltX = iota - 1
	chTiltY
	chDTiltX
	chDTiltY
	channels
)

// outlier is where normalised channels are clipped: one bad reading must not
// decide about a signature.
const outlier = 6

// trace is what a sample is compared by.
type trace struct {
	n    int
	f    []float32 // n rows of channels
	g    [globals]float64
	tilt bool
}

func (tr *trace) row(i int) []float32 { return tr.f[i*channels : (i+1)*channels] }

func (tr *trace) wipe() {
	clear(tr.f[:cap(tr.f)])
	*tr = trace{f: tr.f[:0]}
}

// The columns that a trace is computed in.
const (
	colX = iota
	colY
	colP
	colTX
	colTY
	colDX
	colDY
	colDP
	colDDX
	colDDY
	colV
	colTmp
	colTmp2
	columns
)

func (sc *Scratch) col(i int) []float64 {
	n := len(sc.readings)
	return sc.columns[i*n : (i+1)*n]
}

// trace makes tr of s. The sample should have passed Check.
func (sc *Scratch) trace(tr *trace, s *Sample) {
	sc.clean(s)
	n := len(sc.readings)
	sc.columns = grown(sc.columns, n*columns)
	tr.n, tr.tilt = n, s.Device.Tilt
	tr.f = grown(tr.f, n*channels)
	if n == 0 {
		tr.g = [globals]float64{}
		return
	}
	sc.place()
	sc.derive(colDX, colX)
	sc.derive(colDY, colY)
	sc.derive(colDP, colP)
	sc.derive(colDDX, colDX)
	sc.derive(colDDY, colDY)
	dx, dy, v := sc.col(colDX), sc.col(colDY), sc.col(colV)
	for i := range v {
		v[i] = math.Hypot(dx[i], dy[i])
		c, s := 0., 0.
		if v[i] > 1e-9 {
			c, s = dx[i]/v[i], dy[i]/v[i]
		}
		row := tr.row(i)
		// The direction is a length already. The speed in logarithms keeps its
		// level, by which a slow copy is told: were all speeds normalised, it
		// would pass. The two constants put it where the other channels are.
		row[chCos], row[chSin], row[chLogV] = float32(c), float32(s), float32(math.Log(v[i]+.005)+3)
	}
	bend, ddx, ddy := sc.col(colTmp), sc.col(colDDX), sc.col(colDDY)
	for i := range bend {
		turn := math.Abs(dx[i]*ddy[i] - dy[i]*ddx[i])
		bend[i] = math.Log((turn+1e-5)/(v[i]*v[i]*v[i]+1e-4)) / 2
	}
	tr.normalised(chBend, bend)
	sc.globals(&tr.g)
	for ch, col := range [...]int{chDX: colDX, chDY: colDY, chDDX: colDDX, chDDY: colDDY, chV: colV, chX: colX, chY: colY,
		chP: colP, chCos: -1, chSin: -1, chLogV: -1, chBend: -1, chDP: colDP} {
		if col >= 0 {
			tr.normalised(ch, sc.col(col))
		}
	}
	sc.derive(colTmp, colTX)
	sc.derive(colTmp2, colTY)
	tr.normalised(chTiltX, sc.col(colTX))
	tr.normalised(chTiltY, sc.col(colTY))
	tr.normalised(chDTiltX, sc.col(colTmp))
	tr.normalised(chDTiltY, sc.col(colTmp2))
}

// place fills the columns of what was read: smoothed, because quantised readings
// are rough and each derivative makes them rougher; about their centre, and of one
// size in both directions.
func (sc *Scratch) place() {
	raw := sc.col(colTmp)
	for col, of := range [...]func(r *reading) float64{
		colX: func(r *reading) float64 { return r.x }, colY: func(r *reading) float64 { return r.y },
		colP: func(r *reading) float64 { return r.p }, colTX: func(r *reading) float64 { return r.tx },
		colTY: func(r *reading) float64 { return r.ty },
	} {
		for i := range sc.readings {
			raw[i] = of(&sc.readings[i])
		}
		if out := sc.col(col); col <= colP {
			sc.smooth(out, raw)
		} else {
			copy(out, raw)
		}
	}
	x, y := sc.col(colX), sc.col(colY)
	mx, sx := moments(x)
	my, sy := moments(y)
	size := max(math.Hypot(sx, sy), 1e-9)
	for i := range x {
		x[i], y[i] = (x[i]-mx)/size, (y[i]-my)/size
	}
}

// smooth is the mean with the neighbours in the stroke, with weights 1, 2, 1.
func (sc *Scratch) smooth(out, in []float64) {
	for i, v := range in {
		sum, w := 2*v, 2.
		if !sc.readings[i].first {
			sum, w = sum+in[i-1], w+1
		}
		if i+1 < len(in) && !sc.readings[i+1].first {
			sum, w = sum+in[i+1], w+1
		}
		out[i] = sum / w
	}
}

// derive fills a column with the slope of another: a line through five readings,
// of the stroke only. The leap from one stroke to the next is no movement of the
// pen on paper, and larger than all that is.
func (sc *Scratch) derive(to, from int) {
	out, in := sc.col(to), sc.col(from)
	n := len(in)
	start := 0 // of the stroke
	for start < n {
		end := start + 1
		for end < n && !sc.readings[end].first {
			end++
		}
		for i := start; i < end; i++ {
			out[i] = slope(in, max(start, i-2), min(end-1, i+2))
		}
		start = end
	}
}

// slope is that of the line through in[from..to] with least squares.
func slope(in []float64, from, to int) float64 {
	if from == to {
		return 0
	}
	mid := float64(from+to) / 2
	var xy, xx float64
	for i := from; i <= to; i++ {
		d := float64(i) - mid
		xy += d * in[i]
		xx += d * d
	}
	return xy / xx
}

// normalised fills a channel with the column about its mean in units of its
// deviation. A column that is constant, as of a device that does not know it,
// gives zeroes.
func (tr *trace) normalised(ch int, in []float64) {
	m, s := moments(in)
	if s < 1e-9 {
		s = math.Inf(1)
	}
	for i, v := range in {
		tr.f[i*channels+ch] = float32(max(-outlier, min(outlier, (v-m)/s)))
	}
}

// moments are the mean and the deviation.
func moments(in []float64) (mean, deviation float64) {
	for _, v := range in {
		mean += v
	}
	n := float64(max(1, len(in)))
	mean /= n
	for _, v := range in {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / n)
}
