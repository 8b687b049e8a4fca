package courier

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"sync"
	"time"
)

// atOnce is how many messages are being sent at a time; further orders wait in
// the pipe.
const atOnce = 8

// Run is the body of the child process: it takes orders from in and tells their
// outcomes to out until in ends, which is nil, or ctx does. Messages under way are
// waited for, until ctx ends. The log has one line for each message: how it went
// and how long it took.
//
// A frame that cannot be read ends it with an error: after it nobody knows where
// the next one begins.
func Run(ctx context.Context, in io.Reader, out io.Writer, cfg Config) error {
	s, err := New(cfg)
	if err != nil {
		return err
	}
	return relay(ctx, in, out, s.deliver)
}

// Keep is the body of a process that stands between the vault and the one that
// sends: it starts that one with command, and starts it again when it dies, which a
// vault that has given up its right to start programs cannot do. It knows neither
// network nor configuration. It ends as [Run] does.
func Keep(ctx context.Context, in io.Reader, out io.Writer, command func() *exec.Cmd) error {
	c, err := Start(command, nil)
	if err != nil {
		return err
	}
	defer c.Close()
	return relay(ctx, in, out, func(ctx context.Context, o order) outcome { return outcomeOf(o.ID, c.Send(ctx, o.To, o.Text)) })
}

// relay hands orders to deliver, some at a time, and tells their outcomes.
func relay(ctx context.Context, in io.Reader, out io.Writer, deliver func(context.Context, order) outcome) error {
	var under sync.WaitGroup
	defer under.Wait()
	orders, ended := make(chan order), make(chan error, 1)
	go func() { // reading cannot be broken off: this one ends with the process
		for {
			var o order
			err := readFrame(in, &o)
			if err == nil && (o.ID == "" || len(o.ID) > maxID) {
				err = fail(BadMessage, "an order without an identifier")
			}
			if err != nil {
				ended <- err
				return
			}
			select {
			case orders <- o:
			case <-ctx.Done():
				return
			}
		}
	}()
	var writing sync.Mutex
	places := make(chan struct{}, atOnce)
	for {
		select {
		case o := <-orders:
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			under.Go(func() {
				defer func() { <-places }()
				done := deliver(ctx, o)
				writing.Lock()
				defer writing.Unlock()
				if err := answer(out, done); err != nil {
					slog.Error("the outcome of a message could not be told", "id", o.ID, "err", err)
				}
			})
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deliver sends one message and writes the log. A fault in a driver costs one
// message, not the process.
func (s *Sender) deliver(ctx context.Context, o order) (done outcome) {
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			done = outcomeOf(o.ID, fail(Unavailable, "the message could not be sent"))
		}
		level := slog.LevelInfo
		if done.Kind != "" {
			level = slog.LevelWarn
		}
		slog.Log(ctx, level, "message", "id", o.ID, "driver", s.cfg.Driver, "took", time.Since(began).Round(time.Millisecond),
			"outcome", orSent(done.Kind), "why", done.Error)
	}()
	return outcomeOf(o.ID, s.Send(ctx, o.To, o.Text))
}

func orSent(k Kind) string {
	if k == "" {
		return "sent"
	}
	return string(k)
}

func answer(out io.Writer, o outcome) error {
	f, err := frame(o)
	if err != nil {
		return err
	}
	_, err = out.Write(f)
	return err
}
