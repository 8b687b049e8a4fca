package remote

import (
	"sync"
	"time"
)

// An application can ask for what is refused as often as it likes, and the journal is
// kept for ever: of refusals of one kind to one holder, some in an hour are journalled.
// What is left out is counted, and told by the next entry. The vault's journal has every
// wrong factor.
const (
	toldPerHour = 30
	toldTracked = 10_000
)

// repeated are the events that cost who causes them nothing.
var repeated = map[string]bool{"signature.refused": true, "signature.declined": true}

// told counts what was journalled.
type told struct {
	mu   sync.Mutex
	seen map[string]*tally
}

type tally struct {
	since         time.Time
	told, omitted int
}

// tell says whether an event is journalled, and how many like it before were not.
func (t *told) tell(key string, now time.Time) (omitted int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil || len(t.seen) >= toldTracked {
		t.seen = map[string]*tally{}
	}
	e := t.seen[key]
	if e == nil {
		e = &tally{since: now}
		t.seen[key] = e
	}
	if now.Sub(e.since) >= time.Hour {
		e.since, e.told = now, 0
	}
	if e.told >= toldPerHour {
		e.omitted++
		return 0, false
	}
	e.told++
	omitted, e.omitted = e.omitted, 0
	return omitted, true
}
