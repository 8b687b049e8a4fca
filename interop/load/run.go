package load

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Options say what is asked of whom.
type Options struct {
	Addr    string // host:port of a server that speaks HTTP without TLS
	Path    string // "/tsa"
	Header  string // further lines of the HTTP head, each with CR LF
	Clients int    // connections
	Rate    int    // requests a second of the open loop; 0: closed loop
	Warm    time.Duration
	For     time.Duration // what is measured, after Warm
	PIDs    []int         // processes of the server; with all that descend from them

	Verify  int // each so many-th answer is verified in full; 0: none
	Root    *x509.Certificate
	Serials bool // remember all serial numbers, to say which were given twice

	// Stubborn connects again when a connection breaks, as long as the run takes,
	// and does not count that as an error: for servers that are being killed.
	Stubborn bool
	// End, if set, ends the run early when it is closed; the report is that of the
	// time until then.
	End <-chan struct{}
	// OnAnswer, if set, is given every granted answer. The slices are valid only
	// during the call.
	OnAnswer func(imprint []byte, serial uint64, response []byte)
}

// Report is what was measured, without the time of warming up.
type Report struct {
	Asked, Granted           int
	Errors                   int // refusals, wrong answers, broken connections, requests without answer
	Refused                  int // of them, answers that are refusals
	Broken                   int // of a Stubborn run: connections that broke with a request under way
	FirstError               error
	PerSecond                float64 // granted
	P50, P99, P999, Max      time.Duration
	Late                     time.Duration // 99 % of the open loop's requests were sent this late, at most, while a connection was free
	ServerCPU, OwnCPU        time.Duration // per granted request
	ResidentFrom, ResidentTo int64         // octets, of the server
	Verified                 int           // answers verified in full
	Twice                    int           // serial numbers given more than once
}

// Run puts the load on and measures. It fails when the run could not be made;
// what went wrong with requests is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Clients < 1 || o.For <= 0 {
		return nil, errors.New("load: there must be clients and a time to run")
	}
	l, err := newLoop(o)
	if err != nil {
		return nil, err
	}
	defer l.close()
	// The loop keeps a thread, whose processor time is then that of the client.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if o.Warm > 0 {
		if err := l.run(ctx, o.Warm); err != nil {
			return nil, err
		}
		if l.firstErr != nil && !o.Stubborn {
			return nil, fmt.Errorf("load: while warming up: %w", l.firstErr)
		}
		l.forget()
	}
	before, own := used(o.PIDs), threadTime()
	began := time.Now()
	if err := l.run(ctx, o.For); err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, ownAfter := used(o.PIDs), threadTime()
	r := &Report{
		Asked: l.asked, Granted: l.granted, Errors: l.errors, Refused: l.refused, Broken: l.broken, FirstError: l.firstErr,
		PerSecond: float64(l.granted) / took.Seconds(),
		P50:       l.latency.at(0.5), P99: l.latency.at(0.99), P999: l.latency.at(0.999), Max: l.latency.max, Late: l.late.at(0.99),
		ResidentFrom: before.resident, ResidentTo: after.resident,
	}
	if l.granted > 0 {
		r.ServerCPU = (after.cpu - before.cpu) / time.Duration(l.granted)
		r.OwnCPU = (ownAfter - own) / time.Duration(l.granted)
	}
	r.Twice = twice(l.serials)
	for _, k := range l.kept {
		if err := Verify(k.response, k.imprint, o.Root); err != nil {
			return nil, fmt.Errorf("load: an answer is not good: %w", err)
		}
		r.Verified++
	}
	return r, nil
}

// twice counts the numbers that are there more than once.
func twice(serials []uint64) int {
	slices.Sort(serials)
	return len(serials) - len(slices.Compact(serials))
}

func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

// String is the report on one line.
func (r *Report) String() string {
	const mb = 1 << 20
	s := fmt.Sprintf("%d granted, %.0f/s, p50 %s p99 %s p99.9 %s max %s, processor time per request %s ours",
		r.Granted, r.PerSecond, round(r.P50), round(r.P99), round(r.P999), round(r.Max), round(r.OwnCPU))
	if r.ResidentTo > 0 {
		s += fmt.Sprintf(" and %s the server's, resident %.1f to %.1f MB", round(r.ServerCPU), float64(r.ResidentFrom)/mb, float64(r.ResidentTo)/mb)
	}
	if r.Late > 0 {
		s += fmt.Sprintf(", sent late by %s (p99)", round(r.Late))
	}
	return s + fmt.Sprintf(", %d verified, %d errors, %d broken", r.Verified, r.Errors, r.Broken)
}

func round(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(100 * time.Nanosecond)
	}
	return d.Round(10 * time.Microsecond)
}
