package vault

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/auth"
)

// ActivationMessage asks that the second part of an activation code be made and sent to
// whom it is for. Whoever gives the first part, and the service that keeps the verifier,
// never see the second.
type ActivationMessage struct {
	Activation string `json:"activation"` // of the service; for the journal
	Subject    string `json:"subject"`    // who is to be activated
	To         string `json:"to"`         // a telephone number or, where the courier takes them, a mail address
	By         string `json:"by"`         // who has it sent
	Language   string `json:"language,omitempty"`
}

// ActivationPart is what is told of a second part that was sent.
type ActivationPart struct {
	Kept []byte `json:"kept"` // for [auth.JoinActivation]
	To   string `json:"to"`   // the end of the address
}

// SendActivation has the second part of an activation code sent, and waits for the
// courier. Undelivered: it may or may not have arrived, and opens nothing. NotAllowed
// where no courier is configured.
func (c *Client) SendActivation(ctx context.Context, m ActivationMessage) (p ActivationPart, err error) {
	return p, c.call(ctx, opSendActivation, m, &p)
}

// maxActivations is how many second parts are sent in an hour. Whom they are for is said
// by the service, and there is no state of a person who has no factors yet: a service in
// wrong hands must neither fill the journal nor keep the courier busy.
const maxActivations = 200

// hourly counts what may be done so often an hour.
type hourly struct {
	mu    sync.Mutex
	began time.Time // guarded by mu
	n     int       // guarded by mu; since began
}

// take counts one more, or gives how long to wait for it.
func (h *hourly) take(most int, now time.Time) (wait time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if since := now.Sub(h.began); since >= time.Hour || since < 0 {
		h.began, h.n = now, 0
	}
	if h.n >= most {
		return time.Hour - now.Sub(h.began)
	}
	h.n++
	return 0
}

// sendActivation makes a part and has it delivered, [maxActivations] in an hour.
//
//  1. Durable: the journal says that it is sent, by whom and where to.
//  2. Outside of the queue: the courier has it. What it says is answered, and in log and
//     journal if it fails.
func (v *server) sendActivation(ctx context.Context, m *ActivationMessage) (any, error) {
	if v.cfg.Courier == nil {
		return nil, errNoCourier
	}
	if err := firstError(checkName("the activation", m.Activation, maxName), checkName("the subject", m.Subject, maxName),
		checkName("who has it sent", m.By, maxName), checkAddress(m.To)); err != nil {
		return nil, err
	}
	if wait := v.activations.take(maxActivations, v.now()); wait > 0 {
		return nil, &Error{Kind: Busy, Msg: "too many activation codes were sent in an hour; try again later", RetryAfter: wait}
	}
	part, kept, err := auth.NewActivationPart()
	if err != nil {
		return nil, because(err, "no random numbers")
	}
	event := func(name string) audit.Event {
		return audit.Event{Actor: m.By, Event: name, Subject: m.Subject, Detail: map[string]string{"activation": m.Activation, "to": masked(m.To)}}
	}
	if err := v.journal(ctx, event("activation.sent")); err != nil { // 1
		return nil, err
	}
	outcome := make(chan error, 1)
	started := v.outgoing.start(func(ctx context.Context) { // 2
		err := v.cfg.Courier.Send(ctx, m.To, activationText(part, m.Language))
		if err != nil {
			v.log.Error("a part of an activation code could not be sent", "err", err)
			if err := v.journal(ctx, event("activation.undelivered")); err != nil {
				v.log.Error("that a part of an activation code could not be sent was not journalled", "err", err)
			}
			err = &Error{Kind: Undelivered, Msg: "the second part of the activation code could not be sent; look at the log, and give another code", Err: err}
		}
		outcome <- err
	})
	if !started {
		if err := v.journal(ctx, event("activation.undelivered")); err != nil {
			return nil, err
		}
		return nil, &Error{Kind: Busy, Msg: "too many texts are on their way; try again", RetryAfter: shortestRetry}
	}
	return later(func(ctx context.Context) (any, error) {
		select {
		case err := <-outcome:
			return &ActivationPart{Kept: kept, To: masked(m.To)}, err
		case <-ctx.Done():
			return nil, &Error{Kind: Undelivered, Msg: "the courier takes too long", Err: ctx.Err()}
		}
	}), nil
}

func activationText(part, language string) string {
	if strings.HasPrefix(strings.ToLower(language), "it") {
		return fmt.Sprintf("Sigillo: %s è la seconda parte del tuo codice di attivazione; la prima ti viene consegnata. Vale 48 ore. Non dirla a nessuno, nemmeno all'operatore.", part)
	}
	return fmt.Sprintf("Sigillo: %s is the second part of your activation code; the first is handed to you. It is good for 48 hours. Tell it to nobody, not even the operator.", part)
}
