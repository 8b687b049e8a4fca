package cage

import (
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"sigillo/confine"
)

// old are the calls that only this kind of processor still has.
var old = map[string][]uint32{
	"amd64": {90 /* chmod */, 92 /* chown */, 94 /* lchown */, 132 /* utime */, 235 /* utimes */, 261 /* futimesat */},
}

// refused are the calls that reach past landlock: connections, also by io_uring,
// which the filter does not see into; owner, mode, times, attributes and length
// of files found by name; memory, queues and keys shared between all processes of
// a user; and leaving the process group that is killed in the end.
var refused = []uint32{
	unix.SYS_CONNECT, unix.SYS_IO_URING_SETUP,
	unix.SYS_FCHMOD, unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT,
	unix.SYS_UTIMENSAT, unix.SYS_TRUNCATE,
	unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_SETXATTRAT, unix.SYS_FILE_SETATTR,
	unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR, unix.SYS_REMOVEXATTRAT,
	unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_SEMGET, unix.SYS_MSGGET, unix.SYS_MQ_OPEN,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_SETSID, unix.SYS_SETPGID,
}

// restrictCalls puts the filter on this thread, and so on what it becomes.
func restrictCalls() error {
	unixStream := []confine.Match{{Arg: 0, Is: unix.AF_UNIX}, {Arg: 1, Mask: 0xf, Is: unix.SOCK_STREAM}} // without SOCK_CLOEXEC and SOCK_NONBLOCK
	p, err := confine.Program(
		confine.Rule{Calls: slices.Concat(old[runtime.GOARCH], refused), Answer: confine.Deny},
		// LibreOffice insists on a socket in /tmp where others could hand it
		// documents. It gets one that leads nowhere.
		confine.Rule{Calls: []uint32{unix.SYS_BIND, unix.SYS_LISTEN}, Answer: confine.Ignore},
		// A datagram needs no connection.
		confine.Rule{Calls: []uint32{unix.SYS_SOCKET}, Answer: confine.Deny, Unless: [][]confine.Match{unixStream}},
	)
	if err != nil {
		return err
	}
	return confine.FilterThread(p)
}
