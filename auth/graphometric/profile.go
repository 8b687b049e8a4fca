package graphometric

import (
	"slices"
	"time"
)

// The limits of a profile.
const (
	MinSamples = 4 // of an enrolment
	MaxSamples = 6
	maxRecent  = 4  // that came later, beside those of the enrolment
	maxPast    = 16 // that matched or were in use before, kept to know their copies
)

// Profile is what a holder's signatures are compared with. It holds the samples
// themselves, because another way of comparing will want them: keep it sealed, open
// it to compare, and wipe it. It does not change: [Profile.Update] makes another.
// Several goroutines may match against one, each with a scratch of its own.
type Profile struct {
	class     string
	spread    Spread
	weak      bool
	anchors   []*Sample // of the enrolment: never replaced
	recent    []entry   // the latest that came in later, oldest first
	past      []*Sample // that went out again, or matched and never came in
	reference *reference
	pastTrace []trace // of past
}

// entry is a sample that came in by an update.
type entry struct {
	sample *Sample
	at     time.Time
}

// Class is the class of the device that the samples are of. Others are not
// compared with it.
func (p *Profile) Class() string { return p.class }

// Algorithm is the name of the way in which the profile is made and compared.
func (p *Profile) Algorithm() string { return Algorithm }

// Weak says that the signature is easily imitated, or varies much.
func (p *Profile) Weak() bool { return p.weak }

// Samples is how many samples the profile compares with.
func (p *Profile) Samples() int { return len(p.anchors) + len(p.recent) }

// Wipe overwrites all of the profile. It cannot be used any more.
func (p *Profile) Wipe() {
	if p == nil {
		return
	}
	for _, s := range p.anchors {
		s.Wipe()
	}
	for _, e := range p.recent {
		e.sample.Wipe()
	}
	for _, s := range p.past {
		s.Wipe()
	}
	for i := range p.pastTrace {
		p.pastTrace[i].wipe()
	}
	p.reference.wipe()
	*p = Profile{}
}

// current are the samples that are compared with.
func (p *Profile) current() []*Sample {
	all := slices.Clone(p.anchors)
	for _, e := range p.recent {
		all = append(all, e.sample)
	}
	return all
}

// tracePast makes the traces of the samples that are not compared with any more.
func (p *Profile) tracePast(sc *Scratch) {
	p.pastTrace = make([]trace, len(p.past))
	for i, s := range p.past {
		sc.trace(&p.pastTrace[i], s)
	}
}

// NewProfile makes a profile of samples as they are, without the questions that an
// [Enrolment] asks: for measuring how good the comparison is. It needs two or more.
func NewProfile(samples []*Sample, pol Policy) (*Profile, error) {
	if len(samples) < 2 {
		return nil, &Error{Kind: NotReady, Msg: "a profile needs two samples or more"}
	}
	p := &Profile{class: samples[0].Device.Class, spread: pol.Spread}
	for _, s := range samples {
		if len(s.Points) > MaxPoints {
			return nil, tooLarge("a sample has %d readings; %d are allowed", len(s.Points), MaxPoints)
		}
		p.anchors = append(p.anchors, s.kept())
	}
	var sc Scratch
	defer sc.Wipe()
	p.reference = sc.refer(p.anchors, &p.spread)
	return p, nil
}
