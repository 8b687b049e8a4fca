package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpu is what this process has used of the processors.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFloor is the least a durable record can cost: write and fdatasync of the
// same bytes, so many entries at once, by one caller and nothing else.
func BenchmarkFloor(b *testing.B) {
	for _, n := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("batch%d", n), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "floor"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			e := made("tsu", 1, "acme", "l1")
			buf := bytes.Repeat(appendEntry(nil, &e, 1, 1), n)
			at, before := int64(0), cpu()
			for i := 0; i < b.N; i += n {
				if _, err := f.WriteAt(buf, at); err != nil {
					b.Fatal(err)
				}
				if err := unix.Fdatasync(int(f.Fd())); err != nil {
					b.Fatal(err)
				}
				at += int64(len(buf))
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkAppend records entries of 2,040 bytes by so many callers, on the disk of
// the temporary folder, and in memory, which shows what the ledger itself costs.
func BenchmarkAppend(b *testing.B) {
	for _, place := range []string{"disk", "memory"} {
		for _, callers := range []int{1, 8, 32, 128} {
			b.Run(fmt.Sprintf("%s/c%d", place, callers), func(b *testing.B) {
				dir := b.TempDir()
				if place == "memory" {
					dir = quickDir(b)
				}
				l := openTest(b, filepath.Join(dir, "ledger"), Options{})
				template := made("tsu", 1, "acme", "l1")
				template.GenTime = t0
				b.ReportAllocs()
				b.ResetTimer()
				together(b, callers, func(serial int64) {
					e := template
					e.Serial = serial
					if err := l.Append(context.Background(), e); err != nil {
						b.Error(err)
					}
				})
			})
		}
	}
}

// BenchmarkBusy is BenchmarkAppend by callers who each use a processor for some 40 µs
// before, as a server does that signs.
func BenchmarkBusy(b *testing.B) {
	for _, callers := range []int{8, 32} {
		b.Run(fmt.Sprintf("c%d", callers), func(b *testing.B) {
			l := openTest(b, filepath.Join(b.TempDir(), "ledger"), Options{})
			template := made("tsu", 1, "acme", "l1")
			template.GenTime = t0
			work := make([]byte, 64<<10)
			b.ResetTimer()
			together(b, callers, func(serial int64) {
				e := template
				e.Serial = serial
				sha256.Sum256(work)
				if err := l.Append(context.Background(), e); err != nil {
					b.Error(err)
				}
			})
		})
	}
}

// together runs f b.N times by so many callers and reports the CPU of the process
// per call and the 99th percentile of the latency.
func together(b *testing.B, callers int, f func(i int64)) {
	var next atomic.Int64
	latencies := make([][]time.Duration, callers)
	before := cpu()
	var group sync.WaitGroup
	for c := range callers {
		latencies[c] = make([]time.Duration, 0, b.N/callers*2+100)
		group.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				began := time.Now()
				f(i)
				latencies[c] = append(latencies[c], time.Since(began))
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
	all := slices.Concat(latencies...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-us")
}

// BenchmarkRead is what checking and looking up cost per entry.
func BenchmarkRead(b *testing.B) {
	l := openTest(b, filepath.Join(quickDir(b), "ledger"), Options{})
	const entries = 20_000
	var group sync.WaitGroup
	for c := range int64(64) {
		group.Go(func() {
			for n := c; n < entries; n += 64 {
				e := made("tsu", n+1, "acme", "l1")
				e.GenTime = t0
				put(b, l, e)
			}
		})
	}
	group.Wait()
	for name, f := range map[string]func() error{
		"verify": func() error { _, err := l.Verify(context.Background()); return err },
		"scan": func() error {
			_, err := l.Lookup(context.Background(), Query{Digest: make([]byte, 32)})
			return err
		},
		"csv": func() error { _, err := l.Export(context.Background(), io.Discard, Query{}, CSV); return err },
		"zip": func() error { _, err := l.Export(context.Background(), io.Discard, Query{}, Zip); return err },
	} {
		b.Run(name, func(b *testing.B) {
			before := cpu()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N)/entries, "cpu-ns/entry")
		})
	}
}
