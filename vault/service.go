package vault

import (
	"context"
	"crypto/x509"
	"errors"
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigillo/audit"
	"sigillo/store"
	"sigillo/tsa"
	"sigillo/tsa/clock"
)

// service is the time-stamping service in the vault: the back end, which has the
// keys, the time and the serial numbers, and trusts who asks with nothing. The front
// end can have a time-stamp of now over whatever it likes; it can choose neither the
// time nor the number, nor have anything else signed.
type service struct {
	versions
	v    *server
	cfg  TSAConfig
	boot string // this start of the machine

	gate      timekeeper
	authority *tsa.Authority
	desk      *desk
	fault     error // the state cannot be trusted: nothing works; never changes

	refusals notes // of consents
	tampered notes // of the state, found while the vault runs

	reserving sync.Mutex
	highest   map[string]int64 // guarded by reserving; greatest number this process reserved
	refused   map[string]int   // guarded by reserving; how often in a row that failed

	moving sync.Mutex // held while a unit changes its state, so that journal, row and authority agree
	mu     sync.Mutex
	told   map[string]int64 // guarded by mu; stamps of this process in the tallies, by unit in service
}

// timekeeper is the clock with its latch; *clock.Gate is it.
type timekeeper interface {
	tsa.Clock
	Run(ctx context.Context)
	Status() clock.Status
	Lift(ctx context.Context, operator string) error
}

// openService sets the service up, without its units. A state that cannot be trusted
// does not keep the vault from its other work.
func (v *server) openService(ctx context.Context) error {
	if v.cfg.TSA == nil {
		return nil
	}
	s := &service{v: v, cfg: *v.cfg.TSA, boot: v.cfg.boot, highest: make(map[string]int64), refused: make(map[string]int), told: make(map[string]int64)}
	if s.boot == "" {
		s.boot = bootID()
	}
	if s.cfg.Workers <= 0 {
		s.cfg.Workers = processors()
	}
	makeRoom(s.cfg.Workers)
	if _, err := tsa.UnitNumber(s.cfg.Node, 0); err != nil {
		return because(err, "the configuration of the time-stamping service is wrong")
	}
	v.tsa = s
	if err := s.establish(ctx); err != nil {
		if KindOf(err) != Tampered {
			return err
		}
		s.fault = err
		v.log.Error("the time-stamping service is out of order", "err", err)
		if err := v.journal(ctx, audit.Event{Actor: "vault", Event: "tsa.tampered", Subject: aboutService}); err != nil {
			return because(err, "the journal cannot be written")
		}
		return nil
	}
	return s.build(ctx)
}

// processors is how many there are for this process, before makeRoom.
var processors = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })

// makeRoom lets Go run beside the workers that are inside of the token's library. To
// Go each of them is a processor that is lost for a while: without others to spare
// they are taken away and given back for each signature, which costs a tenth of it.
// Who has set GOMAXPROCS has decided otherwise.
func makeRoom(workers int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors() + workers)
	}
}

// build makes clock, authority and desk.
func (s *service) build(ctx context.Context) (err error) {
	cfg := s.cfg.Clock
	cfg.Latch, cfg.OnEvent = latch{s}, s.clockEvent
	if s.v.cfg.timekeeper != nil {
		s.gate = s.v.cfg.timekeeper(cfg)
	} else if s.gate, err = clock.New(ctx, cfg); err != nil {
		return because(err, "the clock of the time-stamping service cannot be used")
	}
	s.authority, err = s.newAuthority(s.gate)
	if err != nil {
		return because(err, "the policies of the time-stamping service cannot be used")
	}
	s.desk = newDesk(s.authority, s.cfg.Workers, s.v.log)
	return s.await(ctx)
}

func (s *service) newAuthority(c tsa.Clock) (*tsa.Authority, error) {
	return tsa.NewAuthority(tsa.Config{Policies: s.cfg.Policies, Clock: c, Counter: s, NameInToken: s.cfg.NameInToken})
}

// clockEvent journals what the clock says.
func (s *service) clockEvent(ctx context.Context, ev clock.Event) error {
	actor := ev.Operator
	if actor == "" {
		actor = "clock"
	}
	return s.v.journal(ctx, audit.Event{Actor: actor, Event: ev.Name, Subject: aboutService, Detail: map[string]string{
		"state": string(ev.State), "cause": string(ev.Cause), "reason": ev.Reason}})
}

// await journals which units were active when the vault ended and wait for being
// started again. After a start of the machine they are ready, no more: somebody has
// to give the passphrase.
func (s *service) await(ctx context.Context) error {
	return s.change(ctx, func(tx *store.Tx, r *root) error {
		us, err := s.units(tx, r)
		if err != nil {
			return err
		}
		for _, u := range us {
			if u.State != UnitActive {
				continue
			}
			reason := "the vault was started again"
			if r.Boot != s.boot {
				reason = "the machine was started again"
				u.State, u.Changed = UnitReady, s.v.now()
				if err := s.setUnit(tx, r, u, false); err != nil {
					return err
				}
			}
			if err := s.append(tx, "vault", "tsu.waiting", u, map[string]string{"reason": reason}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *service) append(tx *store.Tx, actor, event string, u *unit, more map[string]string) error {
	return audit.Append(tx, s.v.now(), audit.Event{Actor: actor, Event: event, Subject: u.name, Detail: u.detail(more)})
}

// run watches the clock until ctx ends.
func (s *service) run(ctx context.Context) {
	if s != nil && s.fault == nil {
		s.gate.Run(ctx)
	}
}

// attend starts the units of an unattended vault, before anybody can ask for a
// stamp.
func (s *service) attend(ctx context.Context) {
	if s == nil || s.fault != nil || s.cfg.PassphraseFile == "" {
		return
	}
	if err := s.attendSelf(ctx); err != nil {
		s.v.log.Error("the units could not be started from the passphrase file", "err", err)
	}
}

// attendSelf activates what was ready or active, with the passphrase of the file.
func (s *service) attendSelf(ctx context.Context) error {
	var names []string
	err := s.look(ctx, func(tx *store.Tx, r *root) error {
		us, err := s.units(tx, r)
		for _, u := range us {
			if r.Verifier != nil && (u.State == UnitReady || u.State == UnitActive) {
				names = append(names, u.name)
			}
		}
		return err
	})
	for _, name := range names {
		_, e := s.activate(ctx, &unitRequest{Name: name, Consent: Consent{Operator: "unattended"}})
		err = errors.Join(err, e)
	}
	return err
}

// resume starts the units that were active when the vault died, for who has the
// ticket of their activation.
func (s *service) resume(ctx context.Context, ticket []byte) {
	if len(ticket) == 0 {
		return
	}
	p := proof{by: Consent{Operator: "vault", Ticket: ticket}, ticket: true}
	var names []string
	err := s.look(ctx, func(tx *store.Tx, r *root) error {
		us, err := s.units(tx, r)
		if err == nil {
			err = s.judge(r, p)
		}
		for _, u := range us {
			if u.State == UnitActive && !s.serving(u.name) {
				names = append(names, u.name)
			}
		}
		return err
	})
	if err != nil {
		s.v.log.Warn("the ticket of the time-stamping service is not good any more; give the passphrase", "err", err)
		return
	}
	for _, name := range names {
		if _, err := s.activate(ctx, &unitRequest{Name: name, Consent: p.by}); err != nil {
			s.v.log.Error("a time-stamping unit could not be started again", "unit", name, "err", err)
		}
	}
}

// holding gives the ticket of the activation that holds, if a unit is in service.
// Who has a stream then may bring the units back: it stamps with them as it is.
func (s *service) holding(ctx context.Context) (ticket []byte, err error) {
	s.mu.Lock()
	serving := len(s.told) > 0
	s.mu.Unlock()
	if !serving {
		return nil, nil
	}
	return ticket, s.look(ctx, func(_ *store.Tx, r *root) error {
		ticket = s.ticket(r)
		return nil
	})
}

// lift lifts the stop of the clock.
//
//  1. The operator gives the passphrase; no ticket, no file will do.
//  2. Durable: that it was asked for, and by whom.
//  3. The clock looks whether the time is proven now, journals and lifts.
func (s *service) lift(ctx context.Context, by Consent) error {
	p, err := s.prove(ctx, by, false)
	if err != nil {
		return err
	}
	err = s.act(ctx, p, opTSALift, func(tx *store.Tx, _ *root) error {
		return audit.Append(tx, s.v.now(), audit.Event{Actor: by.Operator, Event: "clock.lift.asked", Subject: aboutService})
	})
	if err != nil {
		return err
	}
	err = s.gate.Lift(ctx, by.Operator)
	if e, ok := errors.AsType[*clock.Error](err); ok {
		return &Error{Kind: NotAllowed, Msg: e.Msg, Err: err}
	}
	return because(err, "the stop of the clock could not be lifted")
}

// minute does what is to be done every minute.
func (s *service) minute(ctx context.Context) error {
	if s == nil || s.fault != nil {
		return nil
	}
	return s.retireOld(ctx)
}

// tallyUses adds the stamps made since it was told last to the tallies, and to the
// journal.
func (s *service) tallyUses(ctx context.Context) error {
	if s == nil || s.fault != nil {
		return nil
	}
	status := s.authority.Units(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	made := map[string]int64{} // by units with something new
	for _, u := range status {
		if told, serving := s.told[u.Name]; serving && u.Stamps > told {
			made[u.Name] = u.Stamps
		}
	}
	if len(made) == 0 {
		return nil
	}
	err := s.change(ctx, func(tx *store.Tx, r *root) error {
		for name, n := range made {
			t := r.Units[name]
			if t == nil {
				return errServiceTampered
			}
			t.Stamps += n - s.told[name]
			ev := audit.Event{Actor: "vault", Event: "tsu.used", Subject: name, Detail: map[string]string{
				"count": strconv.FormatInt(n-s.told[name], 10), "total": strconv.FormatInt(t.Stamps, 10),
				"reserved": strconv.FormatInt(t.Last, 10)}}
			if err := audit.Append(tx, s.v.now(), ev); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		maps.Copy(s.told, made)
	}
	return err
}

// end is the service's part in the end of the vault, when no stream is left.
func (s *service) end(ctx context.Context) error {
	if s == nil || s.fault != nil {
		return nil
	}
	err := s.tallyUses(ctx)
	return errors.Join(err, s.change(ctx, func(tx *store.Tx, r *root) error {
		us, err := s.units(tx, r)
		for _, u := range us {
			if err == nil && s.serving(u.name) {
				err = s.append(tx, "vault", "tsu.stopped", u, map[string]string{"reason": "the vault ends"})
			}
		}
		return err
	}))
}

// report tells how the service is.
func (s *service) report(ctx context.Context) (*TimeStamping, error) {
	t := &TimeStamping{Unattended: s.cfg.PassphraseFile != ""}
	if s.fault != nil {
		t.Fault = toWire(s.fault).Msg
		return t, nil
	}
	t.Clock = s.gate.Status()
	live := map[string]tsa.UnitStatus{}
	for _, u := range s.authority.Units(ctx) {
		live[u.Name] = u
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return t, s.look(ctx, func(tx *store.Tx, r *root) error {
		us, err := s.units(tx, r)
		if err != nil {
			return err
		}
		if w := r.Verifier; w != nil {
			t.Passphrase = true
			if w.Locked > millis(s.v.now()) {
				t.LockedUntil = time.UnixMilli(w.Locked).UTC()
			}
		}
		for _, u := range us {
			t.Units = append(t.Units, s.describe(r, u, live[u.name]))
		}
		t.Archive = r.Archive
		return nil
	})
}

// describe is what is told of a unit. The caller holds mu.
func (s *service) describe(r *root, u *unit, live tsa.UnitStatus) Unit {
	tally := r.Units[u.name]
	told, serving := s.told[u.name]
	if serving = serving && u.State == UnitActive; !serving {
		live, told = tsa.UnitStatus{}, 0 // counted already
	}
	out := Unit{Name: u.name, Number: u.number, Series: u.Series, State: u.State, Reason: u.Reason, Changed: u.Changed,
		Serving: serving, Current: live.Current, Type: u.Type, PublicKey: u.PublicKey,
		Certificate: u.Certificate, Chain: u.Chain, From: u.From, To: u.To, Made: u.Made,
		Stamps: tally.Stamps + live.Stamps - told, Failures: live.Failures, Trouble: live.Trouble,
		LastTime: live.LastTime, Reserved: tally.Last}
	if u.State == UnitRetired { // of these there are more each year, and a frame is finite
		out.Certificate, out.Chain = nil, nil
	}
	return out
}

func (s *service) serving(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.told[name]
	return ok
}

// isUnit reports whether a label is one of a time-stamping unit's key.
func isUnit(label string) bool {
	n, ok := strings.CutPrefix(label, "tsu-")
	_, err := strconv.ParseUint(n, 10, 16)
	return ok && err == nil
}

func certificates(certificate []byte, chain [][]byte) (c *x509.Certificate, issuers []*x509.Certificate, err error) {
	if c, err = x509.ParseCertificate(certificate); err != nil {
		return nil, nil, &Error{Kind: BadRequest, Msg: "the certificate cannot be read", Err: err}
	}
	for _, der := range chain {
		i, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, nil, &Error{Kind: BadRequest, Msg: "a certificate of the chain cannot be read", Err: err}
		}
		issuers = append(issuers, i)
	}
	return c, issuers, nil
}
