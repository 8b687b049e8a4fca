package appliance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// defaultVaultUser runs the vault of a service that runs as root, if the system has
// such a user.
const defaultVaultUser = "sigillo-vault"

// account is a user of the system.
type account struct {
	name     string
	uid, gid uint32
	groups   []uint32 // all of them; the socket of chronyd may be for one
}

// lookUpUser finds a user by name or number. A number need not be in the system's
// list.
func lookUpUser(name string) (account, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			n, bad := strconv.ParseUint(name, 10, 31)
			if bad != nil {
				return account{}, fmt.Errorf("appliance: the system has no user %q", name)
			}
			return account{name: name, uid: uint32(n), gid: uint32(n)}, nil
		}
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return account{}, fmt.Errorf("appliance: the user %q has no number: %w", name, err)
	}
	a := account{name: u.Username, uid: uint32(uid), gid: uint32(gid)}
	ids, err := u.GroupIds()
	if err != nil {
		return account{}, fmt.Errorf("appliance: the groups of %q: %w", name, err)
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			a.groups = append(a.groups, uint32(n))
		}
	}
	return a, nil
}

// vaultUser is the user that the vault is to run as, nil if it is that of this
// process. Only root can give it another one.
func (c Config) vaultUser() (*account, error) {
	name := c.VaultUser
	if os.Geteuid() != 0 {
		if name == "" {
			return nil, nil
		}
		if a, err := lookUpUser(name); err != nil || a.uid == uint32(os.Geteuid()) {
			return nil, err
		}
		return nil, fmt.Errorf("appliance: vault_user is %q: only a service that root starts can run its vault as another user", name)
	}
	if name == "" {
		if _, err := user.Lookup(defaultVaultUser); err != nil {
			return nil, nil
		}
		name = defaultVaultUser
	}
	a, err := lookUpUser(name)
	if err != nil || a.uid == 0 {
		return nil, err
	}
	return &a, nil
}

// vaultPeers are the users whose processes the vault in dir answers: those of
// vault_peers, or else the owner of the configuration, which is who provisioned the
// appliance and runs the service.
func (c Config) vaultPeers(dir string) ([]uint32, error) {
	if len(c.VaultPeers) == 0 {
		st, err := os.Stat(Layout{dir}.Config())
		if err != nil {
			return nil, fmt.Errorf("appliance: %w", err)
		}
		return []uint32{st.Sys().(*syscall.Stat_t).Uid}, nil
	}
	var uids []uint32
	for _, name := range c.VaultPeers {
		a, err := lookUpUser(name)
		if err != nil {
			return nil, fmt.Errorf("%w (vault_peers)", err)
		}
		uids = append(uids, a.uid)
	}
	return uids, nil
}

// runAs has a command run as another user.
func runAs(cmd *exec.Cmd, as *account) {
	if as == nil {
		return
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: as.uid, Gid: as.gid, Groups: as.groups}
	cmd.Dir = "/"
	// The vault locks its memory, which root may and others only as far as their limit
	// goes.
	if mayLockMemory() {
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_IPC_LOCK}
	}
}

// mayLockMemory reports whether this process has the right to give on; in some
// containers root has not.
func mayLockMemory() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	return unix.Capget(&header, &have[0]) == nil && have[0].Permitted&(1<<unix.CAP_IPC_LOCK) != 0
}

// handOver gives the vault's folder, with all that is in it, to the vault's user,
// and lets that user, and nobody else, read the configuration and pass through the
// appliance's folder. It is done while no vault runs, and once: a folder that is the
// vault's already is left alone, because root should follow no path that another
// user can change.
func handOver(l Layout, exe string, as *account) error {
	if as == nil {
		return nil
	}
	st, err := os.Lstat(l.VaultDir())
	if err != nil {
		return fmt.Errorf("appliance: %w", err)
	}
	switch owner := st.Sys().(*syscall.Stat_t).Uid; owner {
	case as.uid:
	case uint32(os.Geteuid()):
		if err := giveAway(l.VaultDir(), as); err != nil {
			return err
		}
	default:
		return fmt.Errorf("appliance: %s belongs to the user %d and vault_user is %q: stop the service and give the folder to the right one (chown -R %s %s)",
			l.VaultDir(), owner, as.name, as.name, l.VaultDir())
	}
	for path, mode := range map[string]os.FileMode{l.Dir: 0o710, l.Config(): 0o640} {
		if err := errors.Join(os.Chown(path, -1, int(as.gid)), os.Chmod(path, mode)); err != nil {
			return fmt.Errorf("appliance: %w", err)
		}
	}
	return errors.Join(as.canReach(l.VaultDir()), as.canReach(exe))
}

// giveAway changes the owner of a folder last: what is in it is root's until then.
func giveAway(dir string, as *account) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		return os.Lchown(path, int(as.uid), int(as.gid))
	})
	if err = errors.Join(err, os.Lchown(dir, int(as.uid), int(as.gid))); err != nil {
		return fmt.Errorf("appliance: the vault's folder could not be given to %s: %w", as.name, err)
	}
	return nil
}

// canReach says which folder above path keeps the user out. It looks at modes, as
// the kernel will.
func (a *account) canReach(path string) error {
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("appliance: %w", err)
		}
		own, mode := st.Sys().(*syscall.Stat_t), st.Mode().Perm()
		switch {
		case own.Uid == a.uid:
			mode >>= 6
		case own.Gid == a.gid:
			mode >>= 3
		}
		if mode&1 == 0 {
			return fmt.Errorf("appliance: the vault's user %s cannot pass through %s to %s; put it where that user can go (/var/lib/sigillo, /usr/local/bin), or let the user pass (chmod o+x %s)", a.name, dir, path, dir)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}
