package clock

import "time"

// State is what the clock does.
type State string

const (
	// The states are explained in the package comment.
	StateWaiting State = "waiting" // the time is not proven (yet): no stamps, may pass by itself
	StateOK      State = "ok"
	StateWarn    State = "warn"    // stamps are given; somebody should look
	StateStopped State = "stopped" // latched: only Lift starts it again
)

// Cause is what made the state; one word for programs, [Cause.Text] for people.
type Cause string

// Status is what the operator's page shows. Durations are seconds.
type Status struct {
	State    State     `json:"state"`
	Mode     Mode      `json:"mode"`
	Verified bool      `json:"verified"`
	Since    time.Time `json:"since"`  // of the state
	Cause    Cause     `json:"cause"`  // "" when ok
	Reason   string    `json:"reason"` // with figures, English
	Bound    float64   `json:"bound"`  // how far the clock may be off
	Budget   float64   `json:"budget"` // how far it may be off: Config.Accuracy
	Leap     string    `json:"leap"`   // none, insert, delete, now, unknown
	Sources  []Source  `json:"sources"`
}

// Source is one chronyd.
type Source struct {
	Name    string  `json:"name"` // chrony, second
	Address string  `json:"address"`
	State   string  `json:"state"` // good, old, lost, disagrees, never
	Bound   float64 `json:"bound"`
	Age     float64 `json:"age"`
}

// Event is something for the journal.
type Event struct {
	Time     time.Time `json:"time"` // of the machine's clock, proven or not
	Name     string    `json:"name"` // clock.ready, clock.warn, clock.ok, clock.waiting, clock.stopped, clock.lifted, clock.lift.refused
	State    State     `json:"state"`
	Cause    Cause     `json:"cause"`
	Reason   string    `json:"reason"`
	Operator string    `json:"operator"` // of lifted, lift.refused
}
