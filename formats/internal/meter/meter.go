// Package meter measures what the benchmarks of the formats tell: what a piece of
// work costs beside the least that it could cost, its floor, and how much memory
// it takes.
//
// Machines are shared, and a benchmark that reads the clock measures its
// neighbours too. So here work is paid in processor time, that of the whole
// process, with the collection of its garbage; and work and floor take turns
// that are short, so that what slows the processor down slows both.
package meter

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Figure prints one line of the table that make bench prints:
// figure, ours, unit, compared with, theirs, ratio.
func Figure(name string, ours float64, unit, with string, theirs float64) {
	fmt.Printf("%s\t%.4g\t%s\t%s\t%.4g\t%.3f\n", name, ours, unit, with, theirs, ours/theirs)
}

// turn is the least processor time of a turn.
const turn = 30 * time.Millisecond

// Turns runs work and floor in turns for as long as the benchmark lasts, and
// gives the processor time that one run of each costs: the medians of the turns.
func Turns(b *testing.B, work, floor func()) (worked, floored time.Duration) {
	b.Helper()
	var w, f []time.Duration
	works, floors := fill(b, work), fill(b, floor)
	for b.Loop() {
		w = append(w, cost(b, work, works))
		f = append(f, cost(b, floor, floors))
	}
	worked, floored = median(w), median(f)
	b.ReportMetric(float64(worked), "cpu-ns/work")
	b.ReportMetric(float64(floored), "cpu-ns/floor")
	b.ReportMetric(float64(worked)/float64(floored), "x-floor")
	return worked, floored
}

// fill finds how many runs fill a turn.
func fill(b *testing.B, f func()) int {
	for n := 1; ; n *= 2 {
		if time.Duration(n)*cost(b, f, n) >= turn {
			return n
		}
	}
}

// cost is the processor time of one of n runs.
func cost(b *testing.B, f func(), n int) time.Duration {
	start := used(b)
	for range n {
		f()
	}
	return (used(b) - start) / time.Duration(n)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// used is the processor time that this process has used.
func used(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// PeakRSS gives how much the process's resident memory grew at most while f ran,
// and what it was before, in octets; -1 where the kernel does not tell.
func PeakRSS(f func()) (grew, idle int64) {
	debug.FreeOSMemory()
	if os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) != nil {
		f()
		return -1, -1
	}
	idle = status("VmRSS")
	f()
	return status("VmHWM") - idle, idle
}

// status reads a field of /proc/self/status that is a size.
func status(field string) int64 {
	b, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(b)) {
		var kib int64
		if name, rest, _ := strings.Cut(line, ":"); name == field {
			if _, err := fmt.Sscan(rest, &kib); err == nil {
				return kib << 10
			}
		}
	}
	return -1
}
