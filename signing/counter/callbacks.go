package counter

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/store"
)

// The states of a message to an application.
const (
	callbackWaiting   = "waiting"
	callbackDelivered = "delivered"
	callbackGivenUp   = "given-up"
)

// pauses are how long is waited after each try that failed; after the last nobody tries
// again. Together they are a day.
var pauses = []time.Duration{10 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 8 * time.Hour}

// maxCalls is how many messages are sent at the same time.
const maxCalls = 8

// Ended is the message that a session has come to its end. It names nobody: who wants to
// know more asks for the session.
type Ended struct {
	Session     string    `json:"session"`
	Reference   string    `json:"reference,omitempty"`
	Purpose     Purpose   `json:"purpose"`
	State       State     `json:"state"`
	Why         string    `json:"why,omitempty"`
	Transaction string    `json:"transaction,omitempty"`
	At          time.Time `json:"at"`
}

// CallBack sends the messages that are due, each at least once: one whose answer was lost
// is sent again. It is for the clock, every few seconds, and does not run beside itself.
func (s *Service) CallBack(ctx context.Context) error {
	if s.cfg.Post == nil {
		return nil
	}
	var due []store.CounterCallback
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		due, err = tx.DueCounterCallbacks(s.cfg.Now(), maxCalls)
		return err
	})
	if err != nil {
		return fromStore(err)
	}
	var wg sync.WaitGroup
	for _, c := range due {
		wg.Go(func() {
			if err := s.callBack(ctx, c); err != nil {
				s.cfg.Log.Error("what became of a callback could not be kept", "session", c.Session, "err", err)
			}
		})
	}
	wg.Wait()
	return nil
}

// callBack sends one message and keeps what came of it.
func (s *Service) callBack(ctx context.Context, c store.CounterCallback) error {
	v, err := s.load(ctx, c.Session)
	if err != nil {
		return err
	}
	body, err := json.Marshal(Ended{Session: v.ID, Reference: v.Reference, Purpose: Purpose(v.Purpose), State: v.state(), Why: v.Why,
		Transaction: v.Transaction, At: v.Changed.UTC()})
	if err != nil {
		return err
	}
	sent := fail(Invalid, "the configuration does not name the address any more", nil)
	if a, known := s.cfg.Callbacks[c.Address]; known {
		sent = s.cfg.Post(ctx, a, s.cfg.Now(), body)
	}
	if ctx.Err() != nil { // we are being stopped: this was no try
		return nil
	}
	now := s.cfg.Now()
	ev := audit.Event{Actor: "appliance", Subject: v.ID, Detail: map[string]string{"address": c.Address, "tries": strconv.Itoa(c.Tries + 1)}}
	switch {
	case sent == nil:
		c.State, ev.Event = callbackDelivered, "counter.callback"
	case c.Tries >= len(pauses):
		c.State, ev.Event = callbackGivenUp, "counter.callback-given-up"
	default:
		c.Due = now.Add(pauses[c.Tries])
	}
	if sent != nil {
		s.cfg.Log.Warn("an application could not be told of the end of a session", "session", v.ID, "address", c.Address, "err", sent)
	}
	c.Tries++
	return fromStore(s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.SetCounterCallback(c); err != nil || ev.Event == "" {
			return err
		}
		return audit.Append(tx, now, ev)
	}))
}
