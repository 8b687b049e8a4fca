package graphometric

import "math"

// globals is how many figures of the whole signature are compared: the rhythm.
// The last tilts of them are of the tilt, and count only where it is known.
const (
	tilts      = 4
	directions = 8
	globals    = 26 + directions + tilts
	// Two of them, in logarithms: how long it took, and the minima of speed.
	timeFigure, minimaFigure = 0, 13
)

// globals computes the figures from the columns. Times and lengths are in
// logarithms, because people vary in proportion; lengths are in units of the
// signature's size, so that they do not depend on the device.
func (sc *Scratch) globals(g *[globals]float64) {
	x, y, p, v := sc.col(colX), sc.col(colY), sc.col(colP), sc.col(colV)
	n := len(x)
	whole := sc.readings[n-1].t - sc.readings[0].t + .01
	strokes, air, path := sc.strokes(x, y)
	meanV, devV := moments(v)
	maxV, atV := largest(v)
	a, rmsA, rmsJ := sc.jerk()
	minima := 0.
	for i := 1; i+1 < n; i++ {
		if v[i] < v[i-1] && v[i] <= v[i+1] {
			minima++
		}
	}
	meanP, devP := moments(p)
	maxP, atP := largest(p)
	ratio, skew := aspect(x, y)
	k := 0
	put := func(values ...float64) { k += copy(g[k:], values) }
	put(ln(whole), ln(float64(n)*.01), ln(air+.05), ln(strokes), ln(path), ln(meanV), ln(devV), ln(maxV), ln(a), ln(rmsA), ln(rmsJ))
	put(ln(turns(sc.col(colDX))+1), ln(turns(sc.col(colDY))+1), ln(minima+1), ln((minima+1)/whole))
	put((sc.readings[atV].t-sc.readings[0].t)/whole, (sc.readings[atP].t-sc.readings[0].t)/whole)
	put(ln(ratio), skew, x[0], y[0], x[n-1], y[n-1])
	put(meanP, devP, maxP)
	k += sc.headings(g[k:])
	for _, col := range [...]int{colTX, colTY} {
		m, d := moments(sc.col(col))
		put(m/90, d/90)
	}
}

func ln(v float64) float64 { return math.Log(v + 1e-6) }

// strokes counts them, and adds up the time in the air and the way on paper.
func (sc *Scratch) strokes(x, y []float64) (count, air, path float64) {
	for i := range sc.readings {
		switch {
		case !sc.readings[i].first:
			path += math.Hypot(x[i]-x[i-1], y[i]-y[i-1])
			continue
		case i > 0:
			air += sc.readings[i].t - sc.readings[i-1].t
		}
		count++
	}
	return count, air, path
}

func largest(in []float64) (value float64, at int) {
	for i, v := range in {
		if v > value {
			value, at = v, i
		}
	}
	return value, at
}

// jerk are the mean and the root mean square of the acceleration, and the latter
// of its change.
func (sc *Scratch) jerk() (mean, rms, change float64) {
	sc.derive(colTmp, colDDX)
	sc.derive(colTmp2, colDDY)
	ax, ay, jx, jy := sc.col(colDDX), sc.col(colDDY), sc.col(colTmp), sc.col(colTmp2)
	for i := range ax {
		a := math.Hypot(ax[i], ay[i])
		mean += a
		rms += a * a
		change += jx[i]*jx[i] + jy[i]*jy[i]
	}
	n := float64(len(ax))
	return mean / n, math.Sqrt(rms / n), math.Sqrt(change / n)
}

// turns counts how often the sign changes.
func turns(in []float64) (n float64) {
	for i := 1; i < len(in); i++ {
		if in[i-1]*in[i] < 0 {
			n++
		}
	}
	return n
}

// aspect is width by height, and how x and y go together.
func aspect(x, y []float64) (ratio, skew float64) {
	lowX, highX, lowY, highY := x[0], x[0], y[0], y[0]
	for i := range x {
		lowX, highX, lowY, highY = min(lowX, x[i]), max(highX, x[i]), min(lowY, y[i]), max(highY, y[i])
		skew += x[i] * y[i]
	}
	_, sx := moments(x)
	_, sy := moments(y)
	const tiny = 1e-6
	return (highX - lowX + tiny) / (highY - lowY + tiny), skew / (float64(len(x))*sx*sy + tiny)
}

// headings are the parts of the way that go in each of eight directions.
func (sc *Scratch) headings(g []float64) int {
	dx, dy, v := sc.col(colDX), sc.col(colDY), sc.col(colV)
	g = g[:directions]
	clear(g)
	moving := 0.
	for i := range v {
		if v[i] < 1e-9 {
			continue
		}
		turn := (math.Atan2(dy[i], dx[i]) + math.Pi) / (2 * math.Pi)
		g[int(turn*directions)%directions]++
		moving++
	}
	for i := range g {
		g[i] /= max(1, moving)
	}
	return directions
}
