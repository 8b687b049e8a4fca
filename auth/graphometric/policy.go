package graphometric

import "math"

// Algorithm names the way in which profiles are made and compared. A profile says
// which one it was made by; another one cannot read it.
const Algorithm = "graphometric-1"

// Policy is what is demanded of a signature.
type Policy struct {
	Name string
	// Threshold: a score up to this is a match, against a profile of five samples.
	// Scores are in logarithms: 0.1 is ten percent.
	Threshold float64
	// PerDoubling is taken from the threshold for each doubling of the samples of
	// the enrolment, as the nearest of more samples is nearer, also to a forgery;
	// PerRecent for each that came in later. These are of other days, further from
	// one another, so that all scores become smaller.
	PerDoubling, PerRecent float64
	// FarOff: a score that is above the threshold by more than this is of another
	// person, and not of one who did not sign as usual.
	FarOff float64
	// UpdateMargin: a signature enters the profile if its score is below the
	// threshold by this. It is what keeps forgeries from creeping in.
	UpdateMargin float64
	// Spread of the figures of the whole among people.
	Spread Spread
}

// Standard is the policy that is shipped.
func Standard() Policy {
	return Policy{Name: "standard", Threshold: -.05, PerDoubling: .04, PerRecent: .02, FarOff: .3, UpdateMargin: .1, Spread: shipped}
}

// High is for more that is at stake: more forgeries are told, and more holders are
// asked to sign again.
func High() Policy {
	p := Standard()
	p.Name, p.Threshold = "high", p.Threshold-.1
	return p
}

// Highest is stricter still.
func Highest() Policy {
	p := Standard()
	p.Name, p.Threshold = "highest", p.Threshold-.2
	return p
}

// Policies are the shipped ones, from the mildest to the strictest.
func Policies() []Policy { return []Policy{Standard(), High(), Highest()} }

// PolicyNamed is the shipped policy of a name; false: there is none.
func PolicyNamed(name string) (Policy, bool) {
	for _, p := range Policies() {
		if p.Name == name {
			return p, true
		}
	}
	return Policy{}, false
}

// threshold is that for a profile of so many samples.
func (p *Policy) threshold(enrolled, recent int) float64 {
	return p.Threshold - p.PerDoubling*math.Log2(float64(max(1, enrolled))/5) - p.PerRecent*float64(recent)
}

// ThresholdFor is the threshold for a profile of so many samples of one enrolment.
func (p Policy) ThresholdFor(samples int) float64 { return p.threshold(samples, 0) }
