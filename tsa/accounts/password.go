package accounts

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"sigillo/auth"
)

// password is the stored form of one: what Argon2id made of it, never it.
type password struct {
	Argon2 auth.Argon2 `json:"argon2"`
	Salt   []byte      `json:"salt"`
	Tag    []byte      `json:"tag"`
}

const passwordInfo = "sigillo stamp account password v1"

func newPassword(cost auth.Argon2, pw []byte) (*password, error) {
	p := &password{Argon2: cost.OrDefault(), Salt: make([]byte, 16)}
	if _, err := rand.Read(p.Salt); err != nil {
		return nil, fail(Failed, err, "no random numbers")
	}
	p.Tag = p.tag(pw)
	return p, nil
}

func (p *password) tag(pw []byte) []byte {
	k := p.Argon2.Stretch(pw, p.Salt)
	defer clear(k[:])
	t := auth.Derive(k, passwordInfo)
	return t[:]
}

func (p *password) check() error {
	if len(p.Salt) < 16 || len(p.Tag) != 32 {
		return errors.New("the password's verifier is cut short")
	}
	return p.Argon2.Check()
}

func (p *password) matches(pw []byte) bool { return subtle.ConstantTimeCompare(p.tag(pw), p.Tag) == 1 }

// Bounds of what guessing can cost. Stretching one password takes tens of
// milliseconds of one core: one at a time (the lock-out counts on it), a few in the queue, and of those from
// addresses that were never right only so many per second.
const (
	knownFor     = time.Hour        // a right password is not stretched again
	wrongFor     = 2 * time.Minute  // nor a wrong one
	maxKnown     = 16384            // pairs remembered
	maxWaiting   = 64               // callers waiting to be stretched for
	maxAddresses = 16384            // addresses remembered
	maxFrom      = 16               // of them, those that a pair was right from
	forgetAfter  = 2 * time.Hour    // failures of an address
	strangers    = 4.0              // per second
	strangeBurst = 20.0             // at once
	stretchLimit = 10 * time.Second // waiting included
)

var (
	errCrowd = fail(RateLimited, nil, "too many passwords to be checked at once; ask again a little later")
)

// lockedOut says how long and what to do, in whole seconds or minutes, rounded up.
// It has no word about the user name.
func lockedOut(wait time.Duration) error {
	e := fail(LockedOut, nil, "too many wrong passwords came from this address: none is looked at for %s; "+
		"then send the right user name and password, or ask for new ones", inWords(wait))
	e.Wait = wait
	return e
}

func inWords(d time.Duration) string {
	n, unit := (d+time.Second-1)/time.Second, "second"
	if n >= 120 {
		n, unit = (n+59)/60, "minute"
	}
	if n > 1 {
		unit += "s"
	}
	return fmt.Sprint(int64(n), " ", unit)
}

// verifier checks passwords and remembers which were right and which were not,
// under an HMAC with a key that nobody else has: what it remembers is worth nothing
// outside of this process.
type verifier struct {
	macs  sync.Pool // *mac
	dummy *password // takes as long as a real one
	slot  chan struct{}
	queue chan struct{}

	mu    sync.RWMutex
	known map[[32]byte]verdict

	guard guard
}

// mac is memory for an HMAC-SHA-256 (RFC 2104): both blocks of the key stand in
// their places. Two plain hashes cost half of what crypto/hmac does for a message
// this short, and this is on the way of every request.
type mac struct {
	inner []byte // key ⊕ ipad, message
	outer [sha256.BlockSize + sha256.Size]byte
}

func newMAC(key [32]byte) *mac {
	m := &mac{inner: make([]byte, sha256.BlockSize, sha256.BlockSize+maxUsername+1+auth.MaxPassword)}
	for i := range sha256.BlockSize {
		k := byte(0)
		if i < len(key) {
			k = key[i]
		}
		m.inner[i], m.outer[i] = k^0x36, k^0x5c
	}
	return m
}

// verdict is what is known of a pair of user name and password, and until when. It
// holds only for the credential and the version of the account it was made of.
type verdict struct {
	right      bool
	credential string // ID; "": there was no such user
	changed    time.Time
	until      time.Time
	from       []netip.Prefix // where it was right, at most maxFrom; not written to
}

func newVerifier(key [32]byte, cost auth.Argon2) *verifier {
	v := &verifier{
		slot: make(chan struct{}, 1), queue: make(chan struct{}, maxWaiting),
		known: map[[32]byte]verdict{},
		dummy: &password{Argon2: cost, Salt: make([]byte, 16), Tag: make([]byte, 32)},
	}
	v.macs.New = func() any { return newMAC(key) }
	v.guard = guard{addresses: map[netip.Prefix]*address{}, tokens: strangeBurst}
	return v
}

// name is the HMAC of a pair.
func (v *verifier) name(user string, pw []byte) [32]byte {
	m := v.macs.Get().(*mac)
	in := append(append(append(m.inner, user...), 0), pw...) // within its capacity
	sum := sha256.Sum256(in)
	clear(in[sha256.BlockSize:])
	copy(m.outer[sha256.BlockSize:], sum[:])
	name := sha256.Sum256(m.outer[:])
	v.macs.Put(m)
	return name
}

// recall says what is known of a pair; ok is false when nothing is, or no longer.
func (v *verifier) recall(name [32]byte, c *credential, now time.Time) (known verdict, ok bool) {
	v.mu.RLock()
	known, ok = v.known[name]
	v.mu.RUnlock()
	if !ok || !now.Before(known.until) {
		return verdict{}, false
	}
	if c == nil {
		return verdict{}, known.credential == ""
	}
	return known, known.credential == c.id && sameVersion(c.account, known.changed)
}

// alsoFrom notes that a pair which is right came from another address. Of many the
// first is forgotten.
func (v *verifier) alsoFrom(name [32]byte, p netip.Prefix) {
	v.mu.Lock()
	defer v.mu.Unlock()
	known, ok := v.known[name]
	if !ok || !known.right || slices.Contains(known.from, p) {
		return
	}
	from := known.from[max(len(known.from)+1-maxFrom, 0):]
	known.from = append(slices.Clip(from), p) // readers have the one before
	v.known[name] = known
}

func (v *verifier) remember(name [32]byte, c *credential, right bool, from netip.Prefix, now time.Time) {
	known := verdict{right: right, until: now.Add(wrongFor)}
	if right {
		known.from = []netip.Prefix{from}
		known.until = now.Add(knownFor)
	}
	if c != nil {
		known.credential, known.changed = c.id, c.account.Changed
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.known) >= maxKnown {
		v.makeRoom(now)
	}
	v.known[name] = known
}

// makeRoom drops what has lapsed, then what was wrong, then anything.
func (v *verifier) makeRoom(now time.Time) {
	for _, drop := range []func(verdict) bool{
		func(k verdict) bool { return !now.Before(k.until) },
		func(k verdict) bool { return !k.right },
		func(verdict) bool { return true },
	} {
		for name, k := range v.known {
			if drop(k) {
				delete(v.known, name)
			}
			if len(v.known) <= maxKnown*3/4 {
				return
			}
		}
	}
}

// password returns the credential whose user name and password these are. From an
// address that is locked out a pair is right only if it was right from there before:
// else whoever guesses would be told at once, from memory, when he has hit upon that of
// a customer who is at work. That is looked at again once it is a password's turn:
// passwords are looked at one after another, so that of any number that come at once
// from an address no more are looked at than of those that come in a row, and none is
// refused for others that are still to be looked at.
func (v *verifier) password(ctx context.Context, b *Book, d *directory, user string, pw []byte, addr netip.Addr) (*credential, error) {
	if len(pw) > auth.MaxPassword {
		return nil, errUnknown
	}
	now := b.cfg.Now()
	c := d.users[user]
	name := v.name(user, pw)
	p := network(addr)
	if known, ok := v.recall(name, c, now); ok {
		return v.remembered(name, known, c, p, now)
	}
	if err := v.guard.ask(addr, now); err != nil {
		return nil, err
	}
	select {
	case v.queue <- struct{}{}:
		defer func() { <-v.queue }()
	default:
		return nil, errCrowd
	}
	ctx, cancel := context.WithTimeout(ctx, stretchLimit)
	defer cancel()
	select {
	case v.slot <- struct{}{}:
		defer func() { <-v.slot }()
	case <-ctx.Done():
		return nil, errCrowd
	}
	now = b.cfg.Now()
	if known, ok := v.recall(name, c, now); ok { // another request of the same client was first
		return v.remembered(name, known, c, p, now)
	}
	if err := v.guard.locked(p, now); err != nil {
		return nil, err
	}
	right := false
	if c != nil {
		right = c.secret.matches(pw)
	} else {
		_ = v.dummy.matches(pw) // who there is must not show in the time
	}
	v.remember(name, c, right, p, now)
	v.guard.learn(addr, right, now)
	if !right {
		return nil, errUnknown
	}
	return c, nil
}

// remembered answers for a pair that is known.
func (v *verifier) remembered(name [32]byte, known verdict, c *credential, p netip.Prefix, now time.Time) (*credential, error) {
	if !known.right {
		return nil, errUnknown
	}
	if !slices.Contains(known.from, p) {
		if err := v.guard.locked(p, now); err != nil {
			return nil, err
		}
		v.alsoFrom(name, p)
	}
	return c, nil
}

// guard slows down whoever guesses, by address, and all strangers together.
type guard struct {
	mu        sync.Mutex
	addresses map[netip.Prefix]*address
	tokens    float64 // for strangers
	at        time.Time
}

// address is what is known of the callers behind one address, or one network of an
// IPv6 customer.
type address struct {
	failures int
	good     bool // somebody there was right
	until    time.Time
	last     time.Time
}

func network(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // the zero prefix stands for "no address"
	return p
}

// locked says that an address has to wait.
func (g *guard) locked(p netip.Prefix, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := g.addresses[p]; a != nil && now.Before(a.until) {
		return lockedOut(a.until.Sub(now))
	}
	return nil
}

// ask says whether a password from there is stretched now.
func (g *guard) ask(addr netip.Addr, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.addresses[network(addr)]
	if a != nil && now.Before(a.until) {
		return lockedOut(a.until.Sub(now))
	}
	if a != nil && a.good {
		return nil
	}
	if d := now.Sub(g.at); d > 0 {
		g.tokens = min(g.tokens+strangers*d.Seconds(), strangeBurst)
	}
	g.at = now
	if g.tokens < 1 {
		return errCrowd
	}
	g.tokens--
	return nil
}

// learn counts a failure, or forgets those before.
func (g *guard) learn(addr netip.Addr, right bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := network(addr)
	a := g.addresses[p]
	if a == nil {
		if len(g.addresses) >= maxAddresses {
			g.makeRoom(now)
		}
		a = &address{}
		g.addresses[p] = a
	}
	if right {
		a.failures, a.good, a.until = 0, true, time.Time{}
	} else {
		if now.Sub(a.last) > forgetAfter {
			a.failures = 0
		}
		a.failures++
		a.until = now.Add(auth.Delay(a.failures))
	}
	a.last = now
}

// makeRoom drops the addresses that matter least.
func (g *guard) makeRoom(now time.Time) {
	for _, drop := range []func(*address) bool{
		func(a *address) bool { return now.Sub(a.last) > forgetAfter },
		func(a *address) bool { return !a.good && now.After(a.until) },
		func(*address) bool { return true },
	} {
		for p, a := range g.addresses {
			if drop(a) {
				delete(g.addresses, p)
			}
			if len(g.addresses) <= maxAddresses*3/4 {
				return
			}
		}
	}
}
