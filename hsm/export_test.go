package hsm

import (
	"crypto"
	"errors"
	"sync"

	"github.com/miekg/pkcs11"
)

// The Config of Open, over a token with faults.
func OpenFaulty(cfg Config, f *Faults) (*Token, error) {
	m, err := load(cfg.Module, cfg.Arguments)
	if err != nil {
		return nil, err
	}
	t, err := newToken(cfg, m, &faulty{cryptoki: m, f: f, used: make(map[sessionID]string)})
	if err != nil {
		m.unload()
		return nil, err
	}
	return t, nil
}

// Faults are what a token does wrong. Every call goes to the real token; a hook
// that is set sees the answer and may give another one.
type Faults struct {
	mu sync.Mutex

	// Before is asked before each call, by its name; an error is the answer.
	Before func(call string) error

	Attribute func(typ uint, v []byte, err error) ([]byte, error)
	Set       func(err error) error
	Copy      func(of, o uint, err error) (uint, error)
	Data      func(d [32]byte) [32]byte // given to C_DeriveKey
	Wrap      func(b []byte, err error) ([]byte, error)
	Unwrap    func(o uint, err error) (uint, error)
	Sign      func(b []byte, err error) ([]byte, error)
	Encrypt   func(b []byte, err error) ([]byte, error)
	Decrypt   func(b []byte, err error) ([]byte, error)
	Random    func(b []byte, err error) ([]byte, error)
	Destroy   func(err error) error

	Opened, Closed, Searches int    // calls of C_OpenSession, C_CloseSession, C_FindObjects
	Shared                   string // set when two calls used one session at a time
	Objects                  int    // session objects made and not destroyed
}

func (f *Faults) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// Count returns the counters.
func (f *Faults) Count() (opened, closed, searches, objects int, shared string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Opened, f.Closed, f.Searches, f.Objects, f.Shared
}

type faulty struct {
	cryptoki
	f    *Faults
	used map[sessionID]string // by the call that is in it
}

// enter notes that a call uses s, and returns the fault that comes instead.
func (x *faulty) enter(call string, s sessionID) (leave func(), err error) {
	x.f.with(func() {
		if other := x.used[s]; other != "" && s != 0 {
			x.f.Shared = other + " and " + call
		}
		x.used[s] = call
	})
	if x.f.Before != nil {
		err = x.f.Before(call)
	}
	return func() { x.f.with(func() { delete(x.used, s) }) }, err
}

func (x *faulty) open(slot uint, rw bool) (sessionID, error) {
	leave, err := x.enter("open", 0)
	defer leave()
	if err != nil {
		return 0, err
	}
	s, err := x.cryptoki.open(slot, rw)
	if err == nil {
		x.f.with(func() { x.f.Opened++ })
	}
	return s, err
}

func (x *faulty) close(s sessionID) error {
	x.f.with(func() { x.f.Closed++ })
	return x.cryptoki.close(s)
}

func (x *faulty) login(s sessionID, pin []byte) error {
	leave, err := x.enter("login", s)
	defer leave()
	if err != nil {
		return err
	}
	return x.cryptoki.login(s, pin)
}

func (x *faulty) find(s sessionID, t template, limit int) ([]handle, error) {
	leave, err := x.enter("find", s)
	defer leave()
	if err != nil {
		return nil, err
	}
	x.f.with(func() { x.f.Searches++ })
	return x.cryptoki.find(s, t, limit)
}

func (x *faulty) attribute(s sessionID, o handle, typ uint) ([]byte, error) {
	leave, err := x.enter("attribute", s)
	defer leave()
	if err != nil {
		return nil, err
	}
	v, err := x.cryptoki.attribute(s, o, typ)
	if x.f.Attribute != nil {
		return x.f.Attribute(typ, v, err)
	}
	return v, err
}

func (x *faulty) set(s sessionID, o handle, t template) error {
	err := x.cryptoki.set(s, o, t)
	if x.f.Set != nil {
		return x.f.Set(err)
	}
	return err
}

func (x *faulty) copy(s sessionID, o handle, t template) (handle, error) {
	c, err := x.cryptoki.copy(s, o, t)
	if x.f.Copy != nil {
		n, err := x.f.Copy(uint(o), uint(c), err)
		return handle(n), err
	}
	return c, err
}

func (x *faulty) made(n int, err error) {
	if err == nil {
		x.f.with(func() { x.f.Objects += n })
	}
}

func (x *faulty) generatePair(s sessionID, m mechanism, public, private template) (handle, handle, error) {
	leave, err := x.enter("generatePair", s)
	defer leave()
	if err != nil {
		return 0, 0, err
	}
	a, b, err := x.cryptoki.generatePair(s, m, public, private)
	x.made(2, err)
	return a, b, err
}

func (x *faulty) derive(s sessionID, base handle, data *[32]byte, t template) (handle, error) {
	leave, err := x.enter("derive", s)
	defer leave()
	if err != nil {
		return 0, err
	}
	if x.f.Data != nil {
		d := x.f.Data(*data)
		data = &d
	}
	o, err := x.cryptoki.derive(s, base, data, t)
	x.made(1, err)
	return o, err
}

func (x *faulty) wrap(s sessionID, m mechanism, kek, key handle) ([]byte, error) {
	leave, err := x.enter("wrap", s)
	defer leave()
	if err != nil {
		return nil, err
	}
	b, err := x.cryptoki.wrap(s, m, kek, key)
	if x.f.Wrap != nil {
		return x.f.Wrap(b, err)
	}
	return b, err
}

func (x *faulty) unwrap(s sessionID, m mechanism, kek handle, blob []byte, t template) (handle, error) {
	leave, err := x.enter("unwrap", s)
	defer leave()
	if err != nil {
		return 0, err
	}
	o, err := x.cryptoki.unwrap(s, m, kek, blob, t)
	x.made(1, err)
	if x.f.Unwrap != nil {
		n, err := x.f.Unwrap(uint(o), err)
		return handle(n), err
	}
	return o, err
}

func (x *faulty) destroy(s sessionID, o handle) error {
	leave, err := x.enter("destroy", s)
	defer leave()
	if err != nil {
		return err
	}
	err = x.cryptoki.destroy(s, o)
	x.made(-1, err)
	if x.f.Destroy != nil {
		return x.f.Destroy(err)
	}
	return err
}

func (x *faulty) sign(s sessionID, m mechanism, key handle, data, out []byte) ([]byte, error) {
	leave, err := x.enter("sign", s)
	defer leave()
	if err != nil {
		return nil, err
	}
	b, err := x.cryptoki.sign(s, m, key, data, out)
	if x.f.Sign != nil {
		return x.f.Sign(b, err)
	}
	return b, err
}

func (x *faulty) encrypt(s sessionID, m mechanism, key handle, data []byte) ([]byte, error) {
	b, err := x.cryptoki.encrypt(s, m, key, data)
	if x.f.Encrypt != nil {
		return x.f.Encrypt(b, err)
	}
	return b, err
}

func (x *faulty) decrypt(s sessionID, m mechanism, key handle, data []byte) ([]byte, error) {
	b, err := x.cryptoki.decrypt(s, m, key, data)
	if x.f.Decrypt != nil {
		return x.f.Decrypt(b, err)
	}
	return b, err
}

func (x *faulty) random(s sessionID, n int) ([]byte, error) {
	leave, err := x.enter("random", s)
	defer leave()
	if err != nil {
		return nil, err
	}
	b, err := x.cryptoki.random(s, n)
	if x.f.Random != nil {
		return x.f.Random(b, err)
	}
	return b, err
}

// RV is a return code as an error.
func RV(code uint) error { return pkcs11.Error(code) }

// RawSigner gives the bare calls of the module for one signature with the key of
// that label as it stays in the token, in a session of its own.
func (t *Token) RawSigner(label string) (sign func() error, done func(), err error) {
	k, err := t.Signer(label)
	if err != nil {
		return nil, nil, err
	}
	t.mu.Lock()
	key, slot := t.objects[label].stays, t.slot
	t.mu.Unlock()
	s, err := t.api.open(slot, false)
	if err != nil {
		return nil, nil, err
	}
	j, err := newJob(k.public, make([]byte, 32), crypto.SHA256)
	if err != nil {
		return nil, nil, err
	}
	out := make([]byte, j.size)
	return func() error {
		_, err := t.api.sign(s, j.mech, key, j.data, out)
		return err
	}, func() { _ = t.api.close(s) }, nil
}

// Copied reports whether the key of that label is used through a copy.
func (t *Token) Copied(label string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.objects[label]
	return o.handle != o.stays
}

// TryToRead tries to get the key behind the handle in use out of the token.
func (t *Token) TryToRead(label string) error {
	t.mu.Lock()
	o, s := t.objects[label], t.keep
	t.mu.Unlock()
	_, read := t.api.attribute(s, o.handle, pkcs11.CKA_VALUE)
	kek, err := t.api.generate(s, mech(pkcs11.CKM_AES_KEY_GEN), secretTemplate(pkcs11.CKK_AES, false, pkcs11.CKA_WRAP))
	if err != nil {
		return nil
	}
	defer t.api.destroy(s, kek)
	_, wrap := t.api.wrap(s, mech(pkcs11.CKM_AES_KEY_WRAP_PAD), kek, o.handle)
	again := t.api.set(s, o.handle, attr(pkcs11.CKA_EXTRACTABLE, true))
	if read == nil || wrap == nil || again == nil {
		return nil
	}
	return errors.Join(read, wrap, again)
}

// Widen makes a key good for decryption too.
func (t *Token) Widen(label string) error {
	t.mu.Lock()
	o, slot := t.objects[label], t.slot
	t.mu.Unlock()
	s, err := t.api.open(slot, true)
	if err != nil {
		return err
	}
	defer t.api.close(s)
	return t.api.set(s, o.stays, attr(pkcs11.CKA_DECRYPT, true))
}

// Pull gives ways to pull something away behind the pool's back, with the library's
// own calls.
func (t *Token) Pull() map[string]func() error {
	return map[string]func() error{
		"login":    func() error { return t.module.ctx.Logout(t.keep) },
		"sessions": func() error { return t.module.ctx.CloseAllSessions(t.slot) },
		"library":  func() error { return t.module.ctx.Finalize() },
	}
}
