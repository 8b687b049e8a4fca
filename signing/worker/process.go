package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a worker: started, in its cage, and waiting for the one document that
// it will look at. Document and name come in one message over a socket, which the
// worker has in place of other descriptors.
type process struct {
	cmd    *exec.Cmd
	socket int // our end; -1: the document was handed over
	stdout *capped
	stderr *capped
	ended  chan error // what Wait said; closed after it
}

// start starts a worker. exe "" is the running program.
func start(exe string, args ...string) (*process, error) {
	if exe == "" {
		own, err := os.Executable()
		if err != nil {
			return nil, err
		}
		exe = own
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "worker")
	defer theirs.Close()
	p := &process{socket: pair[0], stdout: &capped{max: maxOutput}, stderr: &capped{max: 4 << 10}, ended: make(chan error, 1)}
	p.cmd = exec.Command(exe, args...)
	p.cmd.Env = []string{"GOMAXPROCS=2"} // each thread maps a stack of 8 MB
	p.cmd.Dir = "/"
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = time.Second
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	started := make(chan error)
	go p.live(started)
	if err := <-started; err != nil {
		unix.Close(p.socket)
		return nil, err
	}
	return p, nil
}

// live starts the program and waits for its end. Pdeathsig is tied to the thread that
// starts the child, not to the process: that thread must not end before the child.
func (p *process) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		p.ended <- p.cmd.Wait()
		close(p.ended)
	}
}

// hand gives the worker its document. An error means that it has seen nothing of it.
func (p *process) hand(document *os.File, name string) error {
	defer func() {
		unix.Close(p.socket)
		p.socket = -1
	}()
	// Without a byte of data no descriptor is sent; the name follows it.
	message := append([]byte{0}, name...)
	return unix.Sendmsg(p.socket, message, unix.UnixRights(int(document.Fd())), nil, unix.MSG_NOSIGNAL)
}

// kill ends the worker and all that it may have started, and waits for it.
func (p *process) kill() {
	if p.socket >= 0 {
		unix.Close(p.socket)
		p.socket = -1
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // fails if it has ended
	<-p.ended
}

// A worker that is at work has its limit of processor time; the wall clock is for one
// that waits for nothing. On a machine with too much to do the two differ: a worker that
// wants a processor and gets none, or little, is given patience times as long.
const patience = 6

// answer waits for what the worker writes, and for its end.
func (p *process) answer(ctx context.Context, wall time.Duration) ([]byte, error) {
	err := p.wait(ctx, wall)
	var own *Error
	if errors.As(err, &own) {
		p.kill()
		return nil, err
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // what it may have left behind
	switch {
	case p.stdout.over:
		return nil, &Error{Nonsense, "the worker's answer is too long", nil}
	case err != nil:
		first, _, _ := strings.Cut(p.stderr.String(), "\n")
		return nil, &Error{Crashed, fmt.Sprintf("the worker ended with %v (%q)", err, first), nil}
	}
	return p.stdout.Bytes(), nil
}

// wait gives what Wait said of the worker, or an error of this package when it has to be
// killed.
func (p *process) wait(ctx context.Context, wall time.Duration) error {
	quiet := wall / 4 // so long without work is waiting for nothing
	ticker := time.NewTicker(max(quiet/2, time.Millisecond))
	defer ticker.Stop()
	began := time.Now()
	worked, at := p.effort(), began
	for {
		select {
		case err := <-p.ended:
			return err
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return &Error{TimedOut, "the document takes too long to inspect", nil}
			}
			return &Error{Cancelled, "given up by the caller", ctx.Err()}
		case <-ticker.C:
			now := time.Now() // the tick may be an old one
			if e := p.effort(); e != worked || e.wants {
				worked, at = e, now
			}
			if spent := now.Sub(began); spent >= wall && (now.Sub(at) >= quiet || spent >= patience*wall) {
				return &Error{TimedOut, "the document takes too long to inspect", nil}
			}
		}
	}
}

// effort is what a process has worked, proc_pid_stat(5).
type effort struct {
	user, system string // processor time, in ticks
	wants        bool   // it could work, but waits for a processor or the disk
}

// effort is zero for a process that cannot be looked at. It wants what any of its threads
// wants: the first one may well wait for another.
func (p *process) effort() (e effort) {
	const state, user, system = 0, 11, 12 // fields 3, 14 and 15
	folder := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	if f := statFields(folder + "stat"); len(f) > system {
		e.user, e.system = f[user], f[system]
	}
	threads, _ := os.ReadDir(folder + "task")
	for _, thread := range threads {
		f := statFields(folder + "task/" + thread.Name() + "/stat")
		e.wants = e.wants || len(f) > 0 && (f[state] == "R" || f[state] == "D")
	}
	return e
}

// statFields are the fields of a stat file after the name, which may have blanks.
func statFields(path string) []string {
	stat, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}
