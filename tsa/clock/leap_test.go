package clock

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// kernelLeap has the fake kernel do what Linux does around midnight, for a second to
// insert (ins) or to leave out.
func kernelLeap(f *fake, midnight int64, ins bool, done *bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.now + f.ahead
	switch {
	case ins && !*done && t >= midnight:
		f.ahead -= 1e9
		*done = true
		f.state = unix.TIME_OOP
	case ins && *done && f.state == unix.TIME_OOP && t >= midnight:
		f.state = unix.TIME_WAIT
	case !ins && !*done && t >= midnight-1e9:
		f.ahead += 1e9
		*done = true
		f.state = unix.TIME_WAIT
	case *done && t >= midnight+20e9:
		f.state = unix.TIME_OK
	}
}

// Over a leap second the times given rise, none has the name of the second that is
// repeated or left out, and stamps go on afterwards, without a stop.
func TestLeapSecond(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for _, c := range []struct {
		name  string
		state int
		none  int64 // seconds before midnight from which no time is given
		want  int   // refusals at 100 a second
	}{
		{"inserted", unix.TIME_INS, 1, 300},
		{"left out", unix.TIME_DEL, 2, 200},
	} {
		for _, every := range []int{100, 700, 100_000} { // rounds: often, seldom, none in time
			b := newBench(t, func(c *Config) { c.MaxAge = 3 * time.Hour })
			b.round()
			b.do(func() { b.state = c.state; b.now = midnight - b.ahead - 30e9 })
			b.round()
			b.wants(t, "announced", StateOK, "")
			var last time.Time
			refused, done, after := 0, false, 0
			for i := range 6000 { // a minute
				b.pass(10 * time.Millisecond)
				kernelLeap(b.fake, midnight, c.state == unix.TIME_INS, &done)
				if i%every == every-1 {
					b.g.round(t.Context())
				}
				got, err := b.g.Now(t.Context())
				switch {
				case err == nil && !got.After(last):
					t.Fatalf("%s: %v after %v", c.name, got, last)
				case err == nil && got.UnixNano() >= midnight-c.none*1e9 && got.UnixNano() < midnight+1e9:
					t.Fatalf("%s: gave %v", c.name, got)
				case err == nil:
					last = got
					if got.UnixNano() > midnight {
						after++
					}
				case KindOf(err) == LeapSecond:
					refused++
				default:
					t.Fatalf("%s, round each %d: %v: %s", c.name, every, err, b.g.Status().Reason)
				}
			}
			if refused < c.want-2 || refused > c.want+2 || after < 2000 {
				t.Fatalf("%s: %d refused, %d after it", c.name, refused, after)
			}
			b.g.round(t.Context())
			b.wants(t, "afterwards", StateOK, "")
			// It explains one move only.
			b.do(func() { b.ahead -= 1e9 })
			b.round()
			b.wants(t, "a second move", StateStopped, CauseStep)
		}
	}
}

// A move of a second is a leap second only when and in the direction announced.
func TestNoLeapSecond(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for _, c := range []struct {
		name     string
		announce int
		at, move int64
		withdraw bool
	}{
		{"not announced", unix.TIME_OK, midnight + 5e9, -1e9, false},
		{"announced, at noon", unix.TIME_INS, midnight - 43200e9, -1e9, false},
		{"announced, the other direction", unix.TIME_INS, midnight + 5e9, 1e9, false},
		{"announced, by two", unix.TIME_INS, midnight + 5e9, -2e9, false},
		{"announced, much later", unix.TIME_INS, midnight + 700e9, -1e9, false},
		{"withdrawn", unix.TIME_INS, midnight + 5e9, -1e9, true},
	} {
		b := newBench(t, func(c *Config) { c.MaxAge = 48 * time.Hour })
		b.round()
		b.do(func() { b.state = c.announce })
		b.round()
		if c.withdraw {
			b.do(func() { b.state = unix.TIME_OK })
			b.round()
		}
		b.do(func() {
			if c.at > midnight {
				b.state = unix.TIME_OK
			}
			b.now = c.at - b.ahead
			b.ahead += c.move
		})
		b.round()
		b.wants(t, c.name, StateStopped, CauseStep)
	}
}

// A gate that starts within the leap second waits for its end.
func TestStartInLeapSecond(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.do(func() { b.state = unix.TIME_OOP })
	b.round()
	b.wants(t, "within", StateWaiting, CauseLeap)
	b.do(func() { b.state = unix.TIME_OK })
	b.round()
	b.wants(t, "over", StateOK, "")
}
