package vault

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"sigillo/hsm"
	"sigillo/store"
	"sigillo/tsa"
)

const (
	lastUnit   = 1023 // units are numbered from 1 to it on each node
	labelTries = 16   // names in a row that keys of others may have taken
)

// makeUnit makes a time-stamping unit's key.
//
//  1. The consent of the responsible, or of nobody in a provisioning before there is
//     one. The series is one that a policy names, the type one that units have.
//  2. Durable: the unit's name and number, which no other ever gets, and the intent.
//  3. The token makes the key. If it is there already it must be this request's,
//     sent again after the vault died; a key of somebody else's keeps its name, and
//     the unit takes the next.
//  4. Durable: the unit with its public key. The answer.
func (s *service) makeUnit(ctx context.Context, id string, n *NewUnit) (*Unit, error) {
	if !s.hasSeries(n.Series) {
		return nil, failf(BadRequest, "no policy names the series %.40q", n.Series)
	}
	if _, ok := isRSA(n.Type); !ok && n.Type != hsm.Ed25519 {
		return nil, fail(BadRequest, "the key type must be p256, p384, rsa2048, rsa3072, rsa4096 or ed25519")
	}
	p, err := s.prove(ctx, n.Consent, true)
	if err != nil {
		return nil, err
	}
	p.early = true
	s.v.creating.Lock()
	defer s.v.creating.Unlock()
	for range labelTries {
		u, again, err := s.intendUnit(ctx, id, n, p) // 1, 2
		if err != nil {
			return nil, err
		}
		if u.State != UnitMaking {
			return s.describeUnit(ctx, u.name)
		}
		k, err := s.v.tok.GenerateFastSigner(ctx, u.name, u.Type) // 3
		taken := hsm.KindOf(err) == hsm.Conflict
		if taken && again {
			k, err = s.v.tok.Signer(u.name)
		} else if taken {
			if err := s.giveUp(ctx, u, "the token has a key of this name, which is not a unit's"); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, because(err, "the token did not make the key")
		}
		return s.unitMade(ctx, u, k) // 4
	}
	return nil, fail(NotAllowed, "the token has keys of the names that units get next; remove those that do not belong there")
}

func (s *service) hasSeries(series string) bool {
	for _, p := range s.cfg.Policies {
		if p.Series == series && series != "" {
			return true
		}
	}
	return false
}

// intendUnit is steps 1 and 2 of makeUnit. again says that the request was here
// before.
func (s *service) intendUnit(ctx context.Context, id string, n *NewUnit, p proof) (u *unit, again bool, err error) {
	err = s.act(ctx, p, opTSAMake, func(tx *store.Tx, r *root) error {
		us, err := s.units(tx, r)
		if err != nil {
			return err
		}
		for _, old := range us {
			if old.Request != id || old.State == UnitRetired {
				continue
			}
			if old.Series != n.Series || old.Type != n.Type {
				return fail(NotAllowed, "a request of this name with other content was made before")
			}
			u, again = old, true
			return nil
		}
		if r.NextUnit > lastUnit {
			return fail(NotAllowed, "this node has made as many units as there are numbers; go on with a node of another number")
		}
		number, err := tsa.UnitNumber(r.Node, r.NextUnit)
		if err != nil {
			return err
		}
		now := s.v.now().UTC()
		u = &unit{name: fmt.Sprintf("tsu-%d", r.NextUnit), number: number, Request: id, State: UnitMaking,
			Series: n.Series, Type: n.Type, Made: now, Changed: now}
		r.NextUnit++
		if err := s.setUnit(tx, r, u, true); err != nil {
			return err
		}
		return s.append(tx, p.by.Operator, "tsu.intent", u, map[string]string{"type": string(u.Type)})
	})
	return u, again, err
}

func (s *service) giveUp(ctx context.Context, u *unit, reason string) error {
	_, err := s.move(ctx, u.name, "vault", "tsu.refused", func(u *unit) error {
		u.State, u.Reason = UnitRetired, reason
		return nil
	})
	return err
}

// unitMade is step 4 of makeUnit.
func (s *service) unitMade(ctx context.Context, u *unit, k *hsm.Signer) (*Unit, error) {
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, because(err, "the public key cannot be encoded")
	}
	return s.move(ctx, u.name, "vault", "tsu.made", func(u *unit) error {
		u.State, u.PublicKey = UnitMade, spki
		return nil
	})
}

// move changes a unit and journals it, in one transaction.
func (s *service) move(ctx context.Context, name, actor, event string, f func(*unit) error) (*Unit, error) {
	err := s.change(ctx, func(tx *store.Tx, r *root) error { return s.moveIn(tx, r, name, actor, event, f) })
	if err != nil {
		return nil, err
	}
	return s.describeUnit(ctx, name)
}

func (s *service) moveIn(tx *store.Tx, r *root, name, actor, event string, f func(*unit) error) error {
	u, err := s.unitOf(tx, r, name)
	if err != nil {
		return err
	}
	was := u.State
	if err := f(u); err != nil {
		return err
	}
	if u.State != was {
		u.Changed = s.v.now().UTC()
	}
	if err := s.setUnit(tx, r, u, false); err != nil {
		return err
	}
	more := map[string]string{}
	if u.Reason != "" {
		more["reason"] = u.Reason
	}
	return s.append(tx, actor, event, u, more)
}

// describeUnit is what the answer says of a unit.
func (s *service) describeUnit(ctx context.Context, name string) (*Unit, error) {
	live := tsa.UnitStatus{}
	for _, l := range s.authority.Units(ctx) {
		if l.Name == name {
			live = l
		}
	}
	var out Unit
	s.mu.Lock()
	defer s.mu.Unlock()
	return &out, s.look(ctx, func(tx *store.Tx, r *root) error {
		u, err := s.unitOf(tx, r, name)
		if err != nil {
			return err
		}
		out = s.describe(r, u, live)
		return nil
	})
}

// deaf is the clock and counter of an authority that stamps nothing.
type deaf struct{}

var errDeaf = errors.New("this authority only checks units")

func (deaf) Now(context.Context) (time.Time, error) { return time.Time{}, errDeaf }

func (deaf) Reserve(context.Context, string, int64, time.Time) (int64, time.Time, error) {
	return 0, time.Time{}, errDeaf
}

// config is the unit as an authority takes it.
func (s *service) config(u *unit) (tsa.UnitConfig, error) {
	c, chain, err := certificates(u.Certificate, u.Chain)
	if err != nil {
		return tsa.UnitConfig{}, err
	}
	k, err := s.v.tok.Signer(u.name)
	if err != nil {
		return tsa.UnitConfig{}, because(err, "the token did not give the unit's key")
	}
	rsa, _ := isRSA(u.Type)
	return tsa.UnitConfig{Name: u.name, Number: u.number, Series: u.Series, Signer: k, Certificate: c, Chain: chain,
		PSS: rsa && s.cfg.PSS}, nil
}

// check tries the unit in an authority that does nothing else: what it accepts here
// it accepts in service. It returns the time of use.
func (s *service) check(u *unit) (from, to time.Time, err error) {
	cfg, err := s.config(u)
	if err != nil {
		return from, to, err
	}
	a, err := tsa.NewAuthority(tsa.Config{Policies: s.cfg.Policies, Clock: deaf{}, Counter: deaf{}, NameInToken: s.cfg.NameInToken})
	if err == nil {
		err = a.Add(cfg)
	}
	if err != nil {
		return from, to, refusedBy(err)
	}
	if a.MaxTokenSize() > maxToken-maxOrder { // a request's nonce comes back in it
		return from, to, failf(NotAllowed, "tokens with this chain have %d bytes; leave certificates out", a.MaxTokenSize())
	}
	for _, l := range a.Units(context.Background()) {
		from, to = l.From, l.To
	}
	return from, to, nil
}

// refusedBy tells the operator why the authority does not take a unit.
func refusedBy(err error) error {
	if e, ok := errors.AsType[*tsa.Error](err); ok {
		msg := e.Msg
		if e.Err != nil {
			msg += ": " + e.Err.Error()
		}
		return &Error{Kind: NotAllowed, Msg: msg, Err: err}
	}
	return because(err, "the unit cannot be used")
}

// install gives a unit its certificate.
//
//  1. Certificate and chain can be read; the key is the unit's; the certificate is
//     for time-stamping alone, critically (RFC 3161 §2.3); it has a time of use that
//     is not over.
//  2. Durable: certificate, chain, time of use, the journal's entry.
func (s *service) install(ctx context.Context, q *installRequest) (*Unit, error) {
	s.moving.Lock()
	defer s.moving.Unlock()
	var try *unit
	err := s.look(ctx, func(tx *store.Tx, r *root) (err error) {
		try, err = s.unitOf(tx, r, q.Name)
		return err
	})
	if err != nil {
		return nil, err
	}
	try.Certificate, try.Chain = q.Certificate, q.Chain
	if c, err := x509.ParseCertificate(q.Certificate); err != nil || !bytes.Equal(c.RawSubjectPublicKeyInfo, try.PublicKey) {
		return nil, &Error{Kind: NotAllowed, Msg: "the certificate is not that of the unit's key", Err: err}
	}
	from, to, err := s.check(try) // 1
	if err != nil {
		return nil, err
	}
	if !s.v.now().Before(to) {
		return nil, fail(NotAllowed, "the usage period of the certificate is over")
	}
	return s.move(ctx, q.Name, "vault", "tsu.certified", func(u *unit) error { // 2
		if u.State != UnitMade && u.State != UnitReady {
			return failf(NotAllowed, "unit %s is %s; its certificate is not changed any more", u.name, u.State)
		}
		u.State, u.Certificate, u.Chain, u.From, u.To = UnitReady, q.Certificate, q.Chain, from, to
		return nil
	})
}

// activate starts a unit.
//
//  1. The consent of the responsible: passphrase, or the ticket of an activation
//     that holds.
//  2. Durable: that the unit is active, the entry of the journal.
//  3. The authority has it. What it refuses is stopped again, durably.
//  4. The answer, with the ticket.
func (s *service) activate(ctx context.Context, q *unitRequest) (*activatedAnswer, error) {
	p, err := s.prove(ctx, q.Consent, true)
	if err != nil {
		return nil, err
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	var u *unit
	var ticket []byte
	err = s.act(ctx, p, opTSAActivate, func(tx *store.Tx, r *root) (err error) { // 1, 2
		if u, err = s.unitOf(tx, r, q.Name); err != nil {
			return err
		}
		ticket = s.session(r)
		if u.State == UnitActive && s.serving(u.name) {
			return nil // asked twice
		}
		return s.moveIn(tx, r, q.Name, q.Consent.Operator, "tsu.started", func(u *unit) error {
			if u.State != UnitReady && u.State != UnitStopped && u.State != UnitActive {
				return failf(NotAllowed, "unit %s is %s; it cannot be started", u.name, u.State)
			}
			if !s.v.now().Before(u.To) {
				return failf(NotAllowed, "the usage period of unit %s is over; make a new one", u.name)
			}
			u.State, u.Reason = UnitActive, ""
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	if !s.serving(u.name) {
		if err := s.enter(u); err != nil { // 3
			_, back := s.move(ctx, u.name, "vault", "tsu.stopped", func(u *unit) error {
				u.State, u.Reason = UnitStopped, "it could not be taken into service"
				return nil
			})
			return nil, firstError(back, err)
		}
	}
	told, err := s.describeUnit(ctx, u.name)
	if err != nil {
		return nil, err
	}
	s.desk.tell(ticket)
	return &activatedAnswer{Unit: *told, Ticket: ticket}, nil // 4
}

// enter takes a unit into service.
func (s *service) enter(u *unit) error {
	cfg, err := s.config(u)
	if err != nil {
		return err
	}
	if err := s.authority.Add(cfg); err != nil {
		return refusedBy(err)
	}
	s.mu.Lock()
	s.told[u.name] = 0
	s.mu.Unlock()
	return nil
}

// halt takes a unit out of service in this process, and counts what it made.
func (s *service) halt(ctx context.Context, name, reason string) {
	if !s.authority.Stop(name, reason) || !s.serving(name) {
		return
	}
	if err := s.tallyUses(ctx); err != nil {
		s.v.log.Error("the stamps of a unit could not be counted", "unit", name, "err", err)
	}
	s.mu.Lock()
	delete(s.told, name)
	s.mu.Unlock()
}

// stopUnit stops a unit. Durable before it: that it is stopped, and by whom.
func (s *service) stopUnit(ctx context.Context, q *unitRequest) (*Unit, error) {
	err := firstError(checkName("the operator", q.Consent.Operator, maxName), checkName("the reason", q.Reason, maxName))
	if err != nil {
		return nil, err
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	return s.takeOut(ctx, q.Name, q.Consent.Operator, UnitStopped, q.Reason)
}

// takeOut moves an active unit to another state and out of service. The caller holds
// moving.
func (s *service) takeOut(ctx context.Context, name, actor string, to UnitState, reason string) (*Unit, error) {
	event := "tsu.stopped"
	if to == UnitRetired {
		event = "tsu.retired"
	}
	_, err := s.move(ctx, name, actor, event, func(u *unit) error {
		if to == UnitStopped && u.State != UnitActive && u.State != UnitReady {
			return failf(NotAllowed, "unit %s is %s; there is nothing to stop", u.name, u.State)
		}
		u.State, u.Reason = to, reason
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.halt(ctx, name, reason)
	return s.describeUnit(ctx, name)
}

// retire ends a unit and destroys its key.
//
//  1. The passphrase of the responsible. Durable: that the unit is retired.
//  2. It is out of service; stamps that were begun are finished by the time the
//     token takes the key away, or fail.
//  3. The token destroys the key. Durable: that it did.
func (s *service) retire(ctx context.Context, q *unitRequest) (*Unit, error) {
	if err := checkName("the reason", q.Reason, maxName); err != nil {
		return nil, err
	}
	p, err := s.prove(ctx, q.Consent, false)
	if err != nil {
		return nil, err
	}
	s.moving.Lock()
	defer s.moving.Unlock()
	err = s.act(ctx, p, opTSARetire, func(tx *store.Tx, r *root) error { // 1
		return s.moveIn(tx, r, q.Name, q.Consent.Operator, "tsu.retired", func(u *unit) error {
			u.State, u.Reason = UnitRetired, q.Reason
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	s.halt(ctx, q.Name, q.Reason) // 2
	err = s.v.tok.DestroySigner(ctx, q.Name)
	if err != nil && hsm.KindOf(err) != hsm.NotFound { // 3
		return nil, because(err, "the unit is retired, but the token did not destroy its key; try again")
	}
	return s.move(ctx, q.Name, "vault", "tsu.destroyed", func(*unit) error { return nil })
}

// retireOld ends the units whose period is over by a time that is proven. Their keys
// stay until somebody has them destroyed.
func (s *service) retireOld(ctx context.Context) error {
	now, err := s.gate.Now(ctx)
	if err != nil {
		return nil // no stamps either
	}
	var over []string
	err = s.look(ctx, func(tx *store.Tx, r *root) error {
		us, err := s.units(tx, r)
		for _, u := range us {
			if !u.To.IsZero() && u.State != UnitRetired && now.After(u.To) {
				over = append(over, u.name)
			}
		}
		return err
	})
	s.moving.Lock()
	defer s.moving.Unlock()
	for _, name := range over {
		_, e := s.takeOut(ctx, name, "vault", UnitRetired, "its usage period is over")
		err = errors.Join(err, e)
	}
	return err
}
