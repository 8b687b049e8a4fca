package vault

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigillo/store"
)

const (
	maxConns     = 64
	idleTimeout  = 5 * time.Minute  // between two requests
	frameTimeout = 10 * time.Second // from a frame's first byte to its last
	opTimeout    = 60 * time.Second // for one request
	endTimeout   = 30 * time.Second // for those under way when the vault stops
	maxSocket    = 107              // bytes of sun_path without its zero, unix(7)
)

// listen opens the socket. It is made in a directory nobody else can enter, and
// moved to its place once its mode is right: there is no moment at which others
// could connect. What a vault that died left there is replaced; a living one
// would hold the lock on the state.
func (v *server) listen() (*net.UnixListener, error) {
	path := v.cfg.Socket
	if len(path) > maxSocket {
		return nil, failf(Failed, "the path of the socket has %d bytes; the system allows %d", len(path), maxSocket)
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".v")
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the directory of the socket cannot be written", Err: err}
	}
	defer os.RemoveAll(dir)
	d, err := os.Open(dir)
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the socket cannot be made", Err: err}
	}
	defer d.Close()
	// The path through /proc is short, however long the directory's is.
	short := filepath.Join("/proc/self/fd", strconv.Itoa(int(d.Fd())), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, &Error{Kind: Failed, Msg: "the socket cannot be made", Err: err}
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(filepath.Join(dir, "s"), 0o600)
	if err == nil {
		err = os.Rename(filepath.Join(dir, "s"), path)
	}
	if err != nil {
		l.Close()
		return nil, &Error{Kind: Failed, Msg: "the socket cannot be put in its place", Err: err}
	}
	return l, nil
}

// accept serves connections until ctx ends, then waits for the requests under
// way.
func (v *server) accept(ctx context.Context, l *net.UnixListener) {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var wg sync.WaitGroup
	for {
		conn, err := l.AcceptUnix()
		if ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			break
		}
		if err != nil {
			v.log.Error("no connection could be accepted", "err", err)
			time.Sleep(100 * time.Millisecond) // file descriptors may run out
			continue
		}
		if !v.enter(conn) {
			continue
		}
		wg.Go(func() {
			defer v.leave(conn)
			v.converse(ctx, conn)
		})
	}
	os.Remove(v.cfg.Socket) // ours: the lock on the state is still held
	v.mu.Lock()
	for conn := range v.conns {
		conn.SetReadDeadline(time.Unix(1, 0)) // wake those that wait for a request
	}
	v.mu.Unlock()
	if v.hung.Load() {
		return
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(endTimeout):
		v.log.Error("requests under way did not end in time")
	}
}

// converse answers the requests of one connection in turn.
func (v *server) converse(ctx context.Context, conn *net.UnixConn) {
	for {
		// First the deadline, then the question whether to go on: accept ends
		// the context first and shortens the deadline afterwards.
		conn.SetReadDeadline(time.Now().Add(idleTimeout))
		if ctx.Err() != nil {
			return
		}
		b, err := readFrame(&timedReader{conn: conn})
		if err != nil {
			var own *Error
			if errors.As(err, &own) { // a length out of range: there is no way on
				v.reply(conn, "", nil, err)
			}
			return
		}
		ok := v.serveFrame(ctx, conn, b)
		clear(b)
		if !ok {
			return
		}
	}
}

// timedReader waits long for the first byte of a frame and shortly for the rest.
type timedReader struct {
	conn  *net.UnixConn
	begun bool
}

func (r *timedReader) Read(p []byte) (int, error) {
	if !r.begun {
		n, err := r.conn.Read(p) // under the deadline that is set when idle
		r.begun = true
		r.conn.SetReadDeadline(time.Now().Add(frameTimeout))
		return n, err
	}
	return r.conn.Read(p)
}

// serveFrame answers one request. It goes on when the vault is told to stop or
// the client goes away: what was begun is finished and stored.
func (v *server) serveFrame(ctx context.Context, conn *net.UnixConn, b []byte) bool {
	q, err := parseRequest(b)
	if err != nil {
		return v.reply(conn, "", nil, err)
	}
	defer clear(q.Body)
	if q.Op == opStampStream {
		return v.stampStream(ctx, conn, q)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), opTimeout)
	defer cancel()
	out, err := v.inTurn(ctx, q)
	if err != nil {
		switch KindOf(err) {
		case Busy:
			v.refused.note(q.Op, err)
		case Failed, TokenGone, Tampered, Full:
			v.log.Error("a request failed", "op", q.Op, "err", err)
		}
	}
	return v.reply(conn, q.ID, out, err)
}

// later is what is left of a request when it needs the token no more: it is done
// outside of the queue.
type later func(context.Context) (any, error)

// inTurn does what a request asks for when there is room for it.
func (v *server) inTurn(ctx context.Context, q request) (any, error) {
	leave, err := v.queues[classOf(q.Op)].enter(ctx)
	if err != nil {
		return nil, err
	}
	out, err := v.handle(ctx, q)
	leave()
	if rest, ok := out.(later); ok && err == nil {
		return rest(ctx)
	}
	return out, err
}

// reply sends an answer and reports whether the connection is still good.
func (v *server) reply(conn *net.UnixConn, id string, out any, err error) bool {
	a := answer{ID: id, Error: toWire(err)}
	if err == nil && out != nil {
		if a.Body, err = json.Marshal(out); err != nil {
			a.Error = &wireError{Kind: Failed, Msg: "the answer cannot be encoded"}
		}
	}
	defer clear(a.Body)
	f, err := frame(a)
	if err != nil {
		if f, err = frame(answer{ID: id, Error: toWire(err)}); err != nil {
			return false
		}
	}
	defer clear(f)
	conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, err = conn.Write(f)
	return err == nil
}

// handle does what a request asks for. A panic is answered like a failure: it
// is a mistake in this program, and must not let a client stop the vault.
func (v *server) handle(ctx context.Context, q request) (out any, err error) {
	defer func() {
		if r := recover(); r != nil {
			v.log.Error("panic", "op", q.Op, "panic", r, "stack", string(debug.Stack()))
			out, err = nil, fail(Failed, "the vault failed; see its log")
		}
	}()
	switch q.Op {
	case opStatus:
		return v.status(ctx)
	case opSelfTest:
		r, err := v.tok.SelfTest(ctx)
		return r, because(err, "the token does not enforce what the vault relies on")
	case opCreateKey:
		return with(q, func(b *keyRequest) (any, error) { return v.createKey(ctx, q.ID, b) })
	case opPublicKey:
		return with(q, func(b *keyRequest) (any, error) { return v.publicKey(b.Label) })
	case opSignDigest:
		return with(q, func(b *digestRequest) (any, error) { return v.signDigest(ctx, b) })
	case opEnrol:
		return with(q, func(b *Enrolment) (any, error) {
			defer clear(b.Password)
			return v.enrol(ctx, q.ID, b)
		})
	case opCreateCredential:
		return with(q, func(b *NewCredential) (any, error) {
			defer clear(b.Password)
			return v.createCredential(ctx, q.ID, b)
		})
	case opAuthenticate:
		return with(q, func(b *Authentication) (any, error) {
			defer clear(b.Password)
			return v.authenticate(ctx, q.ID, b)
		})
	case opAuthorise:
		return with(q, func(b *Authorisation) (any, error) {
			defer clear(b.Password)
			return v.authorise(ctx, b)
		})
	case opSign:
		return with(q, func(b *Activation) (any, error) {
			s, err := v.sign(ctx, b)
			return signaturesAnswer{s}, err
		})
	case opExtendSAD:
		return with(q, func(b *Extension) (any, error) { return v.extendSAD(ctx, b) })
	case opDestroyCredential:
		return with(q, func(b *Destruction) (any, error) { return nil, v.destroyCredential(ctx, b) })
	case opDelegate:
		return with(q, func(b *NewDelegation) (any, error) {
			defer clear(b.Password)
			return v.delegate(ctx, b)
		})
	case opDelegations:
		return with(q, func(b *delegationsRequest) (any, error) { return v.delegationsOf(ctx, b.Holder) })
	case opRevokeDelegation:
		return with(q, func(b *delegationsRequest) (any, error) { return nil, v.revokeDelegation(ctx, b) })
	case opAuthoriseDelegated:
		return with(q, func(b *DelegatedAuthorisation) (any, error) { return v.authoriseDelegated(ctx, b) })
	case opWitnessJournal:
		return with(q, func(b *store.Checkpoint) (any, error) { return nil, v.witnessJournal(ctx, b) })
	}
	if strings.HasPrefix(q.Op, "factors-") {
		return v.handleFactors(ctx, q)
	}
	if strings.HasPrefix(q.Op, "counter-") {
		return v.handleCounter(ctx, q)
	}
	if strings.HasPrefix(q.Op, "tsa-") {
		return v.handleTSA(ctx, q)
	}
	return nil, fail(BadRequest, "there is no operation of this name")
}

// handleTSA does what a request about the time-stamping service asks for.
func (v *server) handleTSA(ctx context.Context, q request) (any, error) {
	s := v.tsa
	if s == nil {
		return nil, errNoService
	}
	if s.fault != nil && q.Op != opTSAStatus {
		return nil, s.fault
	}
	switch q.Op {
	case opTSAStatus:
		return s.report(ctx)
	case opTSAPassphrase:
		return with(q, func(b *PassphraseChange) (any, error) {
			defer clear(b.Old)
			defer clear(b.New)
			return nil, s.setPassphrase(ctx, b)
		})
	case opTSAMake:
		return with(q, func(b *NewUnit) (any, error) {
			defer clear(b.Consent.Passphrase)
			return s.makeUnit(ctx, q.ID, b)
		})
	case opTSAInstall:
		return with(q, func(b *installRequest) (any, error) { return s.install(ctx, b) })
	case opTSAWitness:
		return with(q, func(b *witnessRequest) (any, error) { return nil, s.witness(ctx, b) })
	}
	return with(q, func(b *unitRequest) (any, error) {
		defer clear(b.Consent.Passphrase)
		switch q.Op {
		case opTSAActivate:
			return s.activate(ctx, b)
		case opTSAStop:
			return s.stopUnit(ctx, b)
		case opTSARetire:
			return s.retire(ctx, b)
		case opTSALift:
			return nil, s.lift(ctx, b.Consent)
		}
		return nil, fail(BadRequest, "there is no operation of this name")
	})
}

var errNoService = fail(NotAllowed, "this vault makes no time-stamps; configure the time-stamping service")

// stampStream turns the connection into a stream of stamps, and ends when that ends.
// A ticket brings the units back that were active when the vault died, before the
// first order is taken.
func (v *server) stampStream(ctx context.Context, conn *net.UnixConn, q request) bool {
	s := v.tsa
	if s == nil {
		return v.reply(conn, q.ID, nil, errNoService)
	}
	if s.fault != nil {
		return v.reply(conn, q.ID, nil, s.fault)
	}
	out, err := with(q, func(b *streamRequest) (any, error) {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), opTimeout)
		defer cancel()
		if s.authority == nil { // a test of streams
			return streamAnswer{}, nil
		}
		s.resume(within, b.Ticket)
		ticket, err := s.holding(within)
		return streamAnswer{Ticket: ticket}, err
	})
	if !v.reply(conn, q.ID, out, err) || err != nil {
		return false
	}
	conn.SetReadDeadline(time.Time{}) // a stream may be silent
	if ctx.Err() == nil {             // accept ends the context before it wakes the readers
		s.desk.serve(conn)
	}
	return false
}

// with reads the body of a request and passes it on.
func with[T any](q request, do func(*T) (any, error)) (any, error) {
	var body T
	if err := json.Unmarshal(q.Body, &body); err != nil {
		return nil, fail(BadRequest, "the body of the request cannot be read")
	}
	return do(&body)
}
