package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sigillo/formats/inspect"
)

// TestMain lets the test binary be the worker, or one that misbehaves as the
// document's name says; the product's Main knows nothing of such names.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == Command && os.Args[2] == "misbehave":
		os.Exit(misbehave())
	case len(os.Args) > 1 && os.Args[1] == Command:
		os.Exit(Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// misbehaving starts a worker that does.
func misbehaving() (*process, error) { return start("", Command, "misbehave") }

func misbehave() int {
	_, name, err := receive()
	if err != nil {
		return 98
	}
	switch name {
	case "!panic":
		panic("on purpose")
	case "!signal":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	case "!exit":
		fmt.Println(`{"format":"text","mediaType":"text/plain","verdict":"allow","findings":[],"ruleset":"x"}`)
		return 1
	case "!hang":
		_ = exec.Command("/bin/sleep", "60").Start() // a grandchild must die too
		select {}
	case "!silence":
		return 0
	case "!nonsense":
		fmt.Println("all is well")
		return 0
	case "!two":
		fmt.Println(`{"format":"text","mediaType":"","verdict":"allow","findings":[],"ruleset":"x"} {}`)
		return 0
	case "!unknown":
		fmt.Println(`{"format":"text","mediaType":"","verdict":"allow","findings":[],"ruleset":"x","trust":"me"}`)
		return 0
	case "!liar":
		r := inspect.Failed("")
		r.Verdict = inspect.Allow
		_ = json.NewEncoder(os.Stdout).Encode(r)
		return 0
	case "!softened":
		r := inspect.Failed("")
		r.Verdict, r.Findings[0].Severity = inspect.Confirm, inspect.Confirm
		_ = json.NewEncoder(os.Stdout).Encode(r)
		return 0
	case "!flood":
		line := strings.Repeat("x", 1<<10)
		for range 8 << 10 {
			if _, err := fmt.Println(line); err != nil {
				return 1
			}
		}
		return 0
	}
	if err := errors.Join(confine(), seal()); err != nil {
		fmt.Println(err)
		return exitSandbox
	}
	return misbehaveCaged(name)
}

func misbehaveCaged(what string) int {
	switch what {
	case "!caged-stack":
		return deeper(1)
	case "!caged-memory":
		var all [][]byte
		for {
			b := make([]byte, 64<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			all = append(all, b)
			if len(all) > 1000 {
				return 0
			}
		}
	case "!caged-reach":
		return reach()
	case "!caged-slow": // works three quarters of the time
		for range 60 {
			for until := time.Now().Add(30 * time.Millisecond); time.Now().Before(until); {
			}
			time.Sleep(10 * time.Millisecond)
		}
		fmt.Println("done")
		syscall.Exit(0) // os.Exit waits a second for the race detector, doing nothing
		return 0
	case "!caged-spin":
		for n := 0; ; n++ {
			spun = n
		}
	case "!caged-timer":
		time.Sleep(time.Millisecond)
		fmt.Println("awake")
		return 0
	}
	return 99
}

var spun int

func deeper(n int) int {
	var pad [1024]byte
	pad[n%1024] = byte(n)
	if n < 0 {
		return 0 // never: the stack ends long before n overflows
	}
	return deeper(n+1) + int(pad[(n+1)%1024])
}

// reach tries everything a captured worker would like to do and prints what
// succeeded.
func reach() int {
	var reached []string
	try := func(what string, err error) {
		if err == nil {
			reached = append(reached, what)
		}
	}
	_, err := os.Open("/etc/passwd")
	try("open a file", err)
	_, err = os.ReadDir("/")
	try("list a folder", err)
	err = os.WriteFile(filepath.Join(os.TempDir(), "sigillo-worker-escape"), []byte("x"), 0o600)
	try("create a file", err)
	try("remove a folder", os.Remove("/tmp/sigillo-worker-folder"))
	for _, family := range []int{unix.AF_INET, unix.AF_INET6, unix.AF_UNIX, unix.AF_NETLINK} {
		for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
			_, err = unix.Socket(family, kind, 0)
			try(fmt.Sprintf("socket %d %d", family, kind), err)
		}
	}
	_, err = net.Dial("tcp", "127.0.0.1:1")
	if err != nil && strings.Contains(err.Error(), "refused") {
		reached = append(reached, "TCP")
	}
	try("run a program", exec.Command("/bin/true").Run())
	try("execve", unix.Exec("/bin/true", []string{"true"}, nil))
	try("signal the parent", syscall.Kill(os.Getppid(), 0))
	try("raise a limit", unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: 1000, Max: 1000}))
	fmt.Printf("reached:%s\n", strings.Join(reached, ","))
	return 0
}

func document(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInspect(t *testing.T) {
	t.Parallel()
	path := document(t, "Il sottoscritto dichiara.\n")
	rep, err := Inspect(t.Context(), "", path, "dichiarazione.txt")
	if err != nil || rep.Verdict != inspect.Allow || rep.Format != "text" {
		t.Fatalf("%+v, %v", rep, err)
	}
	rep, err = Inspect(t.Context(), "", path, "dichiarazione.pdf")
	if err != nil || rep.Verdict != inspect.Refuse || rep.Findings[0].Rule != "name.mismatch" {
		t.Fatalf("%+v, %v", rep, err)
	}
}

// A worker that fails in any way at all is a refusal.
func TestMisbehaviourIsRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]Kind{
		"!panic": Crashed, "!signal": Crashed, "!exit": Crashed,
		"!silence": Nonsense, "!nonsense": Nonsense, "!two": Nonsense, "!unknown": Nonsense,
		"!liar": Nonsense, "!softened": Nonsense, "!flood": Nonsense,
		"!caged-stack": Crashed, "!caged-memory": Crashed,
	}
	for name, kind := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rep, err := inspectBy(t.Context(), document(t, "x"), name, misbehaving)
			if KindOf(err) != kind {
				t.Errorf("error %v, want kind %s", err, kind)
			}
			if rep.Verdict != inspect.Refuse || len(rep.Findings) != 1 || rep.Findings[0].Rule != "inspect.failed" {
				t.Errorf("report %+v", rep)
			}
			if err := rep.Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

// misbehavedAnswer is what a misbehaving worker writes.
func misbehavedAnswer(t *testing.T, wall time.Duration, name string) ([]byte, error) {
	t.Helper()
	f, err := os.Open(document(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := misbehaving()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.hand(f, name); err != nil {
		t.Fatal(err)
	}
	return p.answer(t.Context(), wall)
}

func TestTimeOutKillsTheGroup(t *testing.T) {
	t.Parallel()
	f, err := os.Open(document(t, "x"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := misbehaving()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.hand(f, "!hang"); err != nil {
		t.Fatal(err)
	}
	for len(living(t, p.cmd.Process.Pid)) < 2 { // the worker and what it starts
		time.Sleep(time.Millisecond)
	}
	_, err = p.answer(t.Context(), time.Millisecond)
	if KindOf(err) != TimedOut {
		t.Fatalf("got %v", err)
	}
	for len(living(t, p.cmd.Process.Pid)) > 0 {
		time.Sleep(time.Millisecond)
	}
	if rep, _ := failed(err); rep.Verdict != inspect.Refuse {
		t.Errorf("verdict %s", rep.Verdict)
	}
}

// living are the processes of a group that have not ended, whether or not anybody
// has asked how: proc_pid_stat(5).
func living(t *testing.T, group int) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		_, rest, _ := strings.Cut(string(stat), ") ")
		if f := strings.Fields(rest); len(f) > 2 && f[2] == strconv.Itoa(group) && f[0] != "Z" && f[0] != "X" {
			pids = append(pids, path)
		}
	}
	return pids
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	rep, err := inspectBy(ctx, document(t, "x"), "!hang", misbehaving)
	if KindOf(err) != Cancelled || rep.Verdict != inspect.Refuse {
		t.Fatalf("%v, %s", err, rep.Verdict)
	}
}

func TestWorkerReachesNothing(t *testing.T) {
	t.Parallel()
	_ = os.Mkdir("/tmp/sigillo-worker-folder", 0o700)
	defer os.Remove("/tmp/sigillo-worker-folder")
	out, err := misbehavedAnswer(t, wallClock, "!caged-reach")
	if err != nil {
		t.Fatal(err)
	}
	reached := strings.TrimSpace(string(out))
	if os.Geteuid() == 0 {
		// root may raise its own limits again; the appliance does not run as root
		reached = strings.ReplaceAll(strings.TrimSuffix(reached, ",raise a limit"), "raise a limit", "")
	}
	if reached != "reached:" {
		t.Errorf("the caged worker %s", reached)
	}
}

// The runtime has timers of its own, such as that by which a collector gives memory
// back after a large document: the cage must leave it what they need.
func TestWorkerHasTimers(t *testing.T) {
	t.Parallel()
	if out, err := misbehavedAnswer(t, wallClock, "!caged-timer"); err != nil || string(out) != "awake\n" {
		t.Fatalf("%q, %v", out, err)
	}
}

// A worker that works has longer than one that does nothing, and not for ever.
func TestSlowMachine(t *testing.T) {
	t.Parallel()
	if out, err := misbehavedAnswer(t, 2*time.Second, "!caged-slow"); err != nil || string(out) != "done\n" {
		t.Errorf("at work for 2.4 s: %q, %v", out, err)
	}
	if _, err := misbehavedAnswer(t, 50*time.Millisecond, "!caged-spin"); KindOf(err) != TimedOut {
		t.Errorf("at work without end: %v", err)
	}
}

func TestCannotStart(t *testing.T) {
	t.Parallel()
	rep, err := Inspect(t.Context(), filepath.Join(t.TempDir(), "missing"), document(t, "x"), "x.txt")
	if KindOf(err) != NotStarted || rep.Verdict != inspect.Refuse {
		t.Fatalf("%v, %s", err, rep.Verdict)
	}
	rep, err = Inspect(t.Context(), "", filepath.Join(t.TempDir(), "missing"), "x.txt")
	if KindOf(err) != Unreadable || rep.Verdict != inspect.Refuse {
		t.Fatalf("%v, %s", err, rep.Verdict)
	}
}

// What is no file with content of its own is refused at once: nobody waits for the
// writer of a pipe, and no device is read.
func TestNotAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{pipe, dir, "/dev/zero", "/dev/null"} {
		rep, err := Inspect(t.Context(), "", path, "x.txt")
		if KindOf(err) != Unreadable || rep.Verdict != inspect.Refuse {
			t.Errorf("%s: %v, %s", path, err, rep.Verdict)
		}
	}
}

func TestArgument(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a.pdf": "a.pdf", "../../x/a.pdf": "a.pdf", "a\x00b.pdf": "ab.pdf", "": ".",
	} {
		if got := argument(in); got != want {
			t.Errorf("argument(%q) = %q, want %q", in, got, want)
		}
	}
	if got := argument(strings.Repeat("a", 400) + ".pdf"); len(got) != 255 || !strings.HasSuffix(got, ".pdf") {
		t.Errorf("long name: %q", got)
	}
}
