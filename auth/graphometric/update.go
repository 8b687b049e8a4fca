package graphometric

import (
	"slices"
	"time"
)

// How a profile follows its holder.
const (
	perDay     = 1 // samples that enter in one day
	driftLimit = 2 // the distance of the recent samples to those of the enrolment, by that among these
)

// Update makes the profile that follows this one when a signature matched, if it
// is near enough to enter it. Hands change, and a second day says more of a person
// than a second signature of the same day; but each sample that enters moves the
// profile, so that forgeries that just pass would open the door ever wider.
// Therefore: the samples of the enrolment stay for ever; only what is well below
// the threshold enters (Policy.UpdateMargin), one in a day; of those that entered
// the latest few count, and what they replace is kept to know its copies. When the
// recent ones are far from the enrolment together, drift is true: the holder should
// be enrolled again, and somebody should look why.
//
// p stays as it is, so that one can go back to it. next is p where nothing changed.
func (p *Profile) Update(s *Sample, v Verdict, at time.Time) (next *Profile, updated, drift bool) {
	if !v.updatable || p.reference == nil || p.today(at) >= perDay {
		return p, false, p.drift()
	}
	return p.with(s, at, true)
}

// Follow is Update, and remembers also a signature that matched and does not enter: a copy
// of it with small changes is not the hand's, either. changed says that next is to be kept;
// drift is told only when a signature enters. What matched not is not remembered: who forges
// could make a profile forget what matched.
func (p *Profile) Follow(s *Sample, v Verdict, at time.Time) (next *Profile, changed, drift bool) {
	next, changed, drift = p.Update(s, v, at)
	if changed || v.Decision != Match || p.reference == nil {
		return next, changed, drift && changed
	}
	next, _, _ = p.with(s, at, false)
	return next, true, false
}

// Remembering makes a profile that compares as p does, and knows the copies of what a later
// state of it knew: a profile that is put back is not to take for the hand's what matched
// meanwhile, be it that one who forged it sends it again with small changes.
func (p *Profile) Remembering(later *Profile) *Profile {
	n := &Profile{class: p.class, spread: p.spread, weak: p.weak}
	for _, a := range p.anchors {
		n.anchors = append(n.anchors, a.kept())
	}
	for _, e := range p.recent {
		n.recent = append(n.recent, entry{e.sample.kept(), e.at})
	}
	for _, s := range p.past { // what is forgotten first comes first
		n.past = append(n.past, s.kept())
	}
	known := append(p.current(), p.past...)
	add := func(samples []*Sample) {
		for _, s := range samples {
			if !slices.ContainsFunc(known, func(k *Sample) bool { return slices.Equal(k.Points, s.Points) }) {
				n.past = append(n.past, s.kept())
			}
		}
	}
	add(later.past)
	for _, e := range later.recent {
		add([]*Sample{e.sample})
	}
	for len(n.past) > maxPast {
		n.past[0].Wipe()
		n.past = n.past[1:]
	}
	var sc Scratch
	defer sc.Wipe()
	n.reference = sc.refer(n.current(), &n.spread)
	n.tracePast(&sc)
	return n
}

// with makes the profile that knows s, too, and where it enters compares with it.
func (p *Profile) with(s *Sample, at time.Time, enters bool) (next *Profile, changed, drift bool) {
	n := &Profile{class: p.class, spread: p.spread, weak: p.weak}
	for _, a := range p.anchors {
		n.anchors = append(n.anchors, a.kept())
	}
	entries := p.recent[:len(p.recent):len(p.recent)]
	if enters {
		entries = append(entries, entry{s, at.UTC().Truncate(time.Second)})
	}
	for _, e := range entries {
		n.recent = append(n.recent, entry{e.sample.kept(), e.at})
	}
	for _, a := range p.past {
		n.past = append(n.past, a.kept())
	}
	if !enters {
		n.past = append(n.past, s.kept())
	}
	if len(n.recent) > maxRecent {
		n.past = append(n.past, n.recent[0].sample)
		n.recent = n.recent[1:]
	}
	if len(n.past) > maxPast {
		n.past[0].Wipe()
		n.past = n.past[1:]
	}
	var sc Scratch
	defer sc.Wipe()
	n.reference = sc.refer(n.current(), &n.spread)
	n.tracePast(&sc)
	return n, true, n.drift()
}

// today is how many samples entered within a day of at. A clock that went back
// does not open the door.
func (p *Profile) today(at time.Time) int {
	n := 0
	for _, e := range p.recent {
		if d := at.Sub(e.at); d < 24*time.Hour {
			n++
		}
	}
	return n
}

// drift says whether the recent samples are far from those of the enrolment.
func (p *Profile) drift() bool {
	if p.reference == nil || len(p.recent) < 2 {
		return false
	}
	return p.away() > driftLimit
}

// away is the mean distance of the recent samples to those of the enrolment by
// that among these.
func (p *Profile) away() float64 {
	var sc Scratch
	defer sc.Wipe()
	tr, a := p.reference.traces, len(p.anchors)
	var own, other, owns, others float64
	for i := range a {
		for j := range tr {
			switch {
			case j < i:
				own += sc.apart(&tr[i], &tr[j]).whole
				owns++
			case j >= a:
				other += sc.apart(&tr[i], &tr[j]).whole
				others++
			}
		}
	}
	return other / others / max(own/owns, 1e-3)
}
