// Package rlimit bounds what a process may take (setrlimit(2)): for those that
// read strangers' documents.
package rlimit

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Set sets both limits of a resource, the soft and the hard one.
func Set(resource int, value uint64) error {
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
		return fmt.Errorf("resource limit %d: %w", resource, err)
	}
	return nil
}

// slack is address space that costs nothing and that a Go program takes beyond what
// it uses, in bytes: arenas it reserves and the stacks of its threads.
const slack = 256 << 20

// Memory is what a process has mapped, in bytes.
type Memory struct{ space, data uint64 }

// Taken is how much address space and how much private writable memory the process
// has now (proc_pid_statm(5), the first and the sixth number). The Go runtime has
// mapped some 110 MB of the latter before it does anything, and hardly uses them: a
// limit on what a program takes is set beyond that.
func Taken() (Memory, error) {
	line, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return Memory{}, fmt.Errorf("memory of the process: %w", err)
	}
	numbers := strings.Fields(string(line))
	if len(numbers) < 6 {
		return Memory{}, errors.New("memory of the process: unknown")
	}
	space, err := bytesOf(numbers[0])
	if err != nil {
		return Memory{}, err
	}
	data, err := bytesOf(numbers[5])
	return Memory{space: space, data: data}, err
}

func bytesOf(pages string) (uint64, error) {
	n, err := strconv.ParseUint(pages, 10, 40)
	if err != nil {
		return 0, fmt.Errorf("memory of the process: %w", err)
	}
	return n * uint64(os.Getpagesize()), nil
}

// Allow lets the process take so many bytes more than m, and ends it beyond. Two
// limits are set, as neither is enough: RLIMIT_DATA is exact, but the kernel does
// not count with it what is mapped over address space that was reserved before,
// as the Go runtime does for its heap (one allocation of any size goes through);
// RLIMIT_AS counts the reserving, with what else is reserved and never used.
func (m Memory) Allow(more uint64) error {
	if err := Set(unix.RLIMIT_DATA, m.data+more); err != nil {
		return err
	}
	return Set(unix.RLIMIT_AS, m.space+more+slack)
}
