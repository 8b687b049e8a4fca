package vault

import (
	"errors"
	"net"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// enter admits a connection: from a process of a user who may, when there is room.
// One that it refuses it closes.
func (v *server) enter(conn *net.UnixConn) bool {
	uid, err := peer(conn)
	if err != nil || !v.mayConnect(uid) {
		v.log.Warn("a process of another user was refused", "uid", uid, "err", err)
		conn.Close()
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.conns) >= maxConns {
		v.log.Warn("too many connections")
		go refuse(conn)
		return false
	}
	v.conns[conn] = true
	return true
}

// mayConnect says whether processes of a user are answered.
func (v *server) mayConnect(uid uint32) bool {
	if len(v.cfg.Peers) == 0 {
		return uid == uint32(os.Geteuid())
	}
	return slices.Contains(v.cfg.Peers, uid)
}

func (v *server) leave(conn *net.UnixConn) {
	conn.Close()
	v.mu.Lock()
	delete(v.conns, conn)
	v.mu.Unlock()
}

// refuse tells a client that there is no room.
func refuse(conn *net.UnixConn) {
	defer conn.Close()
	f, err := frame(answer{Error: &wireError{Kind: Busy, Msg: "too many connections to the vault; try again", Retry: 1000}})
	if err == nil {
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		conn.Write(f)
	}
}

// peer returns the user at the other end, as the kernel knows it.
func peer(conn *net.UnixConn) (uint32, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var inner error
	err = raw.Control(func(fd uintptr) { cred, inner = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, inner); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}
