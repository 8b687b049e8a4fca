package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
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
	out      string   // writable folder, thrown away by its owner; "" for none
	profile  []byte   // LibreOffice's settings; nil for none
	memory   int64    // bytes of address space; 0 if the program sees to that itself
	time     time.Duration
	stdout   func(io.Reader) error // reads the output; nil throws it away
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

// enclosure is what one run needs of its cage.
type enclosure struct {
	argv    []string          // words before the program's own
	program string            // its path there
	inside  *strings.Replacer // names of the files as the program sees them
	extra   []*os.File        // descriptors 3 and following
	done    func()
}

// command builds the process of j in the cage of this machine.
func (r *Renderer) command(ctx context.Context, j *job) (*exec.Cmd, func(), error) {
	kind, err := r.chooseCage(ctx)
	if err != nil {
		return nil, nil, err
	}
	document, err := filepath.Abs(j.document)
	if err != nil {
		return nil, nil, &Error{Unreadable, "the document cannot be found", err}
	}
	var e *enclosure
	if kind == bubblewrap {
		e, err = r.bubble(j, document)
	} else {
		e, err = r.folder(kind, j, document)
	}
	if err != nil {
		return nil, nil, err
	}
	argv := append(e.argv, e.program)
	for _, a := range j.args {
		argv = append(argv, e.inside.Replace(a))
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	for _, v := range environment {
		cmd.Env = append(cmd.Env, v[0]+"="+v[1])
	}
	cmd.ExtraFiles = e.extra
	return cmd, e.done, nil
}

// limits are the words that bound a program's resources.
func (r *Renderer) limits(j *job) []string {
	if r.Prlimit == "" {
		return nil
	}
	seconds := strconv.Itoa(int(j.time / time.Second))
	argv := []string{r.Prlimit, "--core=0", "--cpu=" + seconds, "--fsize=" + strconv.Itoa(1<<30), "--nofile=256"}
	if j.memory > 0 {
		argv = append(argv, "--as="+strconv.FormatInt(j.memory, 10))
	}
	return append(argv, "--")
}

// bubble puts j into bubblewrap.
func (r *Renderer) bubble(j *job, document string) (*enclosure, error) {
	e := &enclosure{
		program: j.program,
		inside:  strings.NewReplacer("{document}", "/in/"+j.as, "{out}", "/out", "{profile}", "/tmp/profile"),
		done:    func() {},
	}
	e.argv = append(append(r.limits(j), r.Bwrap), cageArgs()...)
	for _, v := range environment {
		e.argv = append(e.argv, "--setenv", v[0], v[1])
	}
	e.argv = append(e.argv, "--ro-bind", document, "/in/"+j.as)
	if j.program == r.Own {
		e.program = "/own" // which need not lie where the programs of the machine do
		e.argv = append(e.argv, "--ro-bind", r.Own, e.program)
	}
	if j.out != "" {
		e.argv = append(e.argv, "--bind", j.out, "/out")
	}
	if j.profile != nil {
		profile, err := pipeWith(j.profile)
		if err != nil {
			return nil, err
		}
		e.argv = append(e.argv, "--dir", "/tmp/profile", "--dir", "/tmp/profile/user", "--file", "3", "/tmp/profile/user/registrymodifications.xcu")
		e.extra, e.done = []*os.File{profile}, func() { profile.Close() }
	}
	e.argv = append(e.argv, "--")
	return e, nil
}

// folder gives j one folder for all that it writes: that of its output, or one
// of its own. It is the cage without namespaces, or no cage at all, for machines
// where the operator accepts to do without.
func (r *Renderer) folder(kind cageKind, j *job, document string) (*enclosure, error) {
	dir, done, err := workFolder(j)
	if err != nil {
		return nil, &Error{Failed, "no room for temporary files", err}
	}
	link, profile := filepath.Join(dir, j.as), filepath.Join(dir, "profile")
	err = os.Symlink(document, link)
	if err == nil && j.profile != nil {
		if err = os.MkdirAll(filepath.Join(profile, "user"), 0o700); err == nil {
			err = os.WriteFile(filepath.Join(profile, "user", "registrymodifications.xcu"), j.profile, 0o600)
		}
	}
	if err != nil {
		done()
		return nil, &Error{Failed, "no room for temporary files", err}
	}
	e := &enclosure{argv: r.limits(j), program: j.program, done: done}
	if kind == landlocked {
		e.argv = r.Cage(dir, document, j.memory, j.time)
	}
	profile = (&url.URL{Path: profile}).EscapedPath() // it stands in an address
	e.inside = strings.NewReplacer("{document}", link, "{out}", dir, "{profile}", profile)
	return e, nil
}

func workFolder(j *job) (dir string, done func(), err error) {
	if j.out != "" {
		dir, err = filepath.Abs(j.out)
		return dir, func() {}, err
	}
	if dir, err = os.MkdirTemp("", "sigillo-view-"); err != nil {
		return "", nil, err
	}
	done = func() { os.RemoveAll(dir) }
	if dir, err = filepath.Abs(dir); err != nil {
		done()
	}
	return dir, done, err
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error {
		err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	cmd.WaitDelay = 2 * time.Second
	stderr := &firstLine{}
	cmd.Stderr = stderr
	var out io.ReadCloser
	if j.stdout != nil {
		if out, err = cmd.StdoutPipe(); err != nil {
			return &Error{Failed, "no pipe to be had", err}
		}
	}
	err = cmd.Start()
	switch {
	case err != nil && ctx.Err() != nil:
		return &Error{TimedOut, "given up by the caller", ctx.Err()}
	case err != nil:
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
		return &Error{Failed, fmt.Sprintf("the renderer did not manage (%s)", stderr), errors.Join(waitErr, readErr)}
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
