package remote

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/signing"
)

const (
	// RequestLife is how long a request waits for its holder.
	RequestLife = 10 * time.Minute
	maxRequests = 10_000 // at once
	maxWaiting  = 10     // of one holder: more are refused
	maxAnswered = 20     // of one holder: the one that was answered first is forgotten
)

// Request is an order that waits for its holder, who gives the factors on our own page
// and not to the application that asks.
type Request struct {
	ID      string // for the page; the application has a handle
	Order   Order
	Created time.Time
	Expires time.Time
}

// asked is a request with what came of it.
type asked struct {
	Request
	holder   string
	answered bool
	grant    Grant // with its handle; zero: declined
}

// requests are those that wait, and what came of them, by the hash of their handle.
// They are kept in memory.
type requests struct {
	mu sync.Mutex
	by map[[32]byte]*asked
}

func newRequests() requests { return requests{by: map[[32]byte]*asked{}} }

// Ask leaves an order for its holder to authorise, and gives the handle with which the
// application asks what came of it. Kinds: those of [Service.Authorise] about the order
// and the certificate; Busy, when too many wait.
func (s *Service) Ask(ctx context.Context, holder string, o Order) (handle string, err error) {
	c, err := s.load(ctx, holder, o.Credential)
	if err == nil {
		err = o.check(c.record.MaxDigests)
	}
	if err == nil {
		err = c.attended()
	}
	if err != nil {
		return "", err
	}
	now := s.cfg.Now()
	var b [handleSize]byte
	rand.Read(b[:])
	handle = base64.RawURLEncoding.EncodeToString(b[:])
	one := &asked{holder: holder, Request: Request{ID: newID(), Order: o, Created: now, Expires: now.Add(RequestLife)}}
	r := &s.requests
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.room(holder, now) {
		return "", fail(signing.Busy, "too many requests wait for this holder; try again", nil)
	}
	r.by[sha256.Sum256([]byte(handle))] = one
	return handle, nil
}

// room forgets what has expired and says whether one more fits. Of one holder no more
// than some are kept, whatever became of them: who asks and declines must not use up the
// room of all.
func (r *requests) room(holder string, now time.Time) bool {
	waiting, answered := 0, 0
	var first [32]byte
	for key, one := range r.by {
		switch {
		case !now.Before(one.Expires):
			delete(r.by, key)
		case one.holder == holder && !one.answered:
			waiting++
		case one.holder == holder:
			if answered++; answered == 1 || one.Created.Before(r.by[first].Created) {
				first = key
			}
		}
	}
	if answered >= maxAnswered {
		delete(r.by, first)
	}
	return len(r.by) < maxRequests && waiting < maxWaiting
}

// Asked lists what waits for a holder, oldest first.
func (s *Service) Asked(_ context.Context, holder string) []Request {
	now := s.cfg.Now()
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	out := []Request{}
	for _, one := range s.requests.by {
		if one.holder == holder && !one.answered && now.Before(one.Expires) {
			out = append(out, one.Request)
		}
	}
	slices.SortFunc(out, func(a, b Request) int { return a.Created.Compare(b.Created) })
	return out
}

// waiting finds a request that waits, by the identifier that the page has.
func (s *Service) waiting(holder, id string) (*asked, error) {
	now := s.cfg.Now()
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	for _, one := range s.requests.by {
		if one.ID == id && one.holder == holder && now.Before(one.Expires) {
			if one.answered {
				return nil, fail(signing.WrongState, "the request was answered already", nil)
			}
			return one, nil
		}
	}
	return nil, fail(signing.NotFound, "no such request", nil)
}

// Approve authorises a request with the holder's factors. The password is wiped. Kinds:
// those of [Service.Authorise]; NotFound and WrongState of the request.
func (s *Service) Approve(ctx context.Context, holder, id string, e signing.Evidence) error {
	defer clear(e.Password)
	one, err := s.waiting(holder, id)
	if err != nil {
		return err
	}
	g, err := s.Authorise(ctx, holder, one.Order, e)
	if err != nil {
		return err
	}
	return s.answer(one, g)
}

// answer settles a request, once: two tabs of one holder are one holder.
func (s *Service) answer(one *asked, g Grant) error {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	if one.answered {
		return fail(signing.WrongState, "the request was answered already", nil)
	}
	one.answered, one.grant = true, g
	if g.Expires.After(one.Expires) {
		one.Expires = g.Expires
	}
	return nil
}

// Decline answers a request with no.
func (s *Service) Decline(ctx context.Context, holder, id string) error {
	one, err := s.waiting(holder, id)
	if err == nil {
		err = s.answer(one, Grant{})
	}
	if err != nil {
		return err
	}
	s.note(ctx, audit.Event{Actor: holder, Event: "signature.declined", Subject: one.Order.Credential,
		Detail: map[string]string{"application": one.Order.Application, "count": strconv.Itoa(len(one.Order.Digests))}})
	return nil
}

// Outcome tells what came of a request: waiting, or the grant with its handle. Kinds:
// NotFound; WrongFactors when the holder has declined.
func (s *Service) Outcome(holder, application, handle string) (g Grant, waiting bool, err error) {
	now := s.cfg.Now()
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	one := s.requests.by[sha256.Sum256([]byte(handle))]
	switch {
	case one == nil || one.holder != holder || one.Order.Application != application || !now.Before(one.Expires):
		return Grant{}, false, fail(signing.NotFound, "no such request", nil)
	case !one.answered:
		return Grant{}, true, nil
	case one.grant.Handle == "":
		return Grant{}, false, fail(signing.WrongFactors, "the holder has declined", nil)
	}
	return one.grant, false, nil
}
