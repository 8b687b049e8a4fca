package confine

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Answers to a system call.
const (
	Allow   = uint32(unix.SECCOMP_RET_ALLOW)
	Deny    = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	Unknown = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS) // as if the kernel had no such call
	Ignore  = uint32(unix.SECCOMP_RET_ERRNO)               // not done, and reported as done
)

// Rule is how some system calls are answered. A call is allowed if, for one of the
// lists in Unless, all its arguments match; else it gets Answer.
type Rule struct {
	Calls  []uint32
	Answer uint32
	Unless [][]Match
}

// Match compares the lower half of an argument, counted from 0, under a mask. Mask 0
// stands for all its bits. (Numbers that are an int or flags to the kernel have
// nothing in the upper half that it looks at.)
type Match struct {
	Arg      int
	Mask, Is uint32
}

// machines are the numbers of processors in the filter's input.
var machines = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// Where the filter's input (struct seccomp_data) has the call's number, the
// processor and the low half of the first argument. Both processors are
// little-endian.
const (
	atNumber, atMachine, atArguments = 0, 4, 16

	load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	ifEqual = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	ifAbove = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	mask    = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	answer  = unix.BPF_RET | unix.BPF_K
)

// Program is the filter that follows the rules, the first that names a call, and
// allows all others. A jump skips as many instructions as it says: Jt where the
// comparison holds, Jf where not.
func Program(rules ...Rule) ([]unix.SockFilter, error) {
	machine, ok := machines[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("no filter of system calls for %s", runtime.GOARCH)
	}
	p := []unix.SockFilter{
		{Code: load, K: atMachine},
		{Code: ifEqual, K: machine, Jt: 1},
		{Code: answer, K: unix.SECCOMP_RET_KILL_PROCESS}, // 32-bit calls have other numbers
		{Code: load, K: atNumber},
		{Code: ifAbove, K: 1 << 30, Jf: 1}, // and so has x32
		{Code: answer, K: Deny},
	}
	for _, r := range rules {
		verdict := r.compile()
		if len(verdict) > math.MaxUint8 {
			return nil, fmt.Errorf("a rule of %d instructions is too long", len(verdict))
		}
		for _, call := range r.Calls {
			p = append(p, unix.SockFilter{Code: ifEqual, K: call, Jf: uint8(len(verdict))})
			p = append(p, verdict...)
		}
	}
	if p = append(p, unix.SockFilter{Code: answer, K: Allow}); len(p) > 4096 { // BPF_MAXINSNS
		return nil, fmt.Errorf("a filter of %d instructions is too long", len(p))
	}
	return p, nil
}

// compile is what decides once the call is known to be the rule's.
func (r Rule) compile() (p []unix.SockFilter) {
	for _, list := range r.Unless {
		var one []unix.SockFilter
		for i := len(list) - 1; i >= 0; i-- { // backwards: each knows how much follows
			m := list[i]
			left := uint8(len(one) + 1) // the rest of the list, and "allow"
			part := []unix.SockFilter{{Code: load, K: uint32(atArguments + 8*m.Arg)}}
			if m.Mask != 0 {
				part = append(part, unix.SockFilter{Code: mask, K: m.Mask})
			}
			part = append(part, unix.SockFilter{Code: ifEqual, K: m.Is, Jf: left})
			one = append(part, one...)
		}
		p = append(append(p, one...), unix.SockFilter{Code: answer, K: Allow})
	}
	return append(p, unix.SockFilter{Code: answer, K: r.Answer})
}

// FilterThread puts a filter on this thread, and so on what it becomes. The thread
// must be locked and have no way to new privileges.
func FilterThread(program []unix.SockFilter) error {
	return install(program, 0)
}

// FilterProcess puts a filter on all threads of the process, and takes from them the
// ways to new privileges.
func FilterProcess(program []unix.SockFilter) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	return install(program, unix.SECCOMP_FILTER_FLAG_TSYNC)
}

func install(p []unix.SockFilter, flags uintptr) error {
	program := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	blocked, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(p)
	switch {
	case errno != 0:
		return fmt.Errorf("seccomp: %w", errno)
	case blocked != 0:
		return fmt.Errorf("seccomp: thread %d has a filter of its own", blocked)
	}
	return nil
}
