package hsm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/pkcs11"
)

const (
	// patientFor is how many unspecific failures in a row, of whatever operation,
	// are taken as the requests' fault. A token that answers everything with
	// CKR_GENERAL_ERROR is ill, and is opened anew.
	patientFor = 3
	// soreTime is how long nobody tries to bring the token back after a try that
	// failed: those who wait are told so at once, and are many.
	soreTime = 250 * time.Millisecond
	// pinTime is the same after a PIN that was refused: tokens count wrong PINs, and
	// lock after a few.
	pinTime = time.Minute
)

// sore is the last try to bring the token back that failed.
type sore struct {
	err   error
	until time.Time
}

// trulyAbsent says why a key was not found, nil if it is not there: who has lost the
// login sees no private objects, and is not told.
func (t *Token) trulyAbsent(s *session, label string) error {
	in, err := t.api.loggedIn(s.id)
	if err != nil {
		return err
	}
	if !in {
		return pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen[label] {
		return &vanished{label}
	}
	return nil
}

// explain finds out whether the login is lost when an operation failed for another
// reason: a token that has lost it may say that keys are of a wrong size.
func (t *Token) explain(s *session, err error) error {
	_, judged := errors.AsType[*Error](err)
	if _, ok := errors.AsType[pkcs11.Error](err); judged || !ok || damageOf(err) >= damageSession {
		return err
	}
	if in, ask := t.api.loggedIn(s.id); ask == nil && !in {
		var o once
		if errors.As(err, &o) {
			return once{pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)}
		}
		return pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	return err
}

// needsRestart reports whether only a library started anew can cure err.
func needsRestart(err error) bool {
	_, gone := errors.AsType[*vanished](err)
	return gone || unspecific(err)
}

// drain takes all permits, waiting no longer than drainTime, and reports how many
// it got and whether these are all.
func (t *Token) drain(ctx context.Context) (taken int, alone bool) {
	timeout := time.After(drainTime)
	for taken < cap(t.permits) {
		select {
		case t.permits <- struct{}{}:
			taken++
		case <-timeout:
			return taken, false
		case <-ctx.Done():
			return taken, false
		}
	}
	return taken, true
}

// openToken finds the slot, opens the session that keeps the login and logs in.
// The caller holds opening (or is the only owner).
func (t *Token) openToken() error {
	slot, ti, err := t.module.slotOf(t.cfg.Token)
	if err == nil {
		err = t.sameToken(ti)
	}
	if err != nil {
		return err
	}
	keep, err := t.api.open(slot, false)
	if err != nil {
		return err
	}
	if err := t.api.login(keep, t.cfg.PIN); err != nil {
		_ = t.api.close(keep) // already failing
		return err
	}
	info := Info{
		Module: t.module.path, Library: t.module.describe(),
		Manufacturer: trim(ti.ManufacturerID), Label: trim(ti.Label), Model: trim(ti.Model), Serial: trim(ti.SerialNumber),
		Firmware: fmt.Sprintf("%d.%d", ti.FirmwareVersion.Major, ti.FirmwareVersion.Minor),
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.up, t.slot, t.keep, t.infoText = true, slot, keep, info
	t.epoch++
	t.objects = make(map[string]object)
	return nil
}

// discard throws away every session and handle. Errors of C_CloseSession do not
// matter here: the session either is closed now or was gone before.
func (t *Token) discard() {
	t.mu.Lock()
	was, keep, idle := t.up, t.keep, t.idle
	t.up, t.idle, t.objects = false, nil, nil
	t.epoch++
	t.mu.Unlock()
	for _, s := range idle {
		_ = t.api.close(s)
	}
	if was {
		_ = t.api.close(keep)
	}
}

// sameToken refuses a token that is not the one that was opened first, before its
// PIN is tried on it: somebody has initialised it anew, or put another one in its
// place. It also refuses to spend the last try that a PIN has.
func (t *Token) sameToken(ti pkcs11.TokenInfo) error {
	t.mu.Lock()
	was := t.infoText.Serial
	t.mu.Unlock()
	switch serial := trim(ti.SerialNumber); {
	case was == "":
		return nil // the first time
	case serial != was:
		return fail(TokenGone, nil, "the token %q with the serial number %s is gone, and another one, %s, has its label; put the first one back, or start anew", t.cfg.Token, was, serial)
	case ti.Flags&(pkcs11.CKF_USER_PIN_FINAL_TRY|pkcs11.CKF_USER_PIN_LOCKED) != 0:
		return fail(WrongPIN, nil, "the token %q has refused its PIN so often that the last try is not spent; the security officer must see to it", t.cfg.Token)
	}
	return nil
}

// closeIdle makes room in the token.
func (t *Token) closeIdle() {
	t.mu.Lock()
	idle := t.idle
	t.idle = nil
	t.mu.Unlock()
	for _, s := range idle {
		_ = t.api.close(s) // it is given up either way
	}
}

// reopen brings the token back after the epoch that failed. Several goroutines
// may ask; the first one works, the others find it done, or failed a moment ago. It
// returns nil when the token may be used again. With anew the library is started
// again without trying first whether it still knows the token.
func (t *Token) reopen(ctx context.Context, epoch uint64, anew bool) error {
	select {
	case t.opening <- struct{}{}:
	case <-t.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-t.opening }()
	select {
	case <-t.closed:
		return errClosed
	default:
	}
	t.mu.Lock()
	done := t.up && t.epoch != epoch
	t.mu.Unlock()
	if done {
		return nil
	}
	if time.Now().Before(t.sore.until) {
		return t.sore.err
	}
	err := t.bringBack(ctx, anew)
	t.sore = sore{}
	switch {
	case ctx.Err() != nil: // says nothing about the token
	case isWrongPIN(err):
		t.sore = sore{err, time.Now().Add(pinTime)}
	case err != nil || anew: // what it was started anew for may not be mended
		t.sore = sore{err, time.Now().Add(soreTime)}
		if err == nil {
			t.sore.err = fail(TokenGone, nil, "the token %q does not have what it had; check that it is whole", t.cfg.Token)
		}
	}
	return err
}

// bringBack is the work of reopen.
func (t *Token) bringBack(ctx context.Context, anew bool) error {
	t.discard()
	t.ill.Store(0)
	if !anew {
		err := t.openToken()
		if err == nil || isWrongPIN(err) {
			return err
		}
	}
	// The slot itself is gone: only a fresh start of the library can find it
	// again. Not while a call is under way in it, and not under another Token.
	taken, alone := t.drain(ctx)
	defer func() {
		for range taken {
			<-t.permits
		}
	}()
	if alone && !t.module.restart() && !anew {
		alone = false
	}
	if !alone {
		return t.gone(ctx.Err())
	}
	if err := t.openToken(); isWrongPIN(err) {
		return err
	} else if err != nil {
		return t.gone(err)
	}
	return nil
}

func isWrongPIN(err error) bool {
	return KindOf(err) == WrongPIN || isRV(err, pkcs11.CKR_PIN_INCORRECT) || isRV(err, pkcs11.CKR_PIN_LOCKED)
}

func (t *Token) gone(err error) error {
	if KindOf(err) == TokenGone {
		return err
	}
	return fail(TokenGone, err, "the token %q is gone; check that it is connected and its service runs", t.cfg.Token)
}
