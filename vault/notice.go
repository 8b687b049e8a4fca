package vault

import (
	"context"
	"time"
)

const (
	maxNotices   = 64          // that wait to be sent
	telling      = 2           // that are being sent at the same time
	noticeTries  = 10          // of each
	noticeRepeat = time.Minute // after the first that failed; longer after each further one
)

// notice sends a notice beside the requests and beside the codes: whoever has codes sent,
// as many as there is room for, must not keep a holder from hearing that the factors were
// changed. What the courier refuses, because it has sent too much or because its provider
// does not answer, is tried again for most of an hour. failed is called when it was given
// up, also because the vault ends. False when too many wait.
func (d *deliveries) notice(send func(ctx context.Context) error, failed func(error)) bool {
	select {
	case d.notices <- struct{}{}:
	default:
		return false
	}
	d.wg.Go(func() {
		defer func() { <-d.notices }()
		var err error
		for try := range noticeTries {
			if err = d.tellOnce(send); err == nil {
				return
			}
			if try == noticeTries-1 || !d.rest(time.Duration(try+1)*d.repeat) {
				break
			}
		}
		failed(err)
	})
	return true
}

// tellOnce tries once, when it is its turn.
func (d *deliveries) tellOnce(send func(ctx context.Context) error) error {
	select {
	case d.telling <- struct{}{}:
		defer func() { <-d.telling }()
	case <-d.ctx.Done():
		return d.ctx.Err()
	}
	ctx, cancel := context.WithTimeout(d.ctx, courierLimit)
	defer cancel()
	return send(ctx)
}

// rest waits; false when the vault ends.
func (d *deliveries) rest(pause time.Duration) bool {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-d.ctx.Done():
		return false
	}
}
