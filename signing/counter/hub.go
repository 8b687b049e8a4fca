package counter

import (
	"context"
	"strconv"
	"sync"
	"time"
)

// hub tells those who wait that something has changed at a tablet, and remembers when a
// tablet was heard of. It holds one topic for each tablet that was asked about, so it is
// bounded by their number. Versions begin with the time of the start: one of before is
// never mistaken for one of now.
type hub struct {
	mu     sync.Mutex
	first  int64
	topics map[string]*topic
}

type topic struct {
	version int64
	changed chan struct{} // closed at the next change
	heard   time.Time
	device  Device
	waiting int
}

// maxWaiting is how many wait at one tablet; others are answered at once.
const maxWaiting = 16

func newHub(now time.Time) hub {
	return hub{first: now.UnixMilli(), topics: map[string]*topic{}}
}

// at is the topic of a tablet; h.mu is held.
func (h *hub) at(tablet string) *topic {
	t := h.topics[tablet]
	if t == nil {
		t = &topic{version: h.first, changed: make(chan struct{})}
		h.topics[tablet] = t
	}
	return t
}

// touch says that something has changed.
func (h *hub) touch(tablet string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.at(tablet)
	t.version++
	close(t.changed)
	t.changed = make(chan struct{})
}

func (h *hub) version(tablet string) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at(tablet).version
}

// hear notes that a tablet has asked.
func (h *hub) hear(tablet string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at(tablet).heard = now
}

// report takes what a tablet says of its pen.
func (h *hub) report(tablet string, d Device) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at(tablet).device = d
}

// look gives when a tablet was heard of and what it said.
func (h *hub) look(tablet string) (heard time.Time, d Device) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.at(tablet)
	return t.heard, t.device
}

// wait waits until a tablet's version is another than seen, for at most limit. It ends
// early, without an error, when too many wait.
func (h *hub) wait(ctx context.Context, tablet string, seen int64, limit time.Duration) {
	h.mu.Lock()
	t := h.at(tablet)
	if t.version != seen || t.waiting >= maxWaiting {
		h.mu.Unlock()
		return
	}
	t.waiting++
	changed := t.changed
	h.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
	h.mu.Lock()
	t.waiting--
	h.mu.Unlock()
}

// given are the pages that a tablet was given, by session: what was not given was not shown.
type given struct {
	mu    *sync.Mutex
	pages map[string]map[string]bool
}

func newGiven() given { return given{mu: &sync.Mutex{}, pages: map[string]map[string]bool{}} }

func pageKey(document string, page int) string { return document + " " + strconv.Itoa(page) }

// note remembers a page; there are [MaxPages] in a session at most.
func (g given) note(session, document string, page int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pages[session] == nil {
		g.pages[session] = map[string]bool{}
	}
	g.pages[session][pageKey(document, page)] = true
}

func (g given) has(session, document string, page int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pages[session][pageKey(document, page)]
}

// forget is for a session that has ended.
func (g given) forget(session string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.pages, session)
}

// locks let one at a time change a session.
type locks struct {
	mu   *sync.Mutex
	held map[string]*lock
}

type lock struct {
	turn chan struct{}
	want int
}

func newLocks() locks { return locks{mu: &sync.Mutex{}, held: map[string]*lock{}} }

// take waits for the turn; nil when ctx ends before.
func (l locks) take(ctx context.Context, id string) (release func()) {
	l.mu.Lock()
	k := l.held[id]
	if k == nil {
		k = &lock{turn: make(chan struct{}, 1)}
		l.held[id] = k
	}
	k.want++
	l.mu.Unlock()
	select {
	case k.turn <- struct{}{}:
		return func() { <-k.turn; l.leave(id, k) }
	case <-ctx.Done():
		l.leave(id, k)
		return nil
	}
}

// try takes the turn if nobody has it or waits for it, else nil.
func (l locks) try(id string) (release func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[id] != nil {
		return nil
	}
	k := &lock{turn: make(chan struct{}, 1), want: 1}
	k.turn <- struct{}{}
	l.held[id] = k
	return func() { <-k.turn; l.leave(id, k) }
}

func (l locks) leave(id string, k *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.want--; k.want == 0 {
		delete(l.held, id)
	}
}
