package vault

import (
	"fmt"
	"testing"
	"time"

	"sigillo/auth/graphometric"
)

// BenchmarkMatch is a signature of the pen that is compared in the vault: the tablet's
// signature, the decryption, two commits, the template opened with the token, the match,
// and mostly the next version of the profile. What goes before (the operator's presence,
// arming) is left out. BenchmarkMatcher is the match alone.
func BenchmarkMatch(b *testing.B) {
	r := newRig(b)
	c := newCounter(b, r)
	c.enrolCustomer()
	n, matched := 0, 0
	for b.Loop() {
		b.StopTimer()
		n++
		c.tomorrow()
		ds := digests(1)
		a := c.capturedFor(fmt.Sprint("tx-", n), ds, c.write(c.open(fmt.Sprint("tx-", n), ds), c.signature()))
		b.StartTimer()
		if _, err := c.c.Authorise(b.Context(), a); err == nil {
			matched++
		} else if k := KindOf(err); k != Mismatch && k != Unrecognised {
			b.Fatal(err)
		}
	}
	b.ReportMetric(100*float64(matched)/float64(n), "%matched")
}

// BenchmarkMatcher is what the matcher alone takes for the same signatures, without and
// with what it learns from a match.
func BenchmarkMatcher(b *testing.B) {
	c := &counterRig{rig: &rig{t: b}, hand: newHand()}
	e := graphometric.NewEnrolment(graphometric.Standard())
	for i := range 5 {
		e.Add(c.hand.Sign(0, i))
	}
	p, err := e.Profile()
	if err != nil {
		b.Fatal(err)
	}
	sc := graphometric.NewScratch()
	samples := make([]*graphometric.Sample, 32)
	for i := range samples {
		samples[i] = c.signature()
	}
	for name, learn := range map[string]bool{"match": false, "match and update": true} {
		b.Run(name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				s := samples[n%len(samples)]
				n++
				v := p.Match(s, graphometric.Standard(), sc)
				if learn && v.Decision == graphometric.Match {
					p.Update(s, v, time.Time{})
				}
			}
		})
	}
}
