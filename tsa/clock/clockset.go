package clock

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// farAway is when the timer would end by itself: the year 2200.
const farAway = 7_258_118_400

// watchSet gives a channel that hears when somebody sets the machine's clock, and
// nil where the kernel has no such timer: then the next stamp or round finds out.
//
// The timer (timerfd with TFD_TIMER_CANCEL_ON_SET) never ends; the kernel cancels it
// when CLOCK_REALTIME makes a jump, also of a leap second or a resume, and the read
// ends with ECANCELED. It needs no privilege.
func watchSet(ctx context.Context) <-chan struct{} {
	f, err := setTimer()
	if err != nil {
		return nil
	}
	set := make(chan struct{}, 1)
	context.AfterFunc(ctx, func() { f.Close() }) // ends the read
	go func() {
		defer f.Close()
		var ticks [8]byte
		for {
			if _, err := f.Read(ticks[:]); err != nil && !errors.Is(err, unix.ECANCELED) {
				return
			}
			select {
			case set <- struct{}{}:
			default: // one is waiting
			}
		}
	}()
	return set
}

// setTimer makes the timer.
func setTimer() (*os.File, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("timerfd_create", err)
	}
	spec := unix.ItimerSpec{Value: unix.Timespec{Sec: farAway}}
	if err := unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &spec, nil); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("timerfd_settime", err)
	}
	return os.NewFile(uintptr(fd), "timer of a set clock"), nil
}
