package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sigillo/appliance"
	"sigillo/hsm"
	"sigillo/signing"
)

// publicFolder is one that every user can pass through, with this program in it.
func publicFolder(t *testing.T) (dir, exe string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "sigillo-user-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(own)
	if err != nil {
		t.Fatal(err)
	}
	exe = filepath.Join(dir, "sigillo")
	if err := os.WriteFile(exe, program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir, exe
}

// A service that root runs has its vault run as another user, to whom the token, the
// PIN and the state belong, and who answers root alone.
func TestVaultUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("missing the right to start a process of another user: run as root")
	}
	const nobody = 65534
	public, exe := publicFolder(t)
	dir := filepath.Join(public, "appliance")
	cfg := appliance.DefaultConfig()
	if _, err := os.Stat(cfg.HSM.Module); err != nil {
		t.Skip("the package softhsm2 is not installed")
	}
	cfg.VaultUser = fmt.Sprint(nobody)
	opt := appliance.Options{Log: quiet(), Executable: exe}
	if err := appliance.Init(t.Context(), dir, cfg, opt, io.Discard); err != nil {
		t.Fatal(err)
	}
	a, err := appliance.Open(t.Context(), dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Health(t.Context()); err != nil {
		t.Error(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.VaultPID()))
	if err != nil {
		t.Fatal(err)
	}
	st, err := a.Vault.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	caps := "0000000000000000"
	if st.MemoryLock { // in some containers root itself has not the right
		caps = "0000000000004000" // CAP_IPC_LOCK
	}
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "CapEff:\t" + caps, "CapPrm:\t" + caps, "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(string(status), want+"\n") {
			t.Errorf("the vault's process is not %q", want)
		}
	}
	for path, want := range map[string]os.FileMode{"vault": 0o700, "vault/pin": 0o600, "vault/vault.db": 0o600, "vault/tokens": 0o700, "vault/vault.sock": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Error(err)
			continue
		}
		if own := info.Sys().(*syscall.Stat_t).Uid; own != nobody || info.Mode().Perm() != want {
			t.Errorf("%s belongs to %d, mode %v", path, own, info.Mode())
		}
	}
	for _, path := range []string{"appliance.db", "documents"} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	// The vault's own user is not among those it answers.
	if n, err := connectAs(nobody, filepath.Join(dir, "vault", "vault.sock")); n != 0 || err != nil {
		t.Errorf("another user got %d bytes, %v; want the connection closed", n, err)
	}
}

// connectAs asks the vault something as another user, and says how many bytes came
// back.
func connectAs(uid uintptr, socket string) (n int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its user
		for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
			if _, _, e := unix.RawSyscall(call, uid, uid, uid); e != 0 {
				err = e
				return
			}
		}
		var fd int
		if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); err != nil {
			return
		}
		defer unix.Close(fd)
		if err = unix.Connect(fd, &unix.SockaddrUnix{Name: socket}); err == nil {
			n, err = unix.Read(fd, make([]byte, 100))
		}
	}()
	<-done
	return n, err
}

// What stands in the way of the vault's user is told with what to do about it.
func TestVaultUserInTheWay(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("missing the right to start a process of another user: run as root")
	}
	public, exe := publicFolder(t)
	start := func(change func(dir string, cfg *appliance.Config)) error {
		dir := filepath.Join(public, "a folder")
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		from := newFolder(t)
		if err := os.Rename(from, dir); err != nil {
			t.Fatal(err)
		}
		rewrite(t, dir, from, dir)
		cfg, err := appliance.LoadConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		cfg.VaultUser = "65534"
		change(dir, &cfg)
		if err := cfg.Save(dir); err != nil {
			t.Fatal(err)
		}
		a, err := appliance.Open(context.Background(), dir, appliance.Options{Log: quiet(), Executable: exe, Unattended: true})
		if err == nil {
			a.Close()
		}
		return err
	}
	for want, change := range map[string]func(dir string, cfg *appliance.Config){
		"":                            func(string, *appliance.Config) {}, // one that root's vault was used with before
		"no user \"of no such name\"": func(_ string, c *appliance.Config) { c.VaultUser = "of no such name" },
		"(vault_peers)":               func(_ string, c *appliance.Config) { c.VaultPeers = []string{"of no such name"} },
		"belongs to the user 12345": func(dir string, _ *appliance.Config) {
			if err := os.Chown(filepath.Join(dir, "vault"), 12345, 12345); err != nil {
				t.Fatal(err)
			}
		},
		"chmod o+x": func(string, *appliance.Config) { os.Chmod(public, 0o700) },
	} {
		os.Chmod(public, 0o755)
		err := start(change)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// The vault of root that has no user of its own keeps no right to other users' files,
// unless its own files are another's.
func TestVaultOfRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("missing the right to run a vault as root: run as root")
	}
	if _, err := user.Lookup("sigillo-vault"); err == nil {
		t.Skip("the vault has a user of its own here")
	}
	for _, owner := range []int{0, 65534} {
		dir := newFolder(t)
		for _, path := range []string{"vault/vault.db", "vault/tokens"} {
			if err := os.Chown(filepath.Join(dir, path), owner, owner); err != nil {
				t.Fatal(err)
			}
		}
		h := open(t, dir)
		c := h.signedIn(t, hsm.P256)
		tx := c.prepared(t, signing.XAdES)
		if _, err := c.sign(t.Context(), tx.ID, c.holder.Password, c.mustOTP(t)); err != nil {
			t.Errorf("files of %d: %v", owner, err)
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.VaultPID()))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)^CapEff:\t([0-9a-f]{16})$`).FindSubmatch(status)
		if m == nil {
			t.Fatalf("no capabilities in\n%s", status)
		}
		caps, err := strconv.ParseUint(string(m[1]), 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		if owner != 0 && !mayOverride(t) {
			continue
		}
		keeps := caps&(1<<unix.CAP_DAC_OVERRIDE) != 0
		if caps&^(1<<unix.CAP_DAC_OVERRIDE|1<<unix.CAP_IPC_LOCK) != 0 || keeps != (owner != 0) {
			t.Errorf("files of %d: the vault has %s", owner, m[1])
		}
		h.stop()
	}
}

// mayOverride reports whether root here has the right at all; in some containers not.
func mayOverride(t *testing.T) bool {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		t.Fatal(err)
	}
	return have[0].Permitted&(1<<unix.CAP_DAC_OVERRIDE) != 0
}
