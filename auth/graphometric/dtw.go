package graphometric

import "math"

// band is how far from the straight way the alignment may go, as a part of the
// longer of the two (Sakoe and Chiba).
const band = .15

// pair are two readings that were aligned.
type pair struct{ i, j int32 }

// model is what a trace is aligned with: another trace, or a mean with weights.
type model struct {
	n int
	f []float32 // n rows of channels
	w []float32 // weights of the squared differences, as f; nil: 1
}

func (tr *trace) model() model { return model{n: tr.n, f: tr.f} }

// distance aligns a trace with a model and says how far apart they are in the
// channels of a view: the mean over the alignment of the Euclidean distance, a
// step in one of them alone counting half of a step in both. It is multiplied by
// how much longer the alignment is than that of two equal traces, 1 to 2: writing
// that has to be stretched and squeezed to fit is less alike than the distance
// alone says. Nothing is allocated once the scratch has grown.
func (sc *Scratch) distance(m model, tr *trace, v view) float64 {
	if m.n == 0 || tr.n == 0 {
		return math.Inf(1)
	}
	cost, length := sc.align(m, tr, v, false)
	both := float64(m.n + tr.n)
	return float64(cost) / both * (2 * float64(length) / both)
}

// align is the dynamic programme. With keep the way is left in sc.path, from the
// end to the start.
func (sc *Scratch) align(a model, b *trace, v view, keep bool) (cost float32, length int32) {
	n, m := a.n, b.n
	wide := max(3, int(math.Ceil(band*float64(max(n, m)))))
	far := float32(math.Inf(1))
	sc.prev, sc.cur, sc.cost = grown(sc.prev, m+1), grown(sc.cur, m+1), grown(sc.cost, m+1)
	sc.lprev, sc.lcur = grown(sc.lprev, m+1), grown(sc.lcur, m+1)
	row := 2*wide + 1
	if keep {
		sc.way = grown(sc.way, (n+1)*row)
	}
	prev, cur, lprev, lcur := sc.prev, sc.cur, sc.lprev, sc.lcur
	for j := range prev {
		prev[j], cur[j] = far, far
	}
	prev[0], lprev[0] = 0, 0
	for i := 1; i <= n; i++ {
		mid := i * m / n
		low, high := max(1, mid-wide), min(m, mid+wide)
		sc.costs(a, i-1, b, low-1, high, v)
		// What is left of the band is out of reach; to the right of it lies what
		// is left from two rows before.
		cur[low-1] = far
		costs := sc.cost[:high-low+1]
		p, lp := prev[low-1:high+1], lprev[low-1:high+1]
		c, lc := cur[low-1:high+1], lcur[low-1:high+1]
		for k, s := range costs {
			best, l, way := p[k]+2*s, lp[k], uint8(0)
			if d := p[k+1] + s; d < best {
				best, l, way = d, lp[k+1], 1
			}
			if d := c[k] + s; d < best {
				best, l, way = d, lc[k], 2
			}
			c[k+1], lc[k+1] = best, l+1
			if keep {
				sc.way[i*row+low+k-mid+wide] = way
			}
		}
		for j := high + 1; j <= min(m, (i+1)*m/n+wide); j++ {
			cur[j] = far
		}
		prev, cur, lprev, lcur = cur, prev, lcur, lprev
	}
	if keep {
		sc.back(n, m, wide)
	}
	return prev[m], lprev[m]
}

// back walks from the end of an alignment to its start.
func (sc *Scratch) back(n, m, wide int) {
	sc.path = sc.path[:0]
	for i, j := n, m; i > 0 && j > 0; {
		sc.path = append(sc.path, pair{int32(i - 1), int32(j - 1)})
		switch sc.way[i*(2*wide+1)+j-i*m/n+wide] {
		case 0:
			i, j = i-1, j-1
		case 1:
			i--
		default:
			j--
		}
	}
}

// costs fills sc.cost with the distances of the reading i of the model to those
// from low to high of the trace. There is a loop for each view, of a constant
// length, because this is where the time goes.
func (sc *Scratch) costs(a model, i int, b *trace, low, high int, v view) {
	out := sc.cost[:high-low]
	x := a.f[i*channels : (i+1)*channels]
	ys := b.f[low*channels : high*channels]
	switch {
	case a.w != nil:
		w := a.w[i*channels+v.from : i*channels+v.to]
		weighted(out, x[v.from:v.to], w, ys[v.from:])
	case v == movement:
		x := (*[5]float32)(x[chDX:])
		for j := range out {
			y := (*[5]float32)(ys[j*channels+chDX:])
			d0, d1, d2, d3, d4 := x[0]-y[0], x[1]-y[1], x[2]-y[2], x[3]-y[3], x[4]-y[4]
			out[j] = sqrt(d0*d0 + d1*d1 + d2*d2 + d3*d3 + d4*d4)
		}
	case v == form:
		x := (*[6]float32)(x[chX:])
		for j := range out {
			y := (*[6]float32)(ys[j*channels+chX:])
			d0, d1, d2, d3, d4, d5 := x[0]-y[0], x[1]-y[1], x[2]-y[2], x[3]-y[3], x[4]-y[4], x[5]-y[5]
			out[j] = sqrt(d0*d0 + d1*d1 + d2*d2 + d3*d3 + d4*d4 + d5*d5)
		}
	default:
		x := x[v.from:v.to]
		for j := range out {
			sum := float32(0)
			y := ys[j*channels+v.from:][:len(x)]
			for k, c := range x {
				d := c - y[k]
				sum += d * d
			}
			out[j] = sqrt(sum)
		}
	}
}

// weighted is the same with weights.
func weighted(out, x, w, ys []float32) {
	w = w[:len(x)]
	for j := range out {
		y := ys[j*channels:][:len(x)]
		sum := float32(0)
		for k, c := range x {
			d := c - y[k]
			sum += d * d * w[k]
		}
		out[j] = sqrt(sum)
	}
}

func sqrt(v float32) float32 { return float32(math.Sqrt(float64(v))) }
