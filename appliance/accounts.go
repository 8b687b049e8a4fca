package appliance

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/pki"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// maxUsername is the longest username, in bytes.
const maxUsername = 200

// SignIn opens a session for a holder with password and OTP, both checked in
// the vault. The password is wiped. An unknown username costs as much time as
// a wrong password and is answered the same.
//
// Errors are of package signing: WrongFactors, ReusedOTP, Locked,
// KeyUnavailable, Busy.
func (a *Appliance) SignIn(ctx context.Context, username string, e signing.Evidence) (string, error) {
	h, err := a.recognise(ctx, username, e, "holder.signed-in")
	if err != nil {
		return "", err
	}
	token, err := a.sessions.Start(ctx, h.ID)
	return token, passing(err)
}

// recognise checks the factors; event is what the journal says when they are right.
func (a *Appliance) recognise(ctx context.Context, username string, e signing.Evidence, event string) (store.Holder, error) {
	defer clear(e.Password)
	if username = strings.TrimSpace(username); len(username) > maxUsername {
		return store.Holder{}, &signing.Error{Kind: signing.WrongFactors, Msg: "no username is that long"}
	}
	var h store.Holder
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.HolderByUsername(username)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return store.Holder{}, a.refuseStranger(ctx, username, e)
	}
	if err != nil {
		return store.Holder{}, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	var factors vault.Factors
	if err := json.Unmarshal(h.Factors, &factors); err != nil {
		return store.Holder{}, &signing.Error{Kind: signing.Internal, Msg: "the holder's factors cannot be read", Err: err}
	}
	_, err = a.Vault.Authenticate(ctx, vault.Authentication{Factors: factors, Evidence: e})
	if err != nil {
		err = signing.FromVault(err)
		// The vault's journal has every lock-out; here they are told once a
		// second, so that guessing does not fill the journal.
		if signing.KindOf(err) != signing.Locked || a.strangers.tell(a.opt.Now()) {
			a.note(ctx, audit.Event{Actor: h.ID, Event: "holder.sign-in-refused", Subject: h.ID,
				Detail: map[string]string{"kind": string(signing.KindOf(err)), "client": e.Client}})
		}
		return store.Holder{}, err
	}
	err = a.journal.Append(ctx, audit.Event{Actor: h.ID, Event: event, Subject: h.ID,
		Detail: map[string]string{"client": e.Client}})
	if err != nil {
		return store.Holder{}, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	return h, nil
}

// passing gives a session error that comes from the database the kind that
// says so, so that nobody is signed out by a busy or full disk.
func passing(err error) error {
	if auth.KindOf(err) != auth.Failed {
		return err
	}
	kind := signing.Busy
	if store.KindOf(err) == store.Full {
		kind = signing.DiskFull
	}
	return &signing.Error{Kind: kind, Msg: "the session is not at hand; try again", Err: err}
}

// Session gives the holder of a session token; an error when there is none.
func (a *Appliance) Session(ctx context.Context, token string) (store.Holder, error) {
	id, err := a.sessions.Check(ctx, token)
	if err != nil {
		return store.Holder{}, passing(err)
	}
	var h store.Holder
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.Holder(id)
		return err
	})
	if err != nil {
		return h, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	return h, nil
}

// SignOut ends a session.
func (a *Appliance) SignOut(ctx context.Context, token string) error {
	return passing(a.sessions.End(ctx, token))
}

// reasonHold is certificateHold, RFC 5280 §5.3.1.
const reasonHold = 6

// SuspendOwn suspends the certificate of one of the holder's credentials.
func (a *Appliance) SuspendOwn(ctx context.Context, holder, credential string) error {
	var c store.Credential
	err := a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = tx.Credential(credential)
		return err
	})
	switch {
	case err != nil && store.KindOf(err) != store.NotFound:
		return &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	case err != nil || c.Holder != holder || c.Certificate == "":
		return &signing.Error{Kind: signing.NotFound, Msg: "no such credential", Err: err}
	}
	err = a.PKI.Suspend(ctx, c.Certificate, reasonHold, holder)
	if pki.KindOf(err) == pki.Unpublished {
		// The suspension is durable and in force; the list goes out with the
		// next run.
		a.log.Error("a suspension is not on the list yet", "certificate", c.Certificate, "err", err)
		return nil
	}
	if err != nil {
		kind, ok := suspendKinds[pki.KindOf(err)]
		if !ok {
			kind = signing.Internal
		}
		return &signing.Error{Kind: kind, Msg: "the certificate cannot be suspended", Err: err}
	}
	return nil
}

var suspendKinds = map[pki.Kind]signing.Kind{pki.Conflict: signing.WrongState, pki.NotFound: signing.NotFound,
	pki.Busy: signing.Busy, pki.Full: signing.DiskFull, pki.KeyUnavailable: signing.KeyUnavailable}

// note journals what must not hide the error being reported.
func (a *Appliance) note(ctx context.Context, ev audit.Event) {
	if err := a.journal.Append(context.WithoutCancel(ctx), ev); err != nil {
		a.log.Error("journal entry lost", "event", ev.Event, "err", err)
	}
}

// refuseStranger answers an unknown username as the vault answers a wrong
// password: the vault does the same work, and the lock-out and the words are
// the same.
func (a *Appliance) refuseStranger(ctx context.Context, username string, e signing.Evidence) error {
	_, err := a.Vault.Authenticate(ctx, vault.Authentication{Evidence: e})
	err = signing.FromVault(err)
	if kind := signing.KindOf(err); kind != signing.WrongFactors {
		return err
	}
	wait := a.strangers.failed(username, a.opt.Now())
	if a.strangers.tell(a.opt.Now()) {
		a.note(ctx, audit.Event{Actor: "unknown", Event: "holder.sign-in-refused", Detail: map[string]string{"client": e.Client}})
	}
	if wait > 0 {
		return &signing.Error{Kind: signing.Locked, Msg: "the vault refuses", RetryAfter: wait}
	}
	return err
}

// strangers counts the failures of usernames that do not exist, so that being
// locked out does not tell an existing username from an invented one. It
// forgets everything when it has seen maxStrangers names.
type strangers struct {
	mu    sync.Mutex
	seen  map[string]*stranger
	noted time.Time
}

type stranger struct {
	failures int
	until    time.Time
}

const maxStrangers = 10_000

// tell is true once a second: whoever guesses must not fill the journal.
func (s *strangers) tell(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.noted) < time.Second {
		return false
	}
	s.noted = now
	return true
}

// failed counts a failure and gives the time to wait, 0 when the attempt was
// allowed.
func (s *strangers) failed(name string, now time.Time) (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil || len(s.seen) >= maxStrangers {
		s.seen = map[string]*stranger{}
	}
	e := s.seen[name]
	if e == nil {
		e = &stranger{}
		s.seen[name] = e
	}
	if now.Before(e.until) {
		return e.until.Sub(now)
	}
	e.failures++
	e.until = now.Add(auth.Delay(e.failures))
	return 0
}

// sessionStore keeps sessions in the database.
type sessionStore struct{ db *store.DB }

func (s sessionStore) PutSession(ctx context.Context, v auth.Session) error {
	return s.db.Write(ctx, func(tx *store.Tx) error { return tx.PutSession(store.Session(v)) })
}

func (s sessionStore) Session(ctx context.Context, id []byte) (*auth.Session, error) {
	var v store.Session
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		v, err = tx.Session(id)
		return err
	})
	if store.KindOf(err) == store.NotFound {
		return nil, nil
	}
	out := auth.Session(v)
	return &out, err
}

func (s sessionStore) TouchSession(ctx context.Context, id []byte, seen time.Time) error {
	return s.db.Write(ctx, func(tx *store.Tx) error { return tx.TouchSession(id, seen) })
}

func (s sessionStore) DeleteSession(ctx context.Context, id []byte) error {
	return s.db.Write(ctx, func(tx *store.Tx) error { return tx.DeleteSession(id) })
}
