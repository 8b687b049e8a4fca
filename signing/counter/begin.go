package counter

import (
	"context"

	"sigillo/audit"
	"sigillo/signing"
	"sigillo/vault"
)

// capture is what the vault is asked to open for a session, without the presence.
func (s *Service) capture(ctx context.Context, v *session) (vault.NewCapture, error) {
	f, _, err := s.factors(ctx, v.Operator)
	n := vault.NewCapture{Purpose: v.Purpose, Operator: f, Holder: v.Holder, Tablet: v.Tablet, Client: "counter " + v.Centre, Request: v.Request}
	if err != nil || v.Purpose == string(Enrol) {
		return n, err
	}
	a, err := s.cfg.Signing.CounterAuthorisation(ctx, v.Holder, v.Transaction)
	n.Credential, n.Hash, n.Digests, n.Confirmed = a.Credential, a.Hash, a.Digests, a.Confirmed
	return n, err
}

// Challenge makes the challenge that a passkey answers: of the operator, for Begin, or,
// once the signatures were taken, of the second person, for FinishEnrolment. second is a
// username; "" for the member who asks.
func (s *Service) Challenge(ctx context.Context, by member, id, second string) (vault.Challenge, error) {
	v, release, err := s.heldBy(ctx, by, id)
	if err != nil {
		return vault.Challenge{}, err
	}
	defer release()
	var request any
	if v.state() == Open {
		if by.ID != v.Operator {
			return vault.Challenge{}, errNotYours
		}
		request, err = s.capture(ctx, v)
	} else {
		request, _, err = s.finishing(ctx, v, by, second)
	}
	if err != nil {
		return vault.Challenge{}, err
	}
	c, err := s.cfg.Vault.Challenge(ctx, request)
	return c, fromVault(err)
}

var errNotYours = fail(NotPermitted, "the one who has opened the session goes on with it", nil)

// Begin starts a session: the operator shows to be there, by a fresh OTP or passkey, and
// the vault opens what this session needs, and nothing else can be done with it. Kinds
// besides those of this room: WrongFactors, ReusedOTP, Locked of signing.
func (s *Service) Begin(ctx context.Context, by member, id string, presence vault.Evidence) (Session, error) {
	presence = present(presence)
	v, release, err := s.held(ctx, by, id)
	if err != nil {
		return Session{}, err
	}
	defer release()
	switch {
	case by.ID != v.Operator:
		return Session{}, errNotYours
	case v.state() != Open:
		return Session{}, fail(BadState, "the session is "+v.State, nil)
	}
	if v.data.Consent != nil && v.Purpose == string(Enrol) { // it may have been withdrawn since
		if v.data.Consent, err = s.inForce(ctx, v.Holder); err != nil {
			return Session{}, err
		}
	}
	if v.Purpose == string(Sign) {
		if consented, err := s.consented(ctx, v.Holder); err != nil || !consented {
			return Session{}, firstOf(err, errNoConsent)
		}
	}
	n, err := s.capture(ctx, v)
	if err != nil {
		return Session{}, err
	}
	n.Presence = presence
	c, err := s.cfg.Vault.OpenCapture(ctx, n)
	if err != nil {
		err = fromVault(err)
		s.note(ctx, audit.Event{Actor: by.ID, Event: "counter.presence-refused", Subject: v.ID, Detail: map[string]string{"kind": kindOf(err)}})
		return Session{}, err
	}
	v.Capture, v.Expires = c.ID, c.Expires
	to := Reading
	if v.data.Consent != nil {
		to = Signing // to the text of today, and not withdrawn
	}
	err = s.change(context.WithoutCancel(ctx), v, to, audit.Event{Actor: by.ID, Event: "counter.begun",
		Detail: map[string]string{"capture": c.ID, "purpose": v.Purpose, "holder": v.Holder, "client": presence.Client}}, nil)
	if err != nil {
		if err := s.cfg.Vault.CloseCapture(context.WithoutCancel(ctx), c.ID, "not begun"); err != nil {
			s.cfg.Log.Warn("the vault could not be told that a session is over", "session", v.ID, "err", err)
		}
		return Session{}, err
	}
	return s.show(ctx, v)
}

// kindOf is the kind of an error of this room or of signing, for the journal.
func kindOf(err error) string {
	if k := KindOf(err); k != Internal {
		return string(k)
	}
	return string(signing.KindOf(err))
}
