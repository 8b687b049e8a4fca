package clock

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The rig is real: chronyd serving its own clock on loopback, and chronyd clients of
// it, all with -x, which never touches the machine's clock. Only the kernel's answer
// is made up, because a machine whose clock nobody synchronises says TIME_ERROR:
// the time and the monotonic clock are the machine's, "synchronised" is ours.

// rig is a folder in which daemons run.
type rig struct {
	t       *testing.T
	chronyd string
	dir     string
	user    string
}

// findChronyd looks where scripts/setup.sh puts the program, in the PATH, and where
// the package has it, which is not in everybody's PATH.
func findChronyd() string {
	for _, name := range []string{"../../.interop/chrony/chronyd", "chronyd", "/usr/sbin/chronyd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// newRig skips the test where chronyd is missing.
func newRig(t *testing.T) *rig {
	t.Helper()
	chronyd := findChronyd()
	if chronyd == "" {
		t.Skip("chronyd is missing; scripts/setup.sh test gets it")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir: the path of a socket has at most 107 bytes, and chronyd wants
	// its folder to be its user's alone.
	dir, err := os.MkdirTemp("", "clock")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &rig{t, chronyd, dir, me.Username}
}

// daemon is one chronyd.
type daemon struct {
	socket string
	log    bytes.Buffer
	done   chan struct{}
	kill   func()
}

// start runs chronyd until the test ends. -U and -u let root and everybody else run
// it as themselves, without dropping or needing any privilege.
func (r *rig) start(name string, lines ...string) *daemon {
	r.t.Helper()
	dir := filepath.Join(r.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		r.t.Fatal(err)
	}
	d := &daemon{socket: filepath.Join(dir, "cmd.sock"), done: make(chan struct{})}
	conf := filepath.Join(dir, "chrony.conf")
	lines = append(lines, "bindcmdaddress "+d.socket, "pidfile "+filepath.Join(dir, "pid"))
	if err := os.WriteFile(conf, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(r.chronyd, "-x", "-n", "-U", "-u", r.user, "-f", conf)
	cmd.Stdout, cmd.Stderr = &d.log, &d.log
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() { cmd.Wait(); close(d.done) }()
	d.kill = sync.OnceFunc(func() { cmd.Process.Kill(); <-d.done })
	r.t.Cleanup(func() {
		d.kill()
		if r.t.Failed() {
			r.t.Logf("chronyd %s:\n%s", name, &d.log)
		}
	})
	return d
}

// server is a chronyd that serves its own clock at an address of its own, so that
// rigs side by side, and the server that a machine may have, do not meet.
type server struct {
	*daemon
	address, port string
}

func (r *rig) server(name string) server {
	r.t.Helper()
	for range 5 {
		var b [3]byte
		rand.Read(b[:])
		ip := net.IPv4(127, b[0], b[1], 1+b[2]%250)
		probe, err := net.ListenUDP("udp4", &net.UDPAddr{IP: ip})
		if err != nil {
			r.t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(probe.LocalAddr().String())
		probe.Close()
		s := server{address: ip.String(), port: port}
		s.daemon = r.start(name, "bindaddress "+s.address, "port "+port, "cmdport 0", "local stratum 1", "allow 127.0.0.0/8")
		if r.listens(s.daemon) {
			return s
		}
		name += "+" // somebody took the port meanwhile
	}
	r.t.Fatal("no chronyd wants to serve")
	return server{}
}

// listens waits for the command socket of a daemon.
func (r *rig) listens(d *daemon) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		select {
		case <-d.done:
			return false
		default:
		}
		if _, err := os.Stat(d.socket); err == nil {
			return true
		}
	}
	return false
}

// client is a chronyd that follows a server, polling it many times a second.
func (r *rig) client(name string, s server, options ...string) *daemon {
	r.t.Helper()
	d := r.start(name, "server "+s.address+" port "+s.port+" iburst minpoll -5 maxpoll -4 "+strings.Join(options, " "),
		"port 0", "cmdport 0")
	if !r.listens(d) {
		r.t.Fatal("chronyd does not run")
	}
	return d
}

// rigged is a gate on the rig: rounds every 50 ms, the kernel's word made up.
type rigged struct {
	*memory
	*rig
	g *Gate
	c Config
}

func (r *rig) gate(c Config) *rigged {
	r.t.Helper()
	m := &memory{}
	c.Mode, c.Latch, c.OnEvent, c.Every = System, m, m.event, 50*time.Millisecond
	if c.Accuracy == 0 {
		c.Accuracy = 500 * time.Millisecond
	}
	if c.MaxAge == 0 {
		c.MaxAge = time.Minute
	}
	x := &rigged{memory: m, rig: r, c: c}
	x.restart()
	return x
}

// restart makes a new gate with the same latch, and runs it until the test ends.
func (x *rigged) restart() {
	x.t.Helper()
	sys := machine()
	sys.adjtimex = synchronised
	g, err := build(x.t.Context(), x.c, sys)
	if err != nil {
		x.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); g.Run(ctx) }()
	x.t.Cleanup(func() { cancel(); <-done })
	x.g = g
}

// synchronised is the real kernel that says its clock is within a millisecond.
func synchronised(tx *unix.Timex) (int, error) {
	_, err := unix.Adjtimex(tx)
	tx.Status &^= unix.STA_UNSYNC
	tx.Maxerror, tx.Esterror = 1000, 100
	return unix.TIME_OK, err
}

// reaches waits for a state, and gives the way there.
func (x *rigged) reaches(state State, cause Cause) Status {
	x.t.Helper()
	end := time.Now().Add(15 * time.Second)
	var s Status
	for time.Now().Before(end) {
		if s = x.g.Status(); s.State == state && s.Cause == cause {
			return s
		}
		if s.State == StateStopped && state != StateStopped {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	x.t.Fatalf("%s (%s: %s), want %s (%s); sources %+v", s.State, s.Cause, s.Reason, state, cause, s.Sources)
	return s
}

func (x *rigged) stamps(k Kind) {
	x.t.Helper()
	got, err := x.g.Now(context.Background())
	if KindOf(err) != k || err == nil && time.Since(got).Abs() > 100*time.Millisecond {
		x.t.Fatalf("a stamp got %v, %v; want %q", got, err, k)
	}
}

// Two good clients of two servers: ok, with small bounds, and a stamp has a time.
func TestRigGood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.server("s1"), r.server("s2")
	x := r.gate(Config{Chrony: r.client("c1", one).socket, Second: r.client("c2", two).socket})
	x.reaches(StateOK, "")
	x.stamps("")
	s := x.g.Status()
	for i, want := range []server{one, two} {
		if got := s.Sources[i]; got.State != "good" || got.Bound <= 0 || got.Bound > 0.1 || got.Server != want.address || got.Stratum != 2 {
			t.Fatalf("%+v", got)
		}
	}
	if s.Differ == nil || *s.Differ > 0.05 || !s.Verified {
		t.Fatalf("%+v", s)
	}
	if left, err := filepath.Glob(filepath.Join(r.dir, "c1", "sigillo.*")); err != nil || len(left) > 1 {
		t.Fatalf("%d sockets are left over: %v", len(left), err) // one may be in use
	}
	t.Logf("bounds %.6f s and %.6f s, %.6f s apart", s.Sources[0].Bound, s.Sources[1].Bound, *s.Differ)
}

// The chronyd that serves its own clock vouches for nothing.
func TestRigLocal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.gate(Config{Chrony: r.server("s").socket})
	s := x.reaches(StateWaiting, CauseSourceLost)
	if !strings.Contains(s.Reason, `"local"`) && !strings.Contains(s.Reason, "not synchronised") {
		t.Fatal(s.Reason)
	}
	x.stamps(Waiting)
}

// Over its command port on loopback chronyd answers too.
func TestRigUDP(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.server("s")
	for i := range 5 {
		probe, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		port := probe.LocalAddr().(*net.UDPAddr).Port
		probe.Close()
		d := r.start(fmt.Sprint("c", i), "server "+s.address+" port "+s.port+" iburst minpoll -5 maxpoll -4",
			"port 0", fmt.Sprint("cmdport ", port))
		if !r.listens(d) {
			continue
		}
		x := r.gate(Config{Chrony: fmt.Sprint("127.0.0.1:", port)})
		x.reaches(StateOK, "")
		x.stamps("")
		return
	}
	t.Fatal("no free port")
}

// The clock is two seconds off by the word of its servers: at the start it is waited
// for, later it stops at once, until it is right again and an operator lifts it.
func TestRigOffset(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.server("s")
	off := r.client("off", s, "offset 2.0")
	x := r.gate(Config{Chrony: off.socket})
	x.reaches(StateWaiting, CauseSourceBound)
	x.stamps(Waiting)
	if x.memory.stop.Set() {
		t.Fatal("latched what was never right")
	}

	good := r.client("good", s)
	x = r.gate(Config{Chrony: filepath.Join(r.dir, "which")})
	x.point("which", good)
	x.reaches(StateOK, "")
	x.stamps("")
	x.point("which", off)
	st := x.reaches(StateStopped, CauseSourceBound)
	x.stamps(Stopped)
	if st.Bound < 1.9 || st.Bound > 2.1 || !x.memory.stop.Set() {
		t.Fatalf("%+v; latch %+v", st, x.memory.stop)
	}
	x.restart()
	x.stamps(Stopped)
	if err := x.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != StillWrong {
		t.Fatalf("lifted two seconds off: %v", err)
	}
	x.point("which", good)
	x.lifts()
	x.stamps("")
	if got := x.names(); !slices.Contains(got, "clock.lifted") || !slices.Contains(got, "clock.lift.refused") || got[len(got)-1] != "clock.ready" {
		t.Fatalf("the journal has %v", got)
	}
}

// point lets a name in the rig's folder mean the socket of another chronyd.
func (r *rig) point(name string, d *daemon) {
	r.t.Helper()
	tmp := filepath.Join(r.dir, name+".new")
	if err := os.Symlink(d.socket, tmp); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
}

// lifts waits until the stop can be lifted, checks that it is not lifted by itself,
// and lifts it.
func (x *rigged) lifts() {
	x.t.Helper()
	end := time.Now().Add(15 * time.Second)
	for x.g.Status().Persists != "" {
		if time.Now().After(end) {
			x.t.Fatalf("it cannot be lifted: %s", x.g.Status().Persists)
		}
		time.Sleep(5 * time.Millisecond)
	}
	x.stamps(Stopped)
	if err := x.g.Lift(x.t.Context(), "A. Rossi"); err != nil {
		x.t.Fatal(err)
	}
	x.reaches(StateOK, "")
}

// The servers vanish: the measurement ages, is warned of, and then is too old. They
// come back: an operator is needed all the same, after a restart too.
func TestRigVanished(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.server("s")
	c := r.client("c", s)
	x := r.gate(Config{Chrony: c.socket, MaxAge: 2 * time.Second})
	x.reaches(StateOK, "")
	s.kill()
	old := x.reaches(StateWarn, CauseSourceOld)
	x.stamps("")
	x.reaches(StateStopped, CauseSourceLost)
	x.stamps(Stopped)
	t.Logf("bound when old: %.6f s", old.Sources[0].Bound)
	x.memory.mu.Lock()
	events := slices.Clone(x.events)
	x.memory.mu.Unlock()
	if n := len(events); n < 3 || events[0].Name != "clock.ready" || events[n-2].Cause != CauseSourceOld || events[n-1].Name != "clock.stopped" {
		t.Fatalf("the journal has %+v", events)
	}
	x.restart()
	x.stamps(Stopped)
	if err := x.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != StillWrong {
		t.Fatalf("lifted without a source: %v", err)
	}
	r.start("again", "bindaddress "+s.address, "port "+s.port, "cmdport 0", "local stratum 1", "allow 127.0.0.0/8")
	x.lifts()
	x.stamps("")
}

// chronyd itself dies: it is the same, and a second one keeps nothing going.
func TestRigDied(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.server("s1"), r.server("s2")
	c1, c2 := r.client("c1", one), r.client("c2", two)
	x := r.gate(Config{Chrony: c1.socket, Second: c2.socket, MaxAge: 2 * time.Second})
	x.reaches(StateOK, "")
	c2.kill()
	x.reaches(StateWarn, CauseSecondLost)
	x.stamps("")
	c1.kill()
	x.reaches(StateStopped, CauseSourceLost)
	x.stamps(Stopped)
}

// The second source says two seconds: it stops. It says a tenth: that is a warning.
func TestRigDisagree(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.server("s1"), r.server("s2")
	c1, good := r.client("c1", one), r.client("c2", two)
	tenth, off := r.client("c3", two, "offset 0.1"), r.client("c4", two, "offset 2.0")
	x := r.gate(Config{Chrony: c1.socket, Second: filepath.Join(r.dir, "which")})
	x.point("which", good)
	x.reaches(StateOK, "")
	x.point("which", tenth)
	x.reaches(StateWarn, CauseDiffer)
	x.stamps("")
	x.point("which", off)
	x.reaches(StateStopped, CauseDisagree)
	x.stamps(Stopped)
	if err := x.g.Lift(t.Context(), "A. Rossi"); KindOf(err) != StillWrong {
		t.Fatalf("lifted while they disagree: %v", err)
	}
	x.point("which", good)
	x.lifts()
}
