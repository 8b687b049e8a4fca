package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"

	"sigillo/formats/inspect"
	"sigillo/rlimit"
)

// Command is the hidden sub-command whose body is Main.
const Command = "inspect-worker"

// socketFD is where the parent leaves the socket by which the document comes.
const socketFD = 3

// Limits of the child. The Go runtime reserves some 1.6 GB of addresses before
// it has done anything (measured), so address space is a coarse wall; the one
// that counts is on private writable memory (RLIMIT_DATA, which since Linux 4.7
// covers anonymous mappings): what the runtime has mapped at the start and hardly
// uses, some 110 MB, and 256 MB for the inspection. The soft limit makes the
// collector work harder before it.
const (
	memoryLimit = 160 << 20 // bytes, soft
	dataLimit   = 256 << 20 // bytes beyond those of the start, hard: the runtime dies beyond it
	cpuSeconds  = 10
	gcPercent   = 400 // a process of one document has a small heap that grows: four times as seldom as in a service
)

// Exit codes of the child.
const (
	exitDone    = 0 // a report was written
	exitUsage   = 2
	exitSandbox = 3 // the cage could not be closed: nothing was inspected
	exitOutput  = 4
)

// Main is the body of the hidden command, which has no arguments. It returns the
// exit code.
func Main(args []string) int {
	if len(args) != 0 {
		fmt.Fprintln(os.Stderr, "inspect-worker: to be started by sigillo itself only")
		return exitUsage
	}
	if err := confine(); err != nil {
		fmt.Fprintln(os.Stderr, "inspect-worker:", err)
		return exitSandbox
	}
	document, name, err := receive()
	if err != nil || document == nil {
		return exitUsage // nothing comes: the parent has ended, or does not need us
	}
	if err := seal(); err != nil {
		fmt.Fprintln(os.Stderr, "inspect-worker:", err)
		return exitSandbox
	}
	return work(document, name, os.Stdout)
}

// receive waits for the document.
func receive() (document *os.File, name string, err error) {
	message, rights := make([]byte, 1024), make([]byte, unix.CmsgSpace(4))
	n, have, _, _, err := unix.Recvmsg(socketFD, message, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		return nil, "", err
	}
	unix.Close(socketFD)
	controls, err := unix.ParseSocketControlMessage(rights[:have])
	if err != nil || len(controls) != 1 {
		return nil, "", errors.New("no document was sent")
	}
	descriptors, err := unix.ParseUnixRights(&controls[0])
	if err != nil || len(descriptors) != 1 {
		return nil, "", errors.New("no document was sent")
	}
	return os.NewFile(uintptr(descriptors[0]), "document"), string(message[1:n]), nil
}

// work inspects the document and writes the report.
func work(document *os.File, name string, out io.Writer) int {
	info, err := document.Stat()
	if err != nil || !info.Mode().IsRegular() {
		fmt.Fprintln(os.Stderr, "inspect-worker: what was sent is not a document")
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

// confine closes the cage around the whole process, but for the one descriptor that
// is still to come. The order matters: landlock needs a descriptor of its own, and
// after the last step there is room for none but that of standard input, which the
// document takes.
func confine() error {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(gcPercent)
	debug.SetMaxStack(64 << 20)
	debug.SetTraceback("none") // a crash must not print the document
	// The runtime opens two descriptors of its own (epoll) with the first timer, and its
	// collector has one for giving memory back: later there is no room for them, and it dies.
	time.AfterFunc(time.Hour, func() {})
	taken, err := rlimit.Taken()
	if err != nil {
		return err
	}
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
		{unix.RLIMIT_NOFILE, 1},
	}
	for _, l := range limits {
		if err := rlimit.Set(l.resource, l.value); err != nil {
			return err
		}
	}
	if err := taken.Allow(dataLimit); err != nil {
		return err
	}
	return unix.Close(0)
}

// seal takes away the room for new descriptors of any kind, file, socket or pipe;
// those that are open stay.
func seal() error { return rlimit.Set(unix.RLIMIT_NOFILE, 0) }

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
