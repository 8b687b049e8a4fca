package front

import (
	"sync/atomic"
	"time"
)

// reason is why a request got no stamp, for the count.
type reason int

const (
	nobody reason = iota
	badRequest
	unacceptedHash
	unacceptedPolicy
	notPermitted
	exhausted
	rateLimited
	lockedOut
	timeNotAvailable
	stopped
	unrecordable
	late
	unavailable
	reasons // how many there are
)

var names = [reasons]string{"unknown-caller", "bad-request", "unaccepted-hash", "unaccepted-policy", "not-permitted", "exhausted",
	"rate-limited", "locked-out", "time-not-available", "stopped", "not-recorded", "late", "unavailable"}

// ours are the reasons that an operator has to hear of.
var ours = [reasons]bool{timeNotAvailable: true, stopped: true, unrecordable: true, late: true, unavailable: true}

// limits are the upper bounds of the buckets of the latency.
var limits = [...]time.Duration{500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second}

// meter counts in memory; a restart begins at zero, as Prometheus expects.
type meter struct {
	refused [reasons]atomic.Int64
	buckets [len(limits) + 1]atomic.Int64 // the last: longer than all limits
	took    sum                           // of what was granted
	backend sum
	ledger  sum
}

// sum is a count of durations and their sum.
type sum struct{ n, nanos atomic.Int64 }

func (s *sum) add(d time.Duration) {
	s.n.Add(1)
	s.nanos.Add(int64(d))
}

func (m *meter) refuse(why reason) { m.refused[why].Add(1) }

func (m *meter) grant(took time.Duration) {
	m.took.add(took)
	for i, limit := range limits {
		if took <= limit {
			m.buckets[i].Add(1)
			return
		}
	}
	m.buckets[len(limits)].Add(1)
}
