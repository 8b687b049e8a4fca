package vault

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"os"
	"strconv"
	"strings"
	"time"

	"sigillo/audit"
	"sigillo/auth"
	"sigillo/store"
)

// The responsible of the time-stamping service is recognised by a passphrase. What
// is stored is the token's MAC over what Argon2id makes of it, so who has the file
// cannot try passphrases without the token. The keys do not hang from it: they are
// in the token and the vault alone reaches them. It is needed by policy.
//
// An activation gives the client a ticket, which it keeps in memory. The ticket
// stands for the passphrase as long as the machine is not started anew: with it the
// vault's supervisor brings the units back that were active when the vault died,
// without waiting for anybody, and roll-over goes on. Nothing on the disk gives it;
// who takes the client over has it, and could stamp before as well.

// stretched is what a passphrase gives with a salt, MACed by the token.
func (s *service) stretched(ctx context.Context, w *verifier, passphrase []byte) ([]byte, error) {
	if len(passphrase) > maxPassword {
		passphrase = nil // counted as wrong
	}
	k, err := s.v.stretch(ctx, &Factors{Argon: w.Argon, Salt: w.Salt}, passphrase)
	defer clear(k[:])
	if err != nil {
		return nil, err
	}
	d := auth.Derive(k, string(newMessage("sigillo tsa passphrase v1").text(s.v.cfg.Node)))
	defer clear(d[:])
	m := newMessage("sigillo tsa verifier v1").bytes(w.Salt).bytes(d[:])
	defer clear(m)
	mac, err := s.v.tok.MAC(ctx, keyMAC, m)
	return mac, because(err, "the token did not check the passphrase")
}

// proof is a consent after the work that needs no transaction.
type proof struct {
	by     Consent
	mac    []byte // of the passphrase given, under salt
	salt   []byte
	ticket bool // one will do
	file   bool // the passphrase is from the file, which nobody can guess with
	early  bool // before there is a passphrase, in provisioning, nothing is needed
}

// prove does the slow part of checking a consent. ticket says whether one will do
// instead of the passphrase; so will the passphrase file then.
func (s *service) prove(ctx context.Context, by Consent, ticket bool) (p proof, err error) {
	if err := checkName("the operator", by.Operator, maxName); err != nil {
		return p, err
	}
	p = proof{by: by, ticket: ticket}
	var w *verifier
	holds := false // a ticket that is good needs no file
	err = s.look(ctx, func(_ *store.Tx, r *root) error {
		w, holds = r.Verifier, ticket && len(by.Ticket) > 0 && hmac.Equal(by.Ticket, s.ticket(r))
		return nil
	})
	if err != nil {
		return p, err
	}
	passphrase := by.Passphrase
	if len(passphrase) == 0 && ticket && !holds && s.cfg.PassphraseFile != "" && w != nil {
		p.file = true
		if passphrase, err = s.fromFile(); err != nil {
			return p, err
		}
		defer clear(passphrase)
	}
	if w != nil && len(passphrase) > 0 {
		p.salt = w.Salt
		p.mac, err = s.stretched(ctx, w, passphrase)
	}
	return p, err
}

// act is the one place where the responsible is recognised. With the consent do is
// run, in one transaction with what it changes and journals; without it the refusal
// is counted and journalled, and durable before anybody knows.
func (s *service) act(ctx context.Context, p proof, op string, do func(*store.Tx, *root) error) error {
	var refused error
	err := s.change(ctx, func(tx *store.Tx, r *root) error {
		if refused = s.judge(r, p); refused == nil {
			return do(tx, r)
		}
		return s.refuse(tx, r, p, op, refused)
	})
	return firstError(err, refused)
}

// judge says whether the consent is one, on the state as it is now.
func (s *service) judge(r *root, p proof) error {
	w := r.Verifier
	switch {
	case w == nil && s.v.cfg.Provision && p.early:
		return nil // nobody has been appointed yet
	case w == nil:
		return fail(NotAllowed, "the time-stamping service has no passphrase yet; set one first")
	case p.mac == nil && p.ticket && len(p.by.Ticket) > 0 && hmac.Equal(p.by.Ticket, s.ticket(r)):
		return nil
	case p.mac == nil:
		return fail(NotAllowed, "the passphrase of the time-stamping service is needed")
	}
	if wait := time.UnixMilli(w.Locked).Sub(s.v.now()); w.Locked != 0 && wait > 0 && !p.file {
		return &Error{Kind: Locked, Msg: "too many wrong passphrases; wait and try again", RetryAfter: wait}
	}
	if !hmac.Equal(p.salt, w.Salt) || !hmac.Equal(p.mac, w.MAC) {
		return fail(WrongPassword, "the passphrase is wrong")
	}
	w.Failures, w.Locked = 0, 0
	return nil
}

// refuse counts and journals a refusal. What can be repeated without end is
// journalled once for as long as a lock-out lasts.
func (s *service) refuse(tx *store.Tx, r *root, p proof, op string, why error) error {
	now, w := s.v.now(), r.Verifier
	until := now.Add(tamperedEvery)
	detail := map[string]string{"operation": op, "reason": string(KindOf(why))}
	if KindOf(why) == WrongPassword {
		w.Failures++
		if wait := auth.Delay(w.Failures); wait > 0 {
			w.Locked = millis(now.Add(wait))
		}
		detail["failures"] = strconv.Itoa(w.Failures)
	} else {
		if KindOf(why) == Locked {
			until = now.Add(retryAfter(why))
		}
		if _, first := s.refusals.first(string(KindOf(why)), now, until); !first {
			return nil
		}
	}
	return audit.Append(tx, now, audit.Event{Actor: p.by.Operator, Event: "tsa.refused", Subject: aboutService, Detail: detail})
}

// ticket is what stands for the passphrase while the session holds; nil: nothing.
func (s *service) ticket(r *root) []byte {
	if len(r.Session) == 0 || r.Boot != s.boot {
		return nil
	}
	return newMessage("sigillo tsa ticket v1").text(r.Boot).bytes(r.Session).mac(&s.v.rowKey)
}

// session begins a session, unless one holds, and gives its ticket.
func (s *service) session(r *root) []byte {
	if s.ticket(r) == nil {
		r.Boot, r.Session = s.boot, make([]byte, 32)
		rand.Read(r.Session)
	}
	return s.ticket(r)
}

// bootID names the start of the machine.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown " + rand.Text() // no ticket outlives this process then
	}
	return strings.TrimSpace(string(b))
}

// setPassphrase sets the first passphrase, in provisioning, or replaces one. The
// session ends: who has a ticket of the old one has nothing. Those who stamp at this
// moment are told the ticket of the session that follows, so that a service which
// runs for months brings its units back as before.
func (s *service) setPassphrase(ctx context.Context, c *PassphraseChange) error {
	if err := checkName("the operator", c.Operator, maxName); err != nil {
		return err
	}
	if err := auth.CheckPasswordBytes(c.New, c.Operator); err != nil {
		return &Error{Kind: BadRequest, Msg: "the passphrase is too weak: at least 12 characters, nothing well-known, not the operator's name", Err: err}
	}
	fresh := &verifier{Salt: make([]byte, saltSize), Argon: s.v.cfg.Argon}
	rand.Read(fresh.Salt)
	var err error
	if fresh.MAC, err = s.stretched(ctx, fresh, c.New); err != nil {
		return err
	}
	p, err := s.prove(ctx, Consent{Operator: c.Operator, Passphrase: c.Old}, false)
	if err != nil {
		return err
	}
	var ticket []byte
	set := func(tx *store.Tx, r *root) error {
		event, held := "tsa.passphrase.set", s.ticket(r) != nil
		if r.Verifier != nil {
			event = "tsa.passphrase.replaced"
		}
		r.Verifier, r.Session = fresh, nil
		if held {
			ticket = s.session(r)
		}
		return audit.Append(tx, s.v.now(), audit.Event{Actor: c.Operator, Event: event, Subject: aboutService})
	}
	if len(c.Old) > 0 {
		err := s.act(ctx, p, opTSAPassphrase, set)
		if err == nil && ticket != nil {
			s.desk.tell(ticket)
		}
		return err
	}
	return s.change(ctx, func(tx *store.Tx, r *root) error {
		if r.Verifier != nil {
			return fail(NotAllowed, "the time-stamping service has a passphrase; give it to replace it")
		}
		if !s.v.cfg.Provision {
			return fail(NotAllowed, "the first passphrase is set in the ceremony only; start the vault for provisioning")
		}
		return set(tx, r)
	})
}

// fromFile reads the passphrase of an unattended vault.
func (s *service) fromFile() ([]byte, error) {
	return secretFile(s.cfg.PassphraseFile, "the passphrase of the time-stamping service")
}
