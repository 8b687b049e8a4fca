package courier

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// startChild starts the real process on a configuration.
func startChild(t *testing.T, cfg Config, stderr io.Writer) *Courier {
	return startAs(t, "courier", cfg, stderr)
}

func startAs(t *testing.T, role string, cfg Config, stderr io.Writer) *Courier {
	t.Helper()
	b, err := toml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	name := file(t, string(b))
	c, err := Start(func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], role, name)
		cmd.Stderr = stderr
		return cmd
	}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestProcess(t *testing.T) {
	t.Parallel()
	p := newPost(t, "starttls")
	cfg := p.config(t, "starttls")
	cfg.Prefixes, cfg.PerNumber = []string{"+39"}, 20
	log := &lockedBuffer{}
	c := startChild(t, cfg, log)
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if err := c.Send(t.Context(), number, words); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(p.letters) != 12 {
		t.Errorf("%d letters", len(p.letters))
	}
	if err := c.Send(t.Context(), "+1"+number[1:], words); KindOf(err) != NotAllowed {
		t.Errorf("%v", err)
	}
	if err := c.Send(t.Context(), "12", words); KindOf(err) != BadMessage {
		t.Errorf("%v", err)
	}
	p.refuse = errors550()
	err := c.Send(t.Context(), number, words)
	if KindOf(err) != Refused {
		t.Errorf("%v", err)
	}
	silentAbout(t, err)
	for range 7 { // 13 have been counted, and the limit is that of the process
		_ = c.Send(t.Context(), number, words)
	}
	if err := c.Send(t.Context(), number, words); KindOf(err) != Limited || err.(*Error).RetryAfter <= 0 {
		t.Errorf("%v", err)
	}
	for _, secret := range []string{number[1:], "123456", "codice"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells %q: %s", secret, log)
		}
	}
	if !strings.Contains(log.String(), "outcome=sent") || !strings.Contains(log.String(), "outcome=Refused") {
		t.Errorf("the log does not tell how it went: %s", log)
	}
}

// TestProcessDies: a message under way fails, the next ones go out.
func TestProcessDies(t *testing.T) {
	t.Parallel()
	reached, release := make(chan struct{}, 1), make(chan struct{})
	t.Cleanup(func() { close(release) })
	stuck := server(t, func(_ net.Conn, _ *bufio.Reader) {
		reached <- struct{}{}
		<-release
	})
	cfg := (&post{addr: stuck}).config(t, "none")
	c := startChild(t, cfg, io.Discard)
	for range 2 {
		done := make(chan error, 1)
		go func() { done <- c.Send(t.Context(), number, words) }()
		<-reached
		c.mu.Lock()
		p := c.child
		c.mu.Unlock()
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; KindOf(err) != Unavailable {
			t.Errorf("%v", err)
		}
		waitUntil(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.child != nil && c.child != p
		})
	}
	c.Close()
	if err := c.Send(t.Context(), number, words); KindOf(err) != Unavailable {
		t.Errorf("after the end: %v", err)
	}
}

// TestKept: the one in between starts the sender again, and both end with the pipe.
func TestKept(t *testing.T) {
	t.Parallel()
	p := newPost(t, "none")
	c := startAs(t, "keep", p.config(t, "none"), io.Discard)
	if err := c.Send(t.Context(), number, words); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	keeper := c.child.cmd.Process.Pid
	c.mu.Unlock()
	sender := childOf(t, keeper)
	if err := syscall.Kill(sender, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return c.Send(t.Context(), number, words) == nil })
	if now := childOf(t, keeper); now == sender {
		t.Error("it was not started again")
	} else {
		sender = now
	}
	c.mu.Lock()
	c.child.in.Close() // all that a confined vault can do
	c.mu.Unlock()
	waitUntil(t, func() bool { return syscall.Kill(sender, 0) == syscall.ESRCH })
	c.Close()
}

// childOf is the only child of a process.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	var all []int
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range threads {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range strings.Fields(string(b)) {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
		}
	}
	if len(all) != 1 {
		t.Fatalf("children: %v", all)
	}
	return all[0]
}

// TestProcessBadConfig: the child says why on its error output and ends; the
// vault's side says that there is none.
func TestProcessBadConfig(t *testing.T) {
	t.Parallel()
	log := &lockedBuffer{}
	c := startChild(t, Config{Driver: "pigeon"}, log)
	waitUntil(t, func() bool { return strings.Contains(log.String(), "courier.driver") })
	if err := c.Send(t.Context(), number, words); KindOf(err) != Unavailable {
		t.Errorf("%v", err)
	}
	if _, err := Start(func() *exec.Cmd { return exec.Command("/nowhere/sigillo") }, nil); KindOf(err) != Unavailable {
		t.Errorf("%v", err)
	}
}

// TestProcessLies: outcomes that nobody waits for, and nonsense, harm nobody.
func TestProcessLies(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"nonsense": `printf 'aaaaaaaaaaaaaaaa'; cat >/dev/null`,
		"stranger": `printf '\000\000\000\020{"id":"stranger"}'; cat >/dev/null; exit`,
		"silence":  `exec 1>&-; cat >/dev/null`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := Start(func() *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }, slog.New(slog.NewTextHandler(io.Discard, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := c.Send(ctx, number, words); KindOf(err) != Unavailable {
				t.Errorf("%v", err)
			}
		})
	}
}

func waitUntil(t *testing.T, done func() bool) {
	t.Helper()
	for range 500 {
		if done() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("it does not happen")
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	s := newSink(t, false)
	cfg := s.config(t)
	if err := Run(t.Context(), strings.NewReader(""), io.Discard, cfg); err != nil {
		t.Errorf("the end of the pipe: %v", err)
	}
	for _, bad := range []string{"\x00\x00", "\x00\x00\x00\x00", "\x7f\xff\xff\xff", "\x00\x00\x00\x02{]", "\x00\x00\x00\x02{}", "\x00\x00\x00\x05{}"} {
		if err := Run(t.Context(), strings.NewReader(bad), io.Discard, cfg); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, w := io.Pipe()
	defer w.Close()
	if err := Run(ctx, r, io.Discard, cfg); err == nil {
		t.Error("it goes on after the end")
	}
}
