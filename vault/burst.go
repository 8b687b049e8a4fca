package vault

import (
	"log/slog"
	"sync"
	"time"
)

// burstLength is how long refusals are counted after one was logged.
const burstLength = 10 * time.Second

// burst logs that requests were refused for want of room: the first of a burst at once,
// the others as a number when it is over. Whoever sends more than there is room for has
// done nothing that is an error of ours, and must not fill the log.
type burst struct {
	log    *slog.Logger
	length time.Duration

	mu    sync.Mutex
	on    bool
	more  int
	timer *time.Timer
}

// note counts a refusal.
func (b *burst) note(op string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.on {
		b.more++
		return
	}
	b.on = true
	b.log.Warn("a request was refused: too much to do", "op", op, "err", err)
	b.timer = time.AfterFunc(b.length, b.over)
}

// over tells of those that were only counted. While they go on so does the burst.
func (b *burst) over() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.more == 0 {
		b.on = false
		return
	}
	b.log.Warn("requests were refused: too much to do", "requests", b.more, "within", b.length)
	b.more = 0
	b.timer.Reset(b.length)
}

// end tells what is left, when the vault ends.
func (b *burst) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.timer == nil || !b.timer.Stop() {
		return
	}
	if b.more > 0 {
		b.log.Warn("requests were refused: too much to do", "requests", b.more, "within", b.length)
	}
	b.on, b.more = false, 0
}
