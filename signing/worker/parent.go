package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sigillo/formats/inspect"
)

const (
	maxOutput = 1 << 20          // bytes of a report
	wallClock = 10 * time.Second // for one document; see patience
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
// process of its own made from the executable exe ("" for the running one). Who
// inspects more than one keeps a [Pool].
//
// The report is always a usable one. When the worker crashes, takes more than
// ten seconds (of processor time, or without working) or talks nonsense it is the refusal "inspect.failed" and the
// error, of this package's type, tells the journal why; callers that only want
// the verdict may ignore the error.
func Inspect(ctx context.Context, exe, path, name string) (inspect.Report, error) {
	return inspectBy(ctx, path, name, func() (*process, error) { return start(exe, Command) })
}

// inspectBy has a worker look at a document. One that is found dead before it has
// seen anything of it, as a pool's may be, is replaced once.
func inspectBy(ctx context.Context, path, name string, next func() (*process, error)) (inspect.Report, error) {
	document, err := openRegular(path)
	if err != nil {
		return failed(&Error{Unreadable, "the document cannot be opened", err})
	}
	defer document.Close()
	p, err := next()
	if err == nil && p.hand(document, argument(name)) != nil {
		p.kill()
		if p, err = next(); err == nil {
			err = p.hand(document, argument(name))
		}
	}
	if err != nil {
		if p != nil {
			p.kill()
		}
		return failed(&Error{NotStarted, "the worker does not start", err})
	}
	out, err := p.answer(ctx, wallClock)
	if err != nil {
		return failed(err)
	}
	report, err := decode(out)
	if err != nil {
		return failed(&Error{Nonsense, "the worker's answer is not a report", err})
	}
	return report, nil
}

// openRegular opens a file, and nothing that could keep the opener waiting, as a pipe
// without a writer does.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: errors.New("not a file with content of its own")}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// argument is what of a file's name goes to the worker.
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
