package tsa

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel's word decides: unsynchronised, in a leap second, or with a bound that
// eats the accuracy, there is no time.
func TestSystemClock(t *testing.T) {
	t.Parallel()
	const sec = 1_795_255_200
	for _, c := range []struct {
		name    string
		state   int
		status  int32
		bound   int64 // microseconds
		sub     int64
		failure error
		want    time.Time // zero: no time
	}{
		{"synchronised, microseconds", 0, 0, 1000, 123456, nil, time.Unix(sec, 123456000)},
		{"synchronised, nanoseconds", 0, unix.STA_NANO, 1000, 123456789, nil, time.Unix(sec, 123456789)},
		{"bound just inside", 0, 0, 499_000, 0, nil, time.Unix(sec, 0)},
		{"bound eats the rounding", 0, 0, 499_001, 0, nil, time.Time{}},
		{"bound far off", 0, 0, 16_000_000, 0, nil, time.Time{}},
		{"negative bound", 0, 0, -1, 0, nil, time.Time{}},
		{"leap second announced", unix.TIME_INS, 0, 1000, 0, nil, time.Unix(sec, 0)},
		{"in the leap second", unix.TIME_OOP, 0, 1000, 0, nil, time.Time{}},
		{"not synchronised", 0, unix.STA_UNSYNC, 1000, 0, nil, time.Time{}},
		{"clock error", unix.TIME_ERROR, 0, 1000, 0, nil, time.Time{}},
		{"call fails", 0, 0, 0, 0, errors.New("no such call"), time.Time{}},
	} {
		s := System{Accuracy: 500 * time.Millisecond, adjtimex: func(tx *unix.Timex) (int, error) {
			if tx.Modes != 0 {
				t.Errorf("%s: the clock was to be set", c.name)
			}
			tx.Status, tx.Maxerror, tx.Time.Sec, tx.Time.Usec = c.status, c.bound, sec, c.sub
			return c.state, c.failure
		}}
		got, err := s.Now(context.Background())
		if (err == nil) == c.want.IsZero() || err == nil && !got.Equal(c.want) {
			t.Errorf("%s: got %v, %v", c.name, got, err)
		}
	}
}

// Against the real kernel: either it vouches for a time near the system's, or there
// is none. Which of them depends on the machine; both are checked for sense.
func TestSystemClockReal(t *testing.T) {
	t.Parallel()
	got, err := System{Accuracy: time.Second}.Now(context.Background())
	if err == nil && time.Since(got).Abs() > time.Second {
		t.Fatalf("the kernel's time is %v", got)
	}
	if err != nil && !got.IsZero() {
		t.Fatalf("an unproven time %v leaked beside %v", got, err)
	}
	if _, err := (System{}).Now(context.Background()); err == nil {
		t.Fatal("a clock without an accuracy gave a time")
	}
}
