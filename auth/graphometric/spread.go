package graphometric

import "math"

// Spread is how far each figure of the whole signature goes in one person, from
// day to day: the deviation that is usual among people. Few samples say little
// about a person's own, so that this one counts beside it. It is the only thing
// in this package that comes from a population. The shipped one is of the made-up
// people of package synthetic; [EstimateSpread] makes one of others.
type Spread [globals]float64

// spreadPrior is how many samples the spread counts for beside the person's own.
const spreadPrior = 10

// EstimateSpread computes the spread from several samples, of several days, of
// each of several people. People with fewer than two samples are left out.
func EstimateSpread(people [][]*Sample) Spread {
	var sum Spread
	var sc Scratch
	var tr trace
	defer sc.Wipe()
	defer tr.wipe()
	count := 0.
	for _, samples := range people {
		if len(samples) < 2 {
			continue
		}
		values := make([][globals]float64, len(samples))
		for i, s := range samples {
			sc.trace(&tr, s)
			values[i] = tr.g
		}
		_, variance := figures(values)
		for i, v := range variance {
			sum[i] += v / float64(len(values)-1)
		}
		count++
	}
	for i, v := range sum {
		sum[i] = math.Sqrt(v / max(1, count))
	}
	return sum
}

// figures are the mean of each figure and the sum of the squared deviations.
func figures(values [][globals]float64) (mean, squares [globals]float64) {
	for i := range mean {
		for _, v := range values {
			mean[i] += v[i] / float64(len(values))
		}
		for _, v := range values {
			squares[i] += (v[i] - mean[i]) * (v[i] - mean[i])
		}
	}
	return mean, squares
}

// ShippedSpread is the one that [Standard] has.
func ShippedSpread() Spread { return shipped }
