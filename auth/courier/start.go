package courier

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"time"
)

const (
	maxPending  = 64               // orders that wait for their outcome
	sendTimeout = 30 * time.Second // when the caller gives none: the longest timeout, and a little
	writeWait   = 5 * time.Second  // for an order to go into the pipe
	firstPause  = 100 * time.Millisecond
	longPause   = time.Minute // between two starts of a child that keeps dying
	steady      = time.Minute // a child that lived so long has died by chance
)

// Courier is the vault's side: it keeps the child process and sends by it. It is
// safe for concurrent use.
type Courier struct {
	command func() *exec.Cmd
	log     *slog.Logger
	stop    context.CancelFunc
	done    chan struct{}

	mu    sync.Mutex
	child *child // nil while there is none
}

// Start starts the child process and keeps it alive until Close: when it dies it
// is started again, at once the first time and then at growing intervals. command
// makes a command that calls [Run] on its standard input and output; its standard
// error is this process's unless set. Start fails when the first child cannot be
// started at all.
//
// The child has the restrictions of the process at the time it is started, and one
// that gives up the right to start programs, as the vault does, cannot start it
// again: such a one starts a child that calls [Keep], before it gives that up.
func Start(command func() *exec.Cmd, log *slog.Logger) (*Courier, error) {
	if log == nil {
		log = slog.Default()
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &Courier{command: command, log: log, stop: stop, done: make(chan struct{})}
	first, err := c.start()
	if err != nil {
		stop()
		return nil, err
	}
	go c.keep(ctx, first)
	return c, nil
}

// Close ends the child, and with it what it has under way.
func (c *Courier) Close() error {
	c.stop()
	<-c.done
	return nil
}

// keep waits for the child's end and starts another.
func (c *Courier) keep(ctx context.Context, p *child) {
	defer close(c.done)
	pause := time.Duration(0)
	for {
		began := time.Now()
		if p != nil {
			err := p.wait(ctx)
			c.set(nil)
			if ctx.Err() != nil {
				return
			}
			c.log.Error("the courier of short messages stopped; starting it again", "err", err, "in", pause)
		}
		if time.Since(began) > steady {
			pause = 0
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause+firstPause, longPause)
		var err error
		if p, err = c.start(); err != nil {
			c.log.Error("the courier of short messages cannot be started", "err", err)
		}
	}
}

func (c *Courier) set(p *child) {
	c.mu.Lock()
	c.child = p
	c.mu.Unlock()
}

// Send has one message sent and waits for its outcome. The errors are of this
// package; Unavailable too when it is not known what became of the message.
func (c *Courier) Send(ctx context.Context, to, text string) error {
	if err := errors.Join(CheckAddress(to), checkText(text)); err != nil {
		return &Error{Kind: BadMessage, Msg: "the message cannot be sent", Err: err}
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, sendTimeout)
		defer cancel()
	}
	c.mu.Lock()
	p := c.child
	c.mu.Unlock()
	if p == nil {
		return fail(Unavailable, "the courier of short messages is being started; try again")
	}
	return p.send(ctx, to, text)
}

// child is one run of the child process.
type child struct {
	cmd     *exec.Cmd
	in, out *os.File
	dead    chan struct{} // closed when no outcome comes any more

	writing sync.Mutex
	mu      sync.Mutex
	pending map[string]chan outcome
}

func (c *Courier) start() (*child, error) {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return nil, &Error{Kind: Unavailable, Msg: "no pipe to the courier of short messages", Err: err}
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return nil, &Error{Kind: Unavailable, Msg: "no pipe to the courier of short messages", Err: err}
	}
	defer theirOut.Close()
	cmd := c.command()
	cmd.Stdin, cmd.Stdout = theirIn, theirOut
	if cmd.Stderr == nil {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		in.Close()
		out.Close()
		return nil, &Error{Kind: Unavailable, Msg: "the courier of short messages cannot be started", Err: err}
	}
	p := &child{cmd: cmd, in: in, out: out, dead: make(chan struct{}), pending: map[string]chan outcome{}}
	go p.listen()
	c.set(p)
	return p, nil
}

// wait waits until the child is of no more use, or ctx ends, and puts an end to it.
func (p *child) wait(ctx context.Context) error {
	select {
	case <-p.dead:
	case <-ctx.Done():
	}
	p.in.Close()
	_ = p.cmd.Process.Kill() // it may have closed its output and live
	err := p.cmd.Wait()
	<-p.dead // its output ends with it
	p.out.Close()
	return err
}

// listen hands outcomes to those who wait for them.
func (p *child) listen() {
	defer close(p.dead)
	for {
		var o outcome
		if err := readFrame(p.out, &o); err != nil {
			return
		}
		p.mu.Lock()
		waiting := p.pending[o.ID]
		delete(p.pending, o.ID)
		p.mu.Unlock()
		if waiting != nil {
			waiting <- o // has room for one
		}
	}
}

func (p *child) send(ctx context.Context, to, text string) error {
	id, outcomes, err := p.expect()
	if err != nil {
		return err
	}
	defer p.forget(id)
	f, err := frame(order{ID: id, To: to, Text: text})
	if err != nil {
		return err
	}
	err = p.write(f)
	clear(f)
	if err != nil {
		return err
	}
	select {
	case o := <-outcomes:
		return o.err()
	case <-p.dead:
		return fail(Unavailable, "the courier of short messages stopped; whether the message went out is not known")
	case <-ctx.Done():
		return &Error{Kind: Unavailable, Msg: "the courier of short messages takes too long", Err: ctx.Err()}
	}
}

// write puts an order into the pipe. A child that does not take it is killed: half
// a frame may be there.
func (p *child) write(f []byte) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	_ = p.in.SetWriteDeadline(time.Now().Add(writeWait))
	if _, err := p.in.Write(f); err != nil {
		_ = p.cmd.Process.Kill()
		return fail(Unavailable, "the courier of short messages takes no orders")
	}
	return nil
}

func (p *child) expect() (id string, outcomes chan outcome, err error) {
	var b [16]byte
	rand.Read(b[:])
	id, outcomes = hex.EncodeToString(b[:]), make(chan outcome, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.pending) >= maxPending {
		return "", nil, &Error{Kind: Limited, Msg: "too many messages at a time; try again", RetryAfter: time.Second}
	}
	p.pending[id] = outcomes
	return id, outcomes, nil
}

func (p *child) forget(id string) {
	p.mu.Lock()
	delete(p.pending, id)
	p.mu.Unlock()
}
