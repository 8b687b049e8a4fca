package graphometric

import (
	"math"
	"math/rand/v2"
	"testing"
)

// randomTrace is a trace of noise that goes somewhere.
func randomTrace(r *rand.Rand, n int) *trace {
	t := &trace{n: n, f: make([]float32, n*channels), tilt: true}
	for c := range channels {
		v := 0.
		for i := range n {
			v += r.NormFloat64() / 3
			t.f[i*channels+c] = float32(v)
		}
	}
	return t
}

// plainly is the alignment as one would write it down, in a whole matrix.
func plainly(a, b *trace) (whole float64, by [channels]float64) {
	n, m := a.n, b.n
	wide := max(3, int(math.Ceil(band*float64(max(n, m)))))
	local := func(i, j int) float64 {
		s := 0.
		for c := range written {
			d := float64(a.f[i*channels+c] - b.f[j*channels+c])
			s += d * d
		}
		return math.Sqrt(s)
	}
	type cell struct {
		cost     float64
		di, dj   int
		possible bool
	}
	g := make([][]cell, n+1)
	for i := range g {
		g[i] = make([]cell, m+1)
	}
	g[0][0].possible = true
	for i := 1; i <= n; i++ {
		for j := max(1, i*m/n-wide); j <= min(m, i*m/n+wide); j++ {
			d := local(i-1, j-1)
			for _, s := range [...]struct {
				di, dj int
				w      float64
			}{{1, 1, 2}, {1, 0, 1}, {0, 1, 1}} {
				from := g[i-s.di][j-s.dj]
				if c := from.cost + s.w*d; from.possible && (!g[i][j].possible || c < g[i][j].cost) {
					g[i][j] = cell{c, s.di, s.dj, true}
				}
			}
		}
	}
	length := 0.
	for i, j := n, m; i > 0; length++ {
		c := g[i][j]
		for ch := range by {
			by[ch] += float64(c.di+c.dj) * math.Abs(float64(a.f[(i-1)*channels+ch]-b.f[(j-1)*channels+ch]))
		}
		i, j = i-c.di, j-c.dj
	}
	both := float64(n + m)
	for ch := range by {
		by[ch] *= 2 * length / both / both
	}
	return g[n][m].cost / both * 2 * length / both, by
}

func TestAlignment(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	sc := NewScratch()
	for _, size := range [][2]int{{1, 1}, {1, 2}, {5, 5}, {30, 40}, {40, 30}, {100, 100}, {60, 170}, {170, 60}, {200, 210}, {7, 21}} {
		a, b := randomTrace(r, size[0]), randomTrace(r, size[1])
		got := sc.apart(a, b)
		whole, by := plainly(a, b)
		if math.Abs(got.whole-whole) > 1e-4*whole {
			t.Errorf("%v: %v, plainly %v", size, got.whole, whole)
		}
		for c := range by {
			if math.Abs(got.by[c]-by[c]) > 1e-3*by[c] {
				t.Errorf("%v: channel %d: %v, plainly %v", size, c, got.by[c], by[c])
			}
		}
		if same := sc.apart(a, a); same.whole != 0 {
			t.Errorf("%v: %v from itself", size, same.whole)
		}
	}
}

func TestAlignmentAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a, b, sc := randomTrace(r, 200), randomTrace(r, 220), NewScratch()
	sc.apart(a, b)
	if n := testing.AllocsPerRun(20, func() { sc.apart(a, b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestScratchWipes(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	sc := NewScratch()
	s := &Sample{Device: Device{Class: "pointer", Tilt: true}}
	for i := range 200 {
		s.Points = append(s.Points, Point{T: int64(i) * 10000, X: r.Float64(), Y: r.Float64(), Pressure: r.Float64(), TiltX: 9, Down: true})
	}
	sc.trace(&sc.seen, s)
	sc.apart(&sc.seen, randomTrace(r, 200))
	f := sc.seen.f
	sc.Wipe()
	for _, v := range f[:cap(f)] {
		if v != 0 {
			t.Fatal("channels are left")
		}
	}
	for _, v := range sc.columns[:cap(sc.columns)] {
		if v != 0 {
			t.Fatal("columns are left")
		}
	}
	for _, v := range sc.readings[:cap(sc.readings)] {
		if v != (reading{}) {
			t.Fatal("readings are left")
		}
	}
	if sc.seen.g != [globals]float64{} {
		t.Fatal("figures are left")
	}
}

// BenchmarkAlign measures an alignment of two signatures of two seconds, and beside
// it the floor: the distances of the readings within the band alone, of which an
// alignment needs every one.
func BenchmarkAlign(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	x, y, sc := randomTrace(r, 200), randomTrace(r, 200), NewScratch()
	sc.apart(x, y)
	b.ReportAllocs()
	b.Run("align", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sc.apart(x, y)
		}
	})
	b.Run("distances", func(b *testing.B) {
		wide := int(math.Ceil(band * 200))
		out := make([]float32, 2*wide+1)
		for b.Loop() {
			for i := range x.n {
				low, high := max(0, i-wide), min(y.n, i+wide+1)
				differences(out[:high-low], x.row(i), y.f[low*channels:high*channels])
			}
		}
	})
}
