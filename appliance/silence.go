package appliance

import (
	"context"
	"errors"
	"time"

	"sigillo/vault"
)

// A vault can be alive and say nothing: its process is stopped, or stuck where no
// timeout reaches. Whoever asks it something waits then. It is asked for its status,
// which needs neither the token nor the disk, so that one which is merely slow in its
// work answers all the same.

const (
	patience = 30 * time.Second // with a vault that does not answer, see Options
	asks     = 3                // that go unanswered in that time, each in its share
)

var errSilent = errors.New("appliance: the vault runs but does not answer. A running service ends it and starts it again within a minute: try again then; if nothing changes, look for a stopped process `sigillo vault`")

// asking asks the vault at a socket for its status.
func asking(c *vault.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.Status(ctx)
		return err
	}
}

// unanswered says whether nobody answered within limit. A refusal is an answer.
func unanswered(ctx context.Context, ask func(context.Context) error, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return vault.KindOf(ask(ctx)) == vault.Unavailable
}

// silent asks again and again, and returns true once nobody has answered as many
// times in a row as make up the patience; false when ctx ends. One that was missed
// proves nothing: this process may have been stopped itself meanwhile.
func silent(ctx context.Context, ask func(context.Context) error, patience time.Duration) bool {
	turn := time.NewTicker(patience / asks)
	defer turn.Stop()
	for missed := 0; missed < asks; {
		if unanswered(ctx, ask, patience/asks) {
			missed++
		} else {
			missed = 0
		}
		select {
		case <-turn.C:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}
