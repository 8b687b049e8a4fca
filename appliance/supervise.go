package appliance

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"sigillo/vault"
)

// loopback says whether addr can be reached from this machine only.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// supervisor keeps the vault's process alive: when it dies it is started
// again, at once the first time and then at growing intervals, so that a crash
// of the token's library costs a moment and not the service. One that lives and does
// not answer is killed.
type supervisor struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu   sync.Mutex
	pid  int
	told func() // guarded by mu; called when a silent vault was killed
}

// vaultCommand starts this same program as `sigillo vault`, under the vault's user if
// it has one. The child leads a process group of its own and dies with its parent.
func vaultCommand(ctx context.Context, exe, dir string, cfg Config, as *account, provision bool) *exec.Cmd {
	args := []string{"vault", "--dir", dir}
	if provision {
		args = append(args, "--provision")
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/nonexistent",
		"TMPDIR=" + Layout{dir}.VaultDir()}, cfg.HSM.Environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	runAs(cmd, as)
	return cmd
}

// startVault runs the vault until stop is called. It returns once the vault
// has said that it is ready, or with its first error.
func startVault(exe, dir string, cfg Config, provision bool, patience time.Duration, log *slog.Logger) (*supervisor, error) {
	as, err := cfg.vaultUser()
	if err == nil {
		err = handOver(Layout{dir}, exe, as)
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &supervisor{cancel: cancel, done: make(chan struct{})}
	first := make(chan error, 1)
	go func() {
		defer close(s.done)
		// The kernel sends the child its death signal when the thread that
		// started it ends, so this thread is kept for as long as it lives.
		runtime.LockOSThread()
		wait := time.Duration(0)
		for n := 0; ctx.Err() == nil; n++ {
			started := time.Now()
			err := s.once(ctx, vaultCommand(ctx, exe, dir, cfg, as, provision), Layout{dir}.Socket(), patience, log, func() { offer(first, nil) })
			if ctx.Err() != nil {
				return
			}
			offer(first, err)
			if n == 0 && time.Since(started) < time.Second {
				log.Error("vault did not start", "err", err)
			}
			if time.Since(started) > time.Minute {
				wait = 0
			}
			log.Error("vault stopped; starting it again", "err", err, "in", wait)
			select {
			case <-time.After(wait):
			case <-ctx.Done():
			}
			wait = min(2*wait+100*time.Millisecond, 10*time.Second)
		}
	}()
	select {
	case err := <-first:
		if err != nil && answers(Layout{dir}.Socket()) {
			log.Warn("another command's vault is running; ours takes over when it ends")
			return s, nil
		}
		if err != nil {
			s.stop()
			return nil, err
		}
		return s, nil
	case <-time.After(60 * time.Second):
		s.stop()
		return nil, errors.New("appliance: the vault did not become ready within a minute")
	}
}

func offer(ch chan error, err error) {
	select {
	case ch <- err:
	default:
	}
}

// once runs the vault's process once. The process says "ready" on its
// standard output when its socket answers; its standard error is our log.
func (s *supervisor) once(ctx context.Context, cmd *exec.Cmd, socket string, patience time.Duration, log *slog.Logger, ready func()) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	last := &lastLine{}
	cmd.Stderr = last
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("appliance: cannot start the vault: %w", err)
	}
	s.setPID(cmd.Process.Pid)
	defer s.setPID(0)
	var watch sync.WaitGroup
	defer watch.Wait()
	alive, ended := context.WithCancel(ctx)
	defer ended()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			log.Info("vault is ready", "pid", cmd.Process.Pid)
			ready()
			watch.Go(func() { s.watch(alive, cmd.Process, socket, patience, log) })
		}
	}
	err = cmd.Wait()
	if text := last.String(); text != "" {
		return fmt.Errorf("appliance: the vault stopped: %s", text)
	}
	return fmt.Errorf("appliance: the vault stopped: %w", err)
}

// watch kills a vault that has become ready and does not answer any more.
func (s *supervisor) watch(ctx context.Context, p *os.Process, socket string, patience time.Duration, log *slog.Logger) {
	c := vault.Dial(socket)
	defer c.Close()
	if !silent(ctx, asking(c), patience) {
		return
	}
	log.Error("the vault lives but does not answer; it is killed and started again", "pid", p.Pid, "after", patience)
	if err := p.Kill(); err != nil {
		log.Error("the vault could not be killed", "pid", p.Pid, "err", err)
	}
	s.mu.Lock()
	told := s.told
	s.mu.Unlock()
	if told != nil {
		told()
	}
}

// onSilent has told called whenever a silent vault was killed.
func (s *supervisor) onSilent(told func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = told
}

func (s *supervisor) setPID(pid int) {
	s.mu.Lock()
	s.pid = pid
	s.mu.Unlock()
}

// PID is the vault's process, 0 while it is down.
func (s *supervisor) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pid
}

func (s *supervisor) stop() {
	s.cancel()
	<-s.done
}

// lastLine passes what the vault logs on to our own standard error and keeps
// the last line, to explain why it stopped.
type lastLine struct {
	mu   sync.Mutex
	text string
}

func (l *lastLine) Write(p []byte) (int, error) {
	os.Stderr.Write(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	text := bytes.TrimRight(p, "\n")
	l.text = string(text[bytes.LastIndexByte(text, '\n')+1:])
	return len(p), nil
}

func (l *lastLine) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}
