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

// Mapped is how much private writable memory the process has, in bytes
// (proc_pid_statm(5), the sixth number), which is what RLIMIT_DATA counts since
// Linux 4.7. The Go runtime has mapped some 110 MB of it before it does anything,
// and hardly uses them: a limit on what a program takes is set beyond that.
func Mapped() (uint64, error) {
	line, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("memory of the process: %w", err)
	}
	numbers := strings.Fields(string(line))
	if len(numbers) < 6 {
		return 0, errors.New("memory of the process: unknown")
	}
	pages, err := strconv.ParseUint(numbers[5], 10, 40)
	if err != nil {
		return 0, fmt.Errorf("memory of the process: %w", err)
	}
	return pages * uint64(os.Getpagesize()), nil
}
