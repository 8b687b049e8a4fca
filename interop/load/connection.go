package load

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// maxAnswer bounds an answer: the largest token is below 8 KiB.
const maxAnswer = 64 << 10

// connection is one client. It has at most one request under way.
type connection struct {
	fd       int // -1: not connected
	request  []byte
	in       []byte
	have     int
	busy     bool
	intended time.Duration // when the request under way was to begin
	again    time.Duration // when to connect again
}

// address resolves host:port once.
func address(hostPort string) (unix.Sockaddr, int, error) {
	a, err := net.ResolveTCPAddr("tcp", hostPort)
	if err != nil {
		return nil, 0, fmt.Errorf("load: %w", err)
	}
	ip := a.AddrPort().Addr().Unmap()
	if !ip.IsValid() {
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if ip.Is4() {
		return &unix.SockaddrInet4{Port: a.Port, Addr: ip.As4()}, unix.AF_INET, nil
	}
	return &unix.SockaddrInet6{Port: a.Port, Addr: ip.As16()}, unix.AF_INET6, nil
}

// connect opens the connection and has it watched.
func (c *connection) connect(epoll int, to unix.Sockaddr, family int, index int32) error {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	// The socket blocks while it connects; the time-out for sending bounds that.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 1})
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err = unix.Connect(fd, to); err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err == nil {
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: index})
	}
	if err != nil {
		unix.Close(fd)
		return fmt.Errorf("load: connecting: %w", err)
	}
	c.fd, c.have, c.busy = fd, 0, false
	return nil
}

func (c *connection) close() {
	if c.fd >= 0 {
		unix.Close(c.fd) // leaves the epoll by itself
	}
	c.fd, c.busy, c.have = -1, false, 0
}

// send starts the request that stands in c.request.
func (c *connection) send(intended time.Duration) error {
	n, err := unix.Write(c.fd, c.request)
	if err == nil && n < len(c.request) {
		err = fmt.Errorf("only %d octets of the request could be sent", n)
	}
	if err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	c.busy, c.intended = true, intended
	return nil
}

// receive reads what there is. It gives false when there is nothing more to come
// from this connection.
func (c *connection) receive() (open bool, err error) {
	n, err := unix.Read(c.fd, c.in[c.have:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return true, nil
	case err != nil:
		return false, fmt.Errorf("receiving: %w", err)
	case n == 0:
		return false, nil
	}
	c.have += n
	return true, nil
}
