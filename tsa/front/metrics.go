package front

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"time"

	"sigillo/tsa"
	"sigillo/tsa/clock"
)

// WriteMetrics writes what an operator wants to be woken for, in the Prometheus text
// format 0.0.4: the counts of this process, whether the record takes entries, and
// how the back end says that its clock and its units are. What the back end does not
// tell is left out and not guessed: who watches sigillo_tsa_in_service is told.
// However often it is asked, the back end is asked once in [publicationAge].
func (f *Front) WriteMetrics(w io.Writer) {
	f.meter.write(w)
	gauge(w, "sigillo_tsa_archive_up", "1 while the record takes time-stamps in; 0 when it has stopped and the service must be started again.")
	fmt.Fprintf(w, "sigillo_tsa_archive_up %d\n", bit(f.cfg.Ledger.Err() == nil))
	if f.cfg.Units == nil || f.cfg.Clock == nil {
		return
	}
	p := f.Publication(context.Background()) // it waits for two seconds at most
	gauge(w, "sigillo_tsa_backend_up", "1 when the vault has told how clock and units are.")
	fmt.Fprintf(w, "sigillo_tsa_backend_up %d\n", bit(p.Told))
	serving := false
	for i := range p.Units {
		serving = serving || p.Told && p.Units[i].Current
	}
	gauge(w, "sigillo_tsa_in_service", "1 when a unit is in service.")
	fmt.Fprintf(w, "sigillo_tsa_in_service %d\n", bit(serving))
	if p.Told {
		writeClock(w, &p.Clock)
		writeUnits(w, p.Units, time.Now())
	}
}

func gauge(w io.Writer, name, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

var clockStates = []clock.State{clock.StateOK, clock.StateWarn, clock.StateWaiting, clock.StateStopped}

func writeClock(w io.Writer, c *clock.Status) {
	gauge(w, "sigillo_tsa_clock_state", "1 for the state that the clock is in; no stamps in waiting and stopped.")
	for _, s := range clockStates {
		fmt.Fprintf(w, "sigillo_tsa_clock_state{state=%q} %d\n", s, bit(c.State == s))
	}
	gauge(w, "sigillo_tsa_clock_verified", "0 where nobody vouches for the time.")
	fmt.Fprintf(w, "sigillo_tsa_clock_verified %d\n", bit(c.Verified))
	fmt.Fprintf(w, "# HELP sigillo_tsa_clock_refused_total Times asked for and not given.\n# TYPE sigillo_tsa_clock_refused_total counter\nsigillo_tsa_clock_refused_total %d\n", c.Refused)
	if c.Mode != clock.System {
		return
	}
	gauge(w, "sigillo_tsa_clock_bound_seconds", "How far the clock may be off, at most.")
	fmt.Fprintf(w, "sigillo_tsa_clock_bound_seconds %g\n", c.Bound)
	gauge(w, "sigillo_tsa_clock_budget_seconds", "How far it may be off before no stamp is given.")
	fmt.Fprintf(w, "sigillo_tsa_clock_budget_seconds %g\n", c.Budget)
	gauge(w, "sigillo_tsa_clock_checked_seconds", "How long ago the clock was looked at.")
	fmt.Fprintf(w, "sigillo_tsa_clock_checked_seconds %g\n", c.Looked)
	gauge(w, "sigillo_tsa_clock_source_up", "1 while a source has a measurement that counts.")
	for _, s := range c.Sources {
		fmt.Fprintf(w, "sigillo_tsa_clock_source_up{source=%q} %d\n", s.Name, bit(s.State != "lost"))
	}
	gauge(w, "sigillo_tsa_clock_source_age_seconds", "How old the last good measurement of a source is.")
	for _, s := range c.Sources {
		if s.State != "lost" {
			fmt.Fprintf(w, "sigillo_tsa_clock_source_age_seconds{source=%q} %g\n", s.Name, s.Age)
		}
	}
	gauge(w, "sigillo_tsa_clock_source_offset_seconds", "What a source would add to the clock.")
	for _, s := range c.Sources {
		if s.State != "lost" {
			fmt.Fprintf(w, "sigillo_tsa_clock_source_offset_seconds{source=%q} %g\n", s.Name, s.Offset)
		}
	}
}

var unitStates = []tsa.UnitState{tsa.UnitActive, tsa.UnitWaiting, tsa.UnitStopped, tsa.UnitExpired}

func writeUnits(w io.Writer, units []Unit, now time.Time) {
	gauge(w, "sigillo_tsa_unit_state", "1 for the state that a unit is in; waiting is for its passphrase.")
	for _, u := range units {
		for _, s := range unitStates {
			fmt.Fprintf(w, "sigillo_tsa_unit_state{unit=%q,series=%q,state=%q} %d\n", u.Name, u.Series, s, bit(u.State == s))
		}
	}
	gauge(w, "sigillo_tsa_unit_current", "1 for the unit that stamps next in its series.")
	for _, u := range units {
		fmt.Fprintf(w, "sigillo_tsa_unit_current{unit=%q,series=%q} %d\n", u.Name, u.Series, bit(u.Current))
	}
	gauge(w, "sigillo_tsa_unit_days", "Days to the end of the time in which the unit's key is used, and of its certificate; negative when past.")
	for _, u := range units {
		if !u.To.IsZero() {
			fmt.Fprintf(w, "sigillo_tsa_unit_days{unit=%q,series=%q,end=\"use\"} %.2f\n", u.Name, u.Series, days(u.To.Sub(now)))
		}
		if cert, err := x509.ParseCertificate(u.Certificate); err == nil {
			fmt.Fprintf(w, "sigillo_tsa_unit_days{unit=%q,series=%q,end=\"certificate\"} %.2f\n", u.Name, u.Series, days(cert.NotAfter.Sub(now)))
		}
	}
	fmt.Fprint(w, "# HELP sigillo_tsa_unit_failures_total Signatures of a unit that failed since the vault was started.\n# TYPE sigillo_tsa_unit_failures_total counter\n")
	for _, u := range units {
		fmt.Fprintf(w, "sigillo_tsa_unit_failures_total{unit=%q,series=%q} %d\n", u.Name, u.Series, u.Failures)
	}
}

func days(d time.Duration) float64 { return d.Hours() / 24 }

// write writes the counts.
func (m *meter) write(w io.Writer) {
	fmt.Fprintf(w, "# HELP sigillo_tsa_granted_total Time-stamps that were given out.\n# TYPE sigillo_tsa_granted_total counter\nsigillo_tsa_granted_total %d\n", m.took.n.Load())
	fmt.Fprint(w, "# HELP sigillo_tsa_refused_total Requests that got no time-stamp, by reason.\n# TYPE sigillo_tsa_refused_total counter\n")
	for i, name := range names {
		fmt.Fprintf(w, "sigillo_tsa_refused_total{reason=%q} %d\n", name, m.refused[i].Load())
	}
	fmt.Fprint(w, "# HELP sigillo_tsa_seconds From the request to the answer, of time-stamps that were given out.\n# TYPE sigillo_tsa_seconds histogram\n")
	var n int64
	for i, limit := range limits {
		n += m.buckets[i].Load()
		fmt.Fprintf(w, "sigillo_tsa_seconds_bucket{le=\"%g\"} %d\n", limit.Seconds(), n)
	}
	n += m.buckets[len(limits)].Load()
	fmt.Fprintf(w, "sigillo_tsa_seconds_bucket{le=\"+Inf\"} %d\nsigillo_tsa_seconds_sum %g\nsigillo_tsa_seconds_count %d\n",
		n, time.Duration(m.took.nanos.Load()).Seconds(), n)
	fmt.Fprint(w, "# HELP sigillo_tsa_stage_seconds Time spent waiting for the back end and for the ledger.\n# TYPE sigillo_tsa_stage_seconds summary\n")
	for _, s := range []struct {
		name string
		of   *sum
	}{{"backend", &m.backend}, {"ledger", &m.ledger}} {
		fmt.Fprintf(w, "sigillo_tsa_stage_seconds_sum{stage=%q} %g\nsigillo_tsa_stage_seconds_count{stage=%q} %d\n",
			s.name, time.Duration(s.of.nanos.Load()).Seconds(), s.name, s.of.n.Load())
	}
}
