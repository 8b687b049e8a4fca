package csc

import "sync"

const (
	largeAtOnce = 5 // requests with documents at once
	// largeOfOne is how many of them are of one holder (one in mode A is two): who sends
	// slowly must not keep the others out.
	largeOfOne = 3
)

// places bounds how many large requests are in memory.
type places struct {
	mu    sync.Mutex
	taken int
	of    map[string]int // by holder
}

func (p *places) take(holder string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= largeAtOnce || p.of[holder] >= largeOfOne {
		return false
	}
	if p.of == nil {
		p.of = map[string]int{}
	}
	p.taken++
	p.of[holder]++
	return true
}

func (p *places) drop(holder string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.of[holder]--; p.of[holder] == 0 {
		delete(p.of, holder)
	}
}
