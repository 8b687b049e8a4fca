package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"

	"sigillo/confine"
	"sigillo/hsm"
	"sigillo/rlimit"
)

// Measure is something the vault does to be closed to others, or unable to reach
// them, and whether it is in force.
type Measure struct {
	What   string `json:"what"`
	Held   bool   `json:"held"`
	Detail string `json:"detail,omitempty"` // the limits of it, or why it is not in force
}

// confine takes from the process what a vault that serves does not need, for good:
// new programs and processes, files that are not its own, the network, the memory
// and signals of others, and what changes the system. Modules are loaded, the state
// is open and the socket bound; a child of the vault, if there is to be one, has
// been started, and can't be started again nor sent a signal: to end it, close its
// pipe.
//
// Why a list of what is refused, and not of what is allowed: the calls that a
// PKCS#11 module, the C library and Go's runtime make are not ours to know, and
// change with each update; a vault that dies in mid-signature of a new one would be
// switched off. What is listed reaches past the process, or makes a later attack
// easier; files and TCP are for landlock, which allows what is named and nothing
// else.
func (v *server) confine() {
	keep, others := v.capabilities()
	capabilities := "but to lock memory"
	if others != "" {
		capabilities += ", and to reach files of other users, such as " + others + " (CAP_DAC_OVERRIDE)"
	}
	v.held("no capabilities", confine.KeepCapabilities(keep...), capabilities)
	v.held("descriptors", rlimit.Set(unix.RLIMIT_NOFILE, maxDescriptors), fmt.Sprintf("at most %d", maxDescriptors))
	detail, err := v.confineAccess()
	v.held("files and TCP (landlock)", err, detail)
	p, err := confine.Program(v.calls()...)
	if err == nil {
		err = confine.FilterProcess(p)
	}
	v.held("system calls (seccomp)", err, "no new program, process or "+v.sockets()+"socket")
}

// maxDescriptors has room for all connections, the databases and a module's files.
const maxDescriptors = 1024

// held notes a measure for [Status], and logs one that is not in force.
func (v *server) held(what string, err error, detail string) {
	m := Measure{What: what, Held: err == nil, Detail: detail}
	if err != nil {
		m.Detail = err.Error()
		v.log.Warn("the vault is less confined than it could be", "measure", what, "err", err)
	}
	v.measures = append(v.measures, m)
}

// Access to files: what may be read in a folder, and what may be done in one's own.
const (
	reading = landlocksys.AccessFSReadFile | landlocksys.AccessFSReadDir
	working = reading | landlocksys.AccessFSWriteFile | landlocksys.AccessFSTruncate | landlocksys.AccessFSMakeReg |
		landlocksys.AccessFSMakeDir | landlocksys.AccessFSMakeSock | landlocksys.AccessFSRemoveFile | landlocksys.AccessFSRemoveDir |
		landlocksys.AccessFSResolveUnix // chronyd's socket, or that of a token's service
)

// confineAccess leaves the files that the vault needs while it serves. The library's
// best effort would do nothing at all on a kernel without landlock.
func (v *server) confineAccess() (detail string, err error) {
	abi, err := landlocksys.LandlockGetABIVersion()
	if err != nil || abi < 1 {
		return "", errors.New("this kernel has no landlock (Linux 5.13 or newer, not switched off)")
	}
	own, read := v.files()
	rules := []landlock.Rule{
		// Libraries: a module may load more of them, and is loaded again when its
		// token comes back. They are mapped, not executed.
		landlock.PathAccess(reading, "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share/zoneinfo").IgnoreIfMissing(),
		landlock.PathAccess(landlocksys.AccessFSReadFile, "/etc/ld.so.cache", "/etc/localtime", "/etc/ssl/openssl.cnf",
			"/dev/urandom", "/dev/random", "/dev/zero").IgnoreIfMissing(),
		landlock.RWFiles("/dev/null").IgnoreIfMissing(),
	}
	for _, path := range own {
		rules = append(rules, pathRule(path, working))
	}
	for _, path := range read {
		rules = append(rules, pathRule(path, reading))
	}
	detail = "none but its own state, its token's and libraries; no TCP"
	if v.cfg.Network {
		for _, path := range forNames {
			rules = append(rules, pathRule(path, reading))
		}
		detail = "none but its own state, its token's, libraries and what names are looked up with; TCP is open"
	} else if abi < 4 {
		detail += " (by the filter of system calls alone: Linux before 6.7)"
	}
	all := landlock.V11
	if v.cfg.Network {
		all.HandledAccessNet = 0
	}
	if err := all.BestEffort().Restrict(rules...); err != nil {
		return "", fmt.Errorf("landlock: %w", err)
	}
	return detail, nil
}

// forNames is what the C library looks names of hosts up with, and what TLS trusts.
var forNames = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services",
	"/etc/protocols", "/etc/ssl/certs", "/usr/share/ca-certificates", "/run/systemd/resolve"}

// pathRule allows access to a file or to all that is in a folder; to nothing if
// there is neither.
func pathRule(path string, access landlock.AccessFSSet) landlock.Rule {
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		access &= landlocksys.AccessFSReadFile | landlocksys.AccessFSWriteFile | landlocksys.AccessFSTruncate
	}
	return landlock.PathAccess(access, path).IgnoreIfMissing()
}

// files are the files and folders that the vault works in, and those it reads.
func (v *server) files() (own, read []string) {
	own = []string{filepath.Dir(v.cfg.StateDB), filepath.Dir(v.cfg.Socket)}
	own = append(own, v.cfg.Files...)
	theirs, config := hsm.Files(v.cfg.Arguments)
	own, read = append(own, theirs...), append(read, config...)
	read = append(read, v.cfg.Module, v.cfg.PINFile)
	if t := v.cfg.TSA; t != nil {
		for _, address := range []string{t.Clock.Chrony, t.Clock.Second} {
			if filepath.IsAbs(address) { // it answers to a socket that is made beside its own
				own = append(own, filepath.Dir(address))
			}
		}
		if t.PassphraseFile != "" { // another file has its name when it was replaced
			read = append(read, filepath.Dir(t.PassphraseFile))
		}
		if t.Clock.ReplyDir != "" {
			own = append(own, t.Clock.ReplyDir)
		}
	}
	return own, read
}

// refusedCalls are calls that no vault makes.
var refusedCalls = slices.Concat(oldCalls, []uint32{
	// other programs and processes, and their memory
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
	unix.SYS_PROCESS_MADVISE, unix.SYS_KCMP, unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL,
	unix.SYS_PERSONALITY, unix.SYS_MEMFD_CREATE, unix.SYS_USERFAULTFD, unix.SYS_PERF_EVENT_OPEN, unix.SYS_BPF,
	// what the filter does not see into
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_SECCOMP,
	// other views of files
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_MKNODAT,
	unix.SYS_FANOTIFY_INIT, unix.SYS_QUOTACTL,
	// whose files are and who may use them, which landlock does not look at; see modeCalls
	unix.SYS_FCHMODAT2, unix.SYS_FCHOWNAT, unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_FSETXATTR, unix.SYS_SETXATTRAT,
	unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_FREMOVEXATTR, unix.SYS_REMOVEXATTRAT, unix.SYS_UTIMENSAT, unix.SYS_FILE_SETATTR,
	// the system
	unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
	unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	// keys that all processes of a user share, and other users
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID, unix.SYS_SETRESUID, unix.SYS_SETRESGID,
	unix.SYS_SETGROUPS, unix.SYS_SETFSUID, unix.SYS_SETFSGID, unix.SYS_CAPSET,
})

// sharedCalls are memory and queues that processes share: some modules speak with
// their service on this machine through them.
var sharedCalls = []uint32{unix.SYS_SHMGET, unix.SYS_SHMAT, unix.SYS_SEMGET, unix.SYS_MSGGET, unix.SYS_MQ_OPEN}

// modeCalls are the rules about who may use a file. Of one that is open, as databases
// and modules make theirs, the mode may be changed, but not so that everybody writes it or
// runs it as its owner. (Its owner may too: without a capability that gives a file to
// groups of ours only.) Of one that is named only that of the clock's socket, which
// chronyd, another user, answers to.
func (v *server) modeCalls() []confine.Rule {
	named := confine.Rule{Calls: []uint32{unix.SYS_FCHMODAT}, Answer: confine.Deny}
	if byPath, _ := v.chronyds(); byPath {
		named.Unless = [][]confine.Match{{{Arg: 2, Is: 0o666}}}
	}
	return []confine.Rule{named,
		{Calls: []uint32{unix.SYS_FCHMOD}, Answer: confine.Deny, Unless: [][]confine.Match{{{Arg: 1, Mask: 0o7002, Is: 0}}}}}
}

// calls are the rules of the filter.
func (v *server) calls() []confine.Rule {
	rules := []confine.Rule{
		{Calls: refusedCalls, Answer: confine.Deny},
		// Its flags are in memory, where a filter does not see them; the C library
		// then makes its threads with clone.
		{Calls: []uint32{unix.SYS_CLONE3}, Answer: confine.Unknown},
		{Calls: []uint32{unix.SYS_CLONE}, Answer: confine.Deny,
			Unless: [][]confine.Match{{{Arg: 0, Mask: unix.CLONE_THREAD, Is: unix.CLONE_THREAD}}}},
	}
	rules = append(rules, v.modeCalls()...)
	if v.cfg.Network {
		families := [][]confine.Match{}
		for _, family := range []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK} {
			families = append(families, []confine.Match{{Arg: 0, Is: family}})
		}
		return append(rules, confine.Rule{Calls: []uint32{unix.SYS_SOCKET}, Answer: confine.Deny, Unless: families})
	}
	byPath, byAddress := v.chronyds()
	var datagrams [][]confine.Match
	if byPath {
		datagrams = append(datagrams, datagram(unix.AF_UNIX))
	}
	if byAddress {
		datagrams = append(datagrams, datagram(unix.AF_INET), datagram(unix.AF_INET6))
	}
	return append(rules, confine.Rule{Calls: sharedCalls, Answer: confine.Deny},
		confine.Rule{Calls: []uint32{unix.SYS_SOCKET}, Answer: confine.Deny, Unless: datagrams})
}

func datagram(family uint32) []confine.Match {
	return []confine.Match{{Arg: 0, Is: family}, {Arg: 1, Mask: 0xf, Is: unix.SOCK_DGRAM}}
}

// chronyds says how those that the clock asks are reached.
func (v *server) chronyds() (byPath, byAddress bool) {
	if v.cfg.TSA == nil {
		return false, false
	}
	for _, address := range []string{v.cfg.TSA.Clock.Chrony, v.cfg.TSA.Clock.Second} {
		byPath = byPath || filepath.IsAbs(address)
		byAddress = byAddress || address != "" && !filepath.IsAbs(address)
	}
	return byPath, byAddress
}

// sockets are those that may be made, in words for [Status].
func (v *server) sockets() string {
	byPath, byAddress := v.chronyds()
	switch {
	case v.cfg.Network:
		return "strange "
	case byPath || byAddress:
		return "other than chronyd's "
	}
	return ""
}
