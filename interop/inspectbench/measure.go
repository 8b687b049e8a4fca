package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"sigillo/formats/inspect"
)

// floor is what no inspection of a format can do without.
type floor int

const (
	hashOnly    floor = iota // SHA-256 of the file, which the service computes as well
	inflateOnly              // and, of a package, inflating its parts
)

var floorTitles = map[floor]string{hashOnly: "SHA-256 of the file", inflateOnly: "inflating its parts (archive/zip)"}

// least is for how long a figure is taken at least: the clock of processor time is
// coarse, and small documents are quick.
const least = 300 * time.Millisecond

// processor is the processor time that this process has had.
func processor() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// repeated gives the processor time of one call of work.
func repeated(work func() error) (time.Duration, error) {
	began, err := processor()
	if err != nil {
		return 0, err
	}
	for n := time.Duration(1); ; n++ {
		if err := work(); err != nil {
			return 0, err
		}
		now, err := processor()
		if took := now - began; err != nil || took >= least {
			return took / n, err
		}
	}
}

func inspectOnce(data []byte, path string) (time.Duration, error) {
	return repeated(func() error {
		report, err := inspect.Inspect(bytes.NewReader(data), int64(len(data)), filepath.Base(path))
		if err == nil && report.Verdict == inspect.Refuse {
			err = fmt.Errorf("it is refused: %+v", report.Findings) // an inspection that ended early says nothing
		}
		return err
	})
}

func floorOnce(f floor, data []byte) (time.Duration, error) {
	return repeated(func() error {
		if f == hashOnly {
			sha256.Sum256(data)
			return nil
		}
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return err
		}
		for _, f := range z.File {
			r, err := f.Open()
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// wait gives the times in milliseconds by which half and 95 of 100 documents are
// inspected, one after the other, by workers that are ready.
func (b *bench) wait(path string) (p50, p95 float64, err error) {
	var all []float64
	for range b.waits {
		time.Sleep(30 * time.Millisecond) // as long as a new worker takes to be ready
		began := time.Now()
		report, err := b.pool.Inspect(context.Background(), path, filepath.Base(path))
		if err != nil {
			return 0, 0, err
		}
		if report.Verdict == inspect.Refuse {
			return 0, 0, fmt.Errorf("the worker refuses it: %+v", report.Findings)
		}
		all = append(all, float64(time.Since(began))/float64(time.Millisecond))
	}
	slices.Sort(all)
	return all[len(all)/2], all[len(all)*95/100], nil
}
