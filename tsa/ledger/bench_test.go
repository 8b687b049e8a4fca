package ledger

import (
	"fmt"
	"os"
	"path/filepath"
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
			if os.Getenv("RES") != "" {
				_ = systemFile{f}.reserve(256 << 20)
			}
			buf := make([]byte, n*760+batchHead+hashSize)
			at := int64(0)
			before := cpu()
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
