package worker

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"

	"sigillo/formats/inspect"
)

// Command is the hidden sub-command whose body is Main.
const Command = "inspect-worker"

// documentFD is where the parent leaves the open document.
const documentFD = 3

// Limits of the child. The Go runtime reserves some 1.6 GB of addresses before
// it has done anything (measured), so address space is a coarse wall; the one
// that counts is on private writable memory (RLIMIT_DATA, which since Linux 4.7
// covers anonymous mappings; some 110 MB at the start). The soft limit makes
// the collector work harder before it.
const (
	memoryLimit  = 256 << 20 // bytes, soft
	dataLimit    = 640 << 20 // bytes, hard: the runtime dies beyond it
	addressSpace = 3 << 30   // bytes, hard
	cpuSeconds   = 10
)

// Exit codes of the child.
const (
	exitDone    = 0 // a report was written
	exitUsage   = 2
	exitSandbox = 3 // the cage could not be closed: nothing was inspected
	exitOutput  = 4
)

// Main is the body of the hidden command: args are the arguments after it, of
// which the only one is the document's name. It returns the exit code.
func Main(args []string) int {
	if len(args) != 1 {
		fmt.Fprintln(os.Stderr, "inspect-worker: to be started by sigillo itself only")
		return exitUsage
	}
	if err := confine(); err != nil {
		fmt.Fprintln(os.Stderr, "inspect-worker:", err)
		return exitSandbox
	}
	return work(args[0], os.Stdout)
}

// work inspects descriptor 3 and writes the report.
func work(name string, out io.Writer) int {
	document := os.NewFile(documentFD, "document")
	info, err := document.Stat()
	if err != nil || !info.Mode().IsRegular() {
		fmt.Fprintln(os.Stderr, "inspect-worker: descriptor 3 is not a document")
		return exitUsage
	}
	report, err := inspect.Inspect(document, info.Size(), name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "inspect-worker:", err)
	}
	if err := json.NewEncoder(out).Encode(report); err != nil {
		return exitOutput
	}
	return exitDone
}

// confine closes the cage around the whole process. The order matters: landlock
// needs a descriptor of its own, and after the last step there are none left.
func confine() error {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetMaxStack(64 << 20)
	debug.SetTraceback("none") // a crash must not print the document
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("no core dumps: %w", err)
	}
	if err := restrictAccess(); err != nil {
		return err
	}
	limits := []struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, maxOutput},
		{unix.RLIMIT_CPU, cpuSeconds},
		{unix.RLIMIT_DATA, dataLimit},
		{unix.RLIMIT_AS, addressSpace},
		{unix.RLIMIT_NOFILE, 0}, // open ones stay, no new one of any kind: file, socket or pipe
	}
	for _, l := range limits {
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.value, Max: l.value}); err != nil {
			return fmt.Errorf("resource limit %d: %w", l.resource, err)
		}
	}
	return nil
}

// restrictAccess takes away files, TCP and signals to others with landlock, in
// every thread, and with it the gain of privileges (PR_SET_NO_NEW_PRIVS, which
// landlock demands and the library sets in every thread). A kernel without
// landlock (before 5.13) is not refused: there the missing descriptors alone
// keep the child from files and sockets.
func restrictAccess() error {
	if err := landlock.V5.BestEffort().RestrictPaths(); err != nil {
		return fmt.Errorf("landlock, files: %w", err)
	}
	if err := landlock.V5.BestEffort().RestrictNet(); err != nil {
		return fmt.Errorf("landlock, network: %w", err)
	}
	if err := landlock.V6.BestEffort().RestrictScoped(); err != nil {
		return fmt.Errorf("landlock, signals: %w", err)
	}
	return nil
}
