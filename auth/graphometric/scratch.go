package graphometric

// Scratch is the memory that comparisons work in. It grows to what is needed and
// is used again, so that a comparison allocates nothing once it has. It holds
// what was made of the last sample: wipe it. It is for one goroutine at a time.
type Scratch struct {
	readings []reading
	times    []int64
	columns  []float64
	seen     trace // the sample that is looked at
	// The rows of the dynamic programme, and the way back through it.
	prev, cur, cost []float32
	way             []uint8
	aligned         int // how often, for who asks what something costs
}

// NewScratch makes one; the zero value will do as well.
func NewScratch() *Scratch { return &Scratch{} }

// Wipe overwrites all that it holds.
func (sc *Scratch) Wipe() {
	if sc == nil {
		return
	}
	clear(sc.readings[:cap(sc.readings)])
	clear(sc.times[:cap(sc.times)])
	clear(sc.columns[:cap(sc.columns)])
	sc.seen.wipe()
	clear(sc.prev[:cap(sc.prev)])
	clear(sc.cur[:cap(sc.cur)])
	clear(sc.cost[:cap(sc.cost)])
	clear(sc.way[:cap(sc.way)])
}

// grown is s with length n; what is in it is of no meaning. A smaller one that it
// replaces is wiped.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		clear(s[:cap(s)])
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
