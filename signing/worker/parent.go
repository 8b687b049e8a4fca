package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"sigillo/formats/inspect"
)

const (
	maxOutput = 1 << 20          // bytes of a report
	wallClock = 10 * time.Second // for one document
)

// A Kind says what sort of failure an Error is.
type Kind string

const (
	Unreadable Kind = "unreadable" // the document could not be opened
	NotStarted Kind = "not-started"
	Crashed    Kind = "crashed"
	TimedOut   Kind = "timed-out"
	Nonsense   Kind = "nonsense" // the worker's answer is not a report
	Cancelled  Kind = "cancelled"
)

// Error is the typed error of this room.
type Error struct {
	Kind Kind
	Msg  string
	Err  error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("inspection: %s: %v", e.Msg, e.Err)
	}
	return "inspection: " + e.Msg
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of err, or "" if it is not of this room.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}

// Inspect inspects the document at path, known to its owner as name, in a
// process of its own made from the executable exe ("" for the running one).
//
// The report is always a usable one. When the worker crashes, takes more than
// ten seconds or talks nonsense it is the refusal "inspect.failed" and the
// error, of this package's type, tells the journal why; callers that only want
// the verdict may ignore the error.
func Inspect(ctx context.Context, exe, path, name string) (inspect.Report, error) {
	if exe == "" {
		own, err := os.Executable()
		if err != nil {
			return failed(&Error{NotStarted, "cannot find the program to run", err})
		}
		exe = own
	}
	document, err := os.Open(path)
	if err != nil {
		return failed(&Error{Unreadable, "the document cannot be opened", err})
	}
	defer document.Close()
	out, err := run(ctx, wallClock, exe, document, name)
	if err != nil {
		return failed(err)
	}
	report, err := decode(out)
	if err != nil {
		return failed(&Error{Nonsense, "the worker's answer is not a report", err})
	}
	return report, nil
}

// run starts the worker, ends its whole process group after the time wall, and
// returns what it wrote.
func run(ctx context.Context, wall time.Duration, exe string, document *os.File, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, wall)
	defer cancel()
	// Pdeathsig is tied to the thread that starts the child, not to the process:
	// that thread must not end before the child does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, exe, Command, argument(name))
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{document}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	stdout := &capped{max: maxOutput}
	stderr := &capped{max: 4 << 10}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, &Error{TimedOut, "the document takes too long to inspect", nil}
	case ctx.Err() != nil:
		return nil, &Error{Cancelled, "given up by the caller", ctx.Err()}
	case err != nil && cmd.ProcessState == nil:
		return nil, &Error{NotStarted, "the worker does not start", err}
	case stdout.over:
		return nil, &Error{Nonsense, "the worker's answer is too long", nil}
	case err != nil:
		first, _, _ := strings.Cut(stderr.String(), "\n")
		return nil, &Error{Crashed, fmt.Sprintf("the worker ended with %v (%q)", err, first), nil}
	}
	return stdout.Bytes(), nil
}

// argument makes a file name fit for a command line.
func argument(name string) string {
	name = strings.ReplaceAll(filepath.Base(name), "\x00", "")
	if len(name) > 255 {
		name = name[len(name)-255:] // the extension is what matters
	}
	return name
}

// decode reads exactly one report, without unknown or missing parts.
func decode(out []byte) (inspect.Report, error) {
	var report inspect.Report
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&report); err != nil {
		return report, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return report, errors.New("something follows the report")
	}
	return report, report.Check()
}

func failed(err error) (inspect.Report, error) {
	return inspect.Failed(string(KindOf(err))), err
}

// capped keeps the first max bytes and fails the writer beyond them, so that a
// talkative worker dies of a broken pipe instead of filling our memory.
type capped struct {
	bytes.Buffer
	max  int
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > c.max {
		c.over = true
		return 0, errors.New("too much output")
	}
	return c.Buffer.Write(p)
}
