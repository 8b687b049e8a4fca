package web

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"sigillo/auth"
	"sigillo/signing"
)

const (
	attemptBurst   = 30              // failed sign-ins an address has at once
	attemptRefill  = 2 * time.Second // one more each
	attemptTracked = 10_000          // addresses remembered
)

// attempts limits failed sign-ins by address. The vault locks single accounts;
// this keeps one guesser from trying many of them, and from keeping the vault
// busy with stretching passwords. Sign-ins that succeed cost nothing, so an
// office behind one address is not shut out by its own size.
type attempts struct {
	mu   sync.Mutex
	seen map[netip.Prefix]*allowance
}

type allowance struct {
	left float64
	at   time.Time // when left was true
}

// take uses up one attempt of an address; when there is none it gives the time
// to wait for one.
func (a *attempts) take(client string, now time.Time) (wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.of(client, now)
	if e.left < 1 {
		return time.Duration((1 - e.left) * float64(attemptRefill))
	}
	e.left--
	return 0
}

// giveBack undoes take after a sign-in that succeeded.
func (a *attempts) giveBack(client string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.of(client, now)
	e.left = min(e.left+1, attemptBurst)
}

func (a *attempts) of(client string, now time.Time) *allowance {
	key := network(client)
	if e := a.seen[key]; e != nil {
		e.left = min(e.left+float64(now.Sub(e.at))/float64(attemptRefill), attemptBurst)
		e.at = now
		return e
	}
	if a.seen == nil || len(a.seen) >= attemptTracked {
		a.seen = map[netip.Prefix]*allowance{}
	}
	e := &allowance{left: attemptBurst, at: now}
	a.seen[key] = e
	return e
}

// network is what counts as one address: an IPv4 address, or the /64 that one
// IPv6 subscriber has.
func network(client string) netip.Prefix {
	addr, err := netip.ParseAddr(client)
	if err != nil {
		return netip.Prefix{} // all that can't be told share one allowance
	}
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits)
	return p
}

func lockedOut(wait time.Duration) error {
	return &signing.Error{Kind: signing.Locked, Msg: "too many failed sign-ins from this address", RetryAfter: wait}
}

// openSession is the accounts' SignIn for clients that have attempts left.
func (s *Server) openSession(ctx context.Context, username string, e signing.Evidence, v auth.Visit) (auth.SignedIn, error) {
	if wait := s.attempts.take(e.Client, s.cfg.Now()); wait > 0 {
		clear(e.Password)
		return auth.SignedIn{}, lockedOut(wait)
	}
	in, err := s.cfg.Accounts.SignIn(ctx, username, e, v)
	if err == nil {
		s.attempts.giveBack(e.Client, s.cfg.Now())
	}
	return in, err
}
