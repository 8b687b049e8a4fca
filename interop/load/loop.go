package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	drainTime  = 10 * time.Second      // for the answers that are still missing at the end
	retryTime  = 10 * time.Millisecond // before connecting again
	timerIndex = -1                    // of the timer in epoll's events
)

// loop is the one thread that serves all connections.
type loop struct {
	o           Options
	to          unix.Sockaddr
	family      int
	epoll       int
	template    *template
	reader      reader
	connections []*connection
	idle        []*connection
	waiting     queue // when requests were to begin that found no free connection

	start           time.Time // zero of all durations
	asked, granted  int
	errors, refused int
	broken          int
	firstErr        error
	latency, late   histogram
	serials         []uint64
	kept            []kept
	stop, nextBegin time.Duration
	every           time.Duration
	down            int // connections that are to be opened again
}

// kept is an answer to be verified when the load is over.
type kept struct{ imprint, response []byte }

func newLoop(o Options) (*loop, error) {
	to, family, err := address(o.Addr)
	if err != nil {
		return nil, err
	}
	t, err := newTemplate(o.Addr, o.Path, o.Header)
	if err != nil {
		return nil, err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	l := &loop{o: o, to: to, family: family, epoll: epoll, template: t, start: time.Now()}
	for i := range o.Clients {
		c := &connection{fd: -1, request: bytes.Clone(t.bytes), in: make([]byte, maxAnswer)}
		l.connections = append(l.connections, c)
		if err := c.connect(epoll, to, family, int32(i)); err != nil {
			if !o.Stubborn {
				l.close()
				return nil, err
			}
			l.down++
			continue
		}
		l.idle = append(l.idle, c)
	}
	return l, nil
}

func (l *loop) close() {
	for _, c := range l.connections {
		c.close()
	}
	unix.Close(l.epoll)
}

// forget sets what was counted to nothing. Serial numbers are remembered.
func (l *loop) forget() {
	l.asked, l.granted, l.errors, l.refused, l.broken, l.firstErr = 0, 0, 0, 0, 0, nil
	l.latency, l.late, l.kept = histogram{}, histogram{}, nil
}

func (l *loop) now() time.Duration { return time.Since(l.start) }

// run sends for d and waits for what is then missing.
func (l *loop) run(ctx context.Context, d time.Duration) error {
	l.stop = l.now() + d
	timer := -1
	if l.o.Rate > 0 {
		l.every = time.Second / time.Duration(l.o.Rate)
		l.nextBegin = l.now()
		var err error
		if timer, err = l.startTimer(); err != nil {
			return err
		}
		defer unix.Close(timer)
	}
	var ticks [8]byte
	events := make([]unix.EpollEvent, 256)
	last := l.stop + drainTime
	for ctx.Err() == nil {
		now := l.now()
		select {
		case <-l.o.End:
			l.stop = min(l.stop, now)
			last = l.stop + drainTime
		default:
		}
		l.revive(now)
		l.begin(now)
		if now >= l.stop && (l.quiet() || now >= last) {
			break
		}
		n, err := unix.EpollWait(l.epoll, events, l.patience(now))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("load: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			if e.Fd != timerIndex {
				l.serve(l.connections[e.Fd])
			} else if _, err := unix.Read(timer, ticks[:]); err != nil && err != unix.EAGAIN { // the kernel starts it again when it is read
				return fmt.Errorf("load: %w", err)
			}
		}
	}
	for _, c := range l.connections {
		if c.busy {
			l.lose(c, errors.New("no answer within 10 s"))
		}
	}
	l.asked += l.waiting.len() // they were to be sent
	l.errors += l.waiting.len()
	l.waiting = queue{}
	return ctx.Err()
}

// startTimer has epoll wake at the times at which requests begin; its own
// time-out is in milliseconds.
func (l *loop) startTimer() (int, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return 0, fmt.Errorf("load: %w", err)
	}
	each := unix.NsecToTimespec(int64(l.every))
	err = unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: each, Value: each}, nil)
	if err == nil {
		err = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: timerIndex})
	}
	if err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("load: %w", err)
	}
	return fd, nil
}

// patience is how long epoll may wait, in milliseconds, if nothing happens.
func (l *loop) patience(now time.Duration) int {
	if l.down > 0 || now >= l.stop {
		return int(retryTime / time.Millisecond)
	}
	return min(100, int((l.stop-now)/time.Millisecond)+1)
}

// quiet reports whether nothing is under way.
func (l *loop) quiet() bool { return len(l.idle)+l.down == len(l.connections) && l.waiting.len() == 0 }

// begin starts what is due: in the closed loop on every free connection, in the
// open loop what the time says and what waited before.
func (l *loop) begin(now time.Duration) {
	if l.o.Rate == 0 {
		for now < l.stop && len(l.idle) > 0 {
			l.send(l.now(), false)
		}
		return
	}
	for ; l.nextBegin <= now && l.nextBegin < l.stop; l.nextBegin += l.every {
		l.waiting.push(l.nextBegin)
		if len(l.idle) > 0 && l.waiting.len() == 1 {
			l.send(l.waiting.pop(), true)
		}
	}
	for l.waiting.len() > 0 && len(l.idle) > 0 {
		l.send(l.waiting.pop(), false)
	}
}

// send starts a request on a free connection. free: it could have been sent at
// the time at which it was to begin, so how late it is tells about ourselves.
func (l *loop) send(intended time.Duration, free bool) {
	c := l.idle[len(l.idle)-1]
	l.idle = l.idle[:len(l.idle)-1]
	l.template.next(c.request)
	l.asked++
	if free {
		l.late.add(l.now() - intended)
	}
	if err := c.send(intended); err != nil {
		l.lose(c, err)
	}
}

// serve reads what came on a connection.
func (l *loop) serve(c *connection) {
	if c.fd < 0 {
		return // lost in this same round
	}
	open, err := c.receive()
	if !open {
		if err == nil && c.busy {
			err = errors.New("the server closed the connection before it answered")
		}
		l.lose(c, err)
		return
	}
	if !c.busy {
		l.lose(c, errors.New("the server sent something that was not asked for"))
		return
	}
	status, body, size, err := l.reader.answer(c.in[:c.have])
	switch {
	case err == errMore && c.have < len(c.in):
	case err != nil:
		l.lose(c, err)
	case size != c.have:
		l.lose(c, errors.New("the server sent more than one answer"))
	default:
		l.take(c, status, body)
		c.busy, c.have = false, 0
		l.idle = append(l.idle, c)
		if l.o.Rate == 0 {
			l.begin(l.now())
		}
	}
}

// take counts an answer.
func (l *loop) take(c *connection, status int, body []byte) {
	t := l.template
	imprint := c.request[t.imprint : t.imprint+32]
	if status != 200 {
		l.fault(fmt.Errorf("HTTP status %d: %s", status, words(body[:min(len(body), 200)])))
		return
	}
	serial, err := granted(body, imprint, c.request[t.nonce:t.nonce+8])
	if err != nil {
		if errors.As(err, new(*refused)) {
			l.refused++
		}
		l.fault(err)
		return
	}
	l.latency.add(l.now() - c.intended)
	l.granted++
	if l.o.Serials {
		l.serials = append(l.serials, serial)
	}
	if l.o.Verify > 0 && l.granted%l.o.Verify == 1%l.o.Verify {
		l.kept = append(l.kept, kept{bytes.Clone(imprint), bytes.Clone(body)})
	}
	if l.o.OnAnswer != nil {
		l.o.OnAnswer(imprint, serial, body)
	}
}

func (l *loop) fault(err error) {
	l.errors++
	if l.firstErr == nil {
		l.firstErr = err
	}
}

// lose gives a connection up, to be opened again.
func (l *loop) lose(c *connection, err error) {
	switch {
	case c.busy && l.o.Stubborn:
		l.broken++
	case err != nil && !l.o.Stubborn:
		l.fault(err)
	}
	for i, other := range l.idle {
		if other == c {
			l.idle = append(l.idle[:i], l.idle[i+1:]...)
			break
		}
	}
	c.close()
	c.again = l.now() + retryTime
	l.down++
}

// revive opens the connections that were lost.
func (l *loop) revive(now time.Duration) {
	if l.down == 0 || now >= l.stop {
		return
	}
	for i, c := range l.connections {
		if c.fd >= 0 || now < c.again {
			continue
		}
		if err := c.connect(l.epoll, l.to, l.family, int32(i)); err != nil {
			c.again = l.now() + retryTime
			if !l.o.Stubborn {
				l.fault(err)
			}
			continue
		}
		l.down--
		l.idle = append(l.idle, c)
	}
}

// queue is first in, first out.
type queue struct {
	items []time.Duration
	from  int
}

func (q *queue) len() int             { return len(q.items) - q.from }
func (q *queue) push(d time.Duration) { q.items = append(q.items, d) }

func (q *queue) pop() time.Duration {
	d := q.items[q.from]
	if q.from++; q.from == len(q.items) {
		q.items, q.from = q.items[:0], 0
	}
	return d
}
