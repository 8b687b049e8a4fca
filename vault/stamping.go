package vault

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"sync"
	"time"

	"sigillo/formats/cms"
	"sigillo/tsa"
)

const (
	maxSends  = 4                // times an order is sent, when vault after vault dies
	stampWait = 60 * time.Second // for an order whose caller has set no limit
	redialGap = 100 * time.Millisecond
)

// stamping is the client's end of the stream of stamps: one connection, opened at
// the first stamp and again whenever it breaks. What was sent and not answered then
// is sent again; a token that was made and lost leaves a gap in the serial numbers.
type stamping struct {
	c     *Client
	begin sync.Once
	ctx   context.Context // ends when the client is closed
	quit  context.CancelFunc
	room  chan struct{} // one taken for each order that waits for its answer
	kick  chan struct{} // room for one: something is queued

	mu     sync.Mutex
	closed bool                // guarded by mu
	last   uint64              // guarded by mu; the last identifier given
	queue  []*waiting          // guarded by mu; to be sent
	sent   map[uint64]*waiting // guarded by mu; sent and not answered
}

// waiting is an order and who waits for it.
type waiting struct {
	id      uint64
	request []byte // a copy: the caller may leave
	sends   int
	since   time.Time
	result  outcome
	done    chan struct{} // room for one, so that nobody waits for a caller that left
}

var waitings = sync.Pool{New: func() any { return &waiting{done: make(chan struct{}, 1)} }}

func newStamping(c *Client) *stamping {
	s := &stamping{c: c, room: make(chan struct{}, maxOpen), kick: make(chan struct{}, 1), sent: make(map[uint64]*waiting)}
	s.ctx, s.quit = context.WithCancel(context.Background())
	return s
}

// Stamp has the vault make a time-stamp: it is the [tsa.Backend] of the front end.
// Orders of many goroutines share one connection and its system calls. An order
// whose vault dies is sent again once the vault is back. The error is always a
// [*tsa.Error]; Unavailable when the vault does not answer until ctx ends, or
// within a minute.
func (c *Client) Stamp(ctx context.Context, request []byte) (tsa.Stamp, error) {
	s := c.stamping
	if len(request) > maxOrder {
		return tsa.Stamp{}, &tsa.Error{Kind: tsa.BadRequest, Msg: "the request is wrong",
			Err: &cms.Refusal{FailureInfo: cms.BadDataFormat, Text: "the request is larger than any time-stamp request"}}
	}
	if len(request) == 0 { // as the strict reader would say; frames want something inside
		request = []byte{0}
	}
	select {
	case s.room <- struct{}{}:
	default:
		select {
		case s.room <- struct{}{}:
		case <-ctx.Done():
			return tsa.Stamp{}, noStamp("too many time-stamps are asked for; try again", ctx.Err())
		}
	}
	c.Attend()
	w := waitings.Get().(*waiting)
	w.request, w.sends, w.since = append(w.request[:0], request...), 0, time.Now()
	if !s.enqueue(w) {
		<-s.room
		return tsa.Stamp{}, noStamp("the connection to the vault has been closed", nil)
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		return tsa.Stamp{}, noStamp("the time-stamp was not made in time", ctx.Err())
	}
	r := w.result
	w.result = outcome{}
	waitings.Put(w)
	return r.stamp, r.err
}

// Attend opens the stream of stamps before the first stamp is asked for. A process
// that stands by the vault for its whole life calls it once: whatever happens then,
// it has the ticket of an activation, see [Client.ActivateUnit], and brings the units
// back when the vault is started again, without waiting for somebody to stamp.
func (c *Client) Attend() {
	c.stamping.begin.Do(func() { go c.stamping.run() })
}

func noStamp(msg string, err error) error {
	return &tsa.Error{Kind: tsa.Unavailable, Msg: msg, Err: err}
}

func (s *stamping) enqueue(w *waiting) bool {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return false
	}
	s.last++
	w.id = s.last
	s.queue = append(s.queue, w)
	first := len(s.queue) == 1
	s.mu.Unlock()
	if first {
		s.wake()
	}
	return true
}

func (s *stamping) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// settle gives an order its outcome. It is in no list any more.
func (s *stamping) settle(w *waiting, o outcome) {
	w.result = o
	w.done <- struct{}{}
	<-s.room
}

// close ends the stream; orders that wait are told.
func (s *stamping) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.quit()
	s.failAll(fail(Unavailable, "the connection to the vault has been closed"))
}

// run keeps a stream open until the client is closed.
func (s *stamping) run() {
	go s.sweep()
	for s.ctx.Err() == nil {
		conn, err := s.open()
		if err != nil {
			s.failAll(err)
			s.idle()
			continue
		}
		s.again()
		s.converse(conn)
		select { // one that breaks at once must not keep two processes busy
		case <-s.ctx.Done():
		case <-time.After(redialGap):
		}
	}
}

// idle waits for an order: without one a vault that is away, or refuses, is not
// asked again.
func (s *stamping) idle() {
	select {
	case <-s.ctx.Done():
	case <-s.kick:
		s.wake() // it is still to be sent
	}
}

// open connects and asks for the stream. While the vault is away it waits, as long
// as a parent needs to start it again.
func (s *stamping) open() (*net.UnixConn, error) {
	ctx, cancel := context.WithTimeout(s.ctx, callTimeout)
	defer cancel()
	conn, err := s.c.dial(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.c.upgrade(ctx, conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// converse sends and receives until the connection breaks or the client is closed.
func (s *stamping) converse(conn *net.UnixConn) {
	gone := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		s.send(conn, gone)
		conn.Close()
	})
	if err := s.receive(conn); err != nil && s.ctx.Err() == nil && !broken(err) {
		slog.Warn("the stream of stamps broke", "room", "vault", "err", err)
	}
	close(gone)
	conn.Close()
	writer.Wait()
}

// send writes what is queued, all there is at a time.
func (s *stamping) send(conn *net.UnixConn, gone chan struct{}) {
	var out []byte
	var batch []*waiting
	for {
		select {
		case <-s.kick:
		case <-gone:
			return
		case <-s.ctx.Done():
			return
		}
		runtime.Gosched() // callers who are about to order go with it
		s.mu.Lock()
		batch, s.queue = s.queue, batch[:0]
		for _, w := range batch {
			w.sends++
			s.sent[w.id] = w
			out = appendOrder(out, w.id, w.request)
		}
		s.mu.Unlock()
		clear(batch)
		if len(out) == 0 {
			continue
		}
		conn.SetWriteDeadline(time.Now().Add(writeWait))
		if _, err := conn.Write(out); err != nil {
			return
		}
		if out = out[:0]; cap(out) > 1<<20 {
			out = nil
		}
	}
}

// receive hands the answers to who waits for them.
func (s *stamping) receive(conn *net.UnixConn) error {
	in := bufio.NewReaderSize(conn, 4+maxAnswer+streamBuffer)
	seen := newNames()
	for {
		frame, err := nextFrame(in, maxAnswer)
		if err != nil {
			return err
		}
		id, rest := splitID(frame)
		o, err := parseAnswer(rest, seen)
		if err == nil {
			err = o.last
		}
		if err != nil {
			return err
		}
		if o.ticket != nil {
			s.c.keepTicket(o.ticket)
			continue
		}
		s.mu.Lock()
		w := s.sent[id]
		delete(s.sent, id)
		s.mu.Unlock()
		if w == nil { // given up meanwhile
			continue
		}
		s.settle(w, o)
	}
}

// again queues what was sent over a connection that broke, before what came later.
func (s *stamping) again() {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lost []*waiting
	for id, w := range s.sent {
		delete(s.sent, id)
		if w.sends >= maxSends {
			s.settle(w, outcome{err: noStamp("the vault died over and over while it made the time-stamp; see its log", nil)})
			continue
		}
		lost = append(lost, w)
	}
	slices.SortFunc(lost, func(a, b *waiting) int { return cmp.Compare(a.id, b.id) })
	if s.queue = append(lost, s.queue...); len(s.queue) > 0 {
		s.wake()
	}
}

// failAll ends all that waits.
func (s *stamping) failAll(cause error) {
	msg := "the vault does not answer; try again"
	if own, ok := errors.AsType[*Error](cause); ok {
		msg = own.Msg
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.queue {
		s.settle(w, outcome{err: noStamp(msg, cause)})
	}
	clear(s.queue)
	s.queue = s.queue[:0]
	for id, w := range s.sent {
		delete(s.sent, id)
		s.settle(w, outcome{err: noStamp(msg, cause)})
	}
}

// sweep ends the orders that have waited too long.
func (s *stamping) sweep() {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-t.C:
			s.giveUp(now.Add(-stampWait))
		}
	}
}

func (s *stamping) giveUp(before time.Time) {
	late := outcome{err: noStamp("the vault did not make the time-stamp in time; try again", nil)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = slices.DeleteFunc(s.queue, func(w *waiting) bool {
		old := w.since.Before(before)
		if old {
			s.settle(w, late)
		}
		return old
	})
	for id, w := range s.sent {
		if w.since.Before(before) {
			delete(s.sent, id)
			s.settle(w, late)
		}
	}
}
