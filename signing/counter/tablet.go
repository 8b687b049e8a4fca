package counter

import (
	"context"
	"encoding/hex"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/store"
	"sigillo/vault"
)

// showLife is how long a tablet shows how a session has ended.
const showLife = 30 * time.Second

// TabletState is what the tablet shows. It waits for another version than seen, for at
// most [WaitLimit].
func (s *Service) TabletState(ctx context.Context, tablet string, seen int64) (TabletView, error) {
	s.hub.hear(tablet, s.cfg.Now())
	s.hub.wait(ctx, tablet, seen, WaitLimit)
	s.hub.hear(tablet, s.cfg.Now())
	version := s.hub.version(tablet) // before the row is read: what changes now is shown twice, never missed
	v := &session{}
	var t store.Tablet
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if t, err = tx.Tablet(tablet); err != nil {
			return err
		}
		v.CounterSession, err = tx.CounterSessionAt(tablet)
		return err
	})
	switch {
	case t.ID != "" && store.KindOf(err) == store.NotFound:
		return TabletView{Version: version, Step: StepIdle, Centre: t.Centre}, nil
	case err != nil:
		return TabletView{}, fromStore(err)
	}
	if v.state().Ended() && s.cfg.Now().Sub(v.Changed) > showLife {
		return TabletView{Version: version, Step: StepIdle, Centre: t.Centre}, nil
	}
	if err := v.parse(); err != nil {
		return TabletView{}, err
	}
	out, err := s.view(ctx, v)
	out.Version = version
	return out, err
}

// steps are what a tablet shows in the states that say so by themselves.
var steps = map[State]Step{Open: StepWait, Signing: StepSign, Matched: StepWait, Done: StepDone,
	Refused: StepStopped, Failed: StepStopped, Cancelled: StepStopped, Expired: StepStopped}

// view is what the tablet of a session shows.
func (s *Service) view(ctx context.Context, v *session) (TabletView, error) {
	out := TabletView{Version: s.hub.version(v.Tablet), Step: steps[v.state()], Session: v.ID, Purpose: Purpose(v.Purpose), Locale: v.Locale,
		Centre: v.Centre, Code: v.data.Code, Why: v.Why, Repeat: v.data.Repeat, Progress: v.data.Progress, Expires: v.Expires}
	if v.state() == Reading {
		out.Step = StepRead
		if v.Purpose == string(Enrol) {
			t := s.text(v.Locale)
			out.Step, out.Consent = StepConsent, &t
		}
	}
	if v.Purpose == string(Sign) {
		out.Try, out.MaxTries = min(v.Tries+1, vault.MaxAttempts), vault.MaxAttempts
	}
	if v.state().Ended() { // nobody who takes the tablet up reads who was there
		out.Code, out.Progress = "", nil
		return out, nil
	}
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		h, err := tx.Holder(v.Holder)
		if err != nil {
			return err
		}
		m, err := tx.Staff(v.Operator)
		out.Customer, out.Operator = h.GivenName+" "+h.Surname, m.GivenName+" "+m.Surname
		return err
	})
	if v.state() == Open { // the operator is not there yet, so nothing is shown
		out.Code = ""
		return out, fromStore(err)
	}
	for i := range v.data.Documents {
		p := &v.data.Documents[i]
		out.Documents = append(out.Documents, TabletDocument{ID: p.ID, Name: p.Name, Pages: p.Pages, Shown: p.shown(), Findings: p.Findings, Accepted: p.Accepted})
	}
	return out, fromStore(err)
}

// TabletPage is a page of a document, from 1, as PNG.
func (s *Service) TabletPage(ctx context.Context, tablet, id, document string, page int) ([]byte, error) {
	s.hub.hear(tablet, s.cfg.Now())
	v, err := s.load(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case v.Tablet != tablet:
		return nil, errNoSession
	case v.state() != Reading && v.state() != Signing:
		return nil, fail(BadState, "nothing is shown now", nil)
	}
	b, err := s.page(ctx, v, document, page)
	if err == nil && v.state() == Reading {
		s.given.note(id, document, page)
	}
	return b, err
}

var errNoSession = fail(NotFound, "there is no such session here", nil)

// Read says that the customer has been shown a page, from 1, which the tablet was given before. When that was the last one,
// and all findings are accepted, the customer may sign.
func (s *Service) Read(ctx context.Context, tablet, id, document string, page int) (TabletView, error) {
	return s.reading(ctx, tablet, id, document, func(p *paper) error {
		if page < 1 || page > p.Pages {
			return fail(NotFound, "the document has no such page", nil)
		}
		if !s.given.has(id, document, page) {
			return fail(Unread, "the tablet was not given this page", nil)
		}
		p.show(page)
		return nil
	})
}

// Accept says that the customer accepts the findings of a document.
func (s *Service) Accept(ctx context.Context, tablet, id, document string) (TabletView, error) {
	return s.reading(ctx, tablet, id, document, func(p *paper) error {
		p.Accepted = len(p.Findings) > 0
		return nil
	})
}

// reading notes something about a document that the customer reads.
func (s *Service) reading(ctx context.Context, tablet, id, document string, do func(*paper) error) (TabletView, error) {
	v, release, err := s.heldAt(ctx, tablet, id)
	if err != nil {
		return TabletView{}, err
	}
	defer release()
	p := v.paper(document)
	switch {
	case p == nil:
		return TabletView{}, fail(NotFound, "the dossier has no such document", nil)
	case v.state() == Signing: // turned back to it
		return s.view(ctx, v)
	case v.state() != Reading:
		return TabletView{}, fail(BadState, "nothing is read now", nil)
	}
	if err := do(p); err != nil {
		return TabletView{}, err
	}
	to, ev := Reading, audit.Event{}
	if v.read() {
		to, ev = Signing, audit.Event{Actor: v.Holder, Event: "counter.read", Detail: v.account()}
	}
	if err := s.change(ctx, v, to, ev, nil); err != nil {
		return TabletView{}, err
	}
	return s.view(ctx, v)
}

// read says whether the customer has been shown everything, and has accepted it.
func (v *session) read() bool {
	for i := range v.data.Documents {
		if !v.data.Documents[i].read() {
			return false
		}
	}
	return len(v.data.Documents) > 0
}

// account is what the journal says of what was read.
func (v *session) account() map[string]string {
	d := map[string]string{"tablet": v.Tablet, "operator": v.Operator, "transaction": v.Transaction}
	for i, p := range v.data.Documents {
		n := strconv.Itoa(i)
		d["document."+n], d["pages."+n] = p.SHA256, strconv.Itoa(p.Pages)
		if p.Accepted {
			d["accepted."+n] = strconv.Itoa(len(p.Findings))
		}
	}
	return d
}

// Consent says that the customer agrees, or does not, to the text that was shown; sha256
// is of that text. The alternative, when the customer does not, is another session: with
// password and code, or paper.
func (s *Service) Consent(ctx context.Context, tablet, id, sha256 string, agrees bool) (TabletView, error) {
	v, release, err := s.heldAt(ctx, tablet, id)
	if err != nil {
		return TabletView{}, err
	}
	defer release()
	if v.state() != Reading || v.Purpose != string(Enrol) {
		return TabletView{}, fail(BadState, "no consent is asked for now", nil)
	}
	if !agrees {
		if err := s.end(ctx, v, Refused, WhyCustomer, v.Holder); err != nil {
			return TabletView{}, err
		}
		return s.view(ctx, v)
	}
	t := s.text(v.Locale)
	if sha256 != t.SHA256 {
		return TabletView{}, fail(Invalid, "this is not the text that was shown", nil)
	}
	now := s.cfg.Now()
	v.data.Consent = &Given{Text: t.ID, SHA256: t.SHA256, At: now.UTC()}
	err = s.change(ctx, v, Signing, audit.Event{Actor: v.Holder, Event: "consent.given",
		Detail: map[string]string{"text": t.ID, "sha256": t.SHA256, "witness": v.Operator, "tablet": tablet, "holder": v.Holder}},
		func(tx *store.Tx) error {
			// One to an earlier text gives way to this one.
			if err := tx.WithdrawConsent(v.Holder, v.Holder, now); err != nil && store.KindOf(err) != store.NotFound {
				return err
			}
			sum, _ := hex.DecodeString(t.SHA256)
			return tx.PutConsent(store.Consent{ID: "consent-" + v.ID, Holder: v.Holder, Session: v.ID, Text: t.ID, SHA256: sum,
				Witness: v.Operator, Given: now})
		})
	if err != nil {
		return TabletView{}, err
	}
	return s.view(ctx, v)
}

// signable says whether a signature is asked for now.
func (v *session) signable() error {
	switch {
	case v.state() == Signing:
		return nil
	case v.state() == Reading && v.Purpose == string(Sign):
		return fail(Unread, "the customer has not been shown every page", nil)
	}
	return fail(BadState, "no signature is asked for now", nil)
}

// Arm is asked for when the customer is about to sign: what it gives is good for two
// minutes and for one signature.
func (s *Service) Arm(ctx context.Context, tablet, id string) (Armed, error) {
	v, release, err := s.heldAt(ctx, tablet, id)
	if err != nil {
		return Armed{}, err
	}
	defer release()
	if err := v.signable(); err != nil {
		return Armed{}, err
	}
	a, err := s.cfg.Vault.ArmCapture(ctx, v.Capture)
	switch vault.KindOf(err) {
	case "":
		return a, nil
	case vault.NotAllowed, vault.StaleCapture: // the vault does not know it any more
		if err := s.end(ctx, v, Cancelled, WhyRestart, "appliance"); err != nil {
			return Armed{}, err
		}
		return Armed{}, fail(BadState, "the session has ended; the operator begins again", err)
	}
	return Armed{}, fromVault(err)
}

// Leave says that the customer does not want to go on ([WhyCustomer]), or has no pen that
// writes ([WhyPen]).
func (s *Service) Leave(ctx context.Context, tablet, id, reason string) (TabletView, error) {
	v, release, err := s.heldAt(ctx, tablet, id)
	if err != nil {
		return TabletView{}, err
	}
	defer release()
	switch {
	case reason != WhyCustomer && reason != WhyPen:
		return TabletView{}, fail(Invalid, "the reason is customer or pen", nil)
	case v.state() != Reading && v.state() != Signing:
		return TabletView{}, fail(BadState, "it cannot be broken off any more", nil)
	}
	to := Cancelled
	if reason == WhyCustomer {
		to = Refused
	}
	if err := s.end(ctx, v, to, reason, v.Holder); err != nil {
		return TabletView{}, err
	}
	return s.view(ctx, v)
}

// Report takes what a tablet has found out about its pen, for the operator to see.
func (s *Service) Report(_ context.Context, tablet string, d Device) error {
	if len(d.Class) > 32 || d.Rate < 0 || d.Rate > 10_000 || d.Levels < 0 || d.Levels > 1<<20 {
		return fail(Invalid, "no pen is like this", nil)
	}
	s.hub.report(tablet, d)
	s.hub.touch(tablet)
	return nil
}

// Submit takes a signature that the customer has confirmed. What became of it is in the
// view: done; the same step once more, with Repeat; stopped. Kinds besides: Stale, arm and
// sign again; Unavailable, KeyUnavailable and such of signing, nothing was used up.
func (s *Service) Submit(ctx context.Context, tablet, id string, c Captured) (TabletView, error) {
	v, release, err := s.heldAt(ctx, tablet, id)
	if err != nil {
		return TabletView{}, err
	}
	defer release()
	if err := v.signable(); err != nil {
		return TabletView{}, err
	}
	if c.Capture == "" { // which the tablet has signed in any case, with the context
		c.Capture = v.Capture
	}
	if c.Capture != v.Capture {
		return TabletView{}, fail(Stale, "the signature is of another session; sign again", nil)
	}
	if v.Purpose == string(Enrol) {
		err = s.enrol(ctx, v, c)
	} else {
		err = s.sign(ctx, v, c)
	}
	if err != nil {
		return TabletView{}, err
	}
	return s.view(ctx, v)
}
