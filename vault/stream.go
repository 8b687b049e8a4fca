package vault

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"sigillo/tsa"
)

const (
	maxOpen      = 1024    // orders of one stream that are not answered
	streamBuffer = 4 << 10 // bytes less than this are not worth keeping apart
	writeWait    = 10 * time.Second
)

// desk makes the stamps that all streams order, by as many goroutines as bring
// something.
type desk struct {
	backend tsa.Backend
	into    intoBackend // the same, if it is one
	log     *slog.Logger
	orders  chan *order
	workers sync.WaitGroup

	mu      sync.Mutex
	streams map[*stream]bool // guarded by mu
}

// intoBackend is a back end that puts the token where it is told, if it fits there.
type intoBackend interface {
	StampInto(ctx context.Context, request, room []byte) (tsa.Stamp, error)
}

// order is a stamp to be made.
type order struct {
	from    *stream
	id      uint64
	request []byte
}

var orders = sync.Pool{New: func() any { return new(order) }}

func newDesk(backend tsa.Backend, workers int, log *slog.Logger) *desk {
	d := &desk{backend: backend, log: log, orders: make(chan *order, maxOpen), streams: make(map[*stream]bool)}
	d.into, _ = backend.(intoBackend)
	for range workers {
		d.workers.Go(d.work)
	}
	return d
}

// close ends the workers. A stream or a worker that hangs in the token is left: the
// process ends.
func (d *desk) close() {
	d.mu.Lock()
	left := len(d.streams)
	d.mu.Unlock()
	if left > 0 {
		d.log.Error("streams of stamps did not end", "streams", left)
		return
	}
	close(d.orders)
	done := make(chan struct{})
	go func() { d.workers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(writeWait):
		d.log.Error("time-stamps under way did not end in time")
	}
}

func (d *desk) work() {
	var room []byte // of the last token, which the stream has copied
	for o := range d.orders {
		s, err := d.stamp(o, room)
		o.from.answer(o.id, &s, err)
		room = s.Token[:0]
		o.from = nil
		orders.Put(o)
	}
}

// stamp asks the back end. What was begun is finished, also when the vault is told
// to stop: hence no context. A panic is a mistake in this program and must not let
// a request stop the vault.
func (d *desk) stamp(o *order, room []byte) (s tsa.Stamp, err error) {
	defer func() {
		if r := recover(); r != nil {
			d.log.Error("panic", "op", opStampStream, "panic", r, "stack", string(debug.Stack()))
			err = &tsa.Error{Kind: tsa.Unavailable, Msg: "the vault failed; see its log"}
		}
	}()
	if d.into != nil {
		return d.into.StampInto(context.Background(), o.request, room[:cap(room)])
	}
	return d.backend.Stamp(context.Background(), o.request)
}

// stream is one connection that carries orders and answers. The reader takes in no
// more than maxOpen orders at a time, so what is held for a peer that does not read
// its answers is bounded, and nobody but its own writer waits for it.
type stream struct {
	conn *net.UnixConn
	kick chan struct{} // room for one: there is something to write, or the end

	mu      sync.Mutex
	room    sync.Cond // of mu; signalled when open sinks, and at the end
	out     []byte    // guarded by mu; answers to be written
	ready   int       // guarded by mu; how many there are in out
	open    int       // guarded by mu; orders taken in whose answers are not written
	reading bool      // guarded by mu; more orders may come
	broken  bool      // guarded by mu; nothing can be written any more
}

// serve takes orders from conn until the peer closes it, sends something else, or
// the read deadline is moved to the past; then it waits for the answers.
func (d *desk) serve(conn *net.UnixConn) {
	s := &stream{conn: conn, kick: make(chan struct{}, 1), reading: true}
	s.room.L = &s.mu
	d.mu.Lock()
	d.streams[s] = true
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.streams, s)
		d.mu.Unlock()
	}()
	var writer sync.WaitGroup
	writer.Go(s.write)
	err := d.read(s)
	s.finish(err)
	writer.Wait()
}

func (d *desk) read(s *stream) error {
	in := bufio.NewReaderSize(s.conn, 4+8+maxOrder+streamBuffer)
	for {
		frame, err := nextFrame(in, 8+maxOrder)
		if err != nil {
			return err
		}
		if !s.admit() {
			return io.ErrClosedPipe
		}
		o := orders.Get().(*order)
		id, request := splitID(frame)
		o.from, o.id, o.request = s, id, append(o.request[:0], request...)
		d.orders <- o
	}
}

// tell hands a ticket to all who have a stream.
func (d *desk) tell(ticket []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.streams {
		s.mu.Lock()
		if s.reading && !s.broken {
			s.out = appendTicket(s.out, ticket)
		}
		s.mu.Unlock()
		s.wake()
	}
}

// admit waits until there is room for an order.
func (s *stream) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.open >= maxOpen && !s.broken {
		s.room.Wait()
	}
	if s.broken {
		return false
	}
	s.open++
	return true
}

// answer leaves an answer for the writer.
func (s *stream) answer(id uint64, stamp *tsa.Stamp, err error) {
	s.mu.Lock()
	if s.broken {
		s.open--
	} else {
		if err != nil {
			s.out = appendRefusal(s.out, id, err)
		} else {
			s.out = appendStamp(s.out, id, stamp)
		}
		s.ready++
	}
	first := s.ready == 1 || s.open == 0
	s.mu.Unlock()
	if first {
		s.wake()
	}
}

func (s *stream) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// finish says that no more orders come. If the peer sent something that is none it
// is told.
func (s *stream) finish(err error) {
	s.mu.Lock()
	s.reading = false
	if own, ok := errors.AsType[*Error](err); ok && !s.broken {
		s.out = appendEnd(s.out, own)
	}
	s.mu.Unlock()
	s.wake()
}

// write sends what answer has left, all there is at a time, until no more orders
// come and all are answered.
func (s *stream) write() {
	var spare []byte
	for range s.kick {
		runtime.Gosched() // what others have ready goes with it
		s.mu.Lock()
		out, n := s.out, s.ready
		s.out, s.ready = spare[:0], 0
		broken := s.broken
		s.mu.Unlock()
		var err error
		if len(out) > 0 && !broken {
			s.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if _, err = s.conn.Write(out); err != nil {
				s.conn.SetReadDeadline(time.Unix(1, 0)) // wake the reader
			}
		}
		if spare = out; cap(spare) > 1<<20 {
			spare = nil
		}
		s.mu.Lock()
		s.open -= n
		s.broken = s.broken || err != nil
		over := !s.reading && s.open == 0 && len(s.out) == 0
		s.mu.Unlock()
		s.room.Signal()
		if over {
			return
		}
	}
}
