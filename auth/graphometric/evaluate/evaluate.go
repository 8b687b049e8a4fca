// Package evaluate measures how often a comparison of signatures errs, on sets of
// signatures with forgeries, in the way that papers do.
//
// The protocol: of each person some samples of the first session are enrolled, in
// several random choices; tested are all genuine samples of the second session, all
// skilled forgeries, and one genuine sample each of some others (random forgeries).
// There is one threshold for all people, because no forgeries exist of a customer
// that his own could be chosen by; the mean over the people of what a threshold of
// their own would give is told beside it, for papers often give only that.
//
// The error rates are those of ISO/IEC 19795-1 at the level of comparisons: FMR
// (false matches) and FNMR (false non-matches); the equal error rate is where they
// meet. Skilled forgeries are presentation attacks of ISO/IEC 30107-3: their FMR is
// an impostor attack presentation accept rate. The interval of 95 % is a bootstrap
// over the people, not over comparisons: those of one person are much alike.
package evaluate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"sigillo/auth/graphometric"
)

// Person is one of a set.
type Person struct {
	Name          string
	First, Second []*graphometric.Sample // genuine, of two sessions
	Forged        []*graphometric.Sample // by people who trained for it
}

// Options are those of a measurement; the zero value of each means its default.
type Options struct {
	Enrol   int    // samples enrolled: 5
	Choices int    // random choices of these: 10
	Random  int    // random forgeries for each person and choice: 20
	Seed    uint64 // of all chance
	Policy  graphometric.Policy
}

func (o *Options) defaults() {
	for p, v := range map[*int]int{&o.Enrol: 5, &o.Choices: 10, &o.Random: 20} {
		if *p == 0 {
			*p = v
		}
	}
	if o.Policy.Name == "" {
		o.Policy = graphometric.Standard()
	}
}

// scores are the scores of one person.
type scores struct{ genuine, skilled, random []float64 }

// Run measures. It takes all processors. An error is one of ctx, or says what the
// set lacks.
func Run(ctx context.Context, people []Person, o Options) (*Report, error) {
	o.defaults()
	if len(people) < 2 {
		return nil, fmt.Errorf("a set of %d people is too small: random forgeries are of others", len(people))
	}
	for _, p := range people {
		if len(p.First) < o.Enrol || len(p.Second) == 0 || len(p.Forged) == 0 {
			return nil, fmt.Errorf("%s has %d samples of the first session, %d of the second and %d forgeries: %d of the first are to be enrolled",
				p.Name, len(p.First), len(p.Second), len(p.Forged), o.Enrol)
		}
	}
	all := make([]scores, len(people))
	var group sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			sc := graphometric.NewScratch()
			defer sc.Wipe()
			for i := range next {
				all[i] = measure(ctx, people, i, &o, sc)
			}
		})
	}
	for i := range people {
		next <- i
	}
	close(next)
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := report(all, &o)
	r.Samples = count(people)
	r.Match = timing(people, &o)
	r.judge()
	return r, nil
}

// farthest stands for the score of what could not be compared at all: JSON has no
// infinity.
const farthest = 20

// measure makes the scores of one person.
func measure(ctx context.Context, people []Person, i int, o *Options, sc *graphometric.Scratch) (out scores) {
	rng := rand.New(rand.NewPCG(o.Seed, uint64(i)))
	p := &people[i]
	for range o.Choices {
		if ctx.Err() != nil {
			return out
		}
		profile := enrol(p, rng, o)
		if profile == nil {
			continue
		}
		add := func(to *[]float64, samples []*graphometric.Sample) {
			for _, s := range samples {
				*to = append(*to, min(farthest, profile.Score(s, sc)))
			}
		}
		add(&out.genuine, p.Second)
		add(&out.skilled, p.Forged)
		add(&out.random, strangers(people, i, o.Random, rng))
		profile.Wipe()
	}
	return out
}

func enrol(p *Person, rng *rand.Rand, o *Options) *graphometric.Profile {
	var samples []*graphometric.Sample
	for _, k := range rng.Perm(len(p.First))[:o.Enrol] {
		samples = append(samples, p.First[k])
	}
	profile, err := graphometric.NewProfile(samples, o.Policy)
	if err != nil {
		return nil
	}
	return profile
}

// strangers are genuine samples of n others, each of another one as long as there
// are enough.
func strangers(people []Person, i, n int, rng *rand.Rand) (out []*graphometric.Sample) {
	for len(out) < n {
		for _, k := range rng.Perm(len(people)) {
			if k != i && len(out) < n {
				genuine := slices.Concat(people[k].First, people[k].Second)
				out = append(out, genuine[rng.IntN(len(genuine))])
			}
		}
	}
	return out
}

// count says how many samples there are, and how many of them would not be looked
// at in service.
func count(people []Person) Samples {
	c := Samples{Unusable: map[graphometric.Reason]int{}}
	for _, p := range people {
		c.Genuine += len(p.First) + len(p.Second)
		c.Forged += len(p.Forged)
		for _, s := range slices.Concat(p.First, p.Second, p.Forged) {
			var e *graphometric.Error
			if err := s.Check(); asError(err, &e) {
				c.Unusable[e.Reason]++
			}
		}
	}
	return c
}

// timing measures matches one after the other, on one processor. The mean is of the
// processor's time; the others are of the clock, which runs also while others have
// the processor.
func timing(people []Person, o *Options) Timing {
	const most = 300
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var busy time.Duration
	sc := graphometric.NewScratch()
	defer sc.Wipe()
	rng := rand.New(rand.NewPCG(o.Seed, math.MaxUint64))
	var took []float64
	for round := 0; len(took) < most && round < most; round++ {
		p := &people[round%len(people)]
		profile := enrol(p, rng, o)
		if profile == nil {
			continue
		}
		profile.Score(p.Second[0], sc) // the scratch grows
		for _, s := range [...]*graphometric.Sample{p.Second[rng.IntN(len(p.Second))], p.Forged[rng.IntN(len(p.Forged))]} {
			start, before := time.Now(), processor()
			profile.Score(s, sc)
			took = append(took, milliseconds(time.Since(start)))
			busy += processor() - before
		}
		profile.Wipe()
	}
	slices.Sort(took)
	return Timing{Mean: milliseconds(busy) / float64(len(took)), Median: took[len(took)/2], P99: took[len(took)*99/100]}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// processor is the time that this thread has had of a processor.
func processor() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_THREAD, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
