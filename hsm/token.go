package hsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Config says which token to use.
type Config struct {
	// Module is the path of the PKCS#11 library.
	Module string
	// Arguments is the text given to the module when it is initialised, for those
	// that take one ("configDir='sql:/path'" for NSS). Most take none.
	Arguments string
	// Token is the label of the token, unique among the module's slots.
	Token string
	// PIN is the user's PIN. Open keeps a copy, to log in again when the token
	// comes back after having been away; Close wipes it.
	PIN []byte
	// Sessions is the number of sessions that may be in use at a time, 0 for
	// two for each processor, at most 1024. One more session stays open to keep
	// the login. More sessions than the token has cores bring nothing.
	Sessions int
}

// Info names the token and its library.
type Info struct {
	Module       string `json:"module"`       // path of the library
	Library      string `json:"library"`      // its own description and version
	Manufacturer string `json:"manufacturer"` // of the token
	Label        string `json:"label"`
	Model        string `json:"model"`
	Serial       string `json:"serial"`
	Firmware     string `json:"firmware"` // "major.minor"
}

// Token is an open token with its user logged in. Its methods may be used from
// many goroutines.
//
// Every operation takes one session from a pool and gives it back, so that a
// session never serves two goroutines at a time (PKCS#11 v2.40 §5.1.4). After
// an error the session is closed, not given back: tokens differ in what an
// operation that failed leaves active. If the error says that handles, the
// login or the device are lost, everything held is thrown away, the token is
// opened anew and the operation is tried once more.
type Token struct {
	cfg      Config
	module   *module
	api      cryptoki
	infoText Info

	// permits has room for as many as may use a session now; acquire puts one
	// in. Closing the token and restarting the library fill it up, to be alone.
	permits chan struct{}
	// opening has room for the one goroutine that opens or reopens the token. It
	// is taken before mu and never while holding a permit.
	opening chan struct{}
	// sore is what the last try to bring the token back ended with; it belongs to
	// the one in opening.
	sore sore
	// ill counts the unspecific failures since the last success.
	ill atomic.Int32
	// closed is closed by Close, under opening.
	closed chan struct{}

	mu      sync.Mutex // guards what follows; no call to the token under it
	up      bool       // keep is open and logged in
	epoch   uint64     // counts the times everything was thrown away
	slot    uint
	keep    sessionID
	idle    []sessionID
	used    map[*session]time.Time // sessions taken from the pool, since when
	objects map[string]object      // by label
	seen    map[string]bool        // labels of keys that were found since the start
}

// session is a session taken from the pool.
type session struct {
	id    sessionID
	slot  uint
	epoch uint64
	// spoiled asks for the session to be closed although nothing failed.
	spoiled bool
}

// drainTime is how long Close and the restart of a library wait for operations
// that are under way.
const drainTime = 10 * time.Second

// errDown is the internal sign that the token must be opened before use.
var errDown = errors.New("the token is not open")

var errClosed = fail(TokenGone, nil, "the token was closed")

// Open loads the module, finds the token by its label and logs in.
// Kinds: NotFound (no such token), WrongPIN, TokenGone (no such module, or it
// does not start), Conflict (two tokens of that label).
//
// If this process already is logged in to the same token through another Token,
// the module does not look at the PIN again.
func Open(cfg Config) (*Token, error) {
	if len(cfg.PIN) == 0 {
		return nil, fail(WrongPIN, nil, "no PIN for the token %q", cfg.Token)
	}
	m, err := load(cfg.Module, cfg.Arguments)
	if err != nil {
		return nil, err
	}
	t, err := newToken(cfg, m, m)
	if err != nil {
		m.unload()
		return nil, err
	}
	return t, nil
}

// newToken is Open over a given set of calls.
func newToken(cfg Config, m *module, api cryptoki) (*Token, error) {
	if cfg.Sessions <= 0 {
		cfg.Sessions = 2 * runtime.NumCPU()
	}
	cfg.Sessions = min(cfg.Sessions, 1024)
	cfg.PIN = bytes.Clone(cfg.PIN)
	t := &Token{cfg: cfg, module: m, api: api, permits: make(chan struct{}, cfg.Sessions),
		opening: make(chan struct{}, 1), closed: make(chan struct{}), seen: make(map[string]bool), used: make(map[*session]time.Time)}
	if err := t.openToken(); err != nil {
		clear(cfg.PIN)
		return nil, typed(err, "open the token")
	}
	return t, nil
}

// Info names the token, as it was when it was opened.
func (t *Token) Info() Info {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.infoText
}

// Close waits for operations under way (10 s at most), closes all sessions,
// which logs out, and lets go of the module. It reports Busy if an operation did
// not end; the module then stays loaded. The token cannot be used any more;
// closing twice does nothing.
func (t *Token) Close() error {
	t.opening <- struct{}{}
	defer func() { <-t.opening }()
	select {
	case <-t.closed:
		return nil
	default:
		close(t.closed)
	}
	_, alone := t.drain(context.Background()) // the permits are never given back
	t.discard()
	clear(t.cfg.PIN)
	if !alone {
		return fail(Busy, nil, "close the token: an operation did not end within %v", drainTime)
	}
	t.module.unload()
	return nil
}

// acquire takes a session from the pool, or opens one. It waits for a permit
// until ctx ends; Kind Busy then.
func (t *Token) acquire(ctx context.Context) (*session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case t.permits <- struct{}{}:
	case <-t.closed:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	t.mu.Lock()
	s := &session{slot: t.slot, epoch: t.epoch}
	if !t.up {
		t.mu.Unlock()
		<-t.permits
		return s, errDown
	}
	if n := len(t.idle); n > 0 {
		s.id, t.idle = t.idle[n-1], t.idle[:n-1]
		t.used[s] = time.Now()
		t.mu.Unlock()
		return s, nil
	}
	t.used[s] = time.Now()
	t.mu.Unlock()
	var err error
	if s.id, err = t.api.open(s.slot, false); err != nil {
		t.mu.Lock()
		delete(t.used, s)
		t.mu.Unlock()
		<-t.permits
	}
	return s, err
}

// Longest is how long the oldest of the operations under way has been at it. A call
// that does not come back from the library cannot be broken off: only the end of the
// process ends it.
func (t *Token) Longest() (d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, since := range t.used {
		d = max(d, time.Since(since))
	}
	return d
}

// release gives a session back; after an error, or when everything was thrown
// away meanwhile, it is closed instead.
func (t *Token) release(s *session, err error) {
	defer func() { <-t.permits }()
	t.mu.Lock()
	delete(t.used, s)
	keep := err == nil && !s.spoiled && s.epoch == t.epoch && t.up
	if keep {
		t.idle = append(t.idle, s.id)
	}
	t.mu.Unlock()
	if !keep {
		_ = t.api.close(s.id) // it is lost either way
	}
}

// once wraps an error after which an operation must not be tried again, because
// it has already had an effect.
type once struct{ error }

func (o once) Unwrap() error { return o.error }

// with runs op in a session of the pool, and again if it failed for a reason that
// forgetting handles, or reopening, cures: each cure is tried once. doing names the
// operation for the error.
func (t *Token) with(ctx context.Context, doing string, op func(*session) error) error {
	cured := damageNone
	for {
		s, err := t.acquire(ctx)
		if err == nil {
			err = t.do(s, op)
		}
		if err == nil {
			t.ill.Store(0)
			return nil
		}
		lost := damageOf(err)
		if err == errDown {
			lost = damageSession
		}
		if unspecific(err) && t.ill.Add(1) >= patientFor {
			lost = damageDevice
		}
		if lost <= cured {
			return typed(stripOnce(err), doing)
		}
		cured = lost
		switch {
		case lost >= damageSession:
			cured = damageDevice
			if back := t.reopen(ctx, s.epoch, needsRestart(err)); back != nil {
				return typed(back, doing)
			}
		case lost == damageRoom:
			t.closeIdle()
		default:
			t.forgetObjects()
		}
		if o, ok := err.(once); ok {
			return typed(o.error, doing)
		}
	}
}

// do runs op in s and gives s back, also when op panics.
func (t *Token) do(s *session, op func(*session) error) error {
	err := error(errPanic)
	defer func() { t.release(s, err) }()
	if err = op(s); err != nil {
		err = t.explain(s, err)
	}
	return err
}

var errPanic = fail(Failed, nil, "the operation panicked")

func stripOnce(err error) error {
	if o, ok := err.(once); ok {
		return o.error
	}
	return err
}

// withWritable runs op in a read/write session of its own, which objects that
// stay in the token need, and never twice.
func (t *Token) withWritable(ctx context.Context, doing string, op func(*session) error) error {
	return t.with(ctx, doing, func(s *session) error {
		rw, err := t.api.open(s.slot, true)
		if err != nil {
			return err
		}
		err = op(&session{id: rw, slot: s.slot, epoch: s.epoch})
		_ = t.api.close(rw) // closed after every use; nothing depends on the answer
		if err != nil {
			return once{err}
		}
		return nil
	})
}

// sharing runs f, which creates or destroys session objects, while no other
// goroutine creates token objects or searches; excluding runs f, which does one
// of these, while nobody else touches objects. The rights go round in the order
// in which they were asked for. Signing, MACs and sealing need neither.
//
// Why: SoftHSM 2.6.1 reads the files of all token objects anew when it searches,
// and finds one that another session is still writing half done (its issue 573,
// mended in 2.7.0): C_GenerateKeyPair then fails now and then with
// CKR_GENERAL_ERROR or CKR_TEMPLATE_INCONSISTENT. Session objects have no
// files, and every structure they live in has a lock; TestStress has never seen
// them fail. So a holder's key may be generated, which takes seconds for RSA,
// while others sign.
func (t *Token) sharing(ctx context.Context, f func() error) error { return t.holding(ctx, 1, f) }

func (t *Token) excluding(ctx context.Context, f func() error) error {
	return t.holding(ctx, allObjects, f)
}

func (t *Token) holding(ctx context.Context, weight int64, f func() error) error {
	if err := t.module.objects.Acquire(ctx, weight); err != nil {
		return err
	}
	defer t.module.objects.Release(weight)
	return f()
}

func (m *module) describe() string {
	m.slots.Lock()
	defer m.slots.Unlock()
	i, err := m.ctx.GetInfo()
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s %d.%d", trim(i.LibraryDescription), i.LibraryVersion.Major, i.LibraryVersion.Minor)
}
