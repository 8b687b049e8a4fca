package evaluate

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"sigillo/auth/graphometric"
)

// What is good, and what is bad. Good are the goals of this product; bad is what
// plain dynamic time warping reaches without any care.
const (
	goodSkilled, badSkilled = .07, .14
	goodRandom, badRandom   = .003, .01
	enoughPeople            = 10
	resamples               = 1000
)

// Assessment is the judgement over a measurement.
type Assessment string

// The assessments.
const (
	Good     Assessment = "good"
	Doubtful Assessment = "doubtful" // between good and bad, or too few people to say
	Bad      Assessment = "bad"
)

// Report is the outcome. Rates are parts of one. Its JSON is stable: fields may be
// added.
type Report struct {
	Algorithm   string      `json:"algorithm"`
	People      int         `json:"people"`
	Enrol       int         `json:"enrol"`
	Choices     int         `json:"choices"`
	RandomEach  int         `json:"randomEach"`
	Seed        uint64      `json:"seed"`
	Samples     Samples     `json:"samples"`
	Comparisons Comparisons `json:"comparisons"`
	Skilled     Errors      `json:"skilled"`
	Random      Errors      `json:"random"`
	Policies    []Operating `json:"policies"`
	Match       Timing      `json:"matchMilliseconds"`
	Assessment  Assessment  `json:"assessment"`
}

// Samples says what was in the set.
type Samples struct {
	Genuine  int                         `json:"genuine"`
	Forged   int                         `json:"forged"`
	Unusable map[graphometric.Reason]int `json:"unusable"` // of both: would not be looked at in service
}

// Comparisons says how many there were.
type Comparisons struct {
	Genuine int `json:"genuine"`
	Skilled int `json:"skilled"`
	Random  int `json:"random"`
}

// Errors are the error rates against one kind of forgery.
type Errors struct {
	EER          float64    `json:"eer"`
	Interval     [2]float64 `json:"interval95"`
	Threshold    float64    `json:"threshold"` // where the equal error rate is
	OwnThreshold float64    `json:"eerOwnThreshold"`
	FNMR1        float64    `json:"fnmrAtFmr1"`  // at an FMR of 1 %
	FNMR01       float64    `json:"fnmrAtFmr01"` // at an FMR of 0.1 %
	DET          []Point    `json:"det"`
}

// Point is one of a DET curve.
type Point struct {
	At        float64 `json:"at"` // the false match rate that was allowed
	FMR       float64 `json:"fmr"`
	FNMR      float64 `json:"fnmr"`
	Threshold float64 `json:"threshold"`
}

// Operating is what a policy gives.
type Operating struct {
	Name       string  `json:"name"`
	Threshold  float64 `json:"threshold"`
	FNMR       float64 `json:"fnmr"`
	SkilledFMR float64 `json:"skilledFmr"`
	RandomFMR  float64 `json:"randomFmr"`
}

// Timing is of one match, features included, in milliseconds on one processor.
type Timing struct {
	Mean   float64 `json:"mean"`   // of the processor's time
	Median float64 `json:"median"` // of the clock's
	P99    float64 `json:"p99"`    // of the clock's
}

// detAt are the false match rates at which the curve is told.
var detAt = []float64{.001, .002, .005, .01, .02, .05, .1, .2, .4}

func report(all []scores, o *Options) *Report {
	r := &Report{Algorithm: graphometric.Algorithm, People: len(all), Enrol: o.Enrol, Choices: o.Choices, RandomEach: o.Random, Seed: o.Seed}
	var genuine, skilled, random [][]float64
	for _, s := range all {
		slices.Sort(s.genuine)
		slices.Sort(s.skilled)
		slices.Sort(s.random)
		genuine, skilled, random = append(genuine, s.genuine), append(skilled, s.skilled), append(random, s.random)
	}
	r.Skilled, r.Random = errorsOf(genuine, skilled, o.Seed), errorsOf(genuine, random, o.Seed)
	g, s, n := pooled(genuine), pooled(skilled), pooled(random)
	r.Comparisons = Comparisons{len(g), len(s), len(n)}
	for _, p := range graphometric.Policies() {
		t := p.ThresholdFor(o.Enrol)
		r.Policies = append(r.Policies, Operating{p.Name, t, 1 - upTo(g, t), upTo(s, t), upTo(n, t)})
	}
	return r
}

func (r *Report) judge() {
	switch {
	case r.Skilled.EER > badSkilled || r.Random.EER > badRandom:
		r.Assessment = Bad
	case r.Skilled.EER <= goodSkilled && r.Random.EER <= goodRandom && r.People >= enoughPeople:
		r.Assessment = Good
	default:
		r.Assessment = Doubtful
	}
}

// pooled are the scores of all people, sorted.
func pooled(of [][]float64) []float64 {
	out := slices.Concat(of...)
	slices.Sort(out)
	return out
}

// upTo is the part of the sorted scores up to a threshold.
func upTo(sorted []float64, t float64) float64 {
	n, _ := slices.BinarySearchFunc(sorted, t, func(a, b float64) int {
		if a <= b {
			return -1
		}
		return 1
	})
	return float64(n) / float64(max(1, len(sorted)))
}

// errorsOf are the error rates of people's genuine and forged scores, each sorted.
func errorsOf(genuine, forged [][]float64, seed uint64) Errors {
	g, f := pooled(genuine), pooled(forged)
	var e Errors
	e.EER, e.Threshold = equal(g, f)
	for i := range genuine {
		own, _ := equal(genuine[i], forged[i])
		e.OwnThreshold += own / float64(len(genuine))
	}
	e.FNMR1, e.FNMR01 = at(g, f, .01).FNMR, at(g, f, .001).FNMR
	for _, rate := range detAt {
		e.DET = append(e.DET, at(g, f, rate))
	}
	e.Interval = interval(genuine, forged, seed)
	return e
}

// equal is the equal error rate and where it is: of all scores that occur, the one
// where FMR and FNMR are nearest to each other, and half way between them.
func equal(genuine, forged []float64) (rate, threshold float64) {
	best := math.Inf(1)
	f := 0
	for i, t := range genuine {
		if i+1 < len(genuine) && genuine[i+1] == t {
			continue
		}
		for f < len(forged) && forged[f] <= t {
			f++
		}
		fnmr, fmr := float64(len(genuine)-i-1)/float64(len(genuine)), float64(f)/float64(len(forged))
		if d := math.Abs(fnmr - fmr); d < best {
			best, rate, threshold = d, (fnmr+fmr)/2, t
		}
	}
	return rate, threshold
}

// at is the point of the curve where at most the part rate of the forgeries match.
func at(genuine, forged []float64, rate float64) Point {
	k := int(rate * float64(len(forged))) // so many forgeries may match
	t := math.Nextafter(forged[min(k, len(forged)-1)], math.Inf(-1))
	return Point{At: rate, FMR: upTo(forged, t), FNMR: 1 - upTo(genuine, t), Threshold: t}
}

// interval is that of 95 % of the equal error rate, by choosing as many people again
// with replacement. The rate is found by halving, because that needs no sorting.
func interval(genuine, forged [][]float64, seed uint64) [2]float64 {
	rng := rand.New(rand.NewPCG(seed, 0xb007))
	n := len(genuine)
	chosen := make([]int, n)
	rates := make([]float64, resamples)
	mean := func(of [][]float64, t float64) (sum float64) {
		for _, i := range chosen {
			sum += upTo(of[i], t) / float64(n)
		}
		return sum
	}
	for k := range rates {
		for i := range chosen {
			chosen[i] = rng.IntN(n)
		}
		low, high := -farthest-1., farthest+1.
		for range 40 {
			if t := (low + high) / 2; mean(forged, t) < 1-mean(genuine, t) {
				low = t
			} else {
				high = t
			}
		}
		rates[k] = max(0, (mean(forged, high)+1-mean(genuine, high))/2)
	}
	slices.Sort(rates)
	return [2]float64{rates[resamples*25/1000], rates[resamples*975/1000]}
}

func asError(err error, e **graphometric.Error) bool { return errors.As(err, e) }
