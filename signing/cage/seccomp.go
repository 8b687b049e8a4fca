package cage

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// machines has, for each kind of processor, its number in the filter's input and
// the calls that only it still has.
var machines = map[string]struct {
	audit uint32
	old   []uint32
}{
	"amd64": {unix.AUDIT_ARCH_X86_64, []uint32{90 /* chmod */, 92 /* chown */, 94 /* lchown */, 132 /* utime */, 235 /* utimes */, 261 /* futimesat */}},
	"arm64": {unix.AUDIT_ARCH_AARCH64, nil},
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

// Where the filter's input (struct seccomp_data) has the call's number, the
// processor and the low halves of the first two arguments. Both are little-endian.
const (
	atNumber, atMachine, atFamily, atKind = 0, 4, 16, 24

	load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	ifEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	ifAbove = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	mask    = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	answer  = unix.BPF_RET | unix.BPF_K
	denied  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	ignored = unix.SECCOMP_RET_ERRNO // not done, and reported as done
)

// filter is the program that judges each system call. A jump skips as many
// instructions as it says: Jt where the comparison holds, Jf where not.
func filter(machine uint32, old []uint32) []unix.SockFilter {
	p := []unix.SockFilter{
		{Code: load, K: atMachine},
		{Code: ifEqual, K: machine, Jt: 1},
		{Code: answer, K: unix.SECCOMP_RET_KILL_PROCESS}, // 32-bit calls have other numbers
		{Code: load, K: atNumber},
		{Code: ifAbove, K: 1 << 30, Jf: 1}, // and so has x32
		{Code: answer, K: denied},
	}
	for _, call := range slices.Concat(old, refused) {
		p = append(p, unix.SockFilter{Code: ifEqual, K: call, Jf: 1}, unix.SockFilter{Code: answer, K: denied})
	}
	return append(p,
		// LibreOffice insists on a socket in /tmp where others could hand it
		// documents. It gets one that leads nowhere.
		unix.SockFilter{Code: ifEqual, K: unix.SYS_BIND, Jt: 1},
		unix.SockFilter{Code: ifEqual, K: unix.SYS_LISTEN, Jf: 1},
		unix.SockFilter{Code: answer, K: ignored},
		unix.SockFilter{Code: ifEqual, K: unix.SYS_SOCKET, Jt: 1},
		unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: load, K: atFamily},
		unix.SockFilter{Code: ifEqual, K: unix.AF_UNIX, Jt: 1},
		unix.SockFilter{Code: answer, K: denied},
		unix.SockFilter{Code: load, K: atKind},
		unix.SockFilter{Code: mask, K: 0xf}, // without SOCK_CLOEXEC and SOCK_NONBLOCK
		unix.SockFilter{Code: ifEqual, K: unix.SOCK_STREAM, Jt: 1},
		unix.SockFilter{Code: answer, K: denied}, // a datagram needs no connection
		unix.SockFilter{Code: answer, K: unix.SECCOMP_RET_ALLOW},
	)
}

// restrictCalls puts the filter on this thread, and so on what it becomes.
func restrictCalls() error {
	m, ok := machines[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("no filter of system calls for %s", runtime.GOARCH)
	}
	p := filter(m.audit, m.old)
	program := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	runtime.KeepAlive(p)
	if err != nil {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}
