package vault

import (
	"errors"

	"golang.org/x/sys/unix"
)

// harden closes the process to others as far as the system lets it. What is not
// possible is logged and told in [Status]; the vault runs nevertheless, since a
// container without the right to lock memory is common and the operator may have no
// swap at all.
func (v *server) harden() {
	v.held("memory hidden from processes of the same user", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0), "")
	v.held("no core files", unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}), "")
	err := lockMemory()
	v.memoryLock = err == nil
	v.held("memory never swapped out", err, "")
}

func lockMemory() error {
	if !mayLock() {
		return errors.New("raise RLIMIT_MEMLOCK to unlimited or turn swap off")
	}
	// On fault: only what is used is locked, not all that Go reserves.
	return unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
}

// mayLock reports whether memory can be locked without a limit. With a limit
// later allocations would fail, and the Go runtime would end the process.
func mayLock() bool {
	var lim unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &lim) == nil && lim.Cur == unix.RLIM_INFINITY {
		return true
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&hdr, &data[0]) != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_IPC_LOCK) != 0
}
