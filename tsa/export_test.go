package tsa

import (
	"slices"
	"testing"
	"time"
)

// WithoutSelfCheck lets a key pass that signs nothing, for tests and figures of all
// the rest.
func (a *Authority) WithoutSelfCheck() {
	for _, units := range *a.series.Load() {
		for _, u := range units {
			u.verify = func(*template, *scratch, []byte) error { return nil }
		}
	}
}

// Turns runs things one after the other, over and over, so that all meet the same
// machine, and gives the median of each in nanoseconds: other load on it then weighs
// little. Of what takes no longer than reading the clock, batch are timed at once.
func Turns(b *testing.B, batch int, run ...func()) []float64 {
	took := make([][]time.Duration, len(run))
	for b.Loop() {
		for i, f := range run {
			start := time.Now()
			for range batch {
				f()
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	medians := make([]float64, len(run))
	for i, t := range took {
		slices.Sort(t)
		medians[i] = float64(t[len(t)/2]) / float64(batch)
	}
	return medians
}
