package vault

import (
	"log/slog"

	"golang.org/x/sys/unix"
)

// harden closes the process to others as far as the system lets it, and reports
// whether its memory is locked. What is not possible is logged; the vault runs
// nevertheless, since a container without the right to lock memory is common
// and the operator may have no swap at all.
func harden(log *slog.Logger) (locked bool) {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		log.Warn("other processes of this user may read the vault's memory", "err", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		log.Warn("core files may be written", "err", err)
	}
	if !mayLock() {
		log.Warn("the vault's memory is not locked and may be swapped out; raise RLIMIT_MEMLOCK to unlimited or turn swap off")
		return false
	}
	// On fault: only what is used is locked, not all that Go reserves.
	if err := unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT); err != nil {
		log.Warn("the vault's memory is not locked and may be swapped out", "err", err)
		return false
	}
	return true
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
