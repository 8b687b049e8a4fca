package graphometric

import "math"

// What makes a signature weak.
const (
	leastMinima  = 6  // minima of speed: about as many movements has a forger to learn
	leastWriting = .8 // s
	varies       = 2. // mean distance between two samples of one go; most people have 1.5, strangers 3.4 and more
)

// weak says whether the signature is easily imitated, because it is short or
// simple, or varies so much that the profile must take in what is far off.
func (e *Enrolment) weak() bool {
	var minima, whole float64
	for i := range e.traces {
		minima += e.traces[i].g[minimaFigure] / float64(len(e.traces))
		whole += e.traces[i].g[timeFigure] / float64(len(e.traces))
	}
	return minima < math.Log(leastMinima+1) || whole < math.Log(leastWriting) || e.among(-1) > varies
}
