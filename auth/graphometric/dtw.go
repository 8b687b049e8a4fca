package graphometric

import "math"

// band is how far from the straight way the alignment may go, as a part of the
// longer of the two (Sakoe and Chiba).
const band = .15

// separation is how far apart two traces are.
type separation struct {
	whole float64           // over the channels that are written
	by    [channels]float64 // in each channel alone, along the same alignment
}

// apart aligns two traces by dynamic time warping and measures how far apart they
// are. whole is the mean Euclidean distance over the alignment, by is the mean
// distance in each channel; a step in one of the traces alone counts half of a
// step in both. All are multiplied by how much longer the alignment is than that
// of two equal traces, 1 to 2: writing that has to be stretched and squeezed to fit
// is less alike than the distance alone says. Nothing is allocated once the scratch
// has grown.
func (sc *Scratch) apart(a, b *trace) separation { return sc.separate(a, b, differences) }

// displaced is how far apart two traces are in place and pressure alone, aligned by
// these: what noise in a copy changes least.
func (sc *Scratch) displaced(a, b *trace) float64 { return sc.separate(a, b, displacements).whole }

// separate measures with one kind of distance between readings, which fills out
// with those of the reading x to some others.
func (sc *Scratch) separate(a, b *trace, distances func(out, x, ys []float32)) separation {
	var s separation
	if a.n == 0 || b.n == 0 {
		s.whole = math.Inf(1)
		for c := range s.by {
			s.by[c] = math.Inf(1)
		}
		return s
	}
	wide := max(3, int(math.Ceil(band*float64(max(a.n, b.n)))))
	cost := sc.align(a, b, wide, distances)
	length := sc.back(a, b, wide, &s)
	both := float64(a.n + b.n)
	warped := 2 * float64(length) / both
	s.whole = float64(cost) / both * warped
	for c := range s.by {
		s.by[c] *= warped / both
	}
	return s
}

// align is the dynamic programme. It leaves in sc.way, for each pair of readings
// within the band, by which step it was reached.
func (sc *Scratch) align(a, b *trace, wide int, distances func(out, x, ys []float32)) float32 {
	sc.aligned++
	n, m, row := a.n, b.n, 2*wide+1
	far := float32(math.Inf(1))
	sc.prev, sc.cur, sc.cost = grown(sc.prev, m+1), grown(sc.cur, m+1), grown(sc.cost, row)
	sc.way = grown(sc.way, (n+1)*row)
	prev, cur := sc.prev, sc.cur
	for j := range prev {
		prev[j], cur[j] = far, far
	}
	prev[0] = 0
	for i := 1; i <= n; i++ {
		mid := i * m / n
		low, high := max(1, mid-wide), min(m, mid+wide)
		costs := sc.cost[:high-low+1]
		distances(costs, a.row(i-1), b.f[(low-1)*channels:high*channels])
		// To the left of the band is out of reach; right of it lies what is left
		// from two rows before.
		cur[low-1] = far
		p, c, way := prev[low-1:high+1], cur[low-1:high+1], sc.way[i*row+low-mid+wide:][:len(costs)]
		left, corner := far, p[0]
		for k, s := range costs {
			above := p[k+1]
			best, step := corner+2*s, uint8(0)
			if d := above + s; d < best {
				best, step = d, 1
			}
			if d := left + s; d < best {
				best, step = d, 2
			}
			c[k+1], way[k] = best, step
			left, corner = best, above
		}
		for j := high + 1; j <= min(m, (i+1)*m/n+wide); j++ {
			cur[j] = far
		}
		prev, cur = cur, prev
	}
	return prev[m]
}

// differences are the distances of one reading to some others over the channels
// that are written. This is where most of the time goes.
func differences(out, x, ys []float32) {
	a := (*[written]float32)(x)
	for j := range out {
		b := (*[written]float32)(ys[j*channels:])
		d0, d1, d2, d3, d4, d5, d6 := a[0]-b[0], a[1]-b[1], a[2]-b[2], a[3]-b[3], a[4]-b[4], a[5]-b[5], a[6]-b[6]
		d7, d8, d9, d10, d11, d12 := a[7]-b[7], a[8]-b[8], a[9]-b[9], a[10]-b[10], a[11]-b[11], a[12]-b[12]
		even := d0*d0 + d2*d2 + d4*d4 + d6*d6 + d8*d8 + d10*d10 + d12*d12 // two sums, for the processor does two at a time
		odd := d1*d1 + d3*d3 + d5*d5 + d7*d7 + d9*d9 + d11*d11
		out[j] = float32(math.Sqrt(float64(even + odd)))
	}
}

// displacements are those in place and pressure.
func displacements(out, x, ys []float32) {
	a := (*[3]float32)(x[chX:])
	for j := range out {
		b := (*[3]float32)(ys[j*channels+chX:])
		d0, d1, d2 := a[0]-b[0], a[1]-b[1], a[2]-b[2]
		out[j] = float32(math.Sqrt(float64(d0*d0 + d1*d1 + d2*d2)))
	}
}

// back walks the alignment from its end to its start and adds up what the channels
// differ. It returns its length.
func (sc *Scratch) back(a, b *trace, wide int, s *separation) (length int) {
	n, m, row := a.n, b.n, 2*wide+1
	var sums [channels]float32
	for i, j := n, m; i > 0 && j > 0; length++ {
		x, y := (*[channels]float32)(a.row(i-1)), (*[channels]float32)(b.row(j-1))
		weight := float32(1)
		step := sc.way[i*row+j-i*m/n+wide]
		if step == 0 {
			weight = 2
		}
		for c := range sums {
			d := x[c] - y[c]
			sums[c] += weight * max(d, -d)
		}
		if step != 2 {
			i--
		}
		if step != 1 {
			j--
		}
	}
	for c, v := range sums {
		s.by[c] = float64(v)
	}
	return length
}
