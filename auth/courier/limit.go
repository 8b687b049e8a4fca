package courier

import (
	"sync"
	"time"
)

// maxNumbers is how many numbers are remembered; when there are more, those whose
// hour is over are forgotten, and if that helps nothing no message goes out.
const maxNumbers = 10_000

// limits bound how many messages go out, in a minute and in an hour to one number.
// Time is cut into minutes and hours from the first message on; at the border
// between two of them twice as many can go out.
type limits struct {
	minute, hour int

	mu      sync.Mutex
	all     window
	numbers map[string]*window
}

// window counts since a moment.
type window struct {
	since time.Time
	count int
}

// left is the time until the window has room again, 0 when it has.
func (w *window) left(limit int, length time.Duration, now time.Time) time.Duration {
	if age := now.Sub(w.since); age >= length || age < 0 {
		w.since, w.count = now, 0
	}
	if w.count < limit {
		return 0
	}
	return length - now.Sub(w.since)
}

// take counts a message, or gives the time to wait.
func (l *limits) take(to string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.numbers[to]
	if one == nil {
		one = &window{since: now}
	}
	wait = max(l.all.left(l.minute, time.Minute, now), one.left(l.hour, time.Hour, now))
	if wait > 0 {
		return wait
	}
	if l.numbers[to] == nil && !l.keep(to, one, now) {
		return time.Minute
	}
	l.all.count++
	one.count++
	return 0
}

// keep remembers a number, if there is room for it.
func (l *limits) keep(to string, w *window, now time.Time) bool {
	if l.numbers == nil {
		l.numbers = map[string]*window{}
	}
	if len(l.numbers) >= maxNumbers {
		for number, w := range l.numbers {
			if now.Sub(w.since) >= time.Hour {
				delete(l.numbers, number)
			}
		}
	}
	if len(l.numbers) >= maxNumbers {
		return false
	}
	l.numbers[to] = w
	return true
}
