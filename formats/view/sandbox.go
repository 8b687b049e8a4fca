package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// job is one run of an outside program.
type job struct {
	program  string
	args     []string // the document is "{document}", the output folder "{out}"
	document string   // path of the document, the only foreign file in sight
	as       string   // name the document has inside
	out      string   // writable folder; "" for none
	profile  []byte   // LibreOffice's settings; nil for none
	memory   int64    // bytes of address space
	time     time.Duration
	stdout   func(io.Reader) error // reads the output; nil throws it away
}

// checkCage tries once whether bubblewrap can build the cage here.
func (r *Renderer) checkCage(ctx context.Context) error {
	r.cage.Do(func() {
		if r.Bwrap == "" {
			r.cageErr = &Error{NoSandbox, "bubblewrap (bwrap) is not installed; install it, or allow views without a sandbox in the configuration", nil}
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		args := append(cageArgs(), "--", "/usr/bin/true")
		if out, err := exec.CommandContext(ctx, r.Bwrap, args...).CombinedOutput(); err != nil {
			first, _, _ := strings.Cut(string(out), "\n")
			r.cageErr = &Error{NoSandbox, "bubblewrap cannot build its sandbox here; allow unprivileged user namespaces, or allow views without a sandbox in the configuration (" + first + ")", err}
		}
	})
	if r.cageErr != nil && !r.AllowUnsandboxed {
		return r.cageErr
	}
	return nil
}

// cageArgs is the cage common to all programs: nothing but the programs and
// fonts of the machine, read-only.
func cageArgs() []string {
	return []string{
		"--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL",
		"--ro-bind", "/usr", "/usr",
		"--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin",
		"--ro-bind-try", "/etc/fonts", "/etc/fonts",
		"--ro-bind-try", "/var/cache/fontconfig", "/var/cache/fontconfig",
		"--ro-bind-try", "/etc/libreoffice", "/etc/libreoffice",
		"--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache",
		"--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/in",
		"--chdir", "/tmp",
	}
}

// environment of the programs: one locale, one time zone, so that the same
// bytes make the same picture everywhere.
var environment = [][2]string{
	{"PATH", "/usr/bin"}, {"HOME", "/tmp"}, {"LANG", "C.UTF-8"}, {"TZ", "UTC"}, {"SAL_USE_VCLPLUGIN", "svp"},
}

// command builds the process of j, caged if a cage can be had.
func (r *Renderer) command(ctx context.Context, j *job) (*exec.Cmd, func(), error) {
	if err := r.checkCage(ctx); err != nil {
		return nil, nil, err
	}
	document, err := filepath.Abs(j.document)
	if err != nil {
		return nil, nil, &Error{Unreadable, "the document cannot be found", err}
	}
	argv, done := []string(nil), func() {}
	if r.Prlimit != "" {
		seconds := strconv.Itoa(int(j.time / time.Second))
		argv = append(argv, r.Prlimit, "--core=0", "--cpu="+seconds, "--fsize="+strconv.Itoa(1<<30),
			"--as="+strconv.FormatInt(j.memory, 10), "--nofile=256", "--")
	}
	inside := func(s string) string {
		return strings.NewReplacer("{document}", "/in/"+j.as, "{out}", "/out", "{profile}", "/tmp/profile").Replace(s)
	}
	var extra *os.File
	if r.cageErr == nil {
		argv = append(append(argv, r.Bwrap), cageArgs()...)
		for _, e := range environment {
			argv = append(argv, "--setenv", e[0], e[1])
		}
		argv = append(argv, "--ro-bind", document, "/in/"+j.as)
		if j.out != "" {
			argv = append(argv, "--bind", j.out, "/out")
		}
		if j.profile != nil {
			if extra, err = pipeWith(j.profile); err != nil {
				return nil, nil, err
			}
			argv = append(argv, "--dir", "/tmp/profile", "--dir", "/tmp/profile/user", "--file", "3", "/tmp/profile/user/registrymodifications.xcu")
			done = func() { extra.Close() }
		}
		argv = append(argv, "--")
	} else if inside, done, err = uncaged(j, document); err != nil {
		return nil, nil, err
	}
	argv = append(argv, j.program)
	for _, a := range j.args {
		argv = append(argv, inside(a))
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	for _, e := range environment {
		cmd.Env = append(cmd.Env, e[0]+"="+e[1])
	}
	if extra != nil {
		cmd.ExtraFiles = []*os.File{extra}
	}
	return cmd, done, nil
}

// uncaged prepares the same paths in a folder of its own, for machines where
// the operator accepts to do without the cage.
func uncaged(j *job, document string) (func(string) string, func(), error) {
	dir, err := os.MkdirTemp("", "sigillo-view-")
	if err != nil {
		return nil, nil, &Error{Failed, "no room for temporary files", err}
	}
	done := func() { os.RemoveAll(dir) }
	link, profile := filepath.Join(dir, j.as), filepath.Join(dir, "profile")
	err = os.Symlink(document, link)
	if err == nil && j.profile != nil {
		if err = os.MkdirAll(filepath.Join(profile, "user"), 0o700); err == nil {
			err = os.WriteFile(filepath.Join(profile, "user", "registrymodifications.xcu"), j.profile, 0o600)
		}
	}
	if err != nil {
		done()
		return nil, nil, &Error{Failed, "no room for temporary files", err}
	}
	return func(s string) string {
		return strings.NewReplacer("{document}", link, "{out}", j.out, "{profile}", profile).Replace(s)
	}, done, nil
}

// pipeWith returns the reading end of a pipe that holds b, which fits a pipe.
func pipeWith(b []byte) (*os.File, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, &Error{Failed, "no pipe to be had", err}
	}
	_, err = write.Write(b)
	write.Close()
	if err != nil {
		read.Close()
		return nil, &Error{Failed, "no pipe to be had", err}
	}
	return read, nil
}

// run performs j and waits for its end; the whole group dies with the clock.
func (r *Renderer) run(ctx context.Context, j *job) error {
	ctx, cancel := context.WithTimeout(ctx, j.time)
	defer cancel()
	cmd, done, err := r.command(ctx, j)
	if err != nil {
		return err
	}
	defer done()
	// Pdeathsig belongs to the thread that starts the child: keep it alive.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	stderr := &firstLine{}
	cmd.Stderr = stderr
	var out io.ReadCloser
	if j.stdout != nil {
		if out, err = cmd.StdoutPipe(); err != nil {
			return &Error{Failed, "no pipe to be had", err}
		}
	}
	if err := cmd.Start(); err != nil {
		return &Error{Failed, "the renderer does not start", err}
	}
	var readErr error
	if j.stdout != nil {
		if readErr = j.stdout(out); readErr != nil {
			cancel() // nobody reads on: end it
		}
	}
	waitErr := cmd.Wait()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &Error{TimedOut, "the document takes too long to draw", nil}
	case KindOf(readErr) != "":
		return readErr
	case ctx.Err() != nil && readErr == nil:
		return &Error{TimedOut, "given up by the caller", ctx.Err()}
	case waitErr != nil && !errors.Is(waitErr, context.Canceled):
		return &Error{Failed, fmt.Sprintf("the renderer did not manage (%s)", stderr), waitErr}
	case readErr != nil:
		return &Error{Failed, fmt.Sprintf("the renderer's picture cannot be read (%s)", stderr), readErr}
	}
	return nil
}

// firstLine keeps the first line that a program complains with.
type firstLine struct{ b []byte }

func (f *firstLine) Write(p []byte) (int, error) {
	if room := 200 - len(f.b); room > 0 && !bytes.ContainsRune(f.b, '\n') {
		f.b = append(f.b, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

func (f *firstLine) String() string {
	line, _, _ := bytes.Cut(f.b, []byte("\n"))
	return strconv.QuoteToASCII(string(line))
}
