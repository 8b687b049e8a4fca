package evaluate

import (
	"math"
	"testing"
)

func TestEqual(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		genuine, forged []float64
		rate            float64
	}{
		"apart":      {[]float64{1, 2, 3}, []float64{4, 5, 6}, 0},
		"one of ten": {[]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 12}, []float64{8.5, 11, 12, 13, 14, 15, 16, 17, 18, 19}, .1},
		"all alike":  {[]float64{1, 1, 1}, []float64{1, 1, 1}, .5},
	} {
		if got, _ := equal(c.genuine, c.forged); math.Abs(got-c.rate) > 1e-9 {
			t.Errorf("%s: %v, want %v", name, got, c.rate)
		}
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	genuine, forged := []float64{1, 2, 3, 4}, []float64{3, 3, 5, 6, 7, 8, 9, 10, 11, 12}
	for rate, want := range map[float64]Point{
		0:  {FMR: 0, FNMR: .5}, // the two that are nearer than any forgery
		.1: {FMR: 0, FNMR: .5}, // two forgeries have the same score: one of ten cannot match alone
		.2: {FMR: .2, FNMR: 0},
	} {
		if got := at(genuine, forged, rate); got.FMR != want.FMR || got.FNMR != want.FNMR {
			t.Errorf("%v: %+v, want %+v", rate, got, want)
		}
	}
}

func TestInterval(t *testing.T) {
	t.Parallel()
	var genuine, forged [][]float64
	for i := range 20 { // one person in four is always forged
		genuine, forged = append(genuine, []float64{1, 2}), append(forged, []float64{3, 4})
		if i%4 == 0 {
			forged[i] = []float64{0, 0}
		}
	}
	low, high := interval(genuine, forged, 1)[0], interval(genuine, forged, 1)[1]
	if !(low < .25 && high >= .2 && high < .5 && low < high) {
		t.Errorf("%v to %v", low, high)
	}
	if got := interval(genuine[1:4], forged[1:4], 1); got[1] > 1e-9 {
		t.Errorf("no errors: %v", got)
	}
}
