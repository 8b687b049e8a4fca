package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const childEnv = "SIGILLO_TEST_VAULT"

// child is what a vault in a process of its own is told.
type child struct {
	Config configJSON
	Clock  string // file with the time
	Die    string // step at which to die of SIGKILL, while the file Alive is there
	Alive  string
	TSA    bool // it makes time-stamps
	// Hostile has it try to break out once it serves; what succeeded goes to the file
	// "broken-out" beside its state.
	Hostile *targets
	Module  string        // instead of SoftHSM
	Env     []string      // of the process
	Files   []string      // that it may reach
	Network bool          // that is open to it
	Chronyd string        // that its clock may ask
	Scan    bool          // it looks through its memory when it is asked to
	log     *logged       // where its log goes; nil: to the test's
	Hang    time.Duration // the limit for a call that does not come back
}

// TestMain makes the test binary a vault when it is asked to.
func TestMain(m *testing.M) {
	if s := os.Getenv(childEnv); s != "" {
		if err := childMain(s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func childMain(s string) error {
	var c child
	if err := json.Unmarshal([]byte(s), &c); err != nil {
		return err
	}
	cfg := c.Config.config()
	cfg.hangLimit, cfg.Network = c.Hang, c.Network
	cfg.Confine, cfg.Files = true, append(c.Files, filepath.Dir(c.Clock))
	if c.Module != "" {
		cfg.Module = c.Module
	}
	if c.TSA {
		cfg.TSA = tsaConfig()
		cfg.TSA.Clock.Chrony = c.Chronyd
	}
	cfg.Now = func() time.Time {
		b, err := os.ReadFile(c.Clock)
		if err != nil {
			panic(err)
		}
		t, err := time.Parse(time.RFC3339, string(b))
		if err != nil {
			panic(err)
		}
		return t
	}
	if c.Scan {
		s, err := newScanner(filepath.Dir(c.Clock))
		if err != nil {
			return err
		}
		defer runtime.KeepAlive(s)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return serve(ctx, cfg, func() {
		if c.Hostile != nil {
			c.Hostile.attack(filepath.Join(filepath.Dir(cfg.StateDB), "broken-out"))
		}
	}, func(step string) {
		if step == c.Die && os.Remove(c.Alive) == nil {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
}

// newProcessRig runs the vault as a child that is started again whenever it
// dies, and lets it die once at a step. starts says how often it was started.
func newProcessRig(t *testing.T, die string) (r *rig, starts func() int) {
	t.Helper()
	return startProcessRig(t, child{Die: die}, newClock())
}

func startProcessRig(t *testing.T, c child, now *handClock) (r *rig, starts func() int) {
	t.Helper()
	r = &rig{t: t, clock: now}
	cfg := newConfig(t)
	r.cfg = cfg
	dir := filepath.Dir(cfg.Socket)
	r.clock.file = filepath.Join(dir, "clock")
	r.clock.move(0)
	c.Config = configJSON{cfg.Socket, cfg.StateDB, cfg.Module, cfg.Token, cfg.PINFile, cfg.Node}
	c.Clock, c.Alive = r.clock.file, filepath.Join(dir, "alive")
	env, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		n := 0
		for ctx.Err() == nil {
			n++
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
			cmd.Env = append(os.Environ(), childEnv+"="+string(env))
			cmd.Env = append(cmd.Env, c.Env...)
			cmd.Stderr = testLog{t}
			if c.log != nil {
				cmd.Stderr = io.MultiWriter(cmd.Stderr, c.log)
			}
			if err := cmd.Run(); err != nil && ctx.Err() == nil && err.Error() != "signal: killed" && c.Hang == 0 {
				t.Errorf("the vault ended with %v", err)
				break
			}
		}
		ended <- n
	}()
	n := 0
	starts = func() int {
		cancel()
		if n == 0 {
			n = <-ended
		}
		return n
	}
	t.Cleanup(func() { starts() })
	r.c = Dial(cfg.Socket)
	t.Cleanup(func() { r.c.Close() })
	if err := os.WriteFile(c.Alive, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return r, starts
}

// configJSON is the part of Config that has a JSON and differs between tests.
type configJSON struct {
	Socket, StateDB, Module, Token, PINFile, Node string
}

func (c configJSON) config() Config {
	return Config{Socket: c.Socket, StateDB: c.StateDB, Module: c.Module, Token: c.Token, PINFile: c.PINFile,
		Node: c.Node, Provision: true, Argon: fastArgon}
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// TestKilled: the vault is killed between any two steps; the holder who waits
// gets the answer, and the journal says what happened.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		die     string
		intents int // entries of the journal
		found   int
	}{
		{"authorised", 1, 0},
		{"intent", 2, 1},
		{"signed", 2, 1},
		{"done", 1, 0},
	} {
		t.Run(c.die, func(t *testing.T) {
			t.Parallel()
			r, starts := newProcessRig(t, c.die)
			h := r.newHolder("h", "p256")
			act := h.authorised("tx", 3)
			sigs, err := r.c.Sign(t.Context(), act)
			if err != nil {
				t.Fatal(err)
			}
			h.checkSignatures(act, sigs)
			again, err := r.c.Sign(t.Context(), act)
			if err != nil || string(again[0]) != string(sigs[0]) {
				t.Fatalf("the repetition got another answer: %v", err)
			}
			act.Request = "other"
			_, err = r.c.Sign(t.Context(), act)
			want(t, err, SpentSAD)
			if n := starts(); n != 2 {
				t.Errorf("the vault was started %d times, want 2: it was to die once", n)
			}
			n := r.events()
			if n["signature.authorised"] != 1 || n["signature.intent"] != c.intents || n["signature.done"] != 1 ||
				n["signature.unfinished"] != c.found {
				t.Errorf("journal: %v", n)
			}
		})
	}
}

// TestProcess looks at a vault from outside: what other processes can see of it.
func TestProcess(t *testing.T) {
	t.Parallel()
	r, starts := newProcessRig(t, "")
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	if _, err := r.c.Sign(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(r.cfg.Socket)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	pid := peerPID(t, r.cfg.Socket)
	if st, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid)); err != nil || !strings.Contains(squeeze(string(st)), "Max core file size 0 0") {
		t.Errorf("core files may be written: %v", err)
	}
	// The kernel gives /proc/PID of a process that is not dumpable to root.
	if os.Geteuid() != 0 {
		if _, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid)); err == nil {
			t.Error("the memory of the vault can be opened")
		}
	}
	// No secret in the clear in its files.
	pin, err := os.ReadFile(r.cfg.PINFile)
	if err != nil {
		t.Fatal(err)
	}
	starts()
	if _, err := os.Stat(r.cfg.Socket); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	for _, suffix := range []string{"", "-wal", ".lock"} {
		b, err := os.ReadFile(r.cfg.StateDB + suffix)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for what, s := range map[string]string{"password": goodPassword, "OTP secret": string(h.secret),
			"SAD": act.SAD[:60], "PIN": strings.TrimSpace(string(pin))} {
			if strings.Contains(string(b), s) {
				t.Errorf("the %s is in %s", what, r.cfg.StateDB+suffix)
			}
		}
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

func peerPID(t *testing.T, socket string) int32 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		t.Fatal(err)
	}
	c, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		t.Fatal(err)
	}
	return c.Pid
}
