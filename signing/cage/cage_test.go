package cage_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"sigillo/formats/view"
	"sigillo/signing/cage"
)

// TestMain lets the test binary be the cage, and a hostile renderer within it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == cage.Command {
		os.Exit(cage.Main(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == view.Command {
		os.Exit(view.Main(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "hostile" {
		hostile(os.Args[2:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// caged runs argv in the cage and returns what it printed.
func caged(t *testing.T, dir, document string, argv ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "", "")
	prefix := cage.Prefix(own(t))(dir, document, 4<<30, 20*time.Second)
	cmd.Path, cmd.Args = prefix[0], append(prefix, argv...)
	cmd.Env = []string{"LANG=C.UTF-8", "SECRET=of the service"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func own(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hostile tries what a captured renderer would like to do and prints what
// succeeded. Its arguments are a document, a file of the service, a socket of
// the vault, an abstract one, and an address of TCP.
func hostile(args []string) {
	hostileFiles(args[0], args[1])
	hostileNetwork(args[2], args[3], args[4])
	hostileCalls()
	if os.Getenv("SECRET") != "" {
		fmt.Println("the environment")
	}
}

// try prints what succeeded.
func try(what string, err error) {
	if err == nil {
		fmt.Println(what)
	}
}

func hostileFiles(document, file string) {
	read := func(path string) error { _, err := os.ReadFile(path); return err }
	list := func(path string) error { _, err := os.ReadDir(path); return err }
	create := func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }
	try("good: the document", read(document))
	try("good: the work folder", create("made"))
	try("good: a program", exec.Command("/usr/bin/true").Run())

	for _, path := range []string{file, "/etc/passwd", "/proc/self/environ", fmt.Sprintf("/proc/%d/cmdline", os.Getppid())} {
		try("read "+path, read(path))
	}
	for _, path := range []string{"/", "/tmp", "/proc", "/etc", filepath.Dir(file)} {
		try("list "+path, list(path))
	}
	try("change the document", create(document))
	try("change a file", create(file))
	try("truncate a file", os.Truncate(file, 0))
	try("change a mode", os.Chmod(file, 0o777))
	try("change an owner", os.Chown(file, os.Getuid(), os.Getgid()))
	try("change a time", os.Chtimes(file, time.Now(), time.Now()))
	try("change an attribute", unix.Setxattr(file, "user.x", []byte("x"), 0))
	try("remove a file", os.Remove(file))
	try("fetch a file", os.Rename(file, "fetched"))
	try("link a file", os.Link(file, "linked"))
	try("create beside", create(filepath.Join(filepath.Dir(file), "x")))
	try("create in /tmp", create("/tmp/sigillo-cage-escape"))
	try("create in /usr", create("/usr/sigillo-cage-escape"))
}

func hostileNetwork(vault, abstract, tcp string) {
	dial := func(network, address string) error { _, err := net.Dial(network, address); return err }
	try("connect to the vault", dial("unix", vault))
	try("connect to an abstract socket", dial("unix", abstract))
	try("connect by TCP", dial("tcp", tcp))
	_, err := net.Listen("tcp", "127.0.0.1:0")
	try("listen by TCP", err)
	for _, family := range []int{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK, unix.AF_PACKET, unix.AF_VSOCK, unix.AF_ALG} {
		for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_SEQPACKET} {
			_, err := unix.Socket(family, kind, 0)
			try(fmt.Sprintf("socket %d %d", family, kind), err)
		}
	}
	_, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	try("a Unix datagram socket", err)
}

func hostileCalls() {
	try("trace the parent", unix.PtraceAttach(os.Getppid()))
	try("signal the parent", syscall.Kill(os.Getppid(), 0))
	try("leave the group", unix.Setpgid(0, 0))
	_, err := unix.Setsid()
	try("leave the session", err)
	call := func(what string, number, a, b uintptr) {
		if _, _, errno := unix.Syscall(number, a, b, 0); errno == 0 {
			fmt.Println(what)
		}
	}
	var params [120]byte
	call("io_uring", unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)))
	call("shared memory", unix.SYS_SHMGET, unix.IPC_PRIVATE, 4096)
	call("message queue", unix.SYS_MSGGET, unix.IPC_PRIVATE, 0)
	_, err = unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true)
	try("the user's keys", err)
	try("raise a limit", unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: 1000, Max: 1000}))
	try("a mount", unix.Mount("none", ".", "tmpfs", 0, ""))
	try("another root", unix.Chroot("/"))
}

// A captured renderer has the document, its folder, and nothing else of ours.
func TestHolds(t *testing.T) {
	t.Parallel()
	dir, document, file := t.TempDir(), write(t, "document"), write(t, "secret")
	vault := filepath.Join(t.TempDir(), "vault.sock")
	abstract := fmt.Sprintf("@sigillo-cage-%d", os.Getpid())
	var addresses []string
	for _, l := range [][2]string{{"unix", vault}, {"unix", abstract}, {"tcp", "127.0.0.1:0"}} {
		listener, err := net.Listen(l[0], l[1])
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	// The cage lets programs run from the work folder; there, they are caged too.
	// Another process copies it: a child that a parallel test forks meanwhile would
	// hold the file open for writing, and it could not be run.
	program := filepath.Join(dir, "renderer")
	if out, err := exec.Command("cp", own(t), program).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := caged(t, dir, document, append([]string{program, "hostile", document, file}, addresses...)...)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := []string{"good: the document", "good: the work folder", "good: a program"}
	if got := strings.Split(strings.TrimSpace(out), "\n"); !slices.Equal(got, want) {
		t.Errorf("the caged program reaches %q", got)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "secret" {
		t.Errorf("the file of the service: %q, %v", b, err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	out, err := caged(t, t.TempDir(), "", "/usr/bin/bash", "-c", "ulimit -t -v -n -f -c; grep -c x /dev/null; env | cut -d= -f1 | sort")
	if err != nil && out == "" {
		t.Fatal(err)
	}
	for _, want := range []string{"(seconds, -t) 20\n", "(kbytes, -v) 4194304\n", "(-n) 256\n", "-f) 1048576\n", "-c) 0\n", "HOME\nLANG\nPATH\nPWD\nSHLVL\nTMPDIR\n_\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// No child can step out of the group that is killed in the end.
func TestGroupDies(t *testing.T) {
	t.Parallel()
	prefix := cage.Prefix(own(t))(t.TempDir(), "", 1<<30, 20*time.Second)
	cmd := exec.Command(prefix[0], append(prefix[1:], "/usr/bin/bash", "-c", "set -m; sleep 60 & setsid -f sleep 60; echo ready; wait")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	if n, _ := out.Read(b); !strings.Contains(string(b[:n]), "ready") {
		t.Fatalf("%q", b[:n])
	}
	began := time.Now()
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	// The end of the pipe comes when the last child is gone.
	if _, err := out.Read(b); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("a child lives on: %v after %v", err, time.Since(began))
	}
	_ = cmd.Wait()
}

// A cage smaller than what the Go runtime reserves can be entered.
func TestSmall(t *testing.T) {
	t.Parallel()
	for range 50 {
		prefix := cage.Prefix(own(t))(t.TempDir(), "", 64<<20, time.Second)
		if out, err := exec.Command(prefix[0], append(prefix[1:], "/usr/bin/true")...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	foreign := write(t, "#!/bin/sh\n")
	if err := os.Chmod(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
	}{
		"nothing":         {nil, 2},
		"no program":      {[]string{dir, "", "1000000", "1"}, 2},
		"no number":       {[]string{dir, "", "much", "1", "/usr/bin/true"}, 2},
		"no time":         {[]string{dir, "", "1000000", "-1", "/usr/bin/true"}, 2},
		"relative":        {[]string{dir, "", "1000000", "1", "true"}, 2},
		"relative folder": {[]string{".", "", "1000000", "1", "/usr/bin/true"}, 2},
		"no folder":       {[]string{dir + "/none", "", "1000000000", "1", "/usr/bin/true"}, 3},
		"no document":     {[]string{dir, dir + "/none", "1000000000", "1", "/usr/bin/true"}, 3},
		"absent program":  {[]string{dir, "", "1000000000", "1", "/usr/bin/none"}, 3},
		"foreign program": {[]string{dir, "", "1000000000", "1", foreign}, 3},
		"this program":    {[]string{dir, foreign, "0", "1", own(t), view.Command, "text", foreign}, 0},
		"good":            {[]string{dir, "", "1000000000", "1", "/usr/bin/true"}, 0},
	} {
		err := exec.Command(own(t), append([]string{cage.Command}, c.args...)...).Run()
		var exit *exec.ExitError
		if code := 0; errors.As(err, &exit) {
			// A program that cannot be run may leave too little memory to say so.
			if code = exit.ExitCode(); code != c.code && (c.code != 3 || code != 2) {
				t.Errorf("%s: code %d, want %d", name, code, c.code)
			}
		} else if err != nil || c.code != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// renderer is one that has to do without bubblewrap.
func renderer(t *testing.T) *view.Renderer {
	t.Helper()
	r := view.New(filepath.Join(t.TempDir(), "a folder"))
	r.Bwrap, r.Cage = "/bin/false", cage.Prefix(own(t))
	return r
}

// draw gives the hashes of the pictures of a document.
func draw(t *testing.T, r *view.Renderer, path, format string) ([]string, error) {
	t.Helper()
	acc, err := r.View(t.Context(), path, format, func(view.Sheet) error { return nil })
	return acc.Images, err
}

// The renderers work in the cage and draw what they draw in bubblewrap.
func TestRenders(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("converts with LibreOffice")
	}
	documents := filepath.Join("..", "..", "testdata", "documents")
	for format, name := range map[string]string{"pdf": "contratto.pdf", "docx": "lettera.docx", "xml": "fattura.xml"} {
		path := filepath.Join(documents, name)
		r, bubbled := renderer(t), view.New(t.TempDir())
		if r.Pdftoppm == "" || format == "docx" && r.Soffice == "" {
			t.Logf("no renderer of %s is installed", format)
			continue
		}
		got, err := draw(t, r, path, format)
		if err != nil {
			t.Errorf("%s: %v", format, err)
			continue
		}
		want, err := draw(t, bubbled, path, format)
		if err != nil {
			t.Logf("nothing to compare with: %v", err)
		} else if !slices.Equal(got, want) {
			t.Errorf("%s: other pictures than in bubblewrap", format)
		}
		left, err := filepath.Glob(filepath.Join(r.Cache, "*"))
		if err != nil || len(left) > 1 {
			t.Errorf("%s leaves %q", format, left)
		}
	}
}
