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

// SignIn opens a session for a holder with password and second factor, both checked
// in the vault. The password is wiped. An unknown username costs as much time as
// a wrong password and is answered the same.
//
// Errors are of package signing: WrongFactors, ReusedOTP, Locked,
// KeyUnavailable, Busy.
func (a *Appliance) SignIn(ctx context.Context, username string, e signing.Evidence, v auth.Visit) (auth.SignedIn, error) {
	h, factors, r, err := a.recognise(ctx, username, e)
	if err != nil {
		return auth.SignedIn{}, err
	}
	token, err := a.sessions.Start(ctx, auth.Opening{Holder: h.ID, Methods: r.Methods, Epoch: epochOf(factors), Visit: v})
	return auth.SignedIn{Token: token, Browser: r.Browser, BrowserExpires: r.BrowserExpires}, passing(err)
}

// recognise has the vault check a holder's factors.
func (a *Appliance) recognise(ctx context.Context, username string, e signing.Evidence) (h store.Holder, f vault.Factors, r vault.Recognition, err error) {
	defer clear(e.Password)
	if username = strings.TrimSpace(username); len(username) > maxUsername {
		return h, f, r, &signing.Error{Kind: signing.WrongFactors, Msg: "no username is that long"}
	}
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		h, err = tx.HolderByUsername(username)
		return err
	})
	if store.KindOf(err) == store.NotFound || err == nil && len(h.Factors) == 0 { // or not activated yet
		return h, f, r, a.refuseStranger(ctx, username, e)
	}
	if err != nil {
		return h, f, r, &signing.Error{Kind: signing.Busy, Msg: "the database is busy; try again", Err: err}
	}
	if f, err = factorsOf(h); err != nil {
		return h, f, r, err
	}
	r, err = a.Vault.Authenticate(ctx, vault.Authentication{Factors: f, Evidence: e})
	if err != nil {
		err = signing.FromVault(err)
		// The vault's journal has every lock-out; here they are told once a
		// second, so that guessing does not fill the journal.
		if signing.KindOf(err) != signing.Locked || a.strangers.tell(a.opt.Now()) {
			a.note(ctx, audit.Event{Actor: h.ID, Event: "holder.sign-in-refused", Subject: h.ID,
				Detail: map[string]string{"kind": string(signing.KindOf(err)), "client": e.Client}})
		}
	}
	return h, f, r, err
}

// factorsOf reads the vault's record of a holder's factors.
func factorsOf(h store.Holder) (f vault.Factors, err error) {
	if err := json.Unmarshal(h.Factors, &f); err != nil {
		return f, &signing.Error{Kind: signing.Internal, Msg: "the holder's factors cannot be read", Err: err}
	}
	return f, nil
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
