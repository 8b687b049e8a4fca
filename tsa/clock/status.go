package clock

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// State is what the clock does.
type State string

// The states.
const (
	StateWaiting State = "waiting" // the time is not proven (yet): no stamps; may pass by itself
	StateOK      State = "ok"      // stamps are given
	StateWarn    State = "warn"    // stamps are given; somebody should look
	StateStopped State = "stopped" // latched: no stamps until Lift
)

// Status is what an operator's page and the metrics show. Durations are seconds;
// ages count up to the moment of the call.
type Status struct {
	State    State     `json:"state"`
	Mode     Mode      `json:"mode"`
	Verified bool      `json:"verified"`
	Since    time.Time `json:"since"`            // of the state
	Cause    Cause     `json:"cause,omitempty"`  // empty when ok
	Reason   string    `json:"reason,omitempty"` // with figures, English; see Cause.Text for people
	// Persists is what stands against lifting a stop; empty: it can be lifted.
	Persists string `json:"persists,omitempty"`
	// Unstored is true while the latch could not be written: a stop that a restart
	// would forget. Unjournalled counts the events the journal has not taken.
	Unstored     bool `json:"unstored"`
	Unjournalled int  `json:"unjournalled"`

	Bound    float64    `json:"bound"`              // how far the clock may be off, with the cut to milliseconds
	Budget   float64    `json:"budget"`             // how far it may be: Config.Accuracy
	MaxAge   float64    `json:"maxAge"`             // how old a measurement may be
	Leap     string     `json:"leap"`               // none, insert, delete (announced for the end of the day), now, unknown
	Differ   *float64   `json:"differ,omitempty"`   // between the two sources
	LastTime *time.Time `json:"lastTime,omitempty"` // the latest time given
	Refused  uint64     `json:"refused"`            // times asked for and not given, since the start
	Looked   float64    `json:"looked"`             // ago: the last round
	Kernel   Kernel     `json:"kernel"`
	Sources  []Source   `json:"sources"`
}

// Kernel is what the kernel says of its clock.
type Kernel struct {
	Synchronised bool    `json:"synchronised"`
	MaxError     float64 `json:"maxError"`
	EstError     float64 `json:"estError"`
	TAI          int     `json:"tai"` // TAI-UTC, 0: not told
	Error        string  `json:"error,omitempty"`
}

// Source is one chronyd.
type Source struct {
	Name           string    `json:"name"`    // chrony, second
	Address        string    `json:"address"` // of its command socket
	State          string    `json:"state"`   // good, old, lost
	Error          string    `json:"error,omitempty"`
	Age            float64   `json:"age"`    // of its last measurement of the clock
	Silent         float64   `json:"silent"` // since its last good answer
	Bound          float64   `json:"bound"`  // |offset| + root dispersion + root delay/2, grown while silent
	Offset         float64   `json:"offset"` // what it would add to the clock
	RootDelay      float64   `json:"rootDelay"`
	RootDispersion float64   `json:"rootDispersion"`
	Frequency      float64   `json:"frequency"` // of the machine's oscillator, ppm
	Skew           float64   `json:"skew"`      // of the frequency, ppm
	Stratum        int       `json:"stratum"`
	Server         string    `json:"server,omitempty"` // address it follows; empty: a reference clock
	Leap           string    `json:"leap"`             // none, insert, delete
	Measured       time.Time `json:"measured,omitzero"`
}

// Event is something for the journal.
type Event struct {
	Time time.Time `json:"time"` // of the machine's clock, proven or not
	// Name is clock.ready (stamps begin), clock.ok, clock.warn (stamps go on),
	// clock.waiting (the proof is missing, within Config.Grace), clock.stopped (also
	// at the start, when a stop still stands), clock.lifted, clock.lift.refused.
	Name     string `json:"name"`
	State    State  `json:"state"`
	Cause    Cause  `json:"cause,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Operator string `json:"operator,omitempty"` // of lifted and lift.refused
}

// page is a Status and when it was drawn.
type page struct {
	status Status
	at     int64 // monotonic
}

// Status gives the state. It never waits for a round, the latch or the journal.
func (g *Gate) Status() Status {
	p := g.page.Load()
	s := p.status
	s.Refused = g.refused.Load()
	if last := g.last.Load(); last != 0 {
		t := time.Unix(0, last).UTC()
		s.LastTime = &t
	}
	if g.c.Mode == Unverified {
		return s
	}
	since := seconds(g.sys.mono() - p.at)
	s.Looked += since
	s.Sources = slices.Clone(s.Sources)
	for i := range s.Sources {
		if s.Sources[i].State != "lost" {
			s.Sources[i].Age += since
			s.Sources[i].Silent += since
		}
	}
	return s
}

// publish draws the page. It holds mu.
func (g *Gate) publish(r reading) {
	s := Status{State: g.state, Mode: g.c.Mode, Verified: g.Verified(), Since: g.since, Cause: g.why.cause,
		Reason: g.why.reason, Unstored: g.stop.Set() && !g.stored, Unjournalled: len(g.owed),
		Budget: g.c.Accuracy.Seconds(), MaxAge: g.c.MaxAge.Seconds(), Leap: "unknown", Sources: []Source{}}
	if g.c.Mode == System {
		s.Bound, s.Leap, s.Looked = g.worst(&r), r.leapWord(), seconds(r.after-g.asked)
		s.Kernel = Kernel{Synchronised: r.err == nil && r.state != unix.TIME_ERROR && r.status&unix.STA_UNSYNC == 0,
			MaxError: seconds(r.bound), EstError: seconds(r.estimate), TAI: int(r.tai)}
		if r.err != nil {
			s.Kernel.Error = r.err.Error()
		}
		if g.stop.Set() {
			s.Persists = g.persists
		}
	}
	for i := range g.sources {
		if g.sources[i].address != "" {
			s.Sources = append(s.Sources, g.sources[i].show(r.after, g.c.MaxAge.Seconds()))
		}
	}
	if one, two := g.sources[0].sample, g.sources[1].sample; one != nil && two != nil {
		differ := abs(one.offset - two.offset)
		s.Differ = &differ
	}
	g.page.Store(&page{s, r.after})
}

// show words a source.
func (s *source) show(now int64, maxAge float64) Source {
	w := Source{Name: s.name, Address: s.address, State: "lost", Leap: "none"}
	if s.err != nil {
		w.Error = s.err.Error()
	}
	if s.sample == nil {
		return w
	}
	t := &s.sample.track
	w.Age, w.Silent, w.Bound = s.sample.old(now), seconds(now-s.sample.at), s.sample.bound(now)
	w.Offset, w.RootDelay, w.RootDispersion = t.CurrentCorrection, t.RootDelay, t.RootDispersion
	w.Frequency, w.Skew, w.Stratum, w.Measured = t.FreqPPM, t.SkewPPM, int(t.Stratum), t.RefTime.UTC()
	if t.IPAddr != nil {
		w.Server = t.IPAddr.String()
	}
	w.Leap = [...]string{"none", "insert", "delete"}[t.LeapStatus] // take has looked
	switch {
	case w.Age <= maxAge/2:
		w.State = "good"
	case w.Age <= maxAge:
		w.State = "old"
	}
	return w
}
