package graphometric

import "math"

// Decision is the answer to the outside.
type Decision string

// The decisions.
const (
	Match  Decision = "match"
	Repeat Decision = "repeat" // not near enough: ask again
	Refuse Decision = "refuse" // a replay, or far off
)

// Replay says whether a sample is a copy of one that the profile has.
type Replay string

// The kinds of replay.
const (
	NoReplay Replay = ""
	Suspect  Replay = "suspect" // nearer than a hand comes: an alert, no proof
	Copied   Replay = "copied"  // a copy, perhaps with small changes
)

// How near to a sample of the profile in place and pressure is too near. Most
// people have .5 between two signatures of one go, and of 3,800 pairs none had less
// than .189 (docs/graphometry.md). It is in units of the size of the signature, not
// of the person's variation, because the noise in a copy does not know the person.
const (
	copied  = .13
	suspect = .18
)

// Verdict is the whole answer. It never leaves the process that holds the profile:
// only Decision does, as a score would teach a forger.
type Verdict struct {
	Decision  Decision
	Score     float64 // lower is nearer; +Inf where nothing could be compared
	Threshold float64 // up to which it matches
	Replay    Replay
	Nearest   float64  // distance in place and pressure to the nearest sample; 0.5 is usual
	Reasons   []Reason // why the sample could not be compared, with Repeat
	updatable bool     // near enough to enter the profile
}

// Match compares a sample with the profile. It allocates nothing that grows with
// the sample once sc has its size, and starts no goroutine. sc may be nil. The
// sample is not changed; what is left of it in sc is for the caller to wipe.
func (p *Profile) Match(s *Sample, pol Policy, sc *Scratch) Verdict {
	v := Verdict{Decision: Repeat, Score: math.Inf(1), Nearest: math.Inf(1), Threshold: pol.threshold(len(p.anchors), len(p.recent))}
	if p.reference == nil {
		v.Decision = Refuse // it was wiped
		return v
	}
	if s.Device.Class != p.class {
		v.Reasons = []Reason{OtherDevice}
		return v
	}
	if err := s.Check(); err != nil {
		v.Reasons = []Reason{reasonOf(err)}
		return v
	}
	if sc == nil {
		sc = NewScratch()
		defer sc.Wipe()
	}
	sc.trace(&sc.seen, s)
	c := sc.compare(p.reference, &sc.seen)
	v.Score, v.Nearest = c.score, c.nearest
	if c.score < math.Inf(1) {
		v.Nearest = min(v.Nearest, p.nearestPast(sc))
	}
	v.decide(&pol)
	return v
}

func (v *Verdict) decide(pol *Policy) {
	switch {
	case v.Nearest < copied:
		v.Replay, v.Decision = Copied, Refuse
	case v.Score > v.Threshold+pol.FarOff:
		v.Decision = Refuse
	case v.Score <= v.Threshold:
		v.Decision = Match
	default:
		v.Decision = Repeat
	}
	if v.Replay == NoReplay && v.Nearest < suspect {
		v.Replay = Suspect
		if v.Decision == Match {
			v.Decision = Repeat
		}
	}
	v.updatable = v.Decision == Match && v.Score <= v.Threshold-pol.UpdateMargin
}

// nearestPast looks for a copy of those that the profile does not compare with any
// more.
func (p *Profile) nearestPast(sc *Scratch) float64 {
	nearest := math.Inf(1)
	for i := range p.pastTrace {
		nearest = min(nearest, sc.displaced(&p.pastTrace[i], &sc.seen))
	}
	return nearest
}

func reasonOf(err error) Reason {
	if e, ok := err.(*Error); ok {
		return e.Reason
	}
	return BadReadings
}

// Score is the bare comparison, without a look at whether the sample can be used
// and is of the right device: for measuring how good the comparison is. +Inf means
// that there was nothing to compare.
func (p *Profile) Score(s *Sample, sc *Scratch) float64 {
	if p.reference == nil {
		return math.Inf(1)
	}
	sc.trace(&sc.seen, s)
	return sc.compare(p.reference, &sc.seen).score
}
