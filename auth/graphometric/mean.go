package graphometric

// How the mean signature is made.
const (
	meanRounds = 3    // of averaging; more change nothing that can be measured
	meanPrior  = 4    // how many samples the channel's variance counts for beside that of the place
	leastVar   = 1e-3 // of any channel anywhere
)

// mean makes the mean of some traces in the channels of a view, and how far they
// stray from it in each channel at each place. It starts from one of them, aligns
// all with it, takes for each of its readings the mean of those that were aligned
// with it, and does so again (the barycentre under dynamic time warping). The weight
// of a squared difference is one by the variance there, so that a signature is
// measured where its writer is constant, in units of the writer's own deviation. As
// a few samples say little about one place, the variance of the whole channel
// counts beside it.
func (sc *Scratch) mean(traces []trace, start int, v view) model {
	from := &traces[start]
	m := model{n: from.n, f: append([]float32(nil), from.f...), w: make([]float32, len(from.f))}
	k := v.size()
	a := averages{k: k, total: make([]float64, m.n*k), stray: make([]float64, m.n*k), sum: make([]float64, m.n*k), count: make([]float64, m.n)}
	for round := 0; ; round++ {
		clear(a.total)
		clear(a.stray)
		for i := range traces {
			sc.align(model{n: m.n, f: m.f}, &traces[i], v, true)
			a.add(m, &traces[i], v, sc.path)
		}
		if round == meanRounds {
			break
		}
		for i := range m.n {
			for c := range k {
				m.f[i*channels+v.from+c] = float32(a.total[i*k+c] / float64(len(traces)))
			}
		}
	}
	m.weigh(v, a.stray, len(traces))
	a.wipe()
	return m
}

// averages add up what traces have where they were aligned with a mean.
type averages struct {
	k                 int
	total, stray, sum []float64
	count             []float64
}

func (a *averages) wipe() {
	for _, s := range [...][]float64{a.total, a.stray, a.sum, a.count} {
		clear(s)
	}
}

// add takes one trace: where several of its readings were aligned with one of the
// mean, their mean counts.
func (a *averages) add(m model, tr *trace, v view, path []pair) {
	clear(a.sum)
	clear(a.count)
	for _, p := range path {
		row := tr.row(int(p.j))[v.from:v.to]
		sum := a.sum[int(p.i)*a.k:][:a.k]
		for c, x := range row {
			sum[c] += float64(x)
		}
		a.count[p.i]++
	}
	for i, n := range a.count {
		for c := range a.k {
			x := a.sum[i*a.k+c] / n
			d := x - float64(m.f[i*channels+v.from+c])
			a.total[i*a.k+c] += x
			a.stray[i*a.k+c] += d * d
		}
	}
}

// weigh makes the weights of the squared deviations. Their mean over a view is 1
// by the writer's usual deviation in one channel, so that views of more channels
// do not count for more.
func (m *model) weigh(v view, stray []float64, samples int) {
	k, free := v.size(), float64(max(1, samples-1))
	for c := range k {
		usual := 0.
		for i := range m.n {
			usual += stray[i*k+c] / free / float64(m.n)
		}
		for i := range m.n {
			variance := (stray[i*k+c] + meanPrior*usual) / (free + meanPrior)
			m.w[i*channels+v.from+c] = float32(1 / (float64(k) * (variance + leastVar)))
		}
	}
}

func (m *model) wipe() {
	clear(m.f)
	clear(m.w)
	*m = model{}
}
