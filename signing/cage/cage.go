package cage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"sigillo/rlimit"
)

// Command is the hidden sub-command whose body is Main.
const Command = "render-cage"

// Exit codes of Main; after it has succeeded they are the renderer's.
const (
	exitUsage = 2
	exitCage  = 3 // the cage could not be closed: nothing was run
)

// Prefix gives a function that makes the words to put before a renderer's
// command line, so that exe (a sigillo program) runs it caged: it may write in
// dir, read document ("" for none), and use so much memory and time; 0 is for exe
// itself, which sees to its memory.
func Prefix(exe string) func(dir, document string, memory int64, limit time.Duration) []string {
	return func(dir, document string, memory int64, limit time.Duration) []string {
		seconds := int64(max(1, limit/time.Second))
		return []string{exe, Command, dir, document, strconv.FormatInt(memory, 10), strconv.FormatInt(seconds, 10)}
	}
}

// Main is the body of the hidden command: args are the words of Prefix after
// it, and the renderer's command line. It returns only what went wrong.
func Main(args []string) int {
	c, err := parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "render-cage: to be started by sigillo itself only:", err)
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "render-cage:", c.enter())
	return exitCage
}

// confines is what one renderer is left with.
type confines struct {
	dir, document   string
	memory, seconds uint64
	argv            []string
}

func parse(args []string) (c confines, err error) {
	if len(args) < 5 {
		return c, errors.New("words are missing")
	}
	c = confines{dir: args[0], document: args[1], argv: args[4:]}
	if c.memory, err = strconv.ParseUint(args[2], 10, 63); err != nil {
		return c, err
	}
	if c.seconds, err = strconv.ParseUint(args[3], 10, 31); err != nil {
		return c, err
	}
	if !filepath.IsAbs(c.dir) || !filepath.IsAbs(c.argv[0]) {
		return c, errors.New("paths must be absolute")
	}
	return c, nil
}

// enter closes the cage and becomes the renderer. The order matters: capable of
// nothing first, so that the rest is done with what an ordinary user has; the
// filter last, because it forbids what the steps before it use.
func (c *confines) enter() error {
	// Capabilities and the filter belong to the thread, and the thread that
	// calls execve is the one that the new program gets.
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	if err := os.Chdir(c.dir); err != nil {
		return err
	}
	for _, step := range []func() error{dropCapabilities, c.restrictAccess, c.limit, restrictCalls} {
		if err := step(); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", c.argv[0], c.become())
}

// become limits the memory and becomes the renderer with nothing in between:
// the Go runtime may have reserved more addresses than the renderer is granted,
// and would die of the next one. Raw calls keep it from starting a thread.
func (c *confines) become() error {
	path, err := unix.BytePtrFromString(c.argv[0])
	if err != nil {
		return err
	}
	argv, err := syscall.SlicePtrFromStrings(c.argv)
	if err != nil {
		return err
	}
	env, err := syscall.SlicePtrFromStrings(c.environment())
	if err != nil {
		return err
	}
	memory := &unix.Rlimit{Cur: c.memory, Max: c.memory}
	if c.memory == 0 {
		memory = &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	}
	for _, resource := range [...]uintptr{unix.RLIMIT_DATA, unix.RLIMIT_AS} {
		if _, _, errno := unix.RawSyscall6(unix.SYS_PRLIMIT64, 0, resource, uintptr(unsafe.Pointer(memory)), 0, 0, 0); errno != 0 {
			return errno
		}
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	return errno
}

// environment is the renderer's: nothing of ours but how to draw.
func (c *confines) environment() []string {
	env := []string{"PATH=/usr/bin:/bin", "HOME=" + c.dir, "TMPDIR=" + c.dir}
	for _, name := range []string{"LANG", "TZ", "SAL_USE_VCLPLUGIN"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// dropCapabilities is for who runs the service as root, against advice. With no
// new privileges an execve gives none back.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("capabilities: %w", err)
	}
	return nil
}

// restrictAccess leaves the files that the renderer needs. The library's best
// effort would do nothing at all on a kernel without landlock, and so would it
// if a rule asked for the moving of files between folders on Linux before 5.19.
func (c *confines) restrictAccess() error {
	if abi, err := landlocksys.LandlockGetABIVersion(); err != nil || abi < 1 {
		return errors.New("this kernel has no landlock (Linux 5.13 or newer, not switched off)")
	}
	rules := []landlock.Rule{
		landlock.RODirs("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/fonts", "/etc/libreoffice", "/var/cache/fontconfig",
			"/var/lib/libreoffice", "/var/spool/libreoffice").IgnoreIfMissing(),
		landlock.ROFiles("/etc/ld.so.cache", "/dev/urandom", "/dev/random", "/dev/zero").IgnoreIfMissing(),
		landlock.RWFiles("/dev/null").IgnoreIfMissing(),
		landlock.RWDirs(c.dir),
	}
	if c.document != "" {
		rules = append(rules, landlock.ROFiles(c.document))
	}
	if own, err := os.Executable(); err == nil && sameFile(own, c.argv[0]) { // which draws, too, and asks what memory it has
		rules = append(rules, landlock.ROFiles(own, "/proc/self/statm"))
	}
	if err := landlock.V11.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	return nil
}

func sameFile(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// limit sets the resource limits but that of memory, which stay with the renderer. Processes are
// counted by user, over all that the user runs: their limit only ends a flood.
func (c *confines) limit() error {
	for _, l := range []struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_CPU, c.seconds},
		{unix.RLIMIT_FSIZE, 1 << 30},
		{unix.RLIMIT_NOFILE, 256},
		{unix.RLIMIT_NPROC, 2048},
	} {
		if err := rlimit.Set(l.resource, l.value); err != nil {
			return err
		}
	}
	return nil
}
