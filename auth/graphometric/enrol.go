package graphometric

import "math"

// What an enrolment demands.
const (
	tries     = 10  // after these it has failed
	pauseAt   = 3   // the pen is laid down after this sample: those of one go are too alike
	stray     = 1.4 // a sample whose distance to the others is so many times that among them differs
	strayFew  = 1.7 // while there are two
	strangers = 3.1 // two signatures that are so far apart in movement and form are not the same
)

// Advice is what an enrolment says to a sample.
type Advice struct {
	Accepted bool
	Reasons  []Reason // why it was not taken; of one that was: Weak, or Differs with Odd
	Count    int      // samples that are taken
	Odd      int      // the number, from 1, of one that stands apart from the others and should be removed; 0: none
	Ready    bool     // enough of them: Profile may be called
	Pause    bool     // let the pen be laid down before the next one
	Weak     bool     // the signature is easily imitated, or varies much
	Failed   bool     // failure to enrol: the holder needs another way
}

// Enrolment collects the samples of a profile. It copies what it is given. It is
// for one goroutine at a time. Wipe it, also after Profile.
type Enrolment struct {
	policy  Policy
	samples []*Sample
	traces  []trace
	// apart is how far apart each two of them are, measured once: what stands apart is
	// looked for with each step, in all ways to leave one out. It is not the same in both
	// directions, by a little.
	apart   [MaxSamples][MaxSamples]float64
	tries   int
	scratch Scratch
}

// NewEnrolment begins one.
func NewEnrolment(p Policy) *Enrolment { return &Enrolment{policy: p} }

// Add looks at a sample and takes it if it is good.
func (e *Enrolment) Add(s *Sample) Advice {
	if e.failed() || len(e.samples) >= MaxSamples {
		return e.advice()
	}
	e.tries++
	if why := e.refused(s); why != "" {
		a := e.advice()
		a.Reasons = append([]Reason{why}, a.Reasons...)
		return a
	}
	n := len(e.samples)
	e.samples = append(e.samples, s.kept())
	e.traces = append(e.traces, trace{})
	e.scratch.trace(&e.traces[n], e.samples[n])
	for i := range n { // the other direction refused has measured
		e.apart[n][i] = e.scratch.apart(&e.traces[n], &e.traces[i]).whole
	}
	a := e.advice()
	a.Accepted = true
	a.Pause = len(e.samples) == pauseAt
	return a
}

// refused says why a sample is not taken, and leaves in the last place of e.apart how far
// those that there are are from it.
func (e *Enrolment) refused(s *Sample) Reason {
	if err := s.Check(); err != nil {
		return reasonOf(err)
	}
	if len(e.samples) == 0 {
		return ""
	}
	if s.Device.Class != e.samples[0].Device.Class {
		return OtherDevice
	}
	k := s.kept()
	defer k.Wipe()
	sc := &e.scratch
	sc.trace(&sc.seen, k)
	mean, nearest := 0., math.Inf(1)
	for i := range e.traces {
		d := sc.apart(&e.traces[i], &sc.seen)
		e.apart[i][len(e.traces)] = d.whole
		mean += d.whole / float64(len(e.traces))
		nearest = min(nearest, sc.displaced(&e.traces[i], &sc.seen))
	}
	among := e.among(-1)
	switch n := len(e.samples); {
	case nearest < copied: // first, because noise in a copy makes it differ too
		return Copy
	case mean > strangers, n == 2 && mean > strayFew*among, n > 2 && mean > stray*among:
		return Differs
	}
	return ""
}

// among is the mean distance between two of the samples, one of them left out.
func (e *Enrolment) among(without int) float64 {
	total, n := 0., 0.
	for i := range e.traces {
		for j := range i {
			if i != without && j != without {
				total += e.apart[i][j]
				n++
			}
		}
	}
	return total / max(1, n)
}

// odd is the number of the sample that stands apart from the others.
func (e *Enrolment) odd() int {
	if len(e.traces) < MinSamples {
		return 0
	}
	worst, at := stray, 0
	for i := range e.traces {
		mean := 0.
		for j := range e.traces {
			if i != j {
				mean += e.apart[i][j] / float64(len(e.traces)-1)
			}
		}
		if r := mean / max(e.among(i), 1e-3); r > worst {
			worst, at = r, i+1
		}
	}
	return at
}

func (e *Enrolment) failed() bool {
	return e.tries >= tries && len(e.samples) < MinSamples
}

func (e *Enrolment) advice() Advice {
	a := Advice{Count: len(e.samples), Failed: e.failed(), Odd: e.odd()}
	a.Ready = len(e.samples) >= MinSamples && a.Odd == 0
	if a.Odd > 0 {
		a.Reasons = []Reason{Differs}
	}
	if a.Ready && e.weak() {
		a.Weak, a.Reasons = true, []Reason{Weak}
	}
	return a
}

// Remove takes one of the samples out again, i from 0. It says how things stand;
// where there is no such sample nothing happens.
func (e *Enrolment) Remove(i int) Advice {
	if i >= 0 && i < len(e.samples) {
		e.samples[i].Wipe()
		e.traces[i].wipe()
		e.samples = append(e.samples[:i], e.samples[i+1:]...)
		e.traces = append(e.traces[:i], e.traces[i+1:]...)
		copy(e.apart[i:], e.apart[i+1:])
		for j := range e.apart {
			copy(e.apart[j][i:], e.apart[j][i+1:])
		}
	}
	return e.advice()
}

// Profile makes the profile. The error is of kind NotReady if it cannot be made yet.
func (e *Enrolment) Profile() (*Profile, error) {
	a := e.advice()
	if !a.Ready {
		return nil, &Error{Kind: NotReady, Msg: "the enrolment has too few samples that are alike: let the holder sign again"}
	}
	p := &Profile{class: e.samples[0].Device.Class, spread: e.policy.Spread, weak: a.Weak}
	for _, s := range e.samples {
		p.anchors = append(p.anchors, s.kept())
	}
	p.reference = e.scratch.refer(p.anchors, &p.spread)
	return p, nil
}

// Wipe overwrites the samples. What was made with Profile stays.
func (e *Enrolment) Wipe() {
	if e == nil {
		return
	}
	for i := range e.samples {
		e.samples[i].Wipe()
		e.traces[i].wipe()
	}
	e.scratch.Wipe()
	*e = Enrolment{policy: e.policy}
}
