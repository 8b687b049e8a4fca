package signing

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// turns lets a few demanding jobs run at a time, each of which may take hundreds of
// megabytes, and shares the places fairly among holders. A holder has at most half
// of them, and whatever else he wants waits in a line of his own: in the line of all
// stand, of each holder, no more jobs than he may have running. So who brings one
// document waits for a few jobs of each other holder, never for another's hundred.
// The places that a lone holder leaves empty are the next holder's, who finds one
// at once.
type turns struct {
	all   *semaphore.Weighted // serves in the order of arrival
	share int64               // places that one holder may have

	mu   sync.Mutex
	kept map[string]*holderTurns // guarded by mu; of holders with jobs under way or waiting
}

// holderTurns are the places of one holder. They are forgotten when the last of his
// jobs has ended.
type holderTurns struct {
	own  *semaphore.Weighted
	jobs int // guarded by turns.mu; under way or waiting
}

// newTurns gives n places, of which a holder has half, but at least one.
func newTurns(n int) *turns {
	return &turns{all: semaphore.NewWeighted(int64(n)), share: int64(max(1, n/2)), kept: map[string]*holderTurns{}}
}

// take waits for a place for a job of holder, which release gives back; it has to be
// called once. A job that holds a place must not ask for another.
//
// Kind: Busy, when ctx ends first.
func (t *turns) take(ctx context.Context, holder string) (release func(), err error) {
	h := t.enter(holder)
	if err := h.own.Acquire(ctx, 1); err != nil {
		t.leave(holder, h)
		return nil, fail(Busy, "your other documents are still being worked on; wait until they are done, then try again", err)
	}
	if err := t.all.Acquire(ctx, 1); err != nil {
		h.own.Release(1)
		t.leave(holder, h)
		return nil, fail(Busy, "documents of others are being worked on; try again in a minute", err)
	}
	return func() {
		t.all.Release(1)
		h.own.Release(1)
		t.leave(holder, h)
	}, nil
}

func (t *turns) enter(holder string) *holderTurns {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.kept[holder]
	if h == nil {
		h = &holderTurns{own: semaphore.NewWeighted(t.share)}
		t.kept[holder] = h
	}
	h.jobs++
	return h
}

func (t *turns) leave(holder string, h *holderTurns) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h.jobs--; h.jobs == 0 {
		delete(t.kept, holder)
	}
}
