package clock

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// rounding is how much the cut to whole milliseconds may take from genTime.
	rounding = time.Millisecond
	// slack is how far the kernel's clock may be from where the monotonic clock
	// expects it. The kernel slews both together, so nothing but setting the clock
	// moves one against the other, and this only covers a kernel that answers in
	// microseconds and leaves out steps too small to matter.
	slack = time.Millisecond
	// growth is how fast the bound of a silent witness grows: the 500 ppm the kernel
	// itself counts with.
	growth = 500e-6
)

// reading is what one call of adjtimex(2) said, between two readings of the
// monotonic clock. Times are nanoseconds: of Unix time, or since the gate was made.
type reading struct {
	last          int64 // the latest time given before this reading began
	before, after int64 // monotonic
	time          int64 // Unix, UTC
	bound         int64 // maximum error
	estimate      int64 // estimated error
	status        int32
	state         int
	tai           int32
	err           error
}

var timexes = sync.Pool{New: func() any { return new(unix.Timex) }}

// read asks the kernel for time and bound in one call, so that nothing can change
// between them. Modes 0: it only asks and needs no privilege.
func (g *Gate) read() reading {
	r := reading{last: g.last.Load()} // first: every time read below is not before it
	tx := timexes.Get().(*unix.Timex)
	*tx = unix.Timex{}
	r.before = g.sys.mono()
	r.state, r.err = g.sys.adjtimex(tx)
	r.after = g.sys.mono()
	nanos := int64(tx.Time.Usec)
	if tx.Status&unix.STA_NANO == 0 {
		nanos *= 1000
	}
	if r.err == nil && (nanos < 0 || nanos >= 1e9 || tx.Time.Sec <= 0 || tx.Time.Sec > maxUnix) {
		r.err = errNonsense
	}
	r.time = int64(tx.Time.Sec)*1e9 + nanos
	r.bound, r.estimate = micros(int64(tx.Maxerror)), micros(int64(tx.Esterror))
	r.status, r.tai = tx.Status, tx.Tai
	timexes.Put(tx)
	return r
}

// maxUnix keeps nanoseconds since 1970 within an int64.
const maxUnix = 1<<63/1_000_000_000 - 1

// never stands for a bound beyond all use.
const never = int64(time.Hour)

func micros(n int64) int64 {
	if n < 0 || n > never/1000 {
		return never
	}
	return n * 1000
}

// off says whether the reading is elsewhere than a clock that runs at offset before
// the monotonic one. The call lay between two monotonic readings, so however long
// the thread was kept waiting, a clock that was not set fits in between.
func (r *reading) off(offset int64) bool {
	return r.time < r.before+offset-int64(slack) || r.time > r.after+offset+int64(slack)
}

// offset is where the clock is against the monotonic one, as far as one reading can
// tell. A reading is taken at the end of the wait for the kernel's lock.
func (r *reading) offset() int64 { return r.time - r.after }

// judge gives the cause that stands against a stamp at this reading, and "" if there
// is none: what each stamp is asked. A step comes before the state of
// synchronisation, which the kernel drops when its clock is set.
func (r *reading) judge(offset, accuracy int64) Cause {
	switch {
	case r.err != nil:
		return CauseKernelFails
	case r.inLeap():
		return CauseLeap
	case r.off(offset):
		return CauseStep
	case r.time < r.last:
		return CauseBackward
	case r.state == unix.TIME_ERROR || r.status&unix.STA_UNSYNC != 0:
		return CauseUnsynchronised
	case r.bound+int64(rounding) > accuracy:
		return CauseBound
	}
	return ""
}

const day = 24 * 60 * 60

// inLeap says whether a leap second is so near that the name of the second is not
// safe. An inserted second has the kernel count 23:59:59 twice (TIME_OOP the second
// time), a clock that is off by a part of its bound counts it early or late, and
// readers differ about 23:59:60: so no time from 23:59:59 until 00:00:01 is given
// at all, and each second that is ever named was unique. Where a second is left
// out, it is from 23:59:58.
func (r *reading) inLeap() bool {
	inDay := r.time / 1e9 % day
	switch r.state {
	case unix.TIME_INS:
		return inDay >= day-1
	case unix.TIME_DEL:
		return inDay >= day-2
	case unix.TIME_OOP:
		return true
	case unix.TIME_WAIT:
		return inDay < 1
	}
	return false
}

// leap is an announced leap second: by how much the clock will move against the
// monotonic one, and when.
type leap struct {
	move     int64 // 0: none announced
	midnight int64 // nanoseconds of Unix time
}

// leapFor is how long after midnight the move may still be seen for the first time.
const leapFor = int64(10 * time.Minute)

// note takes over what a reading announces or withdraws.
func (l *leap) note(r *reading) {
	midnight := (r.time/(day*1e9) + 1) * day * 1e9
	switch {
	case r.err != nil:
	case r.state == unix.TIME_INS:
		*l = leap{-1e9, midnight}
	case r.state == unix.TIME_DEL:
		*l = leap{1e9, midnight}
	case r.state == unix.TIME_OK && r.time < l.midnight-2e9, r.time > l.midnight+leapFor:
		*l = leap{}
	}
}

// explains says whether the announced leap second, and nothing else, moved the clock
// from offset to where the reading found it.
func (l *leap) explains(r *reading, offset int64) bool {
	return l.move != 0 && r.err == nil && !r.off(offset+l.move) &&
		r.time >= l.midnight-1e9 && r.time <= l.midnight+leapFor
}

// leapWord is the state of the leap second for people.
func (r *reading) leapWord() string {
	switch {
	case r.err != nil || r.state == unix.TIME_ERROR:
		return "unknown"
	case r.inLeap():
		return "now"
	case r.state == unix.TIME_INS:
		return "insert"
	case r.state == unix.TIME_DEL:
		return "delete"
	}
	return "none"
}
