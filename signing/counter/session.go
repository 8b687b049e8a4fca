package counter

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/store"
	"sigillo/vault"
)

// session is a row with what its data says.
type session struct {
	store.CounterSession
	data data
}

// data is what of a session no query asks for.
type data struct {
	Documents []paper   `json:"documents,omitempty"`
	Code      string    `json:"code,omitempty"`
	Repeat    bool      `json:"repeat,omitempty"`
	Progress  *Progress `json:"progress,omitempty"`
	Consent   *Given    `json:"consent,omitempty"`
}

// paper is a document of a dossier.
type paper struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	SHA256   string   `json:"sha256"`
	Pages    int      `json:"pages"`
	Shown    []byte   `json:"shown"` // a bit for each page, the first is the lowest
	Findings []string `json:"findings,omitempty"`
	Accepted bool     `json:"accepted,omitempty"`
}

func (p *paper) show(page int) { p.Shown[(page-1)/8] |= 1 << ((page - 1) % 8) }

// shown lists the pages, from 1, that the customer has been shown.
func (p *paper) shown() []int {
	out := []int{}
	for i := range p.Pages {
		if p.Shown[i/8]&(1<<(i%8)) != 0 {
			out = append(out, i+1)
		}
	}
	return out
}

// read says whether the customer has been shown all of the document.
func (p *paper) read() bool {
	return len(p.shown()) == p.Pages && (p.Accepted || len(p.Findings) == 0)
}

func (v *session) state() State { return State(v.State) }

// load reads a session.
func (s *Service) load(ctx context.Context, id string) (v *session, err error) {
	v = &session{}
	err = s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		v.CounterSession, err = tx.CounterSession(id)
		return err
	})
	if err != nil {
		return nil, fromStore(err)
	}
	return v, v.parse()
}

func (v *session) parse() error {
	if err := json.Unmarshal(v.Data, &v.data); err != nil {
		return fail(Internal, "the session cannot be read", err)
	}
	for _, p := range v.data.Documents {
		if len(p.Shown) != (p.Pages+7)/8 {
			return fail(Internal, "the session cannot be read", nil)
		}
	}
	return nil
}

// at says whether a member may do an act of a counter at all.
func at(by member, act staff.Act) error { return by.At(by.Centre, act) }

// acts are what the two kinds of session take.
var acts = map[Purpose]staff.Act{Enrol: staff.EnrolCustomer, Sign: staff.Counter}

// held loads a session for a member and keeps others from changing it until release.
func (s *Service) held(ctx context.Context, by member, id string) (v *session, release func(), err error) {
	if err := at(by, staff.Counter); err != nil {
		return nil, nil, err
	}
	return s.hold(ctx, id, func(v *session) bool { return v.Centre == by.Centre })
}

// heldAt is held for a tablet.
func (s *Service) heldAt(ctx context.Context, tablet, id string) (v *session, release func(), err error) {
	s.hub.hear(tablet, s.cfg.Now())
	return s.hold(ctx, id, func(v *session) bool { return v.Tablet == tablet })
}

func (s *Service) hold(ctx context.Context, id string, theirs func(*session) bool) (v *session, release func(), err error) {
	if release = s.locks.take(ctx, id); release == nil {
		return nil, nil, fail(Unavailable, "the session is busy; try again", ctx.Err())
	}
	if v, err = s.load(ctx, id); err == nil && !theirs(v) {
		err = fail(NotFound, "there is no such session here", nil)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return v, release, nil
}

// change makes a new state of a session durable, together with its journal entry and what
// else belongs to the step. v has the changes already, but for the state.
func (s *Service) change(ctx context.Context, v *session, to State, ev audit.Event, also func(*store.Tx) error) error {
	if err := v.encode(); err != nil {
		return err
	}
	next, now := v.CounterSession, s.cfg.Now()
	next.State, next.Changed = string(to), now
	ev.Subject = v.ID
	err := s.cfg.DB.Write(ctx, func(tx *store.Tx) error {
		if err := tx.ChangeCounterSession(next, v.State); err != nil {
			return err
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		if ev.Event == "" {
			return nil
		}
		return audit.Append(tx, now, ev)
	})
	if err != nil {
		return fromStore(err)
	}
	v.CounterSession = next
	s.hub.touch(v.Tablet)
	return nil
}

// end brings a session to an end, by actor, for a reason. What the vault has opened for
// it is closed, and what was prepared for signature is given up, unless it is signed.
func (s *Service) end(ctx context.Context, v *session, to State, why, actor string) error {
	ctx = context.WithoutCancel(ctx)
	if err := s.takeBack(ctx, v, cmpWhy(to, why), actor); err != nil {
		return err
	}
	v.Why = why
	err := s.change(ctx, v, to, audit.Event{Actor: actor, Event: "counter." + string(to),
		Detail: map[string]string{"purpose": v.Purpose, "why": why, "holder": v.Holder, "tablet": v.Tablet,
			"operator": v.Operator, "tries": strconv.Itoa(v.Tries)}},
		func(tx *store.Tx) error { return tx.RaiseCounterCallback(v.ID, s.cfg.Now()) })
	if err != nil {
		return err
	}
	s.given.forget(v.ID)
	if v.Capture != "" { // it ends by itself, in a quarter of an hour at most
		if err := s.cfg.Vault.CloseCapture(ctx, v.Capture, cmpWhy(to, why)); err != nil {
			s.cfg.Log.Warn("the vault could not be told that a session is over", "session", v.ID, "err", err)
		}
	}
	if v.Transaction != "" && to != Done {
		if err := s.cfg.Signing.Abandon(ctx, v.Holder, v.Transaction, cmpWhy(to, why)); err != nil {
			s.cfg.Log.Warn("what was prepared at a counter could not be given up", "session", v.ID, "err", err)
		}
	}
	return nil
}

// takeBack has the vault destroy what an enrolment may have made there that nobody has
// written down here: who died between, or never got the answer, has left a profile that no
// withdrawal would find. The session does not end before. The capture is closed first: what
// the vault is still making then, for an answer that nobody waits for any more, comes to
// nothing.
func (s *Service) takeBack(ctx context.Context, v *session, why, actor string) error {
	if v.Purpose != string(Enrol) || v.Credential != "" || v.data.Progress == nil || !v.data.Progress.Ready {
		return nil
	}
	if err := s.cfg.Vault.CloseCapture(ctx, v.Capture, why); err != nil {
		return fromVault(err)
	}
	err := s.cfg.Vault.DestroyProfile(ctx, keyOf(v), actor, why)
	if vault.KindOf(err) == vault.NotAllowed { // there is none
		return nil
	}
	return fromVault(err)
}

// keyOf names the key that an enrolment makes.
func keyOf(v *session) string { return "credential-" + v.ID[len("counter-"):] }

func cmpWhy(to State, why string) string {
	if why == "" {
		return string(to)
	}
	return why
}

func (v *session) paper(document string) *paper {
	for i := range v.data.Documents {
		if v.data.Documents[i].ID == document {
			return &v.data.Documents[i]
		}
	}
	return nil
}

// Cancel breaks a session off; reason is one of [Reasons].
func (s *Service) Cancel(ctx context.Context, by member, id, reason string) (Session, error) {
	if !slices.Contains(Reasons, reason) {
		return Session{}, fail(Invalid, "the reason is operator, customer or pen", nil)
	}
	v, release, err := s.held(ctx, by, id)
	if err != nil {
		return Session{}, err
	}
	defer release()
	if v.state().Ended() || v.state() == Matched && v.Purpose == string(Sign) {
		return Session{}, fail(BadState, "it cannot be broken off any more", nil)
	}
	if v.state() == Matched && v.Credential != "" {
		if s.cfg.Now().Before(v.Expires) {
			return Session{}, fail(BadState, "the key is made; the certificate is under way", nil)
		}
		if err := s.giveUp(ctx, v, by.ID); err != nil {
			return Session{}, err
		}
	}
	if err := s.end(ctx, v, Cancelled, reason, by.ID); err != nil {
		return Session{}, err
	}
	return s.show(ctx, v)
}

// giveUp destroys the key of an enrolment whose certificate does not come: else tablet and
// customer would wait for it for ever.
func (s *Service) giveUp(ctx context.Context, v *session, actor string) error {
	ctx = context.WithoutCancel(ctx)
	list, err := s.keys(ctx, v.Holder)
	if err != nil {
		return err
	}
	for _, k := range list {
		if k.ID != v.Credential {
			continue
		}
		if err := s.destroy(ctx, k, reasonCessation, actor, "no certificate"); err != nil {
			return err
		}
	}
	return nil
}

// encode writes the data into the row.
func (v *session) encode() (err error) {
	if v.Data, err = json.Marshal(v.data); err != nil {
		return fail(Internal, "the session cannot be written", err)
	}
	return nil
}
