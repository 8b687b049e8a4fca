package vault

import (
	"context"
	"errors"
	"testing"
	"time"
)

// gate is a courier whose provider hangs with codes, and refuses as often as it is told.
type gate struct {
	*post
	open    chan struct{}
	refuses chan error
}

func (g *gate) Send(ctx context.Context, to, text string) error {
	if sixDigits.MatchString(text) {
		select {
		case <-g.open:
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	select {
	case err := <-g.refuses:
		return err
	default:
	}
	return g.post.Send(ctx, to, text)
}

// TestNoticeComes: a holder hears of a change however many codes are on their way, and
// though the courier refuses for a while; if it never comes the journal says so.
func TestNoticeComes(t *testing.T) {
	t.Parallel()
	r, h, p, _ := newPhoneRig(t)
	g := &gate{post: p, open: make(chan struct{}), refuses: make(chan error, noticeTries)}
	r.cfg.Courier = g
	v, done := r.direct()
	defer done()
	defer close(g.open)
	v.outgoing.repeat = time.Millisecond
	for range couriers {
		if !v.outgoing.start(func(ctx context.Context) { g.Send(ctx, number, "123456") }) {
			t.Fatal("no room for the first codes")
		}
	}
	g.refuses <- errors.New("too many messages")
	g.refuses <- errors.New("too many messages")
	v.tell(t.Context(), &h.factors, opAddDevice)
	p.next(t, number, "a device was added")
	for range noticeTries {
		g.refuses <- errors.New("the gateway is down")
	}
	v.tell(t.Context(), &h.factors, opAddDevice)
	for range 500 {
		if r.events()["notice.undelivered"] == 1 {
			p.silent(t)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the journal does not say that the notice did not get there")
}
