package confine_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"sigillo/confine"
)

// TestMain lets the test binary confine itself and say what it still can.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "confined" {
		if err := confined(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// confined tries the calls of the rules from many threads, some of which are older
// than the filter.
func confined() error {
	var before, after sync.WaitGroup
	begin := make(chan struct{})
	var mu sync.Mutex
	got := map[string]bool{}
	for range 8 {
		before.Add(1)
		after.Go(func() {
			before.Done()
			<-begin
			for what, err := range map[string]error{
				"unix stream":   socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC),
				"unix datagram": socket(unix.AF_UNIX, unix.SOCK_DGRAM),
				"udp":           socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK),
				"tcp":           socket(unix.AF_INET, unix.SOCK_STREAM),
				"uname":         unix.Uname(&unix.Utsname{}),
				"sync":          unix.Fsync(-1),
				"hostname":      unix.Sethostname([]byte("x")),
				"chroot":        unix.Chroot("/"),
			} {
				mu.Lock()
				got[fmt.Sprintf("%s: %v", what, err)] = true
				mu.Unlock()
			}
		})
	}
	before.Wait()
	p, err := confine.Program(
		confine.Rule{Calls: []uint32{unix.SYS_UNAME, unix.SYS_SETHOSTNAME}, Answer: confine.Deny},
		confine.Rule{Calls: []uint32{unix.SYS_FSYNC}, Answer: confine.Ignore},
		confine.Rule{Calls: []uint32{unix.SYS_CHROOT}, Answer: confine.Unknown},
		confine.Rule{Calls: []uint32{unix.SYS_SOCKET}, Answer: confine.Deny, Unless: [][]confine.Match{
			{{Arg: 0, Is: unix.AF_UNIX}, {Arg: 1, Mask: 0xf, Is: unix.SOCK_STREAM}},
			{{Arg: 0, Is: unix.AF_INET}, {Arg: 1, Mask: 0xf, Is: unix.SOCK_DGRAM}},
		}},
	)
	if err == nil {
		err = errors.Join(confine.KeepCapabilities(unix.CAP_KILL), confine.FilterProcess(p))
	}
	if err != nil {
		return err
	}
	close(begin)
	after.Wait()
	for line := range got {
		fmt.Println(line)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		for _, name := range []string{"CapEff", "NoNewPrivs", "Seccomp:"} {
			if strings.HasPrefix(line, name) {
				fmt.Print(line)
			}
		}
	}
	return nil
}

func socket(family, kind int) error {
	fd, err := unix.Socket(family, kind, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func TestProcess(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(exe, "confined").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	caps := "0000000000000000"
	if os.Geteuid() == 0 && strings.Contains(string(out), "CapEff:\t0000000000000020") {
		caps = "0000000000000020"
	}
	want := []string{"unix stream: <nil>", "unix datagram: operation not permitted", "udp: <nil>", "tcp: operation not permitted",
		"uname: operation not permitted", "sync: <nil>", "hostname: operation not permitted", "chroot: function not implemented",
		"CapEff:\t" + caps, "NoNewPrivs:\t1", "Seccomp:\t2"}
	for _, line := range want {
		if !strings.Contains(string(out), line+"\n") {
			t.Errorf("no %q", line)
		}
	}
	if n := strings.Count(string(out), "\n"); n != len(want) {
		t.Errorf("%d lines, want %d: a thread is free\n%s", n, len(want), out)
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	var many []uint32
	for call := range uint32(3000) {
		many = append(many, call)
	}
	if _, err := confine.Program(confine.Rule{Calls: many, Answer: confine.Deny}); err == nil {
		t.Error("a filter of 6,000 instructions was made")
	}
	if _, err := confine.Program(confine.Rule{Calls: []uint32{1}, Answer: confine.Deny, Unless: make([][]confine.Match, 300)}); err == nil {
		t.Error("a rule of 300 instructions was made")
	}
}
