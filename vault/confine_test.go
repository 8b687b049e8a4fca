package vault

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sigillo/hsm"
)

// targets are what a vault that was taken over would like to reach.
type targets struct {
	File, Dir      string // of the service
	TCP, UDP, Unix string // addresses where somebody listens
	PID            int    // of the service
	Chronyd        string // a socket that the clock may ask
	report         []string
}

func (g *targets) try(what string, err error) {
	if err == nil {
		g.report = append(g.report, what)
	}
}

// attack tries everything and writes down what succeeded. What begins with "good"
// must succeed: the rest of the test would prove nothing in a process that can do
// nothing at all.
func (g *targets) attack(report string) {
	g.files(filepath.Dir(report))
	g.network()
	g.calls()
	done := make(chan struct{})
	go func() { // the filter is on threads that begin later, too
		defer close(done)
		g.try("a program, from another thread", exec.Command("/bin/true").Run())
	}()
	<-done
	os.WriteFile(report+".new", []byte(strings.Join(g.report, "\n")), 0o600)
	os.Rename(report+".new", report)
}

func (g *targets) files(own string) {
	read := func(path string) error { _, err := os.ReadFile(path); return err }
	list := func(path string) error { _, err := os.ReadDir(path); return err }
	create := func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }
	g.try("good: the own state", create(filepath.Join(own, "x")))
	g.try("good: removing it", os.Remove(filepath.Join(own, "x")))
	g.try("good: random bytes", func() error {
		f, err := os.Open("/dev/urandom")
		if err == nil {
			f.Close()
		}
		return err
	}())
	for _, path := range []string{"/etc/shadow", "/etc/passwd", g.File, "/proc/self/maps", fmt.Sprintf("/proc/%d/environ", g.PID), "/usr/bin/env"} {
		g.try("read "+path, read(path))
	}
	for _, path := range []string{"/", "/etc", "/home", "/tmp", "/proc", g.Dir} {
		g.try("list "+path, list(path))
	}
	g.try("change the service's file", create(g.File))
	g.try("create beside it", create(filepath.Join(g.Dir, "y")))
	g.try("link it here", os.Link(g.File, filepath.Join(own, "z")))
	g.try("truncate it", os.Truncate(g.File, 0))
	g.try("move it here", os.Rename(g.File, filepath.Join(own, "z")))
	g.try("remove it", os.Remove(g.File))
	g.try("create in /tmp", create(filepath.Join(filepath.Dir(g.Dir), "escape")))
	g.try("write a library", func() error {
		f, err := os.OpenFile("/usr/lib/os-release", os.O_WRONLY, 0)
		if err == nil {
			f.Close()
		}
		return err
	}())
	// Landlock does not look at these.
	g.try("let everybody write the service's file", os.Chmod(g.File, 0o666))
	g.try("have everybody run it as its owner", unix.Chmod(g.File, 0o4755))
	g.try("give it away", os.Lchown(g.File, 1, 1))
	g.try("change its time", os.Chtimes(g.File, time.Unix(1, 0), time.Unix(1, 0)))
	g.try("note something at it", unix.Setxattr(g.File, "user.x", []byte("x"), 0))
	g.try("let everybody write the folder", unix.Fchmodat(unix.AT_FDCWD, g.Dir, 0o777, 0))
	if f, err := os.Create(filepath.Join(own, "x")); err == nil { // as good as one that it may only read
		g.try("have everybody run an open file as its owner", f.Chmod(0o700|os.ModeSetuid))
		g.try("let everybody write an open file", f.Chmod(0o666))
		f.Close()
		os.Remove(f.Name())
	}
	g.try("a symbolic link", os.Symlink("/etc", filepath.Join(own, "z")))
	g.try("a device", unix.Mknod(filepath.Join(own, "z"), unix.S_IFCHR|0o600, 0x0101))
	g.try("a fifo", unix.Mkfifo(filepath.Join(own, "z"), 0o600))
}

// askChronyd asks as package clock does: from a socket beside chronyd's.
func (g *targets) askChronyd() error {
	own := filepath.Join(filepath.Dir(g.Chronyd), "own")
	conn, err := net.DialUnix("unixgram", &net.UnixAddr{Name: own, Net: "unixgram"}, &net.UnixAddr{Name: g.Chronyd, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer os.Remove(own)
	defer conn.Close()
	if err := os.Chmod(own, 0o666); err != nil {
		return err
	}
	_, err = conn.Write([]byte("x"))
	return err
}

func (g *targets) network() {
	if g.Chronyd != "" {
		g.try("good: chronyd", g.askChronyd())
	}
	for network, address := range map[string]string{"tcp": g.TCP, "udp": g.UDP, "unix": g.Unix} {
		conn, err := net.Dial(network, address)
		if err == nil {
			conn.Close()
		}
		g.try("connect by "+network, err)
	}
	_, err := net.Listen("tcp", "127.0.0.1:0")
	g.try("listen by TCP", err)
	for _, family := range []int{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK, unix.AF_PACKET, unix.AF_VSOCK, unix.AF_ALG} {
		for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_SEQPACKET} {
			_, err := unix.Socket(family, kind, 0)
			g.try(fmt.Sprintf("socket %d %d", family, kind), err)
		}
	}
}

func (g *targets) calls() {
	g.try("a program", exec.Command("/bin/true").Run())
	// The filter answers before the kernel looks at arguments: these make no sense,
	// so that nothing happens to the machine should the filter be missing.
	for what, number := range map[string]uintptr{
		"execve": unix.SYS_EXECVE, "execveat": unix.SYS_EXECVEAT, "io_uring": unix.SYS_IO_URING_SETUP, "a file in memory": unix.SYS_MEMFD_CREATE,
		"events": unix.SYS_PERF_EVENT_OPEN, "programs in the kernel": unix.SYS_BPF, "a mount": unix.SYS_MOUNT, "no mount": unix.SYS_UMOUNT2,
		"another root": unix.SYS_CHROOT, "the clock": unix.SYS_CLOCK_SETTIME, "the host's name": unix.SYS_SETHOSTNAME, "a module": unix.SYS_INIT_MODULE,
		"a queue": unix.SYS_MQ_OPEN, "a handle": unix.SYS_OPEN_BY_HANDLE_AT, "a namespace": unix.SYS_SETNS, "groups": unix.SYS_SETGROUPS,
		"capabilities": unix.SYS_CAPSET, "another program's memory": unix.SYS_PROCESS_VM_WRITEV, "swap": unix.SYS_SWAPON,
		"a key": unix.SYS_ADD_KEY, "another filter": unix.SYS_SECCOMP,
	} {
		const bad = ^uintptr(0)
		if _, _, errno := unix.Syscall6(number, bad, bad, bad, bad, bad, bad); errno != unix.EPERM {
			g.report = append(g.report, fmt.Sprintf("%s: %v", what, errno))
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_CLONE, unix.CLONE_SIGHAND, 0, 0); errno != unix.EPERM { // EINVAL without the filter
		g.report = append(g.report, "another process")
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0); errno != unix.ENOSYS {
		g.report = append(g.report, "another process, the new way")
	}
	var here [8]byte
	local := unix.Iovec{Base: &here[0]}
	local.SetLen(8)
	_, err := unix.ProcessVMReadv(g.PID, []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&here[0])), Len: 8}}, 0)
	g.try("the service's memory", err)
	g.try("signal the service", unix.Kill(g.PID, 0))
	_, err = unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true)
	g.try("the user's keys", err)
	g.try("more descriptors", unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1 << 16, Max: 1 << 16}))
}

// TestBreaksNotOut takes a real vault over and has it try to get out. It goes on
// serving all the while, which also shows that it has what it needs.
func TestBreaksNotOut(t *testing.T) {
	t.Parallel()
	r, got := breakOut(t, child{})
	if !slices.Equal(got, goodOnes) {
		t.Errorf("the vault reaches %q", got)
	}
	st, err := r.c.Status(t.Context())
	if err != nil || len(st.Confinement) < 7 {
		t.Fatalf("%v, %v", st.Confinement, err)
	}
	for _, m := range st.Confinement {
		if !m.Held && m.What != "memory never swapped out" {
			t.Errorf("%s: %s", m.What, m.Detail)
		}
	}
}

// TestNetworkOpen: a vault that may reach a network HSM reaches the network, and no
// more than that.
func TestNetworkOpen(t *testing.T) {
	t.Parallel()
	_, got := breakOut(t, child{Network: true})
	network := 0
	for _, what := range got[min(len(goodOnes), len(got)):] {
		switch {
		case strings.HasPrefix(what, "connect by "), what == "listen by TCP", strings.HasPrefix(what, "socket 1 "),
			strings.HasPrefix(what, "socket 2 "), strings.HasPrefix(what, "socket 10 "), strings.HasPrefix(what, "socket 16 "), what == "a queue: bad address":
			network++
		default:
			t.Errorf("it reaches: %s", what)
		}
	}
	if network < 5 {
		t.Errorf("the network is closed: %q", got)
	}
}

// TestChronydReached: a vault whose clock asks a chronyd reaches that, and nothing
// else.
func TestChronydReached(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chronyd.sock")
	chronyd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer chronyd.Close()
	_, got := breakOut(t, child{TSA: true, Chronyd: path})
	// The mode it gives its own socket it may give any file of its user: see modeCalls.
	want := append(slices.Clone(goodOnes), "let everybody write the service's file", "good: chronyd", "socket 1 2")
	if !slices.Equal(got, want) {
		t.Errorf("the vault reaches %q", got)
	}
}

var goodOnes = []string{"good: the own state", "good: removing it", "good: random bytes"}

// breakOut has a vault try to break out, and gives what it reached.
func breakOut(t *testing.T, c child) (*rig, []string) {
	t.Helper()
	dir := t.TempDir()
	g := &targets{Dir: dir, File: filepath.Join(dir, "file"), Unix: filepath.Join(dir, "sock"), PID: os.Getpid(), Chronyd: c.Chronyd}
	if err := os.WriteFile(g.File, []byte("of the service"), 0o644); err != nil {
		t.Fatal(err)
	}
	tcp, err1 := net.Listen("tcp", "127.0.0.1:0")
	udp, err2 := net.ListenPacket("udp", "127.0.0.1:0")
	local, err3 := net.Listen("unix", g.Unix)
	if err := firstError(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	defer udp.Close()
	defer local.Close()
	g.TCP, g.UDP = tcp.Addr().String(), udp.LocalAddr().String()
	c.Hostile = g
	r, starts := startProcessRig(t, c, newClock())
	h := r.newHolder("h", "rsa2048")
	act := h.authorised("tx", 2)
	sigs, err := r.c.Sign(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(act, sigs)
	report := waitFile(t, filepath.Join(filepath.Dir(r.cfg.StateDB), "broken-out"))
	if b, err := os.ReadFile(g.File); err != nil || string(b) != "of the service" {
		t.Errorf("the service's file: %q, %v", b, err)
	}
	t.Cleanup(func() {
		if n := starts(); n != 1 {
			t.Errorf("the vault was started %d times", n)
		}
	})
	return r, strings.Split(report, "\n")
}

func waitFile(t *testing.T, path string) string {
	t.Helper()
	for range 200 {
		if b, err := os.ReadFile(path); err == nil {
			return string(b)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s was not written", path)
	return ""
}

// TestTokenAway takes the token's files away from a confined vault and puts them
// back: it says that the token is gone, and then works on without a restart.
func TestTokenAway(t *testing.T) {
	t.Parallel()
	r, starts := newProcessRig(t, "")
	h := r.newHolder("h", "p256")
	act := h.authorised("tx", 1)
	dir := tokenDir(t, r.cfg.Token)
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := r.c.Sign(t.Context(), act)
		want(t, err, TokenGone)
		_, err = r.c.CreateKey(t.Context(), "root-ca", hsm.P256)
		want(t, err, TokenGone)
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 100 {
		if _, err = r.c.CreateKey(t.Context(), "root-ca", hsm.P256); err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	act = h.authorised("again", 1)
	sigs, err := r.c.Sign(t.Context(), act)
	if err != nil {
		t.Fatal(err)
	}
	h.checkSignatures(act, sigs)
	if n := starts(); n != 1 {
		t.Errorf("the vault was started %d times", n)
	}
}

// tokenDir is the directory of the SoftHSM token of that label.
func tokenDir(t *testing.T, label string) string {
	t.Helper()
	dirs, _ := filepath.Glob(filepath.Join(filepath.Dir(os.Getenv("SOFTHSM2_CONF")), "tokens", "*"))
	for _, dir := range dirs {
		if b, err := os.ReadFile(filepath.Join(dir, "token.object")); err == nil && bytes.Contains(b, []byte(label)) {
			return dir
		}
	}
	t.Fatalf("no directory of the token %s", label)
	return ""
}

// TestNotHeld: what the system does not let the vault do is told.
func TestNotHeld(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	v := &server{log: slog.New(slog.NewTextHandler(&log, nil))}
	v.held("a measure", nil, "its limits")
	v.held("another", errors.New("no kernel for it"), "its limits")
	want := []Measure{{What: "a measure", Held: true, Detail: "its limits"}, {What: "another", Detail: "no kernel for it"}}
	if !slices.Equal(v.measures, want) || strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "no kernel for it") {
		t.Errorf("%v, %s", v.measures, log.String())
	}
}
