package csc

import (
	"sync"
	"time"
)

// Every time-stamp is kept for twenty years, and none of those that are asked for here is
// paid for: who has a token may have some at once and then one a second.
const (
	stampBurst = 300
	stampEvery = time.Second
	paceMost   = 20_000 // who asks; more share what is left of the last ones
)

// pace bounds how often each of many may have something.
type pace struct {
	mu sync.Mutex
	by map[string]time.Time // until when what each had is paid off

	swept time.Time
}

// take says how long who asks has to wait; 0: not at all, and it is counted.
func (p *pace) take(who string, now time.Time) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.by == nil {
		p.by = map[string]time.Time{}
	}
	if len(p.by) >= paceMost && now.Sub(p.swept) >= stampEvery {
		p.swept = now
		for k, until := range p.by {
			if !now.Before(until) {
				delete(p.by, k)
			}
		}
	}
	if _, known := p.by[who]; !known && len(p.by) >= paceMost {
		who = ""
	}
	until := p.by[who]
	if until.Before(now) {
		until = now
	}
	if wait = until.Add(stampEvery).Sub(now.Add(stampBurst * stampEvery)); wait > 0 {
		return wait
	}
	p.by[who] = until.Add(stampEvery)
	return 0
}
