package counter

import (
	"context"
	"slices"
	"strconv"
	"time"

	"sigillo/audit"
	"sigillo/auth/staff"
	"sigillo/signing"
	"sigillo/store"
	"sigillo/vault"
)

// show is what the operator sees of a session.
func (s *Service) show(ctx context.Context, v *session) (Session, error) {
	heard, device := s.hub.look(v.Tablet)
	out := Session{ID: v.ID, Version: s.hub.version(v.Tablet), Purpose: Purpose(v.Purpose), State: v.state(), Why: v.Why, Holder: v.Holder,
		Operator: v.Operator, Centre: v.Centre, Tablet: v.Tablet, Device: device, Reference: v.Reference, Code: v.data.Code,
		Tries: v.Tries, Repeat: v.data.Repeat, Enrolment: v.data.Progress, Consent: v.data.Consent, Transaction: v.Transaction,
		Credential: v.Credential, Created: v.Created, Expires: v.Expires}
	out.Away = !v.state().Ended() && s.cfg.Now().Sub(heard) > awayAfter
	if v.Purpose == string(Sign) {
		out.MaxTries = vault.MaxAttempts
	}
	var h store.Holder
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if h, err = tx.Holder(v.Holder); err != nil {
			return err
		}
		if out.Identification, err = recorded(tx, v); err != nil || v.Credential == "" {
			return err
		}
		c, err := tx.Credential(v.Credential)
		if store.KindOf(err) == store.NotFound { // chosen, and not made yet
			return nil
		}
		out.Certificate = c.Certificate
		return err
	})
	if err != nil {
		return out, fromStore(err)
	}
	out.Customer = h.GivenName + " " + h.Surname
	for i := range v.data.Documents {
		p := &v.data.Documents[i]
		out.Documents = append(out.Documents, Document{ID: p.ID, Name: p.Name, SHA256: p.SHA256, Pages: p.Pages, Shown: len(p.shown()),
			Findings: p.Findings, Accepted: p.Accepted, Seq: i})
	}
	if v.state() != Done || v.Transaction == "" {
		return out, nil
	}
	t, err := s.cfg.Signing.Transaction(ctx, v.Holder, v.Transaction)
	for _, it := range t.Items {
		if it.Seq < len(out.Documents) {
			d := &out.Documents[it.Seq]
			d.Signed, d.Output, d.Digest = it.SHA256 != "", it.OutputName, it.SHA256
		}
	}
	return out, err
}

// recorded is the identification of a session that is under way.
func recorded(tx *store.Tx, v *session) (*Identification, error) {
	if v.state().Ended() {
		return nil, nil
	}
	all, err := tx.Identifications(v.Holder)
	for _, i := range all {
		if i.ID == v.ID {
			return &Identification{Kind: i.Document, Number: i.Number, Issuer: i.Issuer, Expires: i.Expires}, nil
		}
	}
	return nil, err
}

// awayAfter is when the operator is told that a tablet is silent.
const awayAfter = WaitLimit + 10*time.Second

// Session is one of the member's centre.
func (s *Service) Session(ctx context.Context, by member, id string) (Session, error) {
	if err := at(by, staff.Counter); err != nil {
		return Session{}, err
	}
	v, err := s.load(ctx, id)
	if err == nil && v.Centre != by.Centre {
		err = fail(NotFound, "there is no such session here", nil)
	}
	if err != nil {
		return Session{}, err
	}
	return s.show(ctx, v)
}

// Watch is Session, and waits for another version than seen, for at most [WaitLimit].
func (s *Service) Watch(ctx context.Context, by member, id string, seen int64) (Session, error) {
	out, err := s.Session(ctx, by, id)
	if err != nil || out.Version != seen || out.State.Ended() {
		return out, err
	}
	s.hub.wait(ctx, out.Tablet, seen, WaitLimit)
	return s.Session(ctx, by, id)
}

// maxSessions is how many sessions are listed.
const maxSessions = 100

// Sessions are those of the member's centre, up to a hundred: those under way first, then
// the others, the newest first.
func (s *Service) Sessions(ctx context.Context, by member) ([]Session, error) {
	if err := at(by, staff.Counter); err != nil {
		return nil, err
	}
	var rows []store.CounterSession
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = tx.CounterSessions(by.Centre, maxSessions)
		return err
	})
	if err != nil {
		return nil, fromStore(err)
	}
	slices.SortStableFunc(rows, func(a, b store.CounterSession) int {
		x, y := State(a.State).Ended(), State(b.State).Ended()
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	})
	out := make([]Session, 0, len(rows))
	for _, r := range rows {
		v := &session{CounterSession: r}
		if err := v.parse(); err != nil {
			return nil, err
		}
		one, err := s.show(ctx, v)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// Page is a page of a session's document, from 1, as PNG: the operator sees what the
// customer sees.
func (s *Service) Page(ctx context.Context, by member, id, document string, page int) ([]byte, error) {
	if err := at(by, staff.Counter); err != nil {
		return nil, err
	}
	v, err := s.load(ctx, id)
	if err == nil && v.Centre != by.Centre {
		err = fail(NotFound, "there is no such session here", nil)
	}
	if err != nil {
		return nil, err
	}
	return s.page(ctx, v, document, page)
}

func (s *Service) page(ctx context.Context, v *session, document string, page int) ([]byte, error) {
	if v.paper(document) == nil {
		return nil, fail(NotFound, "the dossier has no such document", nil)
	}
	return s.cfg.Signing.Page(ctx, v.Holder, document, page)
}

// Output is a signed document of a session that is done; handing it out is journalled.
func (s *Service) Output(ctx context.Context, by member, id string, seq int) (*signing.Output, error) {
	if err := at(by, staff.Counter); err != nil {
		return nil, err
	}
	v, err := s.load(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case v.Centre != by.Centre:
		return nil, fail(NotFound, "there is no such session here", nil)
	case v.state() != Done || v.Transaction == "":
		return nil, fail(BadState, "nothing is signed yet", nil)
	}
	out, err := s.cfg.Signing.Output(ctx, v.Holder, v.Transaction, seq)
	if err != nil {
		return nil, err
	}
	err = s.journal(ctx, audit.Event{Actor: by.ID, Event: "counter.copy", Subject: v.ID,
		Detail: map[string]string{"seq": strconv.Itoa(seq), "transaction": v.Transaction, "holder": v.Holder}})
	if err != nil {
		out.File.Close()
		return nil, err
	}
	return out, nil
}
